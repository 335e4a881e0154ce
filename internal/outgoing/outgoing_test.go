package outgoing

import (
	"testing"
	"time"

	"github.com/beevik/etree"
	crewjam "github.com/crewjam/saml"
)

// byCrewjam is the request as crewjam/saml writes it.
func byCrewjam(t testing.TB, r AuthnRequest) string {
	t.Helper()
	request := crewjam.AuthnRequest{
		ID:                          r.ID,
		Version:                     "2.0",
		IssueInstant:                r.IssueInstant.UTC(),
		Destination:                 r.Destination,
		Issuer:                      &crewjam.Issuer{Value: r.EntityID},
		AssertionConsumerServiceURL: r.RedirectURL,
		ProtocolBinding:             crewjam.HTTPPostBinding,
	}
	if r.ForceAuthn {
		request.ForceAuthn = &r.ForceAuthn
	}
	if r.IsPassive {
		request.IsPassive = &r.IsPassive
	}
	if len(r.Contexts) > 0 {
		request.RequestedAuthnContext = &crewjam.RequestedAuthnContext{Comparison: "exact", AuthnContextClassRefs: r.Contexts}
	}
	doc := etree.NewDocument()
	doc.SetRoot(request.Element())
	document, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func checkRequest(t *testing.T, r AuthnRequest) {
	t.Helper()
	got, err := r.XML()
	if want := byCrewjam(t, r); err != nil || string(got) != want {
		t.Errorf("%+v:\ngot  %q, %v\nwant %q", r, got, err, want)
	}
}

// TestRequestIsThatOfCrewjam: each part with and without, each character in each place.
func TestRequestIsThatOfCrewjam(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))
	usual := AuthnRequest{ID: "_0123", IssueInstant: at, Destination: "https://idp.example.com/sso?a=b&c=d",
		RedirectURL: "https://sp.example.com/acs", EntityID: "https://sp.example.com/acs"}
	for _, fraction := range []time.Duration{0, 1, time.Millisecond, 120 * time.Millisecond, 999999999} {
		for flags := range 8 {
			r := usual
			r.IssueInstant = at.Add(fraction)
			r.ForceAuthn, r.IsPassive = flags&1 != 0, flags&2 != 0
			if flags&4 != 0 {
				r.Contexts = []string{"urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "a&b"}
			}
			checkRequest(t, r)
		}
	}
	values := []string{"", "ä€😀", "\xff\xfea", "\xed\xa0\x80", "\ufffd\ufffe\uffff\ufdd0", "a]]>b"}
	for c := range 256 {
		values = append(values, "a"+string([]byte{byte(c)})+"b", "a"+string(rune(c))+"b")
	}
	for _, v := range values {
		checkRequest(t, AuthnRequest{ID: v, IssueInstant: at, Destination: v, RedirectURL: v, EntityID: "e" + v, Contexts: []string{"c" + v, v + "c"}})
	}
}

// FuzzRequest: whatever the values are, the request is that of crewjam/saml.
func FuzzRequest(f *testing.F) {
	f.Add("_0", "https://idp.example.com/", "https://sp.example.com/acs", "urn:sp", "urn:class", int64(0))
	f.Add("\"", "<", "&", "'>", "\x00\xff\u2028", int64(1))
	f.Fuzz(func(t *testing.T, id, destination, redirect, entityID, class string, nanoseconds int64) {
		if entityID == "" || class == "" { // an empty element has two spellings
			return
		}
		checkRequest(t, AuthnRequest{ID: id, IssueInstant: time.Unix(0, nanoseconds), Destination: destination, RedirectURL: redirect, EntityID: entityID,
			Contexts: []string{class}})
	})
}

// TestRequestTakesOneBuffer: there is room for the usual request.
func TestRequestTakesOneBuffer(t *testing.T) {
	r := AuthnRequest{ID: "_0123456789abcdef0123456789abcdef", IssueInstant: time.Unix(1, 1e6), Destination: "https://idp.example.com/sso",
		RedirectURL: "https://sp.example.com/acs", EntityID: "https://sp.example.com/acs"}
	if n := testing.AllocsPerRun(100, func() { r.XML() }); n > 1 {
		t.Errorf("got %v allocations, want 1", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	r := AuthnRequest{ID: "_0123456789abcdef0123456789abcdef", IssueInstant: time.Unix(1, 1e6), Destination: "https://idp.example.com/sso",
		RedirectURL: "https://sp.example.com/acs", EntityID: "https://sp.example.com/acs"}
	for b.Loop() {
		r.XML()
	}
}
