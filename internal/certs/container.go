package certs

import (
	"bytes"
	"encoding/base64"
	"regexp"
)

// Container recognizes a file that certificates are kept in and that is not read here: PKCS #7
// (RFC 2315 §9.1) and PKCS #12 (RFC 7292 §4), in DER, BER or base64, a Java keystore, and a ZIP
// archive. It looks at the beginning only. The Problem says what data is and how to take the
// certificate out of it. It is nil if data is none of these.
func Container(data []byte) *Problem {
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return &Problem{Message: "this is a ZIP archive", Want: "the file in it: unpack the archive first"}
	case bytes.HasPrefix(data, []byte{0xFE, 0xED, 0xFE, 0xED}), bytes.HasPrefix(data, []byte{0xCE, 0xCE, 0xCE, 0xCE}):
		return &Problem{Kind: PrivateKey, Message: "this is a Java keystore (.jks), which is made to hold private keys",
			Want: "the certificate alone: keytool -exportcert -rfc -alias ALIAS -keystore FILE"}
	}
	if p := asn1Container(data); p != nil {
		return p
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	if bytes.HasPrefix(text, []byte("<")) {
		return nil // XML: neither armor nor base64
	}
	if containerArmor.Match(text) {
		if p := PrivateKeyIn(string(text)); p != nil {
			return p
		}
		return pkcs7()
	}
	// some programs write the lines of a certificate around everything
	text = certificateArmor.ReplaceAll(text[:min(len(text), 256)], nil)
	text = bytes.Join(bytes.Fields(text), nil)
	der, _ := base64.RawStdEncoding.DecodeString(string(text[:min(len(text), 64)])) // what is before an error counts
	return asn1Container(der)
}

var (
	containerArmor   = regexp.MustCompile(`^-----BEGIN (PKCS7|PKCS #7 SIGNED DATA|CMS)-----`)
	certificateArmor = regexp.MustCompile(`^-----BEGIN [A-Z0-9 ]*CERTIFICATE-----`)
)

// asn1Container looks at the first octets of DER or BER.
func asn1Container(data []byte) *Problem {
	content := inSequence(data)
	if bytes.HasPrefix(content, []byte(signedData)) {
		return pkcs7()
	}
	if version := []byte{0x02, 0x01, 0x03}; bytes.HasPrefix(content, version) &&
		bytes.HasPrefix(inSequence(content[len(version):]), []byte(anyPKCS7)) {
		return pkcs12()
	}
	return nil
}

const (
	anyPKCS7   = "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07" // an object identifier below 1.2.840.113549.1.7 (RFC 2315 §14)
	signedData = anyPKCS7 + "\x02"
)

// inSequence returns what follows the tag and the length of an ASN.1 SEQUENCE, nil if there is none.
// The length may be indefinite, as in BER.
func inSequence(data []byte) []byte {
	if len(data) < 2 || data[0] != 0x30 || data[1] > 0x84 {
		return nil
	}
	header := 2
	if data[1] > 0x80 {
		header += int(data[1] - 0x80)
	}
	return data[min(header, len(data)):]
}

func pkcs7() *Problem {
	return &Problem{Message: "this is a PKCS #7 file (.p7b), a container of certificates, not a certificate",
		Want: "the certificate alone: open the file in Windows and export it as Base-64 encoded X.509 (.CER), or run " +
			"openssl pkcs7 -print_certs -in FILE (-inform DER if the file is binary)"}
}

func pkcs12() *Problem {
	return &Problem{Kind: PrivateKey,
		Message: "this is a PKCS #12 file (.p12, .pfx), a container that is made to hold a private key, not a certificate",
		Want:    "the certificate alone: openssl pkcs12 -in FILE -nokeys -clcerts"}
}
