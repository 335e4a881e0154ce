// Package posted reads the form that a browser posts to the Redirect URL: the one reading of the Handler
// and of command samlsp, which says what a Handler would refuse.
package posted

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/wire"
)

// Limits of a form, in bytes unless they say otherwise.
const (
	MaxBody       = 2 << 20
	MaxParameters = 8 // fields
	MaxReturnTo   = 8 << 10
	// MaxRelayState is enough for each address that can be a page; a longer one may end in a fragment.
	MaxRelayState = MaxReturnTo + 1024
	MaxTabText    = 16 << 10
	MaxAddress    = 320 // more than mail systems take (RFC 5321 §4.5.3.1)
)

// Names of the fields that only our own pages post. They prove nothing; the cookies that come with
// them decide.
const (
	Leg      = "saml_leg"    // marks a form that our page posts again
	Tab      = "saml_return" // what the tab kept: the sealed address at which the login ends
	ReturnTo = "return_to"   // of a form that only begins a login; also in the address of a GET
	// Elsewhere marks a form that begins a login and posts itself, if a page of another site led to it.
	Elsewhere = "saml_elsewhere"
	// Kept has a sealed form that our page kept over a sign-in, and nothing else is in its form. In
	// the address of a GET it marks the end of the sign-in that such a page leads to.
	Kept = "saml_form"
	// Address has the e-mail address that a person typed, on the page that asks for it.
	Address = "saml_address"
)

// A Field is a name and a value of a form, decoded.
type Field struct{ Name, Value []byte }

// A Form is what a form may contain.
type Form struct {
	Response  []byte // base64 by its alphabet, not decoded yet
	Leg       string // "" as the identity provider posts it
	Tab       string // what our page found in the tab, sealed
	Relay     string // RelayState, which anyone may have written, cut after MaxRelayState
	Begins    bool   // the form is no response: it begins a login that ends at ReturnTo
	ReturnTo  string // which anyone may have written
	Elsewhere bool   // a page of another site led to the form that begins a login
	Chooses   bool   // the form is that of the page that asks for an e-mail address, and has ReturnTo too
	Address   string // as it was typed; "" if it is too long for one
}

func refuse(message, got, want string) *fault.Fault {
	return &fault.Fault{Code: fault.Form, Message: message, Got: got, Want: want}
}

const formType = "application/x-www-form-urlencoded"

// CheckType refuses the Content-Type of a request that is no form.
func CheckType(contentType string) *fault.Fault {
	if contentType == formType { // as browsers send it
		return nil
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	charset := parameters["charset"]
	if err != nil || kind != formType || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse("the request is not a form", contentType, formType)
	}
	return nil
}

// InAddress refuses the query of a GET that carries a SAML message; Got is the name of its field.
func InAddress(query url.Values) *fault.Fault {
	for _, name := range []string{"SAMLResponse", "SAMLRequest", "SAMLart"} {
		if query.Has(name) {
			return refuse("a SAML message came in the address, and no login is finished that way", name, "a form")
		}
	}
	return nil
}

// Parse reads a form as browsers send it (WHATWG URL Standard §5.1), and as strictly as net/url: no
// semicolon, no broken escape. It decodes in place, so that a form is in memory once, and stops at the
// field that is one too many.
func Parse(body []byte) ([]Field, *fault.Fault) {
	if len(body) > MaxBody {
		return nil, TooLarge()
	}
	fields := make([]Field, 0, usualFields)
	for len(body) > 0 {
		var pair []byte
		pair, body, _ = bytes.Cut(body, []byte("&"))
		if len(pair) == 0 {
			continue
		}
		if len(fields) == MaxParameters {
			return nil, TooMany()
		}
		semicolon := bytes.IndexByte(pair, ';') >= 0 // looked for before anything is decoded in place
		name, value, _ := bytes.Cut(pair, []byte("="))
		name, nameErr := unescape(name)
		value, valueErr := unescape(value)
		if semicolon || nameErr != nil || valueErr != nil {
			return nil, refuse("the form cannot be decoded", "", "")
		}
		fields = append(fields, Field{name, value})
	}
	return fields, nil
}

// usualFields are SAMLResponse and RelayState, or SAMLResponse and two of our own.
const usualFields = 3

// TooLarge is the refusal of a form of more than MaxBody bytes.
func TooLarge() *fault.Fault {
	return fault.New(fault.TooLarge, fmt.Sprintf("the form has more than %d bytes", MaxBody))
}

// TooMany is the refusal of a form of more than MaxParameters fields.
func TooMany() *fault.Fault {
	return refuse(fmt.Sprintf("the form has more than %d fields", MaxParameters), "", "")
}

var errEscape = errors.New("not a form")

// unescape decodes %XX and + of a form in place. What is between two escapes moves in one piece: a message
// in base64 has one in some 30 bytes. The decoded part is never longer than what it came from, so nothing
// is overwritten before it is read.
func unescape(s []byte) ([]byte, error) {
	if plus := bytes.IndexByte(s, '+'); plus >= 0 { // before the escapes: %2B stands for a plus sign
		for i := plus; i < len(s); i++ {
			if s[i] == '+' {
				s[i] = ' '
			}
		}
	}
	n := bytes.IndexByte(s, '%')
	if n < 0 {
		return s, nil
	}
	for rest := s[n:]; len(rest) > 0; { // begins with an escape
		if len(rest) < len("%XX") {
			return nil, errEscape
		}
		high, low := fromHex(rest[1]), fromHex(rest[2])
		if high < 0 || low < 0 {
			return nil, errEscape
		}
		s[n] = byte(high<<4 | low)
		n++
		rest = rest[len("%XX"):]
		run := bytes.IndexByte(rest, '%')
		if run < 0 {
			run = len(rest)
		}
		n += copy(s[n:], rest[:run])
		rest = rest[run:]
	}
	return s[:n], nil
}

func fromHex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// otherBindings are fields that no form of ours has.
var otherBindings = []string{"SAMLRequest", "SAMLart", "Signature", "SigAlg"}

// Read checks which fields a form and its address have, and returns those that count.
func Read(fields []Field, query url.Values) (Form, *fault.Fault) {
	var f Form
	for _, field := range fields {
		for _, name := range otherBindings {
			if string(field.Name) == name {
				return f, refuse("the form has a field that belongs to another binding", name, "SAMLResponse alone")
			}
		}
		f.set(field)
	}
	if len(query) > 0 {
		for _, name := range append([]string{"SAMLResponse", "RelayState", Leg, Tab}, otherBindings...) {
			if query.Has(name) {
				return f, refuse("the address has a field that belongs into the form", name, "")
			}
		}
	}
	responses := count(fields, "SAMLResponse")
	if responses+count(fields, "RelayState")+count(fields, Leg)+count(fields, Tab) == 0 {
		switch returns, addresses := count(fields, ReturnTo), count(fields, Address); {
		case addresses == 1 && returns <= 1:
			f.Chooses = true
			return f, nil
		case addresses == 0 && returns == 1:
			f.Begins = true
			return f, nil
		}
	}
	if responses != 1 {
		return f, refuse(fmt.Sprintf("the form has %d fields SAMLResponse, and not one", responses), "", "")
	}
	for _, name := range []string{"RelayState", Leg, Tab} {
		if n := count(fields, name); n > 1 {
			return f, refuse(fmt.Sprintf("the form has %d fields %s", n, name), "", "")
		}
	}
	if !looksLikeBase64(f.Response) {
		return f, wire.NotBase64()
	}
	return f, nil
}

// count returns how many fields have a name. There are few of both.
func count(fields []Field, name string) (n int) {
	for _, f := range fields {
		if string(f.Name) == name {
			n++
		}
	}
	return n
}

func (f *Form) set(field Field) {
	value := field.Value
	switch string(field.Name) {
	case "SAMLResponse":
		f.Response = value
	case "RelayState":
		f.Relay = string(value[:min(len(value), MaxRelayState)])
	case Tab:
		if len(value) <= MaxTabText {
			f.Tab = string(value)
		}
	case ReturnTo:
		f.ReturnTo = string(value[:min(len(value), MaxReturnTo+1)]) // one more shows that it was too long
	case Elsewhere:
		f.Elsewhere = true
	case Address:
		if len(value) <= MaxAddress {
			f.Address = string(value)
		}
	case Leg:
		f.Leg = string(value[:min(len(value), 8)])
	}
}

// looksLikeBase64 only looks at the alphabet. That is cheap, and enough to know that the value can be
// written into a page as it is.
func looksLikeBase64(s []byte) bool {
	other := byte(0)
	for _, c := range s {
		other |= notBase64[c] // without a branch for each byte
	}
	return other == 0 && len(s) > 0
}

// notBase64 is 0 for the characters of base64 and white space, 1 for all others.
var notBase64 = func() (table [256]byte) {
	for c := range table {
		table[c] = 1
	}
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n") {
		table[c] = 0
	}
	return table
}()
