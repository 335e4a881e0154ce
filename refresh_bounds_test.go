package saml_test

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// alwaysUnchanged is a broken cache in front of a metadata server: whoever asks with a condition hears
// that nothing has changed.
func alwaysUnchanged(w http.ResponseWriter, r *http.Request, document []byte) {
	if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("ETag", `"1"`)
	w.Write(document)
}

// whole returns how many requests the server got that had no condition.
func (h *metadataHouse) whole() (n int) {
	for _, r := range h.server.Requests() {
		if r.IfNoneMatch == "" && r.IfModifiedSince == "" {
			if r.CacheControl != "no-cache" {
				h.t.Errorf("a cache may answer the request %+v", r)
			}
			n++
		}
	}
	return n
}

// TestUnchangedForever: a cache that says forever that nothing has changed hides a removed key for a
// day, and no longer. A service that is started anew each few hours does not begin to count again.
func TestUnchangedForever(t *testing.T) {
	for name, restart := range map[string]bool{"one process": false, "a restart each five hours": true} {
		t.Run(name, func(t *testing.T) {
			withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
				dir := saml.MetadataDir(t.TempDir())
				persisted := func(c *saml.MetadataSourceConfig) { c.Persist = dir }
				h.publish("a", "b")
				h.server.Fail(alwaysUnchanged)
				s := h.source(persisted)
				h.publish("b")
				h.server.Forget()
				asked, whole := 0, 0
				hours := func(n int) {
					for ; n > 0; n -= 5 {
						h.pass(time.Duration(min(n, 5)) * time.Hour)
						asked, whole = asked+h.asked(), whole+h.whole()
						if h.server.Forget(); restart {
							h.restart()
							s = h.source(persisted)
						}
					}
				}
				hours(23)
				if got := h.trusts(s, nil); got != "a,b" || whole != 0 || asked < 20 {
					t.Errorf("after 23 hours: trusts %q, %d of %d requests without a condition", got, whole, asked)
				}
				hours(3)
				if got := h.trusts(s, nil); got != "b" || whole != 1 {
					t.Errorf("after 26 hours: trusts %q, %d requests without a condition", got, whole)
				}
				hours(48)
				if whole < 2 || whole > 3 || s.Status().Failure != nil {
					t.Errorf("after three days: %d requests without a condition, %v", whole, s.Status().Failure)
				}
			})
		})
	}
}

// TestUnchangedWithoutACondition: a cache that says so even then brings nothing, and that is an event,
// and an alert after MaxStale.
func TestUnchangedWithoutACondition(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a")
		s := h.source(nil)
		h.server.Fail(samltest.FaultStatus(http.StatusNotModified, ""))
		h.pass(23 * time.Hour)
		if f := s.Status().Failure; f != nil {
			t.Errorf("on the first day: %v", f)
		}
		h.pass(3 * time.Hour)
		if f := s.Status().Failure; f == nil || h.trusts(s, nil) != "a" {
			t.Errorf("on the second day: %v, trusts %q", f, h.trusts(s, nil))
		}
		h.pass(8 * 24 * time.Hour)
		if err := s.Health(); !errors.Is(err, saml.CodeMetadataStale) {
			t.Errorf("after MaxStale: %v", err)
		}
	})
}

// TestMissesAreApart: five minutes lie between the end of a look for an unknown key and the beginning
// of the next one, however long it waited for its turn or for the server. What somebody asks for by
// hand keeps its distance in the same way.
func TestMissesAreApart(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a")
		s := h.source(nil)
		sp := h.provider(s, nil)
		miss := func(when string, looks int) {
			t.Helper()
			h.server.Forget()
			if err := h.login(sp, "c"); !errors.Is(err, saml.CodeSignature) || h.asked() != looks {
				t.Errorf("%s: %v, %d looks, want %d", when, err, h.asked(), looks)
			}
		}
		h.server.Fail(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			h.jump.Add(int64(10 * time.Second)) // until it answers
			w.WriteHeader(http.StatusNotFound)
		})
		miss("at first", 1)
		h.server.Fail(nil)
		h.pass(5*time.Minute - 10*time.Second)
		miss("five minutes after a slow look began", 0)
		h.pass(10 * time.Second)
		miss("five minutes after it has ended", 1)
		h.pass(5 * time.Minute)
		free := h.busy()
		miss("while others are fetched", 0)
		h.pass(4 * time.Minute)
		h.server.Forget()
		free()
		if h.pass(time.Second); h.asked() != 1 {
			t.Errorf("when it is its turn: %d looks", h.asked())
		}
		h.pass(time.Minute)
		miss("a minute later", 0)
		h.pass(4 * time.Minute)
		miss("five minutes later", 1)
	})
}

// TestLookNowThatWaitsForItsTurn: the next look keeps its distance from when it really began.
func TestLookNowThatWaitsForItsTurn(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a")
		s := h.source(nil)
		h.pass(10 * time.Minute)
		free := h.busy()
		h.server.Forget()
		if err := s.LookNow(canceled(t)); !errors.Is(err, saml.CodeMetadataUnavailable) || h.asked() != 0 {
			t.Fatalf("got %v, %d looks", err, h.asked())
		}
		h.pass(4 * time.Minute)
		free()
		h.pass(time.Minute)
		if err := s.LookNow(t.Context()); !errors.Is(err, saml.CodeMetadataTooSoon) || h.asked() != 1 {
			t.Errorf("a minute after it began: %v, %d looks", err, h.asked())
		}
	})
}

// busy lets the fetches of others take all that the host of the house may have at once, until the
// returned function is called.
func (h *metadataHouse) busy() (free func()) {
	end := make(chan struct{})
	host := strings.TrimSuffix(strings.TrimPrefix(h.address, "http://"), "/metadata")
	for range h.scheduler.Extra.OfHost {
		h.scheduler.Extra.Submit(host, func() { <-end })
	}
	return func() { close(end) }
}

// TestOneSourceLeavesPlaces: the metadata server of one tenant hangs, and all who can wait for it do.
// A login at another source gets its look all the same.
func TestOneSourceLeavesPlaces(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		hangs := h.provider(h.source(func(c *saml.MetadataSourceConfig) { c.Address += "/hangs" }), nil)
		good := h.provider(h.source(nil), nil)
		h.cutOver("b")
		document := []byte(h.xml(with(func(e *entity) { e.signing = []string{"b"} })))
		var over atomic.Bool
		h.server.Fail(func(w http.ResponseWriter, r *http.Request, _ []byte) {
			for strings.HasSuffix(r.URL.Path, "/hangs") && !over.Load() {
				time.Sleep(time.Millisecond)
			}
			w.Write(document)
		})
		var refused atomic.Int32
		var logins sync.WaitGroup
		for range 200 {
			logins.Go(func() {
				if err := h.login(hangs, "c"); errors.Is(err, saml.CodeSignature) {
					refused.Add(1)
				}
			})
		}
		for h.scheduler.Waiting.Taken()+int(refused.Load()) < 200 {
			runtime.Gosched()
		}
		if err := h.login(good, "b"); err != nil {
			t.Errorf("the other source: %v", err)
		}
		if n := h.scheduler.Waiting.Taken(); n != 50 {
			t.Errorf("%d wait for the one that hangs, want 50", n)
		}
		over.Store(true)
		logins.Wait()
		if n := h.scheduler.Waiting.Taken(); n != 0 || refused.Load() != 200 {
			t.Errorf("%d places are taken in the end, %d logins were refused", n, refused.Load())
		}
	})
}

// TestClockThatStandsStill: times are compared by the wall clock alone. The other reading in a
// time.Time stands still while a machine sleeps, and Go would compare that one.
func TestClockThatStandsStill(t *testing.T) {
	t.Parallel()
	r := &ring{t, map[string][]byte{}}
	s, err := saml.NewMetadataSource(t.Context(), saml.MetadataSourceConfig{Address: "https://127.0.0.1:1/",
		Initial: []byte(r.xml(with(nil))), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	status := s.Status()
	for name, at := range map[string]time.Time{"next look": status.NextLook, "last good look": status.ReadAt,
		"no change since": status.Since} {
		if at != at.Round(0) {
			t.Errorf("%s: %v has the reading of another clock", name, at)
		}
	}
}
