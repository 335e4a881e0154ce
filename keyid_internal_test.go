package saml

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
)

// TestRSAPublicKeyInfo: the DER is that of crypto/x509, whatever the lengths and first bits of the
// numbers are.
func TestRSAPublicKeyInfo(t *testing.T) {
	t.Parallel()
	one := big.NewInt(1)
	for bits := uint(1); bits <= 1<<14+2; bits += 1 + bits/16 {
		power := new(big.Int).Lsh(one, bits)
		for _, n := range []*big.Int{power, new(big.Int).Sub(power, one), new(big.Int).Add(power, one)} {
			for _, e := range []int{1, 3, 127, 128, 255, 256, 65537, 1<<31 - 1} {
				key := &rsa.PublicKey{N: n, E: e}
				want, err := x509.MarshalPKIXPublicKey(key)
				if got := rsaPublicKeyInfo(key); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%d bits, E %d: got %x, want %x, %v", n.BitLen(), e, got, want, err)
				}
			}
		}
	}
}
