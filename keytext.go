package saml

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/iomete/saml/internal/b64"
)

// parseText reads the certificates in text: metadata, PEM, bare base64 and X509Certificate elements, with other text around and between.
func parseText(text string) ([]TrustedKey, *Error) {
	if strings.Contains(text, "PRIVATE KEY-----") { // also in a form that is no block here, and beside a certificate
		return nil, privateKey()
	}
	var keys []TrustedKey
	before, metadata, after := cutMetadata(text)
	if metadata == "" && text[0] == '<' && !strings.Contains(text, "X509Certificate") {
		metadata, before = text, "" // it is none: ParseMetadata says what it is
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
	}
	if metadata != "" { // so that lines are counted as in the whole text
		before += strings.Repeat("\n", strings.Count(metadata, "\n")) + " "
	}
	r := textReader{text: unescape(before + after)}
	if err := r.read(); err != nil {
		if len(r.list.keys) == 0 && strings.HasPrefix(strings.ToLower(text[:min(len(text), 4)]), "ssh-") {
			return nil, notACertificate(text)
		}
		return nil, err
	}
	fromMetadata := len(keys)
	keys, err := uniqueKeys(append(keys, r.list.keys...))
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, notACertificate(text)
	}
	markPasted(keys, fromMetadata)
	return keys, nil
}

// markPasted makes those keys unusable that issued another one of the paste. Metadata has its own groups, which have been looked at: what stands in a KeyDescriptor
// of its own there stays trusted, whatever is pasted beside it.
func markPasted(keys []TrustedKey, fromMetadata int) {
	groups := [][]int{makeRange(len(keys))}
	for i := range fromMetadata {
		groups = append(groups, []int{i})
	}
	(&keyList{keys: keys}).markIssuersIn(groups)
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
			if prefix := text[tag+1 : i]; prefix == "" || prefix[len(prefix)-1] == ':' && isNCName(prefix[:len(prefix)-1]) {
				if first < 0 || tag < first {
					first = tag
				}
				break
			}
		}
	}
	return first
}

// unescape undoes what JSON and XML make of line breaks and of the characters of base64 and tags. None of these sequences can be part of a
// certificate.
func unescape(text string) string {
	if strings.Contains(text, "&") {
		text = xmlEscapes.Replace(text)
	}
	if strings.Contains(text, `\`) {
		text = jsonEscapes.Replace(text)
	}
	return text
}

var (
	xmlEscapes = strings.NewReplacer("&#10;", "\n", "&#xA;", "\n", "&#xa;", "\n", "&#13;", "\r", "&#xD;", "\r", "&#xd;", "\r", "&lt;", "<", "&gt;", ">")
	// Twice escaped occurs too: a JSON text in a JSON text.
	jsonEscapes = strings.NewReplacer(`\\n`, "\n", `\n`, "\n", `\\r`, "\r", `\r`, "\r", `\t`, "\t", `\/`, "/", `\u002B`, "+", `\u002b`, "+", `\u002F`, "/", `\u002f`, "/",
		`\u003D`, "=", `\u003d`, "=", `\u003C`, "<", `\u003c`, "<", `\u003E`, ">", `\u003e`, ">", `\u000A`, "\n", `\u000a`, "\n", `\u000D`, "\r", `\u000d`, "\r")
)

// A textReader reads the certificates in a text from front to back, each byte a bounded number of times. What it passes over cannot be a
// certificate or a part of one.
type textReader struct {
	text    string
	list    keyList
	element bool   // there was an X509Certificate element
	message string // the name of an element of a SAML message or signature, "" if there was none
}

func (r *textReader) read() *Error {
	for at := 0; at < len(r.text); {
		n := 1
		var err *Error
		switch c := r.text[at]; {
		case c == '-' && strings.HasPrefix(r.text[at:], pemBegin):
			n, err = r.block(at)
		case c == '-' && strings.HasPrefix(r.text[at:], pemEnd):
			err = r.refuse(at, "has an END line without its BEGIN line")
		case c == '<':
			n, err = r.tag(at)
		case isBase64(c):
			n, err = r.run(at)
		}
		if err != nil {
			return err
		}
		at += n
	}
	if r.element && r.message != "" {
		return refuse(CodeKey, "the certificate is part of a SAML message or signature, which anybody can have made", r.message, "the metadata of the identity provider, or the certificate alone")
	}
	return nil
}

// refuse names the line of what cannot be read.
func (r *textReader) refuse(at int, message string) *Error {
	return refuse(CodeKey, fmt.Sprintf("line %d %s", 1+strings.Count(r.text[:at], "\n"), message), "", "each certificate whole, from BEGIN CERTIFICATE to END CERTIFICATE")
}

// add reads the certificates of one part of the text.
func (r *textReader) add(at int, der []byte) *Error {
	_, err := r.list.readDER(der)
	if err != nil && err.Code == CodeKey && !r.list.full {
		err.Message = fmt.Sprintf("what begins in line %d: %s", 1+strings.Count(r.text[:at], "\n"), err.Message)
	}
	return err
}

const (
	pemBegin, pemEnd, pemHyphens = "-----BEGIN ", "-----END ", "-----"
	maxLabel                     = 64
)

// pemLabel is the label of the BEGIN or END line that begins at the start of text, and how long that line is.
func pemLabel(text, begin string) (label string, length int, ok bool) {
	rest, ok := strings.CutPrefix(text, begin)
	if !ok {
		return "", 0, false
	}
	label, _, ok = strings.Cut(rest[:min(len(rest), maxLabel+len(pemHyphens))], pemHyphens)
	return label, len(begin) + len(label) + len(pemHyphens), ok && !strings.ContainsAny(label, "\r\n")
}

func isCertificateLabel(label string) bool {
	return label == "CERTIFICATE" || label == "X509 CERTIFICATE" || label == "TRUSTED CERTIFICATE"
}

// block reads a PEM block. It is more tolerant than encoding/pem: armour and base64 may be indented, as forms and chats leave them.
func (r *textReader) block(at int) (int, *Error) {
	label, length, ok := pemLabel(r.text[at:], pemBegin)
	if !ok {
		return 0, r.refuse(at, "has a BEGIN line that is damaged")
	}
	if !isCertificateLabel(label) {
		return 0, refuse(CodeKey, "the text is no certificate", label, "BEGIN CERTIFICATE")
	}
	rest := r.text[at+length:]
	end := strings.Index(rest, pemHyphens)
	if end < 0 {
		return 0, r.refuse(at, "begins a certificate that has no END line")
	}
	endLabel, endLength, ok := pemLabel(rest[end:], pemEnd)
	if !ok || !isCertificateLabel(endLabel) {
		return 0, r.refuse(at, "begins a certificate that has no END line")
	}
	der, err := b64.Decode(rest[:end])
	if err != nil {
		return 0, r.refuse(at, "begins a certificate of which the base64 between BEGIN and END is damaged")
	}
	if label == "TRUSTED CERTIFICATE" {
		der = firstOf(der) // OpenSSL puts its own settings behind it
	}
	return length + end + endLength, r.add(at, der)
}

// firstOf cuts off what follows the first ASN.1 element.
func firstOf(der []byte) []byte {
	rest := cryptobyte.String(der)
	var first cryptobyte.String
	if !rest.ReadASN1Element(&first, cryptobyteasn1.SEQUENCE) {
		return der
	}
	return first
}

// maxTag is more than a start tag around a certificate has.
const maxTag = 1 << 10

// tag passes over the name of a tag, and reads the content of an X509Certificate element.
func (r *textReader) tag(at int) (int, *Error) {
	tag := r.text[at:min(len(r.text), at+maxTag)]
	name := tag[1 : 1+nameLength(tag[1:])]
	switch local := name[strings.LastIndexByte(name, ':')+1:]; local {
	default:
		return 1 + len(name), nil
	case "Response", "Assertion", "EncryptedAssertion", "AuthnRequest", "LogoutRequest", "LogoutResponse", "Signature", "SignedInfo":
		r.message = local
		return 1 + len(name), nil
	case "KeyDescriptor", "X509Certificate":
		end := strings.IndexByte(tag, '>')
		if end < 0 {
			return 0, r.refuse(at, "has a tag that does not end")
		}
		if local == "KeyDescriptor" {
			if encryptionUse.MatchString(tag[:end]) {
				return 0, r.refuse(at, "begins a KeyDescriptor for encryption, with which nothing is signed: leave it out")
			}
			return end, nil
		}
		return r.content(at, end+1)
	}
}

var encryptionUse = regexp.MustCompile(`\suse\s*=\s*["']encryption["']`)

// nameLength is how much of text is the name of an XML element.
func nameLength(text string) int {
	for i := range len(text) {
		if c := text[i]; !isBase64(c) && c != ':' && c != '_' && c != '-' && c != '.' || c == '+' || c == '/' {
			return i
		}
	}
	return len(text)
}

// content reads the X509Certificate element at, whose start tag has this length.
func (r *textReader) content(at, length int) (int, *Error) {
	r.element = true
	rest := r.text[at+length:]
	if end := strings.IndexByte(rest, '<'); end >= 0 {
		rest = rest[:end]
	}
	if strings.Contains(rest, pemBegin) {
		return length, nil // the block is read next
	}
	der, err := b64.Decode(rest)
	if err != nil {
		return 0, r.refuse(at, "has an X509Certificate element that is empty or not base64")
	}
	return length + len(rest), r.add(at, der)
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// longRun is as long as a run of letters and digits is at least that is taken for base64 of which the beginning is missing. Lines of base64
// have 64 or 76 characters, the longest thumbprint 64 hexadecimal digits, a GUID 12 between its hyphens.
const longRun = 48

// run reads what may be a word of text, or begin a certificate in base64 without armour.
func (r *textReader) run(at int) (int, *Error) {
	end := at
	var upper, lower, digit, noHex bool
	for ; end < len(r.text) && isBase64(r.text[end]); end++ {
		c := r.text[end]
		upper = upper || 'A' <= c && c <= 'Z'
		lower = lower || 'a' <= c && c <= 'z'
		digit = digit || '0' <= c && c <= '9'
		noHex = noHex || 'F' < c && c <= 'Z' || 'f' < c && c <= 'z' || c == '+' || c == '/'
	}
	if size := derSize(r.text[at:end]); size > 0 {
		return r.bare(at, size)
	}
	if end-at >= longRun && upper && lower && digit && noHex && !isPath(r.word(at, end)) {
		return 0, r.refuse(at, "looks like base64 but is not a certificate, or its beginning is missing")
	}
	return end - at, nil
}

// word is the run from at to end with what stands before it up to a blank, a quotation mark or a tag.
func (r *textReader) word(at, end int) string {
	const most = 2 << 10 // an address is shorter
	start := max(0, at-most)
	if i := strings.LastIndexAny(r.text[start:at], " \t\r\n\"'<>()=,;"); i >= 0 {
		start += i + 1
	}
	return r.text[start:end]
}

// isPath reports whether a word is an address or the path of a file. Base64 has slashes too, but no other sign of either, and not so many that
// no part between two of them is long.
func isPath(word string) bool {
	if strings.Contains(word, "://") {
		return true
	}
	if !strings.HasPrefix(word, "/") && !strings.HasPrefix(word, "~/") && !strings.HasPrefix(word, "./") && !strings.HasPrefix(word, "../") {
		return false
	}
	const longName = 40
	return !slices.ContainsFunc(strings.Split(word, "/"), func(name string) bool { return len(name) > longName })
}

// derSize is how many bytes the ASN.1 structure has whose base64 begins with these characters, 0 if they begin none that could be a
// certificate or a key.
func derSize(start string) int {
	const enough = 12 // characters, for the longest header and the tag and length behind it
	var b [enough / 4 * 3]byte
	if len(start) < enough || start[0] != 'M' {
		return 0
	}
	base64.StdEncoding.Decode(b[:], []byte(start[:enough])) // it is of the alphabet
	header, size := 2, int(b[1])                            // X.690 §8.1.3
	if b[1] >= 0x80 {
		lengths := int(b[1] & 0x7F)
		if lengths < 1 || lengths > 4 {
			return 0
		}
		size = 0
		for _, c := range b[2 : 2+lengths] {
			size = size<<8 | int(c)
		}
		header += lengths
	}
	switch tag, length := b[header], b[header+1]; {
	case b[0] != 0x30:
	case b[1] >= 0x80 && (tag == 0x30 || tag == 0x06), tag == 0x02 && length == 1: // a sequence or identifier: certificates, encrypted keys, PKCS #7; a version: keys
		return header + size
	}
	return 0
}

// bare reads a certificate in base64 without armour, which has this many bytes; or several that were encoded as one.
func (r *textReader) bare(at, size int) (int, *Error) {
	length, whole := base64Length(r.text[at:], base64.StdEncoding.EncodedLen(size))
	next := r.text[at+length:]
	if whole && (size%3 != 0 && r.text[at+length-1] != '=' || next != "" && isBase64(next[0])) { // it goes on behind the first
		length, _ = base64Length(r.text[at:], len(r.text))
	}
	der, err := b64.Decode(r.text[at : at+length])
	if !whole || err != nil {
		return 0, r.refuse(at, "begins a certificate in base64 that is damaged or cut off")
	}
	return length, r.add(at, der)
}

// base64Length is how much of text holds most characters of base64 with white space between them, and whether there are so many. Padding
// ends it.
func base64Length(text string, most int) (length int, whole bool) {
	padded := false
	for i := 0; i < len(text) && most > 0; i++ {
		switch c := text[i]; {
		case c == '=':
			padded = true
		case isBase64(c) && !padded:
		case c == ' ', c == '\t', c == '\r', c == '\n':
			continue
		default:
			return length, false
		}
		most--
		length = i + 1
	}
	return length, most == 0
}

// thumbprintText is a SHA-1 or SHA-256 thumbprint as portals show it. Without its colons it is base64 too.
var thumbprintText = regexp.MustCompile(`^([0-9A-Fa-f]{2}[: ]?){19}([0-9A-Fa-f]{2}[: ]?){0,12}[0-9A-Fa-f]{2}$`)

func notACertificate(text string) *Error {
	start := strings.ToLower(text[:min(len(text), 64)])
	switch {
	case strings.HasPrefix(start, "ssh-"):
		return refuse(CodeKey, "this is an SSH key, not a certificate", "", "")
	case strings.HasPrefix(start, "https://"), strings.HasPrefix(start, "http://"):
		return refuse(CodeKey, "this is an address, not a certificate", "", "the certificate or the metadata that is found there")
	case len(text) < 128 && thumbprintText.MatchString(text):
		return refuse(CodeKey, "this is the thumbprint of a certificate, not the certificate", "", "")
	}
	return refuse(CodeKey, "this is not a certificate", "", "PEM, base64, DER or federation metadata XML")
}
