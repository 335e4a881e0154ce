package samltest

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
)

// request is what the provider reads in an AuthnRequest.
type request struct {
	XMLName      xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:protocol AuthnRequest"`
	ID           string   `xml:"ID,attr"`
	Version      string   `xml:"Version,attr"`
	Binding      string   `xml:"ProtocolBinding,attr"`
	RedirectURL  string   `xml:"AssertionConsumerServiceURL,attr"`
	ForceAuthn   bool     `xml:"ForceAuthn,attr"`
	Issuer       string   `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	NameIDFormat string
	Policy       *struct {
		Format          string `xml:"Format,attr"`
		SPNameQualifier string `xml:"SPNameQualifier,attr"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:protocol NameIDPolicy"`
	Context *struct {
		Classes []string `xml:"urn:oasis:names:tc:SAML:2.0:assertion AuthnContextClassRef"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:protocol RequestedAuthnContext"`
	Subject *struct{} `xml:"urn:oasis:names:tc:SAML:2.0:assertion Subject"`
}

// aadsts is an error as Entra shows it.
func aadsts(number int, format string, args ...any) error {
	return fmt.Errorf("AADSTS%d: %s", number, fmt.Sprintf(format, args...))
}

// readRequest decodes the request of either binding and judges it.
func (p *IdentityProvider) readRequest(r *http.Request) (*request, Application, error) {
	value := r.Form.Get("SAMLRequest")
	if value == "" {
		return nil, Application{}, aadsts(750054, "there is no SAMLRequest: was the Sign-on URL set to the Login URL?")
	}
	document, err := base64.StdEncoding.DecodeString(value)
	if err == nil && r.Method == http.MethodGet {
		document, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(document)), maxRequest))
	}
	var q request
	if err == nil {
		err = xml.Unmarshal(document, &q)
	}
	if err != nil {
		return nil, Application{}, aadsts(75005, "this is not an authentication request of SAML 2.0")
	}
	app, err := p.judge(&q)
	return &q, app, err
}

var ncName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// judge is what Entra says to a request. The numbers are those of its error reference.
func (p *IdentityProvider) judge(q *request) (Application, error) {
	switch {
	case !ncName.MatchString(q.ID):
		return Application{}, aadsts(7500529, "the request ID %q is not an NCName", q.ID)
	case q.Version != "2.0":
		return Application{}, aadsts(75005, "this is not an authentication request of SAML 2.0")
	case q.Subject != nil:
		return Application{}, aadsts(900236, "a request must not have a Subject; use login_hint")
	}
	app, ok := p.application(q.Issuer)
	if !ok {
		return Application{}, aadsts(700016, "no application has the Identifier %q in directory %s", q.Issuer, p.tenant)
	}
	switch {
	case len(app.ReplyURLs) == 0:
		return Application{}, aadsts(900971, "the application has no Reply URL")
	case q.RedirectURL == "":
		q.RedirectURL = app.ReplyURLs[0]
	case !slices.Contains(app.ReplyURLs, q.RedirectURL):
		return Application{}, aadsts(50011, "%q is not a Reply URL of the application %q", q.RedirectURL, q.Issuer)
	}
	if q.Binding != "" && q.Binding != "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" {
		return Application{}, aadsts(75003, "responses cannot be sent by the binding %q", q.Binding)
	}
	if q.Context != nil && !slices.Contains(q.Context.Classes, "urn:oasis:names:tc:SAML:2.0:ac:classes:Password") {
		return Application{}, aadsts(75011, "the user signed in by another method than RequestedAuthnContext asks for")
	}
	return app, p.judgePolicy(q)
}

// judgePolicy: the format of a NameIDPolicy overrides the portal's setting.
func (p *IdentityProvider) judgePolicy(q *request) error {
	if q.Policy == nil {
		return nil
	}
	if q.Policy.SPNameQualifier != "" {
		return aadsts(90011, "NameIDPolicy must not have an SPNameQualifier")
	}
	switch q.Policy.Format {
	case "", FormatEmail:
	case FormatPersistent, "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified":
		q.NameIDFormat = FormatPersistent
	default:
		return aadsts(75016, "NameIDPolicy asks for the format %q, which is not supported", q.Policy.Format)
	}
	return nil
}
