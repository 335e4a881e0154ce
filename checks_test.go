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
			"Requester: RequestUnsupported: AADSTS75011: Authentication", "Success", "RequestedAuthnContexts"},
		{"c23-refusal-signed", "reports an error Requester RequestUnsupported AADSTS75011 (signed)",
			"Requester: RequestUnsupported: AADSTS75011: Authentication", "Success", "RequestedAuthnContexts"},
		{"c23-responder-signed", "reports an error Responder (", `"Responder"`, "Success", CodeStatus.hint()},
		{"c51-other", "another method", "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified", "classes:X509 or urn",
			""},
		{"p38-rsa-1.5", "encrypted with an algorithm that is not allowed", "rsa-1_5", "RSA-OAEP", "AES-256"},
		{"p37-cipher-reference", "must be in exactly one CipherValue", "CipherReference", "",
			entraHints[CodeDecryption]},
		{"c53-no-name-id", "the subject has no NameID", "", "exactly one", ""},
		{"c53-empty", "the NameID is empty", "", "a NameID", ""},
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
