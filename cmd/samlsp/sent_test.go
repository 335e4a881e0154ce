package main

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// noSessions lets nobody in.
type noSessions struct{}

func (noSessions) SignIn(http.ResponseWriter, *http.Request, *saml.Login) error { return nil }
func (noSessions) SignedIn(*http.Request) bool                                  { return false }
func (noSessions) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

var shownCode = regexp.MustCompile(`<code>([a-z0-9_]+)</code>`)

// codeOfHandler returns the code with which a Handler refuses a form, "" if it reads the message and
// misses only the login.
func codeOfHandler(t *testing.T, login http.Handler, method, address, body string) string {
	t.Helper()
	r := httptest.NewRequest(method, address, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	login.ServeHTTP(w, r)
	code := shownCode.FindStringSubmatch(w.Body.String())
	switch {
	case code == nil:
		t.Fatalf("%s: the Handler answers %d, %s", body, w.Code, w.Body)
	case code[1] == string(saml.CodeStateMissing):
		return ""
	}
	return code[1]
}

// withPluses returns a response whose base64 has a plus sign.
func withPluses(t *testing.T, idp *samltest.IdentityProvider) string {
	t.Helper()
	for range 100 { // of several hundred bytes of signature, nearly always the first
		value := base64.StdEncoding.EncodeToString(answer(t, idp, samltest.Answer{RequestID: requestID}))
		if strings.Contains(value, "+") {
			return value
		}
	}
	t.Fatal("no response has a plus sign")
	return ""
}

// TestVerifyReadsFormsAsTheHandler: what a Handler refuses of a form is refused with the same code, and
// what it takes is accepted, wherever the form was copied or recorded.
func TestVerifyReadsFormsAsTheHandler(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	document, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := saml.ParseMetadata(document)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: provider,
		StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	login := sp.Handler(noSessions{})
	value := withPluses(t, idp)
	good := "SAMLResponse=" + url.QueryEscape(value)
	type object = map[string]any
	har := func(method, address string, data object) string {
		return harOf(t, object{"request": object{"method": method, "url": address, "postData": data}})
	}
	for _, row := range []struct{ name, address, body string }{
		{"as browsers send it", redirectURL, good + "&RelayState=x"},
		{"plus signs that are not escaped", redirectURL, "SAMLResponse=" + value},
		{"escaped twice", redirectURL, "SAMLResponse=" + url.QueryEscape(url.QueryEscape(value))},
		{"two RelayStates", redirectURL, good + "&RelayState=x&RelayState=y"},
		{"the same RelayState twice", redirectURL, good + "&RelayState=x&RelayState=x"},
		{"two responses", redirectURL, good + "&" + good},
		{"a signature of the other binding", redirectURL, good + "&SigAlg=x&Signature=y"},
		{"a request beside it", redirectURL, good + "&SAMLRequest=AAAA"},
		{"nine fields", redirectURL, good + "&a=&b=&c=&d=&e=&f=&g=&h="},
		{"a semicolon", redirectURL, good + "&a=;"},
		{"more than 2 MiB", redirectURL, good + "&a=" + strings.Repeat("x", 2<<20)},
		{"fields without a name, and empty ones", redirectURL, "&&" + good + "&=&"},
		{"what our own page adds", redirectURL, good + "&saml_leg=2&saml_return=x"},
	} {
		sent := row.body
		if !strings.Contains(sent, "saml_leg") { // the first leg looks at the form alone, the second one reads the message
			sent += "&saml_leg=2"
		}
		want := codeOfHandler(t, login, "POST", row.address, sent)
		files := map[string]string{
			"a file":     row.body,
			"HAR":        har("POST", row.address, object{"mimeType": "application/x-www-form-urlencoded", "text": row.body}),
			"as HTTP":    "POST /acs HTTP/1.1\r\nHost: console.example.com\r\n\r\n" + row.body + "\r\n",
			"fetch":      `fetch("` + row.address + `", {"body": "` + row.body + `"});`,
			"cURL":       "curl '" + row.address + "' --data-raw '" + row.body + "'",
			"PowerShell": `Invoke-WebRequest -Uri "` + row.address + `" -Method POST -Body "` + row.body + `"`,
		}
		if strings.Contains(row.body, ";") { // it ends what is found in code; the file has a hint of its own
			files = map[string]string{"HAR": files["HAR"], "as HTTP": files["as HTTP"]}
		}
		if len(row.body) > 1<<20 { // to search it six times takes long
			files = map[string]string{"a file": row.body}
		}
		for how, file := range files {
			wantVerified(t, row.name+", "+how, file, metadata, want)
		}
	}
	for name, row := range map[string]struct{ address, body string }{
		"SAML-tracer, two RelayStates": {redirectURL, good + "&RelayState=x&RelayState=x&saml_leg=2"},
		"SAML-tracer, in the address":  {redirectURL + "?" + good, ""},
		"SAML-tracer, in both":         {redirectURL + "?" + good, good + "&saml_leg=2"},
		"SAML-tracer":                  {redirectURL, good + "&RelayState=x&saml_leg=2"},
	} {
		method, post := "POST", []any{}
		for pair := range strings.SplitSeq(row.body, "&") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				plain, err := url.QueryUnescape(value)
				if err != nil {
					t.Fatal(err)
				}
				post = append(post, []any{name, plain})
			}
		}
		if row.body == "" {
			method = "GET"
		}
		file := toJSON(t, object{"requests": []any{object{"method": method, "url": row.address, "post": post}}})
		wantVerified(t, name, file, metadata, codeOfHandler(t, login, method, row.address, row.body))
	}
	inAddress := codeOfHandler(t, login, "GET", redirectURL+"?"+good, "")
	for name, file := range map[string]string{
		"an address":    redirectURL + "?" + good + "#x\n",
		"a query":       "?" + good,
		"HAR":           har("GET", redirectURL+"?"+good, nil),
		"cURL":          "curl '" + redirectURL + "?" + good + "'",
		"as HTTP":       "GET /acs?" + good + " HTTP/1.1\r\nHost: console.example.com\r\n\r\n",
		"a HAR by POST": har("POST", redirectURL+"?"+good, object{"mimeType": "application/x-www-form-urlencoded", "text": good}),
	} {
		wantVerified(t, "in the address, "+name, file, metadata, inAddress)
	}
	multipart := object{"mimeType": "multipart/form-data; boundary=x", "text": good}
	wantVerified(t, "another content type", har("POST", redirectURL, multipart), metadata, "form")
	wantVerified(t, "a page with two RelayStates", `<form method="post"><input name="SAMLResponse" value="`+value+
		`"><input name="RelayState" value="a"><input name="RelayState" value="b"></form>`, metadata, "form")
}

// wantVerified expects that verify refuses what is in a file with the code, or accepts it if that is "".
func wantVerified(t *testing.T, name, file, metadata, code string) {
	t.Helper()
	r := samlspWith(t, strings.NewReader(file), arguments(metadata, "-request-id", requestID, "-")...)
	switch {
	case code == "" && (r.code != exitOK || !strings.HasPrefix(r.stdout, "-: accepted\n")):
		t.Errorf("%s: got %.600s, want it accepted", name, r.stdout+r.stderr)
	case code != "" && (r.code != exitRefused || !regexp.MustCompile(`Code +`+code+`\n`).MatchString(r.stdout)):
		t.Errorf("%s: got %.600s, want %s", name, r.stdout+r.stderr, code)
	}
}
