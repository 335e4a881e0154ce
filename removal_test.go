package saml

import (
	"slices"
	"testing"
)

// refusedTwice are vectors that stay refused when the check that refuses them is left out, each
// with what refuses it then. Every check but "assertion present" has other vectors that it alone
// refuses.
var refusedTwice = map[string]string{
	"p21-none":                   "what was signed holds no assertion",
	"p21-encrypted":              "what was signed holds no assertion",
	"p37-no-key":                 "without a key nothing is decrypted",
	"c23-refusal":                "there is no assertion",
	"c23-refusal-signed":         "there is no assertion",
	"c41-issue-instant-missing":  "no time is more than 24 hours ago",
	"c42-no-conditions":          "without Conditions there is no audience",
	"c42-read-later":             "the time to deliver is over too",
	"c46-former-url-gone":        "the recipient is the former URL too",
	"c47-other-browser":          "the confirmation answers the other request too",
	"c47-store-fails":            "the assertion cannot be claimed either",
	"c52-issue-instant":          "what is no time counts as missing",
	"c52-confirmation":           "what is no time counts as missing",
	"c52-authn-instant":          "what is no time counts as missing",
	"c53-no-subject":             "without a Subject there is no NameID",
	"c53-address-control":        "it is no e-mail address either",
	"c53-address-no-break-space": "it is no e-mail address either",
	"c53-white-space-only":       "it is no e-mail address either",
}

// Without an assertion there is nothing to accept: what was signed is searched for one, whatever
// the checks say.
const checkWithFallback = "assertion present"

// TestEachCheckIsNeeded leaves out one check after the other: what it refused is then accepted. So
// each check has vectors that no other check refuses.
func TestEachCheckIsNeeded(t *testing.T) {
	t.Parallel()
	vectors := readVectors(t)
	for name, without := range listsWithoutOne() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needed := 0
			for _, v := range vectors {
				if v.Header["check"] != name {
					continue
				}
				_, err := v.finish(t, without)
				switch reason, listed := refusedTwice[v.Name]; {
				case err == nil && listed:
					t.Errorf("%s is accepted without %q, so it need not be listed as refused twice (%s)", v.Name,
						name, reason)
				case err == nil:
					needed++
				case !listed:
					t.Errorf("%s without %q: got %v by %q, want accepted", v.Name, name, err, err.Check)
				}
			}
			if needed == 0 && name != checkWithFallback {
				t.Errorf("no vector is refused by %q alone", name)
			}
		})
	}
}

// listsWithoutOne gives the list of checks without one, by the name of the one that is missing.
func listsWithoutOne() map[string]checkList {
	lists := map[string]checkList{}
	for _, of := range []func(*checkList) *[]check{
		func(l *checkList) *[]check { return &l.received },
		func(l *checkList) *[]check { return &l.verified },
		func(l *checkList) *[]check { return &l.claims },
	} {
		all := allChecks
		for i, c := range *of(&all) {
			without := allChecks
			*of(&without) = slices.Delete(slices.Clone(*of(&all)), i, i+1)
			lists[c.name] = without
		}
	}
	return lists
}

func TestRefusedTwiceNamesVectors(t *testing.T) {
	t.Parallel()
	vectors := readVectors(t)
	for name := range refusedTwice {
		if !slices.ContainsFunc(vectors, func(v *testVector) bool { return v.Name == name }) {
			t.Errorf("there is no vector %s", name)
		}
	}
}
