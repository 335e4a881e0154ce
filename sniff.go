package saml

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/iomete/saml/internal/certs"
)

// A form is what a file or a pasted text is at first sight. ParseKeys and ParseMetadata are given
// the same things, often the wrong one.
type form int

const (
	formText           form = iota // none of the others: base64 without armor, or a sentence
	formEmpty                      // nothing but white space
	formTooLarge                   // more than maxFile bytes
	formUTF16                      // it begins with a byte order mark of UTF-16, or with two ASCII characters in UTF-16
	formDER                        // it begins as an ASN.1 sequence of more than 127 bytes
	formWebPage                    // HTML
	formXML                        // it begins with <
	formJSON                       // it begins with {
	formMetadataInText             // it has metadata, and text before
	formPEM                        // the armor of a certificate begins in the first 4 KiB
	formPrivateKey                 // it has the armor of a private key
	formSSHKey                     // it begins with ssh-
	formAddress                    // it begins with https:// or http://
	formThumbprint                 // it is a SHA-1 or SHA-256 thumbprint
)

// maxFile is how long a file may be, in bytes: metadata of one identity provider, or certificates.
const maxFile = 4 << 20

// sniff says what data is, by a look at its beginning and a search for a few words. It parses
// nothing.
func sniff(data []byte) form {
	start := withoutMark(data)
	switch {
	case len(start) == 0:
		return formEmpty
	case len(data) > maxFile:
		return formTooLarge
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}), bytes.HasPrefix(data, []byte{0xFE, 0xFF}), isBareUTF16(data):
		return formUTF16
	case data[0] == 0x30 && len(data) > 1 && data[1] >= 0x80:
		return formDER
	}
	lower := strings.ToLower(string(start[:min(len(start), 512)]))
	switch {
	case htmlStart.MatchString(lower), strings.Contains(lower, "<html "), strings.Contains(lower, "<html>"):
		return formWebPage
	case start[0] == '<':
		return formXML
	case start[0] == '{':
		return formJSON
	}
	text := string(start)
	switch {
	case metadataStart(text) >= 0:
		return formMetadataInText
	case strings.Contains(text[:min(len(text), 4096)], "-----BEGIN CERTIFICATE"):
		return formPEM
	case certs.PrivateKeyIn(text) != nil:
		return formPrivateKey
	case strings.HasPrefix(lower, "ssh-"):
		return formSSHKey
	case strings.HasPrefix(lower, "https://"), strings.HasPrefix(lower, "http://"):
		return formAddress
	case len(text) < 128 && thumbprintText.MatchString(text):
		return formThumbprint
	}
	return formText
}

// htmlStart is how web pages begin, also those that leave out <html>.
var htmlStart = regexp.MustCompile(`^<(!doctype html|html|(head|body|script|title|form|center|h1)[\s>]|meta\s)`)

// isBareUTF16 reports whether data begins with two ASCII characters in UTF-16.
func isBareUTF16(data []byte) bool {
	if len(data) < 4 {
		return false
	}
	isText := func(a, b byte) bool { return a >= '\t' && a < 0x7F && b >= '\t' && b < 0x7F }
	return data[1]|data[3] == 0 && isText(data[0], data[2]) || data[0]|data[2] == 0 && isText(data[1], data[3])
}

// thumbprintText is a SHA-1 or SHA-256 thumbprint as portals show it. Without its colons it is
// base64 too.
var thumbprintText = regexp.MustCompile(`^([0-9A-Fa-f]{2}[: ]?){19}([0-9A-Fa-f]{2}[: ]?){0,12}[0-9A-Fa-f]{2}$`)

// withoutMark is data without white space around it and without the byte order mark of UTF-8.
func withoutMark(data []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
}

// cutMetadata finds a metadata document in a text. metadata is "" if there is none.
func cutMetadata(text string) (before, metadata, after string) {
	start := metadataStart(text)
	if start < 0 {
		return text, "", ""
	}
	if i := strings.LastIndex(text[:start], "<?xml"); i >= 0 {
		start = i
	}
	if text[0] == '<' { // what stands before it is XML too, or what should be
		start = 0
	}
	end := 0
	for _, name := range metadataRoots {
		if i := strings.LastIndex(text, name+">"); i >= 0 {
			end = max(end, i+len(name)+len(">"))
		}
	}
	if end <= start {
		end = len(text)
	}
	return text[:start], text[start:end], text[end:]
}

var metadataRoots = []string{"EntityDescriptor", "EntitiesDescriptor"}

// metadataStart is where the first start tag of a metadata document begins, -1 if there is none.
func metadataStart(text string) int {
	first := -1
	for _, name := range metadataRoots {
		for at := 0; ; {
			i := strings.Index(text[at:], name)
			if i < 0 {
				break
			}
			i += at
			at = i + len(name)
			tag := strings.LastIndexByte(text[max(0, i-64):i], '<')
			if tag < 0 {
				continue
			}
			tag += max(0, i-64)
			if prefix := text[tag+1 : i]; prefix == "" || prefix[len(prefix)-1] == ':' &&
				isNCName(prefix[:len(prefix)-1]) {
				if first < 0 || tag < first {
					first = tag
				}
				break
			}
		}
	}
	return first
}
