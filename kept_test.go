package saml_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// The tests of this file measure the heap of the process, so none of them is parallel.

// grownBy returns how many bytes what make returns keeps on the heap.
func grownBy[T any](t *testing.T, make func() (T, error)) float64 {
	t.Helper()
	before := heapNow()
	kept, err := make()
	if err != nil {
		t.Fatal(err)
	}
	grown := heapNow() - before
	runtime.KeepAlive(kept)
	return grown
}

// TestTenantsAreSmall: a service makes a ServiceProvider for each of its tenants, with metadata of 18
// KiB. Beside the certificates it keeps less than a tenth of that.
func TestTenantsAreSmall(t *testing.T) {
	const n, most = 500, 2600 // bytes; 1,710 were measured
	idp := samltest.MustNew(t, samltest.Options{})
	for range 2 {
		if _, err := idp.AddKey(nil); err != nil {
			t.Fatal(err)
		}
	}
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	c := saml.Config{BaseURL: "https://console.example.com", StateKeys: [][]byte{saml.NewStateKey()},
		Store: saml.NewMemoryStore(), Logger: slog.New(slog.DiscardHandler)}
	certificates := grownBy(t, func() (list [n][]saml.TrustedKey, err error) {
		for i := range list {
			if list[i], err = saml.ParseKeys(document); err != nil {
				return list, err
			}
		}
		return list, nil
	})
	all := grownBy(t, func() (list [n]*saml.ServiceProvider, err error) {
		for i := range list {
			c := c
			c.Tenant, c.RedirectPath = fmt.Sprint("tenant ", i), fmt.Sprint("/saml/", i)
			if c.IdentityProvider, err = saml.ParseMetadata(document); err != nil {
				return list, err
			}
			if list[i], err = saml.New(c); err != nil {
				return list, err
			}
		}
		return list, nil
	})
	each := (all - certificates) / n
	t.Logf("%.0f bytes a tenant beside the certificates, metadata has %d", each, len(document))
	if each > most {
		t.Errorf("a tenant takes %.0f bytes beside its certificates, want at most %d", each, most)
	}
}

// TestIdentityKeepsNoMessage: whatever an application keeps of an Identity for as long as a session
// lasts, the message that it was read from is gone.
func TestIdentityKeepsNoMessage(t *testing.T) {
	const size, most = 600_000, 64 << 10 // bytes: of the message, and kept at most
	h := newHouse(t, nil)
	for _, groups := range []int{3, 8, 9} {
		attributes := []samltest.Attribute{{Name: "unread", Values: []string{strings.Repeat("x", size)}},
			{Name: claimGroups, Values: numberedGroups(groups)}}
		for name, part := range map[string]func(*saml.Login) any{
			"all of it":       func(l *saml.Login) any { return l.Identity },
			"the address":     func(l *saml.Login) any { return l.Identity.Email },
			"a name":          func(l *saml.Login) any { return l.Identity.Surname },
			"the groups":      func(l *saml.Login) any { return l.Identity.Groups },
			"the roles":       func(l *saml.Login) any { return l.Identity.Roles },
			"what is unread":  func(l *saml.Login) any { return l.Identity.Unread() },
			"for its logouts": func(l *saml.Login) any { return l.LogoutSubject() },
		} {
			grown := grownBy(t, func() (any, error) {
				login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{Attributes: attributes})
				if err != nil {
					return nil, err
				}
				wantKept(t, login, groups)
				return part(login), nil
			})
			if grown > most {
				t.Errorf("%s, %d groups: %.0f bytes are kept of a message of %d, want at most %d", name, groups, grown, size, most)
			}
		}
	}
}

const claimGroups = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"

func numberedGroups(n int) []string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("6c0f4a0e-9b7a-4e5f-8a3d-%012d", i)
	}
	return groups
}

// wantKept compares what was read with what was sent, so that nothing is missing that would be kept.
func wantKept(t *testing.T, login *saml.Login, groups int) {
	t.Helper()
	user, want := samltest.DefaultUsers()[0], numberedGroups(groups)
	i := login.Identity
	if i.Email != user.Mail || i.Surname != user.Surname || !slices.Contains(i.Unread(), "unread") ||
		!slices.Equal(i.Groups, want) || !slices.Equal(login.Assertion.Attributes.Values(claimGroups), want) ||
		!slices.Equal(i.Roles, login.Assertion.Attributes.Values("http://schemas.microsoft.com/ws/2008/06/identity/claims/role")) {
		t.Errorf("got the wrong identity: %.300s, %d groups", fmt.Sprint(i.Email, i.Surname, i.Unread(), i.Roles), len(i.Groups))
	}
	if s := login.LogoutSubject(); s.NameID.Value != user.Mail || s.Issuer != login.Assertion.Issuer.Value ||
		s.NameID.Format != login.Assertion.NameID.Format || s.AssertionID != login.Assertion.ID || len(s.SessionIndexes) != 1 {
		t.Errorf("got the wrong subject: %+v", s)
	}
}

// TestAddressKeepsNoGroups: an application that keeps the address alone keeps none of the groups.
func TestAddressKeepsNoGroups(t *testing.T) {
	const n, most = 10_000, 64 << 10 // groups, and bytes kept at most
	h := newHouse(t, nil)
	grown := grownBy(t, func() (string, error) {
		login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{
			Attributes: []samltest.Attribute{{Name: claimGroups, Values: numberedGroups(n)}}})
		if err != nil {
			return "", err
		}
		return login.Identity.Email, nil
	})
	if grown > most {
		t.Errorf("%.0f bytes are kept, want at most %d", grown, most)
	}
}

// TestMetadataIsNotKept: neither an IdentityProvider nor keys nor an error keep the document that they
// were read from, whatever is odd in it. Each document has a comment behind it that would be noticed.
func TestMetadataIsNotKept(t *testing.T) {
	const comment, most = 256 << 10, 64 << 10 // bytes
	leaf, ca := wordsCertificates(t)
	p := newWordsParts(productSettings{name: "unknown", entityID: "https://idp.example.com/",
		loginURL: "https://idp.example.com/sso"}, leaf, ca)
	refused, warned, silent := 0, 0, 0
	for _, input := range p.inputs() {
		document := []byte(input.text + "<!--" + strings.Repeat("x", comment) + "-->")
		type kept struct {
			idp  *saml.IdentityProvider
			keys []saml.TrustedKey
			errs [2]error
		}
		grown := grownBy(t, func() (k kept, _ error) {
			k.idp, k.errs[0] = saml.ParseMetadata(document, input.options)
			k.keys, k.errs[1] = saml.ParseKeys(document)
			switch {
			case k.idp == nil:
				refused++
			case len(k.idp.Warnings(time.Now())) > 0:
				warned++
			default:
				silent++
			}
			return k, nil
		})
		runtime.KeepAlive(document)
		if grown > most {
			t.Errorf("%s: %.0f bytes of a document of %d are kept, want at most %d", input.name, grown, len(document), most)
		}
	}
	if refused < 10 || warned < 5 || silent < 1 {
		t.Errorf("of the documents %d are refused, %d have warnings and %d have none", refused, warned, silent)
	}
}

// heapInside is an application whose methods measure the heap while a response is in their request.
type heapInside struct {
	before float64
	grown  map[string]float64 // since before, by method
}

func (s *heapInside) SignIn(http.ResponseWriter, *http.Request, *saml.Login) error {
	s.grown["SignIn"] = heapNow() - s.before
	return nil
}

func (s *heapInside) SignedIn(*http.Request) bool {
	s.grown["SignedIn"] = heapNow() - s.before
	return false
}

func (s *heapInside) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// TestApplicationWaitsWithoutTheMessage: the application may take any time, for example until its database
// answers. Meanwhile nothing is kept of a large response but what it is given, or anybody could fill the
// memory with them.
func TestApplicationWaitsWithoutTheMessage(t *testing.T) {
	const most = 128 << 10 // bytes; a message of 900 KB and its tree take 7 MB
	h := newHouse(t, nil)
	padding := "<samlp:Extensions>" + strings.Repeat("<x:a xmlns:x='urn:x'>b</x:a>c", 20_000) + "</samlp:Extensions>"
	sessions := &heapInside{grown: map[string]float64{}}
	handler := h.sp.Handler(sessions)
	for _, row := range []struct{ name, method string }{{"of a login", "SignIn"}, {"of no login", "SignedIn"}} {
		begun := httptest.NewRecorder()
		handler.ServeHTTP(begun, httptest.NewRequest(http.MethodGet, h.sp.RedirectURL(), nil))
		message, err := base64.StdEncoding.DecodeString(h.respond(samltest.Answer{RequestID: requestID(t, begun.Header().Get("Location"))}))
		if err != nil {
			t.Fatal(err)
		}
		const after = "</Issuer>" // the first is that of the Response, which is not signed
		padded := strings.Replace(string(message), after, after+padding, 1)
		if len(padded) != len(message)+len(padding) {
			t.Fatalf("the message has no %s: %.500s", after, message)
		}
		body := url.Values{"saml_leg": {"2"}, "SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(padded))}}.Encode()
		r := httptest.NewRequest(http.MethodPost, h.sp.RedirectURL(), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range begun.Result().Cookies() {
			if row.method == "SignIn" {
				r.AddCookie(c)
			}
		}
		sessions.before = heapNow()
		handler.ServeHTTP(httptest.NewRecorder(), r)
		grown, called := sessions.grown[row.method]
		if !called {
			t.Fatalf("%s: %s was not called", row.name, row.method)
		}
		t.Logf("%s: %.0f bytes in %s", row.name, grown, row.method)
		if grown > most {
			t.Errorf("%s: %.0f bytes are kept while the application is in %s, want at most %d", row.name, grown, row.method, most)
		}
	}
}

// TestGroupsAreNotRoles: where one attribute is both, whoever changes the list of groups changes no roles.
func TestGroupsAreNotRoles(t *testing.T) {
	for _, n := range []int{2, 20} {
		h := newHouse(t, func(c *saml.Config) {
			c.Claims.Groups, c.Claims.Roles = []string{claimGroups}, []string{claimGroups}
		})
		login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{
			Attributes: []samltest.Attribute{{Name: claimGroups, Values: numberedGroups(n)}}})
		if err != nil {
			t.Fatal(err)
		}
		clear(login.Identity.Groups)
		if !slices.Equal(login.Identity.Roles, numberedGroups(n)) {
			t.Errorf("%d groups: the roles have become %q", n, login.Identity.Roles)
		}
	}
}
