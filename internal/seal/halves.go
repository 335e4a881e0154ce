package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"sync/atomic"
)

const (
	// sealsOfHalf is how many seals of one process may have the same first half of the nonce.
	sealsOfHalf = 1 << 16
	// keptHalves is how many ciphers are kept for each key, 1.3 KiB each.
	keptHalves = 64
)

// halves keeps ciphers of AES-256-GCM by the first half of the nonce that they are made from. To make
// one takes longer than to open a cookie with it, and 1.3 KiB.
//
// Seals share a first half, so that there are few: a process chooses one at random, and another
// after sealsOfHalf seals. The second half, the nonce of AES-256-GCM, is random for each seal. This is
// safe for 2^48 seals: they have 2^32 first halves. Of the 2^16 seals of each, two have the same
// nonce with a probability of 2^31/2^96, so any two have it with one of 2^-33. That two processes
// choose the same first half has a probability of 2^-33 too, and does no harm by itself.
//
// A cipher is kept only after it has opened a value, so whoever does not have the key cannot put one
// here, and there are never more than keptHalves.
type halves struct {
	sealing atomic.Pointer[halfCipher]
	kept    [keptHalves]atomic.Pointer[halfCipher] // by the first byte of the half, which is random
}

// A halfCipher is the cipher of one first half.
type halfCipher struct {
	half [nonceSize / 2]byte
	gcm  cipher.AEAD  // changes nothing of itself, so it may be used concurrently
	left atomic.Int64 // seals to come
}

// next returns the cipher that seals next.
func (h *halves) next(x *xaes) *halfCipher {
	if c := h.sealing.Load(); c != nil && c.left.Add(-1) >= 0 {
		return c
	}
	c := &halfCipher{} // if several do this at the same time, all but one seal a single value
	rand.Read(c.half[:])
	c.gcm = x.aead(c.half[:])
	c.left.Store(sealsOfHalf - 1)
	h.sealing.Store(c)
	h.slot(c.half[:]).Store(c)
	return c
}

// find returns the cipher for a nonce, if it is kept. h may be nil: then none is.
func (h *halves) find(nonce []byte) (cipher.AEAD, bool) {
	if h == nil {
		return nil, false
	}
	c := h.slot(nonce).Load()
	if c == nil || c.half != [nonceSize / 2]byte(nonce) {
		return nil, false
	}
	return c.gcm, true
}

// keep keeps the cipher for a nonce, in place of another.
func (h *halves) keep(nonce []byte, gcm cipher.AEAD) {
	if h != nil {
		h.slot(nonce).Store(&halfCipher{half: [nonceSize / 2]byte(nonce), gcm: gcm})
	}
}

func (h *halves) slot(nonce []byte) *atomic.Pointer[halfCipher] { return &h.kept[nonce[0]%keptHalves] }
