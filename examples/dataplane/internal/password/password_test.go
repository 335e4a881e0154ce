package password

import (
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	const right = "correct horse battery"
	stored := Hash(right)
	for _, test := range []struct {
		name, stored, given string
		want                bool
	}{
		{"the right password", stored, right, true},
		{"another password", stored, right + "!", false},
		{"the empty password", stored, "", false},
		{"no account", "", right, false},
		{"no account, no password", "", "", false},
		{"a hash that is cut off", stored[:len(stored)-4], right, false},
		{"a hash without its end", stored[:strings.LastIndex(stored, "$")], right, false},
		{"a hash with other parameters", strings.Replace(stored, "t=2", "t=1", 1), right, false},
	} {
		if got := Verify(test.stored, test.given); got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, got, test.want)
		}
	}
	if Hash(right) == stored {
		t.Error("two hashes of one password are the same")
	}
	if a, b := New(), New(); a == b || len(a) != 23 {
		t.Errorf("new passwords: got %q and %q", a, b)
	}
}
