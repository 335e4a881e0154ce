package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml"
)

const verifyUsage = `samlsp verify -metadata FILE -redirect-url URL (-request-id ID | -unsolicited) [options] FILE...

Says whether responses would be accepted, by running exactly what a sign-in runs: who signs in, or which check refuses, and
what to change. A FILE holds the XML, its base64, or the form body that the browser posted; - is standard input.

The identity provider, one of:
    -metadata FILE          its metadata; -idp-entity-id ID picks one from a document that holds several
    -certificate FILE -idp-entity-id ID
                            its signing certificates (PEM, base64, DER or metadata) and its entity ID

The service:
    -redirect-url URL       where the response was sent: Recipient and Destination
    -entity-id ID           the service's entity ID: Audience. Default: the Redirect URL
    -key FILE               its private key in PEM, for responses that are encrypted; may be repeated

What the response answers, one of:
    -request-id ID          the request with this ID
    -unsolicited            no request: the identity provider sent it on its own

Options:
    -at RFC3339             checks as at this time (2026-01-31T12:00:00Z). Default: now
    -name-id email|any      what the NameID must be. Default: email, an e-mail address
    -insecure-allow-sha1    accepts RSA-SHA1 signatures and SHA-1 digests
    -json                   prints one object a line for each FILE, in order: file, accepted; if accepted: name_id,
                            name_id_format, issuer, session_index, in_response_to, assertion_id, attributes (name -> list);
                            if refused: code, message, hint

Each FILE is verified on its own: the same one twice is not a replay.

Exit status: 0 all accepted, 1 some refused, 2 usage, or a configuration or FILE that cannot be read or used. With -json a
configuration that cannot be used still gives a line for each FILE, none accepted.
`

type verifyOptions struct {
	metadata, certificate, idpEntityID string
	redirectURL, entityID              string
	keys                               []string
	requestID                          string
	unsolicited                        bool
	at, nameID                         string
	allowSHA1, json                    bool
}

func (o *verifyOptions) flags() *flag.FlagSet {
	f := flag.NewFlagSet("verify", flag.ContinueOnError)
	f.StringVar(&o.metadata, "metadata", "", "")
	f.StringVar(&o.certificate, "certificate", "", "")
	f.StringVar(&o.idpEntityID, "idp-entity-id", "", "")
	f.StringVar(&o.redirectURL, "redirect-url", "", "")
	f.StringVar(&o.entityID, "entity-id", "", "")
	f.Func("key", "", func(name string) error {
		o.keys = append(o.keys, name)
		return nil
	})
	f.StringVar(&o.requestID, "request-id", "", "")
	f.BoolVar(&o.unsolicited, "unsolicited", false, "")
	f.StringVar(&o.at, "at", "", "")
	f.StringVar(&o.nameID, "name-id", "email", "")
	f.BoolVar(&o.allowSHA1, "insecure-allow-sha1", false, "")
	f.BoolVar(&o.json, "json", false, "")
	return f
}

// fault says what is wrong with the options, "" if nothing is.
func (o *verifyOptions) fault(files []string) string {
	switch {
	case o.metadata == "" && o.certificate == "":
		return "say whom to trust: -metadata FILE, or -certificate FILE with -idp-entity-id ID"
	case o.metadata != "" && o.certificate != "":
		return "-metadata and -certificate exclude each other"
	case o.certificate != "" && o.idpEntityID == "":
		return "-certificate needs -idp-entity-id ID, the identity provider's entity ID (Microsoft Entra Identifier)"
	case o.redirectURL == "":
		return "say where the response was sent: -redirect-url URL"
	case o.requestID == "" && !o.unsolicited:
		return "say what the response answers: -request-id ID, the ID of the AuthnRequest that this browser was sent off with, or -unsolicited, " +
			"where the identity provider sent the response without a request. The response itself must not decide that: it could be an answer for somebody else"
	case o.requestID != "" && o.unsolicited:
		return "-request-id and -unsolicited exclude each other: a response answers a request, or none"
	case o.nameID != "email" && o.nameID != "any":
		return fmt.Sprintf("-name-id is email or any, not %q", o.nameID)
	case len(files) == 0:
		return "name a file with a response, or - for standard input"
	}
	inputs := 0
	for _, name := range slices.Concat([]string{o.metadata, o.certificate}, o.keys, files) {
		if name == "-" {
			inputs++
		}
	}
	if inputs > 1 {
		return "standard input can be only one of the files"
	}
	return ""
}

func (t *tool) verify(args []string) int {
	var o verifyOptions
	flags := o.flags()
	if status, ok := t.parse(flags, verifyUsage, args); !ok {
		return status
	}
	files := flags.Args()
	if why := o.fault(files); why != "" {
		return t.misused("verify", why)
	}
	config, why := o.config(t.now)
	if why != "" {
		return t.misused("verify", why)
	}
	verifier, err := t.verifier(&o, config)
	if err != nil {
		return t.unusable(&o, files, err)
	}
	status := exitOK
	for _, name := range files {
		status = max(status, t.verifyFile(&o, verifier, name))
	}
	return status
}

// config is all but the keys. why says what is wrong with an option, "" if nothing is.
func (o *verifyOptions) config(now func() time.Time) (c saml.VerifierConfig, why string) {
	redirect, err := url.Parse(o.redirectURL)
	if err != nil || redirect.Host == "" || redirect.User != nil || strings.Contains(o.redirectURL, "#") ||
		redirect.Scheme != "https" && redirect.Scheme != "http" {
		return c, fmt.Sprintf("-redirect-url is not an absolute URL without user name and fragment: %q", o.redirectURL)
	}
	c = saml.VerifierConfig{
		Issuer:       o.idpEntityID,
		EntityID:     cmp.Or(o.entityID, o.redirectURL),
		RedirectURLs: []string{o.redirectURL},
		Now:          now,

		InsecureAllowSHA1: o.allowSHA1,
		InsecureAllowHTTP: true, // this tool sends no browser anywhere
	}
	if o.nameID == "any" {
		c.NameID = saml.AllowAnyNameID
	}
	if o.at != "" {
		at, err := time.Parse(time.RFC3339, o.at)
		if err != nil {
			return c, fmt.Sprintf("-at is not a time like 2026-01-31T12:00:00Z: %q", o.at)
		}
		c.Now = func() time.Time { return at }
	}
	return c, ""
}

// verifier reads the keys. Faults of the certificate and of other options are reported together.
func (t *tool) verifier(o *verifyOptions, c saml.VerifierConfig) (*saml.Verifier, error) {
	name := o.metadata + o.certificate // one is empty
	data, err := t.readFile(name, metadataLimit)
	if err != nil {
		return nil, in(name, err)
	}
	if o.metadata != "" {
		idp, err := parseMetadata(data, o.idpEntityID, "-idp-entity-id")
		if err != nil {
			return nil, in(name, err)
		}
		c.Issuer, c.Keys = idp.EntityID(), idp.Keys()
	} else {
		c.Keys, err = saml.ParseKeys(data)
		err = in(name, err)
	}
	var keysErr error
	if c.DecryptionKeys, keysErr = t.decryptionKeys(o.keys); keysErr != nil {
		return nil, keysErr
	}
	verifier, faults := saml.NewVerifier(c)
	if err == nil {
		return verifier, faults
	}
	var others []error // than that there is no key, which err explains
	for _, e := range saml.Errors(faults) {
		if e.Field != "Keys" {
			others = append(others, e)
		}
	}
	return nil, errors.Join(append(others, err)...)
}

// in puts the name of a file before what is wrong with it.
func in(name string, err error) error {
	var e *saml.Error
	if errors.As(err, &e) {
		e.Message = name + ": " + e.Message
	}
	return err
}

// unusable reports a configuration that no file can be verified with.
func (t *tool) unusable(o *verifyOptions, files []string, err error) int {
	faults := saml.Errors(err)
	for _, e := range faults {
		t.complain("verify", line(e))
	}
	if o.json {
		for _, name := range files {
			printRefusedJSON(t.stdout, name, faults[0])
		}
	}
	return exitUsage
}

// verifyFile verifies one response. Nothing is claimed: a response that was used before is
// accepted, and a file may be named twice.
func (t *tool) verifyFile(o *verifyOptions, verifier *saml.Verifier, name string) int {
	status := exitRefused
	data, err := t.readFile(name, messageLimit)
	if errors.Is(err, codeFile) {
		status = exitUsage
	}
	var value string
	if err == nil {
		value, err = samlResponse(data)
	}
	var verified *saml.VerifiedResponse
	if err == nil {
		verified, err = verifier.Verify(t.ctx, value,
			saml.VerifyOptions{RequestID: o.requestID, AllowUnsolicited: o.unsolicited})
	}
	switch {
	case status == exitUsage && !o.json:
		t.complain("verify", name+": "+line(saml.Errors(err)[0]))
	case err != nil && o.json:
		printRefusedJSON(t.stdout, name, saml.Errors(err)[0])
	case err != nil:
		printRefused(t.stdout, name, saml.Errors(err)[0])
	case o.json:
		printAcceptedJSON(t.stdout, name, verified.Assertion, o.requestID)
	default:
		fmt.Fprintf(t.stdout, "%s: accepted\n", visible(name))
		printIdentity(t.stdout, verified.Identity, verified.Assertion, verified.RequestID)
	}
	if err != nil {
		return status
	}
	return exitOK
}

func printRefused(w io.Writer, name string, e *saml.Error) {
	fmt.Fprintf(w, "%s: refused\n", visible(name))
	row(w, 2, "Code", string(e.Code))
	row(w, 2, "Check", e.Check)
	message := e.Message
	if cause := e.Unwrap(); cause != nil {
		message += ": " + cause.Error()
	}
	row(w, 2, "Message", message)
	row(w, 2, "Got", e.Got)
	row(w, 2, "Want", e.Want)
	row(w, 2, "Hint", e.Hint)
}

// printIdentity prints who signed in and all that the assertion says. requestID is what it should
// answer, "" for nothing.
func printIdentity(w io.Writer, i *saml.Identity, a *saml.Assertion, requestID string) {
	object, nameID := i.ObjectKey, i.NameIDKey
	row(w, 2, "NameID", a.NameID.Value)
	row(w, 2, "NameID format", a.NameID.Format)
	row(w, 2, "NameQualifier", a.NameID.NameQualifier)
	row(w, 2, "SPNameQualifier", a.NameID.SPNameQualifier)
	row(w, 2, "E-mail claim", i.EmailClaim)
	row(w, 2, "Username", i.Username)
	row(w, 2, "Name", i.Name)
	row(w, 2, "Given name", i.GivenName)
	row(w, 2, "Surname", i.Surname)
	rows(w, 2, "Groups", i.Groups)
	overage := "no"
	if i.GroupsOverage {
		overage = "yes: the identity provider sends a link, the user is in more groups"
	}
	row(w, 2, "Groups left out", overage)
	rows(w, 2, "Roles", i.Roles)
	row(w, 2, "Object ID", i.ObjectID)
	row(w, 2, "Tenant ID", i.TenantID)
	row(w, 2, "Home identity provider", i.HomeIdentityProvider)
	row(w, 2, "Account key, object", object)
	row(w, 2, "Account key, NameID", nameID)
	row(w, 2, "Issuer", a.Issuer.Value)
	row(w, 2, "Assertion ID", a.ID)
	row(w, 2, "Issued", showTime(a.IssueInstant))
	row(w, 2, "Not before", showTime(a.Conditions.NotBefore))
	row(w, 2, "Not on or after", showTime(a.Conditions.NotOnOrAfter))
	for _, audiences := range a.Conditions.Audiences {
		row(w, 2, "Audience", strings.Join(audiences, " or "))
	}
	row(w, 2, "In response to", answered(a, requestID))
	for _, s := range a.Statements {
		row(w, 2, "Signed in", showTime(s.AuthnInstant))
		row(w, 2, "Signed in by", s.ContextClass)
		row(w, 2, "Session index", s.SessionIndex)
		row(w, 2, "Session ends", showTime(s.SessionNotOnOrAfter))
	}
	fmt.Fprintln(w, "  Attributes")
	for _, attribute := range a.Attributes {
		fmt.Fprintf(w, "    %s\n", visible(attribute.Name))
		for _, value := range attribute.Values {
			fmt.Fprintf(w, "      %s\n", visible(value))
		}
	}
}

type acceptedJSON struct {
	File         string              `json:"file"`
	Accepted     bool                `json:"accepted"`
	NameID       string              `json:"name_id"`
	NameIDFormat string              `json:"name_id_format"`
	Issuer       string              `json:"issuer"`
	SessionIndex string              `json:"session_index"`
	InResponseTo string              `json:"in_response_to"`
	AssertionID  string              `json:"assertion_id"`
	Attributes   map[string][]string `json:"attributes"`
}

type refusedJSON struct {
	File     string    `json:"file"`
	Accepted bool      `json:"accepted"`
	Code     saml.Code `json:"code"`
	Message  string    `json:"message"`
	Hint     string    `json:"hint"`
}

func printAcceptedJSON(w io.Writer, name string, a *saml.Assertion, requestID string) {
	j := acceptedJSON{File: name, Accepted: true, NameID: a.NameID.Value, NameIDFormat: a.NameID.Format,
		Issuer:       a.Issuer.Value,
		SessionIndex: sessionIndex(a), InResponseTo: answered(a,
			requestID), AssertionID: a.ID, Attributes: map[string][]string{}}
	for _, attribute := range a.Attributes {
		j.Attributes[attribute.Name] = append([]string{}, attribute.Values...) // [] rather than null
	}
	writeJSON(w, j)
}

func printRefusedJSON(w io.Writer, name string, e *saml.Error) {
	writeJSON(w, refusedJSON{File: name, Code: e.Code, Message: sentence(e), Hint: e.Hint})
}

// sessionIndex is that of the first AuthnStatement that has one.
func sessionIndex(a *saml.Assertion) string {
	for _, s := range a.Statements {
		if s.SessionIndex != "" {
			return s.SessionIndex
		}
	}
	return ""
}

// answered is the request that the assertion answers: requestID, where a confirmation names it.
// Others that it has did not count.
func answered(a *saml.Assertion, requestID string) string {
	for _, c := range a.Confirmations {
		if c.InResponseTo == requestID {
			return requestID
		}
	}
	return ""
}
