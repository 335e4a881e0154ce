package saml_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestLookNow: a button of an administrator, which asks conditionally, obeys the limits, and says
// when the next look may be.
func TestLookNow(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a")
		s := h.source(nil)
		tooSoon := func(when string) {
			t.Helper()
			before := h.asked()
			err := s.LookNow(t.Context())
			var refusal *saml.Error
			next := s.Status().NextLookNow
			if !errors.As(err, &refusal) || refusal.Code != saml.CodeMetadataTooSoon || refusal.Hint == "" ||
				h.asked() != before || !next.After(h.now()) ||
				!strings.Contains(refusal.Message, next.UTC().Format("2006-01-02T15:04:05")) {
				t.Errorf("%s: %v, %d requests; the next may be at %v", when, err, h.asked()-before, next)
			}
		}
		tooSoon("a moment after a look by plan")
		h.pass(5 * time.Minute)
		h.publish("b")
		h.server.Fail(samltest.FaultSlow(100 * time.Millisecond)) // so that all are there before it answers
		h.server.Forget()
		h.server.Fail(samltest.FaultSlow(time.Second)) // so that all 20 come while the look is under way
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := s.LookNow(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		h.server.Fail(nil)
		asked, told := h.server.Requests(), kinds(h.told())
		if len(asked) != 1 || asked[0].IfNoneMatch == "" || h.trusts(s, nil) != "b" ||
			told != "metadata_key_added metadata_key_removed" {
			t.Errorf("asked %+v, trusts %q", asked, h.trusts(s, nil))
		}
		tooSoon("a moment after another")
		if status := s.Status(); status.NextLook.Sub(h.now()) < 50*time.Minute {
			t.Errorf("the next look by plan comes in %v", status.NextLook.Sub(h.now()))
		}
		h.cutOver("a") // the look for a key that is not known has a limit of its own
		if err := h.login(h.provider(s, nil), "a"); err != nil {
			t.Error(err)
		}
		h.server.Fail(samltest.FaultStatus(http.StatusServiceUnavailable, "900"))
		h.pass(5 * time.Minute)
		if err := s.LookNow(t.Context()); !errors.Is(err, saml.CodeMetadataFetch) || s.Status().Failure == nil ||
			h.trusts(s, nil) != "a" {
			t.Errorf("a look that fails: %v", err)
		}
		h.pass(14 * time.Minute)
		tooSoon("before Retry-After is over")
		h.server.Fail(nil)
		h.pass(2 * time.Minute)
		if n := h.asked(); s.Status().Failure != nil && s.LookNow(t.Context()) != nil {
			t.Errorf("after Retry-After, %d requests: %v", n, s.Status().Failure)
		}
	})
}

// TestLookNowAndThePlan: no look by plan comes within MinInterval of one that somebody asked for,
// whatever that one found.
func TestLookNowAndThePlan(t *testing.T) {
	for _, fault := range []samltest.MetadataFault{nil, samltest.FaultStatus(http.StatusNotFound, "")} {
		withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
			h.publish("a")
			s := h.source(func(c *saml.MetadataSourceConfig) { c.Interval = 10 * time.Minute })
			h.pass(s.Status().NextLook.Sub(h.now()) - time.Second) // a second before the next look by plan
			h.server.Fail(fault)
			h.server.Forget()
			if err := s.LookNow(t.Context()); (err == nil) != (fault == nil) {
				t.Error(err)
			}
			if h.pass(4 * time.Minute); h.asked() != 1 {
				t.Errorf("%d requests in four minutes", h.asked())
			}
		})
	}
}

// TestLookNowWithoutADocument: while there is nothing to trust, ten seconds are enough.
func TestLookNowWithoutADocument(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
		s := h.source(nil)
		if err := s.LookNow(t.Context()); !errors.Is(err, saml.CodeMetadataTooSoon) {
			t.Errorf("at once: %v", err)
		}
		h.pass(3 * time.Minute) // the back-off is minutes now
		h.server.Fail(nil)
		h.publish("a")
		h.pass(s.Status().NextLookNow.Sub(h.now()))
		if err := s.LookNow(t.Context()); err != nil || h.trusts(s, nil) != "a" {
			t.Errorf("got %v, trusts %q", err, h.trusts(s, nil))
		}
	})
}

// TestLookNowIsGivenUp: the look goes on when nobody waits for it, and a source that has ended does
// not look.
func TestLookNowIsGivenUp(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.publish("a")
		s := h.source(nil)
		h.pass(5 * time.Minute)
		h.publish("b")
		h.server.Fail(samltest.FaultSlow(100 * time.Millisecond))
		if err := s.LookNow(canceled(t)); !errors.Is(err, saml.CodeMetadataUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		h.pass(time.Second)
		if got := h.trusts(s, nil); got != "b" {
			t.Errorf("trusts %q", got)
		}
		h.pass(time.Hour)
		h.end()
		h.server.Forget()
		h.pass(time.Second)
		if err := s.LookNow(t.Context()); !errors.Is(err, saml.CodeMetadataUnavailable) || h.asked() != 0 {
			t.Errorf("a source that has ended: %v, %d requests", err, h.asked())
		}
	})
}
