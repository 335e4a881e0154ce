//go:build !race

// Other programs do the work of these tests, and nothing of ours runs at the same time: the race
// detector would only make them slow.

package e2e

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// shibboleth judges signatures alone: OpenSAML for C++, which Shibboleth's service provider uses,
// comes with a program that verifies one signature by one certificate.
var shibboleth = judge{name: "samlsign", deb: "opensaml-tools and python3-lxml",
	probe:   []string{"/bin/sh", "-c", "command -v samlsign && /usr/bin/python3 -c 'import lxml'"},
	command: []string{"/usr/bin/python3", "shibboleth.py"}}

// signatureRules are the repository's rules on XML and on signatures. Of the others (base64, the
// elements of a message, decryption, what is signed) samlsign knows nothing.
var signatureRules = []string{"8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "22", "26", "27", "28", "29", "30",
	"31", "32", "33"}

// aboutSignatures reports whether samlsign can judge a vector: it decrypts nothing.
func (v *judgedVector) aboutSignatures(t *testing.T) bool {
	t.Helper()
	if v.accepted() {
		message, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v.Response), ""))
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		return !strings.Contains(string(message), "EncryptedAssertion")
	}
	return slices.Contains(signatureRules, v.header["rule"])
}

// shibbolethLimits are why samlsign refuses what is accepted here.
var shibbolethLimits = []limit{
	because("names in KeyInfo must be those of the certificate", "key-info-of-all-kinds|style-(google-workspace|keycloak.*)",
		"not supply any verification keys"),
	because("an attribute of the xml namespace is refused by its objects", "c14n-around.*", "Invalid attribute: xml:"),
	because("RSA-PSS is not supported", "rsa-pss-.*", "successful verification key"),
	because("a PrefixList for SignedInfo is not followed", "prefix-list-signed-info", "successful verification key"),
}

// shibbolethDifferences are the vectors that samlsign verifies and that are refused here, by rule,
// with the reason.
var shibbolethDifferences = map[string]struct{ vectors, reason string }{
	"8": {"p08-noncharacter-1ffff p08-noncharacter-fdd0 p08-utf-16",
		"Noncharacters mean nothing in an identity, and only UTF-8 is read, as every reader does."},
	"9": {"p09-encoding-latin-1 p09-version-1.1",
		deliberate["9"].reason},
	"11": {"p11-comment-after-root p11-comment-before-root p11-comment-in-attribute-value p11-comment-in-audience p11-comment-in-digest-value p11-comment-in-name-id p11-comment-in-response p11-style-sheet",
		deliberate["11"].reason},
	"15": {"p15-ampersand p15-no-scheme p15-relative-path p15-relative p15-scheme-only p15-too-long",
		deliberate["15"].reason},
	"17": {"p17-attributes-65 p17-declarations-33 p17-depth-65",
		deliberate["17"].reason},
	"22": {"p22-extension-and-assertion p22-key-info-and-assertion p22-two-foreign-elements p22-value-and-assertion",
		deliberate["22"].reason},
	"27": {"p27-in-key-info",
		"A signature stands directly in what it signs, and nowhere else."},
	"28": {"p28-digest-method-parameter p28-digest-value-no-base64 p28-element-in-digest-value p28-element-in-value p28-text-in-signature p28-text-in-signed-info p28-two-digest-values p28-two-key-infos p28-two-values",
		deliberate["28"].reason},
	"29": {"p29-empty p29-id-percent",
		"A Reference names the ID of the element around it (Core 5.4.2), and an ID has no character that readers of URIs interpret."},
	"30": {"p30-enveloped-parameter p30-foreign-parameter p30-inclusive-method-parameter p30-inclusive-parameter p30-prefix-list-with-text p30-text p30-two-prefix-lists",
		deliberate["30"].reason},
	"31": {"p31-digest-md5 p31-digest-sha1 p31-digest-sha224 p31-ecdsa-sha1 p31-ecdsa-too-long p31-rsa-md5 p31-rsa-sha1 p31-rsa-sha224 p31-sha1-not-allowed p31-weak-key",
		"MD5, SHA-224, SHA-1 and small keys are refused, SHA-1 unless the service allows it. An ECDSA value has the length of its curve."},
	"33": {"p33-method-prefix-list-65 p33-prefix-list-65",
		deliberate["33"].reason},
}

// TestShibboleth asks samlsign about the signatures of the vectors. It verifies what is accepted
// here, or the cause stands in shibbolethLimits; what it verifies and is refused here stands in
// shibbolethDifferences. The summary in docs/judges.md has to be of today: SAML_TEST_UPDATE=1
// writes it.
func TestShibboleth(t *testing.T) {
	if out, err := exec.Command(shibboleth.probe[0], shibboleth.probe[1:]...).CombinedOutput(); err != nil {
		missing := fmt.Sprintf("samlsign is missing: install the Debian packages %s (%v %.200s)", shibboleth.deb, err, out)
		if os.Getenv("SAML_TEST_REQUIRE") == "all" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	var list []*judgedVector
	for _, v := range judgedVectors(t) {
		if v.aboutSignatures(t) {
			list = append(list, v)
		}
	}
	start := time.Now()
	verdicts, version, err := shibboleth.ask("judges", list)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("samlsign %s: %d messages in %v", version, len(list), time.Since(start).Round(time.Second))
	s := signatureVerdicts{version: version, causes: map[string]int{}, rules: map[string]int{}, differences: map[string][]string{}}
	for i, v := range list {
		s.add(t, v, verdicts[i])
	}
	for _, rule := range slices.Sorted(maps.Keys(s.rules)) {
		if got, want := strings.Join(s.differences[rule], " "), shibbolethDifferences[rule].vectors; got != want {
			t.Errorf("rule %s: samlsign verifies, and here are refused\n%s\nlisted are\n%s", rule, got, want)
		}
	}
	for rule := range shibbolethDifferences {
		if len(s.differences[rule]) == 0 {
			t.Errorf("rule %s is listed as a difference and is none", rule)
		}
	}
	for _, l := range shibbolethLimits {
		if s.causes[l.cause] == 0 {
			t.Errorf("%q is listed as a limit of samlsign and is none any more", l.cause)
		}
	}
	holdGenerated(t, "<!-- samlsign -->\n", "<!-- end of samlsign -->\n", s.summary())
}

// signatureVerdicts counts what samlsign says.
type signatureVerdicts struct {
	version            string
	accepted, verified int            // the vectors that are accepted here, and those of them that it verifies
	causes             map[string]int // why it does not verify the others
	rules              map[string]int // the vectors that are refused here, by rule
	differences        map[string][]string
}

func (s *signatureVerdicts) add(t *testing.T, v *judgedVector, a verdict) {
	t.Helper()
	if !v.accepted() {
		rule := v.header["rule"]
		s.rules[rule]++
		if a.Accepted {
			s.differences[rule] = append(s.differences[rule], v.name)
		}
		return
	}
	s.accepted++
	if a.Accepted {
		s.verified++
		return
	}
	for _, l := range shibbolethLimits {
		if l.names.MatchString(v.name) && l.why.MatchString(a.Why) {
			s.causes[l.cause]++
			return
		}
	}
	t.Errorf("%s is accepted, but samlsign does not verify it for a reason that is not listed: %s", v.name, a.Why)
}

func (s *signatureVerdicts) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "samlsign %s verifies %d of %d vectors that are accepted here.\n\n", s.version, s.verified, s.accepted)
	fmt.Fprintf(&b, "| why it does not verify the others | vectors |\n| --- | --- |\n")
	for _, cause := range slices.Sorted(maps.Keys(s.causes)) {
		fmt.Fprintf(&b, "| %s | %d |\n", cause, s.causes[cause])
	}
	fmt.Fprintf(&b, "\n| rule | vectors refused here | refused by samlsign | why the others are refused here |\n| --- | --- | --- | --- |\n")
	for _, rule := range slices.SortedFunc(maps.Keys(s.rules), compareRules) {
		fmt.Fprintf(&b, "| %s | %d | %d | %s |\n", rule, s.rules[rule], s.rules[rule]-len(s.differences[rule]),
			shibbolethDifferences[rule].reason)
	}
	return b.String()
}

func compareRules(a, b string) int {
	return strings.Compare(fmt.Sprintf("%2s", a), fmt.Sprintf("%2s", b))
}

// holdGenerated demands that docs/judges.md has a text between two markers, or writes it there.
func holdGenerated(t *testing.T, begin, end, text string) {
	t.Helper()
	document := readText(t, judgesDoc)
	before, rest, ok := strings.Cut(document, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has lost its markers %s%s", judgesDoc, begin, end)
	}
	now := before + begin + text + end + after
	switch {
	case os.Getenv("SAML_TEST_UPDATE") != "":
		if err := os.WriteFile(judgesDoc, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	case now != document:
		t.Errorf("%s is not of today: run SAML_TEST_UPDATE=1 go test -run '^%s$', and read the difference. Now it says:\n%s",
			judgesDoc, t.Name(), text)
	}
}
