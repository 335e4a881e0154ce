package saml

import (
	"crypto/elliptic"
	"encoding/base64"
	"strings"
	"testing"
)

// TestSniff: what was handed over is known at first sight, and both readers name it in their own
// words.
func TestSniff(t *testing.T) {
	t.Parallel()
	der := testCertificate(t, newECKey(t, elliptic.P256()))
	private := privateDER(t)
	pem := armor("CERTIFICATE", der)
	base64Of := base64.StdEncoding.EncodeToString
	metadata := entityXML(`entityID="https://idp.example.com"`,
		keyXML("", der)+ssoXML("HTTP-POST", "https://idp.example.com/sso"))
	const taken = "" // no error
	for _, row := range []struct {
		name, data     string
		want           form
		keys, metadata string // the messages of ParseKeys and ParseMetadata
	}{
		{"nothing", "", formEmpty, "the certificate is empty", "the file is empty"},
		{"a byte order mark", "\uFEFF \r\n", formEmpty, "the certificate is empty", "the file is empty"},
		{"blanks without end", strings.Repeat(" ", maxFile+1), formEmpty, "the file has 4194305 bytes",
			"the file is empty"},
		{"4 MiB", "x" + strings.Repeat(" ", maxFile-2) + "x", formText, "this is not a certificate", "this is not XML"},
		{"more", "x" + strings.Repeat(" ", maxFile-1) + "x", formTooLarge, "the file has 4194305 bytes",
			"this is not the metadata of one identity provider"},
		{"UTF-16, little endian", "\xff\xfe<\x00", formUTF16, "the file is encoded in UTF-16",
			"the file is encoded in UTF-16"},
		{"UTF-16, big endian", "\xfe\xff\x00<", formUTF16, "the file is encoded in UTF-16",
			"the file is encoded in UTF-16"},
		{"UTF-16 without its mark, little endian", "<\x00x\x00", formUTF16, "the file is encoded in UTF-16",
			"the file is encoded in UTF-16"},
		{"UTF-16 without its mark, big endian", "\x00-\x00-", formUTF16, "the file is encoded in UTF-16",
			"the file is encoded in UTF-16"},
		{"a character and a zero byte", "<\x00x", formXML, "byte 1 is not part of a legal character", "byte 1 is not part of a legal character"},
		{"a character and zero bytes", "<\x00\x00\x00", formXML, "byte 1 is not part of a legal character", "byte 1 is not part of a legal character"},
		{"a web page without html", "<head>\n<title>Sign in</title>", formWebPage, "this is a web page",
			"this is a web page"},
		{"a script alone", "<script src='x'></script>", formWebPage, "this is a web page", "this is a web page"},
		{"a web page behind a long comment", "<!-- x --><HTML>", formWebPage, "this is a web page", "this is a web page"},
		{"XML that begins as a part of a page", "<header/>", formXML, "this XML is not SAML metadata", "this XML is not SAML metadata"},
		{"XML that begins as a setting of a page", "<metadata/>", formXML, "this XML is not SAML metadata",
			"this XML is not SAML metadata"},
		{"a certificate in DER", string(der), formDER, taken, "this is a certificate, not metadata"},
		{"a private key in DER", string(private), formDER, "this is a private key", "this is a private key"},
		{"half of a certificate in DER", string(der[:100]), formDER, "the certificate is damaged or cut off",
			"this is not XML"},
		{"a certificate that names a web page and metadata",
			string(issue(t, "<html lang=en><EntityDescriptor>", newECKey(t, elliptic.P256()), nil, nil, 0)),
			formDER, taken, "this is a certificate, not metadata"},
		{"a digit", "0", formText, "this is not a certificate", "this is not XML"},
		{"a web page", "\n<!DOCTYPE HTML><title>Sign in</title>", formWebPage, "this is a web page",
			"this is a web page"},
		{"a web page without a type", "<HTML>", formWebPage, "this is a web page", "this is a web page"},
		{"a web page behind a comment", "<!-- x --><html lang=en>", formWebPage, "this is a web page",
			"this is a web page"},
		{"metadata", metadata, formXML, taken, taken},
		{"metadata behind a byte order mark", "\uFEFF" + metadata, formXML, taken, taken},
		{"other XML", "<x/>", formXML, "this XML is not SAML metadata", "this XML is not SAML metadata"},
		{"JSON", `{"x":1}`, formJSON, "this is not a certificate", "this is JSON, not metadata"},
		{"a certificate in JSON", `{"x":"` + strings.ReplaceAll(pem, "\n", `\n`) + `"}`, formJSON, taken,
			"this is JSON, not metadata"},
		{"metadata behind text", "Hello,\n" + metadata, formMetadataInText, taken, "there is text before the metadata"},
		{"a certificate in PEM", pem, formPEM, taken, "this is a certificate, not metadata"},
		{"a damaged certificate in PEM", strings.Replace(pem, "MI", "M", 1), formPEM,
			"line 1 begins a certificate of which the base64", "this is a certificate, not metadata"},
		{"a private key in PEM", armor("ENCRYPTED PRIVATE KEY", private), formPrivateKey, "this is a private key",
			"this is a private key"},
		{"a private key in base64", base64Of(private), formText, "this is a private key", "this is a private key"},
		{"a certificate in base64", base64Of(der), formText, taken, "this is a certificate, not metadata"},
		{"an SSH key", "SSH-RSA AAAAB3NzaC1yc2E= me@host", formSSHKey, "this is an SSH key", "this is not XML"},
		{"an address", "HTTPS://idp.example.com/metadata", formAddress, "this is an address", "this is not XML"},
		{"an address without TLS", "http://idp.example.com/metadata", formAddress, "this is an address",
			"this is not XML"},
		{"a SHA-1 thumbprint", "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12", formThumbprint, "this is the thumbprint",
			"this is not XML"},
		{"a SHA-256 thumbprint with colons", strings.TrimSuffix(strings.Repeat("9f:", 32), ":"), formThumbprint,
			"this is the thumbprint", "this is not XML"},
		{"a sentence", "please see attachment", formText, "this is not a certificate", "this is not XML"},
	} {
		if got := sniff([]byte(row.data)); got != row.want {
			t.Errorf("%s: got form %d, want %d", row.name, got, row.want)
		}
		_, keysErr := ParseKeys([]byte(row.data))
		_, metadataErr := ParseMetadata([]byte(row.data))
		for _, read := range []struct {
			by, want string
			err      error
		}{{"ParseKeys", row.keys, keysErr}, {"ParseMetadata", row.metadata, metadataErr}} {
			if (read.err == nil) != (read.want == taken) || read.err != nil && !strings.Contains(read.err.Error(),
				read.want) {
				t.Errorf("%s: %s: got %v, want %q", row.name, read.by, read.err, read.want)
			}
		}
	}
}
