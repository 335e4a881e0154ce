package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/samltest"
)

// TestLongAddresses: a button that begins a sign-in at a long address posts it, since proxies refuse a
// GET of that size, and the sign-in ends there.
func TestLongAddresses(t *testing.T) {
	t.Parallel()
	w, _ := enabled(t)
	long := "/jobs?q=" + strings.Repeat("q", 5000)
	w.idp.SignInAs(samltest.DefaultUsers()[0])
	for name, open := range map[string]func(b *browser){
		"the sign-in page": func(b *browser) { b.get("/sign-in?return_to=" + url.QueryEscape(long)) },
		"the page of a failure": func(b *browser) {
			id := b.request(w.console.RedirectURL(), url.Values{"return_to": {long}})
			w.advance(61 * time.Minute) // the user took too long
			b.finish(w.answerTo(id))
		},
	} {
		b := w.browser()
		open(b)
		if strings.Contains(b.last.body, "?return_to=") || !strings.Contains(b.last.body, `name="return_to" value="`+long+`"`) ||
			!strings.Contains(b.last.body, `<form method="post" action="`+w.console.RedirectURL()+`">`) {
			t.Errorf("%s: got %.3000s", name, b.last.body)
			continue
		}
		b.finish(b.begin(w.console.RedirectURL(), url.Values{"return_to": {long}}))
		b.wantText("signed-in", samltest.DefaultUsers()[0].DisplayName)
		if got := b.last.url.RequestURI(); got != long {
			t.Errorf("%s: ends at %.60s", name, got)
		}
	}
}
