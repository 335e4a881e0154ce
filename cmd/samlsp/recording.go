package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/iomete/saml"
)

// carried is a SAML message as a browser carried it, and where it stood in the file.
type carried struct {
	where string     // "request 3, POST https://sp.example.com/acs"; "" where the file is the message
	form  url.Values // with SAMLRequest or SAMLResponse, and what came with it
}

// maxCarried bounds the messages of a file: a recording of one sign-in has two or three.
const maxCarried = 200

// carriedIn takes the messages out of what browsers and their tools save: HAR, SAML-tracer's export,
// "Copy as cURL", fetch or PowerShell, a page with the form. found is false if data is none of these.
// The same message twice counts once: a page holds it, and the request that follows posts it.
func carriedIn(data []byte) (list []carried, found bool, err error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	switch {
	case len(text) == 0:
	case text[0] == '{' || text[0] == '[':
		list, err = inJSON(text)
		found = true
	case text[0] == '<' && htmlForm.Match(text):
		list, found = inHTML(string(text), ""), true
	case copied.Match(text):
		list, found = inText(string(text), ""), true
	}
	if err != nil || !found {
		return nil, found, err
	}
	list = unique(list)
	if len(list) == 0 {
		return nil, true, refusal(codeForm, "the file has no SAMLRequest and no SAMLResponse",
			"Record again from before the sign-in begins until it ends, with all requests kept (\"Preserve log\"), and save it with content.")
	}
	if len(list) > maxCarried {
		return nil, true, refusal(saml.CodeTooLarge, fmt.Sprintf("the file has more than %d SAML messages", maxCarried),
			"Record one sign-in alone.")
	}
	return list, true, nil
}

var (
	// copied is how browsers copy a request, as a command or as code.
	copied = regexp.MustCompile(`^(?:curl\s|await fetch\(|fetch\(|\$session\s*=|Invoke-WebRequest\s)`)

	htmlForm  = regexp.MustCompile(`(?is)<input\b[^>]*\bname\s*=\s*["']?SAML(?:Request|Response)\b`)
	htmlInput = regexp.MustCompile(`(?is)<input\b(?:[^>"']|"[^"]*"|'[^']*')*>`)
	attribute = regexp.MustCompile(`(?is)\b(name|value)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))`)

	// inValue is a message in a query or a form body. Escapes of cmd.exe are gone.
	inValue = regexp.MustCompile(`\b(SAMLRequest|SAMLResponse|RelayState|SigAlg|Signature)=([A-Za-z0-9+/=%_.~:-]+)`)
)

// inJSON reads a recording: HAR has its requests in log.entries, SAML-tracer in requests.
func inJSON(text []byte) (list []carried, err error) {
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, refusal(codeForm, "this begins as JSON and is none: "+err.Error(), "Save the recording again, and give the file unchanged.")
	}
	requests := []any{document}
	if d, ok := document.(map[string]any); ok {
		if log, ok := d["log"].(map[string]any); ok {
			d = map[string]any{"requests": log["entries"]}
		}
		if all, ok := d["requests"].([]any); ok {
			requests = all
		}
	}
	for i, r := range requests {
		where := ""
		if len(requests) > 1 {
			where = fmt.Sprintf("request %d of %d", i+1, len(requests))
		}
		if method, address := requestLine(r); address != "" {
			where = strings.TrimPrefix(where+", "+strings.TrimSpace(method+" "+address), ", ")
		}
		w := walker{where: where, form: url.Values{}}
		w.walk("", r, 0)
		list = append(list, w.carried()...)
	}
	return list, nil
}

// requestLine returns method and address of a request, without query: it can hold secrets.
func requestLine(r any) (method, address string) {
	m, _ := r.(map[string]any)
	if inner, ok := m["request"].(map[string]any); ok {
		m = inner
	}
	method, _ = m["method"].(string)
	address, _ = m["url"].(string)
	address, _, _ = strings.Cut(address, "?")
	return method, address
}

// walker looks through the JSON of one request. Cookies, headers and other fields are passed over.
type walker struct {
	where string
	form  url.Values // parameters that stand alone, name by name
	list  []carried
}

var samlFields = []string{"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"}

func (w *walker) walk(key string, v any, depth int) {
	if depth > 30 {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["name"].(string); ok && slices.Contains(samlFields, name) { // HAR: postData.params, queryString
			if value, ok := v["value"].(string); ok {
				w.add(name, value)
				return
			}
		}
		if text, ok := v["text"].(string); ok && v["encoding"] == "base64" { // the content of a response
			if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
				w.text(string(decoded))
			}
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			w.walk(k, v[k], depth+1)
		}
	case []any:
		if len(v) == 2 { // SAML-tracer: post and get are lists of names and values
			name, _ := v[0].(string)
			if value, ok := v[1].(string); ok && slices.Contains(samlFields, name) {
				w.add(name, value)
				return
			}
		}
		for _, one := range v {
			w.walk(key, one, depth+1)
		}
	case string:
		switch {
		case slices.Contains(samlFields, key):
			w.add(key, v)
		case key == "url" || key == "text" || key == "postData" || key == "body":
			w.text(v)
		}
	}
}

// add takes a parameter, once. Where its value is still escaped, as in HAR of some browsers, that is
// undone.
func (w *walker) add(name, value string) {
	value = unescaped(value)
	if !slices.Contains(w.form[name], value) {
		w.form.Add(name, value)
	}
}

// text takes what a body or an address holds.
func (w *walker) text(s string) {
	if htmlForm.MatchString(s) {
		w.list = append(w.list, inHTML(s, w.where)...)
		return
	}
	for _, c := range inText(s, w.where) {
		for _, name := range samlFields {
			for _, value := range c.form[name] {
				w.add(name, value)
			}
		}
	}
}

func (w *walker) carried() []carried {
	if w.form.Has("SAMLRequest") || w.form.Has("SAMLResponse") {
		return append([]carried{{w.where, w.form}}, w.list...)
	}
	return w.list
}

// inHTML reads the hidden fields of a page that posts itself.
func inHTML(page, where string) []carried {
	form := url.Values{}
	for _, input := range htmlInput.FindAllString(page, -1) {
		var name, value string
		for _, a := range attribute.FindAllStringSubmatch(input, -1) {
			text := html.UnescapeString(a[2] + a[3] + a[4])
			if strings.EqualFold(a[1], "name") {
				name = text
			} else {
				value = text
			}
		}
		if slices.Contains(samlFields, name) && value != "" {
			form.Add(name, value)
		}
	}
	if !form.Has("SAMLRequest") && !form.Has("SAMLResponse") {
		return nil
	}
	return []carried{{strings.TrimPrefix(where+", in the page", ", "), form}}
}

// inText finds parameters in a command or a form body.
func inText(text, where string) []carried {
	text = cmdEscapes.Replace(text)
	form := url.Values{}
	for _, m := range inValue.FindAllStringSubmatch(text, -1) {
		form.Add(m[1], unescaped(m[2]))
	}
	if !form.Has("SAMLRequest") && !form.Has("SAMLResponse") {
		return nil
	}
	return []carried{{where, form}}
}

// cmdEscapes are those of "Copy as cURL (cmd)" and of JSON in code.
var cmdEscapes = strings.NewReplacer("^%^", "%", "^%", "%", "^&", "&", "^\"", "\"", "^", "",
	`\u003d`, "=", `\u003D`, "=", `\u0026`, "&", `\/`, "/")

// unescaped undoes %XX, also where it was done twice. Base64 has no %.
func unescaped(value string) string {
	for range 3 {
		if !strings.Contains(value, "%") {
			break
		}
		once, err := url.PathUnescape(value)
		if err != nil {
			break
		}
		value = once
	}
	return value
}

// unique leaves out messages that were there before.
func unique(list []carried) (some []carried) {
	seen := map[string]bool{}
	for _, c := range list {
		key := strings.Join(append(slices.Clone(c.form["SAMLRequest"]), c.form["SAMLResponse"]...), "\n")
		if !seen[key] {
			seen[key] = true
			some = append(some, c)
		}
	}
	return some
}

// asUTF8 returns a text as PowerShell and editors save it, in UTF-16 with its mark, in UTF-8; other
// data as it is.
func asUTF8(data []byte) []byte {
	little := bytes.HasPrefix(data, []byte{0xFF, 0xFE})
	if !little && !bytes.HasPrefix(data, []byte{0xFE, 0xFF}) || len(data)%2 != 0 {
		return data
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i < len(data); i += 2 {
		low, high := data[i], data[i+1]
		if !little {
			low, high = high, low
		}
		units = append(units, uint16(low)|uint16(high)<<8)
	}
	return []byte(string(utf16.Decode(units)))
}
