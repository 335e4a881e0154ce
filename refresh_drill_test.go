package saml_test

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// drill is 1,000 logins at an identity provider that changes its key meanwhile: ten at a time, so many
// times as there are steps, half an hour apart.
type drill struct {
	*metadataHouse
	idp    *samltest.IdentityProvider
	dir    saml.MetadataDir
	source *saml.MetadataSource
	sp     *saml.ServiceProvider
	store  saml.Store
	keys   [][]byte

	mu     sync.Mutex
	failed []error
}

const (
	drillSteps  = 100
	drillLogins = 10
	drillStep   = 30 * time.Minute
)

func newDrill(h *metadataHouse) *drill {
	h.t.Helper()
	d := &drill{metadataHouse: h, dir: saml.MetadataDir(h.t.TempDir()), keys: [][]byte{saml.NewStateKey()},
		idp: samltest.MustNew(h.t, samltest.Options{EntityID: ringID, Keys: []crypto.Signer{ringKeys()["a"]}, Now: h.now})}
	d.store = saml.NewMemoryStoreWithClock(h.now)
	h.server.Follow(d.idp)
	d.begin()
	return d
}

// begin is what a process does that starts.
func (d *drill) begin() {
	d.t.Helper()
	d.source = d.metadataHouse.source(func(c *saml.MetadataSourceConfig) {
		c.Persist, c.MaxStale = d.dir, 2*time.Hour
	})
	d.sp = d.provider(d.source, func(c *saml.Config) { c.StateKeys, c.Store = d.keys, d.store })
}

// signIn is one login that takes no time, with the key that signs now.
func (d *drill) signIn(key int) error {
	request, err := d.sp.StartLogin(d.t.Context(), saml.LoginOptions{})
	if err != nil {
		return err
	}
	form, err := d.idp.Respond(samltest.Answer{RequestID: request.ID, Recipient: redirectURL, Key: key})
	if err != nil {
		return err
	}
	_, err = d.sp.FinishLogin(d.t.Context(), saml.FormResponse{SAMLResponse: form, State: request.State})
	return err
}

// step lets ten people sign in at once, and time pass.
func (d *drill) step() {
	var logins sync.WaitGroup
	for range drillLogins {
		logins.Go(func() {
			if err := d.signIn(0); err != nil {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.failed = append(d.failed, err)
			}
		})
	}
	logins.Wait()
	d.pass(drillStep)
}

func (d *drill) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// rollOver does what happens before a step.
func (d *drill) rollOver(at int) {
	switch at {
	case 20:
		_, err := d.idp.AddKey(ringKeys()["b"])
		d.must(err)
	case 50:
		d.must(d.idp.Activate(1))
	case 80:
		d.must(d.idp.RemoveKey(1))
	}
}

// TestRollOverDrill: the identity provider adds a key, switches and removes the old one. 1,000 logins
// run meanwhile and none fails. A message that is signed with the old key is refused from the next
// look on: within the hour that docs/refresh.md publishes.
func TestRollOverDrill(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		d := newDrill(h)
		for at := range drillSteps {
			d.rollOver(at)
			d.step()
		}
		if len(d.failed) > 0 {
			t.Errorf("%d logins failed, the first one: %v", len(d.failed), d.failed[0])
		}
		if got := kinds(d.told()); got != "metadata_key_added metadata_key_removed" {
			t.Errorf("events %q", got)
		}
	})
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) { // how long the old key is trusted
		h.server.Serve([]byte(h.xml(with(func(e *entity) { e.signing = []string{"a", "b"} }))))
		s := h.source(nil)
		h.cutOver("b")
		after := time.Duration(0)
		for ; h.trusts(s, nil) != "b"; after += time.Minute {
			h.pass(time.Minute)
		}
		if t.Logf("refused %v after its removal", after); after > time.Hour+time.Minute {
			t.Errorf("the old key was trusted for %v", after)
		}
	})
}

// TestRollOverDrillWithFaults is the same while the metadata server fails in every way for hours at a
// time, and while the service is started anew in an outage. Each fault is seen as an event and in
// Health, and no login fails.
func TestRollOverDrillWithFaults(t *testing.T) {
	faults := map[int]samltest.MetadataFault{
		5:  samltest.FaultStatus(http.StatusServiceUnavailable, "600"),
		25: nil,
		30: samltest.FaultText("text/html", "<html>maintenance</html>"),
		40: nil,
		45: samltest.FaultCut(),
		55: nil,
		60: samltest.FaultStatus(http.StatusNotFound, ""),
		75: nil,
		85: samltest.FaultNotHTTP(),
		95: nil,
	}
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		d := newDrill(h)
		failing := false
		for at := range drillSteps {
			if f, changes := faults[at]; changes {
				if failing {
					if err := d.source.Health(); !errors.Is(err, saml.CodeMetadataStale) {
						t.Errorf("step %d, after hours of a fault: Health is %v", at, err)
					}
					if d.source.Status().Failure == nil || kinds(d.told()) == "" {
						t.Errorf("step %d: nobody is told of the fault", at)
					}
				}
				failing = f != nil
				h.server.Fail(f)
			}
			if at == 65 {
				h.restart()
				d.begin()
				if origin := d.source.Status().Origin; origin != saml.MetadataPersisted {
					t.Errorf("after a restart during an outage the metadata is %q", origin)
				}
			}
			d.rollOver(at)
			d.step()
		}
		if len(d.failed) > 0 {
			t.Errorf("%d logins failed, the first one: %v", len(d.failed), d.failed[0])
		}
		h.pass(time.Hour)
		if err := d.source.Health(); err != nil {
			t.Errorf("in the end: %v", err)
		}
		if got := h.trusts(d.source, nil); got != "b" {
			t.Errorf("in the end: trusts %q", got)
		}
	})
}

// TestHardCutOverDrill: the identity provider shows the new key only when it signs with it. Only those
// logins fail whose response was made with the old key and comes after the new one was read.
func TestHardCutOverDrill(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		d := newDrill(h)
		failed := 0
		for at := range drillSteps {
			if at != 50 {
				d.step()
				continue
			}
			var late []func() error // responses with the old key that are under way
			for range drillLogins {
				request, err := d.sp.StartLogin(context.Background(), saml.LoginOptions{})
				d.must(err)
				form, err := d.idp.Respond(samltest.Answer{RequestID: request.ID, Recipient: redirectURL})
				d.must(err)
				late = append(late, func() error {
					_, err := d.sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: form, State: request.State})
					return err
				})
			}
			_, err := d.idp.AddKey(ringKeys()["b"])
			d.must(err)
			d.must(d.idp.Activate(1))
			d.must(d.idp.RemoveKey(1))
			for i, finish := range late {
				if i == drillLogins/2 { // half of them arrive before the first response with the new key
					d.must(d.signIn(0))
				}
				if err := finish(); errors.Is(err, saml.CodeKeyRemoved) {
					failed++
				} else if err != nil {
					t.Errorf("a late response: %v", err)
				}
			}
		}
		if len(d.failed) > 0 {
			t.Errorf("%d logins failed, the first one: %v", len(d.failed), d.failed[0])
		}
		if t.Logf("%d of 1,000 logins had to begin again", failed); failed != drillLogins/2 {
			t.Errorf("%d logins had to begin again, want %d", failed, drillLogins/2)
		}
	})
}
