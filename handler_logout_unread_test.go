package saml

import (
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/posted"
)

// protocolXML is a message of this name that has nothing in it.
func protocolXML(name string) string {
	return `<samlp:` + name + logoutNamespaces + ` ID="_m" Version="2.0"/>`
}

// TestUnreadableIsNoSignOut: only a LogoutResponse leads to the page that says that one is signed
// out, also if no more than its root can be read. Whatever else comes is refused, in words that fit
// the address.
func TestUnreadableIsNoSignOut(t *testing.T) {
	t.Parallel()
	deflated := func(xml string) string { return base64.StdEncoding.EncodeToString(rawDeflate([]byte(xml))) }
	plain := func(xml string) string { return base64.StdEncoding.EncodeToString([]byte(xml)) }
	const (
		out      = textSignedOutUnknown
		noLogout = "A message about a sign-out reached this service, and it could not be checked."
		unread   = "A message about a sign-in or sign-out reached this service, and it could not be read."
		noSignIn = "The page was opened in a way that cannot sign anybody in."
		refused  = "The response of the identity provider was refused."
		fault    = "sign-out could not be checked"
	)
	type messages map[string]struct{ value, alone, both string }
	response, request := protocolXML("LogoutResponse"), protocolXML("LogoutRequest")
	for name, row := range map[string]struct {
		binding, parameter string
		messages           messages
	}{
		"redirect": {"redirect", "SAMLResponse", messages{
			"a LogoutResponse without a Status": {deflated(response), out, out},
			"a LogoutResponse, not compressed":  {plain(response), noLogout, unread},
			"no base64":                         {"%%%", noLogout, unread},
			"nothing":                           {"", noLogout, unread},
			"no XML":                            {deflated("x"), noLogout, unread},
			"half of a LogoutResponse":          {deflated(response[:40]), noLogout, unread},
			"a DOCTYPE":                         {deflated("<!DOCTYPE x>" + response), noLogout, unread},
			"a bomb":                            {deflated(strings.Repeat(" ", 1<<20) + response), noLogout, unread},
			"a Response":                        {deflated(protocolXML("Response")), noLogout, noSignIn},
			"another root":                      {deflated("<LogoutResponse/>"), noLogout, noSignIn},
			"a LogoutRequest":                   {deflated(request), noLogout, unread},
		}},
		"redirect, as a request": {"redirect", "SAMLRequest", messages{
			"a LogoutResponse": {deflated(response), noLogout, noLogout},
			"a LogoutRequest":  {deflated(request), noLogout, noLogout},
			"no base64":        {"%%%", noLogout, noLogout},
			"a Response":       {deflated(protocolXML("Response")), noLogout, noLogout},
		}},
		"post": {"post", "SAMLResponse", messages{
			"a LogoutResponse without a Status": {plain(response), out, out},
			"base64 that ends early":            {"QUJ", noLogout, refused},
			"no XML":                            {plain("x"), noLogout, refused},
			"half of a LogoutResponse":          {plain(response[:40]), noLogout, refused},
			"a DOCTYPE":                         {plain("<!DOCTYPE x>" + response), noLogout, refused},
			"a Response without a Status":       {plain(protocolXML("Response")), noLogout, refused},
			"another root":                      {plain("<LogoutResponse/>"), noLogout, refused},
			"a LogoutRequest":                   {plain(request), noLogout, refused},
		}},
		"post, as a request": {"post", "SAMLRequest", messages{
			"a LogoutResponse": {plain(response), noLogout, noLogout},
			"a LogoutRequest":  {plain(request), noLogout, noLogout},
			"no base64":        {"%%%", noLogout, noLogout},
		}},
		"soap": {"soap", "", messages{
			"a LogoutResponse": {soapEnvelope(response), fault, fault},
			"no XML":           {"x", fault, fault},
		}},
	} {
		l := newLogoutSite(t, newSampleLogout(), nil)
		for what, m := range row.messages {
			for path, want := range map[string]string{l.sp.LogoutPath(): m.alone, l.sp.RedirectPath(): m.both} {
				a := l.do(unreadRequest(t, l.server.URL+path, row.binding, row.parameter, m.value))
				saysOut := strings.Contains(a.body, textSignedOut)
				if !strings.Contains(html.UnescapeString(a.body), want) || saysOut != (want == out) ||
					(a.StatusCode == http.StatusOK) != (want == out) {
					t.Errorf("%s, %s, at %s: got status %d, want %q: %s", name, what, path, a.StatusCode, want, a.body)
				}
			}
		}
		l.wantEnded(name)
	}
}

// unreadRequest brings a value by a binding, a form as our own page posts it.
func unreadRequest(t *testing.T, address, binding, parameter, value string) *http.Request {
	t.Helper()
	method, kind, body := "POST", formType, url.Values{parameter: {value}, posted.Leg: {"2"}}.Encode()
	switch binding {
	case "redirect":
		method, kind, body, address = "GET", "", "", address+"?"+url.Values{parameter: {value}}.Encode()
	case "soap":
		kind, body = "text/xml", value
	}
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", "text/html")
	return r
}
