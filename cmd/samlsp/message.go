package main

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// message is what a file holds: exactly one of the three is set.
type message struct {
	xml   []byte     // as it stands there
	value string     // base64
	form  url.Values // of a form body or a query
}

var formField = regexp.MustCompile(`(^[?]?|&)SAML(Request|Response)=`)

// sniff finds out in which form a file holds a message. It judges nothing: what is in no known form
// is handed on as XML or base64, whose reader says what is wrong with it.
func sniff(data []byte) (message, error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	switch {
	case len(text) > 0 && text[0] == '<', !utf8.Valid(text):
		return message{xml: data}, nil
	case formField.Match(text):
		form, err := url.ParseQuery(string(bytes.TrimPrefix(text, []byte("?"))))
		if err != nil {
			return message{}, refusal(codeForm, "the form body cannot be read: "+err.Error(),
				"Copy the whole body as the browser sent it.")
		}
		return message{form: form}, nil
	}
	value := string(text)
	if strings.Contains(value, "%") { // a single form value, as browsers' tools show it
		if unescaped, err := url.PathUnescape(value); err == nil {
			value = unescaped
		}
	}
	return message{value: value}, nil
}

// samlResponse gives the form value of a response in any of the forms.
func samlResponse(data []byte) (string, error) {
	m, err := sniff(data)
	switch {
	case err != nil:
		return "", err
	case m.form != nil && len(m.form["SAMLResponse"]) != 1:
		return "", refusal(codeForm, "the form body does not have exactly one SAMLResponse",
			"Take the POST to the Redirect URL.")
	case m.form != nil:
		return m.form.Get("SAMLResponse"), nil
	case m.xml != nil:
		return base64.StdEncoding.EncodeToString(m.xml), nil
	}
	return m.value, nil
}
