package main

import (
	"bytes"
	"cmp"
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
	"github.com/iomete/saml/internal/posted"
)

// carried is a SAML message as a browser carried it, and where it stood in the file.
type carried struct {
	where string     // "request 3, POST https://sp.example.com/acs"; "" where the file is the message
	form  url.Values // with SAMLRequest or SAMLResponse, and what came with it
	sent  *sentForm  // nil if the file does not show the form as it was sent
}

// maxCarried bounds the messages of a file: a recording of one sign-in has two or three.
const maxCarried = 200

// carriedIn takes the messages out of what browsers and their tools save: HAR, SAML-tracer's export,
// "Copy as cURL", fetch or PowerShell, a page with the form. found is false if data is none of these.
// The same message twice counts once: a page holds it, and the request that follows posts it.
func carriedIn(data []byte) (list []carried, found bool, err error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	var what string // that was found in place of a message
	switch {
	case len(text) == 0:
		return nil, false, nil
	case startsJSON.Match(text):
		list, what, err = inJSON(text)
	case htmlPage.Match(text), text[0] == '<' && htmlForm.Match(text):
		list, what = inHTML(string(text), ""), "an HTML page"
	case copied.Match(text):
		list, what = inCommands(string(text)), "a copied request"
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	list = unique(list)
	if len(list) == 0 {
		return nil, true, refusal(codeForm, what+": there is no SAMLRequest and no SAMLResponse in it", recordAgain)
	}
	if len(list) > maxCarried {
		return nil, true, refusal(saml.CodeTooLarge, fmt.Sprintf("the file has more than %d SAML messages", maxCarried),
			"Record one sign-in alone.")
	}
	return list, true, nil
}

const recordAgain = "Record again from before the sign-in begins until it ends, with all requests kept (\"Preserve log\"), and save it with content."

var (
	// startsJSON leaves lines of a log that begin with a bracket to the search for labels.
	startsJSON = regexp.MustCompile(`^(?:\{|\[\s*(?:[\[{"\]]|\d+\s*[,\]]))`)

	// copied is how browsers copy a request, as a command or as code.
	copied = regexp.MustCompile(`^(?:curl(?:\.exe)?\s|await fetch\(|fetch\(|\$session\s*=|Invoke-WebRequest\s)`)

	// headers are the parts of a copied request that hold cookies and passwords: options of curl for
	// bash and for cmd, a member of fetch, an option and a class of PowerShell.
	headers = regexp.MustCompile(`(?is)\s(?:-H|--header|-b|--cookie|-u|--user|-e|--referer)` +
		`(?:[\s=]*(?:\$'(?:[^'\\]|\\.)*'|'[^']*'(?:\\''[^']*')*|\^"(?:\^\\\^"|[^"])*"|"(?:\\.|""|[^"\\])*")|[\s=]+[^\s"'^]\S*)` +
		`|"headers"\s*:\s*\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}` +
		"|-Headers\\s+@\\{(?:[^\"}]|\"(?:[^\"`]|`.|\"\")*\")*\\}" +
		"|System\\.Net\\.Cookie\\((?:[^\")]|\"(?:[^\"`]|`.|\"\")*\")*\\)")

	htmlPage = regexp.MustCompile(`(?is)^(?:<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype\s+html|html|head|body|form)\b`)

	htmlForm  = regexp.MustCompile(`(?is)<input\b[^>]*\bname\s*=\s*["']?SAML(?:Request|Response)\b`)
	htmlInput = regexp.MustCompile(`(?is)<input\b(?:[^>"']|"[^"]*"|'[^']*')*>`)
	attribute = regexp.MustCompile(`(?is)\b(name|value)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))`)

	// inForm is a query or a form body with a message. Escapes of cmd.exe are gone.
	inForm  = regexp.MustCompile(`[^\s"'<>;,(){}|\\^]*\bSAML(?:Request|Response)=[^\s"'<>;,(){}|\\^]+`)
	inValue = regexp.MustCompile(`^(SAMLRequest|SAMLResponse|RelayState|SigAlg|Signature)=([A-Za-z0-9+/=%_.~:-]+)`)
)

// inJSON reads a recording: HAR has its requests in log.entries, SAML-tracer in requests. what says
// what it is, for whoever sent a recording without a message.
func inJSON(text []byte) (list []carried, what string, err error) {
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, "", refusal(codeForm, "this begins as JSON and is none: "+err.Error(), "Save the recording again, and give the file unchanged.")
	}
	requests, what := []any{document}, "JSON that is neither HAR nor SAML-tracer's export"
	if d, ok := document.(map[string]any); ok {
		kind := "SAML-tracer's export"
		if log, ok := d["log"].(map[string]any); ok {
			d, kind = map[string]any{"requests": log["entries"]}, "a HAR"
		}
		if all, ok := d["requests"].([]any); ok {
			requests, what = all, fmt.Sprintf("%s with %s", kind, counted(len(all), "request"))
			if n := bodiless(all); n > 0 && kind == "a HAR" {
				what += fmt.Sprintf(", of which %s no body", counted(n, "POST has", "POSTs have"))
			}
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
		w.unmask(r)
		w.sent = sentIn(r)
		list = append(list, w.carried()...)
	}
	return list, what, nil
}

// counted is a number and a noun, in the plural with an s or as given.
func counted(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return fmt.Sprintf("%d %s", n, many[0])
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// bodiless counts the POST requests of a HAR that it holds no body of.
func bodiless(entries []any) (n int) {
	for _, entry := range entries {
		e, _ := entry.(map[string]any)
		request, _ := e["request"].(map[string]any)
		data, _ := request["postData"].(map[string]any)
		text, _ := data["text"].(string)
		parameters, _ := data["params"].([]any)
		if request["method"] == "POST" && text == "" && len(parameters) == 0 {
			n++
		}
	}
	return n
}

// requestLine returns method and address of a request, without user, query and fragment: they can
// hold secrets.
func requestLine(r any) (method, address string) {
	m := requestOf(r)
	method, _ = m["method"].(string)
	address, _ = m["url"].(string)
	if end := strings.IndexAny(address, "?#;"); end >= 0 {
		address = address[:end]
	}
	return method, withoutUser(address)
}

// withoutUser leaves user and password out of an address. A password that was not escaped may have a
// slash in it.
func withoutUser(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	return scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
}

// walker looks through the JSON of one request. Cookies, headers and other fields are passed over.
type walker struct {
	where string
	form  url.Values // parameters that stand alone, name by name
	sent  *sentForm
	list  []carried
}

// secretParts are members of a request that hold cookies and passwords, and never a message that was sent.
var secretParts = []string{"cookies", "headers", "requestHeaders", "responseHeaders"}

var samlFields = []string{"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"}

func (w *walker) walk(key string, v any, depth int) {
	if depth > 30 || slices.Contains(secretParts, key) {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		if key == "content" {
			w.content(v)
			return
		}
		if name, value, ok := nameAndValue(v); ok && slices.Contains(samlFields, name) { // HAR: postData.params, queryString
			w.add(name, value)
			return
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			w.walk(k, v[k], depth+1)
		}
	case []any:
		if name, value, ok := nameAndValue(v); ok && slices.Contains(samlFields, name) { // SAML-tracer: post and get
			w.add(name, value)
			return
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

// content takes what the answer to a request holds: a page whose form has a message. Scripts and texts
// that only speak of SAMLResponse hold none.
func (w *walker) content(v map[string]any) {
	text, _ := v["text"].(string)
	if v["encoding"] == "base64" {
		decoded, _ := base64.StdEncoding.DecodeString(text)
		text = string(decoded)
	}
	if htmlForm.MatchString(text) {
		w.list = append(w.list, inHTML(text, w.where)...)
	}
}

// unmask puts the message that SAML-tracer decoded in the place of parameters that it masked or
// removed for the export ("{hash:...}", "{obf:...}"). The text is that of the message to the byte.
func (w *walker) unmask(r any) {
	m, _ := r.(map[string]any)
	xml, _ := m["saml"].(string)
	for _, name := range samlFields {
		all := len(w.form[name])
		values := slices.DeleteFunc(w.form[name], masked)
		delete(w.form, name)
		lost := len(values) < all && len(values) == 0
		if lost && (name == "SAMLRequest" || name == "SAMLResponse") && looksLikeXML([]byte(xml)) {
			values = []string{base64.StdEncoding.EncodeToString([]byte(xml))}
		}
		if len(values) > 0 {
			w.form[name] = values
		}
	}
}

// add takes a parameter, once. Where its value is still escaped, as in HAR of some browsers, that is
// undone.
func (w *walker) add(name, value string) {
	value = unescaped(value)
	plain := withoutBlanks.Replace(value)
	i := slices.IndexFunc(w.form[name], func(before string) bool { return withoutBlanks.Replace(before) == plain })
	switch {
	case i < 0:
		w.form.Add(name, value)
	case strings.Contains(w.form[name][i], " "): // + that some program read as blanks
		w.form[name][i] = value
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
		return append([]carried{{w.where, w.form, w.sent}}, w.list...)
	}
	return w.list
}

// inHTML reads the hidden fields of a page that posts itself.
func inHTML(page, where string) []carried {
	form := url.Values{}
	var fields []posted.Field
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
			fields = append(fields, posted.Field{Name: []byte(name), Value: []byte(value)})
		}
	}
	if !form.Has("SAMLRequest") && !form.Has("SAMLResponse") {
		return nil
	}
	return []carried{{strings.TrimPrefix(where+", in the page", ", "), form, readFields(fields, nil)}}
}

// inCommands finds the messages in copied requests: in one, or in all of a list.
func inCommands(text string) []carried {
	list := inText(headers.ReplaceAllString(quotedPercent.Replace(text), " "), "")
	for i := range list {
		if len(list) > 1 {
			list[i].where = fmt.Sprintf("copied request %d of %d with a message", i+1, len(list))
		}
	}
	return list
}

// inText finds queries and form bodies that have a message. Parameters elsewhere do not count: cookies
// can have their names.
func inText(text, where string) (list []carried) {
	for _, query := range inForm.FindAllString(cmdEscapes.Replace(text), -1) {
		form := url.Values{}
		for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == '?' || r == '#' }) {
			if m := inValue.FindStringSubmatch(pair); m != nil {
				form.Add(m[1], unescaped(m[2]))
			}
		}
		if form.Has("SAMLRequest") || form.Has("SAMLResponse") {
			list = append(list, carried{where, form, sentInText(query)})
		}
	}
	return list
}

// quotedPercent is how browsers of earlier years wrote % for cmd.exe.
var quotedPercent = strings.NewReplacer(`"^%"`, "%", `"%"`, "%")

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

var withoutBlanks = strings.NewReplacer(" ", "", "+", "", "\t", "", "\r", "", "\n", "")

// unique leaves out messages that were there before, perhaps with other line breaks, or with blanks
// that were +. What was sent last counts: a page is shown first, and then posted.
func unique(list []carried) (some []carried) {
	seen := map[string]int{}
	for _, c := range list {
		key := withoutBlanks.Replace(strings.Join(append(slices.Clone(c.form["SAMLRequest"]), c.form["SAMLResponse"]...), ","))
		i, ok := seen[key]
		switch {
		case !ok:
			seen[key] = len(some)
			some = append(some, c)
			continue
		case strings.Contains(some[i].form.Get("SAMLResponse"), " "):
			some[i].where, some[i].form = c.where, c.form
		}
		some[i].sent = cmp.Or(c.sent, some[i].sent)
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
