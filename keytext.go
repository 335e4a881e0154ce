package saml

import (
	"strings"

	"github.com/iomete/saml/internal/certs"
)

// ParseKeys reads the certificates in what an administrator pasted or uploaded, in their order. It
// takes DER, or a text with any mixture of PEM, bare base64 with or without line breaks, PEM that was
// encoded in base64, X509Certificate elements and federation metadata, with other text around and
// between. The limit
// is 4 MiB and 16 certificates, 8 of them with RSA keys of more than 4096 bits or ECDSA keys on
// P-521, which take long to verify with. The same certificate twice counts once.
//
// No certificate is left out silently: if a part cannot be read, the error names its line. The
// error is an *Error: CodeKey, CodePrivateKey if there is a private key, CodeTooLarge, or a code of
// ParseMetadata.
//
// A certificate that issued another one of them belongs to a certificate authority (CA), which
// signs no responses. It is returned, so that it can be shown, but Usable says that it is not
// trusted, and IdentityProvider.Warnings warns about it. If it does sign responses, pass it alone.
func ParseKeys(data []byte) ([]TrustedKey, error) {
	keys, err := readKeys(data)
	if err != nil {
		return nil, err.completed(seenIn(data))
	}
	return keys, nil
}

func readKeys(data []byte) ([]TrustedKey, *Error) {
	if len(data) > maxFile {
		return nil, refusef(CodeTooLarge, "the file has %d bytes, more than %d", len(data), maxFile).hintOfCode(CodeKey)
	}
	if p := certs.Container(data); p != nil {
		return nil, fromCerts(p)
	}
	switch sniff(data) {
	case formEmpty:
		return nil, refuse(CodeKey, "the certificate is empty", "", "")
	case formUTF16:
		return nil, refuse(CodeKey, "the file is encoded in UTF-16", "",
			"the file as it was downloaded, or saved as UTF-8")
	case formDER:
		var list keyList
		if _, err := list.readDER(data); err != nil {
			return nil, err
		}
		list.markIssuers()
		return list.keys, nil
	}
	return readKeysInText(string(withoutMark(data)))
}

// readKeysInText reads metadata, PEM, bare base64 and X509Certificate elements, with other text
// around and between. The text is not empty.
func readKeysInText(text string) ([]TrustedKey, *Error) {
	if p := certs.PrivateKeyIn(text); p != nil {
		return nil, fromCerts(p)
	}
	var keys []TrustedKey
	var alone [][]int // the usable ones of metadata
	before, metadata, after := cutMetadata(text)
	if metadata == "" && text[0] == '<' && !strings.Contains(text, "X509Certificate") {
		metadata, before = text, "" // it is none: parseMetadata says what it is
	}
	if metadata != "" {
		idp, err := parseMetadata([]byte(metadata), ParseMetadataOptions{})
		if err != nil {
			return nil, err
		}
		if idp.unread != "" {
			return nil, refuse(CodeKey, idp.unread, "", "metadata in which every certificate can be read")
		}
		keys = idp.keys
		for i, k := range keys {
			if k.unusable == nil {
				alone = append(alone, []int{i})
			}
		}
		// so that lines are counted as in the whole text
		before += strings.Repeat("\n", strings.Count(metadata, "\n")) + " "
	}
	var list keyList
	if err := list.readText(before + after); err != nil {
		if len(list.keys) == 0 && sniff([]byte(text)) == formSSHKey {
			return nil, notACertificate(text)
		}
		return nil, err
	}
	keys, err := uniqueKeys(append(keys, list.keys...))
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, notACertificate(text)
	}
	// What issued another one of the paste belongs to an authority. Metadata has its own groups, which
	// have been looked at: what can be used there stays trusted, whatever is pasted beside it.
	(&keyList{keys: keys}).markIssuersIn(append(alone, indices(len(keys))))
	return keys, nil
}

func notACertificate(text string) *Error {
	switch sniff([]byte(text)) {
	case formSSHKey:
		return refuse(CodeKey, "this is an SSH key, not a certificate", "", "")
	case formAddress:
		return refuse(CodeKey, "this is an address, not a certificate", "",
			"the certificate or the metadata that is found there")
	case formThumbprint:
		return refuse(CodeKey, "this is the thumbprint of a certificate, not the certificate", "", "")
	}
	return refuse(CodeKey, "this is not a certificate", "", "PEM, base64, DER or federation metadata XML")
}
