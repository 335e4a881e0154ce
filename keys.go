package saml

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/iomete/saml/internal/b64"
)

// A TrustedKey is a public key that an identity provider signs with, and what its certificate says about it. It is trusted
// because it was configured; who issued the certificate does not count.
type TrustedKey struct {
	public    crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
	der       []byte           // the certificate
	subject   string
	notBefore time.Time
	notAfter  time.Time
	unusable  *Error // nil if responses may be verified with it
}

const (
	maxKeys    = 16
	minRSABits = 2048
	maxRSABits = 8192
	maxKeyFile = 4 << 20
)

// PublicKey is an *rsa.PublicKey or *ecdsa.PublicKey, nil if the certificate holds another kind.
func (k TrustedKey) PublicKey() crypto.PublicKey { return k.public }

// Subject is the subject of the certificate ("CN=Microsoft Azure Federated SSO Certificate").
func (k TrustedKey) Subject() string { return k.subject }

// NotBefore is when the certificate begins.
func (k TrustedKey) NotBefore() time.Time { return k.notBefore }

// NotAfter is when the certificate ends.
func (k TrustedKey) NotAfter() time.Time { return k.notAfter }

// DER is the certificate.
func (k TrustedKey) DER() []byte { return slices.Clone(k.der) }

// SHA256 is the thumbprint of the certificate in upper-case hex.
func (k TrustedKey) SHA256() string {
	sum := sha256.Sum256(k.der)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// SHA1 is the thumbprint of the certificate in upper-case hex, as Entra's portal shows it.
func (k TrustedKey) SHA1() string { return thumbprint(k.der) }

// Usable is nil if responses may be verified with the key, else an *Error that says why not.
func (k TrustedKey) Usable() error {
	if k.unusable != nil {
		return k.unusable
	}
	return nil
}

func thumbprint(der []byte) string {
	sum := sha1.Sum(der) // a name, not a protection: it is what the portal shows
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// ParseKeys reads the certificates in what an administrator pasted or uploaded: federation metadata, PEM with any text
// around, bare base64 with or without line breaks, or DER. At most 16; the same key twice counts once. Errors are *Error.
func ParseKeys(data []byte) ([]TrustedKey, error) {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	switch {
	case len(trimmed) == 0:
		return nil, refuse(CodeKey, "the certificate is empty", "", "")
	case len(data) > maxKeyFile:
		return nil, refusef(CodeTooLarge, "the file has %d bytes, more than %d", len(data), maxKeyFile)
	case trimmed[0] == '<':
		idp, err := ParseMetadata(data)
		if err != nil {
			return nil, err
		}
		return idp.Keys(), nil
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return nil, refuse(CodeKey, "the file is encoded in UTF-16", "", "the file as it was downloaded, or saved as UTF-8")
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return parsePEM(data)
	case data[0] == 0x30 && len(data) > 1 && data[1] >= 0x80:
		return parseDER(data)
	}
	der, err := b64.Decode(string(trimmed))
	if err != nil || der[0] != 0x30 || thumbprintText.Match(trimmed) {
		return nil, notACertificate(trimmed)
	}
	return parseDER(der)
}

// thumbprintText is a SHA-1 or SHA-256 thumbprint as portals show it. Without its colons it is base64 too.
var thumbprintText = regexp.MustCompile(`^([0-9A-Fa-f]{2}[: ]?){19}([0-9A-Fa-f]{2}[: ]?){0,12}[0-9A-Fa-f]{2}$`)

var pemBlock = regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END ([A-Z0-9 ]+)-----`)

// parsePEM is more tolerant than encoding/pem: armour and base64 may be indented, as forms and chats leave them.
func parsePEM(data []byte) ([]TrustedKey, error) {
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) { // also in a form that is no block here, and beside a certificate
		return nil, privateKey()
	}
	var keys []TrustedKey
	for _, block := range pemBlock.FindAllSubmatch(data, -1) {
		kind := string(block[1])
		if kind != "CERTIFICATE" && kind != "X509 CERTIFICATE" && kind != "TRUSTED CERTIFICATE" {
			return nil, refuse(CodeKey, "the text is no certificate", kind, "BEGIN CERTIFICATE")
		}
		der, err := b64.Decode(string(block[2]))
		if err != nil {
			return nil, refuse(CodeKey, "the base64 between BEGIN and END is damaged", "", "the certificate as it was downloaded")
		}
		if kind == "TRUSTED CERTIFICATE" {
			der = firstOf(der) // OpenSSL puts its own settings behind it
		}
		more, err := parseDER(der)
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	}
	if len(keys) == 0 {
		return nil, refuse(CodeKey, "the certificate has no END line", "", "everything from BEGIN CERTIFICATE to END CERTIFICATE")
	}
	return uniqueKeys(keys)
}

// firstOf cuts off what follows the first ASN.1 element.
func firstOf(der []byte) []byte {
	rest := cryptobyte.String(der)
	var first cryptobyte.String
	if !rest.ReadASN1Element(&first, cryptobyteasn1.SEQUENCE) {
		return der
	}
	return first
}

func uniqueKeys(keys []TrustedKey) ([]TrustedKey, error) {
	var list []TrustedKey
	for _, k := range keys {
		if !slices.ContainsFunc(list, func(o TrustedKey) bool { return bytes.Equal(o.der, k.der) }) {
			list = append(list, k)
		}
	}
	if len(list) > maxKeys {
		return nil, refusef(CodeKey, "there are %d certificates, more than %d", len(list), maxKeys)
	}
	return list, nil
}

func privateKey() *Error {
	return refuse(CodePrivateKey, "this is a private key, not a certificate", "", "")
}

func notACertificate(data []byte) *Error {
	start := strings.ToLower(string(data[:min(len(data), 64)]))
	if strings.HasPrefix(start, "ssh-") {
		return refuse(CodeKey, "this is an SSH key, not a certificate", "", "")
	}
	if strings.HasPrefix(start, "https://") || strings.HasPrefix(start, "http://") {
		return refuse(CodeKey, "this is an address, not a certificate", "", "the certificate or the metadata that is found there")
	}
	if thumbprintText.Match(data) {
		return refuse(CodeKey, "this is the thumbprint of a certificate, not the certificate", "", "")
	}
	return refuse(CodeKey, "this is not a certificate", "", "PEM, base64, DER or federation metadata XML")
}

// parseDER reads certificates that follow each other.
func parseDER(data []byte) ([]TrustedKey, error) {
	var keys []TrustedKey
	rest := cryptobyte.String(data)
	for !rest.Empty() && (keys == nil || len(bytes.TrimSpace(rest)) > 0) { // an editor may have added a line break
		var der cryptobyte.String
		if !rest.ReadASN1Element(&der, cryptobyteasn1.SEQUENCE) {
			return nil, refuse(CodeKey, "the certificate is damaged or cut off", "", "")
		}
		k, err := parseCertificate(der)
		if err != nil {
			if isPrivateKey(der) {
				return nil, privateKey()
			}
			return nil, err
		}
		keys = append(keys, k)
	}
	return uniqueKeys(keys)
}

func isPrivateKey(der []byte) bool {
	if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return true
	}
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return true
	}
	_, err := x509.ParseECPrivateKey(der)
	return err == nil
}

// parseCertificate reads the few fields that we need (RFC 5280 §4.1). crypto/x509 refuses certificates that are in use,
// for instance with a negative serial number.
func parseCertificate(der []byte) (TrustedKey, error) {
	bad := func(what string) (TrustedKey, error) {
		return TrustedKey{}, refuse(CodeKey, "this is not a certificate: "+what+" cannot be read", "", "an X.509 certificate")
	}
	k := TrustedKey{der: slices.Clone(der)}
	input := cryptobyte.String(der)
	var certificate, tbs, subject, validity, key cryptobyte.String
	if !input.ReadASN1(&certificate, cryptobyteasn1.SEQUENCE) || !certificate.ReadASN1(&tbs, cryptobyteasn1.SEQUENCE) {
		return bad("its frame")
	}
	if !tbs.SkipOptionalASN1(cryptobyteasn1.Tag(0).Constructed().ContextSpecific()) || // version
		!tbs.SkipASN1(cryptobyteasn1.INTEGER) || // serial number
		!tbs.SkipASN1(cryptobyteasn1.SEQUENCE) || // signature algorithm
		!tbs.SkipASN1(cryptobyteasn1.SEQUENCE) || // issuer
		!tbs.ReadASN1(&validity, cryptobyteasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&subject, cryptobyteasn1.SEQUENCE) ||
		!tbs.ReadASN1Element(&key, cryptobyteasn1.SEQUENCE) {
		return bad("one of its first fields")
	}
	var ok bool
	if k.notBefore, ok = readTime(&validity); !ok {
		return bad("the beginning of its validity")
	}
	if k.notAfter, ok = readTime(&validity); !ok {
		return bad("the end of its validity")
	}
	var name pkix.RDNSequence
	if _, err := asn1.Unmarshal(subject, &name); err == nil {
		k.subject = name.String()
	}
	k.public, k.unusable = readPublicKey(key)
	return k, nil
}

func readTime(s *cryptobyte.String) (t time.Time, ok bool) {
	if s.PeekASN1Tag(cryptobyteasn1.UTCTime) {
		ok = s.ReadASN1UTCTime(&t)
	} else {
		ok = s.ReadASN1GeneralizedTime(&t)
	}
	return t.UTC(), ok
}

// readPublicKey says why a key cannot verify responses, if so.
func readPublicKey(der []byte) (crypto.PublicKey, *Error) {
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, refuse(CodeWeakKey, "the certificate holds a key of a kind that is not supported", "", "RSA or ECDSA").because(err)
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return key, refuse(CodeWeakKey, "the RSA key has an unusable length", fmt.Sprintf("%d bits", bits), "2048 to 8192 bits")
		}
		if key.E < 3 || key.E%2 == 0 {
			return key, refuse(CodeWeakKey, "the RSA key has an unusable exponent", fmt.Sprint(key.E), "65537")
		}
		return key, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return key, nil
		}
		return key, refuse(CodeWeakKey, "the ECDSA key is on an unusable curve", key.Curve.Params().Name, "P-256, P-384 or P-521")
	}
	return nil, refuse(CodeWeakKey, "the certificate holds a key of a kind that is not supported", fmt.Sprintf("%T", public), "RSA or ECDSA")
}
