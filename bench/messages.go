package bench

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/iomete/saml/samltest"
)

const (
	host         = "console.example.com"
	baseURL      = "https://" + host
	redirectPath = "/saml/acs"
	redirectURL  = baseURL + redirectPath
	requestID    = "_a7c1f0dd29f34b5f8b1c96e0d3a4527e"

	claimGroups = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
)

// now is the one time of all clocks here, so that a message stays valid however often it is
// verified.
var now = time.Date(2026, time.March, 2, 9, 30, 0, 0, time.UTC)

func clock() time.Time { return now }

// A fixture is one response and what everybody is told beforehand: whom to trust and what to
// expect.
type fixture struct {
	idp  *samltest.IdentityProvider
	form string // the form value SAMLResponse
	want person

	decrypt     *rsa.PrivateKey // opens an encrypted assertion; nil if it is not encrypted
	certificate []byte          // of decrypt, in DER
}

// A person is what must come out of a response.
type person struct {
	email  string
	groups []string
}

// newFixture makes a response of an identity provider with this many keys. Recipient and request
// are filled in.
func newFixture(keys int, a samltest.Answer) (*fixture, error) {
	signers, err := newKeys(keys)
	if err != nil {
		return nil, err
	}
	idp, err := samltest.New(samltest.Options{Keys: signers, Now: clock})
	if err != nil {
		return nil, err
	}
	a.Recipient, a.RequestID = redirectURL, requestID
	user := samltest.DefaultUsers()[0]
	want := person{email: user.Mail, groups: user.Groups}
	for _, attribute := range a.Attributes {
		if attribute.Name == claimGroups {
			want.groups = attribute.Values
		}
	}
	f := &fixture{idp: idp, want: want}
	if a.Encrypt != nil {
		if f.decrypt, f.certificate, err = newDecryptionKey(); err != nil {
			return nil, err
		}
		encryption := *a.Encrypt
		encryption.Certificates = [][]byte{f.certificate}
		a.Encrypt = &encryption
	}
	f.form, err = idp.Respond(a)
	return f, err
}

// newDecryptionKey makes the key of a service provider and its certificate, in DER.
func newDecryptionKey() (*rsa.PrivateKey, []byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return key, certificate, err
}

// newKeys makes RSA keys, that with the smallest modulus last. What the last key signs is then
// below the modulus of each: otherwise the others would refuse it at once, by luck, without the RSA
// operation that is to be measured.
func newKeys(n int) ([]crypto.Signer, error) {
	keys := make([]*rsa.PrivateKey, n)
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(keys, func(a, b *rsa.PrivateKey) int { return b.N.Cmp(a.N) })
	signers := make([]crypto.Signer, n)
	for i, key := range keys {
		signers[i] = key
	}
	return signers, nil
}

// guids gives n groups as Entra names them.
func guids(n int) []string {
	values := make([]string, n)
	for i := range values {
		s := sha256.Sum256(fmt.Appendf(nil, "group %d", i))
		values[i] = fmt.Sprintf("%x-%x-%x-%x-%x", s[:4], s[4:6], s[6:8], s[8:10], s[10:16])
	}
	return values
}

// names gives n groups by short names: a cookie of ours has no room for 50 GUIDs.
func names(n int) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("g-%02d", i)
	}
	return values
}

// claimOf gives the claim under its real name, of any length. Entra itself sends a link beyond 150
// groups: more is a stress.
func claimOf(groups []string) []samltest.Attribute {
	return []samltest.Attribute{{Name: claimGroups, Values: groups}}
}
