package saml

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/certs"
)

// A TrustedKey is a public key that an identity provider signs with, and what its certificate says
// about it. It is trusted because it was configured: who issued the certificate does not count (the
// certificate is pinned). The zero value is no key.
type TrustedKey struct {
	public    crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
	id        KeyID            // of public
	der       []byte           // the certificate
	subject   string
	notBefore time.Time
	notAfter  time.Time
	unusable  *Error // nil if responses may be verified with it
	issued    string // which certificate of the same list it issued, if it is unusable for that
}

const (
	maxKeys    = 16
	maxSlow    = 8 // of these, keys with which verifying takes several times as long: RSA of more than 4096 bits, P-521
	minRSABits = certs.MinRSABits
)

// PublicKey returns an *rsa.PublicKey or *ecdsa.PublicKey, or nil if the certificate holds another
// kind.
func (k TrustedKey) PublicKey() crypto.PublicKey { return k.public }

// Subject returns the subject of the certificate ("CN=Microsoft Azure Federated SSO Certificate"),
// "" if it cannot be read or has more than 4 KiB.
func (k TrustedKey) Subject() string { return k.subject }

// NotBefore returns when the validity of the certificate begins, in UTC. A date in the future is a
// warning, no refusal.
func (k TrustedKey) NotBefore() time.Time { return k.notBefore }

// NotAfter returns when the validity of the certificate ends, in UTC. See
// Config.RefuseExpiredCertificates.
func (k TrustedKey) NotAfter() time.Time { return k.notAfter }

// DER returns a copy of the certificate in DER.
func (k TrustedKey) DER() []byte { return slices.Clone(k.der) }

// ThumbprintSHA256 returns the SHA-256 thumbprint (fingerprint) of the certificate: 64 upper-case
// hex digits.
func (k TrustedKey) ThumbprintSHA256() string {
	sum := sha256.Sum256(k.der)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// ThumbprintSHA1 returns the SHA-1 thumbprint (fingerprint) of the certificate as Entra's portal
// shows it: 40 upper-case hex digits.
func (k TrustedKey) ThumbprintSHA1() string { return thumbprint(k.der) }

// Usable returns nil if responses may be verified with the key, else an *Error that says why not.
// CodeWeakKey: the key is of an unusable kind or length. CodeKey: the certificate issued another
// one of the same list, so it belongs to a certificate authority (CA) and not to a signer.
func (k TrustedKey) Usable() error {
	if k.unusable != nil {
		return k.unusable.completed(nil)
	}
	return nil
}

// isUsable reports whether responses may be verified with the key. The zero TrustedKey is none.
func (k TrustedKey) isUsable() bool { return k.unusable == nil && k.public != nil }

// isValidAt reports whether the certificate is within its dates, which both belong to it (RFC 5280
// §4.1.2.5).
func (k TrustedKey) isValidAt(t time.Time) bool {
	return !t.Before(k.notBefore) && !t.After(k.notAfter)
}

// name is what messages call the certificate.
func (k TrustedKey) name() string {
	return fmt.Sprintf("the certificate %s (thumbprint %s)", quote(k.subject), k.ThumbprintSHA1())
}

func thumbprint(der []byte) string {
	sum := sha1.Sum(der) // a name, not a protection: it is what the portal shows
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// parseCertificate reads one certificate.
func parseCertificate(der []byte) (TrustedKey, *Error) {
	c, problem := certs.Parse(der)
	if problem != nil {
		return TrustedKey{}, fromCerts(problem)
	}
	k := TrustedKey{public: c.Key, id: idOf(c.Key), der: c.DER, subject: c.Subject, notBefore: c.NotBefore, notAfter: c.NotAfter}
	if c.Unusable != nil {
		k.unusable = fromCerts(c.Unusable)
	}
	return k, nil
}

// fromCerts turns what internal/certs found wrong into an Error.
func fromCerts(p *certs.Problem) *Error {
	code := CodeKey
	switch p.Kind {
	case certs.PrivateKey:
		code = CodePrivateKey
	case certs.UnusableKey:
		code = CodeWeakKey
	}
	return refuse(code, p.Message, p.Got, p.Want).withCause(p.Cause)
}

func publicKeys(keys []TrustedKey) []crypto.PublicKey {
	list := make([]crypto.PublicKey, len(keys))
	for i, k := range keys {
		list[i] = k.public
	}
	return list
}

// A keyList collects certificates that differ, in their order, and refuses the one beyond the
// limit, so that what follows is not looked at.
type keyList struct {
	keys []TrustedKey
	seen map[[sha256.Size]byte]int // hash of the certificate -> index in keys
	slow int                       // how many of keys are slow
	full bool                      // there was one too many
}

// readDER adds certificates that follow each other and returns their indices.
func (l *keyList) readDER(data []byte) (added []int, _ *Error) {
	for der, problem := range certs.Split(data) {
		if problem != nil {
			return nil, fromCerts(problem)
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

// readElement adds the certificates in the text of one X509Certificate element and returns their
// indices. If one of them cannot be read, none is added: an authority must not be left without the
// certificate that shows what it is.
func (l *keyList) readElement(text string) (added []int, err *Error) {
	before := len(l.keys)
	for der, problem := range certs.InElement(text) {
		var more []int
		if problem != nil {
			err = fromCerts(problem)
		} else {
			more, err = l.readDER(der)
		}
		if err != nil {
			if !l.full {
				l.cut(before)
			}
			return nil, err
		}
		added = mergeIndices(added, more)
	}
	return added, nil
}

// mergeIndices adds what is not there yet. There are at most maxKeys different ones.
func mergeIndices(list, more []int) []int {
	for _, i := range more {
		if !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	return list
}

// cut takes the last certificates away, so that n are left.
func (l *keyList) cut(n int) {
	for _, k := range l.keys[n:] {
		delete(l.seen, sha256.Sum256(k.der))
		if k.unusable == nil && certs.IsSlow(k.public) {
			l.slow--
		}
	}
	l.keys = l.keys[:n]
}

// readText adds the certificates in a text without metadata.
func (l *keyList) readText(text string) *Error {
	for part, problem := range certs.Parts(text) {
		if problem != nil {
			return fromCerts(problem)
		}
		_, err := l.readDER(part.DER)
		if err != nil && err.Code == CodeKey && !l.full {
			err.Message = fmt.Sprintf("what begins in line %d: %s", part.Line(), err.Message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add reads one certificate, if it is not in the list, and returns its index.
func (l *keyList) add(der []byte) (int, *Error) {
	hash := sha256.Sum256(der)
	if i, ok := l.seen[hash]; ok {
		return i, nil
	}
	k, err := parseCertificate(der)
	if err != nil {
		return 0, err
	}
	return l.append(hash, k)
}

func (l *keyList) append(hash [sha256.Size]byte, k TrustedKey) (int, *Error) {
	if len(l.keys) == maxKeys {
		l.full = true
		return 0, refusef(CodeKey, "there are more than %d certificates", maxKeys)
	}
	if k.unusable == nil && certs.IsSlow(k.public) {
		if l.slow == maxSlow {
			l.full = true
			return 0, refusef(CodeKey,
				"there are more than %d certificates with RSA keys of more than 4096 bits or ECDSA keys on P-521", maxSlow)
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

// uniqueKeys leaves out repeated certificates. Of two that are the same, one may have been read
// beside a certificate that it issued, and the other alone: then it counts as given alone.
func uniqueKeys(keys []TrustedKey) ([]TrustedKey, *Error) {
	var l keyList
	for _, k := range keys {
		hash := sha256.Sum256(k.der)
		if i, ok := l.seen[hash]; !ok {
			if _, err := l.append(hash, k); err != nil {
				return nil, err
			}
		} else if k.unusable == nil {
			l.keys[i] = k
		}
	}
	return l.keys, nil
}

// XML Signature 1.1 §4.5.4 lets a signer add the certificates of its authorities to its own. An
// authority signs certificates, not responses: if its key were trusted, whoever operates the
// authority could sign in as anybody.

// markIssuers makes those keys unusable that issued another one of the list.
func (l *keyList) markIssuers() {
	l.markIssuersIn([][]int{indices(len(l.keys))})
}

// markIssuersIn makes those keys unusable that issued another one of the same group, in every group
// that they are in. A group is a list of indices: certificates that were given together.
func (l *keyList) markIssuersIn(groups [][]int) {
	candidates := make([]certs.Candidate, len(l.keys))
	for i, k := range l.keys {
		candidates[i] = certs.Candidate{DER: k.der, Key: k.public, Usable: k.unusable == nil}
	}
	for i, issued := range certs.Authorities(candidates, groups) {
		if k := &l.keys[i]; issued >= 0 && k.unusable == nil {
			k.issued = l.keys[issued].name()
			k.unusable = refuse(CodeKey, "the certificate issued another one in the same list, "+
				"so it belongs to a certificate authority: its key is not trusted to sign responses", "", "")
			k.unusable.Hint = issuerHint
		}
	}
}

const issuerHint = "Usually nothing needs to change, because the identity provider signs with the other certificate. " +
	"If it signs with this one, provide this one alone."

// indices returns the numbers from 0 to n-1.
func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
