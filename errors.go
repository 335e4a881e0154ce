package saml

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/iomete/saml/internal/fault"
)

// A Code names one reason for a refusal. Codes are stable: programs may compare them, and
// docs/codes.md lists them. A Code is itself an error, so errors.Is(err, saml.CodeReplayed) tells
// whether err is, or wraps, such a refusal.
type Code string

// Error makes a Code usable as the target of errors.Is.
func (c Code) Error() string { return "saml: " + string(c) }

// An Error is one refusal: of a response, of a metadata document, of a key or of a configuration.
// It never holds XML.
type Error struct {
	// Code is the stable name of the reason.
	Code Code
	// Check is the name of the member of Checks that refused, "" where the refusal came from
	// elsewhere (configuration, metadata).
	Check string
	// Message is one sentence for an operator, without a final period.
	Message string
	// Got is what arrived, quoted and at most 200 bytes long; "" where there is nothing to show.
	// It is left out of Error where Code.Personal reports true.
	Got string
	// Want is what was expected, "" where the message says it.
	Want string
	// Hint says what to change, and where: in the words of the product that the identity provider
	// is, if it is known (docs/products.md lists them). "" if there is no advice.
	Hint string
	// Field is the setting that is wrong: FieldEntityID, FieldLoginURL or FieldCertificate for what
	// an administrator entered about the identity provider, or the name of a field of Config,
	// HandlerConfig, LoginOptions, FetchOptions or MetadataSourceConfig ("BaseURL"). "" if no single setting is known to be wrong.
	Field string
	// Reference is a random number that appears on the user's error page and in the log, "" outside
	// the HTTP handlers.
	Reference string
	// ReturnTo is LoginOptions.ReturnTo of the login that was refused, for a link that begins it
	// again; "" where that is not known.
	ReturnTo string

	denial    string // the sentence of Denied, for the page alone
	page      *Page  // in place of that of the code; nil: none
	note      string // said behind the hint
	hintOf    Code   // whose hint it gets, "" for that of Code
	requestID string // of the pending login that the refused response belongs to, for Event.RequestID
	absent    bool   // the identity provider is not in a collection that should have it
	cause     error
}

// Error returns the code, the message and, unless they are personal data, what was got and wanted.
// If an error of the application's own code led to the refusal (of Sessions, Resolve, Store or an
// IdentityProviderSource), its text stands at the end: it is as personal as that code makes it.
func (e *Error) Error() string {
	if e == nil {
		return "saml: no error"
	}
	var b strings.Builder
	b.WriteString("saml: ")
	b.WriteString(string(e.Code))
	b.WriteString(": ")
	b.WriteString(e.Message)
	if e.Got != "" && !e.Code.Personal() {
		b.WriteString(", got ")
		b.WriteString(e.Got)
	}
	if e.Want != "" {
		b.WriteString(", want ")
		b.WriteString(e.Want)
	}
	if e.cause != nil {
		b.WriteString(": ")
		b.WriteString(e.cause.Error())
	}
	return b.String()
}

// Unwrap gives the error that led to the refusal, for instance that of a Store.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// Is reports whether target is the Code of e.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && e != nil && c == e.Code
}

// Denied returns the error with which Sessions.SignIn, or Validate or Stamp of package session, turns
// a user away for a reason of the application: no seat is left, the account is disabled. The user
// gets a page with status 403 and the sentence, which is plain text in the language of the user and
// is escaped. It may name the user, so it is in no log and not in the text of the error. At most 500
// bytes are shown; with "", the page has a sentence of its own.
func Denied(sentence string) error {
	e := refuse(CodeDenied, "the application turned the user away", "", "")
	e.denial = strings.ToValidUTF8(strings.TrimSpace(sentence), "\uFFFD")
	if len(e.denial) > maxDenial {
		e.denial = strings.ToValidUTF8(e.denial[:maxDenial-len("…")], "") + "…"
	}
	return e.completed(nil)
}

const maxDenial = 500 // bytes

// The values of Error.Field for the settings of an identity provider, so that a settings page can
// show each fault beside its field. No field of Config has one of these names: Config.EntityID is
// our own.
const (
	// the identity provider's entity ID (Entra: Microsoft Entra Identifier)
	FieldEntityID    = "IdentityProvider.EntityID"
	FieldLoginURL    = "IdentityProvider.LoginURL"    // its login URL
	FieldCertificate = "IdentityProvider.Certificate" // its signing certificates
)

// Errors takes an error of this package apart, such as one of New, NewIdentityProvider,
// ParseSettings or CheckTenants, which report several faults at once. It returns the *Error values
// in err, in their order and each once. It looks into joined and wrapped errors, but not into an
// *Error: what an *Error wraps is the cause of that refusal, and its text is in Error.
//
// Nothing is lost: an error without an *Error in it becomes one with CodeInternal whose Message is
// its text. So Errors returns nil only if err is nil.
func Errors(err error) []*Error {
	var list []*Error
	seen := map[*Error]bool{}
	var add func(error)
	add = func(err error) {
		switch e := err.(type) {
		case nil:
		case *Error:
			if e != nil && !seen[e] {
				seen[e] = true
				list = append(list, e)
			}
		case interface{ Unwrap() []error }:
			for _, one := range e.Unwrap() {
				add(one)
			}
		default:
			if inner := errors.Unwrap(err); inner != nil && errors.As(inner, new(*Error)) {
				add(inner)
				return
			}
			list = append(list, &Error{Code: CodeInternal, Message: err.Error()})
		}
	}
	add(err)
	return list
}

// refuse makes an Error without a Hint: completed adds it where the error leaves the package. got
// is quoted and cut; want is shown as is.
func refuse(code Code, message, got, want string) *Error {
	e := &Error{Code: code, Message: message, Want: want}
	if got != "" {
		e.Got = quote(got)
	}
	return e
}

// refusef is refuse for a message with values of our own in it; what came off the wire belongs into
// Got.
func refusef(code Code, format string, args ...any) *Error {
	return refuse(code, fmt.Sprintf(format, args...), "", "")
}

// inField returns e as the fault of one setting. e itself may be shared, and stays as it is.
func (e *Error) inField(field string) *Error {
	own := *e
	own.Field = field
	return &own
}

// completed returns e with its Hint: the one that it has, else that of its code, in the words of
// p's portal. p is nil if it is not known whose settings are used. Every exported function calls it
// with what it returns or hands over. e itself may be shared, and stays as it is; it may be nil.
func (e *Error) completed(p *IdentityProvider) *Error {
	if e == nil || e.Hint != "" && e.note == "" {
		return e
	}
	own := *e
	if own.Hint == "" {
		own.Hint = p.hint(cmp.Or(e.hintOf, e.Code))
	}
	if own.note != "" {
		own.Hint, own.note = strings.TrimPrefix(own.Hint+" "+own.note, " "), ""
	}
	return &own
}

// completeAll is completed for joined errors.
func completeAll(err error, p *IdentityProvider) error {
	return joined(Errors(err), p)
}

// joined makes one error of several faults, with their hints. It returns nil if there are none.
func joined(faults []*Error, p *IdentityProvider) error {
	list := make([]error, len(faults))
	for i, e := range faults {
		list[i] = e.completed(p)
	}
	return errors.Join(list...)
}

// advised records what to change.
func (e *Error) advised(hint string) *Error {
	e.Hint = hint
	return e
}

// hintOfCode records whose standing advice e gets if it has none of its own.
func (e *Error) hintOfCode(code Code) *Error {
	e.hintOf = code
	return e
}

// wanting records what was expected.
func (e *Error) wanting(want string) *Error {
	e.Want = want
	return e
}

// withCause records the error that led to the refusal.
func (e *Error) withCause(cause error) *Error {
	e.cause = cause
	return e
}

// fromFault turns what an internal package found wrong into an Error. Their codes are ours.
func fromFault(err error) *Error {
	var f *fault.Fault
	if errors.As(err, &f) {
		want := f.Want
		if len(want) > maxQuoted { // the name of an element can be as long as a message
			want = quote(want)
		}
		e := refuse(Code(f.Code), f.Message, f.Got, want)
		e.Hint, e.note = f.Hint, f.Note
		return e
	}
	return refuse(CodeInternal, "an internal step failed", "", "").withCause(err)
}

// maxQuoted bounds what of a foreign value is shown: enough for an entity ID or a URL, too little
// to hide anything in.
const maxQuoted = 200

// quote shows a foreign value in one line of printable characters, at most maxQuoted bytes with its
// quotes.
func quote(s string) string { return quoteBy(strconv.Quote, s, maxQuoted) }

// quoteBy is quote with another escape function and limit.
func quoteBy(escape func(string) string, s string, most int) string {
	q := make([]byte, 1, min(len(s)+2, most))
	q[0] = '"'
	for len(s) > 0 {
		_, size := utf8.DecodeRuneInString(s)
		escaped := escape(s[:size])
		escaped = escaped[1 : len(escaped)-1]
		if len(q)+len(escaped)+len(`…"`) > most {
			q = append(q, "…"...)
			break
		}
		q = append(q, escaped...)
		s = s[size:]
	}
	return string(append(q, '"'))
}

// ErrNotConfigured is what HandlerConfig.Resolve returns if a request names no provider, or if
// there is no such tenant; and what an IdentityProviderSource returns if no identity provider is
// configured yet.
var ErrNotConfigured error = CodeNotConfigured

// ErrNotEnabled is what HandlerConfig.Resolve returns if a request names a tenant for which single
// sign-on is not enabled. The page is that of ErrNotConfigured, and errors.Is(ErrNotEnabled,
// ErrNotConfigured) is true; but at the address of this tenant the sessions of all other tenants
// are refused.
var ErrNotEnabled error = notEnabled{}

type notEnabled struct{}

func (notEnabled) Error() string {
	return "saml: single sign-on is not enabled for the tenant that the request names"
}

func (notEnabled) Is(target error) bool { return target == ErrNotConfigured }
