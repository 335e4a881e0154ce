package saml_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A metadataRow is one way in which metadata comes, or does not come.
type metadataRow struct {
	name     string
	fault    samltest.MetadataFault
	document func(r *ring) string // nil: the good one
	first    string               // the keys that are trusted if nothing was kept; "": none
	refresh  string               // those that are trusted after "a" was kept; "": kept
	seen     string               // in the event that says why, or the kinds of events if it was taken
	kind     saml.EventKind       // of that event, if it is not MetadataLookFailed
	change   func(*ring, *saml.MetadataSourceConfig)
}

func of(change func(*entity)) func(*ring) string {
	return func(r *ring) string { return r.xml(with(change)) }
}

// same is for a document that is taken and changes nothing.
func same(name string, fault samltest.MetadataFault, document func(*ring) string) metadataRow {
	return metadataRow{name: name, fault: fault, document: document, first: "a", refresh: "a"}
}

// kept is for an answer that is not taken.
func kept(name, seen string, fault samltest.MetadataFault, document func(*ring) string) metadataRow {
	return metadataRow{name: name, fault: fault, document: document, seen: seen}
}

// taken is for a document that replaces the one that is kept.
func taken(name, keys, events string, change func(*entity)) metadataRow {
	return metadataRow{name: name, document: of(change), first: keys, refresh: keys, seen: events}
}

func keptFor(name, seen string, change func(*entity)) metadataRow {
	return kept(name, seen, nil, of(change))
}

func (row metadataRow) under(change func(*ring, *saml.MetadataSourceConfig)) metadataRow {
	row.change = change
	return row
}

func (row metadataRow) as(kind saml.EventKind) metadataRow {
	row.kind = kind
	return row
}

const bindings = "urn:oasis:names:tc:SAML:2.0:bindings:"

// logoutAt is a SingleLogoutService.
func logoutAt(binding, more string) string {
	return `<SingleLogoutService Binding="` + bindings + binding + `" Location="https://idp.example.test/slo"` + more + `/>`
}

// metadataTable has a row for each way in which a metadata server, or what it publishes, goes wrong in
// the field, and for the unusual ways that are right.
func metadataTable() []metadataRow {
	wrapped := func(change func(string) string) func(*ring) string {
		return func(r *ring) string { return change(r.xml(with(nil))) }
	}
	among := func(validUntil time.Duration, n int, change func(*entity)) func(*ring) string {
		return func(r *ring) string { return collection(in(validUntil), append(r.crowd(n), r.xml(with(change)))...) }
	}
	const added, removed, renewed = "metadata_key_added", "metadata_key_removed", "metadata_key_renewed"
	signing := func(names ...string) func(*entity) { return func(e *entity) { e.signing = names } }
	noEntityID := func(_ *ring, c *saml.MetadataSourceConfig) { c.EntityID = "" }
	limited := func(_ *ring, c *saml.MetadataSourceConfig) { c.MaxValidity = 14 * 24 * time.Hour }
	dated := func(_ *ring, c *saml.MetadataSourceConfig) { c.RefuseExpiredCertificates = true }
	return []metadataRow{
		same("the document", nil, nil),
		same("a tag that is never recognized", samltest.FaultForgetful(), nil),
		same("another ID each time", nil, of(func(e *entity) { e.id = "_2" })),
		kept("a sign-in page", "a web page", samltest.FaultText("text/html", "<!DOCTYPE html><html><body><input></html>"), nil),
		kept("a maintenance page in well-formed XML", "a web page",
			samltest.FaultText("application/samlmetadata+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><body><p>Back at six.</p></body></html>`), nil),
		kept("a redirect to the sign-in page", "redirects to", samltest.MetadataFault(func(w http.ResponseWriter, r *http.Request, d []byte) {
			if r.URL.Path != "/login" {
				samltest.FaultRedirect(302, "/login")(w, r, d)
				return
			}
			samltest.FaultText("text/html", "<html><body>Sign in</body></html>")(w, r, d)
		}), nil),
		kept("JSON with an error", "AADSTS50001", samltest.FaultStatus(400, ""), nil),
		kept("nothing", "empty", samltest.FaultText("text/xml", ""), nil),
		kept("204", "204", samltest.FaultStatus(204, ""), nil),
		kept("500", "500", samltest.FaultStatus(500, ""), nil),
		kept("401", "401", samltest.FaultStatus(401, ""), nil),
		kept("403", "403", samltest.FaultStatus(403, ""), nil),
		kept("404", "exists no longer", samltest.FaultStatus(404, ""), nil),
		kept("410", "exists no longer", samltest.FaultStatus(410, ""), nil),
		kept("cut off", "breaks off before its end", samltest.FaultCut(), nil),
		kept("cut off, with the right length", "ends before", samltest.FaultShort(), nil),
		kept("a mail server", "", samltest.FaultNotHTTP(), nil),
		same("compressed", samltest.FaultGzip(0), nil),
		kept("a gzip bomb", "more than 4 MiB", samltest.FaultGzip(64<<20), nil),
		same("as text/plain", samltest.FaultPlain("text/plain"), nil),
		same("as HTML", samltest.FaultPlain("text/html"), nil),
		same("with a character set that is wrong", samltest.FaultPlain("text/xml; charset=iso-8859-1"), nil),
		same("with a byte order mark", nil, wrapped(func(s string) string { return "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n" + s })),
		same("with a comment", nil, wrapped(func(s string) string { return "<!-- made at noon -->" + s })),
		kept("with a DOCTYPE", "DOCTYPE", nil, wrapped(func(s string) string { return "<!DOCTYPE x>" + s })),
		kept("5 MiB", "more than 4 MiB", nil, wrapped(func(s string) string { return s + strings.Repeat(" ", 5<<20) })),
		same("a redirect", samltest.MetadataFault(func(w http.ResponseWriter, r *http.Request, d []byte) {
			if r.URL.Path != "/elsewhere" {
				samltest.FaultRedirect(301, "/elsewhere")(w, r, d)
				return
			}
			w.Write(d)
		}), nil),
		kept("a redirect to the metadata service of a cloud", "not followed", samltest.FaultRedirect(302, "http://169.254.169.254/latest"), nil),
		kept("a redirect in a circle", "too often", samltest.FaultRedirect(302, "/metadata"), nil),
		taken("valid forever", "a", "", nil),
		keptFor("valid forever, with a limit", "does not say until when", nil).under(limited),
		taken("valid until the year 9999", "a", "", func(e *entity) { e.validUntil = "9999-12-31T23:59:59Z" }),
		keptFor("valid until the year 9999, with a limit", "longer than", func(e *entity) { e.validUntil = "9999-12-31T23:59:59Z" }).under(limited),
		taken("a limit that cannot be read", "a", "", func(e *entity) { e.validUntil = "tomorrow" }),
		keptFor("a limit that cannot be read, with a limit", "does not say until when", func(e *entity) { e.validUntil = "tomorrow" }).under(limited),
		keptFor("run out", "ran out", func(e *entity) { e.validUntil = in(-time.Hour) }),
		keptFor("run out, at the role", "ran out", func(e *entity) { e.roleValid = in(-time.Hour) }),
		kept("run out, at the collection", "ran out", nil, among(-time.Hour, 3, nil)),
		kept("run out, at a collection inside", "ran out", nil, func(r *ring) string {
			inner := strings.Replace(collection(in(-time.Hour), r.xml(with(nil))), "_all", "_inner", 1)
			return collection(in(24*time.Hour), inner)
		}),
		taken("a second key", "a,b", added, signing("a", "b")),
		taken("a second key, before the first", "a,b", added, signing("b", "a")),
		taken("another key", "b", added+" "+removed, signing("b")),
		taken("the same key in a new certificate", "a", renewed, signing("a-renewed")),
		taken("the same key in two certificates", "a", renewed, signing("a", "a-renewed")),
		taken("a certificate that is over", "a", renewed+" metadata_key_expiring", signing("a-expired")),
		keptFor("a certificate that is over, if dates count", "within its dates", signing("a-expired")).under(dated),
		taken("a certificate that has not begun", "a", renewed, signing("a-future")),
		keptFor("a certificate that has not begun, if dates count", "within its dates", signing("a-future")).under(dated),
		taken("a new key in a certificate that is over", "b", added+" "+removed+" metadata_key_expiring", signing("b-expired")),
		taken("keys for any use", "a,b", added, func(e *entity) { e.signing, e.anyUse = nil, []string{"a", "b"} }),
		same("a key for encryption too", nil, of(func(e *entity) { e.encryption = []string{"enc"} })),
		taken("one key of two that can be used", "a", "", signing("weak", "a")),
		keptFor("no key that can be used", "1024", signing("weak")),
		keptFor("a key for encryption alone", "encryption", func(e *entity) { e.signing, e.encryption = nil, []string{"enc"} }),
		keptFor("no keys", "no signing certificate", signing()),
		keptFor("17 keys", "more than 16", func(e *entity) {
			e.signing = []string{"a"}
			for i := range 16 {
				e.signing = append(e.signing, "c-"+string(rune('A'+i)))
			}
		}),
		keptFor("another identity provider", "another identity provider", func(e *entity) { e.entityID = ringOtherID }),
		keptFor("another identity provider by a slash", ringID+"/", func(e *entity) { e.entityID += "/" }),
		keptFor("another identity provider by its case", "/SAML", func(e *entity) { e.entityID = "https://idp.example.test/SAML" }),
		keptFor("a service", "service", func(e *entity) { e.service = true }),
		taken("another login URL", "a", "metadata_address_changed", func(e *entity) { e.sso = "https://login.example.test/sso" }),
		taken("a login URL for HTTP-POST too", "a", "metadata_address_changed", func(e *entity) {
			e.services = `<SingleSignOnService Binding="` + bindings + `HTTP-POST" Location="https://idp.example.test/post"/>`
		}),
		taken("another logout URL", "a", "metadata_address_changed", func(e *entity) { e.services = logoutAt("HTTP-Redirect", "") }),
		taken("a logout URL for HTTP-POST", "a", "metadata_address_changed", func(e *entity) { e.services = logoutAt("HTTP-POST", "") }),
		taken("a logout URL for SOAP", "a", "metadata_address_changed", func(e *entity) { e.services = logoutAt("SOAP", "") }),
		taken("logout URLs for requests and answers", "a", "metadata_address_changed metadata_address_changed",
			func(e *entity) {
				e.services = logoutAt("HTTP-POST", ` ResponseLocation="https://idp.example.test/answers"`)
			}),
		keptFor("a login URL without TLS", "not https", func(e *entity) { e.sso = "http://idp.example.test/sso" }),
		taken("a login URL without TLS, if that is allowed", "a", "metadata_address_changed", func(e *entity) { e.sso = "http://idp.example.test/sso" }).
			under(func(_ *ring, c *saml.MetadataSourceConfig) { c.InsecureAllowHTTP = true }),
		taken("signed requests are wanted", "a", "", func(e *entity) { e.wantsSigned = true }),
		{name: "a collection", document: among(24*time.Hour, 5, nil), first: "a", refresh: "a"},
		{name: "a collection, and nobody says whom", document: among(24*time.Hour, 5, nil), refresh: "a", seen: "",
			change: noEntityID},
		kept("a collection that is too large", "Metadata Query", nil, func(r *ring) string {
			return collection("", r.xml(with(nil)), "<!-- "+strings.Repeat("x", 7<<20)+" -->")
		}),
		kept("a collection without it", "does not have", nil, func(r *ring) string { return collection("", r.crowd(5)...) }).
			as(saml.MetadataEntityGone),
		kept("a collection with it twice", "2 times", nil, among(24*time.Hour, 0, nil)).withTwice(),
	}
}

// withTwice makes the document a collection with two of the same name and different keys.
func (row metadataRow) withTwice() metadataRow {
	row.document = func(r *ring) string {
		return collection("", r.xml(with(nil)), r.xml(with(func(e *entity) { e.id, e.signing = "_2", []string{"c"} })))
	}
	return row
}

// pinnedTable is metadataTable for a source that has the public key of fed1 pinned.
func pinnedTable() []metadataRow {
	pin := func(names ...string) func(*ring, *saml.MetadataSourceConfig) {
		return func(r *ring, c *saml.MetadataSourceConfig) { c.SignedBy = r.pins(names...) }
	}
	by := func(key string, change func(*entity)) func(*ring) string {
		return func(r *ring) string { return r.signed(key, r.xml(with(change))) }
	}
	broken := func(r *ring) string { return strings.Replace(by("fed1", nil)(r), ringSSO, ringSSO+"?x", 1) }
	one := pin("fed1")
	return []metadataRow{
		{name: "signed", document: by("fed1", nil), first: "a", refresh: "a", change: one},
		{name: "signed, in a new certificate", document: by("fed1-renewed", nil), first: "a", refresh: "a", change: one},
		{name: "pinned in a certificate that is over", document: by("fed1", nil), first: "a", refresh: "a", change: pin("fed1-expired")},
		{name: "a signed collection", first: "a", refresh: "a", change: one, document: func(r *ring) string {
			return r.signed("fed1", collection(in(24*time.Hour), append(r.crowd(3), r.xml(with(func(e *entity) { e.id = "_2" })))...))
		}},
		{name: "signed, another key", document: by("fed1", func(e *entity) { e.signing = []string{"b"} }), first: "b", refresh: "b",
			seen: "metadata_key_added metadata_key_removed", change: one},
		kept("signed with the next key", "none of the pinned keys", nil, by("fed2", func(e *entity) { e.signing = []string{"a", "b"} })).under(one),
		{name: "signed with the next key, which is pinned too", document: by("fed2", func(e *entity) { e.signing = []string{"a", "b"} }),
			first: "a,b", refresh: "a,b", seen: "metadata_key_added", change: pin("fed1", "fed2")},
		kept("signed with its own key", "none of the pinned keys", nil, by("a", nil)).under(one),
		kept("changed after it was signed", "changed after", nil, broken).under(one),
		kept("another one is signed", "not signed", nil, func(r *ring) string {
			inner := r.signed("fed1", r.xml(with(func(e *entity) { e.entityID = ringOtherID })))
			return collection("", inner, r.xml(with(func(e *entity) { e.id, e.signing = "_2", []string{"c"} })))
		}).under(one),
		kept("not signed", "not signed", nil, func(r *ring) string { return r.xml(with(nil)) }).under(one),
		kept("a signed collection without it", "does not have", nil, func(r *ring) string { return r.signed("fed1", collection("", r.crowd(3)...)) }).
			under(one).as(saml.MetadataEntityGone),
	}
}

// TestMetadataTable walks the table twice: once for a source that has nothing, and once for one that
// keeps the good document.
func TestMetadataTable(t *testing.T) {
	rows := append(metadataTable(), pinnedTable()...)
	rows = append(rows, metadataRow{name: "changed after it was signed, no key is pinned", first: "a", refresh: "a",
		document: func(r *ring) string {
			return strings.Replace(r.signed("fed1", r.xml(with(nil))), `ID="_1"`, `ID="_1" validUntil="`+in(24*time.Hour)+`"`, 1)
		}})
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			withMetadataHouse(t, func(_ *testing.T, h *metadataHouse) { row.walk(h, false) })
			withMetadataHouse(t, func(_ *testing.T, h *metadataHouse) { row.walk(h, true) })
		})
	}
}

func (row metadataRow) walk(h *metadataHouse, refreshed bool) {
	h.t.Helper()
	change := func(c *saml.MetadataSourceConfig) {
		if row.change != nil {
			row.change(h.ring, c)
		}
	}
	good := h.xml(with(nil))
	if row.change != nil { // what passes whatever the row asks for
		good = h.signed("fed1", h.xml(with(func(e *entity) { e.validUntil = in(7 * 24 * time.Hour) })))
	}
	document := good
	if row.document != nil {
		document = row.document(h.ring)
	}
	play := func() {
		h.server.Serve([]byte(document))
		h.server.Fail(row.fault)
	}
	trust := func(c *saml.Config) { c.InsecureAllowHTTP = true }
	if !refreshed {
		play()
		s := h.source(change)
		want := row.first
		if want == "" {
			want = string(saml.CodeMetadataUnavailable)
		}
		if got := h.trusts(s, trust); got != want {
			h.t.Errorf("first: trusts %q, want %q: %v", got, want, s.Health())
		}
		row.wantReason(h, s, row.first == "")
		return
	}
	h.server.Serve([]byte(good))
	s := h.source(change)
	if got := h.trusts(s, trust); got != "a" {
		h.t.Fatalf("before: trusts %q: %v", got, s.Health())
	}
	h.told()
	play()
	h.next(s)
	want := row.refresh
	if want == "" {
		want = "a"
	}
	if got := h.trusts(s, trust); got != want {
		h.t.Errorf("refresh: trusts %q, want %q: %v", got, want, s.Status().Failure)
	}
	if row.refresh != "" {
		if got := kinds(h.told()); got != row.seen {
			h.t.Errorf("events %q, want %q", got, row.seen)
		}
		return
	}
	row.wantReason(h, s, true)
}

// wantReason looks for the one event of a look that failed, or for none.
func (row metadataRow) wantReason(h *metadataHouse, s *saml.MetadataSource, fails bool) {
	h.t.Helper()
	var failed []saml.Event
	for _, e := range h.told() {
		if e.Err != nil {
			failed = append(failed, e)
		}
	}
	if !fails {
		if status := s.Status(); status.Failure != nil || status.ReadAt.IsZero() {
			h.t.Errorf("got %+v, want a good look", status)
		}
		return
	}
	kind := row.kind
	if kind == "" {
		kind = saml.MetadataLookFailed
	}
	if len(failed) != 1 || failed[0].Kind != kind {
		h.t.Fatalf("events %q, want one %s", kinds(failed), kind)
	}
	e := failed[0]
	if said := e.Metadata.Message + " " + e.Err.Got + " " + e.Err.Want + " " + e.Err.Hint; !strings.Contains(said, row.seen) || e.Err.Hint == "" {
		h.t.Errorf("the event says %q, hint %q, want %q", said, e.Err.Hint, row.seen)
	}
	if s.Status().Failure == nil {
		h.t.Error("Status knows of no failure")
	}
}
