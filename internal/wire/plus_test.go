package wire

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
)

// TestLostPlusSigns: base64 that was put into a form without percent-encoding arrives with blanks
// for its plus signs, and that is said. Blanks that mean nothing are no reason.
func TestLostPlusSigns(t *testing.T) {
	t.Parallel()
	long := base64.StdEncoding.EncodeToString([]byte("<a>" + strings.Repeat("~~~>>>???", 40) + "</a>"))
	if !strings.Contains(long, "+") {
		t.Fatal("there is no plus sign to lose")
	}
	lost := strings.ReplaceAll(long, "+", " ")
	for name, row := range map[string]struct {
		form string
		said bool
	}{
		"lost": {lost, true}, "lost, of the right length": {lost[:len(lost)/4*4], true},
		"lost, in lines":                   {lost[:80] + "\r\n" + lost[80:], true},
		"one is left":                      {lost + "+", false},
		"nothing lost":                     {base64.StdEncoding.EncodeToString([]byte("no XML")), false},
		"blanks at the ends":               {"  bm8gWE1M \r\n", false},
		"blanks at the beginning of lines": {"bm8g\n  WE1M", false},
		"blanks at the ends of lines":      {"bm8g \nWE1M", false},
		"cut off":                          {long[:len(long)/2], false},
		"cut off after an odd number":      {"bm8gW", false},
		// four blanks for four plus signs, and what is left is base64 of something else
		"lost, and base64 all the same": {"AAAA AAA AAA AAA AAA", true},
	} {
		_, err := Read(row.form)
		_, inPlace := ReadInPlace([]byte(row.form))
		_, answer := ReadAnswerInPlace([]byte(row.form))
		for _, err := range []error{err, inPlace, answer} {
			var f *fault.Fault
			if !errors.As(err, &f) || (strings.Contains(f.Message, "plus signs") && f.Code == fault.Base64 && f.Hint != "") != row.said {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}

// TestBlanksInBase64: blanks inside the lines of a message that has lost nothing are no reason to refuse it.
func TestBlanksInBase64(t *testing.T) {
	t.Parallel()
	form := base64.StdEncoding.EncodeToString([]byte(responseWith("_111", "OK", "")))
	if strings.Contains(form, "+") {
		t.Fatal("there is a plus sign: it would not be told from a lost one")
	}
	form = form[:40] + " " + form[40:]
	m, err := Read(form)
	inPlace, inPlaceErr := ReadInPlace([]byte(form))
	answer, answerErr := ReadAnswerInPlace([]byte(form))
	if err := errors.Join(err, inPlaceErr, answerErr); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Response{m, inPlace, answer.Response} {
		if m.RequestID() != "_111" {
			t.Errorf("got a response to %q", m.RequestID())
		}
	}
}

// TestNotBase64: what cannot be decoded is refused as that, and not as a document without content.
func TestNotBase64(t *testing.T) {
	t.Parallel()
	const form = "bm8gW*"
	_, err := Read(form)
	_, inPlace := ReadInPlace([]byte(form))
	_, answer := ReadAnswerInPlace([]byte(form))
	for _, err := range []error{err, inPlace, answer} {
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Base64 {
			t.Errorf("got %v, want the code %s", err, fault.Base64)
		}
	}
}
