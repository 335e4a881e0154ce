package saml

import (
	"context"
	"crypto"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/redirect"
	"github.com/iomete/saml/internal/wire"
	"github.com/iomete/saml/internal/xmltree"
)

// sample makes the message of a row, spoiled or as the accepted twin.
func (r logoutRow) sample(spoiled bool) *sampleLogout {
	s := newSampleLogout()
	r.twin(s)
	if spoiled {
		r.spoil(s)
	}
	return s
}

// test judges the message and its twin. feasible says that the message is authentic, if it is signed.
func (r logoutRow) test(t *testing.T, feasible bool) {
	if j := r.sample(false).judge(t, allLogoutChecks); j.refusal != nil {
		t.Errorf("the twin is refused: %v by %q", j.refusal, j.refusal.Check)
	}
	spoiled := r.sample(true)
	j := spoiled.judge(t, allLogoutChecks)
	if j.refusal == nil {
		t.Fatalf("ACCEPTED, want %s", string(r.code))
	}
	if j.refusal.Code != r.code || j.refusal.Check != r.check {
		t.Errorf("got %v by %q, want %s by %q", j.refusal, j.refusal.Check, string(r.code), r.check)
	}
	// What the identity provider signed for us is answered, and nothing else is.
	answered := feasible && spoiled.signer != ""
	if (j.verdict.request != nil) != answered || (j.verdict.status != "") != answered {
		t.Errorf("got request %v with status %q, want an answer: %t", j.verdict.request, j.verdict.status, answered)
	}
}

// leastLogoutRows is how many refused messages there are at least.
const leastLogoutRows = 120

// TestLogoutMessages: each refused message has a twin that differs in one thing and is accepted.
func TestLogoutMessages(t *testing.T) {
	t.Parallel()
	refused := 0
	for group, rows := range logoutRows {
		for _, row := range rows {
			refused++
			t.Run(group+": "+row.name, func(t *testing.T) { row.test(t, group == "feasible") })
		}
	}
	if refused < leastLogoutRows {
		t.Errorf("there are %d refused messages, want at least %d", refused, leastLogoutRows)
	}
	for name, change := range positiveLogouts {
		s := newSampleLogout()
		change(s)
		if j := s.judge(t, allLogoutChecks); j.refusal != nil {
			t.Errorf("%s: got %v by %q, want accepted", name, j.refusal, j.refusal.Check)
		}
	}
	t.Logf("%d refused messages with twins, %d accepted ones without", refused, len(positiveLogouts))
}

// TestLogoutRequestSaysWhat: an accepted request says whose sessions end, and RelayState comes out
// decoded, an empty one too.
func TestLogoutRequestSaysWhat(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sampleLogout){"redirect": asIs, "form": asPost, "SOAP": asSOAP,
		"unsigned":  asAllowedUnsigned,
		"encrypted": func(s *sampleLogout) { decrypting(s); s.encrypted = "test-sp-a" }} {
		s := newSampleLogout()
		change(s)
		r := s.judge(t, allLogoutChecks).verdict.request
		if r == nil || r.ID != "_m" || r.Issuer != logoutIssuer || r.NameID.Value != "ann@example.com" ||
			r.NameID.Format != formatEmail ||
			!slices.Equal(r.Indexes, []string{"_index"}) || showTime(r.IssueInstant) != "2026-03-10T09:29:50Z" ||
			r.Unsigned != (name == "unsigned") {
			t.Errorf("%s: got %+v", name, r)
		}
	}
	for _, state := range []string{"", "a b", "+/=%&", "https://idp.example.com/?a=b"} {
		s := newSampleLogout()
		s.relayState = &state
		_, parameters, err := wire.LogoutFromQuery(s.query(t))
		if err != nil || !parameters.HasRelayState || parameters.RelayState != state {
			t.Errorf("got %+v, %v, want RelayState %q", parameters, err, state)
		}
		s.asPost()
		_, parameters, err = wire.LogoutFromForm(s.form(t), "sls")
		if err != nil || !parameters.HasRelayState || parameters.RelayState != state {
			t.Errorf("in a form: got %+v, %v, want RelayState %q", parameters, err, state)
		}
	}
}

// TestLogoutOutcomes: PartialLogout is met in three places, and no other status is an error.
func TestLogoutOutcomes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		codes []string
		want  logoutOutcome
	}{
		{[]string{statusSuccess}, logoutDone},
		{[]string{statusSuccess, statusPartialLogout}, logoutPartial},
		{[]string{statusResponder, statusPartialLogout}, logoutPartial},
		{[]string{statusPartialLogout}, logoutPartial},
		{[]string{statusResponder}, logoutFailed},
		{[]string{statusRequester, "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"}, logoutFailed},
		{[]string{statusResponder, "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"}, logoutFailed},
		{[]string{statusResponder, statusSuccess}, logoutFailed},
		{[]string{"urn:other"}, logoutFailed},
	} {
		s := newSampleLogout()
		s.asResponse()
		s.status = logoutStatus(row.codes...)
		if j := s.judge(t, allLogoutChecks); j.refusal != nil || j.outcome != row.want {
			t.Errorf("%v: got %v, %v, want %v", row.codes, j.outcome, j.refusal, row.want)
		}
	}
}

// TestEachLogoutCheckIsNeeded leaves out one check after the other: what it refused is then accepted.
func TestEachLogoutCheckIsNeeded(t *testing.T) {
	t.Parallel()
	for name, without := range logoutChecksWithoutOne() {
		needed := 0
		for _, row := range slices.Concat(checkRows, feasibleRows) {
			if row.check != name {
				continue
			}
			if j := row.sample(true).judge(t, without); j.refusal != nil {
				t.Errorf("%s without %q: got %v by %q, want accepted", row.name, name, j.refusal, j.refusal.Check)
			}
			needed++
		}
		if needed == 0 {
			t.Errorf("no message is refused by %q", name)
		}
	}
}

// logoutChecksWithoutOne gives the checks without one, by the name of the one that is missing.
func logoutChecksWithoutOne() map[string]logoutChecks {
	lists := map[string]logoutChecks{}
	without := func(list []logoutCheck, name string) []logoutCheck {
		return slices.DeleteFunc(slices.Clone(list), func(c logoutCheck) bool { return c.name == name })
	}
	for _, c := range slices.Concat(logoutRequestChecks.authentic, logoutRequestChecks.timely,
		logoutRequestChecks.feasible, logoutResponseChecks) {
		lists[c.name] = logoutChecks{logoutCheckList{without(logoutRequestChecks.authentic, c.name),
			without(logoutRequestChecks.timely, c.name), without(logoutRequestChecks.feasible, c.name)},
			without(logoutResponseChecks, c.name)}
	}
	return lists
}

// TestLogoutChecksSayWhat: each check has its words, and refuses with the codes that it names.
func TestLogoutChecksSayWhat(t *testing.T) {
	t.Parallel()
	codes := map[string][]Code{}
	for _, c := range slices.Concat(logoutRequestChecks.authentic, logoutRequestChecks.timely,
		logoutRequestChecks.feasible, logoutResponseChecks) {
		if c.name == "" || !isSentence(c.rule) || c.spec == "" || len(c.codes) == 0 {
			t.Errorf("%q is not whole", c.name)
		}
		codes[c.name] = c.codes
	}
	for _, c := range slices.Concat(logoutRequestChecks.timely, logoutRequestChecks.feasible) {
		if c.status != statusRequester && c.status != statusResponder {
			t.Errorf("%q is answered with %q", c.name, c.status)
		}
	}
	for _, row := range slices.Concat(checkRows, feasibleRows) {
		if !slices.Contains(codes[row.check], row.code) {
			t.Errorf("%q does not say that it refuses with %s", row.check, string(row.code))
		}
	}
}

// TestRequestIsNoAnswer: a request is not judged as an answer, and an answer not as a request.
func TestRequestIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*sampleLogout){asIs, asResponse, asAllowedUnsigned} {
		s := newSampleLogout()
		change(s)
		m, err := s.read(t)
		if err != nil {
			t.Fatal(err)
		}
		arrival := logoutArrival{message: m, addresses: []string{s.address}, allowUnsigned: s.unsigned}
		if s.response {
			v := s.provider(t).judgeLogoutRequest(t.Context(), arrival, logoutCheckList{})
			if v.request != nil || v.refusal == nil || v.refusal.Code != CodeLogoutMessage {
				t.Errorf("an answer as a request: got %+v", v)
			}
			continue
		}
		if _, refusal := s.provider(t).judgeLogoutResponse(t.Context(), arrival, s.requestID, nil); refusal == nil ||
			refusal.Code != CodeLogoutMessage {
			t.Errorf("a request as an answer: got %v", refusal)
		}
	}
}

// TestKeysOfLogout: a private key is used for a message that a trusted key signed for us, and for no
// other.
func TestKeysOfLogout(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*sampleLogout)
		used   bool
	}{
		{"signed", asIs, true},
		{"signed in a form", asPost, true},
		{"unsigned", (*sampleLogout).asUnsigned, false},
		{"unsigned, which is allowed", asAllowedUnsigned, false},
		{"unsigned by SOAP", changes(asSOAP, (*sampleLogout).asUnsigned), false},
		{"signed by a stranger", func(s *sampleLogout) { s.signer = "test-attacker" }, false},
		{"signed by a stranger in a form", changes(asPost, func(s *sampleLogout) { s.signer = "test-attacker" }),
			false},
		{"changed after it was signed", adding("&RelayState=x"), false},
		{"of another issuer", withIssuer("<saml:Issuer>https://other.example.com</saml:Issuer>"), false},
		{"for another service", withAttribute("Destination", "https://other.example.com"), false},
		{"with a certificate that has ended", func(s *sampleLogout) {
			s.keys, s.expired = []string{"test-idp-a-expired"}, true
		}, false},
	} {
		calls := 0
		s := newSampleLogout()
		s.encrypted = "test-sp-a"
		s.config = func(t testing.TB, c *Config) {
			c.RefuseExpiredCertificates = s.expired
			c.DecryptionKeys = []DecryptionKey{{Key: countedKey{vectorKey(t, "test-sp-a.key.pem").(crypto.Decrypter),
				&calls}}}
		}
		row.change(s)
		if s.judge(t, allLogoutChecks); (calls > 0) != row.used || calls > 1 {
			t.Errorf("%s: the private key was used %d times", row.name, calls)
		}
	}
}

// TestLogoutHintOfRedirect: the most frequent reason for a bad signature on a redirect is a program in
// front that writes the query anew.
func TestLogoutHintOfRedirect(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	s.relayState = new(string)
	s.sent = func(query string) string { return strings.Replace(query, "RelayState=&", "", 1) }
	if j := s.judge(t, allLogoutChecks); j.refusal == nil || !strings.Contains(j.refusal.Hint, "query") {
		t.Errorf("got %v with the hint %q", j.refusal, j.refusal.Hint)
	}
	s = newSampleLogout()
	s.asPost()
	s.signer = "test-attacker"
	if j := s.judge(t, allLogoutChecks); j.refusal == nil || strings.Contains(j.refusal.Hint, "query") {
		t.Errorf("in a form: got %v with the hint %q", j.refusal, j.refusal.Hint)
	}
}

// TestLogoutRefusalsSayWhat: refusals that have one code are told from each other by their words.
func TestLogoutRefusalsSayWhat(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change        func(*sampleLogout)
		message, hint string
	}{
		"no Destination": {withAttribute("Destination", ""), "has no Destination", "let the identity provider write the address"},
		"another Destination": {withAttribute("Destination", "https://other.example.com"), "is addressed to another URL",
			""},
		"no NameID": {withSubject("<saml:NameID/>"), "NameID", "name the user in its LogoutRequest"},
		"nobody asked": {changes(asResponse, func(s *sampleLogout) { s.requestID = "" }),
			"came to a browser that began no sign-out", ""},
		"an answer to nothing":   {changes(asResponse, withAttribute("InResponseTo", "")), "does not say which LogoutRequest", ""},
		"an answer to another's": {changes(asResponse, withAttribute("InResponseTo", "_x")), "answers another LogoutRequest", ""},
	} {
		s := newSampleLogout()
		row.change(s)
		j := s.judge(t, allLogoutChecks)
		if j.refusal == nil || !strings.Contains(j.refusal.Message, row.message) || !strings.Contains(j.refusal.Hint, row.hint) {
			t.Errorf("%s: got %v with the hint %q", name, j.refusal, j.refusal.Hint)
		}
	}
}

// TestLogoutWithoutProvider: that nothing is configured yet is not called a bad signature.
func TestLogoutWithoutProvider(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	s.config = func(_ testing.TB, c *Config) {
		c.IdentityProvider = IdentityProviderFunc(func(context.Context) (*IdentityProvider, error) { return nil, ErrNotConfigured })
	}
	if j := s.judge(t, allLogoutChecks); codeOfError(j.refusal) != CodeNotConfigured {
		t.Errorf("got %v, want %s", j.refusal, string(CodeNotConfigured))
	}
}

// TestLogoutOfAStranger: a message that says it is from another identity provider is refused as that only
// if its signature is what is wrong, and what was wanted is one of the keys, or what the signature lacks.
func TestLogoutOfAStranger(t *testing.T) {
	t.Parallel()
	other := withIssuer("<saml:Issuer>https://other.example.com</saml:Issuer>")
	stranger := func(s *sampleLogout) { s.signer = "test-attacker" }
	ofECDSA := func(s *sampleLogout) { s.signer, s.keys = "test-ec-p256", []string{"test-ec-p256"} }
	trusted, err := ParseKeys(vectorCertificate(t, "test-idp-a.crt.pem").Raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change func(*sampleLogout)
		code   Code
		want   string
	}{
		"of another, by a stranger":    {changes(stranger, other), CodeResponseIssuer, ""},
		"of another, unsigned":         {changes((*sampleLogout).asUnsigned, other), CodeLogoutUnsigned, ""},
		"by a stranger":                {stranger, CodeSignature, trusted[0].ThumbprintSHA1()},
		"by a stranger in a form":      {changes(asPost, stranger), CodeSignature, trusted[0].ThumbprintSHA1()},
		"in the format of the library": {changes(asPost, ofECDSA), CodeSignature, "r and s one after the other"},
	} {
		s := newSampleLogout()
		row.change(s)
		j := s.judge(t, allLogoutChecks)
		if codeOfError(j.refusal) != row.code || !strings.Contains(j.refusal.Want, row.want) {
			t.Errorf("%s: got %v, want %s with %q", name, j.refusal, string(row.code), row.want)
		}
	}
}

// TestBlanksAroundTheNameOfLogout: they go if the name is an email address, as at the sign-in.
func TestBlanksAroundTheNameOfLogout(t *testing.T) {
	t.Parallel()
	for policy, want := range map[NameIDPolicy]string{EmailNameID: "ann@example.com", AllowAnyNameID: " ann@example.com "} {
		s := newSampleLogout()
		withSubject(`<saml:NameID Format="` + formatEmail + `"> ann@example.com </saml:NameID>`)(s)
		s.config = func(_ testing.TB, c *Config) { c.NameID = policy }
		j := s.judge(t, allLogoutChecks)
		if j.verdict.request == nil || j.verdict.request.NameID.Value != want {
			t.Errorf("%v: got %v, %+v, want %q", policy, j.refusal, j.verdict.request, want)
		}
	}
}

// TestLogoutThatGrows: a message whose canonical form is larger than any message may be is refused, also
// where no signature needs that form.
func TestLogoutThatGrows(t *testing.T) {
	t.Parallel()
	s := newSampleLogout()
	changes(asPost, asAllowedUnsigned)(s)
	s.extensions = `<samlp:Extensions><x xmlns="urn:x" xmlns:p="urn:` + strings.Repeat("x", 240) + `">` +
		strings.Repeat("<p:y/>", 20_000) + `</x></samlp:Extensions>`
	if j := s.judge(t, allLogoutChecks); j.refusal == nil || j.refusal.Code != CodeTooLarge || j.verdict.request != nil {
		t.Errorf("got %+v, %v", j.verdict.request, j.refusal)
	}
}

// FuzzLogoutQuery: no query makes the pipeline panic, a refusal is an *Error with code and step, and
// what is accepted has the very octets of a message that was signed here.
func FuzzLogoutQuery(f *testing.F) {
	known := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(logoutRows)) {
		for _, row := range logoutRows[name] {
			for _, spoiled := range []bool{false, true} {
				// Each process of the fuzzer makes the seeds anew, and no two encrypt alike.
				if s := row.sample(spoiled); s.binding == "redirect" && s.encrypted == "" {
					query := s.query(f)
					if len(query) < 32<<10 {
						f.Add(query)
					}
					genuine := s.signer == "test-idp-a" && s.covered == nil && (s.sent == nil || !spoiled)
					if m, err := redirect.ParseQuery(query, xmltree.MaxBytes); err == nil && genuine {
						known[string(m.Octets)] = true
					}
				}
			}
		}
	}
	sp := newSampleLogout().provider(f)
	f.Fuzz(func(t *testing.T, query string) {
		m, parameters, err := wire.LogoutFromQuery(query)
		if err != nil {
			if m != nil || parameters != nil || fromFault(err).Code == CodeInternal {
				t.Fatalf("got %v and %v with %v", m, parameters, err)
			}
			return
		}
		arrival := logoutArrival{message: m, addresses: []string{logoutURL}}
		var refusal *Error
		accepted := false
		if m.Request {
			v := sp.judgeLogoutRequest(t.Context(), arrival, logoutRequestChecks)
			refusal, accepted = v.refusal, v.request != nil
		} else {
			_, refusal = sp.judgeLogoutResponse(t.Context(), arrival, logoutID, logoutResponseChecks)
			accepted = refusal == nil
		}
		if refusal != nil && (refusal.Code == CodeInternal || refusal.Check == "") {
			t.Fatalf("got the refusal %#v", refusal)
		}
		if accepted && !known[string(parameters.Octets)] {
			t.Fatalf("nobody signed %q", parameters.Octets)
		}
	})
}

// FuzzLogoutSOAP: no envelope makes the pipeline panic, and nothing is accepted that the one genuine
// message does not say.
func FuzzLogoutSOAP(f *testing.F) {
	for _, row := range soapRows {
		f.Add(row.sample(false).soap(f))
		f.Add(row.sample(true).soap(f))
	}
	sp := newSampleLogout().provider(f)
	f.Fuzz(func(t *testing.T, envelope string) {
		m, err := wire.LogoutFromSOAP([]byte(envelope))
		if err != nil {
			if m != nil || fromFault(err).Code == CodeInternal {
				t.Fatalf("got %v with %v", m, err)
			}
			return
		}
		if !m.Request {
			return
		}
		arrival := logoutArrival{message: m, addresses: []string{logoutURL}}
		v := sp.judgeLogoutRequest(t.Context(), arrival, logoutRequestChecks)
		if r := v.request; r != nil && (r.NameID.Value != "ann@example.com" || r.Unsigned) {
			t.Fatalf("nobody signed %+v", r)
		}
	})
}
