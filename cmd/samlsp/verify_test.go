package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/samltest"
)

// answer makes a response that verify accepts for requestID, after the changes of a.
func answer(t *testing.T, idp *samltest.IdentityProvider, a samltest.Answer) []byte {
	t.Helper()
	if a.Recipient == "" {
		a.Recipient = redirectURL
	}
	document, err := idp.RespondXML(a)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// arguments are the usual ones, before more options and the files.
func arguments(metadata string, more ...string) []string {
	return append([]string{"verify", "-metadata", metadata, "-redirect-url", redirectURL}, more...)
}

func TestVerifyAccepted(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	user := samltest.DefaultUsers()[0]
	name := tempFile(t, "response.xml", answer(t, idp, samltest.Answer{RequestID: requestID}))
	r := samlsp(t, arguments(metadataOf(t, idp), "-request-id", requestID, name)...)
	if r.code != exitOK || r.stderr != "" || !strings.HasPrefix(r.stdout, name+": accepted\n") {
		t.Fatalf("got %+v", r)
	}
	for label, value := range map[string]string{
		"NameID": user.Mail, "NameID format": samltest.FormatEmail, "E-mail claim": user.Mail, "Username": user.UserPrincipalName,
		"Name": user.DisplayName, "Given name": user.GivenName, "Surname": user.Surname, "Groups": user.Groups[0], "Groups left out": "no",
		"Roles": user.Roles[0], "Object ID": user.ObjectID, "Tenant ID": idp.TenantID(), "Home identity provider": idp.EntityID(),
		"Issuer": idp.EntityID(), "Audience": redirectURL, "In response to": requestID, "Session ends": "-",
	} {
		hasRow(t, r.stdout, label, value)
	}
	contains(t, r.stdout, user.Groups[1], user.Groups[2], "Account key, object", "v1/oid/", "v1/nid/",
		"\n    http://schemas.microsoft.com/identity/claims/objectidentifier\n      "+user.ObjectID+"\n")
}

func TestVerifyAcceptedJSON(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	user := samltest.DefaultUsers()[0]
	name := tempFile(t, "response.xml", answer(t, idp, samltest.Answer{RequestID: requestID}))
	r := samlsp(t, arguments(metadataOf(t, idp), "-request-id", requestID, "-json", name)...)
	if r.code != exitOK || r.stderr != "" || strings.Count(r.stdout, "\n") != 1 {
		t.Fatalf("got %+v", r)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatal(err)
	}
	hasKeys(t, got, "file", "accepted", "name_id", "name_id_format", "issuer", "session_index", "in_response_to",
		"assertion_id", "attributes")
	for key, want := range map[string]any{"file": name, "accepted": true, "name_id": user.Mail,
		"name_id_format": samltest.FormatEmail,
		"issuer":         idp.EntityID(), "in_response_to": requestID, "session_index": got["assertion_id"]} { // as with Entra
		if got[key] != want {
			t.Errorf("%s: got %v, want %v", key, got[key], want)
		}
	}
	groups := got["attributes"].(map[string]any)["http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"]
	if fmt.Sprint(groups) != fmt.Sprint(user.Groups) || got["assertion_id"] == "" {
		t.Errorf("got %v", got)
	}
}

// TestVerifyForms: the same response in every form that it may be copied in.
func TestVerifyForms(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	document := answer(t, idp, samltest.Answer{RequestID: requestID, Style: samltest.Pretty})
	value := base64.StdEncoding.EncodeToString(document)
	var lines strings.Builder
	for chunk := range slices.Chunk([]byte(value), 76) {
		lines.WriteString(string(chunk) + "\r\n")
	}
	form := url.Values{"SAMLResponse": {value}, "RelayState": {"/jobs?a=1&b=2"}}.Encode()
	for _, c := range []struct{ what, data string }{
		{"XML", string(document)},
		{"XML with a byte order mark", "\uFEFF" + string(document)},
		{"base64", value},
		{"base64 with a line end", value + "\n"},
		{"base64 with a byte order mark", "\uFEFF" + value},
		{"base64 in lines", lines.String()},
		{"a form value as a browser's tools show it", url.QueryEscape(value)},
		{"a form body with RelayState before it", form},
		{"a form body with RelayState behind it", "SAMLResponse=" + url.QueryEscape(value) + "&RelayState=x\n"},
	} {
		r := samlspWith(t, strings.NewReader(c.data), arguments(metadata, "-request-id", requestID, "-")...)
		if r.code != exitOK || !strings.HasPrefix(r.stdout, "-: accepted\n") {
			t.Errorf("%s: got %+v", c.what, r)
		}
	}
}

func TestVerifyRefused(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	stranger := samltest.MustNew(t, samltest.Options{TenantID: idp.TenantID()}) // with a key of its own
	metadata := metadataOf(t, idp)
	good := answer(t, idp, samltest.Answer{RequestID: requestID})
	value := base64.StdEncoding.EncodeToString(good)
	for _, c := range []struct {
		what, data string
		options    []string
		code       string
		words      []string // of message and hint
	}{
		{"another audience", string(answer(t, idp,
			samltest.Answer{RequestID: requestID, Audience: "https://other.example.com"})), nil,
			"audience", []string{"another service", "https://other.example.com", redirectURL,
				"Identifier (Entity ID) must be our entity ID"}},
		{"another request", string(answer(t, idp, samltest.Answer{RequestID: "_other"})), nil, "in_response_to",
			[]string{"_other", requestID, "Sign in again"}},
		{"another Redirect URL",
			string(answer(t, idp, samltest.Answer{RequestID: requestID,
				Recipient: "https://old.example.com/acs"})), nil,
			"destination", []string{"https://old.example.com/acs"}},
		{"a stranger's key", string(answer(t, stranger, samltest.Answer{RequestID: requestID})), nil, "signature",
			[]string{"SHA-1 thumbprint"}},
		{"an unsigned response",
			string(answer(t, idp, samltest.Answer{RequestID: requestID,
				Sign: samltest.SignNothing})), nil, "unsigned", nil},
		{"SHA-1", string(answer(t, idp, samltest.Answer{RequestID: requestID, Algorithm: samltest.RSASHA1})), nil,
			"signature_algorithm", nil},
		{"an old response", string(good), []string{"-at", time.Now().Add(48 * time.Hour).Format(time.RFC3339)},
			"too_old", nil},
		{"a name that is no address", string(answer(t, idp, samltest.Answer{RequestID: requestID, NameID: "grace"})),
			nil,
			"name_id_not_email", []string{`"grace"`, "e-mail address"}},
		{"an error of Entra", string(answer(t, idp,
			samltest.Answer{RequestID: requestID, Status: "urn:oasis:names:tc:SAML:2.0:status:Responder",
				StatusMessage: "AADSTS50105: not assigned"})), nil, "status", []string{"AADSTS50105", "Users and groups"}},
		{"an empty file", "", nil, "response_missing", nil},
		{"no base64", "lorem ipsum!", nil, "base64", nil},
		{"bytes that are no text", "\xff\x00<\x00", nil, "encoding", nil},
		{"a request", "<AuthnRequest xmlns='urn:oasis:names:tc:SAML:2.0:protocol'/>", nil, "not_a_response",
			[]string{"AuthnRequest"}},
		{"two responses in a form", "SAMLResponse=" + url.QueryEscape(value) + "&SAMLResponse=" +
			url.QueryEscape(value), nil, "form", []string{"2 fields SAMLResponse, and not one"}},
		{"a form with a request only", "SAMLRequest=" + url.QueryEscape(value), nil, "form",
			[]string{"exactly one SAMLResponse"}},
		{"a damaged form", "SAMLResponse=%zz", nil, "form", []string{"Copy the whole body"}},
		{"a large file", strings.Repeat("A", 8<<20+1), nil, "too_large", []string{"not a SAML message"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			name := tempFile(t, "file", []byte(c.data))
			args := append(c.options, "-request-id", requestID)
			text := samlsp(t, arguments(metadata, append(args, name)...)...)
			if text.code != exitRefused || text.stderr != "" || !strings.HasPrefix(text.stdout, name+": refused\n") {
				t.Errorf("got %+v", text)
			}
			hasRow(t, text.stdout, "Code", c.code)
			contains(t, text.stdout, append(c.words, "\n  Check ", "\n  Message ", "\n  Got ", "\n  Want ",
				"\n  Hint ")...)

			r := samlsp(t, arguments(metadata, append(args, "-json", name)...)...)
			var got map[string]any
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != exitRefused || r.stderr != "" {
				t.Fatalf("%v: %+v", err, r)
			}
			hasKeys(t, got, "file", "accepted", "code", "message", "hint")
			if got["file"] != name || got["accepted"] != false || got["code"] != c.code || got["message"] == "" {
				t.Errorf("got %v", got)
			}
			contains(t, fmt.Sprint(got["message"], " ", got["hint"]), c.words...)
		})
	}
}

func TestVerifyOptions(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata, certificate := metadataOf(t, idp), tempFile(t, "idp.pem", idp.CertificatePEM())
	pasted := []string{"verify", "-certificate", certificate, "-idp-entity-id", idp.EntityID(), "-redirect-url",
		redirectURL}
	later := time.Now().Add(-90 * 24 * time.Hour)
	earlier := newIDP(t, samltest.Options{Now: func() time.Time { return later }})
	for _, c := range []struct {
		what   string
		answer samltest.Answer
		idp    *samltest.IdentityProvider
		args   []string
	}{
		{"a certificate and an entity ID in place of metadata", samltest.Answer{RequestID: requestID}, idp,
			append(slices.Clone(pasted), "-request-id", requestID)},
		{"a response that nobody asked for", samltest.Answer{}, idp, arguments(metadata, "-unsolicited")},
		{"an entity ID that is not the Redirect URL", samltest.Answer{RequestID: requestID, Audience: "urn:console"},
			idp,
			arguments(metadata, "-entity-id", "urn:console", "-request-id", requestID)},
		{"a name that is no address", samltest.Answer{RequestID: requestID, NameID: "grace"}, idp,
			arguments(metadata, "-name-id", "any", "-request-id", requestID)},
		{"SHA-1", samltest.Answer{RequestID: requestID, Algorithm: samltest.RSASHA1}, idp,
			arguments(metadata, "-insecure-allow-sha1", "-request-id", requestID)},
		{"a time in the past", samltest.Answer{RequestID: requestID}, earlier,
			arguments(metadataOf(t, earlier), "-at", later.Format(time.RFC3339), "-request-id", requestID)},
		{"a Redirect URL with a query",
			samltest.Answer{RequestID: requestID, Recipient: "https://sp.example.com/saml?acs"}, idp,
			[]string{"verify", "-metadata", metadata, "-redirect-url", "https://sp.example.com/saml?acs",
				"-request-id", requestID}},
		{"a Redirect URL without a path", samltest.Answer{RequestID: requestID, Recipient: "http://sp.example.com"},
			idp,
			[]string{"verify", "-metadata", metadata, "-redirect-url", "http://sp.example.com", "-request-id",
				requestID}},
		{"a Redirect URL with an escape in its path",
			samltest.Answer{RequestID: requestID, Recipient: "https://sp.example.com/a%2Fb%20c"}, idp,
			[]string{"verify", "-metadata", metadata, "-redirect-url", "https://sp.example.com/a%2Fb%20c",
				"-request-id", requestID}},
	} {
		name := tempFile(t, "response.xml", answer(t, c.idp, c.answer))
		if r := samlsp(t, append(c.args, name)...); r.code != exitOK {
			t.Errorf("%s: got %+v", c.what, r)
		}
	}
}

// TestVerifyFiles: each file has its verdict, in order, whatever becomes of the others.
func TestVerifyFiles(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	good := tempFile(t, "good.xml", answer(t, idp, samltest.Answer{RequestID: requestID}))
	bad := tempFile(t, "bad.xml", answer(t, idp, samltest.Answer{RequestID: "_other"}))
	absent := filepath.Join(t.TempDir(), "absent.xml")
	for _, c := range []struct {
		what  string
		files []string
		want  []string // verdicts
		code  int
	}{
		{"one file twice is not a replay", []string{good, good}, []string{"true", "true"}, exitOK},
		{"one of three is refused", []string{good, bad, good}, []string{"true", "in_response_to", "true"}, exitRefused},
		{"one cannot be read", []string{absent, bad, good}, []string{"file", "in_response_to", "true"}, exitUsage},
	} {
		r := samlsp(t, arguments(metadataOf(t, idp), append([]string{"-request-id", requestID, "-json"},
			c.files...)...)...)
		var files, got []string
		for line := range strings.Lines(r.stdout) {
			var v struct {
				File     string
				Accepted bool
				Code     string
			}
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatal(err)
			}
			if v.Accepted {
				v.Code = "true"
			}
			files, got = append(files, v.File), append(got, v.Code)
		}
		if !slices.Equal(files, c.files) || !slices.Equal(got, c.want) || r.code != c.code {
			t.Errorf("%s: got %v for %v, status %d, %s", c.what, got, files, r.code, r.stderr)
		}
	}
	samlsp(t, arguments(metadataOf(t, idp), "-request-id", requestID, absent)...).failed(t, exitUsage, absent,
		"no such file")
}

func TestVerifyUsage(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	for _, c := range []struct {
		what  string
		args  []string
		words []string
	}{
		{"a number that is none", arguments(metadata, "-n", "-1", "response.xml"), []string{"-n is the number"}},
		{"both said about the request", arguments(metadata, "-request-id", "_1", "-unsolicited", "response.xml"),
			[]string{"exclude each other"}},
		{"nobody to trust", []string{"verify", "-redirect-url", redirectURL, "-unsolicited", "response.xml"},
			[]string{"-metadata FILE", "-certificate FILE"}},
		{"two to trust", arguments(metadata, "-certificate", "c.pem", "-unsolicited", "response.xml"),
			[]string{"exclude each other"}},
		{"a certificate alone", []string{"verify", "-certificate", "c.pem", "-redirect-url", redirectURL,
			"-unsolicited", "response.xml"}, []string{"-idp-entity-id ID"}},
		{"no Redirect URL", []string{"verify", "-metadata", metadata, "-unsolicited", "response.xml"},
			[]string{"-redirect-url URL"}},
		{"a Redirect URL that is none", []string{"verify", "-metadata", metadata, "-redirect-url", "console",
			"-unsolicited", "response.xml"}, []string{"absolute URL", `"console"`}},
		{"a Redirect URL with a fragment", []string{"verify", "-metadata", metadata, "-redirect-url",
			redirectURL + "#", "-unsolicited", "response.xml"}, []string{"fragment"}},
		{"a Redirect URL with a password", []string{"verify", "-metadata", metadata, "-redirect-url",
			"https://a:b@example.com/", "-unsolicited", "response.xml"}, []string{"user name"}},
		{"no time", arguments(metadata, "-at", "yesterday", "-unsolicited", "response.xml"),
			[]string{"2026-01-31T12:00:00Z", `"yesterday"`}},
		{"an unknown policy", arguments(metadata, "-name-id", "upn", "-unsolicited", "response.xml"),
			[]string{"email or any"}},
		{"no file", arguments(metadata, "-unsolicited"), []string{"name a file"}},
		{"standard input twice", arguments("-", "-unsolicited", "-"), []string{"only one"}},
		{"an option behind a file", arguments(metadata, "-unsolicited", "response.xml", "-json"),
			[]string{"options come first"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			samlsp(t, c.args...).failed(t, exitUsage, c.words...)
		})
	}
}

// TestVerifyConfiguration: what cannot be used as a configuration is no verdict on a file, but with
// -json each file has its line.
func TestVerifyConfiguration(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	metadata := metadataOf(t, idp)
	certificate := tempFile(t, "idp.pem", idp.CertificatePEM())
	for _, c := range []struct {
		what  string
		args  []string
		code  string
		words []string
	}{
		{"metadata that is none", arguments(certificate), "metadata",
			[]string{certificate, "this is a certificate, not metadata"}},
		{"metadata that is not there", arguments("absent.xml"), "file", []string{"absent.xml", "no such file"}},
		{"a certificate that is none", []string{"verify", "-certificate", tempFile(t, "c.pem", []byte("lorem ipsum")),
			"-idp-entity-id", "x", "-redirect-url", redirectURL},
			"key", []string{"c.pem", "not a certificate"}},
		{"another identity provider than in the metadata",
			arguments(metadata, "-idp-entity-id",
				"https://other.example.com"), "metadata_aggregate", []string{"-idp-entity-id ID"}},
		{"our own Redirect URL as identity provider", []string{"verify", "-certificate", certificate,
			"-idp-entity-id", redirectURL, "-redirect-url", redirectURL},
			"metadata_entity_id", []string{"our own Redirect URL", "the identity provider's own"}},
		{"an entity ID that is none", []string{"verify", "-metadata", metadata, "-redirect-url", redirectURL,
			"-entity-id", "a\nb"}, "config", []string{"VerifierConfig.EntityID"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			samlsp(t, append(c.args, "-unsolicited", "a", "b")...).failed(t, exitUsage, c.words...)
			r := samlsp(t, append(c.args, "-unsolicited", "-json", "a", "b")...)
			var a, b refusedJSON
			decoder := json.NewDecoder(strings.NewReader(r.stdout))
			if decoder.Decode(&a) != nil || decoder.Decode(&b) != nil || decoder.More() {
				t.Fatalf("got %+v", r)
			}
			if r.code != exitUsage || a.File != "a" || b.File != "b" || a.Accepted || b.Accepted ||
				string(a.Code) != c.code || string(b.Code) != c.code {
				t.Errorf("got %+v", r)
			}
		})
	}
	r := samlsp(t, "verify", "-certificate", certificate, "-idp-entity-id", strings.Repeat("x", 1025),
		"-redirect-url", redirectURL,
		"-entity-id", "a\nb", "-unsolicited", "a")
	if r.code != exitUsage || !strings.Contains(r.stderr, "too long") || strings.Count(r.stderr, "\n") != 2 {
		t.Errorf("two faults: got %+v, want a line for each", r)
	}
}

// TestVerifyFieldsAtOnce: a wrong entity ID and a certificate that cannot be read are reported
// together, and only the second has the name of the file.
func TestVerifyFieldsAtOnce(t *testing.T) {
	t.Parallel()
	certificate := tempFile(t, "c.pem", []byte("lorem ipsum"))
	r := samlsp(t, "verify", "-certificate", certificate, "-idp-entity-id", "https://sts.windows.net/{tenantid}/",
		"-redirect-url", redirectURL, "-unsolicited", "response.xml")
	lines := strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
	if r.code != exitUsage || len(lines) != 2 ||
		!strings.HasPrefix(lines[0], "samlsp verify: the metadata is for every tenant") ||
		!strings.HasPrefix(lines[1], "samlsp verify: "+certificate+": this is not a certificate") {
		t.Errorf("status %d, got %q", r.code, lines)
	}
}

// TestVerifyHostileValues: what a signed message says does not reach the terminal as control
// characters.
func TestVerifyHostileValues(t *testing.T) {
	t.Parallel()
	idp := newIDP(t, samltest.Options{})
	const name = "http://schemas.microsoft.com/identity/claims/displayname"
	hostile := samltest.Attribute{Name: name, Values: []string{"a\u009b31m\u202eb\nresponse.xml: accepted"}}
	file := tempFile(t, "response.xml",
		answer(t, idp, samltest.Answer{RequestID: requestID, Attributes: []samltest.Attribute{hostile}}))
	r := samlsp(t, arguments(metadataOf(t, idp), "-request-id", requestID, file)...)
	if r.code != exitOK || strings.ContainsAny(r.stdout, "\u009b\u202e") ||
		strings.Contains(r.stdout, "\nresponse.xml") {
		t.Errorf("got %+v", r)
	}
	hasRow(t, r.stdout, "Name", `a\u009b31m\u202eb\nresponse.xml: accepted`)
}

// refusedByDecision are real files that others accept: RULES.md's honest files that are refused by
// decision.
var refusedByDecision = []string{"oktadev-2.xml", "adfs-6.xml", "demo-1.xml", "oam-1.xml", "keycloak-1.xml"}

// encrypted are accepted by who holds the key, which this tool does not take.
var encrypted = []string{"adfs-3.xml", "okta-3.xml", "olgn-6.xml", "olgn-8.xml"}

// TestVerifyRealResponses runs every real response by flags as its description says. Files to be
// refused meet all that can be relaxed, and must be refused all the same.
func TestVerifyRealResponses(t *testing.T) {
	t.Parallel()
	descriptions, err := filepath.Glob(fixture(t, "responses/*.json"))
	if err != nil || len(descriptions) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	standIn := tempFile(t, "idp.pem", newIDP(t, samltest.Options{}).CertificatePEM())
	for _, description := range descriptions {
		var f realResponse
		readJSON(t, description, &f)
		if f.Verdict == "signature-only" { // no complete response
			continue
		}
		f.dir = filepath.Dir(description)
		trusts := [][]string{f.pasted(standIn)}
		if f.Config.Metadata != "" {
			trusts = append(trusts, []string{"-metadata", filepath.Join(f.dir, f.Config.Metadata)})
		}
		for _, trust := range trusts {
			r := samlsp(t, slices.Concat([]string{"verify", "-json"}, trust, f.options(),
				[]string{filepath.Join(f.dir, f.File)})...)
			var got struct {
				Accepted bool
				Code     string
				NameID   string `json:"name_id"`
			}
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
				t.Fatalf("%s: %v: %+v", f.File, err, r)
			}
			want := f.Verdict == "accept" && !slices.Contains(refusedByDecision, f.File) &&
				!slices.Contains(encrypted, f.File)
			if got.Accepted != want || got.Accepted != (r.code == exitOK) || got.Accepted != (got.Code == "") {
				t.Errorf("%s: got %s, status %d, want accepted %v", f.File, r.stdout, r.code, want)
			}
			if want && got.NameID != f.Facts.NameID {
				t.Errorf("%s: NameID %q, want %q", f.File, got.NameID, f.Facts.NameID)
			}
		}
	}
}

// realResponse is the description of a real response.
type realResponse struct {
	dir      string
	File     string
	Verdict  string // accept, reject, policy, signature-only
	Requires []string
	Facts    struct{ NameID string }
	Config   struct {
		IdPEntityID, SPEntityID, ACSURL, RequestID, Now string
		Certificate, Metadata                           string
	}
}

// pasted are the flags for the identity provider's certificate. Where the description has none
// another stands in: such a file must be refused anyway.
func (f *realResponse) pasted(standIn string) []string {
	certificate, entityID := standIn, "https://idp.example.com"
	if f.Config.Certificate != "" {
		certificate = filepath.Join(f.dir, f.Config.Certificate)
	}
	if f.Config.IdPEntityID != "" {
		entityID = f.Config.IdPEntityID
	}
	return []string{"-certificate", certificate, "-idp-entity-id", entityID}
}

func (f *realResponse) options() []string {
	c := f.Config
	redirect := "https://sp.example.com/acs"
	if u, err := url.Parse(c.ACSURL); err == nil && u.Host != "" {
		redirect = c.ACSURL
	}
	options := []string{"-redirect-url", redirect, "-entity-id", c.SPEntityID, "-name-id", "any"}
	if f.Verdict != "accept" || slices.Contains(f.Requires, "sha1") {
		options = append(options, "-insecure-allow-sha1")
	}
	if c.Now != "" {
		options = append(options, "-at", c.Now)
	}
	if c.RequestID == "" {
		return append(options, "-unsolicited")
	}
	return append(options, "-request-id", c.RequestID)
}
