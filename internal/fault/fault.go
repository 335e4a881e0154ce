// Package fault defines the error type of the internal packages. The root package turns a Fault
// into its public Error and adds the hint. The codes are the public ones.
package fault

import (
	"slices"
	"strings"
)

// A Fault is one reason why a message is refused. Every part is for the administrator and the log,
// never for the browser.
type Fault struct {
	Code    string // the public code, see codes.go of the root package
	Message string // one sentence without a final period; it quotes nothing of the refused message
	Got     string // what arrived, raw and unquoted; "" if there is nothing to show
	Want    string // what was expected; "" if Message says it
	Hint    string // what to change and where; "" if the hint of the code in the root package is enough
	Note    string // what is said behind the hint, "" if nothing
}

// New returns a Fault that shows nothing of the input.
func New(code, message string) *Fault { return &Fault{Code: code, Message: message} }

// Error returns code, message, got and want in one line. It is for tests and internal wrapping;
// users see the public Error.
func (f *Fault) Error() string {
	s := f.Code + ": " + f.Message
	if f.Got != "" {
		s += ", got " + f.Got
	}
	if f.Want != "" {
		s += ", want " + f.Want
	}
	return s
}

// NotAmong refuses an algorithm that is not in a list, with this code. An empty list refuses none.
func NotAmong(list []string, uri, code string) error {
	if len(list) == 0 || slices.Contains(list, uri) {
		return nil
	}
	return &Fault{
		Code:    code,
		Message: "the algorithm is one that OnlyAlgorithms leaves out",
		Got:     uri,
		Want:    strings.Join(list, " or "),
		Hint:    "Set the identity provider to an algorithm of OnlyAlgorithms, or add the one that it uses there.",
	}
}

// The codes of the internal packages. The texts are part of the public API: logs and dashboards
// search for them.
const (
	Form               = "form"
	ResponseMissing    = "response_missing"
	NotAResponse       = "not_a_response"
	Version            = "version"
	ID                 = "id_invalid"
	Schema             = "schema"
	AssertionCount     = "assertion_count"
	DuplicateID        = "duplicate_id"
	Base64             = "base64"
	Encoding           = "encoding"
	XMLDeclaration     = "xml_declaration"
	Doctype            = "doctype"
	Comment            = "comment"
	Entity             = "entity"
	XMLSyntax          = "xml_syntax"
	Namespace          = "namespace"
	DuplicateAttribute = "duplicate_attribute"
	TooLarge           = "too_large"
	Unsigned           = "unsigned"
	SignaturePlacement = "signature_placement"
	SignatureStructure = "signature_structure"
	ReferenceURI       = "reference_uri"
	Transform          = "transform"
	Canonicalization   = "canonicalization"
	SignatureAlgorithm = "signature_algorithm"
	DigestAlgorithm    = "digest_algorithm"
	WeakKey            = "weak_key"
	Digest             = "digest"
	Signature          = "signature"
	Decryption         = "decryption"
	CBCRefused         = "cbc_refused"
	LogoutForm         = "logout_form"
	LogoutMessage      = "logout_message"
	LogoutUnsigned     = "logout_unsigned"
	Deflate            = "deflate"
)
