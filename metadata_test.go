package saml

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// metadataFixture is the description of a real metadata document (metadata/*.json).
type metadataFixture struct {
	File       string
	Expect     string // parse..., refuse..., aggregate
	EntityIDs  []string
	ValidUntil *time.Time
	Signatures []struct{ On, XMLSec1 string }
	IdPs       []struct {
		Keys []struct {
			SHA256, SHA1, Subject, Use string
			NotBefore, NotAfter        time.Time
		}
		SingleSignOn, SingleLogout []struct{ Binding, Location string }
		WantAuthnRequestsSigned    any
	}
}

// metadataRefusals are the documents that are refused, and why.
var metadataRefusals = map[string]Code{
	"entra-1.xml":         CodeMetadataTenant, // {tenantid}
	"entra-7.xml":         CodeMetadataTenant,
	"google-4.xml":        CodeXMLDeclaration, // behind a comment; it has no usable login URL either
	"google-5.xml":        CodeXMLDeclaration, // likewise, and no entity ID
	"nested-1.xml":        CodeMetadataAggregate,
	"shibboleth-1.xml":    CodeMetadataAggregate, // it needs WithEntityID
	"simplesamlphp-2.xml": CodeNamespace,
	"sponly-1.xml":        CodeMetadataRole,
}

func TestRealMetadata(t *testing.T) {
	for _, name := range listFixtures(t, "metadata/*.json") {
		var f metadataFixture
		readFixtureJSON(t, name, &f)
		document := readFixture(t, "metadata/"+f.File)
		idp, err := ParseMetadata(document)
		if want, refused := metadataRefusals[f.File]; refused {
			t.Logf("%-20s refused: %v", f.File, err)
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %s", f.File, err, string(want))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", f.File, err)
			continue
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		t.Logf("%-20s %s, %d keys, warnings %v", f.File, idp.EntityID(), len(idp.Keys()), codesOf(idp.Warnings(now)))
		f.compare(t, idp)
	}
}

// compare holds what was read against what other tools read in the same document.
func (f *metadataFixture) compare(t *testing.T, idp *IdentityProvider) {
	t.Helper()
	want := f.IdPs[0]
	if idp.EntityID() != f.EntityIDs[0] {
		t.Errorf("%s: entity ID %q, want %q", f.File, idp.EntityID(), f.EntityIDs[0])
	}
	if got := idp.LoginURL(); got != location(want.SingleSignOn, "HTTP-Redirect", "HTTP-POST") {
		t.Errorf("%s: login URL %q", f.File, got)
	}
	if got := idp.LogoutURL(); got != location(want.SingleLogout, "HTTP-Redirect") {
		t.Errorf("%s: logout URL %q", f.File, got)
	}
	var keys []string
	for _, k := range want.Keys {
		if k.Use != "encryption" && !slices.Contains(keys, k.SHA256) {
			keys = append(keys, k.SHA256)
		}
	}
	var got []string
	for _, k := range idp.Keys() {
		got = append(got, strings.ToLower(k.SHA256()))
		for _, w := range want.Keys {
			if w.SHA256 == strings.ToLower(k.SHA256()) && (!k.NotBefore().Equal(w.NotBefore) || !k.NotAfter().Equal(w.NotAfter) || !strings.EqualFold(k.SHA1(), w.SHA1)) {
				t.Errorf("%s: certificate %s reads as %s to %s, want %s to %s", f.File, k.SHA1(), k.NotBefore(), k.NotAfter(), w.NotBefore, w.NotAfter)
			}
		}
	}
	if !slices.Equal(got, keys) {
		t.Errorf("%s: keys %v, want %v", f.File, got, keys)
	}
	if until := f.ValidUntil; until != nil && !idp.ValidUntil().Equal(*until) || until == nil && !idp.ValidUntil().IsZero() {
		t.Errorf("%s: valid until %s, want %v", f.File, idp.ValidUntil(), until)
	}
	broken := slices.ContainsFunc(f.Signatures, func(s struct{ On, XMLSec1 string }) bool { return s.XMLSec1 != "OK" })
	if got := slices.Contains(codesOf(idp.Warnings(time.Time{})), "signature_broken"); got != broken {
		t.Errorf("%s: signature_broken %t, want %t", f.File, got, broken)
	}
}

func location(list []struct{ Binding, Location string }, bindings ...string) string {
	for _, b := range bindings {
		for _, e := range list {
			if e.Binding == b {
				return e.Location
			}
		}
	}
	return ""
}

func codesOf(warnings []Warning) (codes []string) {
	for _, w := range warnings {
		codes = append(codes, w.Code)
	}
	return codes
}
