package saml

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/internal/wire"
)

// TestRefusalsSayWhat has the words of refusals that an administrator has to act on.
func TestRefusalsSayWhat(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	for _, row := range []struct{ vector, message, got, want, hint string }{
		{"c23-refusal", "reports an error Requester RequestUnsupported AADSTS75011 (unsigned)",
			"Requester: RequestUnsupported: AADSTS75011: Authentication", "Success", "asked for no method of sign-in"},
		{"c23-refusal-signed", "reports an error Requester RequestUnsupported AADSTS75011 (signed)",
			"Requester: RequestUnsupported: AADSTS75011: Authentication", "Success", "asked for no method of sign-in"},
		{"c23-responder-signed", "reports an error Responder (", `"Responder"`, "Success", CodeStatus.hint()},
		{"c51-other", "another method", "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified", "classes:X509 or urn",
			"Leave RequestedAuthnContexts empty"},
		{"p38-rsa-1.5", "encrypted with an algorithm that is not allowed", "rsa-1_5", "RSA-OAEP", "AES-256"},
		{"p37-cipher-reference", "must be in exactly one CipherValue", "CipherReference", "",
			entraHints[CodeDecryption]},
		{"c53-no-name-id", "the subject has no NameID", "", "exactly one", ""},
		{"c53-empty", "the NameID is empty", "", "a NameID", ""},
		{"c53-white-space-only", "the NameID is empty", "", "a NameID", ""},
		{"c53-blank-last", "the NameID has white space around it", `"ada "`, "the NameID without it", hintNameIDSpace},
		{"c53-no-break-space", "a no-break space", `"ada\u00a0"`, "the NameID without it", hintNameIDSpace},
		{"c53-tab", "the NameID has a control character", `"a\tb"`, "", entraHints[CodeNameID]},
		{"c46-missing-signed", "the signed Response has no Destination", "", `"https://console.example.com/api/v1/identity/auth/saml-acs"`,
			hintNoDestination},
		{"c46-missing-both-signed", "the signed Response has no Destination", "", "/saml-acs", hintNoDestination},
		{"c46-empty", "the Destination of the Response is empty", "", "/saml-acs", hintNoDestination},
		{"c46-other", "addressed to another URL", `"https://other.example.com/acs"`, "/saml-acs", entraHints[CodeDestination]},
		{"c45-no-request", "only the Response says which request is answered", "", "InResponseTo \"_b7d1c5a04e0f4f6c8a1d2e3f40516273\"",
			"InResponseTo of SubjectConfirmationData too"},
		{"c45-empty-request", "InResponseTo is empty", "", "_b7d1c5a04e0f4f6c8a1d2e3f40516273", CodeInResponseTo.hint()},
		{"c45-other-request", "the response answers another request", "_ffffffffffffffffffffffffffffffff", "_b7d1c5a04e0f4f6c8a1d2e3f40516273",
			CodeInResponseTo.hint()},
		{"c47-empty", "InResponseTo is empty", "", "_b7d1c5a04e0f4f6c8a1d2e3f40516273", CodeInResponseTo.hint()},
		{"c45-not-before", "has a NotBefore, which SAML forbids", "2026-03-10T09:24:58Z", "NotOnOrAfter alone", "leave NotBefore out"},
		{"c45-recipient-missing", "the bearer confirmation has no Recipient", "", "/saml-acs", entraHints[CodeRecipient]},
		{"c45-holder-of-key", "no bearer confirmation", "cm:holder-of-key", "cm:bearer", ""},
		{"c45-no-confirmation", "no bearer confirmation", "", "cm:bearer", ""},
		{"c48-response-answers-empty", "the response has an empty InResponseTo", "", "no InResponseTo", ""},
		{"c48-confirmation-answers", "a request that this browser did not make", "_ffffffff", "no InResponseTo", ""},
		{"p21-in-advice", "the Advice of the assertion holds another assertion", "an assertion in Advice", "directly in the outermost Response",
			"Let the identity provider send its own assertion alone"},
		{"p21-second-after", "more than one assertion", "", "exactly one", ""},
		{"p20-no-namespace", "has the name of a SAML element, but not its namespace", "Advice in no namespace",
			"Advice in urn:oasis:names:tc:SAML:2.0:assertion", ""},
		{"p19-no-namespace", "not a SAML response", "Response in no namespace", "Response in urn:oasis:names:tc:SAML:2.0:protocol", ""},
		{"c52-no-zone", "not an xs:dateTime with a time zone", `"Conditions/NotOnOrAfter=2026-03-10T10:29:58"`, "2026-03-10T09:30:00Z", CodeTime.hint()},
		{"c52-response", "the Response's IssueInstant is not an xs:dateTime", `"2026-03-10T09:29:58.123"`, "2026-03-10T09:30:00Z", CodeTime.hint()},
		{"c41-version-missing", "the Assertion has no Version", "", "Version 2.0", ""},
		{"p19-version-missing", "the Response has no Version", "", "Version 2.0", ""},
		{"c41-id-missing", "the Assertion has no ID", "", "1 to 256 ASCII letters", ""},
		{"p19-id-missing", "the Response has no ID", "", "1 to 256 ASCII letters", ""},
		{"c41-id-hash", "the ID of the Assertion has a form that is not allowed", `"#_4be5c7d2`, "1 to 256 ASCII letters", ""},
		{"c24-empty", "the Issuer of the Response is empty", "", "https://sts.windows.net/", entraHints[CodeResponseIssuer]},
		{"c41-issuer-empty", "the Issuer of the Assertion is empty", "", "https://sts.windows.net/", entraHints[CodeAssertionIssuer]},
		{"c41-issuer-format", "has a Format that says that it is not an entity ID", "emailAddress", "no Format", "without Format"},
		{"c43-empty", "the Audience of the Assertion is empty", "", "/saml-acs", entraHints[CodeAudience]},
		{"c51-empty", "does not say by which method", "", "classes:Password", ""},
		{"c55-empty", "the SPNameQualifier of the NameID is empty", "", "/saml-acs", ""},
		{"c55-other", "the NameID was made for another service", "https://", "/saml-acs", ""},
		{"c53-encrypted-id", "the subject is named by an EncryptedID", "", "a NameID", ""},
		{"p32-trusted-certificate", "the message names a trusted certificate, but its signature does not fit", "SHA-1 thumbprint",
			"SHA-1 thumbprint", hintChanged},
		{"p26-attacker", "none of the trusted keys made the signature", "SHA-1 thumbprint", "SHA-1 thumbprint", entraHints[CodeSignature]},
		{"p26-white-space-added", "the response was re-formatted after it was signed", "", "", hintReformatted},
		{"p26-unsigned", "neither the response nor the assertion is signed", "", "", CodeUnsigned.hint()},
	} {
		v := vectors[row.vector]
		if v == nil {
			t.Errorf("there is no vector %s", row.vector)
			continue
		}
		_, err := v.finish(t, allChecks)
		if err == nil {
			t.Errorf("%s is accepted", row.vector)
			continue
		}
		for what, pair := range map[string][2]string{"message": {err.Message, row.message}, "got": {err.Got, row.got},
			"want": {err.Want, row.want}, "hint": {err.Hint, row.hint}} {
			if !strings.Contains(pair[0], pair[1]) {
				t.Errorf("%s: %s is %q, want %q in it", row.vector, what, pair[0], pair[1])
			}
		}
	}
}

// TestStatusSignedByAStranger: an error that somebody else signed is as good as unsigned, and said
// to be.
func TestStatusSignedByAStranger(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["c23-refusal-signed"]
	v.Header["keys"] = "test-idp-b.crt.pem"
	if _, err := v.finish(t, allChecks); err == nil || err.Code != CodeStatus ||
		!strings.HasSuffix(err.Message, "(unsigned)") {
		t.Errorf("got %v, want an unsigned status", err)
	}
}

func TestStatusInWords(t *testing.T) {
	t.Parallel()
	const prefix = "urn:oasis:names:tc:SAML:2.0:status:"
	for _, row := range []struct {
		status     wire.Status
		line, name string
	}{
		{wire.Status{}, "", "an error"},
		{wire.Status{Code: prefix + "Requester"}, "Requester", "an error Requester"},
		{wire.Status{Code: prefix + "Responder", SubCode: prefix + "AuthnFailed"}, "Responder: AuthnFailed",
			"an error Responder AuthnFailed"},
		{wire.Status{Code: "Plain", Message: " two\n words "}, "Plain: two words", "an error Plain"},
		{wire.Status{Code: prefix + "<b>", SubCode: prefix + strings.Repeat("a", 41),
			Message: "user alice@example.com AADSTS50105 x"},
			"<b>: " + strings.Repeat("a", 41) + ": user alice@example.com AADSTS50105 x", "an error AADSTS50105"},
	} {
		if got := row.status.String(); got != row.line {
			t.Errorf("%+v: got %q, want %q", row.status, got, row.line)
		}
		if got := statusName(row.status); got != row.name {
			t.Errorf("%+v: got the name %q, want %q", row.status, got, row.name)
		}
	}
}

// TestAcceptedUntil: a claim must live as long as any check would let the assertion through again.
func TestAcceptedUntil(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return testNow.Add(time.Duration(minutes) * time.Minute) }
	confirmations := func(list ...SubjectConfirmation) []SubjectConfirmation { return list }
	bearer := func(minutes int) SubjectConfirmation {
		return SubjectConfirmation{Method: methodBearer, NotOnOrAfter: at(minutes)}
	}
	for _, row := range []struct {
		name string
		a    Assertion
		want time.Time
	}{
		{"one confirmation", Assertion{IssueInstant: at(0), Confirmations: confirmations(bearer(60))}, at(60)},
		{"the last of several", Assertion{IssueInstant: at(0), Confirmations: confirmations(bearer(5), bearer(60),
			bearer(30))}, at(60)},
		{"others than bearer do not count",
			Assertion{IssueInstant: at(0),
				Confirmations: confirmations(bearer(5), SubjectConfirmation{Method: "x", NotOnOrAfter: at(60)})}, at(5)},
		{"Conditions end earlier", Assertion{IssueInstant: at(0), Confirmations: confirmations(bearer(60)),
			Conditions: Conditions{NotOnOrAfter: at(10)}}, at(10)},
		{"Conditions end later", Assertion{IssueInstant: at(0), Confirmations: confirmations(bearer(60)),
			Conditions: Conditions{NotOnOrAfter: at(70)}}, at(60)},
		{"too old before it ends", Assertion{IssueInstant: at(0), Confirmations: confirmations(bearer(48 * 60))},
			at(24 * 60)},
	} {
		if got := row.a.acceptedUntil(); !got.Equal(row.want) {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

// claimWatch keeps the contexts of the claims.
type claimWatch struct{ contexts []context.Context }

func (w *claimWatch) Claim(ctx context.Context, _ string, _ time.Duration) (bool, error) {
	w.contexts = append(w.contexts, ctx)
	return true, ctx.Err()
}
func (w *claimWatch) Claimed(context.Context, string) (bool, error) { return false, nil }

// TestClaimsShareTheirTime: both claims of a message have one deadline, whatever becomes of the
// browser's request.
func TestClaimsShareTheirTime(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["entra"]
	sp, err := v.provider(t)
	if err != nil {
		t.Fatal(err)
	}
	watch := &claimWatch{}
	sp.store = watch
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sp.FinishLogin(gone, v.response(t, sp)); err != nil {
		t.Fatal(err)
	}
	if len(watch.contexts) != 2 || watch.contexts[0] != watch.contexts[1] || watch.contexts[0].Err() == nil {
		t.Errorf("got %d claims, want two under one context, which ends with them", len(watch.contexts))
	}
	if end, ok := watch.contexts[0].Deadline(); !ok || time.Until(end) > claimTimeout {
		t.Errorf("they end at %s", end)
	}
}

// TestFormValueLimit: white space makes a form value long without making the message long.
func TestFormValueLimit(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["entra"]
	form := base64.StdEncoding.EncodeToString(v.message())
	for size, want := range map[int]Code{wire.MaxForm: "", wire.MaxForm + 1: CodeTooLarge} {
		_, err := wire.Read(form + strings.Repeat(" ", size-len(form)))
		var got Code
		if err != nil {
			got = fromFault(err).Code
		}
		if got != want {
			t.Errorf("%d bytes: got %q, want %q", size, string(got), string(want))
		}
	}
}

func codeOfError(err *Error) Code {
	if err == nil {
		return ""
	}
	return err.Code
}

// TestKeyThatSigned: a refusal names the certificate that the message shows, beside those that are
// trusted, and only for "none of the keys".
func TestKeyThatSigned(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	for name, want := range map[string]struct {
		got  string
		code Code
	}{
		"p32-trusted-certificate": {"certificate with SHA-1 thumbprint", CodeSignature},
		"p32-no-key-info":         {"", CodeSignature},
		"p26-name-id-changed":     {"", CodeDigest},
		"p31-ecdsa-der":           {"ASN.1", CodeSignature},
	} {
		v := vectors[name]
		if v == nil {
			t.Errorf("there is no vector %s", name)
			continue
		}
		_, err := v.finish(t, allChecks)
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Code != want.code || !strings.Contains(refusal.Got, want.got) ||
			(refusal.Got == "") != (want.got == "") {
			t.Errorf("%s: got %v, want %s with %q", name, err, string(want.code), want.got)
		}
	}
}

// TestForeignAssertions: what is called Assertion in another namespace is none.
func TestForeignAssertions(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["extensions"]
	message := strings.Replace(string(v.message()), ">text<", `><x:Assertion/><x:EncryptedAssertion/><`, 1)
	if message == string(v.message()) {
		t.Fatal("the vector has changed")
	}
	if _, err := v.reader(t)([]byte(message)); err != nil { // the assertion alone is signed
		t.Error(err)
	}
}
