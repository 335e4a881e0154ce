package main

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	_ "crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/iomete/saml/internal/xmltree"
)

// sign fills in the values of one signature, where the text has a place for them, and leaves every
// other byte as it is.
func (b *builder) sign(text, slot, key string, byHand *hand) (string, error) {
	text = strings.NewReplacer("CERTIFICATE-"+slot, b.keys[key].certificate, "CERTIFICATE-"+trusted,
		b.keys[idpA].certificate,
		"MODULUS-"+slot, b.keys[key].modulus()).Replace(text)
	if !strings.Contains(text, "VALUE-"+slot) {
		return text, nil
	}
	if byHand != nil {
		return byHand.sign(text, slot, b.keys[key].private)
	}
	return b.signByXmlsec(text, slot, key)
}

// xmlsecArgs tell xmlsec1 which attributes are IDs, and to believe in nothing but the key that it
// is given.
var xmlsecArgs = []string{"--id-attr:ID", nsAssertion + ":Assertion", "--id-attr:ID", nsProtocol + ":Response",
	"--enabled-reference-uris", "empty,same-doc", "--enabled-key-data", "rsa,ecdsa"}

func (b *builder) xmlsec(command, text string, args ...string) (output string, err error) {
	return b.xmlsecAlone(command, text, append(args, xmlsecArgs...)...)
}

// xmlsecAlone is xmlsec without its usual arguments.
func (b *builder) xmlsecAlone(command, text string, args ...string) (output string, err error) {
	file := filepath.Join(b.work, "message.xml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	args = append(append([]string{command}, args...), file)
	var out, complaints bytes.Buffer
	c := exec.Command("xmlsec1", args...)
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("%w: install the Debian package xmlsec1", err)
		}
		return "", fmt.Errorf("xmlsec1 %s: %w\n%s", command, err, complaints.String())
	}
	return out.String(), nil
}

var signedValue = regexp.MustCompile(`<(?:[a-z0-9]+:)?(?:DigestValue|SignatureValue)[^>]*>([^<]*)<`)

// signByXmlsec copies only the values out of what xmlsec1 writes: it writes CDATA, white space and
// references in its own way.
func (b *builder) signByXmlsec(text, slot, key string) (string, error) {
	output, err := b.xmlsec("--sign", text, "--privkey-pem", filepath.Join(b.dir, keyFile(key)),
		"--node-xpath", `//*[local-name()="SignatureValue" and .="VALUE-`+slot+`"]/..`)
	if err != nil {
		return "", err
	}
	places := signedValue.FindAllStringSubmatchIndex(text, -1)
	values := signedValue.FindAllStringSubmatch(output, -1)
	if len(places) != len(values) {
		return "", fmt.Errorf("xmlsec1 gave %d values for %d places", len(values), len(places))
	}
	for i := len(places) - 1; i >= 0; i-- {
		from, to := places[i][2], places[i][3]
		switch value := values[i][1]; text[from:to] {
		case "DIGEST-" + slot: // signed with its line breaks
			text = text[:from] + value + text[to:]
		case "VALUE-" + slot:
			text = text[:from] + strings.Join(strings.Fields(value), "") + text[to:]
		}
	}
	return text, nil
}

// hand signs what xmlsec1 cannot or will not: structures and algorithms outside its taste. The
// canonical forms are those of package xmltree, whose judge is libxml2.
type hand struct {
	digest func([]byte) []byte // changes the digest, nil for the SHA-256 of the parent
	value  func(private crypto.Signer, signedInfo []byte) ([]byte, error)
}

// plainHand is RSA with SHA-256.
var plainHand = &hand{}

func (h *hand) sign(text, slot string, private crypto.Signer) (string, error) {
	place := "DIGEST-" + slot
	signature, err := findSignature(text, slot)
	if err != nil {
		return "", err
	}
	canonical, err := signature.Parent().Canonicalize(nil, xmltree.C14N{Omit: signature})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	digest := sum[:]
	if h.digest != nil {
		digest = h.digest(digest)
	}
	text = strings.ReplaceAll(text, place, base64.StdEncoding.EncodeToString(digest))
	if signature, err = findSignature(text, slot); err != nil {
		return "", err
	}
	for c := range signature.Children() {
		if c.Local() != "SignedInfo" {
			continue
		}
		if canonical, err = c.Canonicalize(nil, xmltree.C14N{}); err != nil {
			return "", err
		}
		break
	}
	value := h.value
	if value == nil {
		value = signRSA
	}
	signed, err := value(private, canonical)
	if err != nil {
		return "", err
	}
	return strings.Replace(text, "VALUE-"+slot, base64.StdEncoding.EncodeToString(signed), 1), nil
}

// findSignature gives the signature whose value is still missing.
func findSignature(text, slot string) (xmltree.Element, error) {
	doc, err := xmltree.Parse([]byte(text), xmltree.Options{})
	if err != nil {
		return xmltree.Element{}, err
	}
	for e := range doc.Root().Descendants() {
		if value, ok := e.Text(); ok && value == "VALUE-"+slot && e.Local() == "SignatureValue" {
			return e.Parent(), nil
		}
	}
	return xmltree.Element{}, fmt.Errorf("there is no signature to make")
}

func signRSA(private crypto.Signer, signedInfo []byte) ([]byte, error) {
	sum := sha256.Sum256(signedInfo)
	return private.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// signECDSA writes r and s in some form. Without a source of randomness the signature is the one of
// RFC 6979: always the same.
func signECDSA(hash crypto.Hash, form func(r, s *big.Int) []byte) func(crypto.Signer, []byte) ([]byte, error) {
	return func(private crypto.Signer, signedInfo []byte) ([]byte, error) {
		h := hash.New()
		h.Write(signedInfo)
		der, err := private.Sign(nil, h.Sum(nil), hash)
		if err != nil {
			return nil, err
		}
		var value struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &value); err != nil {
			return nil, err
		}
		return form(value.R, value.S), nil
	}
}

// fixedLength is the form of XML Signature 1.1 for P-256.
func fixedLength(r, s *big.Int) []byte {
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

// tooLong has a zero byte before each.
func tooLong(r, s *big.Int) []byte {
	return append(r.FillBytes(make([]byte, 33)), s.FillBytes(make([]byte, 33))...)
}

// derForm is the form of X.509.
func derForm(r, s *big.Int) []byte {
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		panic(err) // two numbers always marshal
	}
	return der
}

// signHMAC takes the certificate's public key as secret: what everybody knows.
func signHMAC(private crypto.Signer, signedInfo []byte) ([]byte, error) {
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, public)
	mac.Write(signedInfo)
	return mac.Sum(nil), nil
}
