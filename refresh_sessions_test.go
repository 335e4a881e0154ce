package saml_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// publish serves the metadata with these keys.
func (h *metadataHouse) publish(keys ...string) {
	h.server.Serve([]byte(h.xml(with(func(e *entity) { e.signing = keys }))))
}

// keyID is the name of a key of the identity provider.
func (h *metadataHouse) keyID(name string) saml.KeyID { return h.pins(name)[0].ID() }

// endedKeys notes the keys whose sessions a source ends.
type endedKeys struct {
	mu   sync.Mutex // for changes while the source runs
	list []saml.IssuerKey
	err  error
}

func (e *endedKeys) end(_ context.Context, k saml.IssuerKey) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, k)
	return e.err
}

// again empties the list, and sets the error from now on.
func (e *endedKeys) again(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list, e.err = nil, err
}

func (e *endedKeys) in(c *saml.MetadataSourceConfig) { c.EndSessionsOfRemovedKeys = e.end }

// replica is a Manager of sessions with the pages behind it.
type replica struct {
	*session.Manager
	h  *metadataHouse
	sp *saml.ServiceProvider
}

// replicas returns two of them, which share a Store and keys, for one tenant.
func (h *metadataHouse) replicas(store saml.Store, source saml.IdentityProviderSource,
	tenant string) (list [2]*replica) {
	h.t.Helper()
	keys := [][]byte{saml.NewStateKey()}
	for i := range list {
		m, err := session.New(session.Config{Keys: keys, Store: store, Now: h.now, Idle: 12 * time.Hour})
		if err != nil {
			h.t.Fatal(err)
		}
		list[i] = &replica{m, h, h.provider(source, func(c *saml.Config) { c.Tenant = tenant })}
	}
	return list
}

// signIn returns the cookie of a session whose sign-in was signed with a key.
func (r *replica) signIn(key string) (*http.Cookie, error) {
	r.h.t.Helper()
	request, err := r.sp.StartLogin(r.h.t.Context(), saml.LoginOptions{})
	if err != nil {
		return nil, err
	}
	form, err := r.h.idp.Respond(samltest.Answer{RequestID: request.ID, Recipient: redirectURL,
		Key: slices.Index(signers, key)})
	if err != nil {
		r.h.t.Fatal(err)
	}
	login, err := r.sp.FinishLogin(r.h.t.Context(), saml.FormResponse{SAMLResponse: form, State: request.State})
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if err := r.SignIn(w, httptest.NewRequest("POST", "/", nil), login); err != nil {
		return nil, err
	}
	return w.Result().Cookies()[0], nil
}

func (r *replica) mustSignIn(key string) *http.Cookie {
	r.h.t.Helper()
	c, err := r.signIn(key)
	if err != nil {
		r.h.t.Fatal(err)
	}
	return c
}

// isIn reports whether a page of the service is shown to a session.
func (r *replica) isIn(c *http.Cookie) bool {
	request := httptest.NewRequest("GET", "/jobs", nil)
	request.Header.Set("Sec-Fetch-Dest", "document")
	request.AddCookie(c)
	w := httptest.NewRecorder()
	page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r.sp.Handler(r.Manager).Require(page).ServeHTTP(w, request)
	return w.Code == http.StatusOK
}

// TestRemovedKeyEndsSessions: the sessions of a key end when it was missing in two looks by plan,
// one after the other. Looks in between do not count. A new session of the key begins if it comes
// back.
func TestRemovedKeyEndsSessions(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		store := saml.NewMemoryStoreWithClock(h.now)
		h.publish("a", "b")
		var here, there *replica
		s := h.source(func(c *saml.MetadataSourceConfig) {
			c.EndSessionsOfRemovedKeys = func(ctx context.Context, k saml.IssuerKey) error {
				return here.EndSessionsOfRemovedKey(ctx, k)
			}
		})
		both := h.replicas(store, s, "")
		here, there = both[0], both[1]
		old, other := here.mustSignIn("a"), there.mustSignIn("b")
		h.publish("b")
		want := func(when string, oldIsIn bool) {
			t.Helper()
			h.pass(11 * time.Second) // a session is looked up each ten seconds
			for _, r := range both {
				if r.isIn(old) != oldIsIn || !r.isIn(other) {
					t.Errorf("%s: a session of the removed key counts: %t, one of another key: %t", when, r.isIn(old),
						r.isIn(other))
				}
			}
		}
		for range 3 { // looks in between
			if err := h.login(here.sp, "c"); !errors.Is(err, saml.CodeSignature) {
				t.Errorf("an unknown key: %v", err)
			}
			h.pass(5 * time.Minute)
			if err := s.LookNow(t.Context()); err != nil {
				t.Error(err)
			}
			want("after a look in between", true)
		}
		h.told()
		h.next(s)
		want("after one look by plan", true)
		h.next(s)
		want("after two looks by plan", false)
		events := h.told()
		if kinds(events) != "metadata_sessions_ended" || !strings.Contains(events[0].Metadata.Message, "CN=Test a") {
			t.Errorf("events %q", kinds(events))
		}
		h.publish("a", "b")
		h.next(s)
		again := there.mustSignIn("a")
		h.pass(time.Minute)
		if !here.isIn(again) || here.isIn(old) {
			t.Errorf("the key has come back: a new session counts: %t, the old one: %t", here.isIn(again), here.isIn(old))
		}
	})
}

// TestKeyThatComesAndGoes: one look without a key ends no session, however often, and a look that
// failed is none. A certificate that is renewed is the same key.
func TestKeyThatComesAndGoes(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		var ended endedKeys
		h.publish("a", "b")
		s := h.source(ended.in)
		for range 5 {
			h.publish("b")
			h.next(s)
			h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
			h.next(s)
			h.server.Fail(nil)
			h.publish("a", "b")
			h.next(s)
		}
		for _, keys := range [][]string{{"a", "b"}, {"a-renewed", "b"}, {"b", "a-renewed", "a"}, {"a-renewed", "b"}} {
			h.publish(keys...)
			h.next(s)
			h.next(s)
		}
		if len(ended.list) > 0 {
			t.Errorf("sessions ended: %v", ended.list)
		}
		h.publish("b")
		h.next(s)
		h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
		h.next(s)
		if len(ended.list) > 0 {
			t.Errorf("a failed look counts: %v", ended.list)
		}
		h.server.Fail(nil)
		h.next(s) // not modified counts
		h.next(s)
		want := []saml.IssuerKey{{Issuer: ringID, Key: h.keyID("a")}}
		if !slices.Equal(ended.list, want) || h.keyID("a") != h.keyID("a-renewed") || h.keyID("a") == h.keyID("b") {
			t.Errorf("sessions ended of %v, want once of %v", ended.list, want)
		}
	})
}

// TestReturnByALookInBetween: a look that somebody else causes brings the key back in time.
func TestReturnByALookInBetween(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		var ended endedKeys
		h.publish("a", "b")
		s := h.source(ended.in)
		sp := h.provider(s, nil)
		h.publish("b")
		h.next(s)
		h.publish("a", "b")
		if err := h.login(sp, "a"); err != nil {
			t.Error(err)
		}
		h.publish("b")
		h.next(s)
		if len(ended.list) > 0 {
			t.Errorf("sessions ended of %v after two looks with a good one in between", ended.list)
		}
		h.next(s)
		if len(ended.list) != 1 {
			t.Errorf("sessions ended of %v", ended.list)
		}
	})
}

// TestEndOfSessionsFails: it is tried again each minute, told each day, and given up if the key
// comes back.
func TestEndOfSessionsFails(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		ended := endedKeys{err: errors.New("the database of ann@example.com is down")}
		h.publish("a", "b")
		s := h.source(ended.in)
		h.publish("b")
		h.next(s)
		h.told()
		h.next(s)
		h.pass(10 * time.Minute)
		events := h.told()
		if n := len(ended.list); n < 8 || n > 12 || kinds(events) != "metadata_sessions_not_ended" ||
			!errors.Is(events[0].Err, ended.err) || events[0].Err.Hint == "" {
			t.Errorf("tried %d times in ten minutes, events %q", n, kinds(events))
		}
		if strings.Contains(h.log.String(), "ann@") {
			t.Error("the log has the text of the error")
		}
		ended.again(nil)
		h.pass(2 * time.Minute)
		if len(ended.list) != 1 || kinds(h.told()) != "metadata_sessions_ended" {
			t.Errorf("ended %v", ended.list)
		}
		ended.again(errors.New("down again"))
		h.publish("c")
		h.next(s)
		h.next(s)
		if len(ended.list) == 0 {
			t.Fatal("not tried")
		}
		h.publish("b")
		h.next(s)
		ended.again(nil)
		h.pass(10 * time.Minute)
		if slices.ContainsFunc(ended.list, func(k saml.IssuerKey) bool { return k.Key == h.keyID("b") }) {
			t.Errorf("the key has come back, and its sessions end: %v", ended.list)
		}
	})
}

// TestRestartBetweenTwoLooks: what the first look missed is persisted.
func TestRestartBetweenTwoLooks(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		var ended endedKeys
		dir := saml.MetadataDir(t.TempDir())
		change := func(c *saml.MetadataSourceConfig) { ended.in(c); c.Persist, c.Tenant = dir, "acme" }
		h.publish("a", "b")
		h.next(h.source(change))
		h.restart()
		h.publish("b")
		h.next(h.source(change))
		h.restart()
		if len(ended.list) > 0 {
			t.Errorf("ended after one look: %v", ended.list)
		}
		s := h.source(change)
		h.next(s)
		want := []saml.IssuerKey{{Tenant: "acme", Issuer: ringID, Key: h.keyID("a")}}
		if !slices.Equal(ended.list, want) {
			t.Errorf("ended %v, want %v", ended.list, want)
		}
		h.restart()
		s = h.source(change)
		h.next(s)
		h.next(s)
		if !slices.Equal(ended.list, want) {
			t.Errorf("ended once more after a restart: %v", ended.list)
		}
	})
}

// TestSessionsOfTwoTenants: two tenants have one address and one identity provider. The sessions of
// one end, because its administrator wants that; those of the other go on.
func TestSessionsOfTwoTenants(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		store := saml.NewMemoryStoreWithClock(h.now)
		sources := saml.NewSourcesOn(h.ctx, h.scheduler, 0)
		h.publish("a", "b")
		var replicas [2]*replica
		var cookies [2]*http.Cookie
		for i := range replicas {
			s, err := sources.Get(h.config(func(c *saml.MetadataSourceConfig) {
				if c.Tenant = fmt.Sprint(i); i == 0 {
					c.EndSessionsOfRemovedKeys = func(ctx context.Context, k saml.IssuerKey) error {
						return replicas[0].EndSessionsOfRemovedKey(ctx, k)
					}
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			h.pass(3 * time.Second)
			replicas[i] = h.replicas(store, s, fmt.Sprint(i))[0]
			cookies[i] = replicas[i].mustSignIn("a")
		}
		h.publish("b")
		h.pass(3 * time.Hour)
		if replicas[0].isIn(cookies[0]) || !replicas[1].isIn(cookies[1]) {
			t.Errorf("the first tenant's session counts: %t, the second's: %t", replicas[0].isIn(cookies[0]),
				replicas[1].isIn(cookies[1]))
		}
	})
}

// TestKeyEndedOnAnotherReplica: a key that is compromised, and that the identity provider still
// lists. One replica is told, and all refuse it.
func TestKeyEndedOnAnotherReplica(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a", "b")
		both := h.replicas(saml.NewMemoryStoreWithClock(h.now), h.source(nil), "")
		stolen, good := both[0].mustSignIn("a"), both[0].mustSignIn("b")
		if !both[1].isIn(stolen) {
			t.Error("no session before")
		}
		err := both[0].EndSessionsOfKey(t.Context(), saml.IssuerKey{Issuer: ringID, Key: h.keyID("a")})
		if err != nil {
			t.Fatal(err)
		}
		h.pass(10 * time.Second)
		if both[1].isIn(stolen) || !both[1].isIn(good) {
			t.Errorf("a session of the key counts: %t, one of another key: %t", both[1].isIn(stolen), both[1].isIn(good))
		}
		if _, err := both[1].signIn("a"); !errors.Is(err, saml.CodeKeyEnded) {
			t.Errorf("a sign-in with the key: %v", err)
		}
		both[1].mustSignIn("b")
	})
}

// TestKeyID: the same for every certificate of a key, and text that can be read back.
func TestKeyID(t *testing.T) {
	t.Parallel()
	r := &ring{t, map[string][]byte{}}
	id := r.pins("a")[0].ID()
	if id == (saml.KeyID{}) || id != r.pins("a-expired")[0].ID() || id == r.pins("b")[0].ID() {
		t.Errorf("got %s", id)
	}
	text, err := id.MarshalText()
	var back saml.KeyID
	if err != nil || string(text) != id.String() || len(text) != 32 ||
		back.UnmarshalText([]byte(strings.ToUpper(id.String()))) != nil || back != id {
		t.Errorf("got %q, %v, %s", text, err, back)
	}
	for _, bad := range []string{"", id.String()[1:], id.String() + "0", "g" + id.String()[1:],
		id.String() + id.String()} {
		if err := back.UnmarshalText([]byte(bad)); err == nil || back != id {
			t.Errorf("%q: got %s, %v", bad, back, err)
		}
	}
	if got := (saml.TrustedKey{}).ID(); got != (saml.KeyID{}) {
		t.Errorf("no key has the ID %s", got)
	}
}
