package bench

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/iomete/saml/samltest"
)

const (
	baseURL      = "https://console.example.com"
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
	form, err := idp.Respond(a)
	if err != nil {
		return nil, err
	}
	return &fixture{idp: idp, form: form, want: want}, nil
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

// groups gives a claim of n GUIDs under the real name of the groups claim: Entra itself sends a
// link beyond 150, so that this is a stress.
func groups(n int) []samltest.Attribute {
	values := make([]string, n)
	for i := range values {
		s := sha256.Sum256(fmt.Appendf(nil, "group %d", i))
		values[i] = fmt.Sprintf("%x-%x-%x-%x-%x", s[:4], s[4:6], s[6:8], s[8:10], s[10:16])
	}
	return []samltest.Attribute{{Name: claimGroups, Values: values}}
}
