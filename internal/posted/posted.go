// Package posted reads the form that a browser posts to the Redirect URL: the one reading of the Handler
// and of command samlsp, which says what a Handler would refuse.
package posted

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"slices"
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

// CheckType refuses the Content-Type of a request that is no form.
func CheckType(contentType string) *fault.Fault {
	kind, parameters, err := mime.ParseMediaType(contentType)
	charset := parameters["charset"]
	if err != nil || kind != "application/x-www-form-urlencoded" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse("the request is not a form", contentType, "application/x-www-form-urlencoded")
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
	var fields []Field
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

// TooLarge is the refusal of a form of more than MaxBody bytes.
func TooLarge() *fault.Fault {
	return fault.New(fault.TooLarge, fmt.Sprintf("the form has more than %d bytes", MaxBody))
}

// TooMany is the refusal of a form of more than MaxParameters fields.
func TooMany() *fault.Fault {
	return refuse(fmt.Sprintf("the form has more than %d fields", MaxParameters), "", "")
}

var errEscape = errors.New("not a form")

// unescape decodes %XX and + of a form in place.
func unescape(s []byte) ([]byte, error) {
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(s) {
				return nil, errEscape
			}
			high, low := fromHex(s[i+1]), fromHex(s[i+2])
			if high < 0 || low < 0 {
				return nil, errEscape
			}
			c = byte(high<<4 | low)
			i += 2
		}
		s[n] = c
		n++
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
	counts := map[string]int{}
	for _, field := range fields {
		name := string(field.Name)
		if slices.Contains(otherBindings, name) {
			return f, refuse("the form has a field that belongs to another binding", name, "SAMLResponse alone")
		}
		counts[name]++
		f.set(name, field.Value)
	}
	for _, name := range append([]string{"SAMLResponse", "RelayState", Leg, Tab}, otherBindings...) {
		if query.Has(name) {
			return f, refuse("the address has a field that belongs into the form", name, "")
		}
	}
	if counts["SAMLResponse"]+counts["RelayState"]+counts[Leg]+counts[Tab] == 0 {
		switch returns, addresses := counts[ReturnTo], counts[Address]; {
		case addresses == 1 && returns <= 1:
			f.Chooses = true
			return f, nil
		case addresses == 0 && returns == 1:
			f.Begins = true
			return f, nil
		}
	}
	if n := counts["SAMLResponse"]; n != 1 {
		return f, refuse(fmt.Sprintf("the form has %d fields SAMLResponse, and not one", n), "", "")
	}
	for _, name := range []string{"RelayState", Leg, Tab} {
		if n := counts[name]; n > 1 {
			return f, refuse(fmt.Sprintf("the form has %d fields %s", n, name), "", "")
		}
	}
	if !looksLikeBase64(f.Response) {
		return f, wire.NotBase64()
	}
	return f, nil
}

func (f *Form) set(name string, value []byte) {
	switch name {
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
	for _, c := range s {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c &&
			c <= '9', c == '+', c == '/', c == '=', c == '\r', c == '\n', c == ' ', c == '\t':
		default:
			return false
		}
	}
	return len(s) > 0
}
