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

// authnRequest holds the parts of an AuthnRequest (SAML Core 2.0, section 3.4.1) that Entra reads.
// It ignores Destination and Consent. It ignores the signature too, unless an administrator
// requires one.
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

// aadsts returns an error in the form that Entra shows, with a number from Microsoft's published
// list.
func aadsts(number int, format string, args ...any) error {
	return fmt.Errorf("AADSTS%d: %s", number, fmt.Sprintf(format, args...))
}

// errNotARequest is Entra's answer to anything that it cannot read.
var errNotARequest = aadsts(75005, "the message is not a valid SAML 2.0 authentication request")

// messageOf decodes the message that a parameter carries by either binding. It is base64; with
// HTTP-Redirect it is compressed before that (DEFLATE; SAML Bindings 2.0, sections 3.4.4.1 and 3.5.4).
func messageOf(r *http.Request, name string) ([]byte, error) {
	document, err := base64.StdEncoding.DecodeString(r.Form.Get(name))
	if err != nil || r.Method != http.MethodGet {
		return document, err
	}
	return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(document)), maxRequest))
}

// readRequest decodes an authentication request.
func readRequest(r *http.Request) (q authnRequest, err error) {
	if r.Form.Get("SAMLRequest") == "" {
		return q, aadsts(750054, "the call has no SAMLRequest; the Sign-on URL must not be the Login URL")
	}
	document, err := messageOf(r, "SAMLRequest")
	if err != nil || xml.Unmarshal(document, &q) != nil {
		return q, errNotARequest
	}
	return q, nil
}

var ncName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// judge checks a request like Entra. It returns the application that the request belongs to and the
// Reply URL for the answer. Identifier and Reply URL must match exactly, byte for byte.
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

// check checks what can be checked without knowing the application.
func (q authnRequest) check() error {
	if q.Version != "2.0" {
		return errNotARequest
	}
	if !ncName.MatchString(q.ID) {
		return aadsts(7500529, "the request ID is %q, "+
			"want an NCName, which begins with a letter or an underscore", q.ID)
	}
	if _, err := time.Parse(time.RFC3339Nano, q.IssueInstant); err != nil {
		return errNotARequest
	}
	if q.Subject != nil {
		return aadsts(900236, "the request has a Subject, which is not supported; "+
			"name the user with login_hint in the query")
	}
	if q.ProtocolBinding != "" && q.ProtocolBinding != "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" {
		return aadsts(75003, "ProtocolBinding is %q, want HTTP-POST or none", q.ProtocolBinding)
	}
	if err := q.checkAuthnContext(); err != nil {
		return err
	}
	return q.checkNameIDPolicy()
}

// checkAuthnContext refuses other contexts than classPassword. The users here signed in with a
// password and a second factor, and Entra supports only exact comparison.
func (q authnRequest) checkAuthnContext() error {
	c := q.RequestedAuthnContext
	if c == nil {
		return nil
	}
	if (c.Comparison == "" || c.Comparison == "exact") && slices.Contains(c.Classes, classPassword) {
		return nil
	}
	return aadsts(75011, "the user did not sign in with the method that RequestedAuthnContext asks for: %q %q",
		c.Comparison, c.Classes)
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

// nameIDFormat returns the Answer.NameIDFormat for the NameIDPolicy of the request, which overrides
// the setting of the application. Entra documents a pairwise identifier for the format unspecified
// too.
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
