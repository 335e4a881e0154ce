package main

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
)

// pssVectors are signed with RSASSA-PSS (RFC 9231 §2.3.10), by hand: xmlsec1 knows it from version
// 1.3 on, which Debian 12 does not have.
func pssVectors() []vector {
	method := func(name, algorithm string, h *hand) vector {
		return vector{name: name, from: "entra", change: swap(rsaSHA256, algorithm), byHand: h, judge: beyond}
	}
	accepted := func(name, algorithm string, hash crypto.Hash, why string) vector {
		v := method("rsa-pss-"+name, dsig2007+algorithm, &hand{value: signPSS(hash, hash, hash.Size())})
		v.why = why
		return v
	}
	refused := func(name, expect, algorithm string, h *hand, why string) vector {
		v := method("p31-rsa-pss-"+name, algorithm, h)
		v.from, v.change = "rsa-pss-sha256", swap(dsig2007+"sha256-rsa-MGF1", algorithm)
		v.expect, v.why = expect, why
		return v
	}
	const mgf1 = dsig2007 + "sha256-rsa-MGF1"
	usual := &hand{value: signPSS(crypto.SHA256, crypto.SHA256, 32)}
	return []vector{
		accepted("sha256", "sha256-rsa-MGF1", crypto.SHA256, "RSASSA-PSS with SHA-256."),
		accepted("sha384", "sha384-rsa-MGF1", crypto.SHA384, "RSASSA-PSS with SHA-384."),
		accepted("sha512", "sha512-rsa-MGF1", crypto.SHA512, "RSASSA-PSS with SHA-512."),
		refused("short-salt", "signature", mgf1, &hand{value: signPSS(crypto.SHA256, crypto.SHA256, 20)},
			"The salt is shorter than the hash."),
		refused("no-salt", "signature", mgf1, &hand{value: signPSS(crypto.SHA256, crypto.SHA256, 0)},
			"There is no salt."),
		refused("long-salt", "signature", mgf1, &hand{value: signPSS(crypto.SHA256, crypto.SHA256, 33)},
			"The salt is longer than the hash."),
		refused("other-mask", "signature", mgf1, &hand{value: signPSS(crypto.SHA256, crypto.SHA1, 32)},
			"The mask is made with SHA-1."),
		refused("longer-mask-hash", "signature", mgf1, &hand{value: signPSS(crypto.SHA256, crypto.SHA512, 32)},
			"The mask is made with SHA-512."),
		refused("other-hash", "signature", mgf1, &hand{value: signPSS(crypto.SHA512, crypto.SHA512, 64)},
			"The signature is made with SHA-512, and the algorithm says SHA-256."),
		refused("as-pkcs1", "signature", rsaSHA256, usual, "The algorithm says PKCS #1 v1.5."),
		refused("pkcs1", "signature", mgf1, plainHand, "The signature is one of PKCS #1 v1.5."),
		refused("sha1", "signature_algorithm", dsig2007+"sha1-rsa-MGF1",
			&hand{value: signPSS(crypto.SHA1, crypto.SHA1, 20)}, "RSASSA-PSS with SHA-1."),
		refused("sha224", "signature_algorithm", dsig2007+"sha224-rsa-MGF1",
			&hand{value: signPSS(crypto.SHA224, crypto.SHA224, 28)}, "RSASSA-PSS with SHA-224 is not on the list."),
		refused("free", "signature_algorithm", dsig2007+"rsa-pss", usual,
			"RSASSA-PSS whose parameters the message chooses, and it names none."),
		{name: "p31-rsa-pss-parameters", from: "rsa-pss-sha256", expect: "signature_structure", judge: beyond,
			change: swap(`<SignatureMethod Algorithm="`+mgf1+`"/>`,
				`<SignatureMethod Algorithm="`+dsig2007+`rsa-pss"><RSAPSSParams xmlns="`+dsig2007+
					`"><SaltLength>32</SaltLength></RSAPSSParams></SignatureMethod>`),
			why: "RSASSA-PSS whose parameters the message chooses."},
	}
}

// signPSS signs by EMSA-PSS (RFC 8017 §9.1.1) with any salt and any hash for the mask, which Go's own
// function does not. The salt is always the same, and so is the signature.
func signPSS(hash, mask crypto.Hash, salt int) func(crypto.Signer, []byte) ([]byte, error) {
	return func(private crypto.Signer, signedInfo []byte) ([]byte, error) {
		key := private.(*rsa.PrivateKey)
		bits := key.N.BitLen() - 1
		size := (bits + 7) / 8
		h := hash.New()
		h.Write(signedInfo)
		digest := h.Sum(nil)
		seed := sha256.Sum256(digest)
		salt := bytes.Repeat(seed[:], 3)[:salt]

		h.Reset()
		h.Write(make([]byte, 8))
		h.Write(digest)
		h.Write(salt)
		tail := h.Sum(nil)
		block := make([]byte, size-len(tail)-1)
		if len(block) < len(salt)+2 {
			return nil, fmt.Errorf("the key is too short")
		}
		block[len(block)-len(salt)-1] = 1
		copy(block[len(block)-len(salt):], salt)
		for i, b := range mgf1(mask, tail, len(block)) {
			block[i] ^= b
		}
		block[0] &= 0xFF >> (8*size - bits)
		encoded := append(append(block, tail...), 0xBC)
		number := new(big.Int).Exp(new(big.Int).SetBytes(encoded), key.D, key.N)
		return number.FillBytes(make([]byte, key.Size())), nil
	}
}

// mgf1 is the mask generation function of RFC 8017 §B.2.1.
func mgf1(hash crypto.Hash, seed []byte, size int) (mask []byte) {
	for i := byte(0); len(mask) < size; i++ {
		h := hash.New()
		h.Write(seed)
		h.Write([]byte{0, 0, 0, i})
		mask = h.Sum(mask)
	}
	return mask[:size]
}
