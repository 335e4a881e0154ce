package main

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/samltest"
)

// harOf is a HAR with these entries.
func harOf(t testing.TB, entries ...any) string {
	t.Helper()
	return toJSON(t, map[string]any{"log": map[string]any{"version": "1.2", "entries": entries}})
}

// postEntry is an entry of a HAR: a form that was posted to the Redirect URL.
func postEntry(fields url.Values) map[string]any {
	return map[string]any{"request": map[string]any{"method": "POST", "url": redirectURL,
		"postData": map[string]any{"mimeType": "application/x-www-form-urlencoded", "text": fields.Encode()}}}
}

// TestSecretsThatLookLikeParameters: cookies, user names and passwords are not shown where they have
// the names of parameters of SAML, or stand in an address.
func TestSecretsThatLookLikeParameters(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	value := base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{RequestID: requestID}))
	body := url.Values{"SAMLResponse": {value}}.Encode()
	cookie := map[string]any{"name": "RelayState", "value": "SECRET"}
	header := map[string]any{"name": "Signature", "value": "SECRET"}
	entry := postEntry(url.Values{"SAMLResponse": {value}})
	request := entry["request"].(map[string]any)
	request["url"] = "https://ada:SECRET@console.example.com/acs;jsessionid=SECRET#SECRET"
	request["cookies"], request["headers"] = []any{cookie}, []any{header}
	entry["response"] = map[string]any{"cookies": []any{cookie}, "headers": []any{header}}
	cmd := strings.NewReplacer("%", "^%^", "&", "^&").Replace(body)
	for name, data := range map[string]string{
		"HAR": harOf(t, entry),
		"cURL for bash": "curl 'https://ada:SECRET@console.example.com/acs' -b 'SAMLResponse=SECRET; RelayState=SECRET' \\\n" +
			"  -H $'cookie: it\\'s; SAMLResponse=SECRET' -u 'x?SAMLResponse=SECRET' -H 'a'\\''b: SAMLResponse=SECRET' --data-raw '" + body + "'",
		"cURL for cmd": "curl ^\"" + redirectURL + "^\" ^\r\n  -H ^\"cookie: a=^\\^\"b^\\^\"; SAMLResponse=SECRET^\" ^\r\n  --data-raw ^\"" + cmd + "^\"",
		"cURL for cmd, earlier": "curl \"" + redirectURL + "\" -H \"cookie: a=\"\"b\"^%\"3D; SAMLResponse=SECRET\" --data \"" +
			strings.ReplaceAll(body, "%", "\"^%\"") + "\"",
		"fetch": "fetch(\"" + redirectURL + "\", {\n \"headers\": {\n \"cookie\": \"a=\\\"}\\\"; SAMLResponse=SECRET\"\n },\n \"body\": \"" + body + "\"});",
		"PowerShell": "$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession\n" +
			"$session.Cookies.Add((New-Object System.Net.Cookie(\"a\", \"SAMLResponse=SECRET)\", \"/\", \"x\")))\n" +
			"Invoke-WebRequest -Uri \"" + redirectURL + "\" -Headers @{\n \"x\"=\"`\"}; SAMLResponse=SECRET\"\n} -Body \"" + body + "\"",
	} {
		verified := samlspWith(t, strings.NewReader(data), arguments(metadata, "-request-id", requestID, "-")...)
		shown := samlspWith(t, strings.NewReader(data), "decode", "-")
		if verified.code != exitOK || shown.code != exitOK || strings.Contains(shown.stdout, "messages") { // no secret is taken for one
			t.Errorf("%s: got %+v, %+v", name, verified, shown)
		}
		if all := verified.stdout + verified.stderr + shown.stdout + shown.stderr; strings.Contains(all, "SECRET") {
			t.Errorf("%s: a secret is shown:\n%s", name, all)
		}
	}
}

// TestRecordingsAsTheyAre: what exports mask, what tools of earlier years escape and what stands
// around a message costs nobody the message.
func TestRecordingsAsTheyAre(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	document := string(answer(t, idp, samltest.Answer{RequestID: requestID}))
	value := base64.StdEncoding.EncodeToString([]byte(document))
	for !strings.Contains(value, "+") { // it has several hundred bytes of signature: the first has one nearly always
		document = string(answer(t, idp, samltest.Answer{RequestID: requestID}))
		value = base64.StdEncoding.EncodeToString([]byte(document))
	}
	fields := url.Values{"SAMLResponse": {value}, "RelayState": {"x"}}
	body := fields.Encode()
	var wrapped strings.Builder
	for rest := value; rest != ""; {
		n := min(76, len(rest))
		wrapped.WriteString(rest[:n] + "\r\n")
		rest = rest[n:]
	}
	type object = map[string]any
	masked := func(how string) string {
		return toJSON(t, object{"requests": []any{object{"method": "POST", "url": redirectURL, "protocol": "SAML-P", "saml": document,
			"post": []any{[]any{"SAMLResponse", how}, []any{"RelayState", how}}, "postData": "{overwritten}"}}})
	}
	script := object{"request": object{"method": "GET", "url": "https://idp.example.com/login.js"},
		"response": object{"content": object{"mimeType": "text/javascript", "text": "f.SAMLResponse=document.getElementById(1).value"}}}
	logout := postEntry(url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte("<p:LogoutResponse xmlns:p='x'/>"))}})
	for name, data := range map[string]string{
		"SAML-tracer, values masked":               masked("{hash:0123abcd}"),
		"SAML-tracer, values removed":              masked("{obf:alternative_0}"),
		"HAR with a script about responses":        harOf(t, script, postEntry(fields)),
		"HAR with a logout too":                    harOf(t, postEntry(fields), logout),
		"cURL for cmd of an earlier Chrome":        "curl.exe \"" + redirectURL + "\" --data \"" + strings.ReplaceAll(body, "%", "\"^%\"") + "\"",
		"cURL for cmd of an earlier Firefox":       "curl \"" + redirectURL + "\" --data \"" + strings.ReplaceAll(body, "%", "\"%\"") + "\"",
		"a label and base64 that is not escaped":   "SAMLResponse = " + value,
		"the same in lines":                        "SAMLResponse=\r\n" + wrapped.String(),
		"a label in lines, and another":            "SAMLResponse: " + wrapped.String() + "RelayState: abc\n",
		"labels line by line":                      "SAMLResponse: " + value + "\nRelayState: abc\n",
		"labels and values on lines of their own":  "SAMLResponse\n" + value + "\nRelayState\nabc\n",
		"cells of a table":                         "RelayState\tabc\nSAMLResponse\t" + value + "\n",
		"a label in other words":                   "SAML response: " + value,
		"a label and XML":                          "SAMLResponse: " + document,
		"a request as text":                        "POST /acs HTTP/1.1\r\nHost: console.example.com\r\n\r\n" + body,
		"a line of a log that begins in brackets":  "[2026-01-31 12:00:00] SAMLResponse=" + value + " user=x",
		"cURL of all requests, one with a message": "curl 'https://a.example/' ;\ncurl '" + redirectURL + "' --data-raw '" + body + "'",
	} {
		r := samlspWith(t, strings.NewReader(data), arguments(metadata, "-request-id", requestID, "-")...)
		if r.code != exitOK || !strings.HasPrefix(r.stdout, "-: accepted\n") {
			t.Errorf("%s: got %+v", name, r)
		}
		shown := samlspWith(t, strings.NewReader(data), "decode", "-")
		if shown.code != exitOK || strings.Count(shown.stdout, "<samlp:Response") != 1 || strings.Contains(shown.stdout, "{obf") {
			t.Errorf("%s, decode: got %+v", name, shown)
		}
	}
}

// TestListOfMessages: decode and verify give a message the same number, decode lists every message and
// shows the only response, and one that cannot be read hides no other.
func TestListOfMessages(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	first := base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{RequestID: "_first"}))
	second := base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{RequestID: "_second"}))
	sent := postEntry(url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(`<p:AuthnRequest xmlns:p="x" ID="_first"/>`))}})
	broken := postEntry(url.Values{"SAMLResponse": {"AAAA"}})
	one, two := postEntry(url.Values{"SAMLResponse": {first}}), postEntry(url.Values{"SAMLResponse": {second}})

	r := samlspWith(t, strings.NewReader(harOf(t, sent, broken, one)), "decode", "-")
	contains(t, r.stdout, "3 messages", "\n1: SAMLRequest, AuthnRequest\n", "\n2: SAMLResponse, which cannot be read\n",
		"\n3: SAMLResponse, Response\n", "InResponseTo=\"_first\"")
	hasRow(t, r.stdout, "Number", "3 of 3")
	hasRow(t, r.stdout, "Subject", samltest.DefaultUsers()[0].Mail)
	if r.code != exitOK || strings.Contains(r.stdout, "<p:AuthnRequest") {
		t.Errorf("got %+v", r)
	}

	all := harOf(t, sent, one, two)
	r = samlspWith(t, strings.NewReader(all), "decode", "-")
	if r.code != exitOK || strings.Contains(r.stdout, "<samlp:Response") {
		t.Errorf("two responses: got %+v", r)
	}
	verify := func(options ...string) result {
		return samlspWith(t, strings.NewReader(all), arguments(metadata, append(options, "-")...)...)
	}
	r = verify()
	contains(t, r.stdout, "response 2", "response 3")
	if r.code != exitUsage || !strings.Contains(r.stderr, "-n NUMBER, of 2, 3") {
		t.Errorf("got %+v", r)
	}
	if r := verify("-n", "3"); r.code != exitOK || !strings.HasPrefix(r.stdout, "-: would be accepted for request _second\n") {
		t.Errorf("the third: got %+v", r)
	}
	if r := verify("-n", "1"); r.code != exitRefused || !strings.Contains(r.stdout, "numbers 2, 3") {
		t.Errorf("the request: got %+v", r)
	}
	r = samlspWith(t, strings.NewReader(all), "decode", "-n", "3", "-")
	contains(t, r.stdout, "InResponseTo=\"_second\"")

	many := make([]any, 0, 12)
	for range 12 {
		many = append(many, postEntry(url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{}))}}))
	}
	r = samlspWith(t, strings.NewReader(harOf(t, many...)), "decode", "-")
	if r.code != exitOK || !strings.Contains(r.stdout, "\n12: SAMLResponse, Response\n") {
		t.Errorf("twelve responses: got %+v", r)
	}

	twice := harOf(t, postEntry(url.Values{"SAMLResponse": {first, second}}))
	r = samlspWith(t, strings.NewReader(twice), arguments(metadata, "-n", "1", "-")...)
	if r.code != exitRefused || !strings.Contains(r.stdout, "2 fields SAMLResponse") {
		t.Errorf("a form that a sign-in refuses: got %+v", r)
	}
}

// TestWhatWasFound: the refusal says what the file is.
func TestWhatWasFound(t *testing.T) {
	t.Parallel()
	get := map[string]any{"request": map[string]any{"method": "GET", "url": "https://a.example/"}}
	post := map[string]any{"request": map[string]any{"method": "POST", "url": "https://a.example/"}}
	for name, row := range map[string]struct{ data, want string }{
		"HAR":                     {harOf(t, get, get, get), "a HAR with 3 requests: there is no SAMLRequest"},
		"HAR without bodies":      {harOf(t, get, post, post), "a HAR with 3 requests, of which 2 POSTs have no body"},
		"SAML-tracer":             {`{"requests": [{"method": "GET", "url": "https://a.example/"}]}`, "SAML-tracer's export with 1 request:"},
		"other JSON":              {`{"a": 1}`, "neither HAR nor SAML-tracer's export"},
		"a page without the form": {"<!DOCTYPE html><html><body>Signed in.<br></body></html>", "an HTML page: there is no"},
		"a copied request":        {"curl 'https://a.example/'", "a copied request: there is no"},
	} {
		samlspWith(t, strings.NewReader(row.data), "decode", "-").failed(t, exitRefused, row.want, "Preserve log")
		r := samlspWith(t, strings.NewReader(row.data), arguments(metadataOf(t, newIDP(t, samltest.Options{})), "-")...)
		if r.code != exitRefused || !strings.Contains(r.stdout, row.want) {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

// TestAssumptionsInJSON: a refusal says what was taken from the message too, and an acceptance at the
// message's own time that it is refused at this moment.
func TestAssumptionsInJSON(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	other := answer(t, idp, samltest.Answer{RequestID: requestID, Audience: "https://other.example.com"})
	r := samlspWith(t, strings.NewReader(string(other)), arguments(metadata, "-json", "-at", "message", "-")...)
	contains(t, r.stdout, `"code":"audience"`, `"assumed_request_id":"`+requestID+`"`, `"checked_at":"20`)
	long := time.Now().Add(-72 * time.Hour)
	old := newIDP(t, samltest.Options{Now: func() time.Time { return long }})
	r = samlspWith(t, strings.NewReader(string(answer(t, old, samltest.Answer{RequestID: requestID}))),
		arguments(metadataOf(t, old), "-json", "-at", "message", "-")...)
	contains(t, r.stdout, `"accepted":true`, `"refused_now":"too_old"`)
}

// TestLabelsInValues: a label inside a value is no other message, so that a text is read in one pass.
func TestLabelsInValues(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(strings.Repeat("A", 51)+"-SAMLResponse\n", 3000)
	m, ok := labeled(text)
	length := 0
	for _, values := range m.form {
		length += len(strings.Join(values, ""))
	}
	if !ok || length > len(text) {
		t.Errorf("got values of %d bytes from a text of %d", length, len(text))
	}
}

// TestGoodCopyCounts: of two copies of a message, of which one has blanks for +, the other counts.
func TestGoodCopyCounts(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	value := base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{RequestID: "_1"}))
	spoiled := strings.ReplaceAll(value, "+", " ")
	if spoiled == value {
		t.Fatal("the message has no +: this test shows nothing")
	}
	page := `<form method="post"><input name="SAMLResponse" value="` + spoiled + `"></form>`
	har := func(params, text string) string {
		type object = map[string]any
		return harOf(t,
			object{"request": object{"method": "GET", "url": "https://idp.example.com/"}, "response": object{"content": object{"text": page}}},
			object{"request": object{"method": "POST", "url": redirectURL, "postData": object{"mimeType": "application/x-www-form-urlencoded",
				"params": []any{object{"name": "SAMLResponse", "value": params}}, "text": "SAMLResponse=" + url.QueryEscape(text)}}})
	}
	for name, data := range map[string]string{"the page has blanks": har(value, value), "the parameters too": har(spoiled, value)} {
		r := samlspWith(t, strings.NewReader(data), arguments(metadataOf(t, idp), "-")...)
		if r.code != exitOK {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

// TestPasswordsInAddresses are not shown, also with a slash that was not escaped.
func TestPasswordsInAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://ada:SECRET@sp.example.com/acs", "https://ada:p/SECRET@sp.example.com/acs"} {
		if got := withoutUser(address); got != "https://sp.example.com/acs" {
			t.Errorf("got %s", got)
		}
	}
	r := samlspWith(t, nil, "decode", "https://ada:SECRET@sp.example.com/acs?SAMLResponse=PGEvPg%3D%3D")
	if strings.Contains(r.stdout+r.stderr, "SECRET") || !strings.Contains(r.stdout+r.stderr, "sp.example.com") {
		t.Errorf("got %+v", r)
	}
}
