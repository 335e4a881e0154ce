package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
)

// nonceSize is the length of the nonce of XAES-256-GCM, in bytes. Its first half chooses the key of
// AES-256-GCM, and its second half is the nonce there.
const nonceSize = 24

// An xaes seals with XAES-256-GCM (https://c2sp.org/XAES-256-GCM) and one key. It is safe for
// concurrent use.
type xaes struct {
	block  cipher.Block
	mask   [aes.BlockSize]byte // K1 of the specification: the first subkey of CMAC (NIST SP 800-38B §6.1)
	halves *halves             // nil unless ciphers are kept
}

// newXAES returns the cipher of a key of KeySize bytes.
func newXAES(key []byte) *xaes {
	x := &xaes{block: newAES(key)}
	x.block.Encrypt(x.mask[:], x.mask[:]) // L, which is made of zeros
	var carry byte                        // shift L one bit to the left
	for i := len(x.mask) - 1; i >= 0; i-- {
		x.mask[i], carry = x.mask[i]<<1|carry, x.mask[i]>>7
	}
	x.mask[len(x.mask)-1] ^= carry * 0b1000_0111 // in constant time
	return x
}

// aead returns AES-256-GCM with the key that the first half of a nonce chooses: two blocks of the
// KDF in counter mode with CMAC (NIST SP 800-108r1 §4.1), whose label is "X". Each input is a
// single block, so CMAC is one encryption.
func (x *xaes) aead(nonce []byte) cipher.AEAD {
	key := make([]byte, KeySize)
	for i, counter := range []byte{1, 2} {
		block := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		block[1], block[2] = counter, 'X'
		copy(block[4:], nonce[:nonceSize/2])
		for j := range block {
			block[j] ^= x.mask[j]
		}
		x.block.Encrypt(block, block)
	}
	gcm, err := cipher.NewGCM(newAES(key))
	if err != nil {
		panic(err) // only for block sizes other than that of AES
	}
	return gcm
}

// seal fills nonce and appends the sealed plaintext to dst.
func (x *xaes) seal(dst, nonce, plaintext, associated []byte) []byte {
	rand.Read(nonce) // never fails
	if x.halves == nil {
		return x.sealWith(dst, nonce, plaintext, associated)
	}
	h := x.halves.next(x)
	copy(nonce, h.half[:])
	return h.gcm.Seal(dst, nonce[nonceSize/2:], plaintext, associated)
}

// sealWith is seal with a given nonce, which must not be used twice.
func (x *xaes) sealWith(dst, nonce, plaintext, associated []byte) []byte {
	return x.aead(nonce).Seal(dst, nonce[nonceSize/2:], plaintext, associated)
}

// open appends the plaintext of a sealed value to dst, which may be the beginning of the sealed
// value itself. Without a match it overwrites what it would have appended to with zeros.
func (x *xaes) open(dst, nonce, sealed, associated []byte) ([]byte, error) {
	gcm, found := x.halves.find(nonce)
	if !found {
		gcm = x.aead(nonce)
	}
	plaintext, err := gcm.Open(dst, nonce[nonceSize/2:], sealed, associated)
	if err == nil && !found {
		x.halves.keep(nonce, gcm)
	}
	return plaintext, err
}

func newAES(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for key lengths other than 16, 24 and 32
	}
	return block
}
