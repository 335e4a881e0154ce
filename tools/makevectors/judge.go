package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// judge is what xmlsec1 must say about the signatures of a finished message.
type judge int

const (
	allValid    judge = iota // each verifies with the key that made it: only the rule of the vector can refuse
	someValid                // one does and one does not
	broken                   // none does: that is the fault, or follows from it
	noSignature              // there is none
	beyond                   // libxml2 does not read it, or xmlsec1 does not know it or sees more in it than we do
)

var signatureTag = regexp.MustCompile(`<(?:[a-z0-9]+:)?Signature[ />]`)

// verify compares a message with what its vector says about it, so that no vector is refused for
// another reason than its own.
func (b *builder) verify(v *built, message string) error {
	total := len(signatureTag.FindAllString(strings.ReplaceAll(message, "\x00", ""), -1)) // without the NULs of UTF-16
	good := 0
	var complaint error
	for i := 1; i <= total; i++ {
		if err := b.verifyOne(v, message, i); err != nil {
			complaint = err
		} else {
			good++
		}
	}
	if v.clear != "" { // the signature inside, which comes last
		if inside := len(signatureTag.FindAllString(v.clear, -1)); inside > total {
			total++
			if err := b.verifyOne(v, v.clear, inside); err != nil {
				complaint = err
			} else {
				good++
			}
		}
		if v.vector.encrypt.judged && v.vector.expect == "" {
			if err := b.decrypt(message, assertionID); err != nil {
				return err
			}
		}
	}
	ok := false
	switch v.vector.judge {
	case allValid:
		ok = total > 0 && good == total
	case someValid:
		ok = 0 < good && good < total
	case broken, beyond:
		ok = total > 0 && good == 0
	case noSignature:
		ok = total == 0
	}
	if !ok {
		return fmt.Errorf("xmlsec1 verified %d of %d signatures, last complaint: %.400v", good, total, complaint)
	}
	return nil
}

// verifyOne verifies the n-th signature with one of the keys that signed.
func (b *builder) verifyOne(v *built, message string, n int) error {
	keys := []string{v.vector.key, v.vector.responseKey}
	if v.vector.key == "" {
		keys[0] = idpA
	}
	var err error
	for _, key := range keys {
		if key == "" {
			continue
		}
		_, err = b.xmlsec("--verify", message, "--pubkey-cert-pem", filepath.Join(b.dir, certificateFile(key)),
			"--node-xpath", fmt.Sprintf(`(//*[local-name()="Signature" and namespace-uri()="%s"])[%d]`, nsDSig, n))
		if err == nil {
			return nil
		}
	}
	return err
}
