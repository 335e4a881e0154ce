package saml_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestNobodyIsToldToDoWhatIsDone: advice about a setting depends on how it is set.
func TestNobodyIsToldToDoWhatIsDone(t *testing.T) {
	t.Parallel()
	key, err := sharedSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	der := certificateFor(t, key)
	method := func(c *saml.Config) {
		c.RequestedAuthnContexts = []string{"http://schemas.microsoft.com/claims/multipleauthn"}
	}
	signed := func(c *saml.Config) { c.SigningKey, c.SigningCertificate = key, der }
	for _, row := range []struct {
		name, sub, message string
		set                func(*saml.Config) // what the advice is about
		unset, done        string             // the advice, and that if it is followed already
	}{
		{"the number for another method", "", "AADSTS75011: x", method, "asked for no method of sign-in", "leave RequestedAuthnContexts empty"},
		{"the number for unsigned requests", "", "AADSTS76021: x", signed, "or configure Config.SigningKey", "upload the certificate of Config.SigningKey"},
		{"the code for another method", "NoAuthnContext", "", method, "asked for no method of sign-in", "leave RequestedAuthnContexts empty"},
		{"the code for what is not supported", "RequestUnsupported", "", method, "asks for no method of sign-in", "leave RequestedAuthnContexts empty"},
	} {
		answer := samltest.Answer{Status: statusPrefix + "Responder", StatusMessage: row.message}
		if row.sub != "" {
			answer.SubStatus = statusPrefix + row.sub
		}
		for want, change := range map[string]func(*saml.Config){row.unset: nil, row.done: row.set} {
			other := row.done
			if change != nil {
				other = row.unset
			}
			hint := hintFor(t, newHouse(t, change), saml.LoginOptions{}, answer)
			if !strings.Contains(hint, want) || strings.Contains(hint, other) {
				t.Errorf("%s: got %q, want %q and not %q", row.name, hint, want, other)
			}
		}
	}
	unsupported := samltest.Answer{Status: statusPrefix + "Responder", SubStatus: statusPrefix + "RequestUnsupported"}
	hint := hintFor(t, newHouse(t, nil), saml.LoginOptions{ForceAuthn: true}, unsupported)
	if !strings.Contains(hint, "do without ForceAuthn") {
		t.Errorf("a fresh sign-in that is not supported: got %q", hint)
	}
	// what is not known is said as a condition
	for name, row := range map[string]struct {
		answer samltest.Answer
		want   []string
	}{
		"a silent sign-in": {samltest.Answer{Status: statusPrefix + "Responder", StatusMessage: "AADSTS50058: x"},
			[]string{"If the login was silent", "Otherwise"}},
		"two addresses": {samltest.Answer{NameID: "other@example.com"},
			[]string{"source attribute user.mail", "If the NameID is right already"}},
	} {
		hint := hintFor(t, newHouse(t, nil), saml.LoginOptions{}, row.answer)
		for _, want := range row.want {
			if !strings.Contains(hint, want) {
				t.Errorf("%s: got %q, want %q in it", name, hint, want)
			}
		}
	}
	international := newHouse(t, func(c *saml.Config) { c.AllowInternationalEmail = true })
	hint = hintFor(t, international, saml.LoginOptions{}, samltest.Answer{NameID: "ü"})
	if strings.Contains(hint, "AllowInternationalEmail") {
		t.Errorf("an option that is set is advised: %s", hint)
	}
}

// hintFor returns the hint of the refusal of an answer.
func hintFor(t *testing.T, h *house, o saml.LoginOptions, a samltest.Answer) string {
	t.Helper()
	_, err := h.signIn(o, a)
	list := saml.Errors(err)
	if len(list) != 1 {
		t.Fatalf("got %v, want one refusal", err)
	}
	return list[0].Hint
}

// TestWhoIsNotAskedForLong: no WARN speaks of missing answers while people just take their time, if one
// answer has arrived, or twice.
func TestWhoIsNotAskedForLong(t *testing.T) {
	t.Parallel()
	const silent = "no response has arrived"
	for name, row := range map[string]struct {
		do   func(w *watched)
		want int
	}{
		"thirty tabs at once": {func(w *watched) {
			for range 30 {
				w.begin()
			}
		}, 0},
		"two, long ago": {func(w *watched) {
			w.begin()
			w.clock.Advance(time.Hour)
			w.begin()
		}, 0},
		"three within three minutes, and more": {func(w *watched) {
			for range 10 {
				w.begin()
				w.clock.Advance(90 * time.Second)
			}
		}, 1},
		"an answer that is refused": {func(w *watched) {
			w.post("%")
			for range 10 {
				w.begin()
				w.clock.Advance(time.Minute)
			}
		}, 0},
		"forms that only begin a login": {func(w *watched) {
			for range 10 {
				r := httptest.NewRequest("POST", redirectURL, strings.NewReader("return_to=%2Fjobs"))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				w.login.ServeHTTP(httptest.NewRecorder(), r)
				w.clock.Advance(time.Minute)
			}
		}, 1},
	} {
		w := newWatched(t, nil)
		row.do(w)
		if got := strings.Count(w.log.String(), silent); got != row.want {
			t.Errorf("%s: %d warnings, want %d: %s", name, got, row.want, w.log.String())
		}
	}
}

// TestReturnToWithTheWholeAddress: a link may have it, if it is one of this service.
func TestReturnToWithTheWholeAddress(t *testing.T) {
	t.Parallel()
	w := newWatched(t, nil)
	w.sessions.signedIn = true
	for to, want := range map[string]string{
		"https://console.example.com/jobs?id=7":        "/jobs?id=7",
		"https://console.example.com":                  "/",
		"https://console.example.com/#/sql/42":         "/#/sql/42",
		"https://console.example.com.evil.example/":    "/",
		"https://console.example.com:444/jobs":         "/",
		"https://console.example.com//evil.example":    "/",
		"https://console.example.com@evil.example/":    "/",
		"http://console.example.com/jobs":              "/",
		"https://evil.example/https://console.example": "/",
	} {
		a := ask(w.login, "GET", redirectURL+"?return_to="+url.QueryEscape(to))
		if got := a.Header().Get("Location"); a.Code != http.StatusSeeOther || got != want {
			t.Errorf("%s: status %d to %q, want %q", to, a.Code, got, want)
		}
	}
}

// TestAnotherAccount: who is refused with one account gets a link to sign in with another one, which
// the identity provider would not ask for by itself.
func TestAnotherAccount(t *testing.T) {
	t.Parallel()
	const link = `<a href="` + redirectURL + `?fresh=1">Use another account</a>`
	for name, row := range map[string]struct {
		answer  samltest.Answer
		refused error // by the application
		want    bool
	}{
		"not assigned":         {samltest.Answer{Status: statusPrefix + "Responder", StatusMessage: "AADSTS50105: x"}, nil, true},
		"no e-mail address":    {samltest.Answer{User: samltest.DefaultUsers()[1]}, nil, true},
		"a guest's name":       {samltest.Answer{NameID: "a_b#EXT#@c.onmicrosoft.com"}, nil, true},
		"two addresses":        {samltest.Answer{NameID: "other@example.com"}, nil, true},
		"an account that ends": {samltest.Answer{}, &saml.Error{Code: saml.CodeAccountEnded}, true},
		"a denied user":        {samltest.Answer{}, saml.Denied("No seat is left."), true},
		"no session":           {samltest.Answer{}, errors.New("down"), false},
		"another audience":     {samltest.Answer{Audience: "https://other.example.com"}, nil, false},
		"not signed":           {samltest.Answer{Sign: samltest.SignNothing}, nil, false},
	} {
		w := newWatched(t, nil)
		w.sessions.err = row.refused
		state, id := w.begin()
		row.answer.RequestID = id
		a := w.post(w.respond(row.answer), state)
		if got := strings.Contains(a.Body.String(), link); got != row.want {
			t.Errorf("%s: a link %t, want %t: %s", name, got, row.want, a.Body)
		}
	}
	w := newWatched(t, nil)
	to := ask(w.login, "GET", redirectURL+"?fresh=1", "Sec-Fetch-Site", "same-origin").Header().Get("Location")
	if !strings.Contains(requestAt(t, to), `ForceAuthn="true"`) {
		t.Errorf("the link leads to %s", to)
	}
}
