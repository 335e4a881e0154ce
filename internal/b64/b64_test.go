package b64

import "testing"

func TestDecode(t *testing.T) {
	for name, s := range map[string]string{
		"plain":         "aGVsbG8=",
		"in lines":      "aGVs\r\nbG8=",
		"indented":      "\n    aGVs\n\tbG8=\n  ",
		"blanks within": "aG Vs bG8 =",
	} {
		if got, err := Decode(s); err != nil || string(got) != "hello" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if got, err := DecodeBytes([]byte(s)); err != nil || string(got) != "hello" {
			t.Errorf("%s, in place: got %q, %v", name, got, err)
		}
	}
	for name, s := range map[string]string{
		"nothing":          "",
		"white space":      " \r\n\t",
		"no padding":       "aGVsbG8",
		"too much padding": "aGVsbG8==",
		"unused bits":      "aGVsbG9=",
		"the URL alphabet": "-_8=",
		"a NUL":            "aGVs\x00bG8=",
		"a vertical tab":   "aGVs\vbG8=",
		"a form feed":      "aGVs\fbG8=",
		"a no-break space": "aGVs\u00a0bG8=",
		"padding within":   "aA==aA==",
		"a letter after":   "aGVsbG8=a",
	} {
		if got, err := Decode(s); err == nil || got != nil {
			t.Errorf("%s: got %q", name, got)
		}
		if got, err := DecodeBytes([]byte(s)); err == nil || got != nil {
			t.Errorf("%s, in place: got %q", name, got)
		}
	}
}
