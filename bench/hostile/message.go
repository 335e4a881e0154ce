//go:build unix

package main

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
	"time"

	"github.com/iomete/saml/internal/xmltree"
)

const (
	entityID    = "https://idp.example.com/"
	baseURL     = "https://console.example.com"
	path        = "/saml/acs"
	redirectURL = baseURL + path
	requestID   = "_request"
)

var now = time.Date(2026, time.March, 2, 9, 30, 0, 0, time.UTC)

// A message has the places of a response that can hold much. The zero message is an honest one.
type message struct {
	declarations  string // namespace declarations and xml: attributes of the Response
	extensions    string // content of samlp:Extensions
	issuer        string // in place of the entity ID, in the assertion
	confirmations string // before the right one
	conditions    string // before the right one
	statements    string // before the AuthnStatement
	attributes    string
	keyInfo       string // of each signature
	prefixList    string // of each canonicalization
	inclusive     bool   // Canonical XML 1.0 for each, else exclusive
	both          bool   // the response is signed too
	unsigned      bool
	spoil         bool           // the assertion changes after it was signed
	encrypted     *rsa.PublicKey // the assertion is encrypted for this key, and for a stranger's first

	request string              // ID of the request, which the Response names too; default requestID, which it does not
	status  string              // in place of the content of samlp:Status
	nameID  string              // in place of the NameID
	instead string              // in place of the assertion, for what needs no signature
	after   func(string) string // changes the message when it is signed
	form    func(string) string // changes the form value
}

const (
	placeDigest = "digest-of-"
	placeValue  = "value-of-"
)

// xml writes the response, signed with key.
func (m message) xml(key crypto.Signer) (string, error) {
	const instant = `2026-03-02T09:30:00Z`
	issuer := m.issuer
	if issuer == "" {
		issuer = entityID
	}
	status, nameID := m.status, m.nameID
	if status == "" {
		status = `<p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`
	}
	if nameID == "" {
		nameID = `<NameID>user@example.com</NameID>`
	}
	request, answers := requestID, ""
	if m.request != "" {
		request, answers = m.request, ` InResponseTo="`+m.request+`"`
	}
	end := ` NotOnOrAfter="2026-03-02T10:30:00Z"`
	text := `<p:Response xmlns:p="` + xmltree.NSProtocol + `" xmlns="` + xmltree.NSAssertion + `"` + m.declarations +
		` ID="_r" Version="2.0" IssueInstant="` + instant + `"` + answers + ` Destination="` + redirectURL + `"><Issuer>` +
		entityID + `</Issuer>`
	if m.both {
		text += m.signature("_r")
	}
	if m.extensions != "" {
		text += `<p:Extensions>` + m.extensions + `</p:Extensions>`
	}
	text += `<p:Status>` + status + `</p:Status>`
	if m.instead != "" {
		return m.sign(text+m.instead+`</p:Response>`, key)
	}
	text += `<Assertion ID="_a" Version="2.0" IssueInstant="` + instant + `"><Issuer>` + issuer + `</Issuer>`
	if !m.unsigned {
		text += m.signature("_a")
	}
	text += `<Subject>` + nameID + m.confirmations +
		`<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData InResponseTo="` + request +
		`" Recipient="` + redirectURL + `"` + end + `/></SubjectConfirmation></Subject>` +
		`<Conditions` + end + `>` + m.conditions + `<AudienceRestriction><Audience>` + redirectURL +
		`</Audience></AudienceRestriction></Conditions>` +
		m.statements + `<AuthnStatement AuthnInstant="` + instant +
		`"><AuthnContext><AuthnContextClassRef>c</AuthnContextClassRef></AuthnContext></AuthnStatement>`
	if m.attributes != "" {
		text += `<AttributeStatement>` + m.attributes + `</AttributeStatement>`
	}
	text += `</Assertion></p:Response>`
	return m.sign(text, key)
}

func (m message) signature(id string) string {
	const dsig, more = "http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/04/xmldsig-more#"
	list, method := "", xmltree.NSExcC14N
	if m.inclusive {
		method = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	}
	if m.prefixList != "" {
		list = `<i:InclusiveNamespaces xmlns:i="` + xmltree.NSExcC14N + `" PrefixList="` + m.prefixList + `"/>`
	}
	return `<d:Signature xmlns:d="` + dsig + `"><d:SignedInfo><d:CanonicalizationMethod Algorithm="` +
		method + `">` + list +
		`</d:CanonicalizationMethod><d:SignatureMethod Algorithm="` + more + `rsa-sha256"/><d:Reference URI="#` + id +
		`"><d:Transforms>` +
		`<d:Transform Algorithm="` + dsig + `enveloped-signature"/><d:Transform Algorithm="` + method +
		`">` + list +
		`</d:Transform></d:Transforms><d:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><d:DigestValue>` + placeDigest + id +
		`</d:DigestValue></d:Reference></d:SignedInfo><d:SignatureValue>` + placeValue + id + `</d:SignatureValue>` +
		m.keyInfo + `</d:Signature>`
}

// sign fills in digests and signature values, the inner ones first. It canonicalizes as the
// verifier does, because the usual signers give up on messages like these.
func (m message) sign(text string, key crypto.Signer) (string, error) {
	if ecdsaKey, ok := key.(*ecdsa.PrivateKey); ok {
		text = strings.ReplaceAll(text, "#rsa-sha256", "#ecdsa-sha256")
		key = ecdsaSigner{ecdsaKey}
	}
	for _, id := range []string{"_a", "_r"} {
		if id == "_r" && m.encrypted != nil {
			var err error
			if text, err = encryptAssertion(text, m.encrypted); err != nil {
				return "", err
			}
		}
		if !strings.Contains(text, placeDigest+id) {
			continue
		}
		digest, err := m.digest(text, id, true)
		if err != nil {
			return "", err
		}
		text = strings.Replace(text, placeDigest+id, base64.StdEncoding.EncodeToString(digest), 1)
		if digest, err = m.digest(text, id, false); err != nil {
			return "", err
		}
		value, err := key.Sign(rand.Reader, digest, crypto.SHA256)
		if err != nil {
			return "", err
		}
		text = strings.Replace(text, placeValue+id, base64.StdEncoding.EncodeToString(value), 1)
	}
	if m.spoil {
		text = strings.Replace(text, "user@example.com", "uses@example.com", 1)
	}
	if m.after != nil {
		text = m.after(text)
	}
	return text, nil
}

// encryptAssertion puts AES-128-GCM and RSA-OAEP around the assertion. What it relies on is
// declared by the response.
func encryptAssertion(text string, key *rsa.PublicKey) (string, error) {
	start, end := strings.Index(text, "<Assertion "), strings.Index(text, "</Assertion>")+len("</Assertion>")
	data, err := encrypt(text[start:end], key)
	return text[:start] + `<EncryptedAssertion>` + data + `</EncryptedAssertion>` + text[end:], err
}

// encrypt gives an EncryptedData with two EncryptedKeys, of which the second is for key.
func encrypt(plaintext string, key *rsa.PublicKey) (string, error) {
	contentKey, nonce := make([]byte, 16), make([]byte, 12)
	rand.Read(contentKey)
	rand.Read(nonce)
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		return "", err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, contentKey, nil)
	if err != nil {
		return "", err
	}
	strangers := bytes.Repeat([]byte{1}, len(wrapped))
	return encryptedData(`<d:KeyInfo xmlns:d="`+xmltree.NSDSig+`">`+encryptedKey("", "", strangers)+encryptedKey("",
		"", wrapped)+`</d:KeyInfo>`,
		aead.Seal(nonce, nonce, []byte(plaintext), nil)), nil
}

// encryptedData is content that claims to be encrypted by AES-128-GCM.
func encryptedData(keyInfo string, content []byte) string {
	return `<x:EncryptedData xmlns:x="` + xmltree.NSXEnc + `"><x:EncryptionMethod Algorithm="` + xmltree.NSXEnc11 +
		`aes128-gcm"/>` + keyInfo +
		cipherData(content) + `</x:EncryptedData>`
}

// encryptedKey is a content key that claims to be encrypted by RSA-OAEP.
func encryptedKey(attributes, parameters string, octets []byte) string {
	return `<x:EncryptedKey` + attributes + `><x:EncryptionMethod Algorithm="` + xmltree.NSXEnc + `rsa-oaep-mgf1p">` +
		parameters + `</x:EncryptionMethod>` +
		cipherData(octets) + `</x:EncryptedKey>`
}

func cipherData(octets []byte) string {
	return `<x:CipherData><x:CipherValue>` + base64.StdEncoding.EncodeToString(octets) +
		`</x:CipherValue></x:CipherData>`
}

// digest is that of the element with this ID without its signature, or that of its SignedInfo.
func (m message) digest(text, id string, ofParent bool) ([]byte, error) {
	// also canonical forms that the verifier refuses
	doc, err := xmltree.Parse([]byte(text), xmltree.Options{MaxBytes: 64 * largest})
	if err != nil {
		return nil, err
	}
	parent := doc.Root()
	if id == "_a" {
		parent = child(parent, "Assertion")
	}
	signature := child(parent, "Signature")
	of, how := child(signature, "SignedInfo"), xmltree.C14N{PrefixList: m.prefixList}
	if m.inclusive {
		how.Method = xmltree.Inclusive
	}
	if ofParent {
		of, how.Omit = parent, signature
	}
	form, err := of.Canonicalize(nil, how)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(form)
	return sum[:], nil
}

func child(e xmltree.Element, local string) xmltree.Element {
	for c := range e.Children() {
		if c.Local() == local {
			return c
		}
	}
	panic("no " + local + " in " + e.Local()) // a mistake in xml
}

// ecdsaSigner signs as XML Signature wants it: r and s side by side.
type ecdsaSigner struct{ key *ecdsa.PrivateKey }

func (s ecdsaSigner) Public() crypto.PublicKey { return s.key.Public() }

func (s ecdsaSigner) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	r, t, err := ecdsa.Sign(rand.Reader, s.key, digest)
	if err != nil {
		return nil, err
	}
	size := (s.key.Curve.Params().N.BitLen() + 7) / 8
	value := make([]byte, 2*size)
	r.FillBytes(value[:size])
	t.FillBytes(value[size:])
	return value, nil
}
