package main

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/iomete/saml/samltest"
)

// recordings are one message as browsers and their tools save it, among other requests with secrets.
func recordings(t testing.TB, value string) map[string]string {
	t.Helper()
	const acs = "https://console.example.com/api/v1/identity/auth/saml-acs"
	body := url.Values{"SAMLResponse": {value}, "RelayState": {"/a?b=1&c=2"}}.Encode()
	escaped := url.QueryEscape(value)
	page := `<!doctype html><html><body onload="document.forms[0].submit()"><form method=post action="` + acs + `">` +
		`<input value="` + html.EscapeString(value) + `" type="hidden" name="SAMLResponse"/><input type=hidden name=RelayState value='x'>` +
		`<script>if (1 < 2) {}</script></form></body></html>`
	type object = map[string]any
	secret := []any{object{"name": "Cookie", "value": "session=SECRET"}}
	har := func(request object, content object) string {
		return toJSON(t, object{"log": object{"version": "1.2", "entries": []any{
			object{"request": object{"method": "POST", "url": "https://idp.example.com/login", "headers": secret,
				"postData": object{"mimeType": "application/x-www-form-urlencoded", "text": "user=ada&password=SECRET"}}},
			object{"startedDateTime": "2026-03-10T09:30:00Z", "request": request, "response": object{"content": content}},
		}}})
	}
	post := func(data object) object {
		return object{"method": "POST", "url": acs, "headers": secret, "postData": data}
	}
	return map[string]string{
		"HAR with the text of the body": har(post(object{"text": body}), object{}),
		"HAR with parameters, escaped": har(post(object{"params": []any{
			object{"name": "SAMLResponse", "value": escaped}, object{"name": "RelayState", "value": "x"}}}), object{}),
		"HAR with parameters and text": har(post(object{"text": body, "params": []any{object{"name": "SAMLResponse", "value": value}}}), object{}),
		"HAR with the page": har(object{"method": "GET", "url": "https://idp.example.com/sso"},
			object{"mimeType": "text/html", "text": page}),
		"HAR with the page in base64": har(object{"method": "GET", "url": "https://idp.example.com/sso"},
			object{"encoding": "base64", "text": base64.StdEncoding.EncodeToString([]byte(page))}),
		"HAR with the page and the post": har(post(object{"text": body}), object{"text": page}),
		"SAML-tracer": toJSON(t, object{"requests": []any{
			object{"method": "GET", "url": "https://console.example.com/", "requestHeaders": secret},
			object{"method": "POST", "url": acs, "post": []any{[]any{"SAMLResponse", value}, []any{"RelayState", "x"}},
				"get": []any{}, "protocol": "SAML-P", "saml": "<samlp:Response/>"},
		}, "timestamp": "2026-03-10T09:30:00Z"}),
		"cURL for bash": "curl '" + acs + "' \\\n  -H 'cookie: session=SECRET' \\\n  --data-raw $'" + body + "' --compressed",
		"cURL for cmd": `curl ^"` + acs + `^" ^` + "\r\n" + `  --data-raw ^"` +
			strings.NewReplacer("%", "^%^", "&", "^&").Replace(body) + `^"`,
		"fetch":                        "await fetch(\"" + acs + "\", {\n  \"body\": \"" + body + "\",\n  \"method\": \"POST\"\n});",
		"PowerShell":                   "$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession\nInvoke-WebRequest -Uri \"" + acs + "\" -Method POST -Body \"" + body + "\"",
		"the page with the form":       page,
		"the page in UTF-16":           inUTF16(page),
		"escaped base64":               escaped,
		"base64 that is escaped twice": url.QueryEscape(escaped),
		"with a label":                 "SAMLResponse: " + value,
		"with a label on its own line": "SAMLResponse:\n" + value + "\n",
		"with a label in quotes":       `"SAMLResponse": "` + value + `"`,
		"in UTF-16":                    inUTF16(value),
	}
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func inUTF16(text string) string {
	file := []byte{0xFE, 0xFF}
	for _, unit := range utf16.Encode([]rune(text)) {
		file = append(file, byte(unit>>8), byte(unit))
	}
	return string(file)
}

// TestRecordings: whatever the browser saved, the response in it is verified and shown, and no cookie
// or password is.
func TestRecordings(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	value := base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{RequestID: requestID}))
	for name, data := range recordings(t, value) {
		verified := samlspWith(t, strings.NewReader(data), arguments(metadata, "-request-id", requestID, "-")...)
		if verified.code != exitOK || !strings.HasPrefix(verified.stdout, "-: accepted\n") {
			t.Errorf("%s: got %+v", name, verified)
		}
		shown := samlspWith(t, strings.NewReader(data), "decode", "-")
		if shown.code != exitOK || !strings.Contains(shown.stdout, "<samlp:Response") || strings.Count(shown.stdout, ", base64, ") > 1 {
			t.Errorf("%s, decode: got %+v", name, shown)
		}
		if all := verified.stdout + verified.stderr + shown.stdout + shown.stderr; strings.Contains(all, "SECRET") {
			t.Errorf("%s: a secret is shown:\n%s", name, all)
		}
	}
}

// TestRecordingsWithoutMessage say what was found and how to record again.
func TestRecordingsWithoutMessage(t *testing.T) {
	t.Parallel()
	metadata := metadataOf(t, newIDP(t, samltest.Options{}))
	for name, row := range map[string]struct{ data, want string }{
		"HAR without messages": {`{"log": {"entries": [{"request": {"method": "GET", "url": "https://a.example/"}}]}}`, "Preserve log"},
		"broken JSON":          {`{"log": `, "begins as JSON and is none"},
		"a list":               {`[1, 2]`, "no SAMLRequest and no SAMLResponse"},
		"cURL of another page": {"curl 'https://a.example/'", "Preserve log"},
		"a request alone": {`{"log": {"entries": [{"request": {"url": "https://a.example/?SAMLRequest=fZFfa4MwFMXfB%2FsOkvdqoq3TUAtug5XCYJ1le9hLuYlXDWhkSRT27ZdqB3"}}]}}`,
			"none of them a response"},
	} {
		r := samlspWith(t, strings.NewReader(row.data), arguments(metadata, "-unsolicited", "-json", "-")...)
		if r.code != exitRefused || !strings.Contains(r.stdout, row.want) {
			t.Errorf("%s: got %+v, want %q", name, r, row.want)
		}
	}
}

// TestSeveralResponses are listed, and one is chosen by its number.
func TestSeveralResponses(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	first := base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{RequestID: "_first"}))
	second := base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{RequestID: "_second"}))
	type object = map[string]any
	request := func(value string) object {
		return object{"method": "POST", "url": redirectURL + "?secret=1", "post": []any{[]any{"SAMLResponse", value}}}
	}
	data := toJSON(t, object{"requests": []any{request(first), request(second), request(first[:76] + "\r\n" + first[76:])}})
	verify := func(options ...string) result {
		return samlspWith(t, strings.NewReader(data), arguments(metadata, append(options, "-")...)...)
	}
	r := verify()
	if r.code != exitUsage || !strings.Contains(r.stderr, "has 2 responses") || strings.Contains(r.stdout, "secret") {
		t.Errorf("got %+v", r)
	}
	contains(t, r.stdout, "response 1", "response 2", "request 2 of 3, POST "+redirectURL)
	hasRow(t, r.stdout, "In response to", "_second")
	hasRow(t, r.stdout, "Issuer", idp.EntityID())
	hasRow(t, r.stdout, "Destination", redirectURL)
	if r := verify("-n", "2"); r.code != exitOK || !strings.HasPrefix(r.stdout, "-: would be accepted for request _second\n") {
		t.Errorf("the second: got %+v", r)
	}
	if r := verify("-n", "3"); r.code != exitRefused || !strings.Contains(r.stdout, "there is no response 3") {
		t.Errorf("the third: got %+v", r)
	}
	if r := verify("-json"); r.code != exitUsage || !strings.Contains(r.stdout, "has 2 responses") {
		t.Errorf("in JSON: got %+v", r)
	}
	if r := samlspWith(t, strings.NewReader(data), "decode", "-n", "2", "-"); r.code != exitOK ||
		!strings.Contains(r.stdout, "_second") || strings.Contains(r.stdout, "_first") {
		t.Errorf("decode: got %+v", r)
	}
	samlspWith(t, strings.NewReader(data), "decode", "-n", "3", "-").failed(t, exitRefused, "there is no message 3")
	samlspWith(t, strings.NewReader("x"), "decode", "-n", "-1", "-").failed(t, exitUsage, "-n is the number")
	samlspWith(t, strings.NewReader(first), "decode", "-n", "2", "-").failed(t, exitRefused, "which has 1")
}

// TestVerifyByTheMessageItself: without -request-id and with -at message the response itself decides,
// and the verdict says so.
func TestVerifyByTheMessageItself(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	solicited := answer(t, idp, samltest.Answer{RequestID: requestID})
	unsolicited := answer(t, idp, samltest.Answer{})
	long := time.Now().Add(-72 * time.Hour)
	earlier := newIDP(t, samltest.Options{Now: func() time.Time { return long }})
	old := answer(t, earlier, samltest.Answer{RequestID: requestID})
	for _, row := range []struct {
		name     string
		document []byte
		options  []string
		code     int
		words    []string
	}{
		{"solicited", solicited, arguments(metadata), exitOK,
			[]string{"-: would be accepted for request " + requestID + "\n", "this browser began"}},
		{"unsolicited", unsolicited, arguments(metadata), exitOK, []string{"where responses without a request (IdP-initiated) are"}},
		{"changed", []byte(strings.Replace(string(solicited), "<NameID", "<NameID Format='x'", 1)), arguments(metadata), exitRefused,
			[]string{"-: refused\n"}},
		{"another request is named", solicited, arguments(metadata, "-request-id", "_other"), exitRefused, []string{"in_response_to"}},
		{"its own time", solicited, arguments(metadata, "-request-id", requestID, "-at", "message"), exitOK,
			[]string{"-: accepted\n", "when the message says that it was made", "At this moment           accepted"}},
		{"its own time, long ago", old, arguments(metadataOf(t, earlier), "-at", "message"), exitOK,
			[]string{"would be accepted for request", "At this moment           refused, "}},
		{"long ago", old, arguments(metadataOf(t, earlier)), exitRefused, []string{"-: refused\n"}},
		{"a message without time", []byte("<Response/>"), arguments(metadata, "-at", "message"), exitRefused,
			[]string{"does not say when it was made"}},
		{"in JSON", solicited, arguments(metadata, "-json", "-at", "message"), exitOK,
			[]string{`"accepted":true`, `"assumed_request_id":"` + requestID + `"`, `"checked_at":"20`}},
	} {
		r := samlspWith(t, strings.NewReader(string(row.document)), append(row.options, "-")...)
		if r.code != row.code {
			t.Errorf("%s: got %+v", row.name, r)
		}
		contains(t, r.stdout, row.words...)
	}
}

// FuzzRecording: no file makes the command panic, and what it finds is a message.
func FuzzRecording(f *testing.F) {
	for _, data := range recordings(f, base64.StdEncoding.EncodeToString([]byte("<Response/>"))) {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		messages, where, err := messagesIn(data)
		if err != nil {
			return
		}
		if len(messages) == 0 || len(where) != len(messages) {
			t.Fatalf("%d messages at %d places", len(messages), len(where))
		}
		for _, m := range messages {
			factsOf(m.value)
			for _, value := range m.form["SAMLResponse"] {
				factsOf(value)
			}
		}
		_, _ = samlResponses(data)
	})
}
