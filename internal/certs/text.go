package certs

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/iomete/saml/internal/b64"
)

// PrivateKeyIn returns a Problem if a text has the armor of a private key anywhere: also in a form
// that is no PEM block, and beside a certificate.
func PrivateKeyIn(text string) *Problem {
	if !strings.Contains(text, "PRIVATE KEY-----") {
		return nil
	}
	return isPrivateKey()
}

// A Part is a place of a text that holds one certificate, or several that follow each other.
type Part struct {
	DER  []byte
	text string
	at   int
}

// Line is the line of the text in which the part begins, from 1.
func (p Part) Line() int { return lineOf(p.text, p.at) }

func lineOf(text string, at int) int { return 1 + strings.Count(text[:at], "\n") }

// Parts yields the certificates in a text from front to back: PEM, bare base64 with or without line
// breaks, PEM in base64, and X509Certificate elements, with other text around and between them. Escapes of JSON
// and XML are undone first. Nothing is passed over that could be a certificate or a part of one:
// that is a Problem, which names its line, and the end. Each byte is read a bounded number of
// times.
func Parts(text string) iter.Seq2[Part, *Problem] {
	return func(yield func(Part, *Problem) bool) {
		r := textReader{text: unescape(text)}
		for at := 0; at < len(r.text); {
			length, der, problem := r.next(at)
			if problem != nil {
				yield(Part{}, problem)
				return
			}
			if der != nil && !yield(Part{der, r.text, at}, nil) {
				return
			}
			at += length
		}
		if r.element && r.message != "" {
			yield(Part{}, &Problem{
				Message: "the certificate is part of a SAML message or signature, which anybody can have made",
				Got:     r.message,
				Want:    "the metadata of the identity provider, or the certificate alone",
			})
		}
	}
}

// InElement yields the certificates in the text of one X509Certificate element. It should be the
// base64 of one certificate, in DER. Products also write the base64 of several, PEM, the base64 of
// PEM, and what OpenSSL prints before a certificate: that is read as Parts reads a text. What holds
// no certificate is a Problem, as is what Parts cannot read.
func InElement(text string) iter.Seq2[[]byte, *Problem] {
	return func(yield func([]byte, *Problem) bool) {
		if strings.Trim(text, " \t\r\n") == "" {
			yield(nil, &Problem{Message: "it is empty"})
			return
		}
		der, err := b64.Decode(text)
		if err == nil && !isArmor(der) {
			yield(der, nil)
			return
		}
		if p := PrivateKeyIn(text); p != nil {
			yield(nil, p)
			return
		}
		found := false
		for part, problem := range Parts(text) {
			found = true
			if problem != nil { // its lines are not those of the document
				problem.Message = "in its text, " + problem.Message
			}
			if !yield(part.DER, problem) {
				return
			}
		}
		if !found {
			yield(nil, &Problem{Message: "it is neither base64 nor PEM"})
		}
	}
}

// isArmor reports whether decoded base64 is PEM, not DER.
func isArmor(decoded []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(decoded, " \t\r\n"), []byte(pemBegin))
}

// unescape undoes what JSON and XML make of line breaks and of the characters of base64 and tags.
// None of these sequences can be part of a certificate.
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
	xmlEscapes = strings.NewReplacer(
		"&#10;", "\n", "&#xA;", "\n", "&#xa;", "\n", "&#13;", "\r", "&#xD;", "\r", "&#xd;", "\r",
		"&lt;", "<", "&gt;", ">")
	// Twice escaped occurs too: a JSON text in a JSON text.
	jsonEscapes = strings.NewReplacer(
		`\\n`, "\n", `\n`, "\n", `\\r`, "\r", `\r`, "\r", `\t`, "\t", `\/`, "/",
		`\u002B`, "+", `\u002b`, "+", `\u002F`, "/", `\u002f`, "/", `\u003D`, "=", `\u003d`, "=",
		`\u003C`, "<", `\u003c`, "<", `\u003E`, ">", `\u003e`, ">",
		`\u000A`, "\n", `\u000a`, "\n", `\u000D`, "\r", `\u000d`, "\r")
)

// A textReader reads the certificates in a text from front to back.
type textReader struct {
	text    string
	element bool   // there was an X509Certificate element
	inner   bool   // the text was base64 in another one
	message string // the name of an element of a SAML message or signature, "" if there was none
}

// next reads what stands at a place, and returns how long it is and the certificates that it holds,
// nil if none.
func (r *textReader) next(at int) (length int, der []byte, _ *Problem) {
	switch c := r.text[at]; {
	case c == '-' && strings.HasPrefix(r.text[at:], pemBegin):
		return r.block(at)
	case c == '-' && strings.HasPrefix(r.text[at:], pemEnd):
		return r.damaged(at, "has an END line without its BEGIN line")
	case c == '<':
		return r.tag(at)
	case isBase64(c):
		return r.run(at)
	}
	return 1, nil, nil
}

// damaged names the line of what cannot be read.
func (r *textReader) damaged(at int, message string) (int, []byte, *Problem) {
	return 0, nil, &Problem{
		Message: fmt.Sprintf("line %d %s", lineOf(r.text, at), message),
		Want:    "each certificate whole, from BEGIN CERTIFICATE to END CERTIFICATE",
	}
}

const (
	pemBegin, pemEnd, pemHyphens = "-----BEGIN ", "-----END ", "-----"
	maxLabel                     = 64
)

// pemLabel is the label of the BEGIN or END line that begins at the start of text, and how long
// that line is.
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

// block reads a PEM block. It is more tolerant than encoding/pem: armor and base64 may be
// indented, as forms and chats leave them.
func (r *textReader) block(at int) (int, []byte, *Problem) {
	label, length, ok := pemLabel(r.text[at:], pemBegin)
	if !ok {
		return r.damaged(at, "has a BEGIN line that is damaged")
	}
	if !isCertificateLabel(label) {
		return 0, nil, &Problem{Message: "the text is no certificate", Got: label, Want: "BEGIN CERTIFICATE"}
	}
	rest := r.text[at+length:]
	end := strings.Index(rest, pemHyphens)
	if end < 0 {
		return r.damaged(at, "begins a certificate that has no END line")
	}
	endLabel, endLength, ok := pemLabel(rest[end:], pemEnd)
	if !ok || !isCertificateLabel(endLabel) {
		return r.damaged(at, "begins a certificate that has no END line")
	}
	der, err := b64.Decode(rest[:end])
	if err != nil {
		return r.damaged(at, "begins a certificate of which the base64 between BEGIN and END is damaged")
	}
	if label == "TRUSTED CERTIFICATE" {
		der = FirstOf(der) // OpenSSL puts its own settings behind it
	}
	return length + end + endLength, der, nil
}

// maxTag is more than a start tag around a certificate has.
const maxTag = 1 << 10

// tag passes over the name of a tag, and reads the content of an X509Certificate element.
func (r *textReader) tag(at int) (int, []byte, *Problem) {
	tag := r.text[at:min(len(r.text), at+maxTag)]
	name := tag[1 : 1+nameLength(tag[1:])]
	switch local := name[strings.LastIndexByte(name, ':')+1:]; local {
	default:
		return 1 + len(name), nil, nil
	case "Response", "Assertion", "EncryptedAssertion", "AuthnRequest", "LogoutRequest", "LogoutResponse",
		"Signature", "SignedInfo":
		r.message = local
		return 1 + len(name), nil, nil
	case "KeyDescriptor", "X509Certificate":
		end := strings.IndexByte(tag, '>')
		if end < 0 {
			return r.damaged(at, "has a tag that does not end")
		}
		if local == "KeyDescriptor" {
			if encryptionUse.MatchString(tag[:end]) {
				return r.damaged(at, "begins a KeyDescriptor for encryption, with which nothing is signed: leave it out")
			}
			return end, nil, nil
		}
		return r.content(at, end+1)
	}
}

var encryptionUse = regexp.MustCompile(`(?i)\suse\s*=\s*["']\s*encryption\s*["']`)

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
func (r *textReader) content(at, length int) (int, []byte, *Problem) {
	r.element = true
	rest := r.text[at+length:]
	if end := strings.IndexByte(rest, '<'); end >= 0 {
		rest = rest[:end]
	}
	if strings.Contains(rest, pemBegin) {
		return length, nil, nil // the block is read next
	}
	der, err := b64.Decode(rest)
	if err != nil {
		return r.damaged(at, "has an X509Certificate element that is empty or not base64")
	}
	return length + len(rest), der, nil
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// longRun is as long as a run of letters and digits is at least that is taken for base64 of which
// the beginning is missing. Lines of base64 have 64 or 76 characters, the longest thumbprint 64
// hexadecimal digits, a GUID 12 between its hyphens.
const longRun = 48

// run reads what may be a word of text, or begin a certificate in base64 without armor.
func (r *textReader) run(at int) (int, []byte, *Problem) {
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
	if !r.inner && strings.HasPrefix(r.text[at:end], armorInBase64) {
		return r.armored(at)
	}
	if end-at >= longRun && upper && lower && digit && noHex && !isPath(r.word(at, end)) {
		return r.damaged(at, "looks like base64 but is not a certificate, or its beginning is missing")
	}
	return end - at, nil, nil
}

// armorInBase64 is how the base64 of PEM begins.
const armorInBase64 = "LS0tLS1CRUdJTi" // the bytes "-----BEGIN"

// armored reads PEM that was encoded in base64 once more, as Kubernetes and some forms do.
func (r *textReader) armored(at int) (int, []byte, *Problem) {
	length, _ := base64Length(r.text[at:], len(r.text))
	text, err := b64.Decode(r.text[at : at+length])
	if err != nil {
		return r.damaged(at, "begins PEM in base64 that is damaged or cut off")
	}
	if p := PrivateKeyIn(string(text)); p != nil {
		return 0, nil, p
	}
	var ders []byte
	inner := textReader{text: string(text), inner: true}
	for pos := 0; pos < len(inner.text); {
		n, der, problem := inner.next(pos)
		if problem != nil {
			return r.damaged(at, "begins PEM in base64 that holds no whole certificate")
		}
		ders = append(ders, der...)
		pos += n
	}
	r.element = r.element || inner.element
	r.message = cmp.Or(r.message, inner.message)
	return length, ders, nil
}

// word is the run from at to end with what stands before it up to a blank, a quotation mark or a
// tag.
func (r *textReader) word(at, end int) string {
	const most = 2 << 10 // an address is shorter
	start := max(0, at-most)
	if i := strings.LastIndexAny(r.text[start:at], " \t\r\n\"'<>()=,;"); i >= 0 {
		start += i + 1
	}
	return r.text[start:end]
}

// isPath reports whether a word is an address or the path of a file. Base64 has slashes too, but no
// other sign of either, and not so many that no part between two of them is long.
func isPath(word string) bool {
	if strings.Contains(word, "://") {
		return true
	}
	begins := func(prefix string) bool { return strings.HasPrefix(word, prefix) }
	if !slices.ContainsFunc([]string{"/", "~/", "./", "../"}, begins) {
		return false
	}
	const longName = 40
	return !slices.ContainsFunc(strings.Split(word, "/"), func(name string) bool { return len(name) > longName })
}

// derSize is how many bytes the ASN.1 structure has whose base64 begins with these characters, 0 if
// they begin none that could be a certificate or a key.
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
	// a sequence or identifier: certificates, encrypted keys, PKCS #7
	case b[1] >= 0x80 && (tag == 0x30 || tag == 0x06):
		return header + size
	case tag == 0x02 && length == 1: // a version: keys
		return header + size
	}
	return 0
}

// bare reads a certificate in base64 without armor, which has this many bytes; or several that
// were encoded as one.
func (r *textReader) bare(at, size int) (int, []byte, *Problem) {
	length, whole := base64Length(r.text[at:], base64.StdEncoding.EncodedLen(size))
	next := r.text[at+length:]
	unpadded := whole && size%3 != 0 && r.text[at+length-1] != '='
	if unpadded || whole && next != "" && isBase64(next[0]) { // it goes on behind the first
		length, _ = base64Length(r.text[at:], len(r.text))
	}
	der, err := b64.Decode(r.text[at : at+length])
	if !whole || err != nil {
		return r.damaged(at, "begins a certificate in base64 that is damaged or cut off")
	}
	return length, der, nil
}

// base64Length is how much of text holds most characters of base64 with white space between them,
// and whether there are so many. Padding ends it.
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
