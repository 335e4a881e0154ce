package samltest

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// A homeKey is a signing key on the home page.
type homeKey struct {
	Thumbprint string // SHA-1, upper-case hex, as Entra's portal shows it
	Active     bool
}

// homeKeys returns the keys in the order of Certificates.
func (p *IdentityProvider) homeKeys() (list []homeKey) {
	for i, key := range p.snapshotKeys() {
		list = append(list, homeKey{thumbprint(key.certificate), i == 0})
	}
	return list
}

func thumbprint(certificate []byte) string {
	sum := sha1.Sum(certificate) // a name, not a protection
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// withKey calls do with the index of the key that a form of the home page names by its thumbprint:
// the page may be older than the last change.
func (p *IdentityProvider) withKey(name string, do func(index int) error) error {
	index := slices.IndexFunc(p.homeKeys(), func(k homeKey) bool { return k.Thumbprint == name })
	if index < 0 {
		return fmt.Errorf("samltest: there is no key with the thumbprint %q any more: open the page again", name)
	}
	return do(index)
}

func (p *IdentityProvider) addFreshKey() error {
	_, err := p.AddKey(nil)
	return err
}
