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

// verify holds a message against what its recipe says about it, so that no vector is refused for another reason than its own.
func (k *kitchen) verify(v *vector, message string) error {
	total := len(signatureTag.FindAllString(strings.ReplaceAll(message, "\x00", ""), -1)) // without the NULs of UTF-16
	good := 0
	var complaint error
	for i := 1; i <= total; i++ {
		if err := k.verifyOne(v, message, i); err != nil {
			complaint = err
		} else {
			good++
		}
	}
	if v.clear != "" { // the signature inside, which comes last
		if inside := len(signatureTag.FindAllString(v.clear, -1)); inside > total {
			total++
			if err := k.verifyOne(v, v.clear, inside); err != nil {
				complaint = err
			} else {
				good++
			}
		}
		if v.recipe.encrypt.judged && v.recipe.expect == "" {
			if err := k.decrypt(message, assertionID); err != nil {
				return err
			}
		}
	}
	ok := false
	switch v.recipe.judge {
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
func (k *kitchen) verifyOne(v *vector, message string, n int) error {
	keys := []string{v.recipe.key, v.recipe.responseKey}
	if v.recipe.key == "" {
		keys[0] = idpA
	}
	var err error
	for _, key := range keys {
		if key == "" {
			continue
		}
		_, err = k.xmlsec("--verify", message, "--pubkey-cert-pem", filepath.Join(k.dir, certificateFile(key)),
			"--node-xpath", fmt.Sprintf(`(//*[local-name()="Signature" and namespace-uri()="%s"])[%d]`, nsDSig, n))
		if err == nil {
			return nil
		}
	}
	return err
}
