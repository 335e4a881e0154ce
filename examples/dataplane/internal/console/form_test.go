package console

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
	"github.com/iomete/saml/samltest"
)

// TestSourcesAreNotMixed: metadata behind other text is not read for its certificate alone, which
// would stand beside the entity ID and the login URL of before; an X509Certificate element is a
// certificate.
func TestSourcesAreNotMixed(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	metadata, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(idp.CertificatePEM()), "\n")
	base64, _, _ := strings.Cut(rest, "-----END")
	element := `<ds:X509Certificate xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + base64 + `</ds:X509Certificate>`
	for name, test := range map[string]struct {
		text              string
		refused, replaced bool
	}{
		"metadata":                    {string(metadata), false, true},
		"metadata behind other text":  {"Dear administrator, this is our metadata:\n" + string(metadata), true, false},
		"a certificate":               {string(idp.CertificatePEM()), false, true},
		"an X509Certificate element":  {element, false, true},
		"another element, and no key": {"<a/>", true, false},
	} {
		f := &form{EntityID: "https://old.example/idp", LoginURL: "https://old.example/sso", Certificate: "old"}
		f.fill([]byte(test.text), fieldSource)
		if refused := len(f.problems) > 0; refused != test.refused || (f.Certificate != "old") != test.replaced {
			t.Errorf("%s: got problems %v and the certificate %.40q", name, f.problems, f.Certificate)
		}
		if whole := f.EntityID == idp.EntityID(); name == "metadata" && !whole {
			t.Errorf("%s: got entity ID %s", name, f.EntityID)
		}
	}
}

func testConsole(t *testing.T) *Console {
	t.Helper()
	db, err := storage.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "console.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c, err := New(Config{DB: db, BaseURL: "https://console.example.com", Keys: [][]byte{saml.NewStateKey()},
		Administrator: "admin", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// postOnly is metadata of idp without its address for HTTP-Redirect.
func postOnly(t *testing.T, idp *samltest.IdentityProvider) string {
	t.Helper()
	metadata, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	redirect := regexp.MustCompile(`<(?:\w+:)?SingleSignOnService [^>]*HTTP-Redirect[^>]*(?:/>|></(?:\w+:)?SingleSignOnService>)`)
	post := strings.Replace(redirect.FindString(string(metadata)), "HTTP-Redirect", "HTTP-POST", 1)
	without := regexp.MustCompile(`<(?:\w+:)?SingleSignOnService [^>]*(?:/>|></(?:\w+:)?SingleSignOnService>)`).ReplaceAllString(string(metadata), "")
	end := regexp.MustCompile(`</(?:\w+:)?IDPSSODescriptor>`).FindString(without)
	if post == "" || end == "" {
		t.Fatalf("the metadata is of another form: %s", metadata)
	}
	return strings.Replace(without, end, post+end, 1)
}

// detailed is metadata of idp that says as much as it can beside the three fields.
func detailed(t *testing.T, idp *samltest.IdentityProvider) string {
	t.Helper()
	all := strings.Replace(postOnly(t, idp), "<IDPSSODescriptor", `<IDPSSODescriptor WantAuthnRequestsSigned="true"`, 1)
	parsed, err := saml.ParseMetadata([]byte(all))
	if err != nil || !parsed.WantsSignedRequests() || parsed.LogoutURL() != idp.LogoutURL() || !parsed.LoginIsPOSTOnly() {
		t.Fatalf("the metadata is of another form: %v, %s", err, all)
	}
	return all
}

// TestEditedFieldsKeepTheDetails: what metadata alone says (that logins go by HTTP-POST alone, that they
// must be signed, where to sign out) stays when an administrator changes a field that it does not
// belong to, also when the settings are read again from the database.
func TestEditedFieldsKeepTheDetails(t *testing.T) {
	t.Parallel()
	idp, other := samltest.MustNew(t, samltest.Options{}), samltest.MustNew(t, samltest.Options{})
	c := testConsole(t)
	for name, test := range map[string]struct {
		edit   func(f *form)
		post   bool // of the login URL
		rest   bool // of the entity ID: signed requests, and the address to sign out
		edited bool
	}{
		"nothing is changed":    {func(f *form) {}, true, true, false},
		"the certificate":       {func(f *form) { f.Certificate = string(other.CertificatePEM()) }, true, true, true},
		"the certificate, read": {func(f *form) { f.fill(other.CertificatePEM(), fieldSource) }, true, true, true},
		"another one besides":   {func(f *form) { f.Certificate += string(other.CertificatePEM()) }, true, true, true},
		"the entity ID":         {func(f *form) { f.EntityID = "https://sso.example.com/metadata" }, true, false, true},
		"the login URL":         {func(f *form) { f.LoginURL = "https://sso.example.com/sso" }, false, true, true},
		"the certificate and the login URL": {func(f *form) {
			f.LoginURL, f.Certificate = "https://sso.example.com/sso", string(other.CertificatePEM())
		}, false, true, true},
		"entity ID and login URL": {func(f *form) {
			f.EntityID, f.LoginURL = "https://sso.example.com/metadata", "https://sso.example.com/sso"
		}, false, false, true},
		"the certificate, and back": {func(f *form) {
			before := f.Certificate
			f.Certificate = string(other.CertificatePEM())
			s, _ := c.settings(f)
			*f = *fromSettings(&storage.State{Saved: &storage.Revision{Settings: s}})
			f.Certificate = before
		}, true, true, false},
		"metadata as certificate": {func(f *form) {
			f.Document, f.Certificate = nil, detailed(t, idp)
		}, true, true, false},
		"metadata of another one": {func(f *form) {
			metadata, err := other.Metadata()
			if err != nil {
				t.Error(err)
			}
			f.fill(metadata, fieldSource)
		}, false, false, false},
	} {
		f := &form{}
		f.fill([]byte(detailed(t, idp)), fieldSource)
		test.edit(f)
		s, read := c.settings(f)
		if read == nil {
			t.Errorf("%s: got problems %v", name, f.problems)
			continue
		}
		again, err := identityProvider(s)
		if err != nil {
			t.Errorf("%s: read again: %v", name, err)
			continue
		}
		for what, got := range map[string]*saml.IdentityProvider{"entered": read, "read again": again} {
			if got.LoginIsPOSTOnly() != test.post || got.EntityID() != f.EntityID || got.LoginURL() != f.LoginURL ||
				pemOf(got.Keys()) != f.Certificate {
				t.Errorf("%s, %s: got %s, %s, by POST %t, %d keys", name, what, got.EntityID(), got.LoginURL(),
					got.LoginIsPOSTOnly(), len(got.Keys()))
			}
			if got.WantsSignedRequests() != test.rest || (got.LogoutURL() == idp.LogoutURL()) != test.rest {
				t.Errorf("%s, %s: wants signed requests %t, signs out at %q, want %t", name, what,
					got.WantsSignedRequests(), got.LogoutURL(), test.rest)
			}
		}
		if p := c.newPreview(read, nil, s, nil); p.ByPOST != test.post || p.FromMetadata == test.edited {
			t.Errorf("%s: the preview says by POST %t, from metadata %t", name, p.ByPOST, p.FromMetadata)
		}
		// the form of the saved settings means the same
		shown := fromSettings(&storage.State{Saved: &storage.Revision{Settings: s}})
		if resaved, _ := c.settings(shown); resaved != s {
			t.Errorf("%s: saved again without a change, the settings differ", name)
		}
	}
}

// TestSettingsInUseAreThoseThatAreShown: what was read last time does not come back with fields of
// another identity provider, whatever was typed where.
func TestSettingsInUseAreThoseThatAreShown(t *testing.T) {
	t.Parallel()
	a, b := samltest.MustNew(t, samltest.Options{}), samltest.MustNew(t, samltest.Options{})
	c := testConsole(t)
	metadata, err := a.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	signedRequests := strings.Replace(string(metadata), "<IDPSSODescriptor", `<IDPSSODescriptor WantAuthnRequestsSigned="true"`, 1)
	if signedRequests == string(metadata) {
		t.Fatal("the metadata has no IDPSSODescriptor")
	}
	for name, test := range map[string]struct {
		before, entityID, loginURL, certificate string
		refused, signed                         bool
	}{
		"by POST, with text around, after one by redirect": {string(metadata), b.EntityID(), b.LoginURL(), "Hello:\n" + postOnly(t, b), true, false},
		"by POST, with text around, after one by POST":     {postOnly(t, a), b.EntityID(), b.LoginURL(), "Hello:\n" + postOnly(t, b), true, false},
		"by POST, after one by redirect":                   {string(metadata), b.EntityID(), b.LoginURL(), postOnly(t, b), false, false},
		"certificates alone":                               {postOnly(t, a), b.EntityID(), b.LoginURL(), string(b.CertificatePEM()), false, false},
		"metadata that wants signed requests":              {string(metadata), a.EntityID(), a.LoginURL(), signedRequests, false, true},
	} {
		f := &form{}
		f.fill([]byte(test.before), fieldSource)
		s, _ := c.settings(f)
		f = fromSettings(&storage.State{Saved: &storage.Revision{Settings: s}})
		f.EntityID, f.LoginURL, f.Certificate = test.entityID, test.loginURL, test.certificate
		s, shown := c.settings(f)
		if test.refused {
			if shown != nil || string(f.Document) != test.before {
				t.Errorf("%s: got %v, and the document %.60q; want a refusal, and the one of before", name, shown, f.Document)
			}
			continue
		}
		if shown == nil {
			t.Errorf("%s: refused: %v", name, f.problems)
			continue
		}
		used, err := identityProvider(s)
		if err != nil || used.EntityID() != test.entityID || used.LoginURL() != test.loginURL || !sameKeys(used.Keys(), shown.Keys()) ||
			used.LoginIsPOSTOnly() != shown.LoginIsPOSTOnly() || shown.WantsSignedRequests() != test.signed || used.WantsSignedRequests() != test.signed {
			t.Errorf("%s: shown %s at %s by POST %t, in use %s at %s by POST %t, %v", name, shown.EntityID(), shown.LoginURL(), shown.LoginIsPOSTOnly(),
				used.EntityID(), used.LoginURL(), used.LoginIsPOSTOnly(), err)
		}
	}
}

// TestEditedFieldsKeepTheKeys: which certificates belong to an authority is said by the groups of the
// metadata. A change of another field does not change it.
func TestEditedFieldsKeepTheKeys(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string, isCA bool) []byte {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: isCA,
			NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(2, 0, 0)}
		parent, public := *template, &key.PublicKey
		if parent.Subject.CommonName = "ca"; !isCA {
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			public = &other.PublicKey
		}
		der, err := x509.CreateCertificate(rand.Reader, template, &parent, public, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	ca, leaf := issue("ca", true), issue("leaf", false)
	element := func(der []byte) string {
		return `<d:X509Certificate>` + base64.StdEncoding.EncodeToString(der) + `</d:X509Certificate>`
	}
	descriptor := func(elements string) string {
		return `<KeyDescriptor><d:KeyInfo><d:X509Data>` + elements + `</d:X509Data></d:KeyInfo></KeyDescriptor>`
	}
	c := testConsole(t)
	for name, test := range map[string]struct {
		keys   string
		usable int
	}{
		"an authority beside one that cannot be read, and another key": {descriptor(element(ca)+element(leaf[:100])) + descriptor(element(issue("one", false))), 1},
		"an authority and its certificate, each in a KeyDescriptor":    {descriptor(element(ca)) + descriptor(element(leaf)), 2},
		"an authority beside its certificate":                          {descriptor(element(ca) + element(leaf)), 1},
	} {
		f := &form{}
		f.fill([]byte(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:d="http://www.w3.org/2000/09/xmldsig#" entityID="https://idp.example.com/">`+
			`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">`+test.keys+
			`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>`+
			`</IDPSSODescriptor></EntityDescriptor>`), fieldSource)
		f.LoginURL = "https://idp.example.com/other"
		s, shown := c.settings(f)
		if shown == nil {
			t.Errorf("%s: refused: %v", name, f.problems)
			continue
		}
		used, err := identityProvider(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for what, idp := range map[string]*saml.IdentityProvider{"shown": shown, "in use": used} {
			usable := 0
			for _, k := range idp.Keys() {
				if k.Usable() == nil {
					usable++
				}
			}
			if usable != test.usable || idp.LoginURL() != f.LoginURL {
				t.Errorf("%s, %s: %d keys can be used, want %d; login URL %s", name, what, usable, test.usable, idp.LoginURL())
			}
		}
	}
}

// TestCollectionOfIdentityProviders: the field Entity ID picks one of several, for good. Without it
// the message lists them and says where to type which.
func TestCollectionOfIdentityProviders(t *testing.T) {
	t.Parallel()
	one, two := samltest.MustNew(t, samltest.Options{}), samltest.MustNew(t, samltest.Options{})
	var parts strings.Builder
	for _, idp := range []*samltest.IdentityProvider{one, two} {
		metadata, err := idp.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		text := string(metadata)
		if _, after, ok := strings.Cut(text, "?>"); ok {
			text = after
		}
		parts.WriteString(text)
	}
	collection := fmt.Sprintf(`<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">%s</EntitiesDescriptor>`, parts.String())
	for _, entityID := range []string{"", "https://old.example/idp"} {
		f := &form{EntityID: entityID}
		f.fill([]byte(collection), fieldSource)
		if p := f.problems[fieldSource]; len(p) != 1 || !strings.Contains(p[0].Message, one.EntityID()) ||
			!strings.Contains(p[0].Message, two.EntityID()) || !strings.Contains(p[0].Hint, "into the field Entity ID") || f.Document != nil {
			t.Errorf("with the entity ID %q: got %+v", entityID, p)
		}
	}
	c := testConsole(t)
	for _, idp := range []*samltest.IdentityProvider{one, two} {
		f := &form{EntityID: idp.EntityID()}
		f.fill([]byte(collection), fieldSource)
		s, read := c.settings(f)
		if read == nil || s.Document != collection || !isFromMetadata(s) {
			t.Errorf("named: got problems %v and %d bytes of document", f.problems, len(s.Document))
			continue
		}
		block, _ := pem.Decode(idp.CertificatePEM())
		again, err := identityProvider(s)
		if err != nil || again.EntityID() != idp.EntityID() || string(again.Keys()[0].DER()) != string(block.Bytes) {
			t.Errorf("named, read again: got %v, %v", again, err)
		}
	}
}

// TestPOSTOnlyMetadataInText: what could not be kept is refused.
func TestPOSTOnlyMetadataInText(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	f := &form{EntityID: idp.EntityID(), LoginURL: idp.LoginURL(), Certificate: "Hello,\n" + postOnly(t, idp)}
	_, read := testConsole(t).settings(f)
	if p := f.problems[fieldCertificate]; read != nil || len(p) != 1 || !strings.Contains(p[0].Message, "HTTP-POST alone") {
		t.Errorf("got %v and problems %v", read, f.problems)
	}
}

// TestWordsWithoutProduct: while nothing says whose identity provider it is, no product is named.
func TestWordsWithoutProduct(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(f *form){
		"a file that is too large": func(f *form) { f.tooLarge("file", true) },
		"no address to fetch":      func(f *form) { (&Console{}).fetch(t.Context(), f) },
		"nothing is filled in":     func(f *form) { (&Console{}).settings(f) },
	} {
		f := &form{}
		act(f)
		if len(f.problems) != 1 {
			t.Errorf("%s: got %v, want one problem", name, f.problems)
		}
		for _, list := range f.problems {
			if list[0].Hint == "" || regexp.MustCompile(`In Entra|Enterprise application`).MatchString(list[0].Message+list[0].Hint) {
				t.Errorf("%s: got %+v", name, list[0])
			}
		}
	}
}
