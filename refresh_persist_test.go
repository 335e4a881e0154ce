package saml_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// failingCache is a cache on a full disk.
type failingCache struct {
	saves int
	load  []byte
}

func (c *failingCache) Load(context.Context, string) ([]byte, error) { return c.load, nil }
func (c *failingCache) Save(context.Context, string, []byte) error {
	c.saves++
	return errors.New("no space left on device")
}

// An unreadableCache may have a document, and nobody knows.
type unreadableCache struct{}

func (unreadableCache) Load(context.Context, string) ([]byte, error) {
	return nil, errors.New("i/o error")
}
func (unreadableCache) Save(context.Context, string, []byte) error { return nil }

// restart ends all sources, as a process does that ends.
func (h *metadataHouse) restart() {
	h.end()
	h.pass(time.Second)
	h.ctx, h.end = context.WithCancel(h.t.Context())
	h.told()
	h.server.Forget()
}

// TestRestartDuringAnOutage: the last good document is there before the network is asked, and the
// stale clock goes on.
func TestRestartDuringAnOutage(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(filepath.Join(t.TempDir(), "made"))
		persist := func(c *saml.MetadataSourceConfig) { c.Persist = dir }
		h.server.Serve([]byte(h.xml(with(func(e *entity) { e.signing = []string{"a", "b"} }))))
		read := h.source(persist).Status()
		h.server.Fail(samltest.FaultStatus(http.StatusBadGateway, ""))
		h.restart()
		h.pass(6 * 24 * time.Hour)
		s, err := saml.NewMetadataSourceOn(h.ctx, h.scheduler, h.config(persist))
		if err != nil {
			t.Fatal(err)
		}
		if got := h.trusts(s, nil); got != "a,b" || h.asked() != 0 {
			t.Errorf("trusts %q after %d requests", got, h.asked())
		}
		if status := s.Status(); status.Origin != saml.MetadataPersisted || !status.ReadAt.Equal(read.ReadAt) {
			t.Errorf("got %+v", status)
		}
		h.pass(2 * time.Minute)
		if h.asked() != 1 {
			t.Errorf("%d requests soon after the start, want one", h.asked())
		}
		h.pass(25 * time.Hour)
		if !errors.Is(s.Health(), saml.CodeMetadataStale) {
			t.Errorf("a week after the last good look: %v", s.Health())
		}
		h.server.Fail(nil)
		h.next(s)
		last := h.server.Requests()[h.asked()-1]
		if s.Health() != nil || last.IfNoneMatch != "" || last.Status != http.StatusOK {
			t.Errorf("a week is too long for a tag: asked %+v", last)
		}
	})
}

// TestDocument: the document that counts can be had as it was read, also after a restart, if the source
// keeps it.
func TestDocument(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(t.TempDir())
		persist := func(c *saml.MetadataSourceConfig) { c.Persist = dir }
		early := h.source(persist).Document()
		first, second := h.xml(with(nil)), h.xml(with(func(e *entity) { e.signing = []string{"b"} }))
		h.restart()
		h.server.Serve([]byte(first))
		s, none := h.source(persist), h.source(nil)
		if got := s.Document(); early != nil || string(got) != first || none.Document() != nil {
			t.Errorf("got %q, before it was there %q, without Persist %q", got, early, none.Document())
		}
		h.next(s) // it has not changed
		if got := s.Document(); string(got) != first {
			t.Errorf("after another look: %q", got)
		}
		h.server.Serve([]byte(second))
		h.next(s)
		h.restart()
		h.server.Fail(samltest.FaultStatus(http.StatusBadGateway, ""))
		if got := h.source(persist).Document(); string(got) != second {
			t.Errorf("after a restart: %q", got)
		}
	})
}

// TestFreshFileWaitsItsTurn: what was read a moment before the restart is not asked for again. When it is
// its turn, the tag that belongs to the document is still known.
func TestFreshFileWaitsItsTurn(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(t.TempDir())
		persist := func(c *saml.MetadataSourceConfig) { c.Persist = dir }
		h.server.Serve([]byte(h.xml(with(nil))))
		h.source(persist)
		h.restart()
		h.source(persist)
		h.pass(50 * time.Minute)
		if n := h.asked(); n != 0 {
			t.Errorf("%d requests", n)
		}
		h.pass(15 * time.Minute)
		if asked := h.server.Requests(); len(asked) != 1 || asked[0].Status != http.StatusNotModified {
			t.Errorf("in the end: asked %+v", asked)
		}
	})
}

// TestPersistedForSomethingElse: a file of another tenant, address or entity, under another pin, or
// that is not whole counts as none, with an event.
func TestPersistedForSomethingElse(t *testing.T) {
	type change = func(h *metadataHouse, c *saml.MetadataSourceConfig)
	for name, row := range map[string]struct {
		settings change                   // of the second process
		spoil    func(data []byte) []byte // what is in the file
		counts   bool
	}{
		"the same":           {nil, nil, true},
		"another tenant":     {func(_ *metadataHouse, c *saml.MetadataSourceConfig) { c.Tenant = "b" }, nil, false},
		"another address":    {func(_ *metadataHouse, c *saml.MetadataSourceConfig) { c.Address += "?b" }, nil, false},
		"another entity ID":  {func(_ *metadataHouse, c *saml.MetadataSourceConfig) { c.EntityID = ringOtherID }, nil, false},
		"a pin, and no sign": {func(h *metadataHouse, c *saml.MetadataSourceConfig) { c.SignedBy = h.pins("fed1") }, nil, false},
		"dates count now":    {func(_ *metadataHouse, c *saml.MetadataSourceConfig) { c.RefuseExpiredCertificates = true }, nil, false},
		"a limit now":        {func(_ *metadataHouse, c *saml.MetadataSourceConfig) { c.MaxValidity = time.Hour }, nil, false},
		"half written":       {nil, func(d []byte) []byte { return d[:len(d)/2] }, false},
		"empty":              {nil, func(d []byte) []byte { return []byte{} }, false},
		"another key in it": {nil, func(d []byte) []byte {
			return bytes.Replace(d, []byte(`use="signing"`), []byte(`use="SIGNING"`), 1)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
				dir := t.TempDir()
				first := func(c *saml.MetadataSourceConfig) { c.Persist, c.Tenant = saml.MetadataDir(dir), "a" }
				h.server.Serve([]byte(h.xml(with(func(e *entity) { e.signing = []string{"a-expired"} }))))
				h.source(first)
				files, err := os.ReadDir(dir)
				if err != nil || len(files) != 1 {
					t.Fatal(files, err)
				}
				data, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
				if err != nil {
					t.Fatal(err)
				}
				if row.spoil != nil {
					data = row.spoil(data)
				}
				h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
				h.restart()
				again := h.source(func(c *saml.MetadataSourceConfig) {
					first(c)
					if row.settings != nil {
						row.settings(h, c)
					}
					c.Persist = &failingCache{load: data} // whoever moved the file, to whatever name
				})
				events := kinds(h.told())
				if got := h.trusts(again, nil); (got == "a") != row.counts {
					t.Errorf("trusts %q", got)
				}
				if strings.Contains(events, "metadata_persist_failed") == row.counts {
					t.Errorf("events %q", events)
				}
			})
		})
	}
}

// TestPersistedUnderAnOldPin: the pin of today counts, not that of the day when the file was
// written.
func TestPersistedUnderAnOldPin(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(t.TempDir())
		pinned := func(names ...string) func(*saml.MetadataSourceConfig) {
			return func(c *saml.MetadataSourceConfig) { c.Persist, c.SignedBy = dir, h.pins(names...) }
		}
		h.server.Serve([]byte(h.signed("fed1", h.xml(with(nil)))))
		h.source(pinned("fed1"))
		h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
		for _, row := range []struct {
			pins   []string
			trusts string
		}{{[]string{"fed2"}, "metadata_unavailable"}, {[]string{"fed2", "fed1"}, "a"}} {
			h.restart()
			s := h.source(pinned(row.pins...))
			events := kinds(h.told())
			if got := h.trusts(s, nil); got != row.trusts || strings.Contains(events, "metadata_persist_failed") == (got == "a") {
				t.Errorf("pinned %v: trusts %q, events %q", row.pins, got, events)
			}
		}
	})
}

// TestPersistedThatRanOut: a document that has run out passes no look, and none of the checks after
// a restart either. One that has not counts to its end, and then as it would without a restart.
func TestPersistedThatRanOut(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(t.TempDir())
		persist := func(c *saml.MetadataSourceConfig) { c.Persist = dir }
		h.server.Serve([]byte(h.xml(with(func(e *entity) { e.validUntil = in(2 * time.Hour) }))))
		h.source(persist)
		h.server.Fail(samltest.FaultStatus(http.StatusNotFound, ""))
		h.restart()
		s := h.source(persist)
		h.pass(time.Hour)
		if got := h.trusts(s, nil); got != "a" || s.Health() != nil {
			t.Errorf("after a restart in time: trusts %q, %v", got, s.Health())
		}
		h.pass(2 * time.Hour)
		if got := h.trusts(s, nil); got != "a" || !errors.Is(s.Health(), saml.CodeMetadataValidity) {
			t.Errorf("run out while it is kept: trusts %q, %v", got, s.Health())
		}
		h.restart()
		s = h.source(persist)
		events := h.told()
		if got := h.trusts(s, nil); got != "metadata_unavailable" || !strings.HasPrefix(kinds(events), "metadata_persist_failed") ||
			events[0].Err.Code != saml.CodeMetadataValidity || !strings.Contains(events[0].Err.Message, "ran out") {
			t.Errorf("after a restart too late: trusts %q, events %q", got, kinds(events))
		}
		h.restart()
		s = h.source(func(c *saml.MetadataSourceConfig) { // it may have a key that was removed since
			persist(c)
			c.Initial = []byte(h.xml(with(func(e *entity) { e.signing = []string{"b"} })))
		})
		if got := h.trusts(s, nil); got != "metadata_unavailable" {
			t.Errorf("with Initial: trusts %q, %v", got, s.Health())
		}
		h.restart()
		s = h.source(func(c *saml.MetadataSourceConfig) {
			c.Persist, c.Initial = unreadableCache{}, []byte(h.xml(with(nil)))
		})
		if got := h.trusts(s, nil); got != "metadata_unavailable" {
			t.Errorf("with Initial, and a cache that cannot be read: trusts %q", got)
		}
	})
}

// TestFullDisk: an event and no more; nothing is written without a change, but once a day.
func TestFullDisk(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		full := &failingCache{}
		h.server.Serve([]byte(h.xml(with(nil))))
		s := h.source(func(c *saml.MetadataSourceConfig) { c.Persist = full })
		if got := kinds(h.told()); got != "metadata_persist_failed" || h.trusts(s, nil) != "a" || s.Health() != nil {
			t.Errorf("events %q, Health %v", got, s.Health())
		}
		if text := h.log.String(); strings.Contains(text, "no space left") {
			t.Errorf("the log has the text of the cache: %s", text)
		}
	})
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := t.TempDir()
		n := 0
		h.server.Serve([]byte(h.xml(with(nil))))
		h.server.Fail(func(w http.ResponseWriter, _ *http.Request, _ []byte) { // other bytes each time
			n++
			w.Write([]byte(strings.Replace(h.xml(with(nil)), "_1", "_"+strings.Repeat("x", n), 1)))
		})
		s := h.source(func(c *saml.MetadataSourceConfig) { c.Persist = saml.MetadataDir(dir) })
		written := func() string {
			files, _ := filepath.Glob(filepath.Join(dir, "*"))
			if len(files) != 1 {
				t.Fatal(files)
			}
			data, _ := os.ReadFile(files[0])
			return string(data)
		}
		before := written()
		h.pass(20 * time.Hour)
		if written() != before || h.asked() < 15 {
			t.Errorf("written without a change, %d looks", h.asked())
		}
		h.pass(5 * time.Hour)
		if written() == before || s.Health() != nil {
			t.Error("the time of the last good look is not written in a day")
		}
	})
}

// TestInitialMetadata: it counts until the first look, never after, and never before what was
// persisted.
func TestInitialMetadata(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		dir := saml.MetadataDir(t.TempDir())
		initial := func(c *saml.MetadataSourceConfig) {
			c.Initial, c.Persist = []byte(h.xml(with(func(e *entity) { e.signing = []string{"c"} }))), dir
		}
		h.server.Fail(samltest.FaultStatus(http.StatusInternalServerError, ""))
		s := h.source(initial)
		if got := kinds(h.told()); !strings.HasPrefix(got, "metadata_initial_used") || h.trusts(s, nil) != "c" ||
			s.Status().Origin != saml.MetadataInitial || s.Ready(t.Context()) != nil {
			t.Errorf("events %q, trusts %q", got, h.trusts(s, nil))
		}
		h.server.Fail(nil)
		h.server.Serve([]byte(h.xml(with(nil))))
		h.next(s)
		if got := h.trusts(s, nil); got != "a" {
			t.Errorf("after a look: trusts %q", got)
		}
		h.server.Fail(samltest.FaultStatus(http.StatusInternalServerError, ""))
		h.restart()
		if s = h.source(initial); h.trusts(s, nil) != "a" {
			t.Errorf("after a restart: trusts %q", h.trusts(s, nil))
		}
	})
}

// TestInitialMetadataIsLookedAtSoon: nobody knows how old the document of the configuration is, so the
// first look comes as soon as without one.
func TestInitialMetadataIsLookedAtSoon(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.server.Serve([]byte(h.xml(with(nil))))
		s := h.source(func(c *saml.MetadataSourceConfig) {
			c.Initial = []byte(h.xml(with(func(e *entity) { e.signing = []string{"c"} })))
		})
		h.pass(3 * time.Second)
		if got := h.trusts(s, nil); got != "a" {
			t.Errorf("3 seconds after the start: trusts %q, next look at %v", got, s.Status().NextLook)
		}
	})
}
