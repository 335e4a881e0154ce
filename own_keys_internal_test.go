package saml

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml/samltest"
)

// downKey is a decryption key that is out of service.
type downKey struct{ crypto.Decrypter }

func (downKey) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, fmt.Errorf("hsm: %w", ErrKeyUnavailable)
}

// faultyKey is one that opens nothing, and says so in its own words.
type faultyKey struct{ crypto.Decrypter }

func (faultyKey) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, fmt.Errorf("hsm: CKR_ENCRYPTED_DATA_INVALID")
}

// noKeyAsked are vectors whose fault can be seen without a key: the length of the EncryptedKey.
var noKeyAsked = []string{"p39-wrapped-key-longer", "p39-wrapped-key-shorter"}

// TestKeysRevealNothing: while keys are out of service, and with keys of every kind before and behind
// them, all faults in ciphertexts, paddings and plaintexts have the same refusal, to the last word.
// Otherwise somebody who changes a ciphertext could see from it what a key made of that: with a good
// padding the plaintext is refused, with a bad one the next key is asked.
func TestKeysRevealNothing(t *testing.T) {
	t.Parallel()
	foreign := foreignKeys()[0]
	type keys = []crypto.Decrypter
	for name, row := range map[string]struct {
		keys func(good crypto.Decrypter) keys
		want Code
	}{
		"good":          {func(k crypto.Decrypter) keys { return keys{k} }, CodeDecryption},
		"down":          {func(k crypto.Decrypter) keys { return keys{downKey{k}} }, CodeKeyUnavailable},
		"faulty":        {func(k crypto.Decrypter) keys { return keys{faultyKey{k}} }, CodeDecryption},
		"down, good":    {func(k crypto.Decrypter) keys { return keys{downKey{foreign}, k} }, CodeKeyUnavailable},
		"good, down":    {func(k crypto.Decrypter) keys { return keys{k, downKey{foreign}} }, CodeDecryption},
		"foreign, down": {func(k crypto.Decrypter) keys { return keys{foreign, downKey{k}} }, CodeDecryption},
		"down, good, down": {func(k crypto.Decrypter) keys { return keys{downKey{foreign}, k, downKey{foreign}} },
			CodeKeyUnavailable},
		"faulty, good": {func(k crypto.Decrypter) keys { return keys{faultyKey{foreign}, k} }, CodeDecryption},
	} {
		seen := map[string][]string{} // refusal -> vectors
		for _, v := range readVectors(t) {
			if v.Header["expect"] != string(CodeDecryption) || slices.Contains(noKeyAsked, v.Name) ||
				!strings.HasPrefix(v.Name, "p39-") && !strings.HasPrefix(v.Name, "p40-") {
				continue
			}
			sp, err := v.provider(t)
			if err != nil {
				t.Fatal(err)
			}
			sp.decrypters = row.keys(sp.decrypters[0])
			_, refusal := sp.finish(context.Background(), v.response(t, sp), allChecks)
			if refusal == nil {
				t.Errorf("%s, %s: accepted", name, v.Name)
				continue
			}
			text := fmt.Sprintf("%s: %s | %s | %s | %s | %+v", string(refusal.Code), refusal.Error(), refusal.Check,
				refusal.Want, refusal.Hint, refusal.Page())
			seen[text] = append(seen[text], v.Name)
		}
		if len(seen) != 1 || !strings.HasPrefix(slices.Collect(maps.Keys(seen))[0], string(row.want)+":") {
			t.Errorf("%s: want one refusal, %s, got %d:", name, string(row.want), len(seen))
			for text, vectors := range seen {
				t.Errorf("  %d such as %s: %s", len(vectors), vectors[0], text)
			}
		}
	}
}

// TestKeysDownDoNotHideOtherFaults: what can be seen without a key is told as ever, and a message that
// a good key opens is accepted.
func TestKeysDownDoNotHideOtherFaults(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		if v.Header["decryption_keys"] == "" || v.Header["decryption_keys"] == "-" {
			continue
		}
		sp, err := v.provider(t)
		if err != nil {
			t.Fatal(err)
		}
		_, want := sp.finish(context.Background(), v.response(t, sp), allChecks)
		if sp, err = v.provider(t); err != nil {
			t.Fatal(err)
		}
		sp.decrypters = append([]crypto.Decrypter{downKey{foreignKeys()[0]}}, sp.decrypters...)
		_, got := sp.finish(context.Background(), v.response(t, sp), allChecks)
		hidden := codeOfError(want) == CodeDecryption && codeOfError(got) == CodeKeyUnavailable
		if codeOfError(got) != codeOfError(want) && !hidden {
			t.Errorf("%s: got %v, and %v without the key that is down", v.Name, got, want)
		}
	}
}

// TestHiddenKeyIsInTheLog: what the refusal must not say, the log does, but not without end.
func TestHiddenKeyIsInTheLog(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["encrypted-entra"]
	sp, err := v.provider(t)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	sp.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	sp.decrypters = []crypto.Decrypter{foreignKeys()[0], downKey{sp.decrypters[0]}}
	for range 200 {
		if _, refusal := sp.finish(t.Context(), v.response(t, sp), allChecks); codeOfError(refusal) != CodeDecryption {
			t.Fatalf("got %v", refusal)
		}
	}
	n := strings.Count(log.String(), "a decryption key cannot be used")
	if n != pendingRefusals || !strings.Contains(log.String(), "is out of service") ||
		strings.Contains(log.String(), "hsm") {
		t.Errorf("got %d lines of %q", n, log.String()[:min(log.Len(), 500)])
	}
}

// TestLogoutWithOurKeys: the signature of a LogoutRequest is verified before a key is used, so AES-CBC
// is read where it is refused otherwise; and a key that is out of service is no fault of the request.
func TestLogoutWithOurKeys(t *testing.T) {
	t.Parallel()
	key := vectorKey(t, "test-sp-a.key.pem")
	encrypted := encryptedNameIDByCBC(t, vectorCertificate(t, "test-sp-a.crt.pem").Raw)
	for name, row := range map[string]struct {
		key  crypto.Decrypter
		want Code // "" for accepted
	}{
		"AES-CBC":         {key.(crypto.Decrypter), ""},
		"out of service":  {downKey{key.(crypto.Decrypter)}, CodeKeyUnavailable},
		"another failure": {faultyKey{key.(crypto.Decrypter)}, CodeDecryption},
	} {
		for _, binding := range []string{"redirect", "post", "soap"} {
			s := newSampleLogout()
			s.binding, s.subject = binding, encrypted
			s.config = func(_ testing.TB, c *Config) {
				c.RefuseCBC, c.DecryptionKeys = true, []DecryptionKey{{Key: row.key}}
			}
			j := s.judge(t, allLogoutChecks)
			switch {
			case j.verdict.request == nil || codeOfError(j.refusal) != row.want:
				t.Errorf("%s by %s: got %v, want %q", name, binding, j.refusal, string(row.want))
			case row.want == "" && j.verdict.request.NameID.Value == "":
				t.Errorf("%s by %s: there is no NameID", name, binding)
			case row.want != "" && (j.verdict.status != statusResponder || j.refusal.Check != "logout name id"):
				t.Errorf("%s by %s: got status %q at %q", name, binding, j.verdict.status, j.refusal.Check)
			}
		}
	}
}

// encryptedNameIDByCBC returns an EncryptedID for the owner of a certificate, as the test provider
// writes it.
func encryptedNameIDByCBC(t *testing.T, certificate []byte) string {
	t.Helper()
	response, err := samltest.MustNew(t, samltest.Options{}).RespondXML(samltest.Answer{RequestID: "_1",
		Recipient: "https://x.example", Audience: "https://x.example", Style: samltest.Prefixed,
		Encrypt: &samltest.Encryption{Content: samltest.AES256CBC, NameIDOnly: true,
			Certificates: [][]byte{certificate}}})
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(response), "<saml:EncryptedID")
	inside, _, ended := strings.Cut(rest, "</saml:EncryptedID>")
	if !found || !ended {
		t.Fatalf("there is no EncryptedID in %s", response)
	}
	return "<saml:EncryptedID" + inside + "</saml:EncryptedID>"
}

// TestHiddenKeyOfLogoutIsInTheLog: a LogoutRequest that no key opens is refused as that, and the log tells of
// the key that could not be asked.
func TestHiddenKeyOfLogoutIsInTheLog(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	s.encrypted = "test-sp-a"
	var log bytes.Buffer
	s.config = func(t testing.TB, c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.DecryptionKeys = []DecryptionKey{{Key: foreignKeys()[0]},
			{Key: downKey{vectorKey(t, "test-sp-a.key.pem").(crypto.Decrypter)}}}
	}
	j := s.judge(t, allLogoutChecks)
	if codeOfError(j.refusal) != CodeDecryption || !strings.Contains(log.String(), "a decryption key cannot be used") {
		t.Errorf("got %v, and the log %q", j.refusal, log.String())
	}
}
