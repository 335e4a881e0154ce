package samltest

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// serve starts a provider that knows one application.
func serve(t *testing.T, o Options) *IdentityProvider {
	t.Helper()
	if o.Keys == nil {
		o.Keys = testKeys.rsa()
	}
	idp := MustNew(t, o)
	server := httptest.NewServer(idp)
	t.Cleanup(server.Close)
	idp.SetBaseURL(server.URL)
	idp.Register(Application{
		Identifier: redirectURL,
		ReplyURLs:  []string{redirectURL, redirectURL + "/second"},
		SignOnURL:  redirectURL,
	})
	return idp
}

// goodRequest is a request that the provider accepts. Each row of TestRequests changes one thing.
const goodRequest = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"` +
	` ID="_1" Version="2.0" IssueInstant="2026-03-14T08:26:53Z" AssertionConsumerServiceURL="` + redirectURL + `">` +
	`<saml:Issuer>` + redirectURL + `</saml:Issuer></samlp:AuthnRequest>`

func deflated(text string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	io.WriteString(w, text)
	w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// byRedirect sends a request by the HTTP-Redirect binding, with other parameters beside it.
func byRedirect(t *testing.T, p *IdentityProvider, text string, others ...string) *http.Response {
	t.Helper()
	query := url.Values{"SAMLRequest": {deflated(text)}}
	for i := 0; i < len(others); i += 2 {
		query.Set(others[i], others[i+1])
	}
	return get(t, p.LoginURL()+"?"+query.Encode())
}

// byPost sends a request by the HTTP-POST binding, with other fields beside it.
func byPost(t *testing.T, p *IdentityProvider, text string, others ...string) *http.Response {
	t.Helper()
	fields := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(text))}}
	for i := 0; i < len(others); i += 2 {
		fields.Set(others[i], others[i+1])
	}
	return post(t, p.LoginURL(), fields)
}

func post(t *testing.T, address string, fields url.Values) *http.Response {
	t.Helper()
	r, err := http.PostForm(address, fields)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	return r
}

func get(t *testing.T, address string) *http.Response {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Body.Close() })
	return r
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// answered reads the response out of the page that posts it.
func answered(t *testing.T, r *http.Response) (Form, message) {
	t.Helper()
	form, err := ReadForm(r)
	if err != nil {
		t.Fatal(err)
	}
	document, err := base64.StdEncoding.DecodeString(form.Values.Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	return form, read(t, document)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	idp.SignInAs(DefaultUsers()[0])
	idp.Register(Application{Identifier: "no-reply"})
	const issuer = "</saml:Issuer>"
	accept := ""
	for _, c := range []struct{ name, old, new, want string }{
		{"a minimal request", "", "", accept},
		{"an ID with a prefix", `ID="_1"`, `ID="id6491e192-e2d9-4970-ab03-e38ffda6e033"`, accept},
		{"an ID that begins with a digit", `ID="_1"`, `ID="6491e192-e2d9-4970-ab03-e38ffda6e033"`, "AADSTS7500529"},
		{"an ID in base64", `ID="_1"`, `ID="a+b/c="`, "AADSTS7500529"},
		{"no ID", `ID="_1"`, ``, "AADSTS7500529"},
		{"an older version", `Version="2.0"`, `Version="1.1"`, "AADSTS75005"},
		{"no IssueInstant", ` IssueInstant="2026-03-14T08:26:53Z"`, ``, "AADSTS75005"},
		{"an IssueInstant that is no time", `2026-03-14T08:26:53Z`, `yesterday`, "AADSTS75005"},
		{"a message of another kind", `samlp:AuthnRequest`, `samlp:AttributeQuery`, "AADSTS75005"},
		{"an Issuer with a slash more", issuer, "/" + issuer, "AADSTS700016"},
		{"an Issuer in other case", "<saml:Issuer>https", "<saml:Issuer>HTTPS", "AADSTS700016"},
		{"no Issuer", "<saml:Issuer>" + redirectURL + issuer, "", "AADSTS700016"},
		{"an application without a Reply URL", redirectURL + issuer, "no-reply" + issuer, "AADSTS900971"},
		{"the second Reply URL", redirectURL + `">`, redirectURL + `/second">`, accept},
		{"a Reply URL that is not registered", redirectURL + `">`, redirectURL + `/third">`, "AADSTS50011"},
		{"a Reply URL with a slash more", redirectURL + `">`, redirectURL + `/">`, "AADSTS50011"},
		{"no Reply URL", ` AssertionConsumerServiceURL="` + redirectURL + `"`, ``, accept},
		{"an answer by HTTP-POST", ` Version=`,
			` ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Version=`, accept},
		{"an answer by HTTP-Artifact", ` Version=`,
			` ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact" Version=`, "AADSTS75003"},
		{"a NameIDPolicy for mail", issuer, issuer + `<samlp:NameIDPolicy AllowCreate="true" Format="` + FormatEmail +
			`"/>`, accept},
		{"a NameIDPolicy without a format", issuer, issuer + `<samlp:NameIDPolicy AllowCreate="true"/>`, accept},
		{"a NameIDPolicy for Kerberos", issuer,
			issuer + `<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"/>`, "AADSTS75016"},
		{"a NameIDPolicy with a qualifier", issuer, issuer + `<samlp:NameIDPolicy SPNameQualifier="x"/>`,
			"AADSTS90011"},
		{"the context that the user has", issuer, issuer + requestedContext("exact", "Password"), accept},
		{"one of two contexts", issuer, issuer + requestedContext("exact", "X509", "Password"), accept},
		{"another context", issuer, issuer + requestedContext("exact", "PasswordProtectedTransport"), "AADSTS75011"},
		{"a context at least as good", issuer, issuer + requestedContext("minimum", "Password"), "AADSTS75011"},
		{"a Subject", issuer, issuer +
			`<saml:Subject><saml:NameID>ioana.turcanu@example.com</saml:NameID></saml:Subject>`, "AADSTS900236"},
		{"a Destination of another", ` Version=`, ` Destination="https://elsewhere.example.com" Version=`, accept},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(goodRequest, c.old) {
				t.Fatalf("there is no %s", c.old)
			}
			request := strings.Replace(goodRequest, c.old, c.new, 1)
			for binding, r := range map[string]*http.Response{
				"HTTP-Redirect": byRedirect(t, idp, request),
				"HTTP-POST":     byPost(t, idp, request),
			} {
				form, err := ReadForm(r)
				switch {
				case c.want == accept && err != nil:
					t.Errorf("%s: got %v, want an answer", binding, err)
				case c.want != accept && (err == nil || !strings.Contains(err.Error(), c.want+": ")):
					t.Errorf("%s: got %q and %v, want %s", binding, form.Action, err, c.want)
				}
			}
		})
	}
}

func requestedContext(comparison string, classes ...string) string {
	text := `<samlp:RequestedAuthnContext Comparison="` + comparison + `">`
	for _, class := range classes {
		text += `<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:` + class +
			`</saml:AuthnContextClassRef>`
	}
	return text + `</samlp:RequestedAuthnContext>`
}

func TestUndecodableRequests(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	idp.SignInAs(DefaultUsers()[0])
	plain := base64.StdEncoding.EncodeToString([]byte(goodRequest))
	form := func(values url.Values) *http.Response { return post(t, idp.LoginURL(), values) }
	for _, c := range []struct {
		name     string
		response *http.Response
		want     string
	}{
		{"a bare link", get(t, idp.LoginURL()), "AADSTS750054"},
		{"an empty form", form(url.Values{"RelayState": {"x"}}), "AADSTS750054"},
		{"no base64", get(t, idp.LoginURL()+"?SAMLRequest=%3C"), "AADSTS75005"},
		{"a redirect that is not deflated", get(t, idp.LoginURL()+"?SAMLRequest="+url.QueryEscape(plain)),
			"AADSTS75005"},
		{"a form that is deflated", form(url.Values{"SAMLRequest": {deflated(goodRequest)}}), "AADSTS75005"},
		{"no XML", byRedirect(t, idp, "hello"), "AADSTS75005"},
		{"a form that is too large", form(url.Values{"SAMLRequest": {plain}, "x": {strings.Repeat("x", maxRequest)}}),
			"AADSTS75005"},
	} {
		if _, err := ReadForm(c.response); err == nil || !strings.Contains(err.Error(), c.want+": ") {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	idp.SignInAs(DefaultUsers()[0])
	form, m := answered(t, byRedirect(t, idp, goodRequest, "RelayState", `a "quoted" & <odd> value`))
	if form.Action != redirectURL {
		t.Errorf("the form goes to %q, want %q", form.Action, redirectURL)
	}
	if got, want := form.Values.Get("RelayState"), `a "quoted" & <odd> value`; got != want {
		t.Errorf("RelayState %q, want %q", got, want)
	}
	if m.InResponseTo != "_1" || m.Destination != redirectURL ||
		m.Assertions[0].Conditions.Audiences[0] != redirectURL {
		t.Errorf("got %+v", m)
	}
	if got := m.Assertions[0].NameID.Value; got != DefaultUsers()[0].Mail {
		t.Errorf("NameID %q, want the signed-in user's", got)
	}
	document, err := base64.StdEncoding.DecodeString(form.Values.Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	verifyBoth(t, document, idp.Certificates()[0], "Assertion")

	form, _ = answered(t, byRedirect(t, idp, goodRequest))
	if _, sent := form.Values["RelayState"]; sent {
		t.Error("RelayState comes back although none was sent")
	}
}

// A request's AssertionConsumerServiceURL selects one of the Reply URLs. The default is the first.
func TestWhereAnswersGo(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	idp.SignInAs(DefaultUsers()[0])
	const attribute = ` AssertionConsumerServiceURL="` + redirectURL + `"`
	for _, c := range []struct{ name, attribute, want string }{
		{"no URL", "", redirectURL},
		{"the first URL", attribute, redirectURL},
		{"the second URL", ` AssertionConsumerServiceURL="` + redirectURL + `/second"`, redirectURL + "/second"},
	} {
		form, m := answered(t, byRedirect(t, idp, strings.Replace(goodRequest, attribute, c.attribute, 1)))
		if form.Action != c.want || m.Destination != c.want || m.Assertions[0].Confirmation.Recipient != c.want {
			t.Errorf("%s: the form goes to %q, Destination %q, Recipient %q, want %q",
				c.name, form.Action, m.Destination, m.Assertions[0].Confirmation.Recipient, c.want)
		}
		if got := m.Assertions[0].Conditions.Audiences[0]; got != redirectURL {
			t.Errorf("%s: the audience is %q, want the Identifier", c.name, got)
		}
	}
}

func TestNameIDPolicyOverrides(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	idp.SignInAs(DefaultUsers()[0])
	for _, c := range []struct{ asked, want string }{
		{FormatEmail, FormatEmail},
		{FormatPersistent, FormatPersistent},
		{FormatUnspecified, FormatPersistent},
		{FormatTransient, FormatTransient},
	} {
		_, m := answered(t, byRedirect(t, idp, strings.Replace(goodRequest, "</saml:Issuer>",
			`</saml:Issuer><samlp:NameIDPolicy Format="`+c.asked+`"/>`, 1)))
		nameID := m.Assertions[0].NameID
		if nameID.Format != c.want {
			t.Errorf("asked for %s: format %s, want %s", c.asked, nameID.Format, c.want)
		}
		if isMail := nameID.Value == DefaultUsers()[0].Mail; isMail != (c.want == FormatEmail) {
			t.Errorf("asked for %s: value %q", c.asked, nameID.Value)
		}
	}
}

func TestWhoSignsIn(t *testing.T) {
	t.Parallel()
	users := DefaultUsers()
	idp := serve(t, Options{})

	page := body(t, byRedirect(t, idp, goodRequest, "RelayState", "r1"))
	for _, want := range []string{
		`<button type="submit" name="user" value="ioana.turcanu@example.com">Ioana Țurcanu: ioana.turcanu@example.com</button>`,
		"no e-mail address", "not assigned", `name="RelayState" value="r1"`, `method="GET"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %s on the page that asks: %s", want, page)
		}
	}
	if page := body(t, byPost(t, idp, goodRequest)); !strings.Contains(page, `method="POST"`) {
		t.Errorf("a posted request would be repeated by another method: %s", page)
	}
	if _, err := ReadForm(byRedirect(t, idp, goodRequest)); err == nil {
		t.Error("the page that asks passes for one that answers")
	}

	nameID := func(r *http.Response) string {
		_, m := answered(t, r)
		return m.Assertions[0].NameID.Value
	}
	if got := nameID(byRedirect(t, idp, goodRequest, "login_hint", "TOMAS.novak@EXAMPLE.net")); got != users[2].Mail {
		t.Errorf("login_hint with a mail address signs in %q", got)
	}
	if got := nameID(byRedirect(t, idp, goodRequest, "login_hint",
		strings.ToUpper(users[2].UserPrincipalName))); got != users[2].Mail {
		t.Errorf("login_hint with a user principal name signs in %q", got)
	}
	idp.SignInAs(users[0])
	if got := nameID(byRedirect(t, idp, goodRequest)); got != users[0].Mail {
		t.Errorf("SignInAs signs in %q", got)
	}
	if got := nameID(byPost(t, idp, goodRequest, "user", users[2].UserPrincipalName)); got != users[2].Mail {
		t.Errorf("a choice by HTTP-POST signs in %q", got)
	}
	if got := nameID(byRedirect(t, idp, goodRequest, "user", users[3].UserPrincipalName, "login_hint",
		users[2].Mail)); got != users[3].Mail {
		t.Errorf("a choice signs in %q", got)
	}
	if _, err := ReadForm(byRedirect(t, idp, goodRequest, "user", users[4].UserPrincipalName)); err == nil ||
		!strings.Contains(err.Error(), "AADSTS50105: ") {
		t.Errorf("a user who is not assigned: %v, want AADSTS50105", err)
	}
	idp.SignInAs(User{})
	if _, err := ReadForm(byRedirect(t, idp, goodRequest)); err == nil {
		t.Error("a user is signed in after everyone has signed out")
	}
}

func TestFreshness(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{Now: func() time.Time { return now }})
	mail := DefaultUsers()[0].Mail
	authnInstant := func(r *http.Response) string {
		_, m := answered(t, r)
		return m.Assertions[0].AuthnStatement.AuthnInstant
	}
	if got, want := authnInstant(byRedirect(t, idp, goodRequest, "login_hint",
		mail)), stamp(now.Add(-10*time.Minute)); got != want {
		t.Errorf("signed in at %s, want %s", got, want)
	}
	forced := strings.Replace(goodRequest, " Version=", ` ForceAuthn="true" Version=`, 1)
	if got, want := authnInstant(byRedirect(t, idp, forced, "login_hint", mail)), stamp(now); got != want {
		t.Errorf("with ForceAuthn signed in at %s, want %s", got, want)
	}
	if got, want := authnInstant(byRedirect(t, idp, goodRequest, "user", mail)), stamp(now); got != want {
		t.Errorf("by choice signed in at %s, want %s", got, want)
	}

	idp.Register(Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
	myApps := idp.MyAppsURL() + "?app=" + url.QueryEscape(redirectURL)
	if got, want := authnInstant(get(t, myApps+"&login_hint="+mail)), stamp(now.Add(-10*time.Minute)); got != want {
		t.Errorf("from My Apps signed in at %s, want %s", got, want)
	}
	if got, want := authnInstant(get(t, myApps+"&user="+mail)), stamp(now); got != want {
		t.Errorf("from My Apps by choice signed in at %s, want %s", got, want)
	}
}

func TestPassiveRequest(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	passive := strings.Replace(goodRequest, " Version=", ` IsPassive="true" Version=`, 1)
	_, m := answered(t, byRedirect(t, idp, passive))
	if got, want := m.Status.Code.Sub.Value, "urn:oasis:names:tc:SAML:2.0:status:NoPassive"; got != want ||
		len(m.Assertions) != 0 || m.InResponseTo != "_1" {
		t.Errorf("nobody is signed in: got %+v, want status %s", m, want)
	}
	idp.SignInAs(DefaultUsers()[0])
	if _, m = answered(t, byRedirect(t, idp, passive)); len(m.Assertions) != 1 {
		t.Errorf("a user is signed in: got %+v", m.Status)
	}
}

func TestMyApps(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	if page := body(t, get(t, idp.MyAppsURL())); !strings.Contains(page,
		`href="?app=`+strings.ToLower(url.QueryEscape(redirectURL))+`"`) {
		t.Errorf("the application is not listed: %s", page)
	}
	open := func(more string) *http.Response {
		return get(t, idp.MyAppsURL()+"?app="+url.QueryEscape(redirectURL)+more)
	}
	if r := open(""); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != redirectURL {
		t.Errorf("with a Sign-on URL: %s to %q", r.Status, r.Header.Get("Location"))
	}

	idp.Register(Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
	if page := body(t, open("")); !strings.Contains(page, "Who signs in?") ||
		!strings.Contains(page, `name="app" value="`+redirectURL) {
		t.Errorf("without a Sign-on URL the page does not ask who signs in: %s", page)
	}
	if _, err := ReadForm(open("&user=" + DefaultUsers()[4].Mail)); err == nil ||
		!strings.Contains(err.Error(), "AADSTS50105: ") {
		t.Errorf("a user who is not assigned: %v, want AADSTS50105", err)
	}
	form, m := answered(t, open("&user="+DefaultUsers()[0].Mail))
	if form.Action != redirectURL || m.InResponseTo != "" || m.Assertions[0].Confirmation.InResponseTo != "" {
		t.Errorf("without a Sign-on URL: form to %q with %+v, want an unsolicited answer", form.Action, m)
	}
	if _, err := ReadForm(get(t, idp.MyAppsURL()+"?app=other")); err == nil ||
		!strings.Contains(err.Error(), "AADSTS700016") {
		t.Errorf("an application that is not registered: %v", err)
	}
}

func TestMetadataByHTTP(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	if r := get(t, idp.MetadataURL()+"?appid=x"); !strings.Contains(body(t, r), `entityID="`+idp.EntityID()+`"`) ||
		r.Header.Get("Content-Type") != "application/xml; charset=utf-8" {
		t.Errorf("the metadata comes as %s, %s", r.Status, r.Header.Get("Content-Type"))
	}
	documented := strings.Replace(idp.MetadataURL(), "federationmetadata/2007-06/federationmetadata",
		"FederationMetadata/2007-06/FederationMetadata", 1)
	if r := get(t, documented); r.StatusCode != http.StatusOK {
		t.Errorf("in the documentation's case: %s", r.Status)
	}
	for _, address := range []string{
		strings.Replace(idp.LoginURL(), idp.TenantID(), newGUID(), 1), // another tenant
		idp.LoginURL() + "/x",
	} {
		if r := get(t, address); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s, want not found", address, r.Status)
		}
	}
}

func TestBaseURLWithPath(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{})
	server := httptest.NewServer(idp)
	t.Cleanup(server.Close)
	idp.SetBaseURL(server.URL + "/entra/")
	idp.SignInAs(DefaultUsers()[0])
	if want := server.URL + "/entra/" + idp.TenantID() + "/saml2"; idp.LoginURL() != want {
		t.Fatalf("login URL %q, want %q", idp.LoginURL(), want)
	}
	answered(t, byRedirect(t, idp, goodRequest))
}

func TestReadForm(t *testing.T) {
	t.Parallel()
	page := func(kind, content string) *http.Response {
		return &http.Response{
			StatusCode: http.StatusOK,
			Header:     http.Header{"Content-Type": {kind}},
			Body:       io.NopCloser(strings.NewReader(content)),
		}
	}
	form, err := ReadForm(page("text/html; charset=utf-8",
		`<!DOCTYPE html><html><head><meta charset=utf-8><style>p > a{}</style><script>if (a<b) {}</script></head>`+
			`<body><p>A&nbsp;page<br>of ours</p><form method=post action="https://example.com/?a=1&amp;b=2"><input type=hidden name=one value="&lt;1&#34;">`+
			`<input name=two value=2><input type=submit value=Send><button disabled>Go</button></form><script>document.forms[0].submit()</script></body></html>`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(form.Action,
		form.Values), `https://example.com/?a=1&b=2map[one:[<1"] two:[2]]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, r := range map[string]*http.Response{
		"no page": page("application/json", `{}`),
		"no form": page("text/html", `<html><body><p>Hello</p></body></html>`),
		"cut off": page("text/html", `<form><input name="a" value="b`),
	} {
		if form, err := ReadForm(r); err == nil {
			t.Errorf("%s: got %v", name, form)
		}
	}
}
