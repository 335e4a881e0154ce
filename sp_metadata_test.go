package saml_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	crewjam "github.com/crewjam/saml"

	"github.com/iomete/saml"
)

// readMetadata reads our metadata as crewjam/saml does.
func readMetadata(t *testing.T, document []byte) (e crewjam.EntityDescriptor, role crewjam.SPSSODescriptor) {
	t.Helper()
	if err := xml.Unmarshal(document, &e); err != nil {
		t.Fatal(err)
	}
	return e, e.SPSSODescriptors[0]
}

// TestMetadataFollowsTheConfig: each certificate once and with its use, whether requests are
// signed, and the form of the NameID.
func TestMetadataFollowsTheConfig(t *testing.T) {
	key, der := signingKey(t)
	next, former := certificateFor(t, ecdsaKey(t, elliptic.P384())), certificateFor(t, key)
	_, inner := signingKey(t)
	const email = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	for name, test := range map[string]struct {
		change  func(*saml.Config)
		signs   bool
		formats string
		keys    []string // use and certificate
	}{
		"no keys":    {func(*saml.Config) {}, false, email, nil},
		"any NameID": {func(c *saml.Config) { c.NameID = saml.AllowAnyNameID }, false, "", nil},
		"a key, and two certificates of other ones": {func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate = key, der
			c.FurtherSigningCertificates = [][]byte{next, der, former, next}
		}, true, email, []string{use("signing", der), use("signing", next), use("signing", former)}},
		"announced, but not used yet": {func(c *saml.Config) { c.FurtherSigningCertificates = [][]byte{next} }, false, email,
			[]string{use("signing", next)}},
		"one certificate to sign and to decrypt": {func(c *saml.Config) {
			c.SigningKey, c.SigningCertificate = key, der
			decrypter := key.(crypto.Decrypter)
			c.DecryptionKeys = []saml.DecryptionKey{{Key: decrypter, Certificate: der}, {Key: decrypter, Certificate: inner},
				{Key: decrypter, Certificate: der}}
		}, true, email, []string{use("signing", der), use("encryption", der), use("encryption", inner)}},
	} {
		document, err := newHouse(t, test.change).sp.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		_, role := readMetadata(t, document)
		var keys, formats []string
		for _, k := range role.KeyDescriptors {
			keys = append(keys, k.Use+" "+k.KeyInfo.X509Data.X509Certificates[0].Data)
		}
		for _, f := range role.NameIDFormats {
			formats = append(formats, string(f))
		}
		if !slices.Equal(keys, test.keys) || strings.Join(formats, " ") != test.formats || *role.AuthnRequestsSigned != test.signs ||
			!*role.WantAssertionsSigned {
			t.Errorf("%s: got keys %q, formats %q, AuthnRequestsSigned %t\nwant %q, %q, %t", name, keys, formats, *role.AuthnRequestsSigned,
				test.keys, test.formats, test.signs)
		}
	}
}

func use(name string, der []byte) string { return name + " " + base64.StdEncoding.EncodeToString(der) }

// TestCertificatesAreCopied: what the caller does with them later changes nothing.
func TestCertificatesAreCopied(t *testing.T) {
	key, der := signingKey(t)
	further, inner := certificateFor(t, key), certificateFor(t, key)
	h := newHouse(t, func(c *saml.Config) {
		c.SigningKey, c.SigningCertificate, c.FurtherSigningCertificates = key, der, [][]byte{further}
		c.DecryptionKeys = []saml.DecryptionKey{{Key: key.(crypto.Decrypter), Certificate: inner}}
	})
	before, err := h.sp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	clear(der)
	clear(further)
	clear(inner)
	if after, err := h.sp.Metadata(); err != nil || !bytes.Equal(before, after) {
		t.Errorf("got another document: %v\n%s", err, after)
	}
}

// everything are options that use every field.
func everything() saml.MetadataOptions {
	return saml.MetadataOptions{ValidFor: 7 * 24 * time.Hour,
		Displays: []saml.MetadataDisplay{
			{Name: "Console", Description: "Data & <tables>.", InformationURL: "https://example.com/about?a=1&b=2",
				PrivacyURL: "https://example.com/privacy"},
			{Language: "de", Name: "Konsole"}},
		Logos: []saml.MetadataLogo{{URL: "https://example.com/logo.png", Width: 80, Height: 60},
			{URL: "data:image/png;base64,iVBORw0KGgo=", Width: 16, Height: 16, Language: "pt-BR"}},
		Organization: []saml.MetadataOrganization{{Name: "Example Inc.", URL: "https://example.com"},
			{Language: "de", Name: "Example Inc.", DisplayName: "Beispiel", URL: "https://example.com/de"}},
		Contacts: []saml.MetadataContact{{GivenName: "Ada", Surname: "Lovelace", Company: "Example", Email: "ada@example.com",
			Phone: "+41 44 000 00 00"}, {Type: "support", Email: "help@example.com"}}}
}

// TestMetadataWithEverything reads back what people are shown, and the end.
func TestMetadataWithEverything(t *testing.T) {
	now := time.Date(2026, 3, 1, 13, 0, 0, 999999999, time.FixedZone("CET", 3600))
	h := newHouse(t, func(c *saml.Config) { c.Now = func() time.Time { return now } })
	document, err := h.sp.Metadata(everything())
	if err != nil {
		t.Fatal(err)
	}
	e, role := readMetadata(t, document)
	if want := time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC); !e.ValidUntil.Equal(want) || e.CacheDuration != 24*time.Hour ||
		!bytes.Contains(document, []byte(` validUntil="2026-03-08T12:00:00Z"`)) {
		t.Errorf("got validUntil %s, cacheDuration %s, want %s", e.ValidUntil, e.CacheDuration, want)
	}
	var shown []string
	for _, x := range role.Extensions.Other[0].Children {
		line := x.XMLName.Local
		for _, a := range x.Attrs {
			line += " " + a.Name.Local + "=" + a.Value
		}
		shown = append(shown, line+" "+x.CharData)
	}
	want := []string{"DisplayName lang=en Console", "Description lang=en Data & <tables>.",
		"InformationURL lang=en https://example.com/about?a=1&b=2", "PrivacyStatementURL lang=en https://example.com/privacy",
		"DisplayName lang=de Konsole", "Logo height=60 width=80 https://example.com/logo.png",
		"Logo height=16 width=16 lang=pt-BR data:image/png;base64,iVBORw0KGgo="}
	if !slices.Equal(shown, want) {
		t.Errorf("got %q\nwant %q", shown, want)
	}
	if got, want := fmt.Sprint(*e.Organization), "{[{en Example Inc.} {de Example Inc.}] [{en Example Inc.} {de Beispiel}] "+
		"[{en https://example.com} {de https://example.com/de}]}"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := fmt.Sprint(e.ContactPersons), "[{technical Example Ada Lovelace [mailto:ada@example.com] [+41 44 000 00 00]} "+
		"{support    [mailto:help@example.com] []}]"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	short, err := h.sp.Metadata(saml.MetadataOptions{ValidFor: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if e, _ := readMetadata(t, short); e.CacheDuration != time.Hour || e.ID != "" {
		t.Errorf("valid for an hour: got cacheDuration %s, ID %q", e.CacheDuration, e.ID)
	}
}

// TestMetadataOptionsThatCannotBeUsed: each fault names its field, and all are reported at once.
func TestMetadataOptionsThatCannotBeUsed(t *testing.T) {
	h := newHouse(t, nil)
	display := func(d saml.MetadataDisplay) saml.MetadataOptions {
		return saml.MetadataOptions{Displays: []saml.MetadataDisplay{d}}
	}
	logo := func(l saml.MetadataLogo) saml.MetadataOptions {
		return saml.MetadataOptions{Logos: []saml.MetadataLogo{l}}
	}
	organization := func(o saml.MetadataOrganization) saml.MetadataOptions {
		return saml.MetadataOptions{Organization: []saml.MetadataOrganization{o}}
	}
	contact := func(c saml.MetadataContact) saml.MetadataOptions {
		return saml.MetadataOptions{Contacts: []saml.MetadataContact{c}}
	}
	for name, test := range map[string]struct {
		options saml.MetadataOptions
		want    string // in the message
	}{
		"signed without a key":    {saml.MetadataOptions{Sign: true}, "MetadataOptions.Sign is set, but there is no key"},
		"seven nanoseconds":       {saml.MetadataOptions{ValidFor: 7}, "MetadataOptions.ValidFor is too short"},
		"an end in the past":      {saml.MetadataOptions{ValidFor: -time.Hour}, "MetadataOptions.ValidFor is too short"},
		"a display without name":  {display(saml.MetadataDisplay{Description: "d"}), "Displays has an entry without Name"},
		"a name of two lines":     {display(saml.MetadataDisplay{Name: "a\nb"}), "Displays has an entry whose Name has a control character"},
		"a noncharacter":          {display(saml.MetadataDisplay{Name: "a\U0001FFFE"}), "Displays has an entry whose Name has a control character"},
		"another":                 {display(saml.MetadataDisplay{Name: "a\uFDD0"}), "Displays has an entry whose Name has a control character"},
		"a name that is no UTF-8": {display(saml.MetadataDisplay{Name: "\xff"}), "Displays has an entry whose Name has a control character"},
		"a long description":      {display(saml.MetadataDisplay{Name: "n", Description: strings.Repeat("d", 1025)}), "Displays has an entry whose Description is too long"},
		"a language in words":     {display(saml.MetadataDisplay{Name: "n", Language: "en US"}), "Displays has an entry whose Language"},
		"one language twice": {saml.MetadataOptions{Displays: []saml.MetadataDisplay{{Name: "a"}, {Name: "b", Language: "EN"}}},
			"Displays has two entries for one Language"},
		"a privacy page of script": {display(saml.MetadataDisplay{Name: "n", PrivacyURL: "javascript:alert(1)"}), "Displays has an entry whose PrivacyURL"},
		"information without host": {display(saml.MetadataDisplay{Name: "n", InformationURL: "/about"}), "Displays has an entry whose InformationURL"},
		"a logo without size":      {logo(saml.MetadataLogo{URL: "https://example.com/l.png", Width: 1}), "Logos has an entry without Width"},
		"a logo on http":           {logo(saml.MetadataLogo{URL: "http://example.com/l.png", Width: 1, Height: 1}), "Logos has an entry whose URL"},
		"a logo that is a page":    {logo(saml.MetadataLogo{URL: "data:text/html,x", Width: 1, Height: 1}), "Logos has an entry whose URL"},
		"a logo of 65 KiB": {logo(saml.MetadataLogo{URL: "data:image/png," + strings.Repeat("x", 65<<10), Width: 1, Height: 1}),
			"Logos has an entry whose URL"},
		"a logo in no language":        {logo(saml.MetadataLogo{URL: "https://e.com/l", Width: 1, Height: 1, Language: "!"}), "Logos has an entry whose Language"},
		"an organization without page": {organization(saml.MetadataOrganization{Name: "n"}), "Organization has an entry whose URL"},
		"an organization without name": {organization(saml.MetadataOrganization{URL: "https://example.com"}), "Organization has an entry without Name"},
		"a contact of a new kind":      {contact(saml.MetadataContact{Type: "ceo", Email: "a@example.com"}), "Contacts has an entry whose Type"},
		"a contact without address":    {contact(saml.MetadataContact{Surname: "n"}), "Contacts has an entry without Email"},
		"SOAP without a Logout URL":    {saml.MetadataOptions{LogoutSOAP: true}, "LogoutSOAP is set, but no Logout URL"},
		"a contact with mailto":        {contact(saml.MetadataContact{Email: "mailto:a@example.com"}), "Contacts has an entry whose Email"},
	} {
		document, err := h.sp.Metadata(test.options)
		var e *saml.Error
		if !errors.As(err, &e) || e.Code != saml.CodeConfig || !strings.Contains(e.Message, test.want) ||
			!strings.HasPrefix(e.Message, "MetadataOptions."+e.Field+" ") || e.Field == "" || e.Want == "" || document != nil {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: MetadataHandler does not panic", name)
				}
			}()
			h.sp.MetadataHandler(test.options)
		}()
	}
	if _, err := h.sp.Metadata(saml.MetadataOptions{ValidFor: 1, Sign: true}); len(saml.Errors(err)) != 2 {
		t.Errorf("got %v, want two faults", err)
	}
	if _, err := h.sp.Metadata(saml.MetadataOptions{}, saml.MetadataOptions{}); !errors.Is(err, saml.CodeConfig) {
		t.Errorf("two options: got %v", err)
	}
}

// TestMetadataHandler: what an identity provider gets that fetches our metadata.
func TestMetadataHandler(t *testing.T) {
	h := newHouse(t, nil)
	handler := h.sp.MetadataHandler()
	get := func(method string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "https://console.example.com/saml/metadata", nil)
		if len(header) == 2 {
			r.Header.Set(header[0], header[1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	want, err := h.sp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	first := get("GET")
	tag := first.Header().Get("ETag")
	if first.Code != 200 || first.Header().Get("Content-Type") != "application/samlmetadata+xml" || !bytes.Equal(first.Body.Bytes(), want) ||
		tag == "" || first.Header().Get("Cache-Control") != "no-cache" || len(first.Result().Cookies()) != 0 {
		t.Errorf("got status %d, %v\n%s", first.Code, first.Header(), first.Body)
	}
	if head := get("HEAD"); head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("ETag") != tag ||
		head.Header().Get("Content-Length") != fmt.Sprint(len(want)) {
		t.Errorf("HEAD: got status %d, %v, %d bytes", head.Code, head.Header(), head.Body.Len())
	}
	if same := get("GET", "If-None-Match", tag); same.Code != http.StatusNotModified || same.Body.Len() != 0 {
		t.Errorf("the same again: got status %d", same.Code)
	}
	if other := get("GET", "If-None-Match", `W/"other"`); other.Code != 200 {
		t.Errorf("another one: got status %d", other.Code)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		if w := get(method); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" ||
			strings.Contains(w.Body.String(), "EntityDescriptor") {
			t.Errorf("%s: got status %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	key, der := signingKey(t)
	signs := func(c *saml.Config) { c.SigningKey, c.SigningCertificate = key, der }
	tags := map[string]string{tag: "the first one"}
	for name, handler := range map[string]http.Handler{
		"another name":      newHouse(t, func(c *saml.Config) { c.EntityID = "urn:another" }).sp.MetadataHandler(),
		"a key":             newHouse(t, signs).sp.MetadataHandler(),
		"a signature":       newHouse(t, signs).sp.MetadataHandler(saml.MetadataOptions{Sign: true}),
		"another algorithm": newHouse(t, func(c *saml.Config) { signs(c); c.SigningAlgorithm = saml.RSAPSSWithSHA256 }).sp.MetadataHandler(saml.MetadataOptions{Sign: true}),
		"something to read": h.sp.MetadataHandler(saml.MetadataOptions{Displays: []saml.MetadataDisplay{{Name: "n"}}}),
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		got := w.Header().Get("ETag")
		if other, taken := tags[got]; taken || w.Code != 200 {
			t.Errorf("the document with %s has status %d and the ETag of %s", name, w.Code, other)
		}
		tags[got] = name
	}
}

// TestMetadataHandlerSignsSeldom: anyone can ask, and a key may be slow or cost money. What is
// served is always valid for nearly as long as it should be.
func TestMetadataHandlerSignsSeldom(t *testing.T) {
	p256 := ecdsaKey(t, elliptic.P256())
	signed, asked, away := 0, 0, false
	key := stubborn{p256, func(d []byte, o crypto.SignerOpts) ([]byte, error) {
		asked++
		if away {
			return nil, errors.New("the HSM is away")
		}
		signed++
		return p256.Sign(nil, d, o)
	}}
	var log bytes.Buffer
	now := time.Date(2026, 3, 1, 0, 30, 0, 0, time.UTC)
	h := newHouse(t, func(c *saml.Config) {
		c.SigningKey, c.SigningCertificate = key, certificateFor(t, p256)
		c.Now = func() time.Time { return now }
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	handler := h.sp.MetadataHandler(saml.MetadataOptions{Sign: true, ValidFor: 24 * time.Hour})
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w
	}
	first := get()
	for range 9 {
		now = now.Add(3 * time.Minute)
		if w := get(); w.Header().Get("ETag") != first.Header().Get("ETag") || !bytes.Equal(w.Body.Bytes(), first.Body.Bytes()) {
			t.Fatal("got another document within the hour")
		}
	}
	if signed != 1 {
		t.Errorf("10 requests within an hour: signed %d times, want 1", signed)
	}
	now = now.Add(time.Hour)
	later := get()
	e, _ := readMetadata(t, later.Body.Bytes())
	if signed != 2 || later.Header().Get("ETag") == first.Header().Get("ETag") || e.ValidUntil.Sub(now) < 23*time.Hour ||
		e.ValidUntil.Sub(now) > 24*time.Hour {
		t.Errorf("an hour later: signed %d times, valid for %s", signed, e.ValidUntil.Sub(now))
	}
	now, away = now.Add(time.Hour), true
	for range 3 {
		if w := get(); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), later.Body.Bytes()) {
			t.Errorf("without the key: got status %d and %s, want the document before, which is valid", w.Code, w.Body)
		}
	}
	if asked != 3 {
		t.Errorf("without the key, three requests at once: it was asked %d times in all, want 3", asked)
	}
	for now = now.Add(22 * time.Hour); asked < 6; now = now.Add(time.Minute) {
		if w := get(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Cache-Control") != "no-store" ||
			w.Header().Get("ETag") != "" || strings.Contains(w.Body.String(), "HSM") {
			t.Errorf("without the key: got status %d, %v, %s", w.Code, w.Header(), w.Body)
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "the metadata cannot be signed: the key failed") {
		t.Errorf("3 failures: got %d errors in the log, want 1: %s", n, log.String())
	}
	if away = false; get().Code != 200 {
		t.Error("the key is back, and the metadata is not")
	}
}

// TestMetadataHandlerWithAKeyThatHangs: what is valid is served, nobody waits forever, and the key
// is asked once.
func TestMetadataHandlerWithAKeyThatHangs(t *testing.T) {
	t.Parallel()
	p256 := ecdsaKey(t, elliptic.P256())
	var asked atomic.Int32
	hangs := make(chan struct{})
	key := stubborn{p256, func(d []byte, o crypto.SignerOpts) ([]byte, error) {
		if asked.Add(1) > 1 {
			<-hangs
		}
		return p256.Sign(nil, d, o)
	}}
	var clock atomic.Int64
	h := newHouse(t, func(c *saml.Config) {
		c.SigningKey, c.SigningCertificate = key, certificateFor(t, p256)
		c.Now = func() time.Time { return time.Unix(1772323200+clock.Load(), 0) }
	})
	handler := h.sp.MetadataHandler(saml.MetadataOptions{Sign: true, ValidFor: 24 * time.Hour})
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w
	}
	first := get().Body.String()
	clock.Store(2 * 3600)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if w := get(); w.Code != 200 || w.Body.String() != first {
				t.Errorf("while the key hangs: got status %d and %s", w.Code, w.Body)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n != 2 {
		t.Errorf("the key was asked %d times, want 2", n)
	}
	close(hangs)
	for get().Body.String() == first { // until the attempt that hung has ended
		runtime.Gosched()
	}
}

// TestSignedMetadataHasOneID: the same content has the same ID, and another one has another.
func TestSignedMetadataHasOneID(t *testing.T) {
	key, der := signingKey(t)
	h := newHouse(t, func(c *saml.Config) { c.SigningKey, c.SigningCertificate = key, der })
	id := func(o saml.MetadataOptions) string {
		document, err := h.sp.Metadata(o)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(document, []byte(`"><ds:Signature xmlns:ds=`)) {
			t.Errorf("the Signature is not the first child: %s", document)
		}
		e, _ := readMetadata(t, document)
		return e.ID
	}
	first := id(saml.MetadataOptions{Sign: true})
	other := id(saml.MetadataOptions{Sign: true, Displays: []saml.MetadataDisplay{{Name: "n"}}})
	if len(first) != 33 || first[0] != '_' || first != id(saml.MetadataOptions{Sign: true}) || first == other {
		t.Errorf("got IDs %q and %q", first, other)
	}
}

// TestMetadataOfLogout: the Logout URL is there if there is one and the options do not leave it out, and
// what else the document says stays the same.
func TestMetadataOfLogout(t *testing.T) {
	const redirect, post, soap = crewjam.HTTPRedirectBinding, crewjam.HTTPPostBinding, crewjam.SOAPBinding
	for name, row := range map[string]struct {
		path    string
		options saml.MetadataOptions
		want    []string
	}{
		"no path":            {"", saml.MetadataOptions{}, nil},
		"a path":             {"/saml/logout", saml.MetadataOptions{}, []string{redirect, post}},
		"the Redirect URL":   {saml.DefaultRedirectPath, saml.MetadataOptions{}, []string{redirect, post}},
		"with SOAP":          {"/saml/logout", saml.MetadataOptions{LogoutSOAP: true}, []string{redirect, post, soap}},
		"left out by option": {"/saml/logout", saml.MetadataOptions{OmitLogout: true}, nil},
	} {
		key, der := signingKey(t)
		h := newHouse(t, func(c *saml.Config) { c.SigningKey, c.SigningCertificate, c.LogoutPath = key, der, row.path })
		document, err := h.sp.Metadata(row.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, role := readMetadata(t, document)
		var got []string
		for _, s := range role.SingleLogoutServices {
			if got = append(got, s.Binding); s.Location != h.sp.LogoutURL() || s.ResponseLocation != "" {
				t.Errorf("%s: got %+v, want %s", name, s, h.sp.LogoutURL())
			}
		}
		if !slices.Equal(got, row.want) || len(role.AssertionConsumerServices) != 1 ||
			role.AssertionConsumerServices[0].Location != h.sp.RedirectURL() || !*role.AuthnRequestsSigned {
			t.Errorf("%s: got %q, %+v", name, got, role.AssertionConsumerServices)
		}
	}
	h := newHouse(t, nil)
	if document, err := h.sp.Metadata(saml.MetadataOptions{LogoutSOAP: true}); document != nil || !errors.Is(err, saml.CodeConfig) {
		t.Errorf("SOAP without a Logout URL: got %v", err)
	}
}
