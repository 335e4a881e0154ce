package saml

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// tolerated are the deviations from the letter of SAML that are accepted, because they carry nothing
// that readers could disagree about. Each has vectors that are accepted, and vectors just beyond the
// line that are refused. docs/security.md shows the table.
var tolerated = []struct {
	deviation, product, harmless string
	vectors, beyond              string
}{
	{"An AttributeStatement without an Attribute (Core 2.7.3 wants one)",
		"AWS IAM Identity Center, if only the Subject is mapped",
		"it states nothing; anything else in it is refused",
		"empty-attribute-statement",
		"p20-value-in-statement p20-text-in-statement p20-foreign-in-statement p20-name-id-in-statement"},
	{"An empty AuthnContextClassRef, where no class was asked for",
		"identity providers that leave the method open",
		"nobody asked; if a class was asked for, an empty one does not meet it",
		"empty-context", "c51-empty p20-empty-context p20-element-in-context"},
	{"An ID that is no NCName (Core 1.3.4): 1 to 256 ASCII letters, digits and `. _ - : + = /`",
		"Apereo CAS, Spring Security SAML, Mock SAML: bare UUIDs, which begin with a digit",
		"the reference must be # and the ID, byte for byte. No character is allowed that readers of URIs or XPointers interpret",
		"id-digit-first id-digit-first-response id-all-characters id-256 encrypted-id-digit-first",
		"p19-id-percent p19-id-hash p19-id-bracket p19-id-257 c41-id-not-ascii p29-id-percent p29-id-xpointer p29-plus-escaped p29-plus-blank p29-digit-other"},
	{"A time with an offset (Core 1.3.3 wants UTC)",
		"software that writes its local time",
		"the offset says which moment is meant, and it counts",
		"offsets", "c42-expired-offset c42-not-before-offset c52-offset-15 c52-offset-no-colon c52-no-zone"},
	{"24:00:00 for the end of a day",
		"software that writes days of validity",
		"XML Schema defines it as 00:00:00 of the next day",
		"hour-24", "c42-expired-hour-24 c52-hour-24-00-01 c52-hour-24-fraction c52-hour-25"},
	{"White space (space, tab, CR, LF) around an Issuer",
		"software that formats XML before it signs",
		"entity IDs do not begin or end with it. It is left out while decoding, so account keys and sessions do not have it",
		"issuer-white-space",
		"c24-no-break-space c24-two c41-issuer-no-break-space c41-issuer-line-separator c41-issuer-blank-inside c41-issuer-empty"},
	{"White space around an Audience",
		"software that formats XML before it signs, entity IDs that were pasted with a blank",
		"entity IDs do not begin or end with it; inside, it is compared",
		"audience-white-space", "c43-no-break-space c43-blank-inside c43-two-in-one"},
	{"White space around a NameID that must be an e-mail address",
		"user records with a blank behind the address",
		"addresses have none. It is left out while decoding. Other NameIDs may differ in it: with AllowAnyNameID it is refused",
		"name-id-white-space name-id-white-space-in-claim encrypted-name-id-white-space",
		"c53-address-no-break-space c53-address-control c53-white-space-only c53-blank-first c53-blank-last c54-blank-inside c54-two-lines c54-blank-in-claim"},
	{"White space in base64",
		"most identity providers: lines of 64 or 76 characters",
		"it is no part of the bytes; other characters are refused",
		"base64-white-space", "p07-form-feed"},
}

// TestToleratedFormsHaveLimits checks that each tolerated form is accepted, and that the vectors
// beyond the line exist and are refused.
func TestToleratedFormsHaveLimits(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	for _, row := range tolerated {
		for _, name := range strings.Fields(row.vectors) {
			if v := vectors[name]; v == nil || !v.Accepted() {
				t.Errorf("%s: there is no accepted vector %s", row.deviation, name)
			} else if _, err := v.finish(t, allChecks); err != nil {
				t.Errorf("%s: %s is refused: %v", row.deviation, name, err)
			}
		}
		for _, name := range strings.Fields(row.beyond) {
			if v := vectors[name]; v == nil || v.Accepted() {
				t.Errorf("%s: there is no refused vector %s", row.deviation, name)
			} else if _, err := v.finish(t, allChecks); err == nil {
				t.Errorf("%s: %s is accepted", row.deviation, name)
			}
		}
	}
}

// TestSecurityListsWhatIsTolerated checks the table in docs/security.md.
func TestSecurityListsWhatIsTolerated(t *testing.T) {
	var b strings.Builder
	b.WriteString("| deviation | sent by | why it is harmless | vectors | just beyond, refused |\n| --- | --- | --- | --- | --- |\n")
	for _, row := range tolerated {
		list := func(s string) string { return strings.Join(strings.Fields(s), ", ") }
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.deviation, row.product, row.harmless, list(row.vectors),
			list(row.beyond))
	}
	wantBetween(t, "docs/security.md", "tolerated", b.String())
}

// TestWhiteSpaceIsLeftOutOnce: a message with white space around its names is the same as the one
// without: in what the application reads, in account keys, and in what is claimed.
func TestWhiteSpaceIsLeftOutOnce(t *testing.T) {
	t.Parallel()
	vectors := vectorsByName(t)
	for name, plain := range map[string]string{"issuer-white-space": "entra", "audience-white-space": "entra",
		"base64-white-space": "entra", "name-id-white-space": "no-email-claim"} {
		got, want := mustFinish(t, vectors[name]), mustFinish(t, vectors[plain])
		got.Assertion.NameID.sent, want.Assertion.NameID.sent = "", ""
		if !reflect.DeepEqual(got.Assertion, want.Assertion) {
			t.Errorf("%s: got %+v, want %+v", name, got.Assertion, want.Assertion)
		}
		if !reflect.DeepEqual(got.Identity, want.Identity) {
			t.Errorf("%s: got %+v, want %+v", name, got.Identity, want.Identity)
		}
	}
	claims := func(name string) []Claim {
		verifier, sp, err := vectors[name].verifier(t)
		if err != nil {
			t.Fatal(err)
		}
		r, err := verifier.Verify(t.Context(), vectors[name].Form, vectors[name].verifyOptions(t, sp))
		if err != nil {
			t.Fatal(err)
		}
		return r.Claims
	}
	if got, want := claims("issuer-white-space"), claims("entra"); !reflect.DeepEqual(got, want) {
		t.Errorf("got the claims %v, want %v", got, want)
	}
	in := mustFinish(t, vectors["name-id-white-space-in-claim"])
	if in.Identity.Email != "ada.lovelace@example.com" || in.Identity.EmailClaim != "ada.lovelace@example.com " ||
		in.Identity.NameIDKey != mustFinish(t, vectors["entra"]).Identity.NameIDKey {
		t.Errorf("got %+v", in.Identity)
	}
}

func mustFinish(t *testing.T, v *testVector) *Login {
	t.Helper()
	login, err := v.finish(t, allChecks)
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	return login
}

func TestTrimSpace(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"": "", " \t\r\n": "", " a b\n": "a b", "\u00A0a": "\u00A0a", "a\u2028": "a\u2028",
		"\u0085a": "\u0085a", "\u3000a\v": "\u3000a\v", "a\f": "a\f", "\uFEFFa": "\uFEFFa"} {
		if got := trimSpace(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"2026-03-10T09:30:00Z":                      "2026-03-10T09:30:00Z",
		"2026-03-10T09:30:00.5Z":                    "2026-03-10T09:30:00.5Z",
		"2026-03-10T09:30:00.123456789123456Z":      "2026-03-10T09:30:00.123456789Z",
		"2026-03-10T09:30:00+00:00":                 "2026-03-10T09:30:00Z",
		"2026-03-10T09:30:00-00:00":                 "2026-03-10T09:30:00Z",
		"2026-03-10T09:30:00+02:00":                 "2026-03-10T07:30:00Z",
		"2026-03-10T09:30:00.25-05:30":              "2026-03-10T15:00:00.25Z",
		"2026-03-10T09:30:00+14:00":                 "2026-03-09T19:30:00Z",
		"2026-03-10T09:30:00-14:00":                 "2026-03-10T23:30:00Z",
		"2026-03-10T09:30:00+13:59":                 "2026-03-09T19:31:00Z",
		"2026-03-10T24:00:00Z":                      "2026-03-11T00:00:00Z",
		"2026-12-31T24:00:00.000+01:00":             "2026-12-31T23:00:00Z",
		"2028-02-28T24:00:00Z":                      "2028-02-29T00:00:00Z",
		"0001-01-01T00:00:01Z":                      "0001-01-01T00:00:01Z",
		"9999-12-31T23:59:59Z":                      "9999-12-31T23:59:59Z",
		"2026-03-10T09:30:00+14:01":                 "",
		"2026-03-10T09:30:00-15:00":                 "",
		"2026-03-10T09:30:00+24:00":                 "",
		"2026-03-10T09:30:00+01:60":                 "",
		"2026-03-10T09:30:00+1:00":                  "",
		"2026-03-10T09:30:00+01":                    "",
		"2026-03-10T09:30:00+0100":                  "",
		"2026-03-10T09:30:00 01:00":                 "",
		"2026-03-10T09:30:00+01:00:00":              "",
		"2026-03-10T09:30:00+0a:00":                 "",
		"2026-03-10T09:30:00z":                      "",
		"2026-03-10T09:30:00":                       "",
		"2026-03-10T09:30:00.Z":                     "",
		"2026-03-10T09:30:00.":                      "",
		"2026-03-10T24:00:01Z":                      "",
		"2026-03-10T24:00:00.0001Z":                 "",
		"2026-03-10T24:30:00Z":                      "",
		"2026-03-10T24:00:00":                       "",
		"2026-02-29T24:00:00Z":                      "",
		"2026-03-10T25:00:00Z":                      "",
		"0000-12-31T23:00:00-05:00":                 "", // there is no year 0, although this is in the year 1
		"0001-01-01T00:00:00+01:00":                 "", // in the year 0
		"0001-01-01T00:00:00Z":                      "", // what some write for "never"
		"0001-01-01T01:00:00+01:00":                 "", // the same
		"9999-12-31T24:00:00Z":                      "", // in the year 10000
		"9999-12-31T23:59:59-01:00":                 "", // likewise
		strings.Repeat("2", 40) + "T09:30:00+01:00": "",
	} {
		got, ok := parseTime(s)
		shown := ""
		if ok {
			shown = got.Format(time.RFC3339Nano)
		}
		if shown != want || !ok && !got.IsZero() {
			t.Errorf("%q: got %q (%s), want %q", s, shown, got, want)
		}
	}
}

// TestEntityIDsWithoutWhiteSpace: because white space is left out of what arrives, a name that has
// it could never be met. It is refused where a program gives it, and left out where a person pasted
// it or metadata has it.
func TestEntityIDsWithoutWhiteSpace(t *testing.T) {
	t.Parallel()
	v := vectorsByName(t)["entra"]
	sp, err := v.provider(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"urn:example:console ", "\turn:example:console"} {
		c := sp.config
		c.EntityID = id
		if _, err := New(c); err == nil {
			t.Errorf("New takes the entity ID %q", id)
		}
		c.EntityID, c.FormerEntityIDs = "", []string{id}
		if _, err := New(c); err == nil {
			t.Errorf("New takes the former entity ID %q", id)
		}
	}
	idp := sp.config.IdentityProvider.(*IdentityProvider)
	_, err = NewVerifier(VerifierConfig{Issuer: idp.EntityID() + " ", Keys: idp.Keys(), EntityID: sp.EntityID(),
		RedirectURLs: []string{sp.RedirectURL()}})
	if len(Errors(err)) != 1 || Errors(err)[0].Field != "Issuer" || !strings.Contains(err.Error(), "white space") {
		t.Errorf("NewVerifier with a blank behind the Issuer: got %v", err)
	}
}
