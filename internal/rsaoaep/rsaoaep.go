// Package rsaoaep encrypts by RSA-OAEP with any hash and any mask, for tests: crypto/rsa does it
// only from Go 1.26 on, and never with a given seed. It makes what the verifier reads and has no
// part in reading it; decryption is crypto/rsa's.
package rsaoaep

import (
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"math/big"
)

// Encrypt returns message encrypted for public by RSAES-OAEP (RFC 8017 §7.1.1), with the hash of
// the label and the hash of MGF1, which may differ. seed must be fresh random bytes, as many as
// hash has; the same seed gives the same bytes. label may be nil. A message that does not fit into
// the key is an error. The time it takes depends on the message.
func Encrypt(public *rsa.PublicKey, message, label, seed []byte, hash, mask crypto.Hash) ([]byte, error) {
	if len(seed) != hash.Size() {
		return nil, fmt.Errorf("rsaoaep: got a seed of %d bytes, want %d as %v has", len(seed), hash.Size(), hash)
	}
	most := public.Size() - 2*hash.Size() - 2
	if len(message) > most {
		return nil, fmt.Errorf("rsaoaep: got a message of %d bytes, want at most %d for a key of %d bits with %v",
			len(message), most, public.N.BitLen(), hash)
	}
	encoded := make([]byte, public.Size()) // 0, masked seed, masked data block
	masked, block := encoded[1:1+hash.Size()], encoded[1+hash.Size():]
	copy(masked, seed)
	h := hash.New()
	h.Write(label)
	copy(block, h.Sum(nil))
	block[len(block)-len(message)-1] = 1
	copy(block[len(block)-len(message):], message)
	xorMask(block, mask, masked)
	xorMask(masked, mask, block)
	m := new(big.Int).SetBytes(encoded)
	return m.Exp(m, big.NewInt(int64(public.E)), public.N).FillBytes(encoded), nil
}

// xorMask adds the mask that MGF1 makes of seed (RFC 8017 §B.2.1) to out.
func xorMask(out []byte, hash crypto.Hash, seed []byte) {
	var stream []byte
	for i := uint32(0); len(stream) < len(out); i++ {
		h := hash.New()
		h.Write(binary.BigEndian.AppendUint32(append([]byte(nil), seed...), i))
		stream = h.Sum(stream)
	}
	for i := range out {
		out[i] ^= stream[i]
	}
}
