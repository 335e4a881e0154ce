package saml

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/iomete/saml/internal/allocations"
	"github.com/iomete/saml/internal/wire"
	"github.com/iomete/saml/internal/xmlenc"
)

// countedKey is a decryption key that counts how often it is used.
type countedKey struct {
	crypto.Decrypter
	calls *int
}

func (k countedKey) Decrypt(r io.Reader, ciphertext []byte, options crypto.DecrypterOpts) ([]byte, error) {
	*k.calls++
	return k.Decrypter.Decrypt(r, ciphertext, options)
}

// foreignKeys are keys of our size that nothing is encrypted for.
var foreignKeys = sync.OnceValue(func() (list []crypto.Decrypter) {
	for range maxDecryptionKeys - 1 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		list = append(list, key)
	}
	return list
})

// counted gives the service provider of a vector with as many decryption keys as there may be, the
// vector's last, and counts their use.
func counted(t *testing.T, v *testVector) (sp *ServiceProvider, calls *int) {
	t.Helper()
	sp, err := v.provider(t)
	if err != nil {
		t.Fatal(err)
	}
	calls = new(int)
	sp.decrypters = append(foreignKeys()[:maxDecryptionKeys-len(sp.decrypters):maxDecryptionKeys-len(sp.decrypters)],
		sp.decrypters...)
	for i, k := range sp.decrypters {
		sp.decrypters[i] = countedKey{k, calls}
	}
	return sp, calls
}

// TestDecrypterCalls: no message uses the decryption keys more often than Config.DecryptionKeys
// says, and no honest one is refused for that.
func TestDecrypterCalls(t *testing.T) {
	t.Parallel()
	const perElement = maxDecryptionKeys * 2 // with two EncryptedKeys
	const perMessage = perElement + 2
	if got := xmlenc.MaxCalls(maxDecryptionKeys); got != perMessage {
		t.Errorf("a message may cost %d calls, and the documentation says %d", got, perMessage)
	}
	for _, v := range readVectors(t) {
		if v.Header["decryption_keys"] == "" {
			continue
		}
		sp, calls := counted(t, v)
		_, err := sp.finish(context.Background(), v.response(t, sp), allChecks)
		if (err == nil) != v.Accepted() {
			t.Errorf("%s with %d keys: got %v, want %s", v.Name, maxDecryptionKeys, err, v.Header["expect"])
		}
		most := perElement
		if v.Accepted() {
			most = perMessage
		}
		if *calls > most {
			t.Errorf("%s: %d calls, more than %d", v.Name, *calls, most)
		}
	}
	vectors := vectorsByName(t)
	for name, want := range map[string]int{
		"encrypted-entra":                 4, // the last of four keys
		"encrypted-two-recipients":        8, // and the second of two EncryptedKeys
		"encrypted-name-id-and-assertion": 5, // the key that fitted the assertion comes first
		"encrypted-name-id":               4,
	} {
		sp, calls := counted(t, vectors[name])
		if _, err := sp.finish(context.Background(), vectors[name].response(t, sp), allChecks); err != nil ||
			*calls != want {
			t.Errorf("%s: %d calls, %v, want %d", name, *calls, err, want)
		}
	}
}

// TestStrangersDecrypterCalls: what is not signed costs no more than one encrypted element, and
// nothing at all where the response must be signed: neither without that signature nor with a bad
// one.
func TestStrangersDecrypterCalls(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["encrypted-both-signed"]
	message := string(v.message())
	start, end := strings.Index(message, "<Signature "), strings.Index(message, "</Signature>")+len("</Signature>")
	unsigned := message[:start] + message[end:]
	// The content key is what it was, and the ciphertext is not: the same message as somebody sends
	// who wants to see what we make of it.
	changed := func(message string) string {
		i := strings.LastIndex(message, "CipherValue>") - len("</e:")
		return message[:i-8] + "AAAA" + message[i-4:]
	}
	badly := strings.Replace(message, "<SignatureValue>", "<SignatureValue>AAAA", 1)
	for _, row := range []struct {
		name    string
		message string
		demand  bool
		code    Code
		calls   int
	}{
		{"signed around", message, false, "", 4},
		{"signed around, and that is demanded", message, true, "", 4},
		{"not signed around", unsigned, false, "", 4},
		{"not signed around, and that is demanded", unsigned, true, CodeUnsigned, 0},
		{"signed around, badly", badly, false, CodeSignature, 0},
		{"signed around, badly, and that is demanded", badly, true, CodeSignature, 0},
		{"changed", changed(message), false, CodeDigest, 0},
		{"changed, and that is demanded", changed(message), true, CodeDigest, 0},
		{"changed, not signed around", changed(unsigned), false, CodeDecryption, 4},
		{"changed, not signed around, and that is demanded", changed(unsigned), true, CodeUnsigned, 0},
	} {
		sp, calls := counted(t, v)
		sp.requireSignedResponse = row.demand
		r := v.response(t, sp)
		r.SAMLResponse = base64.StdEncoding.EncodeToString([]byte(row.message))
		_, err := sp.finish(context.Background(), r, allChecks)
		if codeOfError(err) != row.code || *calls != row.calls {
			t.Errorf("%s: got %v after %d calls, want %q after %d", row.name, err, *calls, string(row.code), row.calls)
		}
	}
}

// TestResponseMustBeSignedSaysWhat: the hint names the setting of the identity provider.
func TestResponseMustBeSignedSaysWhat(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	for _, name := range []string{"p26-response-unsigned", "p26-encrypted-response-signature-taken-off"} {
		v := vectors[name]
		if v == nil {
			t.Fatalf("there is no vector %s", name)
		}
		sp, err := v.provider(t)
		if err != nil {
			t.Fatal(err)
		}
		_, refusal := sp.finish(context.Background(), v.response(t, sp), allChecks)
		if refusal == nil || refusal.Code != CodeUnsigned || !strings.Contains(refusal.Want, "RequireSignedResponse") ||
			!strings.Contains(refusal.Hint, `Signing Option: "Sign SAML response and assertion"`) {
			t.Errorf("%s: got %+v", name, refusal)
		}
		idp := sp.config.IdentityProvider.(*IdentityProvider)
		elsewhere, err := NewIdentityProvider(idp.entityID+"x", "https://idp.example.com/login", idp.keys...)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere.entityID = "https://idp.example.com/" // any name but Entra's
		if got := checkResponseSigned(context.Background(),
			&attempt{policy: &sp.policy, idp: elsewhere, message: &wire.Response{}}); got == nil ||
			got.Hint != signResponseHint {
			t.Errorf("%s at another identity provider: got %+v", name, got)
		}
	}
}

// TestStatusMessageIsCut: only the beginning of a StatusMessage is searched for error numbers and
// shown, and it is cut between two characters.
func TestStatusMessageIsCut(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["c23-refusal"]
	i := strings.Index(string(v.message()), "AADSTS75011")
	if i < 0 {
		t.Fatal("the vector has changed")
	}
	for _, row := range []struct {
		name, before string
		size         int
		found        bool
	}{
		{"as it is", "", 0, true},
		{"the number at the end of what is looked at",
			strings.Repeat("x", wire.MaxStatusMessage-len(" AADSTS75011")) + " ", wire.MaxStatusMessage, true},
		{"the number beyond", strings.Repeat("x", wire.MaxStatusMessage) + " ", wire.MaxStatusMessage, false},
		{"half a character", strings.Repeat("x", wire.MaxStatusMessage-1) + "\u00e9 ", wire.MaxStatusMessage - 1,
			false},
	} {
		m, err := wire.Read(base64.StdEncoding.EncodeToString([]byte(string(v.message()[:i]) + row.before +
			string(v.message()[i:]))))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(statusName(m.Status), "AADSTS75011"); got != row.found {
			t.Errorf("%s: got the name %q", row.name, statusName(m.Status))
		}
		if row.size > 0 && len(m.Status.Message) != row.size {
			t.Errorf("%s: got %d bytes, want %d", row.name, len(m.Status.Message), row.size)
		}
	}
}

// TestSecondSignatureTriesTheFirstOnesKey: where both response and assertion are signed by the last
// of many keys, the others are tried once. They cost memory each time, so eight more of them cost
// as much more with two signatures as with one.
func TestSecondSignatureTriesTheFirstOnesKey(t *testing.T) {
	vectors := vectorsByName(t)
	perKeys := func(name string) float64 {
		v := vectors[name]
		sp, err := v.provider(t)
		if err != nil {
			t.Fatal(err)
		}
		m, refusal := wire.Read(v.Form)
		if refusal != nil {
			t.Fatal(refusal)
		}
		fits := sp.config.IdentityProvider.(*IdentityProvider).publicKeys
		work := func(foreign int) float64 {
			var keys []crypto.PublicKey
			for i := range foreign {
				keys = append(keys, foreignKeys()[i%len(foreignKeys())].Public())
			}
			a := &attempt{policy: &sp.policy, message: m}
			return allocations.Fewest(func() {
				if len(sp.decrypters) > 0 {
					a.secret = xmlenc.ForMessage(sp.decrypters)
				}
				if signed, err := a.signed(append(keys, fits...)); err != nil || signed.Key() != foreign {
					t.Fatalf("%s: key %d, %v", name, signed.Key(), err)
				}
			})
		}
		return work(12) - work(4)
	}
	one := perKeys("entra")
	for _, name := range []string{"both-signed", "encrypted-both-signed"} {
		if two := perKeys(name); one < 8 || two > one+2 {
			t.Errorf("%s: eight keys that do not fit cost %v allocations, and %v with one signature", name, two, one)
		}
	}
}
