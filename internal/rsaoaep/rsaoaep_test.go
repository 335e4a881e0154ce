package rsaoaep

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"testing"
)

var hashes = []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}

// TestEncrypt: crypto/rsa decrypts what this package encrypts, with each pair of hash and mask, and
// with no other.
func TestEncrypt(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	label := []byte("label")
	for _, hash := range hashes {
		for _, mask := range hashes {
			seed := make([]byte, hash.Size())
			rand.Read(seed)
			longest := make([]byte, key.Size()-2*hash.Size()-2)
			rand.Read(longest)
			for _, message := range [][]byte{nil, []byte("x"), longest} {
				ciphertext, err := Encrypt(&key.PublicKey, message, label, seed, hash, mask)
				if err != nil {
					t.Fatalf("%v, %v, %d bytes: %v", hash, mask, len(message), err)
				}
				options := &rsa.OAEPOptions{Hash: hash, MGFHash: mask, Label: label}
				if got, err := key.Decrypt(nil, ciphertext, options); err != nil || !bytes.Equal(got, message) {
					t.Errorf("%v, %v: got %x, %v, want %x", hash, mask, got, err, message)
				}
				options.MGFHash = hashes[0]
				if mask == hashes[0] {
					options.MGFHash = hashes[1]
				}
				if _, err := key.Decrypt(nil, ciphertext, options); err == nil {
					t.Errorf("%v, %v: decrypted with the mask %v too", hash, mask, options.MGFHash)
				}
			}
			if _, err := Encrypt(&key.PublicKey, append(longest, 0), label, seed, hash, mask); err == nil {
				t.Errorf("%v: no error for a message that is a byte too long", hash)
			}
			if _, err := Encrypt(&key.PublicKey, nil, label, seed[1:], hash, mask); err == nil {
				t.Errorf("%v: no error for a seed that is a byte too short", hash)
			}
		}
	}
}
