package saml_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
)

func testRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificateOf(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestSourcesAreShared: a service that asks for its source at each request has one source, until a
// setting changes; then the old one trusts nobody.
func TestSourcesAreShared(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(t.TempDir())
		h.server.Serve([]byte(h.xml(with(nil))))
		sources := saml.NewSourcesOn(h.ctx, h.scheduler, 0)
		get := func(change func(*saml.MetadataSourceConfig)) *saml.MetadataSource {
			t.Helper()
			s, err := sources.Get(h.config(func(c *saml.MetadataSourceConfig) {
				c.Persist = dir
				if change != nil {
					change(c)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			h.pass(3 * time.Second)
			return s
		}
		one := get(nil)
		for range 100 {
			if get(nil) != one {
				t.Fatal("the same settings give another source")
			}
		}
		if n := h.asked(); n != 1 {
			t.Errorf("%d requests", n)
		}
		pool := x509.NewCertPool()
		for name, change := range map[string]func(*saml.MetadataSourceConfig){
			"PublicOnly": func(c *saml.MetadataSourceConfig) { c.Address, c.Fetch.PublicOnly = "https://127.0.0.1:1/x", true },
			"RootCAs":    func(c *saml.MetadataSourceConfig) { c.Address, c.Fetch.RootCAs = "https://127.0.0.1:1/x", pool },
			"Proxy": func(c *saml.MetadataSourceConfig) {
				c.Address, c.Fetch.Proxy = "https://127.0.0.1:1/x", "http://127.0.0.1:1"
			},
			"entity ID": func(c *saml.MetadataSourceConfig) { c.Address, c.EntityID = "https://127.0.0.1:1/x", ringOtherID },
			"limits":    func(c *saml.MetadataSourceConfig) { c.Address, c.RequireFresh = "https://127.0.0.1:1/x", true },
		} {
			at := func(c *saml.MetadataSourceConfig) { c.Address = "https://127.0.0.1:1/x" }
			if before := get(at); get(change) == before {
				t.Errorf("%s: a changed setting gives the same source", name)
			}
		}
		pinned := get(func(c *saml.MetadataSourceConfig) { c.SignedBy = h.pins("fed1") })
		if got := h.trusts(one, nil); got != string(saml.CodeMetadataUnavailable) {
			t.Errorf("the old source trusts %q", got)
		}
		if got := h.trusts(pinned, nil); got != string(saml.CodeMetadataUnavailable) {
			t.Errorf("the new source trusts %q, which nobody signed", got)
		}
		h.server.Serve([]byte(h.signed("fed1", h.xml(with(nil)))))
		h.next(pinned)
		if got := h.trusts(pinned, nil); got != "a" {
			t.Errorf("the new source trusts %q", got)
		}
		if !sources.End("", h.address) || sources.End("", h.address) || h.trusts(pinned, nil) == "a" {
			t.Error("the tenant has gone, and its source has not")
		}
	})
}

// TestSourcesKeepWhatWorks: settings that no source can have end none.
func TestSourcesKeepWhatWorks(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(nil))))
		sources := saml.NewSourcesOn(h.ctx, h.scheduler, 0)
		one, err := sources.Get(h.config(nil))
		if err != nil {
			t.Fatal(err)
		}
		h.pass(3 * time.Second)
		for name, change := range map[string]func(*saml.MetadataSourceConfig){
			"a bad field":   func(c *saml.MetadataSourceConfig) { c.Interval = 1 },
			"a bad Initial": func(c *saml.MetadataSourceConfig) { c.Interval, c.Initial = 2*time.Hour, []byte("<html>") },
		} {
			if _, err := sources.Get(h.config(change)); err == nil {
				t.Errorf("%s: there is no error", name)
			}
			if got := h.trusts(one, nil); got != "a" || len(sources.All()) != 1 {
				t.Errorf("%s: the source of before trusts %q, and there are %d", name, got, len(sources.All()))
			}
		}
	})
}

// TestSourceWithTheContextOfARequest: it keeps what it has, and says that nothing looks any more.
func TestSourceWithTheContextOfARequest(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(nil))))
		s := h.source(nil)
		h.end()
		if got := h.trusts(s, nil); got != "a" || !errors.Is(s.Health(), saml.CodeMetadataStale) ||
			!strings.Contains(s.Health().Error(), "context") {
			t.Errorf("trusts %q, health %v", got, s.Health())
		}
	})
}

// TestTwoTenantsAtOneAddress: they share nothing.
func TestTwoTenantsAtOneAddress(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(nil))))
		sources := saml.NewSourcesOn(h.ctx, h.scheduler, 2)
		get := func(tenant string, change func(*saml.MetadataSourceConfig)) (*saml.MetadataSource, error) {
			return sources.Get(h.config(func(c *saml.MetadataSourceConfig) {
				c.Tenant = tenant
				if change != nil {
					change(c)
				}
			}))
		}
		one, err := get("one", nil)
		if err != nil {
			t.Fatal(err)
		}
		two, err := get("two", func(c *saml.MetadataSourceConfig) { c.SignedBy = h.pins("fed1") })
		if err != nil {
			t.Fatal(err)
		}
		h.pass(3 * time.Second)
		if h.trusts(one, nil) != "a" || h.trusts(two, nil) == "a" || h.asked() != 2 {
			t.Errorf("trust %q and %q, %d requests", h.trusts(one, nil), h.trusts(two, nil), h.asked())
		}
		if _, err := get("three", nil); !errors.Is(err, saml.CodeConfig) {
			t.Errorf("more than there may be: %v", err)
		}
		if _, err := get("one", func(c *saml.MetadataSourceConfig) { c.Interval = 1 }); !errors.Is(err, saml.CodeConfig) || h.trusts(one, nil) != "a" {
			t.Errorf("faulty settings: %v, and the source trusts %q", err, h.trusts(one, nil))
		}
		if n := sources.EndOthers(func(tenant, _ string) bool { return tenant == "two" }); n != 1 || len(sources.All()) != 1 {
			t.Errorf("ended %d", n)
		}
	})
}

// slowCache needs four seconds for everything.
type slowCache struct{}

func (slowCache) Load(context.Context, string) ([]byte, error) {
	time.Sleep(4 * time.Second)
	return nil, nil
}

func (slowCache) Save(context.Context, string, []byte) error {
	time.Sleep(4 * time.Second)
	return nil
}

// TestSlowTenant: a cache that is slow holds up its own tenant alone, and a tenant that goes while its
// source is made leaves none.
func TestSlowTenant(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(nil))))
		sources := saml.NewSourcesOn(h.ctx, h.scheduler, 0)
		slow := func(c *saml.MetadataSourceConfig) { c.Tenant, c.Persist = "slow", slowCache{} }
		var all sync.WaitGroup
		var got [2]*saml.MetadataSource
		for i := range got {
			all.Go(func() { got[i], _ = sources.Get(h.config(slow)) })
		}
		time.Sleep(time.Second)
		before := h.now()
		if _, err := sources.Get(h.config(nil)); err != nil || h.now().Sub(before) > 0 {
			t.Errorf("another tenant waits for %v, %v", h.now().Sub(before), err)
		}
		all.Wait()
		if got[0] == nil || got[0] != got[1] || len(sources.All()) != 2 {
			t.Errorf("got %p and %p, %d sources", got[0], got[1], len(sources.All()))
		}
		gone := func(c *saml.MetadataSourceConfig) { c.Tenant, c.Persist = "gone", slowCache{} }
		var source *saml.MetadataSource
		all.Go(func() { source, _ = sources.Get(h.config(gone)) })
		time.Sleep(time.Second)
		if !sources.End("gone", h.address) {
			t.Error("there is nothing to end")
		}
		all.Wait()
		h.pass(5 * time.Second)
		if h.trusts(source, nil) != string(saml.CodeMetadataUnavailable) || len(sources.All()) != 2 || h.scheduler.Len() != 2 {
			t.Errorf("the tenant has gone, and its source trusts %q; %d tasks", h.trusts(source, nil), h.scheduler.Len())
		}
	})
}

// TestSourcesLeaveNothing: neither a source that has ended nor a registry that has leaves a goroutine
// or a task.
func TestSourcesLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(nil))))
		ctx, cancel := context.WithCancel(t.Context())
		sources := saml.NewSourcesOn(ctx, h.scheduler, 0)
		var all sync.WaitGroup
		for i := range 300 {
			all.Go(func() {
				if _, err := sources.Get(h.config(func(c *saml.MetadataSourceConfig) { c.Tenant = fmt.Sprint(i % 100) })); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		h.pass(10 * time.Second)
		if n := len(sources.All()); n != 100 || h.asked() != 100 || h.scheduler.Len() != 100 {
			t.Errorf("%d sources, %d requests, %d tasks", n, h.asked(), h.scheduler.Len())
		}
		if most := h.server.MostAtOnce(); most > 4 {
			t.Errorf("%d requests at once to one host", most)
		}
		sources.EndOthers(func(tenant, _ string) bool { return len(tenant) == 1 })
		h.pass(time.Second)
		if n := h.scheduler.Len(); n != 10 {
			t.Errorf("%d tasks, want 10", n)
		}
		cancel()
		h.pass(time.Second)
		if n := h.scheduler.Len(); n != 0 {
			t.Errorf("%d tasks after the end", n)
		}
	})
	http.DefaultClient.CloseIdleConnections()
	for range 100 { // those of the server end by themselves
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// TestExpiringKeys: who breaks in the next 60 days, over all tenants, the next one first.
func TestExpiringKeys(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		source := func(tenant, document string) *saml.MetadataSource {
			h.server.Serve([]byte(document))
			return h.source(func(c *saml.MetadataSourceConfig) { c.Tenant = tenant })
		}
		signing := func(names ...string) string { return h.xml(with(func(e *entity) { e.signing = names })) }
		own := testRSA(t)
		sources := []saml.ExpirySource{
			source("good", signing("a")),
			source("ends", signing("a-soon")),
			source("ends, with a successor", signing("a-soon", "b")),
			source("ended", signing("a-expired")),
			source("never", "<html>"),
			source("daily", h.xml(with(func(e *entity) { e.validUntil = in(24 * time.Hour) }))),
			(*saml.MetadataSource)(nil),
		}
		list := saml.ExpiringKeys(h.now(), 60*24*time.Hour, sources...)
		list = append(list, saml.ExpiringKeys(h.now(), 60*24*time.Hour, h.provider(sources[0].(*saml.MetadataSource), func(c *saml.Config) {
			c.Tenant, c.SigningKey, c.SigningCertificate = "our own", own, certificateOf(t, own)
		}))...)
		var got []string
		for _, e := range list {
			got = append(got, fmt.Sprintf("%s: %s", e.Tenant, e.Kind))
		}
		want := "[never: never_read ended: certificate ends: certificate our own: own_certificate]"
		if fmt.Sprint(got) != want {
			t.Errorf("got %v, want %v", got, want)
		}
		h.server.Serve([]byte("<html>"))
		h.pass(23 * time.Hour)
		ending := saml.ExpiringKeys(h.now(), 60*24*time.Hour, sources[5])
		if len(ending) == 0 || ending[0].Kind != saml.ExpiringMetadata || ending[0].Address != h.address ||
			ending[0].EntityID != ringID {
			t.Errorf("a document that is not renewed is not in the list: %+v", ending)
		}
	})
}
