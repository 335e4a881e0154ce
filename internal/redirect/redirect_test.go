package redirect

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
)

const limit = 1 << 10

// deflated is a message as a query carries it.
func deflated(t testing.TB, message string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(message))
	w.Close()
	return url.QueryEscape(base64.StdEncoding.EncodeToString(b.Bytes()))
}

// TestCarries: a parameter for a message is found in each spelling, and nothing else is one.
func TestCarries(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]bool{
		"": {}, "a=b": {}, "samlrequest=x": {}, "a=SAMLRequest": {}, "a;SAMLRequest=x": {}, "SAMLRequestx=y": {},
		"%zz=1": {}, "SAMLRequest%": {}, strings.Repeat("%53", 1000) + "=x": {},
		"SAMLRequest": {true, false}, "a=b&SAMLRequest=%zz": {true, false}, "SAML%52equest=x": {true, false},
		"SAMLResponse=": {false, true}, "%53%41%4D%4C%52%65%73%70%6F%6E%73%65=x": {false, true},
		"SAMLResponse=x&SAMLRequest=x": {true, true},
	} {
		if request, response := Carries([]byte(raw)); [2]bool{request, response} != want {
			t.Errorf("%q: got %t, %t, want %v", raw, request, response, want)
		}
	}
}

// TestParseQuery: what is signed are the characters that were received, in the order of the binding.
func TestParseQuery(t *testing.T) {
	t.Parallel()
	message := deflated(t, "<x/>")
	const signed, encoding = "&SigAlg=urn%3aalg&Signature=c2ln",
		"&SAMLEncoding=urn%3Aoasis%3Anames%3Atc%3ASAML%3A2.0%3Abindings%3AURL-Encoding%3ADEFLATE"
	for _, row := range []struct {
		name, query, octets, relayState string
		hasRelayState                   bool
	}{
		{"request", "SAMLRequest=" + message + signed, "SAMLRequest=" + message + "&SigAlg=urn%3aalg", "", false},
		{"response", "SAMLResponse=" + message + signed, "SAMLResponse=" + message + "&SigAlg=urn%3aalg", "", false},
		{"with RelayState", "SAMLRequest=" + message + "&RelayState=a%2fb+c%20d" + signed,
			"SAMLRequest=" + message + "&RelayState=a%2fb+c%20d&SigAlg=urn%3aalg", "a/b c d", true},
		{"with an empty RelayState", "SAMLRequest=" + message + "&RelayState=" + signed,
			"SAMLRequest=" + message + "&RelayState=&SigAlg=urn%3aalg", "", true},
		{"in another order", "Signature=c2ln&RelayState=r&SigAlg=urn%3aalg&SAMLRequest=" + message,
			"SAMLRequest=" + message + "&RelayState=r&SigAlg=urn%3aalg", "r", true},
		{"among strangers", "sls&a=b&%zz=1&samlrequest=x&SAMLRequest=" + message + "&&SAMLart=x" + signed + encoding +
			"&=;",
			"SAMLRequest=" + message + "&SigAlg=urn%3aalg", "", false},
	} {
		m, err := ParseQuery(row.query, limit)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if string(m.Octets) != row.octets || m.RelayState != row.relayState || m.HasRelayState != row.hasRelayState ||
			m.Algorithm != "urn:alg" || string(m.Signature) != "sig" || string(m.XML) != "<x/>" ||
			m.Request != strings.HasPrefix(row.octets, "SAMLRequest") {
			t.Errorf("%s: got %+v with octets %s", row.name, m, m.Octets)
		}
		if again, err := Open(m.Octets, limit); err != nil || !bytes.Equal(again, m.XML) {
			t.Errorf("%s: the octets open as %q, %v", row.name, again, err)
		}
	}
	m, err := ParseQuery("SAMLRequest="+message, limit)
	if err != nil || m.Algorithm != "" || m.Signature != nil || string(m.Octets) != "SAMLRequest="+message {
		t.Errorf("unsigned: got %+v, %v", m, err)
	}
}

// TestQueriesThatAreRefused: each parameter is there as often as it may be, in plain spelling.
func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	message := deflated(t, "<x/>")
	good := "SAMLRequest=" + message + "&RelayState=r&SigAlg=a&Signature=c2ln"
	if _, err := ParseQuery(good, limit); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"", "RelayState=r", strings.Replace(good, "SAMLRequest", "SAMLReques%74", 1), strings.Replace(good,
			"RelayState", "Relay%53tate", 1),
		strings.Replace(good, "SigAlg", "%53igAlg", 1), strings.Replace(good, "Signature", "Signatur%65", 1),
		good + "&SAMLRequest=" + message, good + "&SAMLResponse=" + message, good + "&RelayState=r", good +
			"&SigAlg=a", good + "&Signature=c2ln",
		good + "&Relay%53tate=r", strings.Replace(good, "&SigAlg=a", "", 1), strings.Replace(good, "&Signature=c2ln",
			"", 1),
		strings.Replace(good, "RelayState=r", "RelayState", 1), strings.Replace(good, "RelayState=r", "RelayState=%",
			1),
		good + "&SAMLEncoding=", good + "&SAMLEncoding",
	} {
		if m, err := ParseQuery(query, limit); m != nil || codeOf(err) != fault.LogoutForm {
			t.Errorf("%s: got %v, %v, want %s", query, m, err, fault.LogoutForm)
		}
	}
}

// TestSizes: a message may be as large as the limit, and a query as large as its own.
func TestSizes(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{limit: "", limit + 1: fault.TooLarge} {
		_, err := ParseQuery("SAMLRequest="+deflated(t, strings.Repeat("x", size)), limit)
		if got := codeOf(err); got != want {
			t.Errorf("%d bytes: got %q, want %q", size, got, want)
		}
	}
	query := "SAMLRequest=" + deflated(t, "<x/>") + "&a="
	for size, want := range map[int]string{maxText: "", maxText + 1: fault.TooLarge} {
		_, err := ParseQuery(query+strings.Repeat("x", size-len(query)), limit)
		if got := codeOf(err); got != want {
			t.Errorf("a query of %d bytes: got %q, want %q", size, got, want)
		}
	}
}

// TestDecodings: base64 takes line breaks and a bare plus sign; what is no DEFLATE is called by its
// name.
func TestDecodings(t *testing.T) {
	t.Parallel()
	// a stored block of DEFLATE whose base64 has + and /
	stored := base64.StdEncoding.EncodeToString([]byte{1, 4, 0, 0xfb, 0xff, 'a', 0xf8, 'b', 'c'})
	if !strings.ContainsAny(stored, "+") {
		t.Fatalf("%s has no plus sign", stored)
	}
	for _, raw := range []string{url.QueryEscape(stored), stored, stored[:4] + "%0d%0A" + stored[4:],
		strings.ReplaceAll(stored, "+", "%2b")} {
		if m, err := ParseQuery("SAMLRequest="+raw, limit); err != nil || string(m.XML) != "a\xf8bc" {
			t.Errorf("%s: got %v, %v", raw, m, err)
		}
	}
	for name, data := range map[string]string{
		"XML in base64":   "\n <x/>",
		"zlib (RFC 1950)": "\x78\x9c\xb3\xa9\xd0\xb7\x03\x00\x03\x16\x01\x17",
		"gzip (RFC 1952)": "\x1f\x8b\x08\x00",
		"":                "\xff\xff\xff",
	} {
		_, err := ParseQuery("SAMLRequest="+url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(data))), limit)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Deflate || f.Got != name {
			t.Errorf("%q: got %v, want %q", data, err, name)
		}
	}
}

// TestForm: the form is base64 alone, and a form has no signature beside the message.
func TestForm(t *testing.T) {
	t.Parallel()
	m, err := ParseForm("RelayState=&SAMLResponse=PHgvPg%3D%3D&saml_leg=2", "a=b")
	if err != nil || m.Request || string(m.XML) != "<x/>" || !m.HasRelayState || m.RelayState != "" || m.Octets != nil {
		t.Errorf("got %+v, %v", m, err)
	}
	for _, row := range [][2]string{{"SAMLRequest=PHgvPg==", "SAMLReques%74=x"},
		{"SAMLRequest=PHgvPg==&SAMLRequest=x", ""},
		{"SAMLRequest=PHgvPg==&Si%67Alg=x", ""}, {"SAMLRequest=PHgvPg==&SigAlg=x", ""},
		{"SAMLRequest=PHgvPg==&Signature=eA==", ""}, {"SAMLRequest=PHgvPg==", "RelayState="}, {"SAMLRequest=PHgvPg==",
			"SAMLResponse=x"},
		{"SAMLRequest=PHgvPg==", "SigAlg=x"}, {"SAMLRequest=PHgvPg==", "Signature=x"}, {"RelayState=x", ""},
		{"SAMLRequest", ""}, {"SAMLRequest=PHgvPg==",
			"Signature"}} {
		if m, err := ParseForm(row[0], row[1]); m != nil || codeOf(err) != fault.LogoutForm {
			t.Errorf("%v: got %v, %v", row, m, err)
		}
	}
}

func codeOf(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// FuzzParseQuery: each error is a fault with a code, and what is signed is written with characters of
// the query alone and opens as the message that is read.
func FuzzParseQuery(f *testing.F) {
	message := deflated(f, "<x/>")
	for _, query := range []string{"", "&", "SAMLRequest=" + message, "SAMLRequest=" + message +
		"&RelayState=%20&SigAlg=a&Signature=c2ln",
		"SAMLResponse=%", "SAMLRequest=" + message + "&SAMLRequest=", "Signature=&SigAlg="} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		m, err := ParseQuery(query, limit)
		if err != nil {
			if m != nil || codeOf(err) == "" {
				t.Fatalf("got %v with %v", m, err)
			}
			return
		}
		if again, err := Open(m.Octets, limit); err != nil || !bytes.Equal(again, m.XML) {
			t.Fatalf("the octets %q open as %q, %v, and the message was %q", m.Octets, again, err, m.XML)
		}
		for part := range strings.SplitSeq(string(m.Octets), "&") {
			if strings.Count("&"+query+"&", "&"+part+"&") != 1 {
				t.Fatalf("%q is not once in the query", part)
			}
		}
	})
}
