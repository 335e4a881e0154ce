package console

import (
	"encoding/pem"
	"fmt"
	"log/slog"
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

// TestEditedFieldsKeepTheBinding: that an identity provider takes HTTP-POST alone is in its metadata
// only. It stays so when an administrator changes another field than the login URL, also when the
// settings are read again from the database.
func TestEditedFieldsKeepTheBinding(t *testing.T) {
	t.Parallel()
	idp, other := samltest.MustNew(t, samltest.Options{}), samltest.MustNew(t, samltest.Options{})
	c := testConsole(t)
	for name, test := range map[string]struct {
		edit         func(f *form)
		post, edited bool
	}{
		"nothing is changed":    {func(f *form) {}, true, false},
		"the certificate":       {func(f *form) { f.Certificate = string(other.CertificatePEM()) }, true, true},
		"the certificate, read": {func(f *form) { f.fill(other.CertificatePEM(), fieldSource) }, true, true},
		"another one besides":   {func(f *form) { f.Certificate += string(other.CertificatePEM()) }, true, true},
		"the entity ID":         {func(f *form) { f.EntityID = "https://sso.example.com/metadata" }, true, true},
		"the login URL":         {func(f *form) { f.LoginURL = "https://sso.example.com/sso" }, false, true},
		"metadata as certificate": {func(f *form) {
			f.Document, f.Certificate = nil, postOnly(t, idp)
		}, true, false},
		"metadata of another one": {func(f *form) {
			metadata, err := other.Metadata()
			if err != nil {
				t.Error(err)
			}
			f.fill(metadata, fieldSource)
		}, false, false},
	} {
		f := &form{}
		f.fill([]byte(postOnly(t, idp)), fieldSource)
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
		}
		if p := c.newPreview(read, nil, isFromMetadata(s)); p.ByPOST != test.post || p.FromMetadata == test.edited {
			t.Errorf("%s: the preview says by POST %t, from metadata %t", name, p.ByPOST, p.FromMetadata)
		}
		// the form of the saved settings means the same
		shown := fromSettings(&storage.State{Saved: &storage.Revision{Settings: s}})
		if resaved, _ := c.settings(shown); resaved != s {
			t.Errorf("%s: saved again without a change, the settings differ", name)
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
