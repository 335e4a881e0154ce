package saml

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/xmltree"
)

const vectorDir = "testdata/vectors"

// A testVector is one file of testdata/vectors: a message, the conditions under which it is read, and the verdict. README.md
// there describes the format.
type testVector struct {
	name   string
	header map[string]string
	form   string // the form value
}

// vectorKeys are the names that a header may have.
var vectorKeys = []string{"expect", "stage", "rule", "check", "name_id", "at", "redirect_url", "former_redirect_urls", "entity_id", "idp_entity_id",
	"request_id", "unsolicited", "force_authn_at", "requested_context", "seen_before", "store", "keys", "decryption_keys", "policy", "twin", "comment"}

func (v *testVector) accepted() bool { return v.header["expect"] == "accepted" }

// message is what stands in the form value, nil if it is no base64.
func (v *testVector) message() []byte {
	raw, err := b64.Decode(v.form)
	if err != nil {
		return nil
	}
	return raw
}

// readVectors reads all files, sorted by name.
func readVectors(t testing.TB) []*testVector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s (%v)", vectorDir, err)
	}
	var list []*testVector
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v, err := parseVector(strings.TrimSuffix(filepath.Base(file), ".txt"), data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, v)
	}
	return list
}

func parseVector(name string, data []byte) (*testVector, error) {
	head, form, ok := bytes.Cut(data, []byte("\n\n"))
	if !ok {
		return nil, errors.New("no blank line after the header")
	}
	v := &testVector{name: name, header: map[string]string{}, form: string(form)}
	lines := bufio.NewScanner(bytes.NewReader(head))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ": ")
		if _, twice := v.header[key]; !ok || twice || !slices.Contains(vectorKeys, key) {
			return nil, fmt.Errorf("header line %q is malformed, unknown or repeated", lines.Text())
		}
		v.header[key] = value
	}
	return v, lines.Err()
}

// vectorStore is empty but for what the header says that it knows.
type vectorStore struct {
	*MemoryStore
	seen  string // "request" or "assertion": that one was claimed before
	fails bool
}

func (s vectorStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	kinds := map[string]string{"request": "v1/req/", "assertion": "v1/ast/"} // how keys begin, for ever
	switch kind, ok := kinds[s.seen]; {
	case s.fails:
		return false, errors.New("the store does not answer")
	case ok && strings.HasPrefix(key, kind):
		return false, nil
	}
	return s.MemoryStore.Claim(ctx, key, max(ttl, time.Second)) // whatever ttl: the checks alone shall refuse
}

// provider makes the service provider that the header describes. Its error is one of New's.
func (v *testVector) provider(t testing.TB) (*ServiceProvider, error) {
	t.Helper()
	redirect, err := url.Parse(v.header["redirect_url"])
	if err != nil {
		t.Fatal(err)
	}
	now := v.time(t, "at")
	clock := func() time.Time { return now }
	config := Config{
		BaseURL:                redirect.Scheme + "://" + redirect.Host,
		RedirectPath:           redirect.Path,
		EntityID:               v.header["entity_id"],
		FormerRedirectURLs:     strings.Fields(v.header["former_redirect_urls"]),
		RequestedAuthnContexts: strings.Fields(v.header["requested_context"]),
		StateKeys:              [][]byte{bytes.Repeat([]byte{7}, stateKeySize)},
		Store:                  vectorStore{newMemoryStore(clock), v.header["seen_before"], v.header["store"] == "fails"},
		Now:                    clock,
		Logger:                 slog.New(slog.DiscardHandler),
	}
	for _, word := range strings.Fields(v.header["policy"]) {
		switch word {
		case "any_name_id":
			config.NameID = AnyNameID
		case "allow_sha1":
			config.InsecureAllowSHA1 = true
		case "require_object_id":
			config.RequireObjectID = true
		case "refuse_expired_certificates":
			config.RefuseExpiredCertificates = true
		case "accept_unsolicited":
			config.Unsolicited = AcceptUnsolicited
		default:
			t.Fatalf("%s: unknown policy %q", v.name, word)
		}
	}
	var keys []TrustedKey
	for _, file := range strings.Fields(v.header["keys"]) {
		pem, err := os.ReadFile(filepath.Join(vectorDir, "keys", file))
		if err != nil {
			t.Fatal(err)
		}
		k, err := ParseKeys(pem)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		keys = append(keys, k...)
	}
	for _, file := range strings.Fields(v.header["decryption_keys"]) {
		config.DecryptionKeys = append(config.DecryptionKeys, DecryptionKey{Key: vectorKey(t, file).(crypto.Decrypter)})
	}
	idp, err := NewIdentityProvider(v.header["idp_entity_id"], "https://login.microsoftonline.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2", keys...)
	if err != nil {
		t.Fatalf("%s: %v", v.name, err)
	}
	config.IdentityProvider = idp
	return New(config)
}

func (v *testVector) time(t testing.TB, key string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, v.header[key])
	if err != nil {
		t.Fatalf("%s: %s: %v", v.name, key, err)
	}
	return at
}

// response is the form as a browser brings it, with the pending login in its sealed state.
func (v *testVector) response(t testing.TB, sp *ServiceProvider) Response {
	t.Helper()
	r := Response{SAMLResponse: v.form}
	if v.header["unsolicited"] == "yes" {
		return r
	}
	p := pendingLogin{RequestID: v.header["request_id"], IssuedMilli: v.time(t, "at").Add(-time.Minute).UnixMilli(), IdentityProvider: v.header["idp_entity_id"],
		AuthnContexts: strings.Fields(v.header["requested_context"])}
	if v.header["force_authn_at"] != "" {
		p.ForceAuthn, p.IssuedMilli = true, v.time(t, "force_authn_at").UnixMilli()
	}
	r.State = p.seal(sp.sealer(), sp.pendingContext())
	return r
}

// finish runs the vector through the code of FinishLogin with a list of checks.
func (v *testVector) finish(t testing.TB, checks checkList) (*Login, *Error) {
	t.Helper()
	sp, err := v.provider(t)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", v.name, err)
		}
		return nil, e
	}
	return sp.finish(context.Background(), v.response(t, sp), checks)
}

// stageOf tells from the message and the refusal how far the message came.
func (v *testVector) stageOf(e *Error) string {
	switch e.Check {
	case stepMessage:
		if raw := v.message(); raw != nil {
			if _, err := xmltree.Parse(raw, xmltree.Options{}); err == nil {
				return "shape"
			}
		}
		return "parse"
	case stepSignature, "": // "" from New: no usable key
		if e.Code == CodeDecryption {
			return "decryption"
		}
		return "signature"
	}
	return "check"
}

func TestVectors(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, v := range readVectors(t) {
		login, err := v.finish(t, allChecks)
		switch {
		case v.accepted() && err != nil:
			t.Errorf("%s: got %v (check %q), want accepted: %s", v.name, err, err.Check, v.header["comment"])
		case v.accepted():
			if got, want := login.Identity.Email, v.header["name_id"]; got != want {
				t.Errorf("%s: got NameID %q, want %q", v.name, got, want)
			}
			counts["accepted"]++
		case err == nil:
			t.Errorf("%s: ACCEPTED, want %s: %s", v.name, v.header["expect"], v.header["comment"])
		default:
			v.compare(t, login, err)
			counts[fmt.Sprintf("%-9s rule %2s", v.header["stage"], v.header["rule"])]++
		}
	}
	total := 0
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%-24s %3d", what, counts[what])
		total += counts[what]
	}
	t.Logf("%-24s %3d", "all vectors", total)
}

// compare holds a refusal against the header.
func (v *testVector) compare(t *testing.T, login *Login, err *Error) {
	t.Helper()
	if login != nil {
		t.Errorf("%s: got a login with the error %v", v.name, err)
	}
	stage, check := v.stageOf(err), ""
	if stage == "check" {
		check = err.Check
	}
	got := fmt.Sprintf("%s at %s %q", string(err.Code), stage, check)
	if want := fmt.Sprintf("%s at %s %q", v.header["expect"], v.header["stage"], v.header["check"]); got != want {
		t.Errorf("%s: got %s, want %s: %v", v.name, got, want, err)
	}
}

// The rules of a response that have vectors: P those of parser and signature profile, C those of the check list. 18, 25, 34 to
// 36 are invariants, tested as properties.
var (
	profileRules = []string{"7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "19", "20", "21", "22", "26", "27", "28", "29", "30", "31", "32", "33", "37", "38", "39", "40"}
	checkRules   = []string{"23", "24", "41", "42", "43", "44", "45", "46", "47", "48", "49", "50", "51", "52", "53", "54", "55", "56"}
)

// leastNegatives is how many distinct refused vectors each rule has at least.
const leastNegatives = 4

func TestVectorsCoverEveryRule(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, v := range readVectors(t) {
		if v.accepted() {
			continue
		}
		rule := v.header["rule"]
		counts[rule]++
		mark := "c"
		if slices.Contains(profileRules, rule) {
			mark = "p"
		}
		if want := fmt.Sprintf("%s%02s-", mark, rule); !strings.HasPrefix(v.name, want) {
			t.Errorf("%s is about rule %s: its name should begin with %s", v.name, rule, want)
		}
	}
	for _, rule := range slices.Concat(profileRules, checkRules) {
		if counts[rule] < leastNegatives {
			t.Errorf("rule %s has %d refused vectors, want at least %d", rule, counts[rule], leastNegatives)
		}
		delete(counts, rule)
	}
	for rule := range counts {
		t.Errorf("there are vectors of rule %q, which is none", rule)
	}
}

// conditions are the header without the verdict. Whether and which request is answered is one condition.
func (v *testVector) conditions() map[string]string {
	c := maps.Clone(v.header)
	for _, key := range []string{"expect", "stage", "rule", "check", "name_id", "twin", "comment"} {
		delete(c, key)
	}
	if c["unsolicited"] == "yes" {
		c["request_id"] = "none"
	}
	delete(c, "unsolicited")
	return c
}

// TestVectorsDifferInOneThing: a refused vector and its twin differ in the message, or in one condition.
func TestVectorsDifferInOneThing(t *testing.T) {
	t.Parallel()
	vectors := map[string]*testVector{}
	known := map[string]string{}
	for _, v := range readVectors(t) {
		vectors[v.name] = v
		id := fmt.Sprint(v.conditions(), v.form) // fmt prints maps sorted
		if other := known[id]; other != "" {
			t.Errorf("%s and %s are the same", v.name, other)
		}
		known[id] = v.name
		if v.header["comment"] == "" {
			t.Errorf("%s has no comment", v.name)
		}
	}
	for _, v := range vectors {
		if v.accepted() {
			continue
		}
		twin := vectors[v.header["twin"]]
		if twin == nil || !twin.accepted() {
			t.Errorf("%s: its twin %q is no accepted vector", v.name, v.header["twin"])
			continue
		}
		differ := 0
		mine, its := v.conditions(), twin.conditions()
		for _, key := range vectorKeys {
			if mine[key] != its[key] {
				differ++
			}
		}
		if v.form != twin.form {
			differ++
		}
		want := 1
		if v.name == "p31-weak-key" { // the key has to be trusted and to sign
			want = 2
		}
		if differ != want {
			t.Errorf("%s and its twin %s differ in %d things, want %d", v.name, twin.name, differ, want)
		}
	}
}

// TestVectorsUseDocumentedCodes: the step that refuses says in Checks that it can refuse so.
func TestVectorsUseDocumentedCodes(t *testing.T) {
	t.Parallel()
	codes := map[string][]Code{}
	for _, c := range Checks() {
		codes[c.Name] = c.Codes
	}
	for _, v := range readVectors(t) {
		step := v.header["check"]
		switch v.header["stage"] {
		case "parse", "shape":
			step = stepMessage
		case "signature", "decryption":
			step = stepSignature
		}
		if code := Code(v.header["expect"]); !v.accepted() && !slices.Contains(codes[step], code) {
			t.Errorf("%s: Checks does not say that %q refuses with %s", v.name, step, string(code))
		}
	}
}

// codesWithoutVector are those that no message with its conditions leads to.
var codesWithoutVector = map[Code]string{
	CodeStateMissing:      "about the cookie, not the message",
	CodeStateInvalid:      "about the cookie, not the message",
	CodeStateExpired:      "about the cookie, not the message",
	CodeIdentityProvider:  "about the source of the settings",
	"form":                "about the browser's request, not the message",
	"session":             "about the application's session",
	CodeMetadata:          "about metadata",
	CodeMetadataRole:      "about metadata",
	CodeMetadataAggregate: "about metadata",
	CodeMetadataEntityID:  "about metadata",
	CodeMetadataTenant:    "about metadata",
	CodeMetadataLoginURL:  "about metadata",
	CodeMetadataKeys:      "about metadata",
	CodeMetadataFetch:     "about metadata",
	CodeKey:               "about a certificate",
	CodePrivateKey:        "about a certificate",
	CodeConfig:            "about the configuration",
	CodeNotConfigured:     "about the configuration",
	CodeInternal:          "a fault of ours",
}

func TestVectorsProduceEveryCode(t *testing.T) {
	t.Parallel()
	produced := map[Code]bool{}
	for _, v := range readVectors(t) {
		produced[Code(v.header["expect"])] = true
	}
	for name, code := range declaredCodes(t) {
		if reason := codesWithoutVector[code]; produced[code] == (reason != "") {
			t.Errorf("%s (%s): produced by a vector: %v, reason for having none: %q", name, string(code), produced[code], reason)
		}
	}
}

// declaredCodes reads the constants of codes.go, by name.
func declaredCodes(t *testing.T) map[string]Code {
	t.Helper()
	faults := stringConstants(t, filepath.Join("internal", "fault", "fault.go"), nil)
	codes := map[string]Code{}
	for name, value := range stringConstants(t, "codes.go", faults) {
		codes[name] = Code(value)
	}
	if len(codes) < 50 {
		t.Fatalf("found %d codes in codes.go: this test cannot read it any more", len(codes))
	}
	return codes
}

// stringConstants gives the string constants of a Go file; fault.Name stands for the constant of that name in faults.
func stringConstants(t *testing.T, file string, faults map[string]string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		switch value := spec.Values[0].(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(value.Value); err == nil {
				constants[spec.Names[0].Name] = text
			}
		case *ast.SelectorExpr:
			constants[spec.Names[0].Name] = faults[value.Sel.Name]
		}
		return true
	})
	return constants
}
