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

const verifyUsage = `samlsp verify -metadata FILE -redirect-url URL [-request-id ID | -unsolicited] [options] FILE...

Says whether responses would be accepted, by running exactly what a sign-in runs: who signs in, or which check refuses, and
what to change. A FILE holds the XML, its base64, the form body that the browser posted, or what browsers and their tools
save: HAR, SAML-tracer's export, "Copy as cURL", fetch or PowerShell, the page with the form. - is standard input.
A form is read as the Redirect URL reads it, so what a sign-in would not even look at is refused: a message in the address,
two RelayState, a + that is not escaped and so becomes a blank.

The identity provider, one of:
    -metadata FILE          its metadata; -idp-entity-id ID picks one from a document that holds several
    -certificate FILE -idp-entity-id ID
                            its signing certificates (PEM, base64, DER or metadata) and its entity ID

The service:
    -redirect-url URL       where the response was sent: Recipient and Destination
    -entity-id ID           the service's entity ID: Audience. Default: the Redirect URL
    -key FILE               its private key in PEM, for responses that are encrypted; may be repeated

What the response answers, at most one of:
    -request-id ID          the request with this ID
    -unsolicited            no request: the identity provider sent it on its own
    Without either, the response says which request it answers, and the verdict is what would come of it if this browser
    had begun that request. A sign-in never believes the response in that.

Options:
    -n NUMBER               which of several responses in a FILE, by the number that decode shows too; without it they
                            are listed
    -at RFC3339|message     checks as at this time (2026-01-31T12:00:00Z), or as at the time at which the message says
                            that it was made, and says what would come of it now. Default: now
    -name-id email|any      what the NameID must be. Default: email, an e-mail address
    -insecure-allow-sha1    accepts RSA-SHA1 signatures and SHA-1 digests
    -json                   prints one object a line for each FILE, in order: file, accepted; if accepted: name_id,
                            name_id_format, issuer, session_index, in_response_to, assertion_id, attributes (name -> list);
                            if refused: code, message, hint; assumed_request_id where no -request-id was given ("" for
                            none), checked_at with -at message, and refused_now, the code, if it is refused at this moment

Each FILE is verified on its own: the same one twice is not a replay.

Exit status: 0 all accepted, 1 some refused, 2 usage, or a configuration or FILE that cannot be read or used. With -json a
configuration that cannot be used still gives a line for each FILE, none accepted.
`

type verifyOptions struct {
	metadata, certificate, idpEntityID string
	redirectURL, entityID              string
	keys                               []string
	requestID                          string
	number                             int
	unsolicited                        bool
	at, nameID                         string
	allowSHA1, json                    bool

	clock time.Time // with -at message: that of the response
}

// assumes reports whether the response itself says what it answers.
func (o *verifyOptions) assumes() bool { return o.requestID == "" && !o.unsolicited }

const atMessage = "message"

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
	f.IntVar(&o.number, "n", 0, "")
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
	case o.requestID != "" && o.unsolicited:
		return "-request-id and -unsolicited exclude each other: a response answers a request, or none"
	case o.nameID != "email" && o.nameID != "any":
		return fmt.Sprintf("-name-id is email or any, not %q", o.nameID)
	case o.number < 0:
		return "-n is the number of a response, from 1"
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
	switch o.at {
	case "":
	case atMessage:
		c.Now = func() time.Time { return o.clock }
	default:
		at, err := time.Parse(time.RFC3339, o.at)
		if err != nil {
			return c, fmt.Sprintf("-at is neither a time like 2026-01-31T12:00:00Z nor message: %q", o.at)
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
	data, err := t.readFile(name, recordingLimit)
	if errors.Is(err, codeFile) {
		if o.json {
			printRefusedJSON(t.stdout, name, saml.Errors(err)[0])
		} else {
			t.complain("verify", name+": "+line(saml.Errors(err)[0]))
		}
		return exitUsage
	}
	var list []response
	if err == nil {
		list, err = samlResponses(data)
	}
	if err != nil {
		return t.refused(o, name, verdict{}, err)
	}
	if o.number == 0 {
		if list = signIns(list); len(list) > 1 {
			return t.chooseOne(o, name, list)
		}
		return t.verifyResponse(o, verifier, name, list[0])
	}
	for _, r := range list {
		if r.number == o.number {
			return t.verifyResponse(o, verifier, name, r)
		}
	}
	return t.refused(o, name, verdict{}, refusal(codeForm,
		fmt.Sprintf("there is no response %d in the file. Its responses have the numbers %s", o.number, numbers(list)), ""))
}

func numbers(list []response) string {
	var all []string
	for _, r := range list {
		all = append(all, fmt.Sprint(r.number))
	}
	return strings.Join(all, ", ")
}

// chooseOne lists the responses of a file that has several.
func (t *tool) chooseOne(o *verifyOptions, name string, list []response) int {
	message := fmt.Sprintf("the file has %d responses: name one with -n NUMBER, of %s", len(list), numbers(list))
	if o.json {
		printRefusedJSON(t.stdout, name, refusal(codeForm, message, ""))
		return exitUsage
	}
	t.complain("verify", name+": "+message)
	for _, r := range list {
		fmt.Fprintf(t.stdout, "%s: response %d\n", visible(name), r.number)
		factsOf(r.value).print(t.stdout, r.where)
	}
	return exitUsage
}

// verdict is what was taken from the response itself, to be said with the outcome.
type verdict struct {
	assumed   *string    // the request that it says it answers, nil where the options say it
	checkedAt *time.Time // with -at message
	now       error      // with -at message: what would come of it at this moment
}

func (t *tool) verifyResponse(o *verifyOptions, verifier *saml.Verifier, name string, r response) int {
	if r.fault != nil {
		return t.refused(o, name, verdict{}, r.fault)
	}
	f := factsOf(r.value)
	options := saml.VerifyOptions{RequestID: o.requestID, AllowUnsolicited: o.unsolicited}
	var v verdict
	if o.assumes() {
		v.assumed = &f.requestID
		options = saml.VerifyOptions{RequestID: f.requestID, AllowUnsolicited: f.requestID == ""}
	}
	if o.at == atMessage {
		if f.issued.IsZero() {
			return t.refused(o, name, v, refusal(codeForm, "the message does not say when it was made", "Give a time with -at."))
		}
		o.clock = t.now()
		_, v.now = verifier.Verify(t.ctx, r.value, options)
		o.clock = f.issued
		v.checkedAt = &f.issued
	}
	verified, err := verifier.Verify(t.ctx, r.value, options)
	if err != nil {
		return t.refused(o, name, v, noted(err, r.note))
	}
	if o.json {
		printAcceptedJSON(t.stdout, name, verified.Assertion, options.RequestID, v)
		return exitOK
	}
	fmt.Fprintf(t.stdout, "%s: %s\n", visible(name), v.accepted())
	v.print(t.stdout)
	printIdentity(t.stdout, verified.Identity, verified.Assertion, verified.RequestID)
	return exitOK
}

// noted puts a note behind the hint of a refusal.
func noted(err error, note string) error {
	var e *saml.Error
	if !errors.As(err, &e) || note == "" {
		return err
	}
	own := *e
	own.Hint = strings.TrimSpace(own.Hint + " " + note)
	return &own
}

// accepted is the verdict on a response that passed all checks.
func (v verdict) accepted() string {
	switch {
	case v.assumed == nil:
		return "accepted"
	case *v.assumed == "":
		return "would be accepted where responses without a request (IdP-initiated) are"
	}
	return "would be accepted for request " + visible(*v.assumed)
}

// print says what the response itself decided.
func (v verdict) print(w io.Writer) {
	if v.assumed != nil {
		row(w, 2, "Request", "as the response says; a sign-in compares it with the request that this browser began (-request-id)")
	}
	if v.checkedAt == nil {
		return
	}
	row(w, 2, "Checked as at", showTime(*v.checkedAt)+", when the message says that it was made")
	now := "accepted"
	if v.now != nil {
		e := saml.Errors(v.now)[0]
		now = "refused, " + string(e.Code) + ": " + e.Message
	}
	row(w, 2, "At this moment", now)
}

func (t *tool) refused(o *verifyOptions, name string, v verdict, err error) int {
	e := saml.Errors(err)[0]
	if o.json {
		writeJSON(t.stdout, refusedJSON{File: name, Code: e.Code, Message: sentence(e), Hint: e.Hint, taken: v.taken()})
		return exitRefused
	}
	printRefused(t.stdout, name, e)
	v.print(t.stdout)
	return exitRefused
}
