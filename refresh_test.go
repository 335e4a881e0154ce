package saml_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestMetadataIsAskedConditionally: the tag of what is kept goes with the next request, and 304 is a
// good look. Nothing is fetched for a login.
func TestMetadataIsAskedConditionally(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(nil))))
		s := h.source(nil)
		before := s.Status()
		h.next(s)
		asked := h.server.Requests()
		if len(asked) != 2 || asked[0].IfNoneMatch != "" || asked[1].IfNoneMatch == "" || asked[1].Status != http.StatusNotModified {
			t.Fatalf("got %+v", asked)
		}
		if after := s.Status(); after.Failure != nil || !after.ReadAt.After(before.ReadAt) || !after.Since.Equal(before.Since) {
			t.Errorf("got %+v after %+v", after, before)
		}
		sp := h.provider(s, nil)
		for _, key := range []string{"a", "a", "a"} {
			if err := h.login(sp, key); err != nil {
				t.Error(err)
			}
		}
		if n := h.asked(); n != 2 {
			t.Errorf("%d requests, want none for the logins", n-2)
		}
		if got := kinds(h.told()); got != "" {
			t.Errorf("events %q", got)
		}
	})
}

// TestMetadataDate: If-Modified-Since goes back as Last-Modified came.
func TestMetadataDate(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		const date = "Sat, 01 Jan 2000 00:00:00 GMT"
		h.server.Serve([]byte(h.xml(with(nil))))
		h.server.Fail(func(w http.ResponseWriter, r *http.Request, d []byte) {
			w.Header().Set("Last-Modified", date)
			if r.Header.Get("If-Modified-Since") == date {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Write(d)
		})
		s := h.source(nil)
		h.next(s)
		if asked := h.server.Requests(); len(asked) != 2 || asked[1].IfModifiedSince != date || asked[1].Status != http.StatusNotModified {
			t.Errorf("got %+v", asked)
		}
	})
}

// TestNotModifiedThatIsNotBelieved: 304 to a request without a condition is a failure, and 304 does not
// make a document fresh that has run out.
func TestNotModifiedThatIsNotBelieved(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Fail(samltest.FaultStatus(http.StatusNotModified, ""))
		s := h.source(nil)
		if e := h.told(); kinds(e) != "metadata_look_failed" || !strings.Contains(e[0].Metadata.Message, "has not changed") {
			t.Errorf("got %q, %+v", kinds(e), s.Status().Failure)
		}
	})
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(func(e *entity) { e.validUntil = in(20 * time.Minute) }))))
		s := h.source(nil)
		h.server.Fail(samltest.FaultStatus(http.StatusServiceUnavailable, "1500"))
		h.next(s) // and not before the document has run out
		h.pass(25 * time.Minute)
		h.server.Fail(nil)
		h.server.Forget()
		h.next(s)
		asked := h.server.Requests()
		if len(asked) != 1 || asked[0].IfNoneMatch != "" || asked[0].CacheControl != "no-cache" || asked[0].Status != http.StatusOK {
			t.Errorf("got %+v, want a request without conditions", asked)
		}
		if f := s.Status().Failure; f == nil || f.Code != saml.CodeMetadataValidity {
			t.Errorf("got %v", f)
		}
		if err := s.Health(); !errors.Is(err, saml.CodeMetadataValidity) || h.trusts(s, nil) != "a" {
			t.Errorf("Health is %v, trusts %q: want unhealthy, and sign-ins that go on", err, h.trusts(s, nil))
		}
	})
}

// TestMetadataSchedule: what a document says about its own life moves the next look, between a floor
// and the interval.
func TestMetadataSchedule(t *testing.T) {
	const floor, interval = 5 * time.Minute, time.Hour
	for name, row := range map[string]struct {
		change      func(*entity)
		least, most time.Duration
		warning     bool
	}{
		"nothing is said":      {func(*entity) {}, 54 * time.Minute, interval, false},
		"at once":              {func(e *entity) { e.cache = "PT0S" }, floor, floor * 11 / 10, false},
		"10 minutes":           {func(e *entity) { e.cache = "PT10M" }, 9 * time.Minute, 10 * time.Minute, false},
		"a month":              {func(e *entity) { e.cache = "P1M" }, 54 * time.Minute, interval, false},
		"a thousand years":     {func(e *entity) { e.cache = "P1000Y" }, 54 * time.Minute, interval, false},
		"a negative time":      {func(e *entity) { e.cache = "-PT1H" }, 54 * time.Minute, interval, true},
		"seconds":              {func(e *entity) { e.cache = "86400" }, 54 * time.Minute, interval, true},
		"longer than it lives": {func(e *entity) { e.cache, e.validUntil = "P2D", in(time.Hour) }, 26 * time.Minute, 30 * time.Minute, false},
		"runs out soon":        {func(e *entity) { e.validUntil = in(30 * time.Second) }, floor, floor * 11 / 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
				h.server.Serve([]byte(h.xml(with(row.change))))
				s := h.source(nil)
				status := s.Status()
				if wait := status.NextLook.Sub(status.ReadAt); wait < row.least || wait > row.most {
					t.Errorf("the next look comes in %v, want %v to %v", wait, row.least, row.most)
				}
				idp, err := s.Snapshot(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if warned := len(idp.Warnings(h.now())) > 0; warned != row.warning {
					t.Errorf("warnings %v", idp.Warnings(h.now()))
				}
			})
		})
	}
}

// TestRetryAfter: a server that asks to be left alone is, up to the interval; nonsense is ignored.
func TestRetryAfter(t *testing.T) {
	for name, row := range map[string]struct {
		header      string
		least, most time.Duration
	}{
		"2 minutes":  {"120", 2 * time.Minute, 2*time.Minute + 15*time.Second},
		"a date":     {"Sat, 01 Jan 2000 00:05:00 GMT", 4*time.Minute + 55*time.Second, 5 * time.Minute},
		"nonsense":   {"soon", 10 * time.Second, 11 * time.Second},
		"the past":   {"-5", 10 * time.Second, 11 * time.Second},
		"a lifetime": {"999999999", time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
				h.server.Fail(samltest.FaultStatus(http.StatusTooManyRequests, row.header))
				s := h.source(nil)
				status := s.Status()
				if wait := status.NextLook.Sub(status.FailedAt); wait < row.least || wait > row.most {
					t.Errorf("the next look comes in %v, want %v to %v", wait, row.least, row.most)
				}
			})
		})
	}
}

// TestMetadataBackOff: a server that is down gets few requests, and the first good one ends it.
func TestMetadataBackOff(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Fail(samltest.FaultStatus(http.StatusInternalServerError, ""))
		s := h.source(nil)
		if err := s.Ready(canceled(t)); !errors.Is(err, saml.CodeMetadataUnavailable) {
			t.Errorf("Ready: %v", err)
		}
		h.pass(time.Hour)
		if n := h.asked(); n < 6 || n > 10 { // after 10, 20, 40, ... seconds
			t.Errorf("%d requests in an hour", n)
		}
		h.server.Fail(nil)
		h.server.Serve([]byte(h.xml(with(nil))))
		h.told()
		h.pass(time.Hour)
		if got := kinds(h.told()); got != "metadata_recovered" || s.Ready(t.Context()) != nil || s.Health() != nil {
			t.Errorf("events %q, Health %v", got, s.Health())
		}
		h.server.Forget()
		h.server.Fail(samltest.FaultStatus(http.StatusInternalServerError, ""))
		h.pass(24 * time.Hour)
		if n := h.asked(); n < 20 || n > 30 {
			t.Errorf("%d requests in a day", n)
		}
	})
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestMetadataThatFlaps: two servers behind one name that do not agree. Each look is taken as it is.
func TestMetadataThatFlaps(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		one, both := h.xml(with(nil)), h.xml(with(func(e *entity) { e.signing = []string{"a", "b"} }))
		h.server.Serve([]byte(one))
		s := h.source(nil)
		for _, row := range []struct{ document, trusts, told string }{{both, "a,b", "metadata_key_added"}, {one, "a", "metadata_key_removed"},
			{both, "a,b", "metadata_key_added"}} {
			h.server.Serve([]byte(row.document))
			h.next(s)
			if trusts, told := h.trusts(s, nil), kinds(h.told()); trusts != row.trusts || told != row.told {
				t.Errorf("trusts %q, events %q, want %q, %q", trusts, told, row.trusts, row.told)
			}
		}
	})
}

// TestStaleMetadata: keys stay when nothing can be read any more, with an event each day, unless
// RequireFresh ends the trust.
func TestStaleMetadata(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
			h.server.Serve([]byte(h.xml(with(nil))))
			s := h.source(func(c *saml.MetadataSourceConfig) { c.RequireFresh = fresh })
			sp := h.provider(s, nil)
			h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
			h.pass(7*24*time.Hour - time.Minute)
			if err := s.Health(); err != nil || h.trusts(s, nil) != "a" {
				t.Errorf("before: %v", err)
			}
			h.told()
			h.pass(2 * time.Minute)
			// Only the time of the looks, which is random, says whether one of them fails just now.
			told := slices.DeleteFunc(h.told(), func(e saml.Event) bool { return e.Kind == saml.MetadataLookFailed })
			if got := kinds(told); got != "metadata_stale" {
				t.Errorf("RequireFresh %t: events %q", fresh, got)
			}
			want, code := "a", saml.CodeMetadataStale
			if fresh {
				want, code = string(saml.CodeMetadataUnavailable), saml.CodeMetadataUnavailable
			}
			if err := s.Health(); !errors.Is(err, code) || h.trusts(s, nil) != want {
				t.Errorf("RequireFresh %t: Health %v, trusts %q", fresh, err, h.trusts(s, nil))
			}
			if err := sp.Health(t.Context()); (err != nil) != fresh { // for readiness
				t.Errorf("RequireFresh %t: the provider's Health is %v", fresh, err)
			}
			h.pass(3 * 24 * time.Hour)
			if n := strings.Count(kinds(h.told()), "metadata_stale"); n != 3 {
				t.Errorf("told %d times in three days", n)
			}
			h.server.Fail(nil)
			h.next(s)
			if err := s.Health(); err != nil || h.trusts(s, nil) != "a" {
				t.Errorf("after: %v", err)
			}
		})
	}
}

// TestMetadataThatRunsOut: event and unhealthy at once, keys stay, unless a setting ends the trust.
func TestMetadataThatRunsOut(t *testing.T) {
	for name, change := range map[string]func(*saml.MetadataSourceConfig){
		"":             nil,
		"RequireFresh": func(c *saml.MetadataSourceConfig) { c.RequireFresh = true },
		"MaxValidity":  func(c *saml.MetadataSourceConfig) { c.MaxValidity = 24 * time.Hour },
	} {
		withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
			h.server.Serve([]byte(h.xml(with(func(e *entity) { e.validUntil = in(2 * time.Minute) }))))
			s := h.source(change)
			if got := h.trusts(s, nil); got != "a" || h.asked() != 1 {
				t.Errorf("%s: trusts %q", name, got)
			}
			h.told()
			h.pass(2 * time.Minute)
			if got := kinds(h.told()); got != "metadata_ending" || h.asked() != 1 {
				t.Errorf("%s: events %q", name, got)
			}
			want := "a"
			if change != nil {
				want = string(saml.CodeMetadataUnavailable)
			}
			if err := s.Health(); err == nil || h.trusts(s, nil) != want {
				t.Errorf("%s: Health %v, trusts %q, want %q", name, err, h.trusts(s, nil), want)
			}
			h.pass(10 * time.Minute)
			if n := h.asked(); n > 4 {
				t.Errorf("%s: %d requests in ten minutes", name, n)
			}
		})
	}
}

// TestMaxValidityAnd304: a server that says that nothing has changed does not prolong the trust.
func TestMaxValidityAnd304(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(func(e *entity) { e.validUntil = in(24 * time.Hour) }))))
		s := h.source(func(c *saml.MetadataSourceConfig) { c.MaxValidity = 24 * time.Hour })
		h.pass(23 * time.Hour)
		if got := h.trusts(s, nil); got != "a" || h.asked() < 20 {
			t.Errorf("trusts %q after %d looks", got, h.asked())
		}
		h.pass(2 * time.Hour)
		if got := h.trusts(s, nil); got != string(saml.CodeMetadataUnavailable) {
			t.Errorf("trusts %q", got)
		}
	})
}

// TestClockThatJumps: no key is lost, no look is lost, and when the clock is right again, so is the
// source.
func TestClockThatJumps(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, jumps := range map[string][]time.Duration{"ahead and back": {year, 0}, "back and ahead": {-year, 0}, "back": {-year}, "ahead": {year}} {
		withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
			h.server.Serve([]byte(h.xml(with(func(e *entity) { e.validUntil = in(30 * 24 * time.Hour) }))))
			s := h.source(nil)
			for _, jump := range jumps {
				h.jump.Store(int64(jump))
				h.server.Forget()
				h.pass(time.Hour + 2*time.Minute)
				if n := h.asked(); n < 1 || n > 13 {
					t.Errorf("%s: %d looks in an hour, planned at %v, now %v", name, n, s.Status().NextLook, h.now())
				}
				if idp, err := s.Snapshot(t.Context()); err != nil || len(idp.Keys()) != 1 {
					t.Errorf("%s: %v", name, err)
				}
			}
			if h.jump.Load() == 0 && s.Health() != nil {
				t.Errorf("%s: Health is %v", name, s.Health())
			}
		})
	}
}

// TestMetadataOfTheFuture: a publisher whose clock was wrong once does not keep out what it makes
// until then, after a restart neither.
func TestMetadataOfTheFuture(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(t.TempDir())
		pinned := func(c *saml.MetadataSourceConfig) { c.SignedBy, c.Persist = h.pins("fed1"), dir }
		made := func(at time.Duration, keys ...string) []byte {
			return []byte(h.signed("fed1", h.xml(with(func(e *entity) { e.created, e.signing = in(at), keys }))))
		}
		h.server.Serve(made(300*24*time.Hour, "a"))
		s := h.source(pinned)
		h.server.Serve(made(time.Hour, "b"))
		h.next(s)
		if got := h.trusts(s, nil); got != "b" {
			t.Errorf("trusts %q", got)
		}
	})
}

// TestOlderMetadata: whoever replays a signed document of last week does not bring its keys back.
func TestOlderMetadata(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(t.TempDir())
		pinned := func(c *saml.MetadataSourceConfig) { c.SignedBy, c.Persist = h.pins("fed1"), dir }
		made := func(at time.Duration, keys ...string) string {
			return h.signed("fed1", h.xml(with(func(e *entity) { e.created, e.signing = in(at), keys })))
		}
		old := made(-24*time.Hour, "a", "b")
		h.server.Serve([]byte(made(-2*time.Hour, "a")))
		s := h.source(pinned)
		h.server.Serve([]byte(made(-time.Hour, "a"))) // says nothing else, and is newer
		h.next(s)
		between := made(-2*time.Hour, "b")
		for _, replayed := range []string{old, between} {
			h.told()
			h.server.Serve([]byte(replayed))
			h.next(s)
			if got := kinds(h.told()); got != "metadata_older" || h.trusts(s, nil) != "a" {
				t.Errorf("events %q, trusts %q", got, h.trusts(s, nil))
			}
		}
		h.end() // the next process knows it too
		h.ctx, h.end = context.WithCancel(t.Context())
		s = h.source(pinned)
		h.pass(2 * time.Hour)
		if got := kinds(h.told()); !strings.HasPrefix(got, "metadata_older") || h.trusts(s, nil) != "a" {
			t.Errorf("after a restart: events %q, trusts %q", got, h.trusts(s, nil))
		}
		h.server.Serve([]byte(h.signed("fed1", h.xml(with(nil))))) // does not say when it was made
		h.next(s)
		h.server.Serve([]byte(old))
		h.told()
		h.next(s)
		if got := kinds(h.told()); got != "metadata_older" {
			t.Errorf("behind one without a date: events %q, trusts %q", got, h.trusts(s, nil))
		}
		h.server.Serve([]byte(made(0, "c")))
		h.next(s)
		if got := h.trusts(s, nil); got != "c" {
			t.Errorf("a newer one: trusts %q", got)
		}
	})
}

// TestSourceThatEnds: a look that is under way when its source ends changes nothing.
func TestSourceThatEnds(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		var answered atomic.Bool
		h.server.Serve([]byte(h.xml(with(nil))))
		s := h.source(func(c *saml.MetadataSourceConfig) {
			c.Now = func() time.Time { // the first thing that it asks for after a fetch
				if answered.Load() {
					h.end()
				}
				return h.now()
			}
		})
		other := []byte(h.xml(with(func(e *entity) { e.signing = []string{"b"} })))
		h.server.Fail(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			answered.Store(true)
			w.Write(other)
		})
		h.told()
		h.next(s)
		if got := kinds(h.told()); got != "" || h.trusts(s, nil) != "a" {
			t.Errorf("events %q, trusts %q", got, h.trusts(s, nil))
		}
		h.server.Forget()
		h.pass(24 * time.Hour)
		if n := h.asked(); n != 0 || h.scheduler.Len() != 0 {
			t.Errorf("%d requests after the end, %d tasks", n, h.scheduler.Len())
		}
	})
}

// TestMetadataQuery: the entity ID is one segment of the path, whatever is in it.
func TestMetadataQuery(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(nil))))
		base, _ := strings.CutSuffix(h.address, "/metadata")
		query := func(c *saml.MetadataSourceConfig) { c.MDQ, c.Address = true, base+"/mdq/" }
		s := h.source(query)
		if asked := h.server.Requests(); len(asked) != 1 || asked[0].Path != "/mdq/entities/https%3A%2F%2Fidp.example.test%2Fsaml" ||
			h.trusts(s, nil) != "a" {
			t.Errorf("asked %+v, trusts %q", asked, h.trusts(s, nil))
		}
		h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
		h.next(s)
		if got := kinds(h.told()); got != "metadata_entity_gone" || h.trusts(s, nil) != "a" {
			t.Errorf("404: events %q, trusts %q", got, h.trusts(s, nil))
		}
		h.server.Fail(nil)
		h.server.Serve([]byte(h.xml(with(func(e *entity) { e.entityID = ringOtherID }))))
		h.next(s)
		if got := kinds(h.told()); got != "metadata_look_failed" || h.trusts(s, nil) != "a" {
			t.Errorf("another entity: events %q, trusts %q", got, h.trusts(s, nil))
		}
		h.server.Serve([]byte(collection("", h.xml(with(nil)))))
		h.next(s)
		if f := s.Status().Failure; f != nil {
			t.Errorf("a collection of one: %v", f)
		}
		for id, path := range map[string]string{"https://a.example/../../b?c=d#e%2F": "/mdq/entities/https%3A%2F%2Fa.example%2F..%2F..%2Fb%3Fc%3Dd%23e%252F",
			"urn:x: y": "/mdq/entities/urn%3Ax%3A%20y"} {
			h.server.Forget()
			h.source(func(c *saml.MetadataSourceConfig) { query(c); c.EntityID, c.Tenant = id, id })
			if asked := h.server.Requests(); len(asked) != 1 || asked[0].Path != path {
				t.Errorf("%s: asked %+v", id, asked)
			}
		}
		for _, id := range []string{"", "..", "a/b", "/..", "%2e%2e"} {
			_, err := saml.NewMetadataSource(t.Context(), h.config(func(c *saml.MetadataSourceConfig) { query(c); c.EntityID = id }))
			if !errors.Is(err, saml.CodeConfig) {
				t.Errorf("%q as entity ID: %v", id, err)
			}
		}
	})
}

// TestMetadataSourceConfig: what can be wrong with the settings alone is said at once, and a server
// that is down is no fault of them.
func TestMetadataSourceConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*saml.MetadataSourceConfig){
		"no address":           func(c *saml.MetadataSourceConfig) { c.Address = "" },
		"http":                 func(c *saml.MetadataSourceConfig) { c.Address = "http://idp.example.test/" },
		"http on this machine": func(c *saml.MetadataSourceConfig) { c.Address, c.Fetch.PublicOnly = "http://127.0.0.1/", true },
		"a proxy beside PublicOnly": func(c *saml.MetadataSourceConfig) {
			c.Fetch = saml.FetchOptions{PublicOnly: true, Proxy: "http://proxy"}
		},
		"an entity ID for all tenants":  func(c *saml.MetadataSourceConfig) { c.EntityID = "https://sts.windows.net/{tenantid}/" },
		"no pins":                       func(c *saml.MetadataSourceConfig) { c.SignedBy = []saml.TrustedKey{} },
		"a pin that is no key":          func(c *saml.MetadataSourceConfig) { c.SignedBy = []saml.TrustedKey{{}} },
		"nanoseconds":                   func(c *saml.MetadataSourceConfig) { c.Interval = 60 },
		"a floor of a second":           func(c *saml.MetadataSourceConfig) { c.MinInterval = time.Second },
		"stale before the next look":    func(c *saml.MetadataSourceConfig) { c.MaxStale = time.Minute },
		"a negative validity":           func(c *saml.MetadataSourceConfig) { c.MaxValidity = -1 },
		"a cache that is a nil pointer": func(c *saml.MetadataSourceConfig) { c.Persist = (*failingCache)(nil) },
		"an initial document for others": func(c *saml.MetadataSourceConfig) {
			c.Initial = []byte(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/>`)
		},
	} {
		c := saml.MetadataSourceConfig{Address: "https://idp.example.test/metadata"}
		change(&c)
		s, err := saml.NewMetadataSource(t.Context(), c)
		list := saml.Errors(err)
		if s != nil || len(list) == 0 || list[0].Field == "" || list[0].Hint == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
