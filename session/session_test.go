package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Idle: -1, Cookie: "a b"})
	for _, want := range []string{
		"Config.Keys is empty",
		"Config.Idle is too short, got -1ns, want at least 1m0s",
		`Config.Cookie is no name for a cookie, got "a b"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err = New(Config{Keys: [][]byte{testKey, testKey[:31]}, Lifetime: -1}); err == nil ||
		!strings.Contains(err.Error(), "Config.Keys[1] has 31 bytes, want exactly 32 random bytes") ||
		!strings.Contains(err.Error(), "Config.Lifetime is too short, got -1ns, want at least 1m0s") {
		t.Errorf("got %v", err)
	}
	if _, err = New(Config{Keys: [][]byte{testKey}, Logger: quiet, Cookie: strings.Repeat("n", 65)}); err == nil ||
		!strings.Contains(err.Error(), "Config.Cookie is too long, got 65 bytes, want at most 64") {
		t.Errorf("got %v", err)
	}
	_, err = New(Config{Keys: [][]byte{testKey}, Logger: quiet, Idle: 2, Lifetime: time.Minute - 1})
	for _, want := range []string{
		"Config.Idle is too short, got 2ns, want at least 1m0s",
		"Config.Lifetime is too short, got 59.999999999s, want at least 1m0s",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	_, err = New(Config{Keys: [][]byte{testKey}, Logger: quiet, Idle: time.Minute, Lifetime: time.Minute})
	if err != nil {
		t.Errorf("a minute: got %v", err)
	}
	m, err := New(Config{Keys: [][]byte{testKey}, Logger: quiet, Cookie: strings.Repeat("n", 64)})
	if err != nil {
		t.Fatal(err)
	}
	if m.config.Idle != 2*time.Hour || m.config.Lifetime != 12*time.Hour || m.config.Store == nil {
		t.Errorf("got %+v", m.config)
	}
}

// TestKeysAreCopied: a caller may clear the keys after New without clearing those of the Manager.
func TestKeysAreCopied(t *testing.T) {
	t.Parallel()
	key := slices.Clone(testKey)
	s := newSite(t, func(c *Config) { c.Keys = [][]byte{key} })
	cookie := s.signIn(samltest.Answer{})
	clear(key)
	s.wantIn("after the caller cleared the key", cookie)
}

func TestCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	if c.Name != s.cookieName(true) || !strings.HasPrefix(c.Name, "__Host-session-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
		c.Path != "/" || c.Domain != "" || c.MaxAge != 12*60*60 {
		t.Errorf("on https: got %v", c)
	}
	s.Manager = s.newManager(func(c *Config) { c.InsecureAllowHTTP, c.Cookie = true, "demo" })
	if c = s.signIn(samltest.Answer{}); c.Name != "demo" || c.Secure || !c.HttpOnly ||
		c.SameSite != http.SameSiteLaxMode {
		t.Errorf("on http: got %v", c)
	}
}

// TestSession: what the application finds is what the identity provider said.
func TestSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	user := samltest.DefaultUsers()[0]
	login := s.newLogin(samltest.Answer{User: user})
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		t.Fatal(err)
	}
	var got *Session
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = FromContext(r.Context()) })
	answerOf(s.login.Require(page), newRequest("GET", "/", w.Result().Cookies()...))
	if got == nil {
		t.Fatal("there is no session")
	}
	if fieldsOf(t, got.Identity) != fieldsOf(t, login.Identity) || got.Identity.Unread() != nil {
		t.Errorf("got  %+v\nwant %+v", got.Identity, login.Identity)
	}
	object, nameID := got.Identity.ObjectKey, got.Identity.NameIDKey
	wantObject, wantNameID := login.Identity.ObjectKey, login.Identity.NameIDKey
	if object != wantObject || nameID != wantNameID || object == "" || nameID == "" {
		t.Errorf("got account keys %q, %q, want %q, %q", object, nameID, wantObject, wantNameID)
	}
	now := s.clock.Now()
	if got.IdentityProvider != s.idp.EntityID() ||
		len(got.SessionIndexes) != 1 || got.SessionIndexes[0] != login.Assertion.Statements[0].SessionIndex ||
		got.GroupsTruncated || len(got.ID) != 36 ||
		!got.StartedAt.Equal(now) || !got.SeenAt.Equal(now) || !got.ExpiresAt.Equal(now.Add(12*time.Hour)) {
		t.Errorf("got %+v", got)
	}
	if FromContext(t.Context()) != nil {
		t.Error("there is a session where nobody put one")
	}
}

func TestIdleTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	s.clock.advance(2*time.Hour - time.Millisecond)
	renewed := s.wantIn("just before two hours without a request", c).Result().Cookies()
	s.clock.advance(time.Millisecond)
	s.wantOut("after two hours, with the cookie of the beginning", c)
	if len(renewed) != 1 {
		t.Fatalf("the request set the cookies %v, want the session once more", renewed)
	}
	s.clock.advance(2*time.Hour - 2*time.Millisecond)
	s.wantIn("just before two hours without another request", renewed[0])
	s.clock.advance(time.Millisecond)
	s.wantOut("after two hours without another request", renewed[0])
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	for hour := 1; hour < 12; hour++ {
		s.clock.advance(time.Hour)
		cookies := s.wantIn(fmt.Sprintf("after %d hours with a request each", hour), c).Result().Cookies()
		if len(cookies) != 1 || cookies[0].MaxAge != (12-hour)*60*60 {
			t.Fatalf("after %d hours: got cookies %v", hour, cookies)
		}
		c = cookies[0]
	}
	s.clock.advance(time.Hour - time.Millisecond)
	s.wantIn("just before twelve hours", c)
	s.clock.advance(time.Millisecond)
	s.wantOut("after twelve hours", c)
}

func TestSessionNotOnOrAfterCapsTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{SessionNotOnOrAfter: s.clock.Now().Add(time.Hour)})
	if c.MaxAge != 60*60 {
		t.Errorf("the cookie lives for %d s, want an hour", c.MaxAge)
	}
	s.clock.advance(time.Hour - time.Millisecond)
	s.wantIn("just before it", c)
	s.clock.advance(time.Millisecond)
	s.wantOut("from then on", c)

	c = s.signIn(samltest.Answer{SessionNotOnOrAfter: s.clock.Now().Add(24 * time.Hour)})
	s.clock.advance(time.Hour)
	c = s.wantIn("where it is later than the lifetime", c).Result().Cookies()[0]
	if c.MaxAge != 11*60*60 {
		t.Errorf("the cookie lives for %d s, want eleven hours more", c.MaxAge)
	}
}

// TestShortSession: a response is accepted within the clock skew, and so is the sign-in. But a
// session that ends at once would cause a redirect loop. So would a session that the next replica,
// two minutes ahead, considers over.
func TestShortSession(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		end      time.Duration // of the identity provider's session, from now
		lifetime time.Duration
		skew     time.Duration
		want     time.Duration // 0 for a refusal
	}{
		{"ended just now", 0, 0, 0, 3 * time.Minute},
		{"ended within the default skew", -3*time.Minute + time.Millisecond, 0, 0, 3 * time.Minute},
		{"ended within the greatest skew", -10*time.Minute + time.Millisecond, 0, 10 * time.Minute, 3 * time.Minute},
		{"ends in a millisecond", time.Millisecond, 0, 0, 3 * time.Minute},
		{"ends in three minutes", 3 * time.Minute, 0, 0, 3 * time.Minute},
		{"ends a millisecond later", 3*time.Minute + time.Millisecond, 0, 0, 3*time.Minute + time.Millisecond},
		{"ended, and the lifetime is shorter", 0, time.Minute, 0, time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(c *Config) { c.Lifetime = row.lifetime })
			s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.ClockSkew = row.skew })
			c := s.signIn(samltest.Answer{SessionNotOnOrAfter: s.clock.Now().Add(row.end)})
			got, ok := s.Manager.open(newRequest("GET", "/", c))
			if !ok || got.ExpiresAt.Sub(got.StartedAt) != row.want {
				t.Fatalf("got %+v, want a session of %v", got, row.want)
			}
			s.wantIn("at once", c)
			if row.lifetime == 0 {
				ahead := s.newManager(func(c *Config) {
					c.Now = func() time.Time { return s.clock.Now().Add(2 * time.Minute) }
				})
				if !ahead.SignedIn(newRequest("GET", "/", c)) {
					t.Error("a replica whose clock is two minutes ahead considers the session over")
				}
			}
			s.clock.advance(row.want)
			s.wantOut("at its end", c)
		})
	}
}

// TestLoginThatWasKept: a login that the application kept for longer than any clock skew begins no
// session.
func TestLoginThatWasKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.newLogin(samltest.Answer{SessionNotOnOrAfter: s.clock.Now().Add(time.Minute)})
	s.clock.advance(11*time.Minute - time.Millisecond)
	if err := s.SignIn(newWriter(), newRequest("POST", "/"), login); err != nil {
		t.Errorf("within the greatest clock skew: got %v", err)
	}
	s.clock.advance(time.Millisecond)
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); !errors.Is(err, saml.CodeSessionExpired) ||
		len(w.Result().Cookies()) != 0 {
		t.Errorf("beyond it: got %v and cookies %v, want CodeSessionExpired", err, w.Result().Cookies())
	}
}

func TestAllowBeyondSessionNotOnOrAfter(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.AllowBeyondSessionNotOnOrAfter = true })
	for _, end := range []time.Duration{-time.Minute, 5 * time.Minute} {
		c := s.signIn(samltest.Answer{SessionNotOnOrAfter: s.clock.Now().Add(end)})
		if got, ok := s.Manager.open(newRequest("GET", "/", c)); !ok ||
			got.ExpiresAt.Sub(got.StartedAt) != 12*time.Hour {
			t.Errorf("SessionNotOnOrAfter in %v: got %+v, want a session of 12 hours", end, got)
		}
		s.clock.advance(time.Hour)
		s.wantIn("an hour later", c)
	}
}

func TestRenewalOnceInATwentiethOfTheIdleTime(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Idle = 20 * time.Minute })
	c := s.signIn(samltest.Answer{})
	renewals := 0
	for range 24 { // five minutes, a request every twelve and a half seconds
		s.clock.advance(12500 * time.Millisecond)
		if cookies := s.wantIn("all the time", c).Result().Cookies(); len(cookies) > 0 {
			renewals++
			c = cookies[0]
		}
	}
	if renewals != 4 { // each after 62.5 s
		t.Errorf("got %d renewals in five minutes, want 4", renewals)
	}
	s.clock.advance(time.Minute - 50*time.Second)
	if cookies := s.wantIn("within a twentieth", c).Result().Cookies(); len(cookies) != 0 {
		t.Errorf("within a twentieth of the idle time the session is renewed: %v", cookies)
	}
}

func TestSignInEndsTheEarlierSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.signIn(samltest.Answer{})
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/", first), s.newLogin(samltest.Answer{})); err != nil {
		t.Fatal(err)
	}
	second := w.Result().Cookies()[0]
	s.wantOut("the earlier session", first)
	s.wantIn("the new one", second)

	s.store.fail(errBroken)
	w = httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/", second), s.newLogin(samltest.Answer{})); err != nil {
		t.Errorf("the earlier session cannot be ended: %v, want a sign-in anyway", err)
	}

	tooMuch := samltest.Answer{User: samltest.User{Mail: alice, ObjectID: strings.Repeat("x", maxCookie)}}
	s.store.fail(nil)
	third := w.Result().Cookies()[0]
	w = httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/", third), s.newLogin(tooMuch)); err == nil ||
		len(w.Result().Cookies()) != 0 {
		t.Errorf("an identity that does not fit: got %v, cookies %v", err, w.Result().Cookies())
	}
	s.wantIn("the session before a sign-in that failed", third)
}

func TestPurposeSignsNobodyIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.newLogin(samltest.Answer{})
	login.Purpose = "test"
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err == nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("got %v and cookies %v, want an error", err, w.Result().Cookies())
	}
}

// TestSealIsBound: a cookie is refused in another place, under another name or another key.
func TestSealIsBound(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.sp = s.newProvider(s.idp, func(c *saml.Config) { c.Tenant = "a" })
	c := s.signIn(samltest.Answer{})
	s.wantIn("as it was set", c)
	request, err := s.sp.StartLogin(t.Context(), saml.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tenant, sealed, _ := strings.Cut(c.Value, ".")
	if tenant != tenantText.EncodeToString([]byte("a")) {
		t.Fatalf("the cookie begins with %q", tenant)
	}
	flipped := []byte(c.Value)
	flipped[len(flipped)/2] ^= 1
	with := func(value string) *http.Cookie { return &http.Cookie{Name: c.Name, Value: value} }
	for name, changed := range map[string]*http.Cookie{
		"with another tenant":           with(tenantText.EncodeToString([]byte("b")) + "." + sealed),
		"without the tenant":            with("." + sealed),
		"without the tenant's dot":      with(sealed),
		"with a tenant that is no text": with("*." + sealed),
		"with one bit flipped":          with(string(flipped)),
		"cut":                           with(c.Value[:len(c.Value)-1]),
		"empty":                         with(""),
		"a pending login":               with(request.State),
		"without the prefix":            {Name: strings.TrimPrefix(c.Name, "__Host-"), Value: c.Value},
	} {
		s.wantOut(name, changed)
		if got, ok := s.Manager.open(newRequest("GET", "/", changed)); ok {
			t.Errorf("%s: it is opened as a session of tenant %q", name, got.Tenant)
		}
	}
	for name, change := range map[string]func(*Config){
		"another name of the cookie": func(c *Config) { c.Cookie = "other" },
		"another key":                func(c *Config) { c.Keys = [][]byte{saml.NewStateKey()} },
	} {
		other := s.newManager(change)
		if _, ok := other.open(newRequest("GET", "/", &http.Cookie{Name: other.cookieName(true), Value: c.Value})); ok {
			t.Errorf("%s: the cookie is taken", name)
		}
	}
}

func TestKeyRollOver(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.signIn(samltest.Answer{})
	newKey := saml.NewStateKey()
	opens := func(m *Manager, c *http.Cookie) bool {
		_, ok := m.open(newRequest("GET", "/", c))
		return ok
	}
	prepared := s.newManager(func(c *Config) { c.Keys = [][]byte{testKey, newKey} })
	changed := s.newManager(func(c *Config) { c.Keys = [][]byte{newKey, testKey} })
	done := s.newManager(func(c *Config) { c.Keys = [][]byte{newKey} })
	s.Manager = changed
	after := s.signIn(samltest.Answer{})
	for _, row := range []struct {
		name   string
		opened bool
		want   bool
	}{
		{"the old cookie, the new key first", opens(changed, before), true},
		{"the old cookie, the new key alone", opens(done, before), false},
		{"the new cookie, the new key second", opens(prepared, after), true},
		{"the new cookie, the new key alone", opens(done, after), true},
	} {
		if row.opened != row.want {
			t.Errorf("%s: opened %t, want %t", row.name, row.opened, row.want)
		}
	}
}

// entraUser has names of a believable length and is in as many groups as Entra sends.
func entraUser(groups []string) samltest.User {
	return samltest.User{
		Mail:              "Maximiliane.Hohenzollern@subsidiary.example.com",
		UserPrincipalName: "maximiliane.hohenzollern@example.onmicrosoft.com",
		DisplayName:       "Dr. Maximiliane Hohenzollern (Contractor)",
		GivenName:         "Maximiliane",
		Surname:           "Hohenzollern",
		ObjectID:          "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31",
		Groups:            groups,
		Roles:             []string{"Administrator"},
	}
}

func randomGroups(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = formatGUID(saml.NewStateKey())
	}
	return list
}

// TestGroupsThatDoNotFit: the cookie takes as many as it can, in their order, and says that there
// were more.
func TestGroupsThatDoNotFit(t *testing.T) {
	t.Parallel()
	names := make([]string, 150)
	for i := range names {
		names[i] = fmt.Sprintf("%03d %s", i, strings.Repeat("x", 60))
	}
	oneName := append(randomGroups(200), "one name")
	long := append([]string{strings.Repeat("x", 2000)}, randomGroups(200)...)
	longer := append([]string{strings.Repeat("x", 4000)}, randomGroups(200)...)
	for name, groups := range map[string][]string{
		"names of 64 characters":   names,
		"GUIDs":                    randomGroups(1000),
		"a name behind GUIDs":      oneName,
		"a long name before GUIDs": long,
		"a name that fits nowhere": longer,
		"very many":                slices.Repeat([]string{"x"}, 40_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			user := entraUser(nil)
			login := s.newLogin(samltest.Answer{User: user})
			login.Identity.Groups = groups
			w := httptest.NewRecorder()
			if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
				t.Fatal(err)
			}
			c := w.Result().Cookies()[0]
			got, ok := s.Manager.open(newRequest("GET", "/", c))
			if !ok {
				t.Fatal("the cookie cannot be opened")
			}
			kept := got.Identity.Groups
			if !got.GroupsTruncated || len(kept) >= len(groups) || !slices.Equal(kept, groups[:len(kept)]) {
				t.Errorf("got %d groups of %d, truncated %t", len(kept), len(groups), got.GroupsTruncated)
			}
			got.Identity.Groups = groups[:len(kept)+1]
			if more := s.seal(got); len(c.Value) > s.room(got) || len(more) <= s.room(got) {
				t.Errorf("%d groups take %d characters, and one more would take %d", len(kept), len(c.Value), len(more))
			}
			if !slices.Equal(got.Identity.Roles, user.Roles) || got.RolesTruncated || got.TextsTruncated ||
				got.Identity.Name != user.DisplayName {
				t.Errorf("more than groups is cut: %+v", got)
			}
			if len(login.Identity.Groups) != len(groups) {
				t.Error("the login's own identity was changed")
			}
		})
	}
}

// TestRolesThatDoNotFit: a user is not locked out because groups or roles do not fit. Groups are
// left out first, then most of the display texts, then roles, the last of each list first.
func TestRolesThatDoNotFit(t *testing.T) {
	t.Parallel()
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("%03d %s", i, strings.Repeat("x", 40))
	}
	for name, row := range map[string]struct {
		groups, roles []string
		wantGroups    bool // all cut
	}{
		"roles alone":                  {nil, names, false},
		"groups too":                   {randomGroups(20), names, true},
		"one role that fits nowhere":   {nil, []string{strings.Repeat("x", 4000)}, false},
		"very many":                    {nil, slices.Repeat([]string{"x"}, 40_000), false},
		"a long role behind short":     {nil, append(slices.Clone(names[:3]), strings.Repeat("x", 4000)), false},
		"as many roles as Entra sends": {randomGroups(150), names[:150], true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			user := entraUser(nil)
			login := s.newLogin(samltest.Answer{User: user})
			login.Identity.Groups, login.Identity.Roles = row.groups, row.roles
			w := httptest.NewRecorder()
			if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
				t.Fatal(err)
			}
			c := w.Result().Cookies()[0]
			got, ok := s.Manager.open(newRequest("GET", "/", c))
			if !ok {
				t.Fatal("the cookie cannot be opened")
			}
			kept := got.Identity.Roles
			if !got.RolesTruncated || len(kept) >= len(row.roles) || !slices.Equal(kept, row.roles[:len(kept)]) {
				t.Errorf("got %d roles of %d, truncated %t", len(kept), len(row.roles), got.RolesTruncated)
			}
			if len(got.Identity.Groups) != 0 || got.GroupsTruncated != row.wantGroups || !got.TextsTruncated ||
				got.Identity.Name != "Dr. Maximilia…" {
				t.Errorf("got %d groups, truncated %t, and %+v", len(got.Identity.Groups), got.GroupsTruncated, got)
			}
			got.Identity.Roles = row.roles[:len(kept)+1]
			if more := s.seal(got); len(c.Value) > s.room(got) || len(more) <= s.room(got) {
				t.Errorf("%d roles take %d characters, and one more would take %d", len(kept), len(c.Value), len(more))
			}
			if len(login.Identity.Roles) != len(row.roles) || len(login.Identity.Groups) != len(row.groups) {
				t.Error("the login's own identity was changed")
			}
		})
	}
}

// TestRolesStayWhereOthersSuffice: if leaving out groups makes enough room, no text is cut. If it
// does not, the texts are cut before a role is lost.
func TestRolesStayWhereOthersSuffice(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		roles     int
		wantTexts bool // cut
	}{
		"groups suffice":           {10, false},
		"groups and texts suffice": {19, true},
	} {
		s := newSite(t)
		login := s.newLogin(samltest.Answer{User: entraUser(nil)})
		login.Identity.Groups, login.Identity.Roles = randomGroups(150), randomGroups(row.roles)
		w := httptest.NewRecorder()
		if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
			t.Fatal(err)
		}
		got, ok := s.Manager.open(newRequest("GET", "/", w.Result().Cookies()...))
		if !ok || got.RolesTruncated || !slices.Equal(got.Identity.Roles, login.Identity.Roles) ||
			!got.GroupsTruncated || got.TextsTruncated != row.wantTexts || len(got.Identity.Groups) == 0 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestTextsThatDoNotFit: each field of a session that an identity provider fills, far too long.
// Display texts are cut and flagged. Texts that identify the account are refused, and the refusal
// says which one is too long without showing it.
func TestTextsThatDoNotFit(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("é", 1500) // "é" has two bytes: a cut must not go through one
	groups := randomGroups(3)
	display := func(text func(*saml.Identity) *string) func(*saml.Login) *string {
		return func(l *saml.Login) *string { return text(l.Identity) }
	}
	for name, row := range map[string]struct {
		field   func(*saml.Login) *string
		refused string // what Got must tell
	}{
		"Name":                 {display(func(i *saml.Identity) *string { return &i.Name }), ""},
		"GivenName":            {display(func(i *saml.Identity) *string { return &i.GivenName }), ""},
		"Surname":              {display(func(i *saml.Identity) *string { return &i.Surname }), ""},
		"Username":             {display(func(i *saml.Identity) *string { return &i.Username }), ""},
		"EmailClaim":           {display(func(i *saml.Identity) *string { return &i.EmailClaim }), ""},
		"HomeIdentityProvider": {display(func(i *saml.Identity) *string { return &i.HomeIdentityProvider }), ""},
		"SessionIndex":         {func(l *saml.Login) *string { return &l.Assertion.Statements[0].SessionIndex }, ""},
		"Email":                {display(func(i *saml.Identity) *string { return &i.Email }), "3000 Identity.Email"},
		"ObjectID": {display(func(i *saml.Identity) *string { return &i.ObjectID }),
			"3000 Identity.ObjectID"},
		"TenantID": {display(func(i *saml.Identity) *string { return &i.TenantID }),
			"3000 Identity.TenantID"},
		"entity ID": {func(l *saml.Login) *string { return &l.Assertion.Issuer.Value }, "3000 entity ID"},
		"Tenant":    {func(l *saml.Login) *string { return &l.Tenant }, "3000 Config.Tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			login := s.newLogin(samltest.Answer{User: entraUser(nil)})
			login.Identity.Groups = groups
			*row.field(login) = secret
			w := httptest.NewRecorder()
			err := s.SignIn(w, newRequest("POST", "/"), login)
			if row.refused != "" {
				var refusal *saml.Error
				if !errors.As(err, &refusal) || refusal.Code != saml.CodeSession ||
					!strings.Contains(refusal.Got, row.refused) || strings.Contains(err.Error(), "é") ||
					refusal.Hint == "" || len(w.Result().Cookies()) != 0 {
					t.Errorf("got %v and cookies %v, want CodeSession", err, w.Result().Cookies())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, ok := s.Manager.open(newRequest("GET", "/", w.Result().Cookies()...))
			if !ok || !got.TextsTruncated || got.GroupsTruncated || got.RolesTruncated ||
				!slices.Equal(got.Identity.Groups, groups) {
				t.Fatalf("got %+v, want all groups and TextsTruncated", got)
			}
			back := &saml.Login{
				Identity:  got.Identity,
				Assertion: &saml.Assertion{Statements: []saml.AuthnStatement{{SessionIndex: strings.Join(got.SessionIndexes, " ")}}},
			}
			want := strings.Repeat("é", 62) + "…" // 127 bytes
			if name == "SessionIndex" {
				want = ""
			}
			if text := *row.field(back); text != want {
				t.Errorf("got %q, want %q", text, want)
			}
			if *row.field(login) != secret {
				t.Error("the login itself was changed")
			}
			whole := login.Identity.ObjectKey
			if object := got.Identity.ObjectKey; object != whole || object == "" {
				t.Errorf("got account key %q, want %q", object, whole)
			}
		})
	}
}

// TestAllTextsAreLong: every text at the length that is kept at first, with a long entity ID: they
// are cut once more. What identifies the user and the provider alone has more than the room, so no
// role fits. But nobody is refused for that.
func TestAllTextsAreLong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.newLogin(samltest.Answer{User: entraUser(nil)})
	i := login.Identity
	for n, text := range []*string{
		&i.Name,
		&i.GivenName,
		&i.Surname,
		&i.Username,
		&i.EmailClaim,
		&i.HomeIdentityProvider,
	} {
		*text = strings.Repeat(string(rune('a'+n)), 256)
	}
	i.Email = strings.Repeat("m", 64) + "@" + strings.Repeat("x", 253)
	login.Assertion.Issuer.Value = strings.Repeat("i", 1024)
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		t.Fatal(err)
	}
	got, ok := s.Manager.open(newRequest("GET", "/", w.Result().Cookies()...))
	if !ok || !got.TextsTruncated || got.Identity.Name != "aaaaaaaaaaaaa…" || got.Identity.Email != i.Email ||
		!got.RolesTruncated || got.Identity.Roles != nil || got.IdentityProvider != login.Assertion.Issuer.Value {
		t.Errorf("got %+v", got)
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked, notAsked := s.newManager(), s.newManager() // two more replicas
	c := s.signIn(samltest.Answer{})
	r := newRequest("GET", "/", c)
	s.wantIn("before", c)
	if !asked.SignedIn(r) {
		t.Fatal("another replica does not take the session")
	}
	w := httptest.NewRecorder()
	if err := s.SignOut(w, newRequest("POST", "/", c)); err != nil {
		t.Fatal(err)
	}
	if cookies := w.Result().Cookies(); len(cookies) != 1 || cookies[0].Name != c.Name ||
		cookies[0].MaxAge >= 0 || cookies[0].Value != "" || !cookies[0].Secure {
		t.Errorf("sign-out sets %v, want the cookie taken away", cookies)
	}
	s.wantOut("a copy of the cookie, here", c)
	if notAsked.SignedIn(r) {
		t.Error("a copy of the cookie is taken by a replica that had not asked before")
	}
	s.clock.advance(10*time.Second - time.Millisecond)
	if !asked.SignedIn(r) {
		t.Error("a replica that had asked asks again before ten seconds")
	}
	s.clock.advance(time.Millisecond)
	if asked.SignedIn(r) {
		t.Error("a copy of the cookie is taken after ten seconds")
	}
	for key, ttl := range s.store.keys {
		if !strings.HasPrefix(key, "v1/sess/") || ttl != 12*time.Hour+10*time.Minute {
			t.Errorf("the store keeps %q for %v", key, ttl)
		}
	}
	if len(s.store.keys) != 1 {
		t.Errorf("the store has %v", s.store.keys)
	}
}

// TestEndedSessionsOfTwoTenants: even users who could choose the ID of their session could not end
// the session of another customer.
func TestEndedSessionsOfTwoTenants(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, s := range []*Session{
		{ID: "1", Tenant: "a", IdentityProvider: "p"},
		{ID: "1", Tenant: "b", IdentityProvider: "p"},
		{ID: "1", Tenant: "a", IdentityProvider: "q"},
		{ID: "2", Tenant: "a", IdentityProvider: "p"},
	} {
		keys[storeKey(s)] = true
	}
	if len(keys) != 4 {
		t.Errorf("four sessions have the keys %v", keys)
	}
}

func TestSignOutWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	s.wantIn("before", c)
	s.store.fail(errBroken)
	w := httptest.NewRecorder()
	if err := s.SignOut(w, newRequest("POST", "/", c)); !errors.Is(err, errBroken) || len(w.Result().Cookies()) != 1 {
		t.Errorf("got %v, cookies %v", err, w.Result().Cookies())
	}
	s.wantOut("a copy of the cookie, in this process", c)
}

// TestSignOutByAnotherSite: the form of another site comes without the cookie. The answer must not
// delete the cookie.
func TestSignOutByAnotherSite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := httptest.NewRecorder()
	if err := s.SignOut(w, newRequest("POST", "/")); err != nil || len(w.Result().Cookies()) != 0 {
		t.Errorf("got %v, cookies %v", err, w.Result().Cookies())
	}
	w = httptest.NewRecorder()
	if err := s.SignOut(w, newRequest("POST", "/", &http.Cookie{Name: s.cookieName(true), Value: "old"})); err != nil ||
		len(w.Result().Cookies()) != 1 {
		t.Errorf("a cookie that cannot be opened: got %v, cookies %v, want it taken away", err, w.Result().Cookies())
	}
}

func TestSignOutHandler(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.signIn(samltest.Answer{})
	h := s.SignOutHandler("/goodbye")
	if w := answerOf(h, newRequest("GET", "/sign-out", c)); w.Code != http.StatusMethodNotAllowed ||
		w.Header().Get("Allow") != "POST" || len(w.Result().Cookies()) != 0 {
		t.Errorf("GET: got status %d, %v", w.Code, w.Header())
	}
	s.wantIn("after a GET", c)
	w := answerOf(h, newRequest("POST", "/sign-out", c))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/goodbye" ||
		w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("POST: got status %d, %v", w.Code, w.Header())
	}
	s.wantOut("after a POST", c)
	s.store.fail(errBroken)
	if w := answerOf(h, newRequest("POST", "/sign-out", c)); w.Code != http.StatusServiceUnavailable ||
		len(w.Result().Cookies()) != 1 {
		t.Errorf("POST while the store fails: got status %d, %v", w.Code, w.Header())
	}
}

// fieldsOf is all that an identity says, without Unread, which no session has.
func fieldsOf(t *testing.T, i *saml.Identity) string {
	t.Helper()
	text, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestForeignFrames: the cookie goes into frames of other sites by an option only, and never over
// http.
func TestForeignFrames(t *testing.T) {
	t.Parallel()
	for _, framed := range []bool{false, true} {
		c := Config{Keys: [][]byte{saml.NewStateKey()}, AllowInForeignFrames: framed}
		m, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		login := &saml.Login{Identity: &saml.Identity{Email: "a@example.com"}, Assertion: &saml.Assertion{}}
		if err := m.SignIn(w, httptest.NewRequest("POST", "/", nil), login); err != nil {
			t.Fatal(err)
		}
		want := http.SameSiteLaxMode
		if framed {
			want = http.SameSiteNoneMode
		}
		if cookie := w.Result().Cookies()[0]; cookie.SameSite != want || !cookie.Secure {
			t.Errorf("allowed %t: got %v", framed, cookie)
		}
		if onHTTP := m.newCookie(m.cookieName(false), "x", 1); onHTTP.SameSite != http.SameSiteLaxMode || onHTTP.Secure {
			t.Errorf("over http on a loopback address, allowed %t: got %v", framed, onHTTP)
		}
		c.InsecureAllowHTTP = true
		if _, err := New(c); errors.Is(err, saml.CodeConfig) != framed {
			t.Errorf("over http, allowed %t: got %v", framed, err)
		}
	}
}
