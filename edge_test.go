package saml

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// hiddenCharacters can stand in what is copied from a web page, a PDF or a chat, and nobody sees
// them there.
var hiddenCharacters = map[string]string{
	"zero-width space": "\u200b", "zero-width joiner": "\u200d", "byte order mark": "\ufeff", "no-break space": "\u00a0",
	"narrow no-break space": "\u202f", "soft hyphen": "\u00ad", "right-to-left override": "\u202e", "left-to-right mark": "\u200e",
	"isolate": "\u2066", "word joiner": "\u2060", "Hangul filler": "\u3164", "variation selector": "\ufe0f",
	"braille blank": "\u2800", "line separator": "\u2028", "tag": "\U000e0041",
}

// TestHiddenCharactersInSettings: a character that nobody sees is refused wherever an address or a
// name is given, and its number is in the message, because looking at the value does not help.
func TestHiddenCharactersInSettings(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	const entityID, login = "https://idp.example.com/metadata", "https://idp.example.com/sso"
	for name, hidden := range hiddenCharacters {
		for place, s := range map[string]string{
			"the host": "https://idp" + hidden + ".example.com/sso", "the path": "https://idp.example.com/s" + hidden + "so",
			"the query": login + "?a=" + hidden + "b",
		} {
			_, err := NewIdentityProvider(entityID, s, key)
			if e := onlyFault(t, err); e.Code != CodeMetadataLoginURL || e.Field != FieldLoginURL ||
				!strings.Contains(e.Message, "cannot be seen, U+") || !strings.Contains(e.Want, "without it") {
				t.Errorf("%s in %s of the login URL: got %+v", name, place, e)
			}
			_, err = NewIdentityProvider(s, login, key)
			if e := onlyFault(t, err); e.Code != CodeMetadataEntityID || !strings.Contains(e.Message, "cannot be seen, U+") {
				t.Errorf("%s in %s of the entity ID: got %+v", name, place, e)
			}
		}
		for field, change := range map[string]func(*Config){
			"BaseURL":            func(c *Config) { c.BaseURL = "https://console" + hidden + ".example.com" },
			"RedirectPath":       func(c *Config) { c.RedirectPath = "/a" + hidden + "cs" },
			"EntityID":           func(c *Config) { c.EntityID = "urn:con" + hidden + "sole" },
			"FormerEntityIDs":    func(c *Config) { c.FormerEntityIDs = []string{"urn:con" + hidden + "sole"} },
			"FormerRedirectURLs": func(c *Config) { c.FormerRedirectURLs = []string{"https://old.example.com/a" + hidden + "cs"} },
		} {
			_, err := testProvider(t, change)
			if e := onlyFault(t, err); e.Field != field || !strings.Contains(e.Message, "cannot be seen, U+") {
				t.Errorf("%s in Config.%s: got %+v", name, field, e)
			}
		}
		if _, err := FetchMetadata(t.Context(), "https://idp"+hidden+".example.com/metadata", FetchOptions{}); !errors.Is(err, CodeMetadataFetch) ||
			!strings.Contains(err.Error(), "cannot be seen, U+") {
			t.Errorf("%s in the address of metadata: got %v", name, err)
		}
	}
	for _, s := range []string{"https://bücher.example/sso", "https://例え.jp/ログイン", "https://idp.example.com/a b"} {
		if _, err := NewIdentityProvider(s, s, key); err != nil {
			t.Errorf("%s, where everything can be seen: %v", s, err)
		}
	}
	_, err := NewIdentityProvider(entityID, "https://idp.example.com/\xff", key)
	if e := onlyFault(t, err); !strings.Contains(e.Message, "the byte 0xFF") {
		t.Errorf("a byte that is not UTF-8: got %+v", e)
	}
}

func onlyFault(t *testing.T, err error) *Error {
	t.Helper()
	list := Errors(err)
	if len(list) != 1 {
		t.Errorf("got %v, want one fault", err)
		return &Error{}
	}
	return list[0]
}

// TestPortsInSettings: no browser goes to a port that does not exist. A colon without a port is the
// port of the scheme to every browser; in our own addresses, which are compared byte for byte with
// what comes back, it is refused.
func TestPortsInSettings(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	for port, want := range map[string]struct{ theirs, ours string }{
		"": {}, ":443": {}, ":0443": {}, ":8443": {}, ":1": {}, ":65535": {},
		":":                     {"", "a colon without a port"},
		":0":                    {"a port that does not exist", "a port that does not exist"},
		":000":                  {"a port that does not exist", "a port that does not exist"},
		":65536":                {"a port that does not exist", "a port that does not exist"},
		":99999":                {"a port that does not exist", "a port that does not exist"},
		":18446744073709551617": {"a port that does not exist", "a port that does not exist"},
		":-1":                   {"not an absolute https URL", "not an absolute URL"},
		":https":                {"not an absolute https URL", "not an absolute URL"},
	} {
		check := func(what string, err error, field, want string) {
			t.Helper()
			if want == "" {
				if err != nil {
					t.Errorf("%s with the port %q: got %v, want none", what, port, err)
				}
				return
			}
			if e := onlyFault(t, err); e.Field != field || !strings.Contains(e.Message, want) || !strings.Contains(e.Got, port) {
				t.Errorf("%s with the port %q: got %+v, want %q", what, port, e, want)
			}
		}
		for _, host := range []string{"idp.example.com", "[2001:db8::1]"} {
			_, err := NewIdentityProvider("https://idp.example.com/metadata", "https://"+host+port+"/sso", key)
			check("the login URL", err, FieldLoginURL, want.theirs)
		}
		_, err := testProvider(t, func(c *Config) { c.BaseURL = "https://console.example.com" + port })
		check("BaseURL", err, "BaseURL", want.ours)
		_, err = testProvider(t, func(c *Config) { c.FormerRedirectURLs = []string{"https://old.example.com" + port + "/acs"} })
		check("FormerRedirectURLs", err, "FormerRedirectURLs", want.ours)
		if strings.Contains(want.theirs, "does not exist") {
			if _, err := FetchMetadata(t.Context(), "https://localhost"+port+"/", FetchOptions{}); !errors.Is(err, CodeMetadataFetch) ||
				!strings.Contains(err.Error(), want.theirs) {
				t.Errorf("the address of metadata with the port %q: got %v", port, err)
			}
		}
	}
	_, err := NewIdentityProvider("https://idp.example.com/metadata", "https://:443/sso", key)
	if e := onlyFault(t, err); !strings.Contains(e.Message, "not an absolute https URL") {
		t.Errorf("a port without a host: got %+v", e)
	}
	if _, err := testProvider(t, func(c *Config) { c.BaseURL = "https://:443" }); !containsMessage(err, "not an absolute URL") {
		t.Errorf("our own port without a host: got %v", err)
	}
}

// TestHealthKnowsTheDates: with RefuseExpiredCertificates nobody can sign in while no certificate is
// within its dates. Health says so before anybody tries. New starts, because new metadata may come
// while the service runs.
func TestHealthKnowsTheDates(t *testing.T) {
	t.Parallel()
	var from, until time.Time
	now := testNow
	var log strings.Builder
	sp, err := testProvider(t, func(c *Config) {
		k := c.IdentityProvider.(*IdentityProvider).usableKeys[0]
		from, until = k.notBefore, k.notAfter
		c.RefuseExpiredCertificates, c.Now = true, func() time.Time { return now }
		now = until.Add(time.Second)
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	if err != nil {
		t.Fatalf("New with a certificate that has ended: %v", err)
	}
	if !strings.Contains(log.String(), "no login can succeed") || !strings.Contains(log.String(), "code=certificate_expired") {
		t.Errorf("New with a certificate that has ended: the log has %q", log.String())
	}
	for name, test := range map[string]struct {
		at     time.Time
		refuse bool
		sick   bool
	}{
		"the first second":          {from, true, false},
		"before it begins":          {from.Add(-time.Second), true, true},
		"the last second":           {until, true, false},
		"after its end":             {until.Add(time.Second), true, true},
		"after its end, if allowed": {until.Add(time.Second), false, false},
	} {
		now = test.at
		sp.config.RefuseExpiredCertificates = test.refuse
		err := sp.Health(t.Context())
		if !test.sick {
			if err != nil {
				t.Errorf("%s: got %v, want none", name, err)
			}
			continue
		}
		if e := onlyFault(t, err); e.Code != CodeCertificateExpired || e.Field != FieldCertificate || e.Hint == "" ||
			!strings.Contains(e.Got, showTime(until)) || !strings.Contains(e.Want, showTime(test.at)) {
			t.Errorf("%s: got %+v, want %s", name, e, string(CodeCertificateExpired))
		}
	}
	// one that is good is enough
	now, sp.config.RefuseExpiredCertificates = until.Add(time.Second), true
	idp := *sp.config.IdentityProvider.(*IdentityProvider)
	next := idp.usableKeys[0]
	next.notBefore, next.notAfter = until, until.AddDate(1, 0, 0)
	idp.usableKeys = []TrustedKey{idp.usableKeys[0], next}
	sp.config.IdentityProvider = &idp
	if err := sp.Health(t.Context()); err != nil {
		t.Errorf("with another certificate that has begun: got %v, want none", err)
	}
}

// TestSigningCertificateAlone: whoever configures the certificate means to sign.
func TestSigningCertificateAlone(t *testing.T) {
	t.Parallel()
	der := testKey(t).DER()
	_, err := testProvider(t, func(c *Config) { c.SigningCertificate = der })
	if e := onlyFault(t, err); e.Code != CodeConfig || e.Field != "SigningCertificate" ||
		!strings.Contains(e.Message, "there is no SigningKey") || !strings.Contains(e.Want, "SigningKey") {
		t.Errorf("got %+v", e)
	}
	if _, err := testProvider(t, func(c *Config) { c.SigningCertificate = []byte{} }); err != nil {
		t.Errorf("an empty one is none: %v", err)
	}
}

// TestMetadataAsCertificate: metadata in the field of the certificate says more than its
// certificates. What contradicts the other fields is refused; what they cannot say counts.
func TestMetadataAsCertificate(t *testing.T) {
	t.Parallel()
	const entityID, login = "https://idp.example.com/metadata", "https://idp.example.com/sso"
	der := testKey(t).DER()
	metadata := func(id, binding, location string) string {
		return entityXML(`entityID="`+id+`"`, keyXML("", der)+ssoXML(binding, location))
	}
	for name, test := range map[string]struct {
		certificate string
		postOnly    bool
		refused     Code
	}{
		"metadata of the same name":                {metadata(entityID, "HTTP-Redirect", login), false, ""},
		"behind other text":                        {"Hello,\nour metadata:\n" + metadata(entityID, "HTTP-Redirect", login) + "\nBye", false, ""},
		"with another login URL":                   {metadata(entityID, "HTTP-Redirect", login+"2"), false, ""},
		"that takes HTTP-POST alone":               {metadata(entityID, "HTTP-POST", login), true, ""},
		"that takes HTTP-POST alone, at another":   {metadata(entityID, "HTTP-POST", login+"2"), false, ""},
		"of another name":                          {metadata("https://other.example.com/metadata", "HTTP-Redirect", login), false, CodeMetadataEntityID},
		"of another name, behind a certificate":    {armor("CERTIFICATE", der) + metadata(entityID+"/", "HTTP-Redirect", login), false, CodeMetadataEntityID},
		"the same name with other letters":         {metadata(strings.ToUpper(entityID), "HTTP-Redirect", login), false, CodeMetadataEntityID},
		"a certificate, which has no name at all":  {armor("CERTIFICATE", der), false, ""},
		"a certificate in an element of a message": {`<X509Certificate>` + base64.StdEncoding.EncodeToString(der) + `</X509Certificate>`, false, ""},
	} {
		p, err := ParseSettings(entityID, login, test.certificate)
		if test.refused != "" {
			if e := onlyFault(t, err); e.Code != test.refused || e.Field != FieldCertificate || e.Got == "" || !strings.Contains(e.Want, entityID) {
				t.Errorf("%s: got %+v, want %s", name, e, string(test.refused))
			}
			if _, err := mustProvider(t, nil).ParseSettings(entityID, login, test.certificate); !errors.Is(err, test.refused) {
				t.Errorf("%s: ServiceProvider.ParseSettings: got %v, want %s", name, err, string(test.refused))
			}
			continue
		}
		if err != nil || p.LoginIsPOSTOnly() != test.postOnly || p.LoginURL() != login || p.EntityID() != entityID {
			t.Errorf("%s: got %+v, %v, want by POST alone %t", name, p, err, test.postOnly)
		}
		if p, err := mustProvider(t, nil).ParseSettings(entityID, login, test.certificate); err != nil || p.LoginIsPOSTOnly() != test.postOnly {
			t.Errorf("%s: ServiceProvider.ParseSettings: got %v, %v", name, p, err)
		}
	}
	wanting := strings.Replace(metadata(entityID, "HTTP-Redirect", login), "<md:IDPSSODescriptor ", `<md:IDPSSODescriptor WantAuthnRequestsSigned="true" `, 1)
	if p, err := ParseSettings(entityID, login, wanting); err != nil || !p.WantsSignedRequests() || len(p.Warnings(testNow)) == 0 {
		t.Errorf("metadata that asks for signed requests: got %v, %v", p, err)
	}
	// what is wrong with the entity ID itself is said once
	_, err := ParseSettings("", login, metadata(entityID, "HTTP-Redirect", login))
	if e := onlyFault(t, err); e.Field != FieldEntityID {
		t.Errorf("no entity ID: got %+v", e)
	}
}

// TestWithDetails: each detail of metadata stays with the field that it belongs to. What is returned is
// a copy.
func TestWithDetails(t *testing.T) {
	t.Parallel()
	const entityID, login = "https://idp.example.com/metadata", "https://idp.example.com/sso"
	const post, logout = "https://idp.example.com/post", "https://idp.example.com/slo"
	key, other := testKey(t), TrustedKey{}
	both := &IdentityProvider{entityID: entityID, loginURL: login, loginPOST: post, wantSigned: true,
		logout: []LogoutService{{Binding: bindingRedirect, Location: logout}}, validUntil: testNow, keys: []TrustedKey{other}, warnings: []Warning{{Code: "collection"}}}
	alone := &IdentityProvider{entityID: entityID, loginPOST: login, wantSigned: true}
	for _, row := range []struct {
		name            string
		metadata        *IdentityProvider
		entityID, login string
		signed, logout  bool
		redirect, post  string
	}{
		{"the certificate is another", both, entityID, login, true, true, login, post},
		{"the login URL is another", both, entityID, login + "2", true, true, login + "2", ""},
		{"the entity ID is another", both, entityID + "2", login, false, false, login, post},
		{"all are others", both, entityID + "2", login + "2", false, false, login + "2", ""},
		{"by POST alone", alone, entityID, login, true, false, "", login},
		{"by POST alone, another login URL", alone, entityID, login + "2", true, false, login + "2", ""},
		{"there is no metadata", nil, entityID, login, false, false, login, ""},
	} {
		p, err := NewIdentityProvider(row.entityID, row.login, key)
		if err != nil {
			t.Fatal(err)
		}
		got := p.WithDetails(row.metadata)
		warns := func(code string) bool {
			return slices.ContainsFunc(got.warnings, func(w Warning) bool { return w.Code == code })
		}
		if got.wantSigned != row.signed || (got.LogoutURL() == logout) != row.logout ||
			got.loginURL != row.redirect || got.loginPOST != row.post ||
			got.EntityID() != row.entityID || got.LoginURL() != row.login || !got.validUntil.IsZero() ||
			len(got.keys) != 1 || len(got.usableKeys) != 1 ||
			warns("collection") || warns("wants_signed_requests") != row.signed {
			t.Errorf("%s: got %+v", row.name, got)
		}
		if p.wantSigned || p.LogoutURL() != "" || p.loginURL != row.login || p.loginPOST != "" {
			t.Errorf("%s: the original is %+v", row.name, p)
		}
		sp := mustProvider(t, func(c *Config) { c.IdentityProvider = got })
		if start, err := sp.StartLogin(t.Context(), LoginOptions{}); err != nil || (start.Form != nil) != got.LoginIsPOSTOnly() {
			t.Errorf("%s: got %+v, %v", row.name, start, err)
		}
	}
}

// TestContainersAreNamed: a file that certificates are kept in is called by its name, with the way
// to take the certificate out, wherever it is handed over and however it is encoded.
func TestContainersAreNamed(t *testing.T) {
	t.Parallel()
	der := issue(t, "x", newECKey(t, elliptic.P256()), nil, nil, 0)
	p7b, p12 := pkcs7Of(der), pkcs12Of(t)
	bare := func(b []byte) []byte { return []byte(wrapped(base64.StdEncoding.EncodeToString(b), 64, "\r\n")) }
	armored := func(label string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: b}) }
	p7bLines := bytes.Split(armored("X", p7b), []byte("\n"))[1]
	const p7bMessage, p12Message = "PKCS #7 file (.p7b)", "PKCS #12 file (.p12, .pfx)"
	for name, test := range map[string]struct {
		data          []byte
		message, want string
		secret        bool
	}{
		"p7b":                               {p7b, p7bMessage, "openssl pkcs7 -print_certs", false},
		"p7b in BER":                        {append([]byte{0x30, 0x80}, inner(p7b)...), p7bMessage, "openssl pkcs7", false},
		"p7b in base64":                     {bare(p7b), p7bMessage, "openssl pkcs7", false},
		"p7b behind a byte order mark":      {append([]byte("\ufeff"), bare(p7b)...), p7bMessage, "openssl pkcs7", false},
		"p7b as PEM":                        {armored("PKCS7", p7b), p7bMessage, "openssl pkcs7", false},
		"p7b as CMS":                        {armored("CMS", p7b), p7bMessage, "openssl pkcs7", false},
		"p7b with the lines of another":     {armored("CERTIFICATE", p7b), p7bMessage, "openssl pkcs7", false},
		"p12":                               {p12, p12Message, "openssl pkcs12 -in FILE -nokeys", true},
		"p12 in BER":                        {append([]byte{0x30, 0x80}, inner(p12)...), p12Message, "openssl pkcs12", true},
		"p12 in base64":                     {bare(p12), p12Message, "openssl pkcs12", true},
		"p12 behind a certificate":          {append(armored("CERTIFICATE", der), bare(p12)...), p12Message, "openssl pkcs12", true},
		"a Java keystore":                   {append([]byte{0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2}, p12...), "Java keystore", "keytool -exportcert", true},
		"a Java keystore of the other kind": {append([]byte{0xCE, 0xCE, 0xCE, 0xCE, 0, 0, 0, 2}, p12...), "Java keystore", "keytool -exportcert", true},
		"a ZIP archive":                     {append([]byte("PK\x03\x04"), p12...), "ZIP archive", "unpack", false},
	} {
		code, metadataCode := CodeKey, CodeMetadata
		if test.secret {
			code, metadataCode = CodePrivateKey, CodePrivateKey
		}
		_, err := ParseKeys(test.data)
		if e := onlyFault(t, err); e.Code != code || !strings.Contains(e.Message, test.message) || !strings.Contains(e.Want, test.want) {
			t.Errorf("ParseKeys of %s: got %v", name, err)
		}
		if bytes.HasPrefix(test.data, []byte(beginLine)) && !bytes.Contains(test.data, p7bLines) {
			continue // no metadata for another reason
		}
		_, err = ParseMetadata(test.data)
		if e := onlyFault(t, err); e.Code != metadataCode || !strings.Contains(e.Message, test.message) || !strings.Contains(e.Want, test.want) {
			t.Errorf("ParseMetadata of %s: got %v", name, err)
		}
	}
	// a private key in the same text is what is said
	both := append(armored("PKCS7", p7b), armored("PRIVATE KEY", []byte("x"))...)
	if _, err := ParseKeys(both); !errors.Is(err, CodePrivateKey) {
		t.Errorf("PKCS #7 and a private key: got %v, want %s", err, string(CodePrivateKey))
	}
	for name, good := range map[string][]byte{"DER": der, "PEM": armored("CERTIFICATE", der), "base64": bare(der)} {
		if keys, err := ParseKeys(good); err != nil || !bytes.Equal(keys[0].DER(), der) {
			t.Errorf("a certificate in %s: %v", name, err)
		}
	}
}

// pkcs7Of is a certificate in PKCS #7 (RFC 2315 §9.1) without content and signers, as Windows
// exports it.
func pkcs7Of(der []byte) []byte {
	sequence := func(content ...[]byte) []byte { return encodeASN1(asn1.ClassUniversal, asn1.TagSequence, content...) }
	identifier := func(last byte) []byte {
		return []byte{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, last}
	}
	set := []byte{0x31, 0x00}
	signed := sequence([]byte{0x02, 0x01, 0x01}, set, sequence(identifier(1)),
		encodeASN1(asn1.ClassContextSpecific, 0, der), set)
	return sequence(identifier(2), encodeASN1(asn1.ClassContextSpecific, 0, signed))
}

// pkcs12Of is the frame of PKCS #12 (RFC 7292 §4) around data without meaning.
func pkcs12Of(t *testing.T) []byte {
	t.Helper()
	identifier, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1})
	if err != nil {
		t.Fatal(err)
	}
	data, err := asn1.Marshal(make([]byte, 400))
	if err != nil {
		t.Fatal(err)
	}
	return encodeASN1(asn1.ClassUniversal, asn1.TagSequence, []byte{0x02, 0x01, 0x03},
		encodeASN1(asn1.ClassUniversal, asn1.TagSequence, identifier, encodeASN1(asn1.ClassContextSpecific, 0, data)))
}

func encodeASN1(class, tag int, content ...[]byte) []byte {
	der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: bytes.Join(content, nil)})
	if err != nil {
		panic(err) // the values are those of this file
	}
	return der
}

// inner is what is in an ASN.1 element whose length has two octets.
func inner(der []byte) []byte { return der[4:] }
