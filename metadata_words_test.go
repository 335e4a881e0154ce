package saml_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/iomete/saml"
)

// wordsParts are what the documents of TestWordsAboutMetadata are made of.
type wordsParts struct {
	entityID, loginURL string
	key, sso           string // elements of the role
	leaf, ca           []byte
	good, service      string // documents

}

// TestWordsAboutMetadata: testdata/hints_metadata.txt has all that the library says about wrong or
// odd metadata and certificates, at an identity provider that is not known and at each of
// settingsOfProducts: a line "product | number input | message, got, want | hint" for a refusal and
// for each warning.
func TestWordsAboutMetadata(t *testing.T) {
	leaf, ca := wordsCertificates(t)
	var l hintList
	products := append([]productSettings{{name: "unknown", entityID: "https://idp.example.com/", loginURL: "https://idp.example.com/sso"}}, settingsOfProducts...)
	for _, s := range products {
		p := newWordsParts(s, leaf, ca)
		inputs := p.inputs()
		if len(inputs) < 30 {
			t.Errorf("there are %d inputs, want at least 30", len(inputs))
		}
		said := 0
		for i, input := range inputs {
			add := func(message, hint string) {
				said++
				message = strings.NewReplacer(s.entityID, "<entity ID>", s.loginURL, "<login URL>").Replace(message)
				l.lines = append(l.lines, fmt.Sprintf("%s | %02d %s | %s | %s", s.name, i+1, input.name,
					changing.ReplaceAllString(message, "…"), hint))
			}
			idp, err := saml.ParseMetadata([]byte(input.text), input.options)
			if input.pasted {
				var keys []saml.TrustedKey
				keys, err = saml.ParseKeys([]byte(input.text))
				if err == nil {
					idp, err = saml.NewIdentityProvider(s.entityID, s.loginURL, keys...)
				}
			}
			for _, e := range saml.Errors(err) {
				add(strings.TrimPrefix(e.Error(), "saml: "), e.Hint)
			}
			if err != nil {
				continue
			}
			warned := false
			for _, w := range idp.Warnings(wordsNow) {
				warned = true
				add("warning "+w.Code+": "+w.Message, w.Hint)
			}
			if !warned {
				add("taken without a warning", "")
			}
		}
		if said < len(inputs) {
			t.Errorf("%s: %d of %d inputs have an answer", s.name, said, len(inputs))
		}
	}
	l.compare(t, "testdata/hints_metadata.txt")
}

var wordsNow = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func wordsCertificates(t *testing.T) (leaf, ca []byte) {
	t.Helper()
	keys := make([]*ecdsa.PrivateKey, 2)
	templates := make([]*x509.Certificate, 2)
	for i, name := range []string{"ca", "leaf"} {
		var err error
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
		templates[i] = &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: wordsNow.AddDate(-1, 0, 0), NotAfter: wordsNow.AddDate(2, 0, 0)}
	}
	make := func(child int, signer crypto.Signer) []byte {
		der, err := x509.CreateCertificate(rand.Reader, templates[child], templates[0], keys[child].Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	return make(1, keys[0]), make(0, keys[0])
}

func wordsKey(attributes, certificate string) string {
	return `<KeyDescriptor` + attributes + `><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + certificate +
		`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`
}

func wordsLogin(binding, location string) string {
	return `<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:` + binding + `" Location="` + location + `"/>`
}

func newWordsParts(s productSettings, leaf, ca []byte) *wordsParts {
	// the address may have an & in it
	p := &wordsParts{entityID: s.entityID, loginURL: strings.ReplaceAll(s.loginURL, "&", "&amp;"), leaf: leaf, ca: ca}
	p.key = wordsKey("", base64.StdEncoding.EncodeToString(leaf))
	p.sso = wordsLogin("HTTP-Redirect", p.loginURL)
	p.good = p.document(p.key + p.sso)
	p.service = metadataText(` entityID="https://service.example.com"`,
		`<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"/>`)
	return p
}

func (p *wordsParts) document(inRole string) string {
	return metadataText(` entityID="`+p.entityID+`" ID="_1"`, idpRole(inRole))
}

func (p *wordsParts) collection(members ...string) string {
	return `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` + strings.Join(members, "") + `</EntitiesDescriptor>`
}

// signed is the document with a signature that was not made by anybody.
func (p *wordsParts) signed(algorithm string) string {
	signature := `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo><CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
		`<SignatureMethod Algorithm="` + algorithm + `"/><Reference URI="#_1"><Transforms>` +
		`<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>` +
		`<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue>` + base64.StdEncoding.EncodeToString(make([]byte, 32)) +
		`</DigestValue></Reference></SignedInfo><SignatureValue>AAAA</SignatureValue><KeyInfo><X509Data><X509Certificate>` +
		base64.StdEncoding.EncodeToString(p.leaf) + `</X509Certificate></X509Data></KeyInfo></Signature>`
	return strings.Replace(p.good, "<IDPSSODescriptor", signature+"<IDPSSODescriptor", 1)
}

type wordsInput struct {
	name, text string
	options    saml.ParseMetadataOptions
	pasted     bool // as a certificate
}

func (p *wordsParts) inputs() (list []wordsInput) {
	add := func(name, text string) { list = append(list, wordsInput{name: name, text: text}) }
	with := func(name, text string, o saml.ParseMetadataOptions) {
		list = append(list, wordsInput{name: name, text: text, options: o})
	}
	pasted := func(name, text string) { list = append(list, wordsInput{name: name, text: text, pasted: true}) }
	replaced := func(name, old, new string) { add(name, strings.Replace(p.good, old, new, 1)) }
	encode := base64.StdEncoding.EncodeToString
	leaf, ca := string(pemOf(p.leaf)), string(pemOf(p.ca))
	inUTF16 := func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			b.WriteString(string([]byte{byte(u), byte(u >> 8)}))
		}
		return b.String()
	}
	const md, protocol = ` xmlns="urn:oasis:names:tc:SAML:2.0:metadata"`, `"urn:oasis:names:tc:SAML:2.0:protocol"`
	const hmac = "http://www.w3.org/2000/09/xmldsig#hmac-sha1"

	add("UTF-16 with its mark", inUTF16("\uFEFF"+p.good))
	add("UTF-16 without a mark", inUTF16(p.good))
	add("UTF-8 that says it is UTF-16", `<?xml version="1.0" encoding="utf-16"?>`+p.good)
	add("a sign-in page", "<!DOCTYPE html>\n<html><body>Sign in</body></html>")
	add("a sign-in page without html", "<head><title>Sign in</title></head>")
	replaced("no namespace", md, "")
	replaced("the namespace of messages", md, ` xmlns="urn:oasis:names:tc:SAML:2.0:protocol"`)
	replaced("a prefix that is not declared", "<EntityDescriptor"+md, "<md:EntityDescriptor")
	replaced("a role in no namespace", "<IDPSSODescriptor", `<IDPSSODescriptor xmlns=""`)
	replaced("a login URL in no namespace", "<SingleSignOnService", `<SingleSignOnService xmlns=""`)
	replaced("a key in no namespace", "<KeyDescriptor", `<KeyDescriptor xmlns=""`)
	replaced("a certificate in no namespace", `xmlns="http://www.w3.org/2000/09/xmldsig#"`, `xmlns=""`)
	add("a response", `<Response xmlns=`+protocol+`/>`)
	add("the role alone", strings.Replace(idpRole(p.key+p.sso), "<IDPSSODescriptor", "<IDPSSODescriptor"+md, 1))
	add("metadata of a service", p.service)
	replaced("SAML 1.1 alone", protocol, `"urn:oasis:names:tc:SAML:1.1:protocol"`)
	replaced("no protocol", "protocolSupportEnumeration="+protocol, "")
	add("two roles", strings.Replace(p.good, "</EntityDescriptor>", idpRole(p.key+p.sso)+"</EntityDescriptor>", 1))
	add("a collection with one identity provider", p.collection(p.service, p.good))
	with("the same, unattended", p.collection(p.service, p.good), saml.ParseMetadataOptions{Unattended: true})
	with("another name", p.collection(p.service, p.good), saml.ParseMetadataOptions{EntityID: "https://other.example.com"})
	add("a collection with two", p.collection(p.good, strings.Replace(p.good, p.entityID, "https://other.example.com", 1)))
	add("a collection of services", p.collection(p.service, p.service))
	add("an empty collection", p.collection())
	add("an artifact binding alone", p.document(p.key+wordsLogin("HTTP-Artifact", p.loginURL)))
	add("a login URL without its host", p.document(p.key+wordsLogin("HTTP-Redirect", "/sso")))
	add("a blank before the login URL", p.document(p.key+wordsLogin("HTTP-Redirect", " "+p.loginURL)))
	add("a binding in another case", p.document(p.key+wordsLogin("HTTP-redirect", p.loginURL)))
	add("no login URL", p.document(p.key))
	add("no key", p.document(p.sso))
	add("a key as KeyValue", p.document(`<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><KeyValue/></KeyInfo></KeyDescriptor>`+p.sso))
	add("a key for encryption alone", p.document(wordsKey(` use="encryption"`, encode(p.leaf))+p.sso))
	add("a key for another use", p.document(wordsKey(` use="both"`, encode(p.leaf))+p.sso))
	add("use in another case", p.document(wordsKey(` use="Signing"`, encode(p.leaf))+p.sso))
	add("a key in another role", strings.Replace(p.document(p.sso), "<IDPSSODescriptor",
		"<AttributeAuthorityDescriptor>"+p.key+"</AttributeAuthorityDescriptor><IDPSSODescriptor", 1))
	add("an empty certificate", p.document(wordsKey("", "")+p.sso))
	add("a template for the certificate", p.document(wordsKey("", "{{ certificate }}")+p.sso))
	add("a certificate that is cut off", p.document(wordsKey("", encode(p.leaf)[:200])+p.sso))
	add("a certificate that is cut off beside one", p.document(p.key+wordsKey("", encode(p.leaf)[:200])+p.sso))
	add("two certificates that are cut off", p.document(wordsKey("", encode(p.leaf)[:200])+wordsKey("", encode(p.leaf)[:204])+p.sso))
	add("PEM in the certificate", p.document(wordsKey("", leaf)+p.sso))
	add("PEM in the certificate without its end", p.document(wordsKey("", leaf[:200])+p.sso))
	add("base64 of PEM in the certificate", p.document(wordsKey("", encode([]byte(leaf)))+p.sso))
	add("leaf and chain in the certificate", p.document(wordsKey("", leaf+ca)+p.sso))
	add("headers in the certificate", p.document(wordsKey("", "Bag Attributes\nsubject=CN = leaf\n"+leaf)+p.sso))
	replaced("a stylesheet", "<EntityDescriptor", `<?xml-stylesheet href="style.xsl"?><EntityDescriptor`)
	replaced("a processing instruction in the role", "<KeyDescriptor", `<?php echo 1 ?><KeyDescriptor`)
	replaced("an entity ID that is missing", ` entityID="`+p.entityID+`"`, "")
	add("valid until last year", strings.Replace(p.collection(p.good), ">", ` validUntil="2025-06-01T00:00:00Z">`, 1))
	add("changed after it was signed", p.signed("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"))
	add("signed in a way that cannot be checked", p.signed(hmac))
	keys, err := saml.ParseKeys(pemOf(p.leaf))
	if err == nil {
		with("the same, pinned", p.signed(hmac), saml.ParseMetadataOptions{SignedBy: keys})
		with("changed after it was signed, pinned", p.signed("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"), saml.ParseMetadataOptions{SignedBy: keys})
		with("not signed, pinned", p.good, saml.ParseMetadataOptions{SignedBy: keys})
	}
	pasted("a certificate in UTF-16", inUTF16(leaf))
	pasted("PEM in base64", encode([]byte(leaf)))
	pasted("PEM in base64 that is cut off", encode([]byte(leaf))[:400])
	pasted("leaf and chain", leaf+ca)
	pasted("a private key in base64", encode([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")))
	pasted("a KeyDescriptor for encryption", wordsKey(` use="Encryption"`, encode(p.leaf)))
	pasted("metadata with an unreadable certificate", p.document(p.key+wordsKey("", "AAAA")+p.sso))
	return list
}
