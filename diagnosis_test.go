package saml

import (
	"cmp"
	"encoding/base64"
	"strings"
	"testing"
)

// refusalOf returns the refusal of a changed message of a vector.
func refusalOf(t *testing.T, v *testVector, change func(string) string) *Error {
	t.Helper()
	before := string(v.message())
	after := change(before)
	if after == before {
		t.Fatalf("%s: nothing changed", v.Name)
	}
	own := *v.Vector
	own.Form = base64.StdEncoding.EncodeToString([]byte(after))
	login, err := (&testVector{&own}).finish(t, allChecks)
	if err == nil || login != nil {
		t.Fatalf("%s: ACCEPTED after a change", v.Name)
	}
	return err
}

func indented(s string) string { return strings.ReplaceAll(s, "><", ">\n  <") }

// TestReformattedMessages: a message that was indented after it was signed is explained as that, and
// stays refused. Another change, or another key, is never explained so.
func TestReformattedMessages(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	forged := func(s string) string { return strings.Replace(s, ">Ada Lovelace<", ">Ada Byron<", 1) }
	inAssertion := func(s string) string { return strings.Replace(s, "<Conditions ", "\n<Conditions ", 1) }
	inSignedInfo := func(s string) string { return strings.Replace(s, "<SignatureMethod ", "\n<SignatureMethod ", 1) }
	for _, row := range []struct {
		name, vector string
		change       func(string) string
		code         Code
		hint         string
	}{
		{"indented", "entra", indented, CodeSignature, hintReformatted},
		{"the Response indented", "response-signed", indented, CodeSignature, hintReformatted},
		{"both indented", "both-signed", indented, CodeSignature, hintReformatted},
		{"one line break in the assertion", "entra", inAssertion, CodeDigest, hintReformatted},
		{"one line break in SignedInfo", "entra", inSignedInfo, CodeSignature, hintReformatted},
		{"indented, without KeyInfo", "style-ping-federate", indented, CodeSignature, hintReformatted},
		{"the Response around an encrypted assertion indented", "encrypted-response-signed", indented, CodeSignature, hintReformatted},
		{"by inclusive canonicalization, indented", "c14n-inclusive", indented, CodeSignature, hintReformatted},
		{"by inclusive canonicalization, changed", "c14n-inclusive", forged, CodeDigest, CodeDigest.hint() + " The signature uses inclusive canonicalization, so that it also covers what is around the signed element. " +
			"Set the identity provider's canonicalization method to Exclusive XML Canonicalization 1.0."},
		{"changed", "entra", forged, CodeDigest, CodeDigest.hint()},
		{"changed and indented", "entra", func(s string) string { return forged(indented(s)) }, CodeSignature, hintIndented},
		{"changed, of indented origin", "pretty-printed", forged, CodeDigest, hintIndented},
		{"the indentation changed", "pretty-printed", func(s string) string { return strings.ReplaceAll(s, "\n  <", "\n\t<") },
			CodeSignature, hintIndented},
		{"the value changed", "entra", func(s string) string {
			return strings.Replace(s, "<SignatureValue>", "<SignatureValue>AAAA", 1)
		}, CodeSignature, hintChanged},
	} {
		v := vectors[row.vector]
		if v == nil {
			t.Errorf("%s: there is no vector %s", row.name, row.vector)
			continue
		}
		if err := refusalOf(t, v, row.change); err.Code != row.code || err.Hint != row.hint {
			t.Errorf("%s: got %s with %q, want %s with %q", row.name, string(err.Code), err.Hint, string(row.code), row.hint)
		}
	}
}

// TestReformattedByAnotherKey: only what a trusted key signed is called re-formatted, and only the
// certificate that is trusted is called right.
func TestReformattedByAnotherKey(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	for _, name := range []string{"p26-attacker", "p32-trusted-certificate", "p26-attacker-signs-response"} {
		err := refusalOf(t, vectors[name], indented)
		want := entraHints[CodeSignature]
		if name == "p32-trusted-certificate" { // it names our certificate, which anyone can do
			want = hintIndented
		}
		if err.Code != CodeSignature || err.Hint != want {
			t.Errorf("%s: got %s with %q, want %q", name, string(err.Code), err.Hint, want)
		}
	}
	v := vectors["no-key-info-two-keys"] // which of the two it was, nobody says
	if err := refusalOf(t, v, indented); err.Hint != entraHints[CodeSignature] {
		t.Errorf("two keys and no KeyInfo: got %q", err.Hint)
	}
}

// TestLargeMessagesAreNotDiagnosed: a refusal must not cost much more than an acceptance.
func TestLargeMessagesAreNotDiagnosed(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["entra"]
	err := refusalOf(t, v, func(s string) string {
		return strings.Replace(indented(s), "<Conditions ", strings.Repeat(" ", 256<<10)+"<Conditions ", 1)
	})
	if err.Code != CodeSignature || err.Hint == hintReformatted {
		t.Errorf("got %s with %q", string(err.Code), err.Hint)
	}
}

// TestStatusHints: each second-level code gets its words, by whoever it is sent, and an error number
// of a product goes before it.
func TestStatusHints(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["c23-refusal"]
	const from = `<samlp:StatusCode Value="` + statusPrefix + `RequestUnsupported"/>`
	const message = "AADSTS75011: Authentication method by which the user authenticated with the service doesn't match requested authentication method."
	answer := func(sub, text string) string {
		return refusalOf(t, v, func(s string) string {
			return strings.Replace(strings.Replace(s, from, sub, 1), message, text, 1)
		}).Hint
	}
	code := func(name string) string { return `<samlp:StatusCode Value="` + statusPrefix + name + `"/>` }
	for name, want := range map[string]string{
		"AuthnFailed": "wrong password", "InvalidNameIDPolicy": "no e-mail address", "NoAuthnContext": "asked for no method",
		"NoAvailableIDP": "does not answer", "NoSupportedIDP": "passes sign-ins on",
		"ProxyCountExceeded": "more identity providers", "RequestDenied": "Assign the user", "RequestUnsupported": "without IsPassive",
		"ResourceNotRecognized": "entity ID", "UnknownPrincipal": "does not know the user", "UnsupportedBinding": "HTTP-POST",
		"InvalidAttrNameOrValue": "attribute mapping", "UnknownAttrProfile": "attribute mapping",
		"RequestVersionDeprecated": "SAML 2.0", "RequestVersionTooHigh": "SAML 2.0", "RequestVersionTooLow": "SAML 2.0",
		"VersionMismatch": "SAML 2.0", "Requester": "compare our entity ID",
	} {
		if got := answer(code(name), "x"); !strings.Contains(got, want) || cmp.Or(statusHintsAskedNothing[name], statusHints[name]) != got {
			t.Errorf("%s: got %q, want %q in it", name, got, want)
		}
	}
	for name, row := range map[string]struct{ sub, text, want string }{
		"a code that we do not know":      {code("Other"), "x", statusHints["Requester"]},
		"a code of another specification": {`<samlp:StatusCode Value="urn:example:status:AuthnFailed"/>`, "x", statusHints["Requester"]},
		"no second code":                  {"", "x", statusHints["Requester"]},
		"an error number of Entra":        {code("AuthnFailed"), "AADSTS50105: x", aadstsHint("AADSTS50105", asked{})},
	} {
		if got := answer(row.sub, row.text); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
	if len(statusHints) != 18 {
		t.Errorf("there are hints for %d codes: name the new ones here", len(statusHints))
	}
}
