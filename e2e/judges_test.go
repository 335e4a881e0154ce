//go:build !race

// Other programs do the work of these tests, and nothing of ours runs at the same time: the race
// detector would only make them slow.

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/testdata/vectors"
)

// A judge is another library, asked by a program in judges/.
type judge struct {
	name, released string

	probe   []string // fails if the library is not there
	deb     string
	command []string
}

var judges = []judge{
	{name: "python3-saml", released: "August 2021", deb: "python3-onelogin-saml2",
		probe:   []string{"/usr/bin/python3", "-c", "import onelogin.saml2"},
		command: []string{"/usr/bin/python3", "python3saml.py"}},
	{name: "ruby-saml", released: "September 2021", deb: "ruby-saml",
		probe:   []string{"ruby", "-e", "require 'onelogin/ruby-saml'"},
		command: []string{"ruby", "rubysaml.rb"}},
	{name: "node-saml", released: "October 2025", deb: "nodejs and npm", probe: []string{"npm", "--version"},
		command: []string{"node", "nodesaml.mjs"}},
	{name: "lasso", released: "early 2023", deb: "python3-lasso",
		probe:   []string{"/usr/bin/python3", "-c", "import lasso"},
		command: []string{"/usr/bin/python3", "lassosp.py"}},
}

// A judged vector: what a judge is told, one line of JSON, and what we know of the vector.
type judgedVector struct {
	name     string
	header   map[string]string
	verdicts []verdict // one for each judge

	Response       string   `json:"response"` // the form value
	At             float64  `json:"at"`       // Unix seconds
	ACS            string   `json:"acs"`
	EntityID       string   `json:"entity_id"`
	IdPEntityID    string   `json:"idp_entity_id"`
	RequestID      string   `json:"request_id"`   // empty: none is expected
	Certificates   []string `json:"certificates"` // PEM
	DecryptionKeys []string `json:"decryption_keys"`
	AllowSHA1      bool     `json:"allow_sha1"`
}

type verdict struct {
	Accepted bool   `json:"accepted"`
	NameID   string `json:"name_id"`
	Why      string `json:"why"`
}

// ownPolicies are the switches that refuse more, by a part of their word: no judge has them.
var ownPolicies = []string{"require_object_id", "require_signed_response", "refuse_", "only="}

// ownConditions are those that no judge can be told: memory of earlier sign-ins and settings that
// only this library has.
var ownConditions = []string{"former_redirect_urls", "former_entity_ids", "force_authn_at", "requested_context",
	"seen_before", "store"}

// largest is the size of a form value, in bytes, above which a message measures limits, not
// judgment.
const largest = 250_000

func judgedVectors(t *testing.T) []*judgedVector {
	t.Helper()
	all, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	var list []*judgedVector
	for _, v := range all {
		at, err := v.Time("at")
		if err != nil {
			t.Fatalf("%s: no clock (%v)", v.Name, err)
		}
		own := slices.ContainsFunc(ownConditions, func(key string) bool { return v.Header[key] != "" }) ||
			slices.ContainsFunc(ownPolicies, func(word string) bool { return strings.Contains(v.Header["policy"], word) })
		if own || len(v.Form) > largest {
			continue
		}
		pems := func(names []string) []string {
			list := []string{}
			for _, name := range names {
				data, err := vectors.Key(name)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, string(data))
			}
			return list
		}
		list = append(list, &judgedVector{name: v.Name, header: v.Header, Response: v.Form,
			At: float64(at.UnixMilli()) / 1000, ACS: v.Header["redirect_url"],
			EntityID: v.Header["entity_id"], IdPEntityID: v.Header["idp_entity_id"], RequestID: v.Header["request_id"],
			Certificates: pems(v.List("keys")), DecryptionKeys: pems(v.List("decryption_keys")), AllowSHA1: strings.Contains(v.Header["policy"], "allow_sha1")})
	}
	return list
}

func readText(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// ask gives one judge's verdicts and the version of the library. A judge that dies at a message has
// refused it, and goes on with the next.
func (j judge) ask(dir string, list []*judgedVector) (verdicts []verdict, version string, err error) {
	for len(verdicts) < len(list) {
		var input bytes.Buffer
		for _, v := range list[len(verdicts):] {
			if err := json.NewEncoder(&input).Encode(v); err != nil {
				return nil, "", err
			}
		}
		command := exec.Command(j.command[0], j.command[1:]...)
		command.Dir, command.Stdin = dir, &input
		output, failed := command.Output()
		lines := bufio.NewScanner(bytes.NewReader(output))
		lines.Buffer(nil, 1<<22)
		var hello struct {
			Version string `json:"version"`
		}
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &hello) != nil || hello.Version == "" {
			stderr := ""
			if e := (*exec.ExitError)(nil); errors.As(failed, &e) {
				stderr = string(e.Stderr)
			}
			return nil, "", fmt.Errorf("%s does not start: %v %s", j.name, failed, stderr)
		}
		version = hello.Version
		for lines.Scan() {
			var v verdict
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
				return nil, "", fmt.Errorf("%s answers %q: %w", j.name, lines.Text(), err)
			}
			verdicts = append(verdicts, v)
		}
		if len(verdicts) < len(list) {
			verdicts = append(verdicts, verdict{Why: fmt.Sprint("died: ", failed)})
		}
	}
	return verdicts, version, nil
}

// judgesDir is a copy of judges/ with what node-saml needs.
func judgesDir(t *testing.T) string {
	t.Helper()
	for _, j := range judges {
		if out, err := exec.Command(j.probe[0], j.probe[1:]...).CombinedOutput(); err != nil {
			missing := fmt.Sprintf("%s is missing: install the Debian package %s (%v %.200s)", j.name, j.deb, err, out)
			if os.Getenv("SAML_TEST_REQUIRE") == "all" {
				t.Fatal(missing)
			}
			t.Skip(missing)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("judges")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

// A limit is why judges refuse what is accepted here and rightly so.
type limit struct {
	cause string
	names *regexp.Regexp // of the accepted vectors
	why   *regexp.Regexp // what the judge says
}

func because(cause, names, why string) limit {
	return limit{cause, regexp.MustCompile("^(" + names + ")$"), regexp.MustCompile(why)}
}

var limits = []limit{
	because("RSA-OAEP under its newer name, or with another hash than SHA-1, is not supported",
		"encrypted-(oaep.*|mgf1p-sha256)", "not supported|failed to decrypt|32 bytes|ProfileMissingAssertion|oaep decoding"),
	because("a label of RSA-OAEP is ignored", "encrypted-label", "oaep decoding"),
	because("AES with 192 bits is not supported", "encrypted-aes192-.*", "not supported"),
	because("only one key to decrypt with", "encrypted-second-key", "oaep decoding|failed to decrypt"),
	because("only the first EncryptedKey is tried", "encrypted-two-recipients",
		"ProfileMissingAssertion|too large|failed to decrypt"),
	because("an EncryptedKey must be in KeyInfo, or be named there", "encrypted-(beside|name-id-gcm)",
		"cant find|No KeyInfo|node_type|failed to decrypt"),
	because("EncryptedData must have a Type", "encrypted-no-type", "ProfileMissingAssertion|new_element"),
	because("an encrypted element must declare its namespaces itself", "encrypted-(outer-bindings|rebound-prefix.*)",
		"ProfileMissingAssertion|Invalid signature|Undefined prefix"),
	because("white space around the encrypted assertion is refused", "encrypted-white-space-inside", "must contain 1"),
	because("an encrypted NameID inside an encrypted assertion is not supported", "encrypted-name-id-and-assertion",
		"Signature validation failed"),
	because("ECDSA is not supported, or only in another form", "ecdsa-.*", "(?i)verif|Invalid signature"),
	because("RSA-SHA384 is not supported", "rsa-sha384", "Invalid signature"),
	because("a certificate's dates count, although it is trusted by its key", "expired-certificate",
		"Invalid Signature"),
	because("there is no tolerance at this end of a time window, or no offset or 24:00:00 in a time",
		"ends-within-skew|fractions|offsets|hour-24", "time"),
	because("the schema is followed to the letter: an ID is an NCName, an AttributeStatement is not empty",
		"(encrypted-)?id-.*|empty-attribute-statement", "xsd"),
	because("white space around an Issuer or Audience is compared", "(issuer|audience)-white-space",
		"(?i)issuer|audience|provider"),
	because("InResponseTo is required in the Response too", "no-in-response-to-in-response|style-duo", "InResponseTo"),
	because("Issuer is required in the Response, where it is optional", "no-issuer-in-response", "Issuer|provider"),
	because("the order of the schema is strict, or a schema is older than the signature's extensions",
		"prefix-list-signed-info|signature-last", "xsd|ProfileMissingAssertion"),
	because("an AttributeStatement is required, which is optional", "style-.*", "no AttributeStatement"),
	because("only one AuthnStatement is accepted, where several are allowed", "style-ibm", "AuthnStatement element"),
	because("only the first of several confirmations is read", "confirmations", "subject"),
	because("inclusive canonicalization is done without what surrounds the element, or Canonical XML 1.1 is not supported",
		"c14n-.*", "(?i)signature|not supported|ProfileMissingAssertion|Undefined prefix"),
	because("the schema refuses an attribute of the xml namespace on a Response", "c14n-.*around.*", "xsd"),
	because("RSA-PSS is not supported, or with SHA-256 alone", "rsa-pss-.*", "(?i)signature"),
	because("canonicalization with comments is treated differently, although there are no comments", "with-comments",
		"Failed to verify"),
}

// paddedNameIDs are accepted vectors whose NameID the judges give with the white space around it.
var paddedNameIDs = regexp.MustCompile("^(encrypted-)?name-id-white-space")

// unreadNameIDs are accepted vectors whose NameID a judge does not decrypt: it gives none.
var unreadNameIDs = regexp.MustCompile("^encrypted-name-id")

func (v *judgedVector) limit(why string) string {
	for _, l := range limits {
		if l.names.MatchString(v.name) && l.why.MatchString(why) {
			return l.cause
		}
	}
	return ""
}

// deliberate are the messages that all judges accept and that are refused here, by rule, with the
// reason.
var deliberate = map[string]struct{ vectors, reason string }{
	"7": {"p07-form-feed p07-unused-bits",
		"Base64 is strict: one message has one form, so that what is logged and compared is what was read."},
	"8": {"p08-noncharacter-1ffff p08-noncharacter-fdd0",
		"Noncharacters mean nothing in an identity, and readers treat them in different ways."},
	"9": {"p09-encoding-latin-1 p09-version-1.1",
		"XML 1.0 in UTF-8 only: other declarations are read differently by different parsers."},
	"11": {"p11-comment-after-root p11-comment-before-root p11-comment-in-attribute-value p11-comment-in-audience p11-comment-in-digest-value p11-comment-in-name-id p11-comment-in-response p11-instruction-in-response p11-style-sheet",
		"Comments and processing instructions are not part of what is signed. Refused everywhere, they cannot cut a text in two."},
	"15": {"p15-ampersand p15-scheme-only p15-too-long",
		"Libraries canonicalize a namespace name differently if it is not a plain absolute URI."},
	"17": {"p17-attributes-65 p17-declarations-33 p17-depth-65",
		"Limits on depth, attributes and declarations keep the cost of a hostile message small."},
	"19": {"p19-id-line-break p19-id-not-ascii p19-issue-instant-future-signed p19-issue-instant-future",
		"An ID has only characters that every reader takes for themselves. A response from the future means a wrong clock or a prepared message."},
	"20": {"p20-unknown-dsig-in-extensions p20-unknown-saml-in-extensions p20-unknown-xenc-in-extensions",
		"An element that the schema of its namespace does not have is never skipped silently."},
	"22": {"p22-two-foreign-elements",
		"An ID that occurs twice is refused everywhere, even if no reference points to it."},
	"28": {"p28-digest-method-parameter p28-hmac-output-length p28-object",
		"A signature has what the profile needs, and no parameter or object that a verifier might ignore."},
	"30": {"p30-enveloped-parameter p30-inclusive-parameter p30-prefix-list-with-text",
		"The enveloped signature and a canonicalization are the only transforms (Core 5.4.4), and have no parameter that they do not know."},
	"31": {"p31-digest-sha1 p31-rsa-sha1 p31-sha1-not-allowed p31-weak-key",
		"SHA-1 and RSA keys below 2048 bits are refused unless the service allows SHA-1."},
	"33": {"p33-prefix-list-65",
		"A PrefixList has at most 64 names."},
	"37": {"p37-name-id-three-keys p37-three-encrypted-keys-beside p37-three-encrypted-keys",
		"A content key is encrypted for at most two recipients. Each one lets any sender cause an operation with a private key."},
	"38": {"p38-content-parameter p38-digest-twice p38-triple-des",
		"Triple DES is broken by its short block. A parameter that an algorithm does not have may mean something to another reader."},
	"41": {"c41-id-257 c41-id-blank c41-id-not-ascii c41-issue-instant-far-future c41-issue-instant-future c41-too-old c41-version-1.1 c41-version-2.1 c41-version-2 c41-years-old",
		"Core demands version 2.0, an ID and an issue time. An ID has a bounded length and only characters that every reader takes for themselves. An assertion that is older than a day, or from the future, does not belong to this sign-in."},
	"42": {"c42-ends-as-it-begins",
		"A time window of length zero is a mistake of the identity provider."},
	"45": {"c45-no-request c45-not-before c45-recipient-missing",
		"The bearer confirmation has a Recipient and no NotBefore, and answers the request (Profiles 4.1.4.2)."},
	"46": {"c46-missing-both-signed c46-missing-signed",
		"A signed response must name its Destination (Bindings 3.5.5.2)."},
	"48": {"c48-no-pending-login c48-not-allowed c48-response-answers",
		"A response that nobody asked for can sign a browser in as somebody else, unless the service accepts that. Other libraries leave this to their caller."},
	"50": {"c50-instant-future",
		"An authentication in the future means a wrong clock or a prepared message."},
	"52": {"c52-authn-instant c52-confirmation c52-issue-instant c52-not-before c52-response",
		"A time without a time zone can be any of 28 hours (Core 1.3.3 demands UTC)."},
	"53": {"c53-257-characters c53-address-no-break-space c53-blank-first c53-blank-last c53-line-break c53-long-address c53-no-break-space c53-tab c53-white-space-only",
		"A NameID has no white space around it (that of XML is left out around an e-mail address), no control character, and at most 256 characters."},
	"54": {"c54-accent-in-claim c54-blank-in-claim c54-blank-inside c54-display-name c54-empty-claim c54-empty-label c54-guest-lower-case c54-guest c54-international-email c54-invisible c54-kelvin-sign c54-list c54-long-domain c54-long-local-part c54-no-domain c54-no-local-part c54-opaque c54-other-claim c54-quoted c54-transient c54-two-ats c54-two-lines",
		"The NameID is an e-mail address unless the service says otherwise. Other libraries have no such setting."},
	"55": {"c55-empty",
		"An empty SPNameQualifier names no service."},
	"56": {"c56-attribute c56-deep-name-id c56-empty-name c56-key-info c56-status c56-subject c56-unknown-element",
		"Attributes and subjects must follow the schema, so that nothing is read by chance."},
}

const judgesDoc = "../docs/judges.md"

// TestJudges asks the judges about the vectors. What two of them refuse is refused here, or stands
// in limits; what all accept is accepted here, or stands in deliberate. The summary in
// docs/judges.md has to be of today: SAML_TEST_UPDATE=1 writes it.
func TestJudges(t *testing.T) {
	list := judgedVectors(t)
	dir := judgesDir(t)
	versions, errs := make([]string, len(judges)), make([]error, len(judges))
	verdicts := make([][]verdict, len(judges))
	var all sync.WaitGroup
	for i, j := range judges {
		all.Go(func() {
			start := time.Now()
			verdicts[i], versions[i], errs[i] = j.ask(dir, list)
			t.Logf("%s %s: %d messages in %v", j.name, versions[i], len(list), time.Since(start).Round(time.Second))
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for n, v := range list {
		for i := range judges {
			v.verdicts = append(v.verdicts, verdicts[i][n])
		}
	}
	holdPositives(t, list)
	holdDifferences(t, list)
	writeVerdicts(t, list)
	summary := judgesSummary(list, versions)
	before, after, _ := strings.Cut(readText(t, judgesDoc), "<!-- generated -->\n")
	_, after, ok := strings.Cut(after, "<!-- end -->\n")
	if !ok {
		t.Fatalf("%s has lost its markers", judgesDoc)
	}
	now := before + "<!-- generated -->\n" + summary + "<!-- end -->\n" + after
	switch {
	case os.Getenv("SAML_TEST_UPDATE") != "":
		if err := os.WriteFile(judgesDoc, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	case now != readText(t, judgesDoc):
		t.Errorf("%s is not of today: run SAML_TEST_UPDATE=1 go test -run TestJudges, and read the difference. Now it says:\n%s", judgesDoc, summary)
	}
}

func (v *judgedVector) accepted() bool { return v.header["expect"] == "accepted" }

func (v *judgedVector) acceptances() (n int) {
	for _, a := range v.verdicts {
		if a.Accepted {
			n++
		}
	}
	return n
}

func holdPositives(t *testing.T, list []*judgedVector) {
	t.Helper()
	for _, v := range list {
		if !v.accepted() {
			continue
		}
		unexplained := false
		for i, a := range v.verdicts {
			switch {
			case !a.Accepted:
				t.Logf("%s: %s refuses: %s (%s)", v.name, judges[i].name, a.Why, orDash(v.limit(a.Why)))
				unexplained = unexplained || v.limit(a.Why) == ""
			case paddedNameIDs.MatchString(v.name) && strings.TrimSpace(a.NameID) == v.header["name_id"]:
			case a.NameID != v.header["name_id"] && (a.NameID != "" || !unreadNameIDs.MatchString(v.name)):
				t.Errorf("%s: %s reads the NameID %q, we %q", v.name, judges[i].name, a.NameID, v.header["name_id"])
			}
		}
		if unexplained {
			t.Errorf("%s is accepted, but a judge refuses it for a reason that is not listed", v.name)
		}
	}
}

func holdDifferences(t *testing.T, list []*judgedVector) {
	t.Helper()
	names := map[string][]string{}
	for _, v := range list {
		if rule := v.header["rule"]; !v.accepted() && v.acceptances() == len(judges) {
			names[rule] = append(names[rule], v.name)
		}
	}
	for rule := range names {
		if got, want := strings.Join(names[rule], " "), deliberate[rule].vectors; got != want {
			t.Errorf("rule %s: all judges accept, and here are refused\n%s\nlisted are\n%s", rule, got, want)
		}
	}
	for rule := range deliberate {
		if names[rule] == nil {
			t.Errorf("rule %s is listed as a difference and is none", rule)
		}
	}
}

// writeVerdicts keeps the whole table outside of the repository.
func writeVerdicts(t *testing.T, list []*judgedVector) {
	t.Helper()
	r := newReport(t, "judges")
	var b strings.Builder
	fmt.Fprintf(&b, "vector\there\trule")
	for _, j := range judges {
		fmt.Fprintf(&b, "\t%s", j.name)
	}
	for _, v := range list {
		fmt.Fprintf(&b, "\n%s\t%s\t%s", v.name, v.header["expect"], v.header["rule"])
		for _, a := range v.verdicts {
			fmt.Fprintf(&b, "\t%s", map[bool]string{true: fmt.Sprintf("accepted %q", a.NameID),
				false: "refused"}[a.Accepted])
		}
	}
	if err := os.WriteFile(filepath.Join(r.dir, "verdicts.tsv"), []byte(b.String()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// judgesSummary names no library beside a message that it should not have accepted.
func judgesSummary(list []*judgedVector, versions []string) string {
	var b strings.Builder
	positives := 0
	strict := map[string]int{}
	type row struct{ all, none, some, every int }
	rules := map[string]row{}
	for _, v := range list {
		if v.accepted() {
			positives++
			for _, a := range v.verdicts {
				if cause := v.limit(a.Why); !a.Accepted {
					strict[map[bool]string{true: cause, false: "other"}[cause != ""]]++
				}
			}
			continue
		}
		r := rules[fmt.Sprintf("%2s", v.header["rule"])]
		r.all++
		switch v.acceptances() {
		case 0:
			r.none++
		case len(judges):
			r.every++
		default:
			r.some++
		}
		rules[fmt.Sprintf("%2s", v.header["rule"])] = r
	}
	fmt.Fprintf(&b, "%d vectors were judged: %d that are accepted here, %d that are refused.\n\n", len(list),
		positives, len(list)-positives)
	fmt.Fprintf(&b, "| library | version | of | accepts of the %d accepted |\n| --- | --- | --- | --- |\n", positives)
	for i, j := range judges {
		n := 0
		for _, v := range list {
			if v.accepted() && v.verdicts[i].Accepted {
				n++
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", j.name, versions[i], j.released, n)
	}
	fmt.Fprintf(&b, "\nWhy they refuse what is accepted here:\n\n| cause | refusals |\n| --- | --- |\n")
	for _, cause := range slices.Sorted(maps.Keys(strict)) {
		fmt.Fprintf(&b, "| %s | %d |\n", cause, strict[cause])
	}
	fmt.Fprintf(&b, "\nWhat is refused here, by rule:\n\n| rule | vectors | refused by all four | accepted by some | accepted by all four |\n| --- | --- | --- | --- | --- |\n")
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		r := rules[rule]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", strings.TrimSpace(rule), r.all, r.none, r.some, r.every)
	}
	fmt.Fprintf(&b, "\nWhat all four accept, and why it is refused here:\n\n| rule | vectors | reason |\n| --- | --- | --- |\n")
	for _, rule := range slices.SortedFunc(maps.Keys(deliberate),
		func(a, b string) int { return strings.Compare(fmt.Sprintf("%2s", a), fmt.Sprintf("%2s", b)) }) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", rule, strings.ReplaceAll(deliberate[rule].vectors, " ", ", "),
			deliberate[rule].reason)
	}
	return b.String()
}
