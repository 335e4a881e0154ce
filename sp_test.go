package saml_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestSignIn is the whole story, over TLS and with a browser's cookies: an administrator follows
// the seven steps of the guide, then a user opens a page, signs in at the identity provider and
// comes back to that page.
func TestSignIn(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	entra := httptest.NewTLSServer(idp)
	defer entra.Close()
	idp.SetBaseURL(entra.URL)

	mux := http.NewServeMux()
	console := httptest.NewTLSServer(mux)
	defer console.Close()
	// The two servers have one certificate, made for 127.0.0.1 and for example.com, so that one
	// client trusts both.
	browser := newBrowser(t, entra.Client().Transport)

	// 1 to 3. The Redirect URL goes into all three fields at the identity provider.
	redirectURL := console.URL + saml.DefaultRedirectPath
	idp.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL},
		SignOnURL: redirectURL})

	// 4. The Federation Metadata XML is downloaded.
	metadata := browser.get(idp.MetadataURL())

	// 5 and 6. It fills in the three fields; Save.
	provider, err := saml.ParseMetadata([]byte(metadata))
	if err != nil {
		t.Fatal(err)
	}
	if provider.EntityID() != idp.EntityID() || provider.LoginURL() != idp.LoginURL() || len(provider.Keys()) != 1 {
		t.Errorf("metadata: got %s, %s, %d keys", provider.EntityID(), provider.LoginURL(), len(provider.Keys()))
	}
	sp, err := saml.New(saml.Config{BaseURL: console.URL, IdentityProvider: provider,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()})
	if err != nil {
		t.Fatal(err)
	}
	if sp.RedirectURL() != redirectURL {
		t.Fatalf("Redirect URL: got %s, want %s", sp.RedirectURL(), redirectURL)
	}
	var signedIn *saml.Login
	mux.HandleFunc("GET /jobs", func(w http.ResponseWriter, r *http.Request) {
		if signedIn != nil {
			io.WriteString(w, "jobs of "+signedIn.Identity.Email)
			return
		}
		request, err := sp.StartLogin(r.Context(), saml.LoginOptions{ReturnTo: r.URL.RequestURI()})
		if err != nil {
			t.Error(err)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "__Host-login", Value: request.State, Path: "/", Secure: true,
			HttpOnly: true})
		http.Redirect(w, r, request.URL, http.StatusSeeOther)
	})
	mux.HandleFunc("POST "+sp.RedirectPath(), func(w http.ResponseWriter, r *http.Request) {
		state, err := r.Cookie("__Host-login")
		if err != nil {
			t.Error(err)
			return
		}
		if signedIn, err = sp.FinishLogin(r.Context(),
			saml.FormResponse{SAMLResponse: r.PostFormValue("SAMLResponse"), State: state.Value}); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, signedIn.ReturnTo, http.StatusSeeOther)
	})

	// 7. A user opens a page, signs in and is back.
	idp.SignInAs(samltest.DefaultUsers()[0])
	form := browser.form(console.URL + "/jobs?status=failed")
	if form.Action != redirectURL {
		t.Errorf("the response goes to %s, want %s", form.Action, redirectURL)
	}
	response, err := browser.PostForm(form.Action, form.Values)
	if got := bodyOf(t, response, err); got != "jobs of ioana.turcanu@example.com" ||
		response.Request.URL.String() != console.URL+"/jobs?status=failed" {
		t.Fatalf("got %q at %s", got, response.Request.URL)
	}
	identity := signedIn.Identity
	user := samltest.DefaultUsers()[0]
	if identity.Name != user.DisplayName || identity.ObjectID != user.ObjectID ||
		identity.TenantID != idp.TenantID() || !slices.Equal(identity.Groups, user.Groups) {
		t.Errorf("got identity %+v", identity)
	}
	if object, nameID := identity.ObjectKey, identity.NameIDKey; object == "" || nameID == "" || object == nameID {
		t.Errorf("got account keys %q and %q", object, nameID)
	}

	// The same form again, as after the Back button: used up.
	response, err = browser.PostForm(form.Action, form.Values)
	if got := bodyOf(t, response, err); response.StatusCode != http.StatusForbidden ||
		!strings.Contains(got, string(saml.CodeReplayed)) {
		t.Errorf("the second post: status %d, %s", response.StatusCode, got)
	}
}

// browser is a client with cookies that reads pages.
type browser struct {
	*http.Client
	t *testing.T
}

func newBrowser(t *testing.T, transport http.RoundTripper) browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return browser{&http.Client{Transport: transport, Jar: jar}, t}
}

func (b browser) get(address string) string {
	b.t.Helper()
	response, err := b.Get(address)
	return bodyOf(b.t, response, err)
}

func (b browser) form(address string) samltest.Form {
	b.t.Helper()
	response, err := b.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	form, err := samltest.ReadForm(response)
	if err != nil {
		b.t.Fatal(err)
	}
	return form
}

func bodyOf(t *testing.T, r *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

const redirectURL = "https://console.example.com" + saml.DefaultRedirectPath

// house is an identity provider and a service provider that trusts it.
type house struct {
	t   *testing.T
	idp *samltest.IdentityProvider
	sp  *saml.ServiceProvider
}

// sharedIdP is one provider for all tests that only read from it: keys cost time.
var sharedIdP = sync.OnceValues(func() (*samltest.IdentityProvider, error) { return samltest.New(samltest.Options{}) })

func newHouse(t *testing.T, change func(*saml.Config)) *house {
	t.Helper()
	idp, err := sharedIdP()
	if err != nil {
		t.Fatal(err)
	}
	return &house{t, idp, newProvider(t, idp, change)}
}

func newProvider(t *testing.T, idp *samltest.IdentityProvider, change func(*saml.Config)) *saml.ServiceProvider {
	t.Helper()
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := saml.ParseMetadata(document)
	if err != nil {
		t.Fatal(err)
	}
	config := saml.Config{BaseURL: "https://console.example.com", IdentityProvider: provider,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore()}
	if change != nil {
		change(&config)
	}
	sp, err := saml.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// signIn begins a login, has it answered and finishes it.
func (h *house) signIn(o saml.LoginOptions, a samltest.Answer) (*saml.Login, error) {
	h.t.Helper()
	request, err := h.sp.StartLogin(h.t.Context(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	if a.RequestID == "" {
		a.RequestID = request.ID
	}
	return h.sp.FinishLogin(h.t.Context(), saml.FormResponse{SAMLResponse: h.respond(a), State: request.State})
}

func (h *house) respond(a samltest.Answer) string {
	h.t.Helper()
	if a.Recipient == "" {
		a.Recipient = redirectURL
	}
	form, err := h.idp.Respond(a)
	if err != nil {
		h.t.Fatal(err)
	}
	return form
}

func wantCode(t *testing.T, name string, login *saml.Login, err error, want saml.Code) {
	t.Helper()
	if !errors.Is(err, want) || login != nil {
		t.Errorf("%s: got %v, %v, want %s", name, login, err, string(want))
	}
}

// TestEverySetting of the portal that we support: what is signed, how, and how the XML is written.
func TestEverySetting(t *testing.T) {
	h := newHouse(t, nil)
	for _, style := range []samltest.Style{samltest.Entra, samltest.Prefixed, samltest.Pretty} {
		for _, sign := range []samltest.Sign{samltest.SignAssertion, samltest.SignResponse, samltest.SignBoth} {
			for _, algorithm := range []samltest.Algorithm{samltest.RSASHA256, samltest.RSASHA384, samltest.RSASHA512} {
				for _, omit := range []bool{false, true} {
					login, err := h.signIn(saml.LoginOptions{Purpose: "x"},
						samltest.Answer{Style: style, Sign: sign, Algorithm: algorithm, OmitKeyInfo: omit})
					if err != nil {
						t.Errorf("style %d, sign %d, %s, KeyInfo left out %t: %v", style, sign, algorithm, omit, err)
					} else if login.Identity.Email != "ioana.turcanu@example.com" || login.Purpose != "x" {
						t.Errorf("style %d, sign %d, %s: got %+v", style, sign, algorithm, login.Identity)
					}
				}
			}
		}
	}
}

// TestWrongAnswers: one thing is wrong in each.
func TestWrongAnswers(t *testing.T) {
	h := newHouse(t, nil)
	stranger := samltest.MustNew(t, samltest.Options{TenantID: h.idp.TenantID()})
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Errorf("%q is not in the message", old)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	for _, test := range []struct {
		name   string
		answer samltest.Answer
		want   saml.Code
	}{
		{"not signed", samltest.Answer{Sign: samltest.SignNothing}, saml.CodeUnsigned},
		{"signed with SHA-1", samltest.Answer{Algorithm: samltest.RSASHA1}, saml.CodeSignatureAlgorithm},
		{"another audience", samltest.Answer{Audience: "https://other.example.com"}, saml.CodeAudience},
		{"another recipient", samltest.Answer{Recipient: "https://other.example.com", Destination: redirectURL,
			Audience: redirectURL}, saml.CodeRecipient},
		{"another destination", samltest.Answer{Destination: "https://other.example.com"}, saml.CodeDestination},
		{"another issuer", samltest.Answer{Issuer: "https://sts.windows.net/other/"}, saml.CodeResponseIssuer},
		{"the answer to another request", samltest.Answer{RequestID: "_other"}, saml.CodeInResponseTo},
		{"an hour and four minutes late", samltest.Answer{ClockOffset: -64 * time.Minute}, saml.CodeExpired},
		{"four minutes early", samltest.Answer{ClockOffset: 4 * time.Minute}, saml.CodeIssueInstant},
		{"a day and a half old, and valid for two days",
			samltest.Answer{ClockOffset: -36 * time.Hour, Lifetime: 48 * time.Hour}, saml.CodeTooOld},
		{"a session that is over", samltest.Answer{SessionNotOnOrAfter: time.Now().Add(-time.Hour)},
			saml.CodeSessionExpired},
		{"a sign-in in the future", samltest.Answer{AuthnInstant: time.Now().Add(time.Hour)}, saml.CodeAuthnInstant},
		{"an error", samltest.Answer{Status: "urn:oasis:names:tc:SAML:2.0:status:Responder",
			StatusMessage: "AADSTS50105: x"}, saml.CodeStatus},
		{"a guest's user principal name", samltest.Answer{NameID: "a_b#EXT#@c.onmicrosoft.com"}, saml.CodeNameIDGuest},
		{"a user without mail", samltest.Answer{User: samltest.DefaultUsers()[1]}, saml.CodeNameIDNotEmail},
		{"a NameID that is not the user's mail", samltest.Answer{NameID: "other@example.com"}, saml.CodeNameIDMismatch},
		{"a comment in the NameID",
			samltest.Answer{Edit: replace("ioana.turcanu@example.com</NameID>",
				"ioana.turcanu@example.com<!-- -->.evil.example</NameID>")}, saml.CodeComment},
		{"no audience restriction", samltest.Answer{Edit: func(s string) string {
			a, b := strings.Index(s, "<AudienceRestriction>"), strings.Index(s, "</Conditions>")
			return s[:a] + s[b:]
		}}, saml.CodeAudience},
		{"NotBefore in the confirmation",
			samltest.Answer{Edit: replace("<SubjectConfirmationData ",
				`<SubjectConfirmationData NotBefore="2020-01-01T00:00:00Z" `)}, saml.CodeSubjectConfirmation},
	} {
		login, err := h.signIn(saml.LoginOptions{}, test.answer)
		wantCode(t, test.name, login, err, test.want)
	}
	real := h.idp
	h.idp = stranger
	login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{})
	wantCode(t, "signed by a stranger who has the name of ours", login, err, saml.CodeSignature)
	h.idp = real
	login, err = h.signIn(saml.LoginOptions{ForceAuthn: true},
		samltest.Answer{AuthnInstant: time.Now().Add(-time.Hour)})
	wantCode(t, "an old sign-in where a new one was asked for", login, err, saml.CodeAuthnInstant)
	if _, err = h.signIn(saml.LoginOptions{ForceAuthn: true}, samltest.Answer{AuthnInstant: time.Now()}); err != nil {
		t.Errorf("a new sign-in where one was asked for: %v", err)
	}
}

// TestHintsNameEntraFields: the administrator is told which field of the portal to change.
func TestHintsNameEntraFields(t *testing.T) {
	h := newHouse(t, nil)
	for _, test := range []struct {
		answer samltest.Answer
		want   string
	}{
		{samltest.Answer{Audience: "https://other.example.com"}, "Basic SAML Configuration > Identifier (Entity ID)"},
		{samltest.Answer{Destination: "https://other.example.com"}, "Basic SAML Configuration > Reply URL"},
		{samltest.Answer{Algorithm: samltest.RSASHA1}, "Signing Algorithm: SHA-256"},
		{samltest.Answer{User: samltest.DefaultUsers()[1]}, "Attributes & Claims > Unique User Identifier"},
		{samltest.Answer{Status: "urn:oasis:names:tc:SAML:2.0:status:Responder", StatusMessage: "AADSTS50105: x"},
			"Users and groups"},
	} {
		_, err := h.signIn(saml.LoginOptions{}, test.answer)
		var refusal *saml.Error
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Hint, test.want) || refusal.Check == "" {
			t.Errorf("got %+v, want a hint with %q", refusal, test.want)
		}
	}
}

// TestPersonalDataStaysOutOfErrors: what an error says may be logged, what it got may not.

func TestGuestsAndGroups(t *testing.T) {
	h := newHouse(t, nil)
	guest, err := h.signIn(saml.LoginOptions{}, samltest.Answer{User: samltest.DefaultUsers()[2]})
	if err != nil {
		t.Fatal(err)
	}
	if guest.Identity.Email != "tomas.novak@example.net" || guest.Identity.HomeIdentityProvider != "live.com" {
		t.Errorf("guest: got %+v", guest.Identity)
	}
	many, err := h.signIn(saml.LoginOptions{}, samltest.Answer{User: samltest.DefaultUsers()[3]})
	if err != nil {
		t.Fatal(err)
	}
	if !many.Identity.GroupsOverage || len(many.Identity.Groups) != 0 {
		t.Errorf("200 groups: got overage %t, %d groups", many.Identity.GroupsOverage, len(many.Identity.Groups))
	}
}

func TestUnsolicited(t *testing.T) {
	refusing, accepting := newHouse(t, nil), newHouse(t, func(c *saml.Config) { c.Unsolicited = saml.AllowUnsolicited })
	unsolicited := refusing.respond(samltest.Answer{})
	login, err := refusing.sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: unsolicited})
	wantCode(t, "by default", login, err, saml.CodeUnsolicited)
	if login, err = accepting.sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: unsolicited}); err != nil {
		t.Errorf("where it is allowed: %v", err)
	} else if login.ReturnTo != "" {
		t.Errorf("it returns to %q", login.ReturnTo)
	}
	login, err = accepting.sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: unsolicited})
	wantCode(t, "a second time", login, err, saml.CodeReplayed)
	login, err = accepting.sp.FinishLogin(t.Context(),
		saml.FormResponse{SAMLResponse: accepting.respond(samltest.Answer{RequestID: "_stolen"})})
	wantCode(t, "where it answers somebody's request", login, err, saml.CodeInResponseTo)
	login, err = accepting.sp.FinishLogin(t.Context(),
		saml.FormResponse{SAMLResponse: unsolicited, RequestID: "_asked"})
	wantCode(t, "where an answer was asked for", login, err, saml.CodeInResponseTo)
	var refusal *saml.Error
	if errors.As(err, &refusal); !strings.Contains(refusal.Message, "does not say which request it answers") ||
		!strings.Contains(refusal.Hint, "of the Response and of SubjectConfirmationData") {
		t.Errorf("where neither Response nor assertion names a request: %v, %s", err, refusal.Hint)
	}
}

// TestConcurrentPosts: of two posts of one response exactly one signs in.
func TestConcurrentPosts(t *testing.T) {
	h := newHouse(t, nil)
	for range 20 {
		request, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		response := saml.FormResponse{SAMLResponse: h.respond(samltest.Answer{RequestID: request.ID}),
			State: request.State}
		var results [2]error
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { _, results[i] = h.sp.FinishLogin(context.Background(), response) })
		}
		wg.Wait()
		if (results[0] == nil) == (results[1] == nil) || !errors.Is(errors.Join(results[:]...), saml.CodeReplayed) {
			t.Errorf("got %v and %v, want one sign-in and one %s", results[0], results[1], string(saml.CodeReplayed))
		}
	}
}

// TestReplayAtTheEdge: a second replica, whose clock is two minutes behind, shares the store. At no
// moment at which it would still take the response as fresh has the claim ended.
func TestReplayAtTheEdge(t *testing.T) {
	for _, solicited := range []bool{true, false} {
		c := newClock()
		store, key := saml.NewMemoryStoreWithClock(c.Now), saml.NewStateKey()
		idp := samltest.MustNew(t, samltest.Options{Now: c.Now})
		config := func(now func() time.Time) func(*saml.Config) {
			return func(f *saml.Config) {
				f.Now, f.Store, f.StateKeys, f.Unsolicited = now, store, [][]byte{key}, saml.AllowUnsolicited
			}
		}
		first := &house{t, idp, newProvider(t, idp, config(c.Now))}
		behind := &house{t, idp, newProvider(t, idp, config(func() time.Time { return c.Now().Add(-2 * time.Minute) }))}
		var response saml.FormResponse
		if solicited {
			request, err := first.sp.StartLogin(t.Context(), saml.LoginOptions{})
			if err != nil {
				t.Fatal(err)
			}
			response = saml.FormResponse{SAMLResponse: first.respond(samltest.Answer{RequestID: request.ID}),
				State: request.State}
		} else {
			response = saml.FormResponse{SAMLResponse: first.respond(samltest.Answer{})}
		}
		if _, err := first.sp.FinishLogin(t.Context(), response); err != nil {
			t.Fatal(err)
		}
		seen := map[saml.Code]int{}
		for range 70 { // minutes; the response is fresh for 60, skew and lag add 5
			login, err := behind.sp.FinishLogin(t.Context(), response)
			var refusal *saml.Error
			if !errors.As(err, &refusal) {
				t.Fatalf("solicited %t: replayed at %s: %v", solicited, c.Now(), login)
			}
			seen[refusal.Code]++
			c.Advance(time.Minute)
		}
		if late := seen[saml.CodeExpired] + seen[saml.CodeStateExpired]; seen[saml.CodeReplayed] < 60 || late < 3 {
			t.Errorf("solicited %t: got %v, want replayed until the response is no longer fresh", solicited, seen)
		}
	}
}

// brokenStore fails.
type brokenStore struct{ claims int }

var errStore = errors.New("the database is away")

func (s *brokenStore) Claim(context.Context, string, time.Duration) (bool, error) {
	s.claims++
	return true, errStore
}
func (s *brokenStore) Claimed(context.Context, string) (bool, error) { return false, errStore }

func TestStoreFailureRefuses(t *testing.T) {
	store := &brokenStore{}
	h := newHouse(t, func(c *saml.Config) { c.Store = store })
	login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{})
	wantCode(t, "with a store that fails", login, err, saml.CodeStore)
	if !errors.Is(err, errStore) || store.claims != 1 {
		t.Errorf("got %v after %d claims, want the store's own error after one", err, store.claims)
	}
	if _, err = h.signIn(saml.LoginOptions{}, samltest.Answer{Audience: "https://other.example.com"}); !errors.Is(err,
		saml.CodeAudience) || store.claims != 1 {
		t.Errorf("a response that is refused anyway: got %v after %d claims, want no claim", err, store.claims)
	}
}

// TestRollOver: the certificate changes without anybody being locked out, with and without a
// certificate in the message.
func TestRollOver(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	next, err := idp.AddKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t, idp, newProvider(t, idp, nil)}
	for _, key := range []int{0, next} {
		for _, omit := range []bool{false, true} {
			if _, err := h.signIn(saml.LoginOptions{}, samltest.Answer{Key: key, OmitKeyInfo: omit}); err != nil {
				t.Errorf("key %d, KeyInfo left out %t: %v", key, omit, err)
			}
		}
	}
	third, err := idp.AddKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{Key: third})
	wantCode(t, "a key that was added after the metadata was read", login, err, saml.CodeSignature)
	var refusal *saml.Error
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Got, "thumbprint") ||
		strings.Count(refusal.Want, " or ") != 1 {
		t.Errorf("got %+v, want the thumbprints of both sides", refusal)
	}
}

func TestExpiredCertificates(t *testing.T) {
	c := newClock()
	idp := samltest.MustNew(t, samltest.Options{Now: c.Now})
	c.Advance(4 * 365 * 24 * time.Hour)
	h := &house{t, idp, newProvider(t, idp, func(f *saml.Config) { f.Now = c.Now })}
	if _, err := h.signIn(saml.LoginOptions{}, samltest.Answer{}); err != nil {
		t.Errorf("an expired certificate that is pinned: %v", err)
	}
	h.sp = newProvider(t, idp, func(f *saml.Config) { f.Now, f.RefuseExpiredCertificates = c.Now, true })
	login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{})
	wantCode(t, "with RefuseExpiredCertificates", login, err, saml.CodeCertificateExpired)
}

// TestMovingToAnotherDomain: the old Redirect URL is taken as an address while FormerRedirectURLs
// says so, and as our name while FormerEntityIDs does. One says nothing about the other.
func TestMovingToAnotherDomain(t *testing.T) {
	const old = "https://old.example.com" + saml.DefaultRedirectPath
	h := newHouse(t, func(c *saml.Config) { c.FormerRedirectURLs, c.FormerEntityIDs = []string{old}, []string{old} })
	for _, a := range []samltest.Answer{{Recipient: old}, {Recipient: redirectURL, Audience: old},
		{Recipient: redirectURL}} {
		if _, err := h.signIn(saml.LoginOptions{}, a); err != nil {
			t.Errorf("recipient %s, audience %s: %v", a.Recipient, a.Audience, err)
		}
	}
	address := func(c *saml.Config) { c.FormerRedirectURLs = []string{old} }
	name := func(c *saml.Config) { c.FormerEntityIDs = []string{old} }
	qualified := func(xml string) string {
		return strings.Replace(xml, "<NameID ", `<NameID SPNameQualifier="`+old+`" `, 1)
	}
	for _, test := range []struct {
		name   string
		change func(*saml.Config)
		answer samltest.Answer
		want   saml.Code // "" for accepted
	}{
		{"neither list, old address", nil, samltest.Answer{Recipient: old}, saml.CodeDestination},
		{"an address, as the address", address, samltest.Answer{Recipient: old, Audience: redirectURL}, ""},
		{"an address, as the audience", address, samltest.Answer{Recipient: redirectURL, Audience: old},
			saml.CodeAudience},
		{"an address, as the qualifier of the NameID", address,
			samltest.Answer{Recipient: redirectURL, Edit: qualified}, saml.CodeSPNameQualifier},
		{"a name, as the address", name, samltest.Answer{Recipient: old, Audience: redirectURL}, saml.CodeDestination},
		{"a name, as the audience", name, samltest.Answer{Recipient: redirectURL, Audience: old}, ""},
		{"a name, as the qualifier of the NameID", name, samltest.Answer{Recipient: redirectURL, Edit: qualified}, ""},
	} {
		login, err := newHouse(t, test.change).signIn(saml.LoginOptions{}, test.answer)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		wantCode(t, test.name, login, err, test.want)
	}
}

// TestQualifierThatRepeatsTheIssuer: a NameQualifier that says no more than the Issuer is no part of
// the account key, also with white space around it.
func TestQualifierThatRepeatsTheIssuer(t *testing.T) {
	h := newHouse(t, nil)
	keys := map[string]bool{}
	for _, qualifier := range []string{"", h.idp.EntityID(), " " + h.idp.EntityID() + "&#10;"} {
		login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{Recipient: redirectURL, Edit: func(xml string) string {
			return strings.Replace(xml, "<NameID ", `<NameID NameQualifier="`+qualifier+`" `, 1)
		}})
		if err != nil {
			t.Fatalf("NameQualifier %q: %v", qualifier, err)
		}
		keys[login.Identity.NameIDKey] = true
	}
	if len(keys) != 1 || keys[""] {
		t.Errorf("got the keys %v, want one", keys)
	}
}

// TestTenantsAreApart: what was begun or answered for one customer is worth nothing for another,
// and accounts never meet, even where the other administrator gives his provider our name.
func TestTenantsAreApart(t *testing.T) {
	keys, store := [][]byte{saml.NewStateKey()}, saml.NewMemoryStore()
	tenant := func(name string) func(*saml.Config) {
		return func(c *saml.Config) { c.Tenant, c.StateKeys, c.Store = name, keys, store }
	}
	a, b := newHouse(t, tenant("a")), newHouse(t, tenant("b"))
	request, err := a.sp.StartLogin(t.Context(), saml.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	response := saml.FormResponse{SAMLResponse: a.respond(samltest.Answer{RequestID: request.ID}), State: request.State}
	login, err := b.sp.FinishLogin(t.Context(), response)
	wantCode(t, "a's pending login at b", login, err, saml.CodeStateInvalid)
	atA, err := a.sp.FinishLogin(t.Context(), response)
	if err != nil {
		t.Fatal(err)
	}
	atB, err := b.signIn(saml.LoginOptions{}, samltest.Answer{})
	if err != nil {
		t.Fatal(err)
	}
	objectA, nameA := atA.Identity.ObjectKey, atA.Identity.NameIDKey
	objectB, nameB := atB.Identity.ObjectKey, atB.Identity.NameIDKey
	if objectA == objectB || nameA == nameB || atA.Tenant != "a" || atB.Tenant != "b" {
		t.Errorf("the same user of the same directory has keys %s, %s at a and %s, %s at b", objectA, nameA, objectB,
			nameB)
	}
}

func TestRequireObjectID(t *testing.T) {
	h := newHouse(t, func(c *saml.Config) { c.RequireObjectID = true })
	if _, err := h.signIn(saml.LoginOptions{}, samltest.Answer{}); err != nil {
		t.Error(err)
	}
	const object, tenant = "http://schemas.microsoft.com/identity/claims/objectidentifier", "http://schemas.microsoft.com/identity/claims/tenantid"
	for name, claim := range map[string]samltest.Attribute{
		"without an object ID": {Name: object}, "without a tenant ID": {Name: tenant}, "of another directory": {Name: tenant, Values: []string{"other"}},
	} {
		login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{Attributes: []samltest.Attribute{claim}})
		wantCode(t, name, login, err, saml.CodeObjectIDMissing)
	}
}

// TestRequestsThatEntraTakes: both bindings, signed and not, get an answer that signs in.
func TestRequestsThatEntraTakes(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	server := httptest.NewServer(idp)
	defer server.Close()
	idp.SetBaseURL(server.URL)
	idp.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
	signer, certificate := signingKey(t)
	for _, signed := range []bool{false, true} {
		sp := newProvider(t, idp, func(c *saml.Config) {
			if signed {
				c.SigningKey, c.SigningCertificate = signer, certificate
			}
		})
		for _, options := range []saml.LoginOptions{{}, {POST: true}, {ForceAuthn: true},
			{POST: true, LoginHint: "Grace.Okafor@example.com"}} {
			options.LoginHint = cmpOr(options.LoginHint, "ioana.turcanu@example.com")
			request, err := sp.StartLogin(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			response, err := send(request)
			if err != nil {
				t.Fatal(err)
			}
			form, err := samltest.ReadForm(response)
			if err != nil {
				t.Errorf("signed %t, %+v: %v", signed, options, err)
				continue
			}
			login, err := sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: form.Values.Get("SAMLResponse"),
				State: request.State})
			if err != nil || login.Identity.Email != options.LoginHint {
				t.Errorf("signed %t, %+v: %v", signed, options, err)
			}
		}
	}
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// send does with a request what a browser does: it opens the URL, or shows the form and posts it.
func send(request *saml.AuthnRequest) (*http.Response, error) {
	if request.Form == nil {
		return http.Get(request.URL)
	}
	page := httptest.NewRecorder()
	request.Form.ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
	result := page.Result()
	result.Request = &http.Request{URL: &url.URL{Path: "/"}}
	form, err := samltest.ReadForm(result)
	if err != nil {
		return nil, fmt.Errorf("our own page: %w", err)
	}
	return http.PostForm(form.Action, form.Values)
}

// TestNarrowEscapes: what would be taken if absence, repetition or a missing request were handled
// less strictly.
func TestNarrowEscapes(t *testing.T) {
	h := newHouse(t, func(c *saml.Config) { c.RequireObjectID = true })
	year1 := func(old string) func(string) string {
		return func(s string) string {
			start := strings.Index(s, old) + len(old)
			return s[:start] + "0001-01-01T00:00:00Z" + s[start+strings.IndexByte(s[start:], '"'):]
		}
	}
	const object = "http://schemas.microsoft.com/identity/claims/objectidentifier"
	for _, test := range []struct {
		name   string
		answer samltest.Answer
		want   saml.Code
	}{
		{"Conditions that ended in the year 1", samltest.Answer{Edit: year1(`<Conditions NotBefore="`)}, saml.CodeTime},
		{"a session that ended in the year 1", samltest.Answer{SessionNotOnOrAfter: time.Now(),
			Edit: year1(`SessionNotOnOrAfter="`)}, saml.CodeTime},
		{"two object IDs", samltest.Answer{Attributes: []samltest.Attribute{{Name: object,
			Values: []string{"a", "b"}}}}, saml.CodeObjectIDMissing},
	} {
		login, err := h.signIn(saml.LoginOptions{}, test.answer)
		wantCode(t, test.name, login, err, test.want)
	}

	strict := newHouse(t, func(c *saml.Config) {
		c.Unsolicited, c.RequestedAuthnContexts = saml.AllowUnsolicited, []string{"http://schemas.microsoft.com/claims/multipleauthn"}
	})
	login, err := strict.sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: strict.respond(samltest.Answer{})})
	wantCode(t, "an unsolicited response without the demanded context", login, err, saml.CodeAuthnContext)

	_, err = h.signIn(saml.LoginOptions{}, samltest.Answer{NameID: "other@example.com"})
	if !errors.Is(err, saml.CodeNameIDMismatch) || strings.Contains(err.Error(), "@") {
		t.Errorf("got %v, want no address in the error", err)
	}

	nobody, err := saml.NewIdentityProvider("https://idp.example.com", "https://idp.example.com/sso", saml.TrustedKey{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: nobody,
		StateKeys: [][]byte{saml.NewStateKey()}}); !errors.Is(err, saml.CodeMetadataKeys) {
		t.Errorf("a key that is none: got %v, want %s", err, string(saml.CodeMetadataKeys))
	}
}

// TestLongNamesStayOutOfErrors: whoever posts may choose the names of elements.
func TestLongNamesStayOutOfErrors(t *testing.T) {
	h := newHouse(t, func(c *saml.Config) { c.Unsolicited = saml.AllowUnsolicited })
	message := "<" + strings.Repeat("name", 50_000) + "></a>"
	_, err := h.sp.FinishLogin(t.Context(),
		saml.FormResponse{SAMLResponse: base64.StdEncoding.EncodeToString([]byte(message))})
	if !errors.Is(err, saml.CodeXMLSyntax) || len(err.Error()) > 1000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}
