package saml_test

import (
	"crypto"
	"errors"
	"fmt"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestEncryptedSignIn signs in with every algorithm, layout, style and signing option of the test
// provider, whose code has nothing in common with ours.
func TestEncryptedSignIn(t *testing.T) {
	t.Parallel()
	key, certificate := signingKey(t)
	h := newHouse(t, func(c *saml.Config) {
		c.DecryptionKeys = []saml.DecryptionKey{{Key: key.(crypto.Decrypter), Certificate: certificate}}
	})
	user := samltest.DefaultUsers()[0]
	n := 0
	for _, content := range []samltest.ContentAlgorithm{samltest.AES128CBC, samltest.AES192CBC, samltest.AES256CBC,
		samltest.AES128GCM, samltest.AES192GCM, samltest.AES256GCM} {
		for _, transport := range []samltest.Encryption{{}, {Digest: crypto.SHA256}, {Transport: samltest.RSAOAEP},
			{Transport: samltest.RSAOAEP, Digest: crypto.SHA256, Mask: crypto.SHA256},
			{Transport: samltest.RSAOAEP, Digest: crypto.SHA512, Mask: crypto.SHA384}} {
			for _, style := range []samltest.Style{samltest.Entra, samltest.Prefixed, samltest.Pretty} {
				for _, sign := range []samltest.Sign{samltest.SignAssertion, samltest.SignResponse, samltest.SignBoth} {
					for _, layout := range []samltest.Encryption{{}, {Beside: true}, {OuterNamespaces: true},
						{NameIDOnly: true}} {
						if n++; saml.RaceDetector && n%20 != 1 {
							continue
						}
						e := transport
						e.Content, e.Certificates = content, [][]byte{certificate}
						e.Beside, e.OuterNamespaces, e.NameIDOnly = layout.Beside, layout.OuterNamespaces, layout.NameIDOnly
						login, err := h.signIn(saml.LoginOptions{},
							samltest.Answer{Encrypt: &e, Style: style, Sign: sign, Recipient: redirectURL})
						what := fmt.Sprintf("%s, %+v, style %d, signed %d", content, e, style, sign)
						if err != nil {
							t.Fatalf("%.300s: %v", what, err)
						}
						if login.Identity.Email != user.Mail || login.Identity.ObjectID != user.ObjectID ||
							len(login.Identity.Groups) != len(user.Groups) {
							t.Fatalf("%.300s: got %+v", what, login.Identity)
						}
					}
				}
			}
		}
	}
	t.Logf("%d combinations", n)
}

// TestEncryptedRefusals: what must not be decrypted, and what must not be believed once it is.
func TestEncryptedRefusals(t *testing.T) {
	t.Parallel()
	key, certificate := signingKey(t)
	h := newHouse(t, func(c *saml.Config) { c.DecryptionKeys = []saml.DecryptionKey{{Key: key.(crypto.Decrypter)}} })
	without := newHouse(t, nil)
	stranger := &house{t, samltest.MustNew(t, samltest.Options{TenantID: h.idp.TenantID()}), h.sp}
	forUs := func(e samltest.Encryption) *samltest.Encryption {
		e.Certificates = [][]byte{certificate}
		return &e
	}
	for _, row := range []struct {
		name   string
		house  *house
		answer samltest.Answer
		want   saml.Code
	}{
		{"RSA 1.5", h, samltest.Answer{Encrypt: forUs(samltest.Encryption{Transport: samltest.RSA15})},
			saml.CodeDecryption},
		{"triple DES", h, samltest.Answer{Encrypt: forUs(samltest.Encryption{Content: samltest.TripleDESCBC})},
			saml.CodeDecryption},
		{"signed by nobody", h, samltest.Answer{Encrypt: forUs(samltest.Encryption{}), Sign: samltest.SignNothing},
			saml.CodeDecryption},
		{"signed by a stranger inside", stranger, samltest.Answer{Encrypt: forUs(samltest.Encryption{})},
			saml.CodeDecryption},
		{"signed by a stranger around", stranger, samltest.Answer{Encrypt: forUs(samltest.Encryption{}),
			Sign: samltest.SignResponse}, saml.CodeSignature},
		{"no key to decrypt with", without, samltest.Answer{Encrypt: forUs(samltest.Encryption{})},
			saml.CodeEncryptedAssertion},
		{"no key to decrypt the NameID with", without,
			samltest.Answer{Encrypt: forUs(samltest.Encryption{NameIDOnly: true})}, saml.CodeNameID},
		{"a NameID by RSA 1.5", h,
			samltest.Answer{Encrypt: forUs(samltest.Encryption{NameIDOnly: true,
				Transport: samltest.RSA15})}, saml.CodeDecryption},
		{"for another service", h, samltest.Answer{Encrypt: forUs(samltest.Encryption{}),
			Audience: "https://other.example.com"}, saml.CodeAudience},
		{"too old", h, samltest.Answer{Encrypt: forUs(samltest.Encryption{Beside: true}),
			ClockOffset: -48 * 60 * 60 * 1e9}, saml.CodeTooOld},
	} {
		row.answer.Recipient = redirectURL
		login, err := row.house.signIn(saml.LoginOptions{}, row.answer)
		var refusal *saml.Error
		if login != nil || !errors.As(err, &refusal) || refusal.Code != row.want || refusal.Hint == "" {
			t.Errorf("%s: got %v, want %s with a hint", row.name, err, string(row.want))
		}
	}
	if _, err := h.signIn(saml.LoginOptions{},
		samltest.Answer{Recipient: redirectURL,
			Encrypt: &samltest.Encryption{Certificates: [][]byte{h.idp.Certificates()[0], certificate}}}); err != nil {
		t.Errorf("for somebody else too: %v", err)
	}
}
