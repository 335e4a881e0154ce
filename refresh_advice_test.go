package saml

import (
	"errors"
	"testing"
)

// TestAdvisedToo: what a source of somebody else returns is text of any kind.
func TestAdvisedToo(t *testing.T) {
	t.Parallel()
	for want, why := range map[string]error{
		"Hint.":            &Error{},
		"Hint. Die Datei.": &Error{Message: "die Datei"},
		"Hint. Éteint.":    &Error{Message: "éteint"},
	} {
		if got := (&Error{Hint: "Hint."}).advisedToo(why).Hint; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (&Error{Hint: "Hint."}).advisedToo(errors.New("x")).Hint; got != "Hint." {
		t.Errorf("a foreign error: got %q", got)
	}
}
