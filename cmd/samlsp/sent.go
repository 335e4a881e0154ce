package main

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/posted"
)

// A sentForm is a form as the Redirect URL gets it, read as a Handler reads it.
type sentForm struct {
	value   string // of SAMLResponse
	refused error  // why a Handler would not even look at the message, nil if it would
	note    string // what to say if the message is refused, "" for nothing
}

func refusedForm(f *fault.Fault, hint string) *sentForm {
	return &sentForm{refused: &saml.Error{Code: saml.Code(f.Code), Message: f.Message, Got: f.Got, Want: f.Want, Hint: hint}}
}

// readSent reads a form body as it was sent. query is that of its address.
func readSent(body string, query url.Values) *sentForm {
	fields, err := posted.Parse([]byte(body))
	if err != nil {
		return refusedForm(err, "Look at what writes this form. "+
			"If it is no form as a browser sends it, give the value of SAMLResponse alone.")
	}
	return readFields(fields, query)
}

func readFields(fields []posted.Field, query url.Values) *sentForm {
	form, err := posted.Read(fields, query)
	if err != nil {
		return refusedForm(err, "Look at what writes this form: a sign-in refuses it, whatever the message is.")
	}
	return &sentForm{value: string(form.Response)}
}

// sentInAddress is for a query without a body, nil if it has no message.
func sentInAddress(query url.Values) *sentForm {
	err := posted.InAddress(query)
	if err == nil {
		return nil
	}
	return refusedForm(err, "Let the identity provider send its responses by HTTP-POST, "+
		"and look for a proxy that turns the POST into a GET.")
}

// queryOf returns the query of an address. What cannot be read of it is left out, as a server does.
func queryOf(address string) url.Values {
	_, query, _ := strings.Cut(address, "?")
	query, _, _ = strings.Cut(query, "#")
	values, _ := url.ParseQuery(query)
	return values
}

// asSent reports whether a text can be a form body as it was sent: it has no white space then.
func asSent(text string) bool {
	return formField.MatchString(text) && !strings.HasPrefix(text, "?") && !strings.ContainsAny(text, " \t\r\n")
}

// sentInText reads a query or a form body that was found in a copied request.
func sentInText(text string) *sentForm {
	if address, _, ok := strings.Cut(text, "?"); ok && !strings.Contains(address, "=") { // bodies have %3F
		return sentInAddress(queryOf(text))
	}
	return readSent(text, nil)
}

// httpLine is the first line of a request as it goes over the wire (RFC 9112 §3).
var httpLine = regexp.MustCompile(`^(?:GET|POST) (\S+) HTTP/1\.[01]\n`)

// sentInRequest reads the form of a request as it goes over the wire, nil if text is none.
func sentInRequest(text string) *sentForm {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	line := httpLine.FindStringSubmatch(text)
	if line == nil {
		return nil
	}
	query := queryOf(line[1])
	if _, body, _ := strings.Cut(text, "\n\n"); asSent(body) {
		return readSent(body, query)
	}
	return sentInAddress(query)
}

// sentIn reads the form of a recorded request, in a HAR or by SAML-tracer, nil if the recording does
// not show what was sent.
func sentIn(r any) *sentForm {
	m := requestOf(r)
	address, _ := m["url"].(string)
	query := queryOf(address)
	data, _ := m["postData"].(map[string]any)
	text, _ := data["text"].(string)
	kind, _ := data["mimeType"].(string)
	fields, shown := recordedFields(m, data)
	var wrong *fault.Fault
	if kind != "" {
		wrong = posted.CheckType(kind)
	}
	switch {
	case wrong != nil:
		return refusedForm(wrong, "Let the identity provider post an HTML form without an enctype of its own.")
	case asSent(text):
		return readSent(text, query)
	case !shown:
		return nil
	case len(fields) > 0:
		return readFields(fields, query)
	}
	return sentInAddress(query)
}

// requestOf returns the part of a recorded entry that is the request.
func requestOf(r any) map[string]any {
	m, _ := r.(map[string]any)
	if inner, ok := m["request"].(map[string]any); ok {
		return inner
	}
	return m
}

// recordedFields returns the fields that a recording lists, decoded: postData.params of a HAR, post of
// SAML-tracer. shown is false if some are masked.
func recordedFields(request, data map[string]any) (fields []posted.Field, shown bool) {
	params, _ := data["params"].([]any)
	post, _ := request["post"].([]any)
	for _, one := range append(params, post...) {
		name, value, ok := nameAndValue(one)
		if !ok {
			continue
		}
		if masked(value) {
			return nil, false
		}
		fields = append(fields, posted.Field{Name: []byte(name), Value: []byte(unescaped(value))})
	}
	return fields, true
}

// nameAndValue reads a parameter: an object in a HAR, a list of two in SAML-tracer's export.
func nameAndValue(v any) (name, value string, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		name, _ = v["name"].(string)
		value, ok = v["value"].(string)
	case []any:
		if len(v) == 2 {
			name, _ = v[0].(string)
			value, ok = v[1].(string)
		}
	}
	return name, value, ok
}

// masked reports whether SAML-tracer left a value out of its export.
func masked(value string) bool {
	return strings.HasPrefix(value, "{hash:") || strings.HasPrefix(value, "{obf:")
}
