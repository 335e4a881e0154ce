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
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
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
	issued    string // which certificate of the same list it issued, if it is unusable for that
}

const (
	maxKeys    = 16
	maxSlow    = 8 // of these, keys that take several times as long as others to verify with: RSA of more than 4096 bits, and P-521
	minRSABits = 2048
	maxRSABits = 8192
	maxKeyFile = 4 << 20
	maxSubject = 4 << 10 // bytes of a subject that is shown: writing one takes time that grows with its square
	maxKeyInfo = 4 << 10 // bytes of a public key that is read: four times those of RSA with 8192 bits
)

// PublicKey is an *rsa.PublicKey or *ecdsa.PublicKey, nil if the certificate holds another kind.
func (k TrustedKey) PublicKey() crypto.PublicKey { return k.public }

// Subject is the subject of the certificate ("CN=Microsoft Azure Federated SSO Certificate"), "" if it cannot be read or has more than 4 KiB.
func (k TrustedKey) Subject() string { return k.subject }

// NotBefore is when the certificate begins.
func (k TrustedKey) NotBefore() time.Time { return k.notBefore }

// NotAfter is when the certificate ends.
func (k TrustedKey) NotAfter() time.Time { return k.notAfter }

// DER is the certificate.
func (k TrustedKey) DER() []byte { return slices.Clone(k.der) }

// ThumbprintSHA256 is the thumbprint of the certificate in upper-case hex.
func (k TrustedKey) ThumbprintSHA256() string {
	sum := sha256.Sum256(k.der)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// ThumbprintSHA1 is the thumbprint of the certificate in upper-case hex, as Entra's portal shows it.
func (k TrustedKey) ThumbprintSHA1() string { return thumbprint(k.der) }

// Usable is nil if responses may be verified with the key, else an *Error that says why not: the key is of an unusable kind or length, or the
// certificate issued another one of the same list, so that it belongs to an authority and not to a signer.
func (k TrustedKey) Usable() error {
	if k.unusable != nil {
		return k.unusable.completed(nil)
	}
	return nil
}

// slow reports whether a signature takes several times as long to verify as with the keys that identity providers use.
func (k TrustedKey) slow() bool {
	switch key := k.public.(type) {
	case *rsa.PublicKey:
		return k.unusable == nil && key.N.BitLen() > 4096
	case *ecdsa.PublicKey:
		return k.unusable == nil && key.Curve == elliptic.P521()
	}
	return false
}

func thumbprint(der []byte) string {
	sum := sha1.Sum(der) // a name, not a protection: it is what the portal shows
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// ParseKeys reads the certificates in what an administrator pasted or uploaded: federation metadata, PEM, bare base64 with or without line
// breaks, X509Certificate elements, also several of these together with other text around and between them, or DER. At most 16, and
// of these 8 with RSA keys of more than 4096 bits or ECDSA keys on P-521, which take long to verify with; the
// same key twice counts once. No certificate is left out silently: if a part cannot be read the error names it. Errors are *Error.
//
// A certificate that issued another one of them is an authority's, and signs no responses: it is returned, so that it can be shown, but Usable says
// that it is not trusted, and IdentityProvider.Warnings warns about it. If it signs responses all the same, give it alone.
func ParseKeys(data []byte) ([]TrustedKey, error) {
	keys, err := readKeys(data)
	if err != nil {
		return nil, err.completed(nil)
	}
	return keys, nil
}

func readKeys(data []byte) ([]TrustedKey, *Error) {
	if len(data) > maxKeyFile {
		return nil, refusef(CodeTooLarge, "the file has %d bytes, more than %d", len(data), maxKeyFile)
	}
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	switch {
	case len(trimmed) == 0:
		return nil, refuse(CodeKey, "the certificate is empty", "", "")
	case bytes.HasPrefix(data, utf16LE), bytes.HasPrefix(data, utf16BE):
		return nil, refuse(CodeKey, "the file is encoded in UTF-16", "", "the file as it was downloaded, or saved as UTF-8")
	case data[0] == 0x30 && len(data) > 1 && data[1] >= 0x80:
		return parseDER(data)
	}
	return parseText(string(trimmed))
}

// parseDER reads certificates that follow each other.
func parseDER(data []byte) ([]TrustedKey, *Error) {
	var list keyList
	if _, err := list.readDER(data); err != nil {
		return nil, err
	}
	list.markIssuers()
	return list.keys, nil
}

// A keyList collects certificates that differ, in their order, and refuses the one beyond the limit, so that what follows is not looked at.
type keyList struct {
	keys []TrustedKey
	seen map[[sha256.Size]byte]int // hash of the certificate -> index in keys
	slow int                       // how many of keys are slow
	full bool                      // there was one too many
}

// readDER adds certificates that follow each other and returns their indices.
func (l *keyList) readDER(data []byte) (added []int, err *Error) {
	rest := cryptobyte.String(data)
	for !rest.Empty() && (added == nil || len(bytes.TrimSpace(rest)) > 0) { // an editor may have added a line break
		var der cryptobyte.String
		if !rest.ReadASN1Element(&der, cryptobyteasn1.SEQUENCE) {
			return nil, refuse(CodeKey, "the certificate is damaged or cut off", "", "")
		}
		i, err := l.add(der)
		if err != nil {
			return nil, err
		}
		if len(added) < maxKeys { // one certificate repeated without end has no more
			added = append(added, i)
		}
	}
	return added, nil
}

// add reads one certificate, if it is not in the list, and returns its index.
func (l *keyList) add(der []byte) (int, *Error) {
	hash := sha256.Sum256(der)
	if i, ok := l.seen[hash]; ok {
		return i, nil
	}
	k, err := parseCertificate(der)
	if err != nil {
		if refusal := holdsPrivateKey(der); refusal != nil {
			return 0, refusal
		}
		return 0, err
	}
	return l.append(hash, k)
}

func (l *keyList) append(hash [sha256.Size]byte, k TrustedKey) (int, *Error) {
	if len(l.keys) == maxKeys {
		l.full = true
		return 0, refusef(CodeKey, "there are more than %d certificates", maxKeys)
	}
	if k.slow() {
		if l.slow == maxSlow {
			l.full = true
			return 0, refusef(CodeKey, "there are more than %d certificates with RSA keys of more than 4096 bits or ECDSA keys on P-521", maxSlow)
		}
		l.slow++
	}
	if l.seen == nil {
		l.seen = map[[sha256.Size]byte]int{}
	}
	l.seen[hash] = len(l.keys)
	l.keys = append(l.keys, k)
	return len(l.keys) - 1, nil
}

// uniqueKeys leaves out repeated certificates. Of two that are the same, one may have been read beside a certificate that it issued, and the other
// alone: then it counts as given alone.
func uniqueKeys(keys []TrustedKey) ([]TrustedKey, *Error) {
	var l keyList
	for _, k := range keys {
		hash := sha256.Sum256(k.der)
		if i, ok := l.seen[hash]; !ok {
			if _, err := l.append(hash, k); err != nil {
				return nil, err
			}
		} else if k.issued == "" {
			l.keys[i] = k
		}
	}
	return l.keys, nil
}

func privateKey() *Error {
	return refuse(CodePrivateKey, "this is a private key, not a certificate", "", "")
}

// holdsPrivateKey recognizes a private key by the types of its first elements. Its numbers are not looked at: checking whether those of a
// stranger are a key takes time without bound.
func holdsPrivateKey(der []byte) *Error {
	input := cryptobyte.String(der)
	var s, algorithm cryptobyte.String
	if !input.ReadASN1(&s, cryptobyteasn1.SEQUENCE) {
		return nil
	}
	if s.PeekASN1Tag(cryptobyteasn1.SEQUENCE) { // encrypted: RFC 5958 §3
		if s.ReadASN1(&algorithm, cryptobyteasn1.SEQUENCE) && algorithm.PeekASN1Tag(cryptobyteasn1.OBJECT_IDENTIFIER) && s.SkipASN1(cryptobyteasn1.OCTET_STRING) && s.Empty() {
			return privateKey()
		}
		return nil
	}
	var version int
	if !s.ReadASN1Integer(&version) {
		return nil
	}
	if s.PeekASN1Tag(cryptobyteasn1.OCTET_STRING) { // ECDSA: RFC 5915 §3
		return privateKey()
	}
	if s.PeekASN1Tag(cryptobyteasn1.SEQUENCE) {
		switch s.SkipASN1(cryptobyteasn1.SEQUENCE); {
		case s.PeekASN1Tag(cryptobyteasn1.OCTET_STRING): // RFC 5958 §2
			return privateKey()
		case version == 3: // RFC 7292 §4
			return refuse(CodePrivateKey, "this is a PKCS #12 file (.pfx, .p12), which holds a private key, not a certificate", "", "")
		}
		return nil
	}
	for range 5 { // RSA: RFC 8017 appendix A.1.2 has eight more numbers, OpenSSL's form of DSA five
		if !s.SkipASN1(cryptobyteasn1.INTEGER) {
			return nil
		}
	}
	return privateKey()
}

// parseCertificate reads the few fields that we need (RFC 5280 §4.1). crypto/x509 refuses certificates that are in use,
// for instance with a negative serial number.
func parseCertificate(der []byte) (TrustedKey, *Error) {
	bad := func(what string) (TrustedKey, *Error) {
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
	if len(subject) <= maxSubject {
		if _, err := asn1.Unmarshal(subject, &name); err == nil {
			k.subject = name.String()
		}
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
	if len(der) > maxKeyInfo {
		return nil, refuse(CodeWeakKey, "the certificate holds a key that is too long", fmt.Sprintf("%d bytes", len(der)), "RSA with 2048 to 8192 bits, or ECDSA")
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, refuse(CodeWeakKey, "the certificate holds a key of a kind that is not supported", "", "RSA or ECDSA").withCause(err)
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return key, refuse(CodeWeakKey, "the RSA key has an unusable length", fmt.Sprintf("%d bits", bits), "2048 to 8192 bits")
		}
		if key.E < 3 || key.E%2 == 0 || key.E > math.MaxInt32 { // crypto/rsa verifies with none that is larger
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
