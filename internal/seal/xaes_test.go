package seal

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"testing"
)

// TestXAESVectors: the two vectors of the specification, https://c2sp.org/XAES-256-GCM. In the first
// one the highest bit of L is 0, in the second one it is 1.
func TestXAESVectors(t *testing.T) {
	t.Parallel()
	nonce, plaintext := []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM")
	for _, row := range []struct {
		key              byte
		mask             string
		associated, want string
	}{
		{1, "e531954aca063d5b8d9c47a47d4cc6f0",
			"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "23810ec50edb99f374409466ed1f4b7b",
			"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x := newXAES(bytes.Repeat([]byte{row.key}, KeySize))
		if got := hex.EncodeToString(x.mask[:]); got != row.mask {
			t.Errorf("key %d: got K1 %s, want %s", row.key, got, row.mask)
		}
		sealed := x.sealWith(nil, nonce, plaintext, []byte(row.associated))
		if got := hex.EncodeToString(sealed); got != row.want {
			t.Errorf("key %d: got %s, want %s", row.key, got, row.want)
		}
		opened, err := x.open(sealed[:0], nonce, sealed, []byte(row.associated))
		if err != nil || !bytes.Equal(opened, plaintext) {
			t.Errorf("key %d: got %q, %v, want the plaintext", row.key, opened, err)
		}
	}
}

// TestXAESAccumulated: the hash of the specification over 10,000 random seals.
func TestXAESAccumulated(t *testing.T) {
	t.Parallel()
	const want = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	random, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	next := func(size int) []byte {
		b := make([]byte, size)
		random.Read(b)
		return b
	}
	for range 10_000 {
		key, nonce := next(KeySize), next(nonceSize)
		plaintext := next(int(next(1)[0]))
		associated := next(int(next(1)[0]))
		x := newXAES(key)
		sealed := x.sealWith(nil, nonce, plaintext, associated)
		sum.Write(sealed)
		opened, err := x.open(nil, nonce, sealed, associated)
		if err != nil || !bytes.Equal(opened, plaintext) {
			t.Fatalf("got %x, %v, want %x", opened, err, plaintext)
		}
	}
	got := make([]byte, 32)
	sum.Read(got)
	if hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}
