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
)

// A judge is another library, asked by a program in judges/.
type judge struct {
	name, released string

	probe   []string // fails if the library is not there
	deb     string
	command []string
}

var judges = []judge{
	{name: "python3-saml", released: "August 2021", deb: "python3-onelogin-saml2", probe: []string{"/usr/bin/python3", "-c", "import onelogin.saml2"},
		command: []string{"/usr/bin/python3", "python3saml.py"}},
	{name: "ruby-saml", released: "September 2021", deb: "ruby-saml", probe: []string{"ruby", "-e", "require 'onelogin/ruby-saml'"},
		command: []string{"ruby", "rubysaml.rb"}},
	{name: "node-saml", released: "October 2025", deb: "nodejs and npm", probe: []string{"npm", "--version"},
		command: []string{"node", "nodesaml.mjs"}},
	{name: "lasso", released: "early 2023", deb: "python3-lasso", probe: []string{"/usr/bin/python3", "-c", "import lasso"},
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

// ownConditions are those that no judge can be told: memory of earlier sign-ins and settings that only this library has.
var ownConditions = []string{"former_redirect_urls", "force_authn_at", "requested_context", "seen_before", "store"}

// largest is the size of a form value, in bytes, above which a message measures limits, not judgement.
const largest = 250_000

func judgedVectors(t *testing.T) []*judgedVector {
	t.Helper()
	const dir = "../testdata/vectors"
	files, err := filepath.Glob(dir + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s (%v)", dir, err)
	}
	var list []*judgedVector
	for _, file := range files {
		head, form, ok := strings.Cut(readText(t, file), "\n\n")
		h := map[string]string{}
		for line := range strings.Lines(head) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			h[key] = value
		}
		at, err := time.Parse(time.RFC3339, h["at"])
		if !ok || err != nil {
			t.Fatalf("%s: no form value or no clock (%v)", file, err)
		}
		own := slices.ContainsFunc(ownConditions, func(key string) bool { return h[key] != "" }) ||
			strings.Contains(h["policy"], "require_object_id") || strings.Contains(h["policy"], "refuse_expired_certificates")
		if own || len(form) > largest {
			continue
		}
		pems := func(names string) []string {
			list := []string{}
			for _, name := range strings.Fields(names) {
				list = append(list, readText(t, filepath.Join(dir, "keys", name)))
			}
			return list
		}
		list = append(list, &judgedVector{name: strings.TrimSuffix(filepath.Base(file), ".txt"), header: h, Response: form,
			At: float64(at.UnixMilli()) / 1000, ACS: h["redirect_url"], EntityID: h["entity_id"], IdPEntityID: h["idp_entity_id"], RequestID: h["request_id"],
			Certificates: pems(h["keys"]), DecryptionKeys: pems(h["decryption_keys"]), AllowSHA1: strings.Contains(h["policy"], "allow_sha1")})
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

// ask gives one judge's verdicts and the version of the library. A judge that dies at a message has refused it, and goes on with the next.
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

var limits = []limit{
	{"a layout, an algorithm or a second key of encryption that it does not have", regexp.MustCompile(`^encrypted-`),
		regexp.MustCompile(`(?i)decrypt|encrypt|oaep|modulus|32 bytes|new_element|KeyInfo|Undefined prefix|Missing|must contain 1`)},
	{"no ECDSA, or only in another form", regexp.MustCompile(`ecdsa`), regexp.MustCompile(`(?i)verif|Invalid signature`)},
	{"no RSA-SHA384", regexp.MustCompile(`sha384`), regexp.MustCompile(`Invalid signature`)},
	{"a certificate's dates count, though it is trusted by its key", regexp.MustCompile(`expired-certificate`), regexp.MustCompile(`Invalid Signature`)},
	{"no tolerance at this end of a time, or no fraction or offset in it", regexp.MustCompile(`skew|fractions`), regexp.MustCompile(`times|time`)},
	{"InResponseTo is wanted in the Response too", regexp.MustCompile(`no-in-response-to`), regexp.MustCompile(`InResponseTo`)},
	{"Issuer is wanted in the Response, where it is optional", regexp.MustCompile(`no-issuer`), regexp.MustCompile(`Issuer|provider`)},
	{"the order of the schema is strict, or a schema is older than the signature's extensions",
		regexp.MustCompile(`prefix-list-signed-info|signature-last`), regexp.MustCompile(`xsd|Missing`)},
	{"only the first of several confirmations is read", regexp.MustCompile(`confirmations`), regexp.MustCompile(`subject`)},
	{"comments left out of what is signed", regexp.MustCompile(`with-comments`), regexp.MustCompile(`Failed to verify`)},
}

func (v *judgedVector) limit(why string) string {
	for _, l := range limits {
		if l.names.MatchString(v.name) && l.why.MatchString(why) {
			return l.cause
		}
	}
	return ""
}

// deliberate are the rules by which messages are refused here that all judges accept, each with the number of them and the reason.
var deliberate = map[string]struct {
	count  int
	reason string
}{
	"7":  {2, "Base64 is strict: one message has one form, so that what is logged and compared is what was read."},
	"8":  {2, "Noncharacters mean nothing in an identity, and readers treat them in different ways."},
	"9":  {2, "XML 1.0 in UTF-8 only: a declaration that says anything else is read differently by different parsers."},
	"11": {9, "Comments and processing instructions are left out of what is signed; refusing them anywhere leaves no text that can be cut."},
	"15": {3, "A namespace name that is no absolute URI makes canonicalisation undefined."},
	"17": {3, "Limits on depth, attributes and declarations keep the cost of a hostile message small."},
	"19": {2, "A response from the future is a wrong clock or a prepared message."},
	"20": {3, "An element of a known namespace that its schema does not have is not skipped in silence."},
	"22": {1, "An ID that occurs twice is refused anywhere, even where no reference points to it."},
	"27": {1, "A signature that verifies under no trusted key is refused wherever it stands, also around an encrypted assertion that is signed well."},
	"37": {3, "At most two EncryptedKey elements are tried, so that decryption cannot be made dear."},
	"38": {3, "No 3DES, and no parameter that a decrypter might ignore."},
	"28": {3, "A signature holds what this profile needs, and no parameter that a verifier might ignore."},
	"30": {5, "One form of transforms and canonicalisation: exclusive, as SAML asks for."},
	"31": {4, "SHA-1 and RSA keys below 2048 bits are refused unless the service allows SHA-1."},
	"33": {1, "A long PrefixList serves nobody."},
	"41": {8, "Version, ID, issue time and age of the assertion are required by SAML and are checked."},
	"42": {1, "A window that ends as it begins is a mistake of the identity provider."},
	"45": {3, "The bearer confirmation has a Recipient, no NotBefore, and answers a request only if there was one."},
	"46": {2, "A signed response has to name its Destination."},
	"48": {3, "A response that nobody asked for is login forgery, unless the service allows it. Peers leave this to their caller."},
	"50": {1, "An authentication in the future is a wrong clock or a prepared message."},
	"52": {4, "Times are in UTC with a Z, as SAML asks for."},
	"53": {7, "A NameID has no blanks around it, no line break, and at most 256 characters."},
	"54": {19, "The NameID is an e-mail address unless the service says otherwise. Peers have no such setting."},
	"55": {1, "An empty SPNameQualifier names nobody."},
	"56": {7, "Attributes and subjects follow the schema, so that nothing is read by chance."},
}

const judgesDoc = "../docs/judges.md"

// TestJudges asks the judges about the vectors. What two of them refuse is refused here, or stands in limits; what all accept is accepted
// here, or stands in deliberate. The summary in docs/judges.md has to be of today: SAML_TEST_UPDATE=1 writes it.
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
			case a.NameID != v.header["name_id"]:
				t.Logf("%s: %s reads the NameID %q, we %q", v.name, judges[i].name, a.NameID, v.header["name_id"])
			}
		}
		if unexplained && v.acceptances() <= len(judges)-2 {
			t.Errorf("%s is accepted, but two or more judges refuse it for reasons that are not listed", v.name)
		}
	}
}

func holdDifferences(t *testing.T, list []*judgedVector) {
	t.Helper()
	counts, names := map[string]int{}, map[string][]string{}
	for _, v := range list {
		if rule := v.header["rule"]; !v.accepted() && v.acceptances() == len(judges) {
			counts[rule]++
			names[rule] = append(names[rule], v.name)
		}
	}
	for rule, n := range counts {
		if n != deliberate[rule].count {
			t.Errorf("rule %s: all judges accept %d that are refused here, listed are %d: %s", rule, n, deliberate[rule].count, names[rule])
		}
	}
	for rule := range deliberate {
		if counts[rule] == 0 {
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
			fmt.Fprintf(&b, "\t%s", map[bool]string{true: "accepted " + a.NameID, false: "refused"}[a.Accepted])
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
	fmt.Fprintf(&b, "%d vectors were judged: %d that are accepted here, %d that are refused.\n\n", len(list), positives, len(list)-positives)
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
	fmt.Fprintf(&b, "\nWhat all four accept and why it is refused here:\n\n| rule | vectors | reason |\n| --- | --- | --- |\n")
	for _, rule := range slices.SortedFunc(maps.Keys(deliberate), func(a, b string) int { return strings.Compare(fmt.Sprintf("%2s", a), fmt.Sprintf("%2s", b)) }) {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", rule, deliberate[rule].count, deliberate[rule].reason)
	}
	return b.String()
}
