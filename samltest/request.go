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
	"time"
)

// authnRequest is what Entra looks at in an AuthnRequest (SAML Core 2.0, section 3.4.1). Destination, Consent and,
// unless an administrator demands one, the signature mean nothing to it.
type authnRequest struct {
	XMLName         xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:protocol AuthnRequest"`
	ID              string   `xml:"ID,attr"`
	Version         string   `xml:"Version,attr"`
	IssueInstant    string   `xml:"IssueInstant,attr"`
	ProtocolBinding string   `xml:"ProtocolBinding,attr"`
	ReplyURL        string   `xml:"AssertionConsumerServiceURL,attr"`
	ForceAuthn      bool     `xml:"ForceAuthn,attr"`
	IsPassive       bool     `xml:"IsPassive,attr"`
	Issuer          string   `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	NameIDPolicy    struct {
		Format          string `xml:"Format,attr"`
		SPNameQualifier string `xml:"SPNameQualifier,attr"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:protocol NameIDPolicy"`
	RequestedAuthnContext *struct {
		Comparison string   `xml:"Comparison,attr"`
		Classes    []string `xml:"urn:oasis:names:tc:SAML:2.0:assertion AuthnContextClassRef"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:protocol RequestedAuthnContext"`
	Subject *struct{} `xml:"urn:oasis:names:tc:SAML:2.0:assertion Subject"`
}

// aadsts is an error as Entra shows it, with a number of its published list.
func aadsts(number int, format string, args ...any) error {
	return fmt.Errorf("AADSTS%d: %s", number, fmt.Sprintf(format, args...))
}

// errNotARequest is what Entra says to anything that it cannot read.
var errNotARequest = aadsts(75005, "the message is not a valid SAML 2.0 authentication request")

// readRequest decodes the request of either binding: base64, and by HTTP-Redirect deflated before (SAML Bindings 2.0, sections 3.4.4.1 and 3.5.4).
func readRequest(r *http.Request) (q authnRequest, err error) {
	value := r.Form.Get("SAMLRequest")
	if value == "" {
		return q, aadsts(750054, "there is neither SAMLRequest nor SAMLResponse in the call; was the Login URL entered as Sign-on URL?")
	}
	document, err := base64.StdEncoding.DecodeString(value)
	if err == nil && r.Method == http.MethodGet {
		document, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(document)), maxRequest))
	}
	if err != nil || xml.Unmarshal(document, &q) != nil {
		return q, errNotARequest
	}
	return q, nil
}

var ncName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// judge says what Entra says to a request: to which application it belongs, and where the answer goes. Identifier and Reply URL are compared
// literally.
func (p *IdentityProvider) judge(q authnRequest) (app Application, replyURL string, err error) {
	if err := q.check(); err != nil {
		return app, "", err
	}
	app, ok := p.application(q.Issuer)
	if !ok {
		return app, "", aadsts(700016, "no application has the Identifier %q in the directory %s", q.Issuer, p.tenant)
	}
	if len(app.ReplyURLs) == 0 {
		return app, "", aadsts(900971, "the application %q has no Reply URL", q.Issuer)
	}
	if q.ReplyURL == "" {
		return app, app.ReplyURLs[0], nil
	}
	if !slices.Contains(app.ReplyURLs, q.ReplyURL) {
		return app, "", aadsts(50011, "%q is not a Reply URL of the application %q", q.ReplyURL, q.Issuer)
	}
	return app, q.ReplyURL, nil
}

// check looks at the request alone.
func (q authnRequest) check() error {
	if q.Version != "2.0" {
		return errNotARequest
	}
	if !ncName.MatchString(q.ID) {
		return aadsts(7500529, "the request ID %q is not an NCName: a letter or an underscore comes first", q.ID)
	}
	if _, err := time.Parse(time.RFC3339Nano, q.IssueInstant); err != nil {
		return errNotARequest
	}
	if q.Subject != nil {
		return aadsts(900236, "a request must not hold a Subject; login_hint in the query names the user")
	}
	if q.ProtocolBinding != "" && q.ProtocolBinding != "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" {
		return aadsts(75003, "the binding %q is not supported for answers", q.ProtocolBinding)
	}
	if err := q.checkAuthnContext(); err != nil {
		return err
	}
	return q.checkNameIDPolicy()
}

// checkAuthnContext: the users here signed in with a password and a second factor, and Entra compares exactly.
func (q authnRequest) checkAuthnContext() error {
	c := q.RequestedAuthnContext
	if c == nil || (c.Comparison == "" || c.Comparison == "exact") && slices.Contains(c.Classes, classPassword) {
		return nil
	}
	return aadsts(75011, "the user did not sign in by the method that RequestedAuthnContext asks for: %q %q", c.Comparison, c.Classes)
}

func (q authnRequest) checkNameIDPolicy() error {
	if q.NameIDPolicy.SPNameQualifier != "" {
		return aadsts(90011, "SPNameQualifier in NameIDPolicy is not supported")
	}
	switch q.NameIDPolicy.Format {
	case "", FormatEmail, FormatUnspecified, FormatPersistent, FormatTransient:
		return nil
	}
	return aadsts(75016, "NameIDPolicy asks for the format %q, which is not supported", q.NameIDPolicy.Format)
}

// nameIDFormat gives the Answer.NameIDFormat that follows from a NameIDPolicy, which overrides the application's setting: Entra documents a
// pairwise identifier for the format unspecified too.
func (q authnRequest) nameIDFormat() string {
	switch format := q.NameIDPolicy.Format; format {
	case FormatUnspecified:
		return FormatPersistent
	case FormatEmail:
		return ""
	default:
		return format
	}
}
