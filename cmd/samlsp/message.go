package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// message is what a file holds: exactly one of the three is set.
type message struct {
	xml   []byte     // as it stands there
	value string     // base64
	form  url.Values // of a form body or a query
	sent  *sentForm  // nil if the file does not show the form as it was sent
}

var (
	formField = regexp.MustCompile(`(^[?]?|&)SAML(Request|Response)=`)
	// label is what stands before a value in a table, a mail, a log or a request as text.
	label = regexp.MustCompile(`(?i)(?:^|[^a-z0-9])SAML[ _-]?(Request|Response)["']?(?:[ \t]*[:=]|[ \t]*\r?\n|\t)\s*["']?`)
	// base64Text is a line of a value, also escaped.
	base64Text = regexp.MustCompile(`^[A-Za-z0-9+/=_%-]+`)
)

// sniff finds out in which form a file holds a message. It judges nothing: what is in no known form
// is handed on as XML or base64, whose reader says what is wrong with it.
func sniff(data []byte) (message, error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	switch {
	case len(text) > 0 && text[0] == '<', !utf8.Valid(text):
		return message{xml: data}, nil
	case isMessageAddress(text) && !bytes.ContainsAny(text, " \t\r\n"):
		address := string(text)
		return message{form: queryOf(address), sent: sentInAddress(queryOf(address))}, nil
	case formField.Match(text) && !bytes.ContainsAny(text, " \t\r\n"):
		form, err := url.ParseQuery(withPlus(strings.TrimPrefix(string(text), "?")))
		if err != nil {
			return message{}, refusal(codeForm, "the form body cannot be read: "+err.Error(),
				"Copy the whole body as the browser sent it.")
		}
		for _, name := range []string{"SAMLRequest", "SAMLResponse"} {
			for i, value := range form[name] {
				form[name][i] = unescaped(value)
			}
		}
		return message{form: form, sent: sentAlone(string(text))}, nil
	}
	if m, ok := labeled(string(text)); ok {
		m.sent = sentInRequest(string(text))
		return m, nil
	}
	return message{value: unescaped(string(text))}, nil // escaped as browsers' tools show it
}

// sentAlone reads a form body, or a query that begins with its question mark.
func sentAlone(text string) *sentForm {
	if strings.HasPrefix(text, "?") {
		return sentInAddress(queryOf(text))
	}
	sent := readSent(text, nil)
	if strings.Contains(text, "+") {
		sent.note = "If this is no form as it was sent, but a value with a name before it, give the value alone."
	}
	return sent
}

// withPlus keeps the + of a message that is not escaped at all: it was copied behind a label, not
// out of a form, where + is a space. Base64 has no space.
func withPlus(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if strings.HasPrefix(pair, "SAMLRe") && !strings.Contains(pair, "%") {
			pairs[i] = strings.ReplaceAll(pair, "+", "%2B")
		}
	}
	return strings.Join(pairs, "&")
}

// maxLabels bounds the labels of a text: people label one message, or a few.
const maxLabels = 1000

// labeled reads the values behind labels, and nothing else of the text.
func labeled(text string) (message, bool) {
	form := url.Values{}
	end := 0 // of the value before: a label in it is none
	for _, at := range label.FindAllStringSubmatchIndex(text, maxLabels) {
		if at[0] < end {
			continue
		}
		rest := text[at[1]:]
		if strings.HasPrefix(rest, "<") {
			return message{xml: []byte(rest[:strings.LastIndexByte(rest, '>')+1])}, true
		}
		name := "SAMLRe" + strings.ToLower(text[at[2]+2:at[3]])
		value, length := firstValue(rest)
		form.Add(name, unescaped(value))
		end = at[1] + length
	}
	return message{form: form}, len(form) > 0
}

// firstValue returns the value that text begins with. Lines that were wrapped, as MIME does it at 64
// or 76 characters, are one value. length is how much of text it took.
func firstValue(text string) (_ string, length int) {
	var value strings.Builder
	for line := range strings.Lines(text) {
		length += len(line)
		line = strings.TrimRight(line, " \t\r\n")
		part := base64Text.FindString(line)
		value.WriteString(part)
		if len(part) != len(line) || len(part) < 60 || len(part) > 80 || strings.HasSuffix(part, "=") {
			break
		}
	}
	return value.String(), length
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
		messages, where = append(messages, message{form: c.form, sent: c.sent}), append(where, c.where)
	}
	return messages, where, nil
}

// A response is the form value of a response, and where it stands in the file.
type response struct {
	value, where string
	number       int    // of the message in the file, from 1: decode counts the same
	fault        error  // why a sign-in would not even read it
	note         string // said behind the hint of a refusal
}

// samlResponses returns the responses in any of the forms: at least one, or an error.
func samlResponses(data []byte) (list []response, err error) {
	messages, where, err := messagesIn(data)
	if err != nil {
		return nil, err
	}
	if m := messages[0]; len(messages) == 1 && m.form != nil && where[0] == "" && len(m.form["SAMLResponse"]) == 0 {
		return nil, refusal(codeForm, "the form body does not have exactly one SAMLResponse",
			"Take the POST to the Redirect URL.")
	}
	if list = responsesOf(messages, where); len(list) == 0 {
		return nil, refusal(codeForm, fmt.Sprintf("the file has %s, none of them a response", counted(len(messages), "SAML message")),
			"Record until the browser is back at the service: the response is in the POST to the Redirect URL.")
	}
	return list, nil
}

func responsesOf(messages []message, where []string) (list []response) {
	for i, m := range messages {
		r := response{where: where[i], number: i + 1}
		switch values := m.form["SAMLResponse"]; {
		case m.form != nil && len(values) == 0: // a request
			continue
		case m.form != nil:
			r.value = values[0]
			switch {
			case m.sent != nil && m.sent.refused == nil:
				r.value, r.note = m.sent.value, m.sent.note
			case m.sent != nil:
				r.fault = m.sent.refused
			case len(values) > 1:
				r.fault = refusal(codeForm, fmt.Sprintf("the text has %d values of SAMLResponse, and not one", len(values)), "")
			}
		case m.xml != nil:
			r.value = base64.StdEncoding.EncodeToString(m.xml)
		default:
			r.value = m.value
		}
		list = append(list, r)
	}
	return list
}

// signIns leaves out answers to logouts, which forms name SAMLResponse too, if there are others.
func signIns(list []response) []response {
	some := slices.DeleteFunc(slices.Clone(list), func(r response) bool { return factsOf(r.value).root != "Response" })
	if len(some) == 0 {
		return list
	}
	return some
}
