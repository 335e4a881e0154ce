package saml

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestOnlyAlgorithmsNeverAcceptsMore: the list can take algorithms away, and nothing else.
func TestOnlyAlgorithmsNeverAcceptsMore(t *testing.T) {
	const (
		sha1Signature = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
		sha1Digest    = "http://www.w3.org/2000/09/xmldsig#sha1"
		sha256Digest  = "http://www.w3.org/2001/04/xmlenc#sha256"
	)
	for name, test := range map[string]struct {
		list      []string
		allowSHA1 bool
		ok        bool
	}{
		"none":                     {nil, false, true},
		"all signatures":           {everyAlgorithm, false, true},
		"a digest":                 {[]string{sha256Digest}, false, true},
		"SHA-1":                    {[]string{sha1Signature}, false, false},
		"SHA-1 digest":             {[]string{sha1Digest, sha256Digest}, false, false},
		"SHA-1, which is allowed":  {[]string{sha1Signature, sha1Digest}, true, true},
		"HMAC":                     {[]string{"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"}, true, false},
		"MD5":                      {[]string{"http://www.w3.org/2001/04/xmldsig-more#rsa-md5"}, true, false},
		"PSS with parameters":      {[]string{"http://www.w3.org/2007/05/xmldsig-more#rsa-pss"}, true, false},
		"no URI":                   {[]string{"RSAWithSHA256"}, false, false},
		"empty":                    {[]string{""}, false, false},
		"white space":              {[]string{string(RSAWithSHA256) + " "}, false, false},
		"a good one and a bad one": {[]string{string(RSAWithSHA256), "x"}, false, false},
	} {
		_, err := testProvider(t, func(c *Config) { c.OnlyAlgorithms, c.InsecureAllowSHA1 = test.list, test.allowSHA1 })
		if (err == nil) != test.ok {
			t.Errorf("%s: New says %v", name, err)
		}
		for _, e := range Errors(err) {
			if e.Code != CodeConfig || e.Field != "OnlyAlgorithms" {
				t.Errorf("%s: New says %v about the field %q", name, e, e.Field)
			}
		}
	}
}

// everyAlgorithm are the signature algorithms that are accepted without SHA-1.
var everyAlgorithm = []string{string(RSAWithSHA256), string(RSAWithSHA384), string(RSAWithSHA512), string(RSAPSSWithSHA256),
	string(RSAPSSWithSHA384), string(RSAPSSWithSHA512), string(ECDSAWithSHA256), string(ECDSAWithSHA384), string(ECDSAWithSHA512)}

// TestRefuseExpiredMetadata: with the switch nobody signs in from validUntil on, and without it
// everybody does. The clock says when, so it does not matter how the metadata came here.
func TestRefuseExpiredMetadata(t *testing.T) {
	t.Parallel()
	list := readVectors(t)
	v := list[slices.IndexFunc(list, func(v *testVector) bool { return v.Name == "entra" })]
	for name, test := range map[string]struct {
		refuse bool
		left   time.Duration // until validUntil
		want   bool
	}{
		"a second is left":                  {true, time.Second, true},
		"run out":                           {true, 0, false},
		"run out, and that does not matter": {false, 0, true},
		"long ago":                          {false, -365 * 24 * time.Hour, true},
	} {
		sp, err := v.provider(t)
		if err != nil {
			t.Fatal(err)
		}
		c := sp.config
		idp := *c.IdentityProvider.(*IdentityProvider)
		idp.validUntil = c.Now().Add(test.left)
		c.IdentityProvider, c.RefuseExpiredMetadata = &idp, test.refuse
		if sp, err = New(c); err != nil { // new metadata may come while the service runs
			t.Fatalf("%s: New says %v", name, err)
		}
		_, begun := sp.StartLogin(t.Context(), LoginOptions{})
		_, finished := sp.FinishLogin(t.Context(), v.response(t, sp))
		for what, err := range map[string]error{"StartLogin": begun, "FinishLogin": finished, "Health": sp.Health(t.Context())} {
			if test.want && err != nil {
				t.Errorf("%s: %s says %v", name, what, err)
			} else if !test.want && (!errors.Is(err, CodeMetadataValidity) || !strings.Contains(err.Error(), "RefuseExpiredMetadata")) {
				t.Errorf("%s: %s says %v, want that Config.RefuseExpiredMetadata refuses it", name, what, err)
			}
		}
	}
}
