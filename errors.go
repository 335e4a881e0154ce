package saml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/iomete/saml/internal/fault"
)

// A Code names one reason for a refusal. Codes are stable: programs may compare them, documentation lists them.
// A Code is itself an error, so errors.Is(err, saml.CodeReplayed) tells whether err is, or wraps, such a refusal.
type Code string

// Error makes a Code usable as the target of errors.Is.
func (c Code) Error() string { return "saml: " + string(c) }

// An Error is one refusal: of a response, of a metadata document, of a key or of a configuration. It never holds XML.
type Error struct {
	// Code is the stable name of the reason.
	Code Code
	// Check is the name of the member of Checks that refused, "" where the refusal came from elsewhere
	// (configuration, metadata).
	Check string
	// Message is one sentence for an operator, without a final period.
	Message string
	// Got is what arrived, quoted and at most 200 bytes long; "" where there is nothing to show.
	// It is left out of Error where Code.Personal reports true.
	Got string
	// Want is what was expected, "" where the message says it.
	Want string
	// Hint says what to change, and where: in Microsoft Entra's own field names when the identity provider is Entra.
	Hint string
	// Reference is a random number that appears on the user's error page and in the log, "" outside the HTTP handlers.
	Reference string
	// ReturnTo is LoginOptions.ReturnTo of the login that was refused, for a link that begins it again; "" where that is not known.
	ReturnTo string

	requestID string // of the pending login that the refused response belongs to, for Event.RequestID
	cause     error
}

// Error returns the code, the message and, unless they are personal data, what was got and wanted. If an error of the application's own code led to
// the refusal (of Sessions, Resolve, Store or an IdentityProviderSource), its text stands at the end: it is as personal as that code makes it.
func (e *Error) Error() string {
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
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the Code of e.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code
}

// refuse makes an Error. got is quoted and cut; want is shown as is.
func refuse(code Code, message, got, want string) *Error {
	e := &Error{Code: code, Message: message, Want: want, Hint: hints[code]}
	if got != "" {
		e.Got = quote(got)
	}
	return e
}

// refusef is refuse for a message with values of our own in it; what came off the wire belongs into Got.
func refusef(code Code, format string, args ...any) *Error {
	return refuse(code, fmt.Sprintf(format, args...), "", "")
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
		if f.Hint != "" {
			e.Hint = f.Hint
		}
		return e
	}
	return refuse(CodeInternal, "an internal step failed", "", "").withCause(err)
}

// maxQuoted bounds what of a foreign value is shown: enough for an entity ID or a URL, too little to hide anything in.
const maxQuoted = 200

// quote shows a foreign value in one line of printable characters, at most maxQuoted bytes with its quotes.
func quote(s string) string {
	q := make([]byte, 1, min(len(s)+2, maxQuoted))
	q[0] = '"'
	for len(s) > 0 {
		_, size := utf8.DecodeRuneInString(s)
		escaped := strconv.Quote(s[:size])
		escaped = escaped[1 : len(escaped)-1]
		if len(q)+len(escaped)+len(`…"`) > maxQuoted {
			q = append(q, "…"...)
			break
		}
		q = append(q, escaped...)
		s = s[size:]
	}
	return string(append(q, '"'))
}
