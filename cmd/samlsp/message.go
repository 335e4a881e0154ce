package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"unicode/utf8"
)

// message is what a file holds: exactly one of the three is set.
type message struct {
	xml   []byte     // as it stands there
	value string     // base64
	form  url.Values // of a form body or a query
}

var (
	formField = regexp.MustCompile(`(^[?]?|&)SAML(Request|Response)=`)
	// label is what stands before a value that was copied out of a table or a mail.
	label = regexp.MustCompile(`^["']?SAML(?:Request|Response)["']?\s*[:=]\s*["']?`)
)

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
		for _, name := range []string{"SAMLRequest", "SAMLResponse"} {
			for i, value := range form[name] {
				form[name][i] = unescaped(value)
			}
		}
		return message{form: form}, nil
	}
	if at := label.FindIndex(text); at != nil {
		text = bytes.TrimRight(text[at[1]:], "\"'")
	}
	return message{value: unescaped(string(text))}, nil // escaped as browsers' tools show it
}

// messagesIn returns the messages of a file, with where each of them stands. There is at least one,
// or an error.
func messagesIn(data []byte) ([]message, []string, error) {
	data = asUTF8(data)
	list, found, err := carriedIn(data)
	if err != nil {
		return nil, nil, err
	}
	if !found {
		if int64(len(data)) > messageLimit.bytes {
			return nil, nil, messageLimit.exceeded()
		}
		m, err := sniff(data)
		return []message{m}, []string{""}, err
	}
	var messages []message
	var where []string
	for _, c := range list {
		messages, where = append(messages, message{form: c.form}), append(where, c.where)
	}
	return messages, where, nil
}

// A response is the form value of a response, and where it stands in the file.
type response struct{ value, where string }

// samlResponses returns the responses in any of the forms: at least one, or an error.
func samlResponses(data []byte) (list []response, err error) {
	messages, where, err := messagesIn(data)
	if err != nil {
		return nil, err
	}
	for i, m := range messages {
		switch {
		case m.form != nil && where[i] == "" && len(m.form["SAMLResponse"]) != 1:
			return nil, refusal(codeForm, "the form body does not have exactly one SAMLResponse",
				"Take the POST to the Redirect URL.")
		case m.form != nil:
			for _, value := range m.form["SAMLResponse"] {
				list = append(list, response{value, where[i]})
			}
		case m.xml != nil:
			list = append(list, response{base64.StdEncoding.EncodeToString(m.xml), ""})
		default:
			list = append(list, response{m.value, ""})
		}
	}
	if len(list) == 0 {
		return nil, refusal(codeForm, fmt.Sprintf("the file has %d SAML messages, none of them a response", len(messages)),
			"Record until the browser is back at the service: the response is in the POST to the Redirect URL.")
	}
	return list, nil
}
