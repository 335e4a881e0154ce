// Package fault is how the internal packages say what is wrong with a message. The root package turns a Fault into its
// public error and adds the hint; the codes are the public ones.
package fault

// A Fault is one reason for a refusal.
type Fault struct {
	Code    string // the public code, see codes.go of the root package
	Message string // one sentence without a final period, nothing of the message in it
	Got     string // what arrived, raw and unquoted; "" where there is nothing to show
	Want    string // what was expected; "" where the message says it
	Hint    string // what to change, where that is more exact than the standing hint of the code
}

// New makes a Fault that shows nothing of the input.
func New(code, message string) *Fault { return &Fault{Code: code, Message: message} }

// Error is for tests and internal wrapping; users see the public error.
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

// The codes of what the internal packages refuse.
const (
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
)
