package saml

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConfigFaults(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	decrypt := func(keys ...DecryptionKey) func(*Config) {
		return func(c *Config) { c.DecryptionKeys = keys }
	}
	long := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 4095), E: 65537}
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string // in the message
	}{
		{"no BaseURL", func(c *Config) { c.BaseURL = "" }, "Config.BaseURL is missing"},
		{"a BaseURL without a scheme", func(c *Config) { c.BaseURL = "console.example.com" },
			"Config.BaseURL is not an absolute URL"},
		{"a BaseURL with a path", func(c *Config) { c.BaseURL = "https://console.example.com/app" },
			"Config.BaseURL has a path or query"},
		{"a BaseURL with a query", func(c *Config) { c.BaseURL = "https://console.example.com?x" },
			"Config.BaseURL has a path or query"},
		{"a BaseURL with a fragment", func(c *Config) { c.BaseURL = "https://console.example.com#" },
			"Config.BaseURL is not an absolute URL"},
		{"a BaseURL with a user", func(c *Config) { c.BaseURL = "https://u:p@console.example.com" },
			"Config.BaseURL is not an absolute URL"},
		{"a BaseURL with a scheme in upper case", func(c *Config) { c.BaseURL = "HTTPS://console.example.com" },
			"upper case"},
		{"a BaseURL with an empty query", func(c *Config) { c.BaseURL = "https://console.example.com?" },
			"Config.BaseURL has a path or query"},
		{"a BaseURL of another scheme", func(c *Config) { c.BaseURL = "ftp://console.example.com" },
			"Config.BaseURL is not an https URL"},
		{"an http BaseURL", func(c *Config) { c.BaseURL = "http://console.example.com" }, "Config.BaseURL is http"},
		{"a RedirectPath without its slash", func(c *Config) { c.RedirectPath = "saml/acs" }, "Config.RedirectPath"},
		{"a RedirectPath with a query", func(c *Config) { c.RedirectPath = "/acs?x" }, "Config.RedirectPath"},
		{"a RedirectPath to another host", func(c *Config) { c.RedirectPath = "//evil.example" },
			"Config.RedirectPath"},
		{"an EntityID of 1025 bytes", func(c *Config) { c.EntityID = strings.Repeat("e", 1025) },
			"Config.EntityID is too long"},
		{"an EntityID with a line break", func(c *Config) { c.EntityID = "a\nb" }, "Config.EntityID has a character"},
		{"a former URL that is none", func(c *Config) { c.FormerRedirectURLs = []string{"old"} },
			"Config.FormerRedirectURLs"},
		{"a former entity ID of 1025 bytes",
			func(c *Config) {
				c.FormerEntityIDs = []string{"urn:a",
					strings.Repeat("e", 1025)}
			}, "Config.FormerEntityIDs is too long"},
		{"a former entity ID with a line break", func(c *Config) { c.FormerEntityIDs = []string{"a\nb"} },
			"Config.FormerEntityIDs has a character"},
		{"an empty former entity ID", func(c *Config) { c.FormerEntityIDs = []string{""} },
			"Config.FormerEntityIDs has an empty name"},
		{"no identity provider", func(c *Config) { c.IdentityProvider = nil }, "Config.IdentityProvider is missing"},
		{"a nil identity provider", func(c *Config) { c.IdentityProvider = (*IdentityProvider)(nil) },
			"Config.IdentityProvider is missing"},
		{"no StateKeys", func(c *Config) { c.StateKeys = nil }, "Config.StateKeys is empty"},
		{"a short state key", func(c *Config) { c.StateKeys = [][]byte{make([]byte, 31)} },
			"Config.StateKeys[0] has 31 bytes, want exactly 32 random bytes"},
		{"a long state key behind a good one",
			func(c *Config) {
				c.StateKeys = append(c.StateKeys,
					make([]byte, 33))
			}, "Config.StateKeys[1] has 33 bytes, want exactly 32 random bytes"},
		{"a state key that was never filled", func(c *Config) { c.StateKeys = [][]byte{make([]byte, 32)} },
			"Config.StateKeys[0] has only zero bytes"},
		{"a state key of one letter", func(c *Config) { c.StateKeys = [][]byte{bytes.Repeat([]byte{7}, 32)} },
			"Config.StateKeys[0] has the same byte all over"},
		{"a state key that is a pass phrase", func(c *Config) { c.StateKeys = [][]byte{[]byte("correct horse battery staple 123")} },
			"Config.StateKeys[0] is text"},
		{"a state key in base64", func(c *Config) {
			c.StateKeys = [][]byte{[]byte(base64.StdEncoding.EncodeToString(NewStateKey()))}
		}, "Config.StateKeys[0] has 44 bytes and looks like the base64 text of a key"},
		{"a state key in hexadecimal", func(c *Config) { c.StateKeys = [][]byte{[]byte(hex.EncodeToString(NewStateKey()))} },
			"Config.StateKeys[0] has 64 bytes and looks like the hexadecimal text of a key"},
		{"half a state key in hexadecimal", func(c *Config) { c.StateKeys = [][]byte{[]byte(hex.EncodeToString(NewStateKey()[:16]))} },
			"Config.StateKeys[0] is text"},
		{"11 minutes of skew", func(c *Config) { c.ClockSkew = 11 * time.Minute }, "Config.ClockSkew is too long"},
		{"an unknown NameID policy", func(c *Config) { c.NameID = 7 }, "Config.NameID is unknown"},
		{"an unknown unsolicited policy", func(c *Config) { c.Unsolicited = -1 }, "Config.Unsolicited is unknown"},
		{"a signing key of 1024 bits", func(c *Config) { c.SigningKey = small }, "Config.SigningKey is not a key"},
		{"an elliptic signing key without a certificate", func(c *Config) { c.SigningKey = curve },
			"Config.SigningCertificate is not the certificate of SigningKey"},
		{"a decryption key that is missing", decrypt(DecryptionKey{}),
			"Config.DecryptionKeys has an entry without Key"},
		{"a decryption key that is nil", decrypt(DecryptionKey{Key: (*rsa.PrivateKey)(nil)}),
			"Config.DecryptionKeys has an entry without Key"},
		{"a decryption key of 1024 bits behind a good one",
			decrypt(DecryptionKey{Key: good},
				DecryptionKey{Key: small}), "Config.DecryptionKeys has a key that is not RSA of 2048 to 4096 bits"},
		{"a decryption key with the certificate of another",
			decrypt(DecryptionKey{Key: good,
				Certificate: testKey(t).DER()}), "Config.DecryptionKeys has a Certificate that is not that of its Key"},
		{"a decryption key with a broken certificate", decrypt(DecryptionKey{Key: good, Certificate: []byte{}}),
			"Config.DecryptionKeys has a Certificate"},
		{"five decryption keys", decrypt(slices.Repeat([]DecryptionKey{{Key: good}}, 5)...),
			"Config.DecryptionKeys has too many keys"},
		{"three decryption keys of 4096 bits",
			decrypt(slices.Repeat([]DecryptionKey{{Key: unusedKey{public: long}}},
				3)...), "Config.DecryptionKeys has keys that are too long together"},
		{"an authentication context that is no text", func(c *Config) { c.RequestedAuthnContexts = []string{"\xff"} },
			"Config.RequestedAuthnContexts"},
	} {
		if _, err := testProvider(t, test.change); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

func TestConfigReportsAllFaultsAtOnce(t *testing.T) {
	_, err := New(Config{RedirectPath: "x", ClockSkew: time.Hour})
	if !errors.Is(err, CodeConfig) {
		t.Fatalf("got %v, want %s", err, string(CodeConfig))
	}
	for _, field := range []string{"BaseURL", "RedirectPath", "IdentityProvider", "StateKeys", "ClockSkew"} {
		if !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s is not in the error: %v", field, err)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	sp := mustProvider(t, nil)
	const want = "https://console.example.com/api/v1/identity/auth/saml-acs"
	if sp.RedirectURL() != want || sp.EntityID() != want || sp.RedirectPath() != DefaultRedirectPath ||
		sp.skew != 3*time.Minute {
		t.Errorf("got %s, %s, %s, %s", sp.RedirectURL(), sp.EntityID(), sp.RedirectPath(), sp.skew)
	}
	sp = mustProvider(t, func(c *Config) {
		c.BaseURL, c.RedirectPath, c.EntityID, c.ClockSkew = "http://127.0.0.1:8080/", "/acs", "urn:console", -1
	})
	if sp.RedirectURL() != "http://127.0.0.1:8080/acs" || sp.EntityID() != "urn:console" || sp.skew != 0 {
		t.Errorf("got %s, %s, %s", sp.RedirectURL(), sp.EntityID(), sp.skew)
	}
	if _, err := testProvider(t, func(c *Config) {
		c.BaseURL, c.InsecureAllowHTTP = "http://console.example.com",
			true
	}); err != nil {
		t.Errorf("InsecureAllowHTTP: %v", err)
	}
}

// TestConfigIsCopied: what the caller does with his slices later changes nothing.
func TestConfigIsCopied(t *testing.T) {
	former, names, key := []string{"https://old.example.com/acs"}, []string{"urn:old"}, NewStateKey()
	sp := mustProvider(t, func(c *Config) {
		c.FormerRedirectURLs, c.FormerEntityIDs, c.StateKeys = former, names, [][]byte{key}
	})
	request, err := sp.StartLogin(t.Context(), LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	former[0], names[0] = "https://evil.example/acs", "urn:evil"
	clear(key)
	if sp.recipients[1] != "https://old.example.com/acs" || sp.audiences[1] != "urn:old" {
		t.Errorf("got recipients %q, audiences %q", sp.recipients, sp.audiences)
	}
	if _, err := sp.FinishLogin(t.Context(), FormResponse{State: request.State}); !errors.Is(err, CodeResponseMissing) {
		t.Errorf("the state does not open any more: %v", err)
	}
}

// TestOurOwnNamesInTheirFields: the portal calls both sides' names Entity ID, and all our addresses
// are one URL.
func TestOurOwnNamesInTheirFields(t *testing.T) {
	const login, redirect, former = "https://login.microsoftonline.com/" + testTenantID +
		"/saml2", "https://console.example.com" + DefaultRedirectPath, "https://old.example.com/acs"
	for _, test := range []struct {
		name, entityID, login string
		want                  Code
		hint                  string
	}{
		{"the Redirect URL as their entity ID", redirect, login, CodeMetadataEntityID, "Microsoft Entra Identifier"},
		{"a former Redirect URL as their entity ID", former, login, CodeMetadataEntityID, "Microsoft Entra Identifier"},
		{"the Redirect URL as Login URL", testIssuer, redirect, CodeMetadataLoginURL, "Login URL"},
		{"a former Redirect URL as Login URL", testIssuer, former, CodeMetadataLoginURL, "Login URL"},
	} {
		own, err := NewIdentityProvider(test.entityID, test.login, testKey(t))
		if err != nil {
			t.Fatal(err)
		}
		_, err = testProvider(t, func(c *Config) {
			c.IdentityProvider, c.EntityID, c.FormerRedirectURLs = own, "urn:console", []string{former}
		})
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Code != test.want || !strings.Contains(refusal.Hint, test.hint) {
			t.Errorf("%s: got %v, want %s with a hint", test.name, err, string(test.want))
		}
	}
}

// unusedKey is a decryption key that only its configuration looks at.
type unusedKey struct {
	crypto.Decrypter
	public crypto.PublicKey
}

func (k unusedKey) Public() crypto.PublicKey { return k.public }

// TestLogoutFrameAncestors: an entry is an origin, and nothing that could be another rule of a policy.
func TestLogoutFrameAncestors(t *testing.T) {
	t.Parallel()
	for origin, good := range map[string]bool{
		"https://portal.example.com": true, "https://portal.example.com/": true, "https://Portal.example.com:8443": true,
		"http://127.0.0.1:9000": true, "": false, "portal.example.com": false, "http://portal.example.com": false,
		"https://portal.example.com/app": false, "https://portal.example.com?a": false, "https://*.example.com": false,
		"*": false, "'self'": false, "https://a.example.com https://b.example.com": false, "https://[::1]": false,
		"https://portal.example.com;": false, "https://b\u00FCcher.example": false, "https://user@portal.example.com": false,
	} {
		_, err := testProvider(t, func(c *Config) { c.LogoutFrameAncestors = []string{origin} })
		if good != (err == nil) || err != nil && !strings.Contains(err.Error(), "LogoutFrameAncestors") {
			t.Errorf("%q: got %v", origin, err)
		}
	}
}
