package samltest

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// signatureCases are the keys and algorithms that sign.
var signatureCases = []struct {
	name      string
	keys      func() []crypto.Signer
	algorithm Algorithm
	want      Algorithm
}{
	{"an RSA key's own", testKeys.rsa, "", RSASHA256},
	{"RSA with SHA-256", testKeys.rsa, RSASHA256, RSASHA256},
	{"RSA with SHA-384", testKeys.rsa, RSASHA384, RSASHA384},
	{"RSA with SHA-512", testKeys.rsa, RSASHA512, RSASHA512},
	{"RSA with SHA-1", testKeys.rsa, RSASHA1, RSASHA1},
	{"a P-256 key's own", testKeys.p256, "", ECDSASHA256},
	{"a P-384 key's own", testKeys.p384, "", ECDSASHA384},
	{"a P-521 key's own", testKeys.p521, "", ECDSASHA512},
	{"P-256 with SHA-512", testKeys.p256, ECDSASHA512, ECDSASHA512},
	{"P-521 with SHA-256", testKeys.p521, ECDSASHA256, ECDSASHA256},
}

// Every algorithm in every style, with every signing option, with and without KeyInfo.
func TestSignaturesVerify(t *testing.T) {
	t.Parallel()
	for _, c := range signatureCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			idp := MustNew(t, Options{Keys: c.keys()})
			signed := map[string][][]byte{} // by the element that has a signature
			for _, v := range variants() {
				v.Algorithm = c.algorithm
				name := fmt.Sprintf("style %d, sign %d, without KeyInfo %t", v.Style, v.Sign, v.OmitKeyInfo)
				document := mustRespond(t, idp, v)
				if want := `SignatureMethod Algorithm="` + string(c.want) + `"/>`; !bytes.Contains(document,
					[]byte(want)) {
					t.Errorf("%s: there is no %s in %s", name, want, document)
				}
				if got := !bytes.Contains(document, []byte("KeyInfo")); got != v.OmitKeyInfo {
					t.Errorf("%s: KeyInfo is left out: %t", name, got)
				}
				for _, element := range signedElements(t, document, v.Sign) {
					if err := goxmldsigVerify(t, document, idp.Certificates()[0], pathOf[element]); err != nil {
						t.Errorf("%s: goxmldsig on the %s: %v\n%s", name, element, err, document)
					}
					signed[element] = append(signed[element], document)
				}
			}
			for element, documents := range signed {
				if err := xmlsecVerify(t, idp.Certificates()[0], xpathOf[element], documents...); err != nil {
					t.Errorf("xmlsec1 on the %s: %v", element, err)
				}
			}
		})
	}
}

// variants returns an Answer for each combination of style, signing option and KeyInfo.
func variants() []Answer {
	var all []Answer
	for _, style := range []Style{Entra, Prefixed, Pretty} {
		for _, sign := range []Sign{SignAssertion, SignResponse, SignBoth} {
			for _, omit := range []bool{false, true} {
				all = append(all, Answer{Style: style, Sign: sign, OmitKeyInfo: omit})
			}
		}
	}
	return all
}

// signedElements checks that the message has exactly the signatures that sign asks for, and returns
// the names of the signed elements.
func signedElements(t *testing.T, document []byte, sign Sign) []string {
	t.Helper()
	want := map[Sign][]string{
		SignAssertion: {"Assertion"},
		SignResponse:  {"Response"},
		SignBoth:      {"Assertion", "Response"},
	}[sign]
	for _, element := range []string{"Assertion", "Response"} {
		if got := hasSignature(t, document, element); got != slices.Contains(want, element) {
			t.Errorf("sign %d: the %s is signed: %t", sign, element, got)
		}
	}
	return want
}

func TestSignNothing(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	signedElements(t, mustRespond(t, idp, Answer{Sign: SignNothing}), SignNothing)
}

// Characters with a special meaning in XML survive in each style, and are signed.
func TestOddCharacters(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	const name = "odd\r\n\tname"
	want := []string{"a & b < \"c\"\r\n\t'd' ]]>", ""}
	for styleName, style := range map[string]Style{"Entra": Entra, "prefixed": Prefixed, "pretty": Pretty} {
		t.Run(styleName, func(t *testing.T) {
			t.Parallel()
			document := mustRespond(t, idp, Answer{Style: style, Sign: SignBoth, Attributes: []Attribute{{name, want}}})
			for _, element := range []string{"Assertion", "Response"} {
				verifyBoth(t, document, idp.Certificates()[0], element)
			}
			if got, _ := read(t, document).claim(name); !slices.Equal(got, want) {
				t.Errorf("the claim comes out as %q, want %q", got, want)
			}
		})
	}
}

func TestManyGroupsAreSigned(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	document := mustRespond(t, idp, Answer{Sign: SignBoth, Attributes: []Attribute{{claimGroups, groupIDs(3000)}}})
	for _, element := range []string{"Response", "Assertion"} { // goxmldsig verifies no more than 1,000 elements
		if err := xmlsecVerify(t, idp.Certificates()[0], xpathOf[element], document); err != nil {
			t.Errorf("xmlsec1 on the %s: %v", element, err)
		}
	}
}

func TestEditIsSigned(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	for _, c := range []struct{ name, old, new string }{
		{"a comment", "ioana.turcanu@example.com</NameID>", "ioana.turcanu@<!-- -->example.com</NameID>"},
		{"a CDATA section", ">Ioana<", "><![CDATA[Io<&]]>ana<"},
		{"a declaration far above its use", "<samlp:Response ", `<samlp:Response xmlns:x="urn:x" `},
		{"an element before the Issuer", "<Issuer>", "<Advice/><Issuer>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			document := mustRespond(t, idp, Answer{Sign: SignBoth, Edit: func(text string) string {
				if !strings.Contains(text, c.old) {
					t.Fatalf("there is no %s in %s", c.old, text)
				}
				return strings.Replace(text, c.old, c.new, 1)
			}})
			if !bytes.Contains(document, []byte(c.new)) {
				t.Errorf("there is no %s in %s", c.new, document)
			}
			for _, element := range []string{"Response", "Assertion"} {
				if err := xmlsecVerify(t, idp.Certificates()[0], xpathOf[element], document); err != nil {
					t.Errorf("xmlsec1 on the %s: %v", element, err)
				}
			}
		})
	}
}

// If an attack needs several assertions, each gets its own signature.
func TestEditedInAssertionIsSigned(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	assertion := regexp.MustCompile(`<Assertion.*</Assertion>`)
	document := mustRespond(t, idp, Answer{Edit: func(text string) string {
		second := strings.Replace(assertion.FindString(text), ` ID="_`, ` ID="_second`, 1)
		return strings.Replace(text, "</samlp:Response>", second+"</samlp:Response>", 1)
	}})
	for _, position := range []string{"[1]", "[2]"} {
		if err := goxmldsigVerify(t, document, idp.Certificates()[0], pathOf["Assertion"]+position); err != nil {
			t.Errorf("goxmldsig on the assertion %s: %v", position, err)
		}
		if err := xmlsecVerify(t, idp.Certificates()[0], xpathOf["Assertion"]+position, document); err != nil {
			t.Errorf("xmlsec1 on the assertion %s: %v", position, err)
		}
	}
}

// A duplicate attribute is not well-formed XML, but a test of a verifier needs it in a signed
// message.
func TestEditMayRepeatAnAttribute(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	document := mustRespond(t, idp, Answer{Edit: func(text string) string {
		return strings.Replace(text, ` Version="2.0"`, ` Version="2.0" Version="1.1"`, 1)
	}})
	if !bytes.Contains(document, []byte(` Version="2.0" Version="1.1"`)) || !hasSignature(t, document, "Assertion") {
		t.Errorf("the second Version is lost: %s", document)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	users := DefaultUsers()
	ordinary, noMail, guest, overage := users[0], users[1], users[2], users[3]

	if got := read(t, mustRespond(t, idp, Answer{})).Assertions[0].NameID.Value; got != ordinary.Mail {
		t.Errorf("an answer without a user names %q, want the first user %q", got, ordinary.Mail)
	}

	m := read(t, mustRespond(t, idp, Answer{User: User{DisplayName: "Nobody else"}}))
	if got, _ := m.claim(claimDisplayName); !slices.Equal(got, []string{"Nobody else"}) {
		t.Errorf("a user with a display name alone becomes %q", got)
	}

	m = read(t, mustRespond(t, idp, Answer{User: ordinary}))
	if got, _ := m.claim(claimGroups); !slices.Equal(got, ordinary.Groups) {
		t.Errorf("groups %q, want %q", got, ordinary.Groups)
	}
	if got, _ := m.claim(claimRole); !slices.Equal(got, ordinary.Roles) {
		t.Errorf("roles %q, want %q", got, ordinary.Roles)
	}

	m = read(t, mustRespond(t, idp, Answer{User: noMail}))
	if got := m.Assertions[0].NameID; got.Format != FormatPersistent || len(got.Value) != 43 {
		t.Errorf("NameID without mail is %+v, want a persistent one of 43 characters", got)
	}
	for _, name := range []string{claimEmail, claimGivenName, claimSurname, claimGroups, claimGroupsLink, claimRole} {
		if got, sent := m.claim(name); sent {
			t.Errorf("%s is sent as %q although it has no source", name, got)
		}
	}

	m = read(t, mustRespond(t, idp, Answer{User: guest}))
	if got, _ := m.claim(claimHomeProvider); !slices.Equal(got, []string{"live.com"}) {
		t.Errorf("a guest's identity provider is %q", got)
	}
	if got, _ := m.claim(claimName); len(got) != 1 || !strings.Contains(got[0], "#EXT#@") {
		t.Errorf("a guest's name is %q", got)
	}

	m = read(t, mustRespond(t, idp, Answer{User: overage}))
	if got, sent := m.claim(claimGroups); sent {
		t.Errorf("%d groups are sent, want the link alone", len(got))
	}
	if got, _ := m.claim(claimGroupsLink); !slices.Equal(got, []string{
		"https://graph.windows.net/" + idp.TenantID() + "/users/" + overage.ObjectID + "/getMemberObjects",
	}) {
		t.Errorf("groups.link is %q", got)
	}
	overage.Groups = overage.Groups[:maxGroups]
	if got, _ := read(t, mustRespond(t, idp, Answer{User: overage})).claim(claimGroups); len(got) != maxGroups {
		t.Errorf("%d of %d groups are sent", len(got), maxGroups)
	}
}

func TestPairwiseIdentifiersDiffer(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	nameID := func(a Answer) string { return read(t, mustRespond(t, idp, a)).Assertions[0].NameID.Value }
	first := nameID(Answer{NameIDFormat: FormatPersistent})
	if again := nameID(Answer{NameIDFormat: FormatPersistent}); again != first {
		t.Errorf("the second time it is %q, want %q", again, first)
	}
	if other := nameID(Answer{NameIDFormat: FormatPersistent, Audience: "https://other.example.com"}); other == first {
		t.Error("another service gets the same identifier")
	}
	if other := nameID(Answer{NameIDFormat: FormatPersistent, User: DefaultUsers()[2]}); other == first {
		t.Error("another user has the same identifier")
	}
	account := DefaultUsers()[0]
	account.Mail, account.UserPrincipalName = "ioana.marin@example.com", "ioana.marin@example.com"
	if renamed := nameID(Answer{NameIDFormat: FormatPersistent, User: account}); renamed != first {
		t.Errorf("with a new name it is %q, want %q", renamed, first)
	}
	account = DefaultUsers()[0]
	account.ObjectID = DefaultUsers()[1].ObjectID
	if successor := nameID(Answer{NameIDFormat: FormatPersistent, User: account}); successor == first {
		t.Error("another account of the same name has the same identifier")
	}
	elsewhere := MustNew(t, Options{Keys: testKeys.rsa()})
	if other := read(t, mustRespond(t, elsewhere,
		Answer{NameIDFormat: FormatPersistent})).Assertions[0].NameID.Value; other == first {
		t.Error("another directory gives the same identifier")
	}
	if a, b := nameID(Answer{NameIDFormat: FormatTransient}), nameID(Answer{NameIDFormat: FormatTransient}); a == b {
		t.Errorf("transient identifiers are twice %q", a)
	}
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa(), Now: func() time.Time { return now }})
	_, err := idp.AddKey(testKeys.otherRSA()[0])
	if err != nil {
		t.Fatal(err)
	}
	const elsewhere = "https://elsewhere.example.com/"
	for _, c := range []struct {
		name   string
		answer Answer
		got    func(message) string
		want   string
	}{
		{"RequestID is on the response", Answer{RequestID: "id7"}, func(m message) string { return m.InResponseTo },
			"id7"},
		{"RequestID is in the confirmation", Answer{RequestID: "id7"},
			func(m message) string { return m.Assertions[0].Confirmation.InResponseTo }, "id7"},
		{"Issuer is the response's", Answer{Issuer: elsewhere}, func(m message) string { return m.Issuer }, elsewhere},
		{"Issuer is the assertion's", Answer{Issuer: elsewhere},
			func(m message) string { return m.Assertions[0].Issuer }, elsewhere},
		{"Destination differs", Answer{Destination: elsewhere}, func(m message) string { return m.Destination },
			elsewhere},
		{"Destination leaves the recipient alone", Answer{Destination: elsewhere},
			func(m message) string { return m.Assertions[0].Confirmation.Recipient }, redirectURL},
		{"Audience defaults to the recipient", Answer{},
			func(m message) string { return m.Assertions[0].Conditions.Audiences[0] }, redirectURL},
		{"Audience differs", Answer{Audience: elsewhere},
			func(m message) string { return m.Assertions[0].Conditions.Audiences[0] }, elsewhere},
		{"a late clock moves the issue", Answer{ClockOffset: -time.Hour},
			func(m message) string { return m.IssueInstant }, "2026-03-14T07:26:53.589Z"},
		{"a late clock moves the sign-in", Answer{ClockOffset: -time.Hour},
			func(m message) string { return m.Assertions[0].AuthnStatement.AuthnInstant }, "2026-03-14T07:16:53.589Z"},
		{"Lifetime ends the conditions", Answer{Lifetime: time.Minute},
			func(m message) string { return m.Assertions[0].Conditions.NotOnOrAfter }, "2026-03-14T08:27:53.589Z"},
		{"Lifetime ends the confirmation", Answer{Lifetime: time.Minute},
			func(m message) string { return m.Assertions[0].Confirmation.NotOnOrAfter }, "2026-03-14T08:27:53.589Z"},
		{"AuthnInstant", Answer{AuthnInstant: now},
			func(m message) string { return m.Assertions[0].AuthnStatement.AuthnInstant }, "2026-03-14T08:26:53.589Z"},
		{"no end of the session", Answer{},
			func(m message) string { return m.Assertions[0].AuthnStatement.SessionNotOnOrAfter }, ""},
		{"SessionNotOnOrAfter", Answer{SessionNotOnOrAfter: now},
			func(m message) string { return m.Assertions[0].AuthnStatement.SessionNotOnOrAfter }, "2026-03-14T08:26:53.589Z"},
		{"NameID", Answer{NameID: "b@example.org"}, func(m message) string { return m.Assertions[0].NameID.Value },
			"b@example.org"},
		{"NameID keeps the mail format", Answer{NameID: "b@example.org"},
			func(m message) string { return m.Assertions[0].NameID.Format }, FormatEmail},
		{"an unspecified NameID is the mail", Answer{NameIDFormat: FormatUnspecified},
			func(m message) string { return m.Assertions[0].NameID.Value }, "ioana.turcanu@example.com"},
		{"a status", Answer{Status: "urn:a", SubStatus: "urn:b", StatusMessage: "AADSTS"}, func(m message) string {
			return m.Status.Code.Value + " " + m.Status.Code.Sub.Value + " " + m.Status.Message
		}, "urn:a urn:b AADSTS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.got(read(t, mustRespond(t, idp, c.answer))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLeavingOut(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	for _, c := range []struct {
		name   string
		answer Answer
		gone   string
	}{
		{"no request", Answer{}, "InResponseTo"},
		{"no Destination", Answer{Destination: Absent}, "Destination"},
		{"no Issuer", Answer{Issuer: Absent}, "Issuer"},
		{"no Audience", Answer{Audience: Absent}, "<Audience>"},
		{"no NameID", Answer{NameID: Absent}, "NameID"},
		{"no Format", Answer{NameIDFormat: Absent}, "Format"},
		{"no KeyInfo", Answer{OmitKeyInfo: true}, "KeyInfo"},
		{"no claim", Answer{Attributes: []Attribute{{Name: claimTenantID}}}, claimTenantID},
		{"no assertion in an error", Answer{Status: "urn:a"}, "Assertion"},
		{"no signature on an error", Answer{Status: "urn:a"}, "Signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			document := mustRespond(t, idp, c.answer)
			withoutSignatures := regexp.MustCompile(`(?s)<DigestValue>.*?</SignatureValue>`).ReplaceAll(document, nil)
			if bytes.Contains(withoutSignatures, []byte(c.gone)) {
				t.Errorf("there is %q in %s", c.gone, document)
			}
			if c.answer.Status == "" {
				verifyBoth(t, document, idp.Certificates()[0], "Assertion")
			}
		})
	}
}

func TestSignedError(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	document := mustRespond(t, idp, Answer{Status: "urn:a", Sign: SignBoth})
	verifyBoth(t, document, idp.Certificates()[0], "Response")
}

func TestAttributesReplaceInPlace(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	m := read(t, mustRespond(t, idp, Answer{Attributes: []Attribute{
		{claimObjectID, []string{"other"}}, {claimGroups, nil}, {"new", []string{"1", "2"}},
	}}))
	attributes := m.Assertions[0].Attributes
	if attributes[1].Name != claimObjectID || !slices.Equal(attributes[1].Values, []string{"other"}) {
		t.Errorf("the second claim is %+v", attributes[1])
	}
	if _, sent := m.claim(claimGroups); sent {
		t.Error("groups are sent")
	}
	if last := attributes[len(attributes)-1]; last.Name != "new" || !slices.Equal(last.Values, []string{"1", "2"}) {
		t.Errorf("the last claim is %+v", last)
	}
}

func TestRespondFails(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	replaceBy := func(text string) func(string) string { return func(string) string { return text } }
	for name, a := range map[string]Answer{
		"no recipient":                    {},
		"a key that is not there":         {Recipient: redirectURL, Key: 1},
		"a negative key":                  {Recipient: redirectURL, Key: -1},
		"an algorithm for other keys":     {Recipient: redirectURL, Algorithm: ECDSASHA256},
		"an unknown algorithm":            {Recipient: redirectURL, Algorithm: "urn:x"},
		"an edit that leaves no XML":      {Recipient: redirectURL, Edit: replaceBy("<a>")},
		"an edit that leaves nothing":     {Recipient: redirectURL, Edit: replaceBy("")},
		"an edit that leaves out to sign": {Recipient: redirectURL, Edit: replaceBy("<Response/>")},
	} {
		if document, err := idp.RespondXML(a); err == nil {
			t.Errorf("%s: got %s, want an error", name, document)
		}
		if value, err := idp.Respond(a); err == nil || value != "" {
			t.Errorf("%s: got form value %q and error %v", name, value, err)
		}
	}
}

func TestPrefixedStyle(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	document := string(mustRespond(t, idp, Answer{Style: Prefixed}))
	for _, want := range []string{
		`xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><saml:Issuer>`, `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`,
		`xmlns:xs="http://www.w3.org/2001/XMLSchema"`, `xsi:type="xs:string">Ioana</saml:AttributeValue>`,
	} {
		if !strings.Contains(document, want) {
			t.Errorf("there is no %s in %s", want, document)
		}
	}
}

func TestPrettyLooksPretty(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	document := string(mustRespond(t, idp, Answer{Style: Pretty}))
	if want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n<samlp:Response "; !strings.HasPrefix(document, want) {
		t.Errorf("it begins %.80q, want %q", document, want)
	}
	if !strings.Contains(document, "\n    <saml:Subject>\n      <saml:NameID") {
		t.Errorf("it is not indented: %s", document)
	}
	if long := regexp.MustCompile(`[A-Za-z0-9+/=]{77}`).FindString(document); long != "" {
		t.Errorf("base64 stands in a long line: %s", long)
	}
}

func TestRespondIsBase64OfTheXML(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	value, err := idp.Respond(Answer{Recipient: redirectURL})
	if err != nil {
		t.Fatal(err)
	}
	document, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	verifyBoth(t, document, idp.Certificates()[0], "Assertion")
}
