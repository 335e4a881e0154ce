package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

var (
	analyst       = samltest.DefaultUsers()[0]
	administrator = samltest.DefaultUsers()[3]
)

// A site is a house on a server, and its identity provider.
type site struct {
	*testing.T
	*house
	idp *samltest.IdentityProvider
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, idp: samltest.MustNew(t, samltest.Options{})}
	provider := httptest.NewServer(s.idp)
	t.Cleanup(provider.Close)
	s.idp.SetBaseURL(provider.URL)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	var err error
	if s.house, err = newHouse(server.URL, s.idp); err != nil {
		t.Fatal(err)
	}
	return s
}

// both runs a test before the migration and after it.
func both(t *testing.T, test func(t *testing.T, s *site)) {
	for name, migrated := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.migrate(migrated)
			test(t, s)
		})
	}
}

func newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil) // never fails
	return &http.Client{Jar: jar}
}

// signIn opens an address as a user of the identity provider.
func (s *site) signIn(b *http.Client, u samltest.User, address string) page {
	s.Helper()
	s.idp.SignInAs(u)
	return s.page(samltest.SignIn(b, address))
}

// open opens a page of the service and follows redirects, at most to the identity provider.
func (s *site) open(b *http.Client, path string) page {
	s.Helper()
	r, err := http.NewRequest(http.MethodGet, s.root+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return s.page(b.Do(r))
}

// A page is where a request ended.
type page struct {
	status        int
	address, body string
}

func (s *site) page(r *http.Response, err error) page {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.Fatal(err)
	}
	return page{r.StatusCode, r.Request.URL.String(), string(body)}
}

// want expects a page by its status, the beginning of its address, and a text in it.
func (s *site) want(what string, got page, status int, address, text string) {
	s.Helper()
	if got.status != status || !strings.HasPrefix(got.address, address) || !strings.Contains(got.body, text) {
		s.Errorf("%s: got status %d at %s, %s, want %d with %q at %s", what,
			got.status, got.address, got.body, status, text, address)
	}
}

// TestTheSamePages: the same users get the same pages at the same addresses, before and after.
func TestTheSamePages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, visit := range []struct {
		user   samltest.User
		path   string
		status int
	}{
		{analyst, "/jobs?state=open", http.StatusOK},
		{analyst, "/admin/users", http.StatusForbidden},
		{administrator, "/admin/users", http.StatusOK},
	} {
		s.migrate(false)
		before := s.signIn(newBrowser(), visit.user, s.root+visit.path)
		s.migrate(true)
		after := s.signIn(newBrowser(), visit.user, s.root+visit.path)
		if visit.status == http.StatusOK {
			s.want("before", before, http.StatusOK, s.root+visit.path, visit.user.Mail+" reads "+visit.path)
			s.want("after", after, http.StatusOK, s.root+visit.path, before.body)
		}
		if before.status != visit.status || after.status != visit.status || after.address != before.address {
			t.Errorf("%s at %s: got %d and %d at %s, want %d", visit.user.Mail, visit.path, before.status,
				after.status, after.address, visit.status)
		}
	}
}

// TestTheDayOfTheMigration: users who are signed in, and those with a bookmark, see their page. The
// identity provider answers without asking them. After a return to the old service too.
func TestTheDayOfTheMigration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const bookmark = "/jobs?state=open"
	b := newBrowser()
	first := s.signIn(b, analyst, s.root+"/")
	s.want("before", first, http.StatusOK, s.root+"/", analyst.Mail)
	s.want("before, the session", s.open(b, bookmark), http.StatusOK, s.root+bookmark, analyst.Mail)

	s.migrate(true)
	s.want("after", s.page(samltest.SignIn(b, s.root+bookmark)), http.StatusOK, s.root+bookmark, analyst.Mail)
	s.want("after, the session", s.open(b, bookmark), http.StatusOK, s.root+bookmark, analyst.Mail)

	s.migrate(false)
	s.want("back again", s.open(b, bookmark), http.StatusOK, s.root+bookmark, analyst.Mail)
}

// TestDuringTheMigration: who is at the identity provider at that moment gets a page with a link
// that signs in.
func TestDuringTheMigration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.idp.SignInAs(analyst)
	b := newBrowser()
	r, err := b.Get(s.root + "/jobs")
	if err != nil {
		t.Fatal(err)
	}
	form, err := samltest.ReadForm(r)
	if err != nil {
		t.Fatal(err)
	}
	s.migrate(true)
	if r, err = b.PostForm(form.Action, form.Values); err != nil {
		t.Fatal(err)
	}
	if form, err = samltest.ReadForm(r); err != nil {
		t.Fatal(err)
	}
	refused := s.page(b.PostForm(form.Action, form.Values))
	s.want("an answer to a request from before", refused, http.StatusForbidden, s.root+"/saml/acs",
		string(saml.CodeStateMissing))
	s.want("an answer to a request from before", refused, http.StatusForbidden, s.root+"/saml/acs",
		`href="`+s.root+`/saml/acs"`)
	s.want("the link", s.page(samltest.SignIn(b, s.root+"/saml/acs")), http.StatusOK, s.root+"/", analyst.Mail)
}

// TestStartAtTheProvider: the tile of the service among the apps at the identity provider, which
// answers without a request.
func TestStartAtTheProvider(t *testing.T) {
	t.Parallel()
	both(t, func(_ *testing.T, s *site) {
		tile := s.idp.MyAppsURL() + "?app=" + url.QueryEscape(s.root+"/saml/metadata")
		s.want("the tile", s.signIn(newBrowser(), analyst, tile), http.StatusOK, s.root+"/", analyst.Mail)
	})
}

// TestBackgroundCall: a fetch cannot follow to the identity provider, and is told so now.
func TestBackgroundCall(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for migrated, want := range map[bool]int{false: http.StatusFound, true: http.StatusUnauthorized} {
		s.migrate(migrated)
		r := httptest.NewRequest(http.MethodGet, "/jobs", nil)
		r.Header.Set("Sec-Fetch-Mode", "cors")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("migrated %t: got status %d, want %d", migrated, w.Code, want)
		}
	}
}

// TestManyGroups: samlsp refuses a session that is too large for a cookie; now the user gets one.
func TestManyGroups(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	u := analyst
	u.Groups = nil
	for i := range 150 {
		u.Groups = append(u.Groups, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	s.want("before", s.signIn(newBrowser(), u, s.root+"/"), http.StatusForbidden, s.root+"/saml/acs", "Forbidden")

	s.migrate(true)
	b := newBrowser()
	s.want("after", s.signIn(b, u, s.root+"/"), http.StatusOK, s.root+"/", u.Groups[149])
	for _, c := range b.Jar.Cookies(httptest.NewRequest(http.MethodGet, s.root, nil).URL) {
		if size := len(c.Name) + len(c.Value); size > 1024 {
			t.Errorf("the cookie %s has %d bytes", c.Name, size)
		}
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *site) {
		b := newBrowser()
		s.want("the sign-in", s.signIn(b, analyst, s.root+"/"), http.StatusOK, s.root+"/", analyst.Mail)
		r, err := b.PostForm(s.root+"/sign-out", nil)
		s.want("the sign-out", s.page(r, err), http.StatusOK, s.root+"/goodbye", "Goodbye")
		s.want("after it", s.open(b, "/"), http.StatusOK, s.idp.LoginURL(), "")
	})
}

// TestTheSameMetadata: what an identity provider reads at the same address has the same entity ID,
// the same address for responses, and the same certificate to encrypt for.
func TestTheSameMetadata(t *testing.T) {
	t.Parallel()
	var read [2]struct {
		EntityID string `xml:"entityID,attr"`
		SP       struct {
			Keys []struct {
				Use         string `xml:"use,attr"`
				Certificate string `xml:"KeyInfo>X509Data>X509Certificate"`
			} `xml:"KeyDescriptor"`
			Services []struct {
				Binding  string `xml:",attr"`
				Location string `xml:",attr"`
			} `xml:"AssertionConsumerService"`
		} `xml:"SPSSODescriptor"`
	}
	s := newSite(t)
	for i, migrated := range []bool{false, true} {
		s.migrate(migrated)
		document := s.open(newBrowser(), "/saml/metadata")
		if err := xml.Unmarshal([]byte(document.body), &read[i]); err != nil {
			t.Fatal(err)
		}
	}
	const post = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	for i, m := range read {
		services, keys := m.SP.Services, m.SP.Keys
		if m.EntityID != s.root+"/saml/metadata" || len(services) == 0 || services[0].Binding != post ||
			services[0].Location != s.root+"/saml/acs" {
			t.Errorf("metadata %d: got %+v", i, m)
		}
		if len(keys) == 0 || keys[0].Use != "encryption" || keys[0].Certificate != read[0].SP.Keys[0].Certificate {
			t.Errorf("metadata %d: got the keys %+v", i, keys)
		}
	}
}

// TestRun: each line switches, and the end of the input ends it.
func TestRun(t *testing.T) {
	t.Parallel()
	var printed strings.Builder
	if err := run(strings.NewReader("\n\n"), &printed); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Service:", "Identity provider:", "migration: true", "migration: false"} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("got %s, want %q", printed.String(), want)
		}
	}
}
