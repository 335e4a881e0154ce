package samltest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recipientKey is a service provider's key and its certificate, DER.
func recipientKey(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "console"},
		NotBefore:    time.Now(),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return key, certificate
}

// xmlsecDecrypt lets xmlsec1 decrypt the message.
func xmlsecDecrypt(t *testing.T, key *rsa.PrivateKey, document []byte) []byte {
	t.Helper()
	xmlsec := tool(t, "xmlsec1", "xmlsec1")
	dir := t.TempDir()
	keyFile, file := filepath.Join(dir, "key.pem"), filepath.Join(dir, "message.xml")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{
		Type:  "RSA PRIVATE KEY",
		Bytes: x509.MarshalPKCS1PrivateKey(key),
	}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(xmlsec, "--decrypt", "--privkey-pem", keyFile, "--id-attr:Id", nsXEnc+":EncryptedKey",
		file).Output()
	if err != nil {
		t.Fatalf("xmlsec1: %v\n%.600s", err, document)
	}
	return output
}

// TestXMLSecDecrypts lets xmlsec1 decrypt an answer and looks for the user in it, with each
// algorithm that xmlsec1 knows (not RSA-OAEP under its newer name).
func TestXMLSecDecrypts(t *testing.T) {
	t.Parallel()
	key, certificate := recipientKey(t)
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	for _, content := range []ContentAlgorithm{
		AES128CBC,
		AES192CBC,
		AES256CBC,
		AES128GCM,
		AES192GCM,
		AES256GCM,
		TripleDESCBC,
	} {
		for name, e := range map[string]Encryption{
			"the key inside":  {},
			"the key beside":  {Beside: true},
			"RSA 1.5":         {Transport: RSA15},
			"the NameID only": {NameIDOnly: true},
			"SHA-256":         {Digest: crypto.SHA256},
		} {
			if name == "SHA-256" && content != AES256CBC {
				continue
			}
			e.Content, e.Certificates = content, [][]byte{certificate}
			document, err := idp.RespondXML(Answer{Recipient: redirectURL, Encrypt: &e, Sign: SignBoth})
			if err != nil {
				t.Fatalf("%s, %s: %v", content, name, err)
			}
			user := DefaultUsers()[0]
			if bytes.Contains(document, []byte(">"+user.Mail+"</NameID>")) {
				t.Errorf("%s, %s: the NameID can be read", content, name)
			}
			if name == "SHA-256" {
				continue // xmlsec1 of Debian 12 takes SHA-1 for the mask's digest too
			}
			if out := xmlsecDecrypt(t, key, document); !bytes.Contains(out, []byte(user.Mail+"</")) {
				t.Errorf("%s, %s: xmlsec1 found no NameID", content, name)
			}
		}
	}
}

// TestEncryptedIsSignedBefore: the decrypted assertion has its own signature, and the signature of
// the response covers the encrypted one.
func TestEncryptedIsSignedBefore(t *testing.T) {
	t.Parallel()
	key, certificate := recipientKey(t)
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	for _, style := range []Style{Entra, Prefixed, Pretty} {
		document, err := idp.RespondXML(Answer{
			Recipient: redirectURL,
			Style:     style,
			Sign:      SignBoth,
			Encrypt:   &Encryption{Certificates: [][]byte{certificate}},
		})
		if err != nil {
			t.Fatal(err)
		}
		verifyBoth(t, document, idp.Certificates()[0], "Response")
		decrypted := xmlsecDecrypt(t, key, document)
		for _, name := range []string{"EncryptedAssertion", "saml:EncryptedAssertion"} { // xmlsec1 leaves the wrapper
			decrypted = cutTags(decrypted, name)
		}
		if err := xmlsecVerify(t, idp.Certificates()[0], xpathOf["Assertion"], decrypted); err != nil {
			t.Errorf("style %d: %v", style, err)
		}
	}
}

// cutTags removes the tags of an element and keeps its content.
func cutTags(document []byte, name string) []byte {
	text := strings.Replace(string(document), "</"+name+">", "", 1)
	if start := strings.Index(text, "<"+name); start >= 0 {
		text = text[:start] + text[start+strings.IndexByte(text[start:], '>')+1:]
	}
	return []byte(text)
}

// TestApplicationWithEncryption: an application that has a certificate under Token encryption gets
// encrypted answers, others do not.
func TestApplicationWithEncryption(t *testing.T) {
	t.Parallel()
	_, certificate := recipientKey(t)
	for _, app := range []Application{{Identifier: "a"}, {Identifier: "b", EncryptionCertificate: certificate}} {
		encrypted := app.answer(redirectURL).Encrypt
		if (encrypted != nil) != (app.EncryptionCertificate != nil) ||
			encrypted != nil && !bytes.Equal(encrypted.Certificates[0], certificate) {
			t.Errorf("%s: got %+v", app.Identifier, encrypted)
		}
	}
}

func TestEncryptionThatCannotBe(t *testing.T) {
	t.Parallel()
	_, certificate := recipientKey(t)
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	elliptic := MustNew(t, Options{Keys: testKeys.p256()}).Certificates()
	for name, e := range map[string]Encryption{
		"for nobody":                {},
		"no certificate":            {Certificates: [][]byte{[]byte("x")}},
		"a certificate without RSA": {Certificates: elliptic},
		"an unknown algorithm":      {Certificates: [][]byte{certificate}, Content: "x"},
	} {
		if _, err := idp.RespondXML(Answer{Recipient: redirectURL, Encrypt: &e}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
