package saml

import (
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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/xmltree"
)

// A testVector is one file of testdata/vectors: a message, the conditions under which it is read,
// and the verdict. README.md there describes the format.
type testVector struct{ *testfiles.Vector }

// message is what stands in the form value, nil if it is no base64.
func (v *testVector) message() []byte {
	raw, err := b64.Decode(v.Form)
	if err != nil {
		return nil
	}
	return raw
}

// readVectors reads all files, sorted by name.
func readVectors(t testing.TB) (list []*testVector) {
	t.Helper()
	for _, v := range testfiles.Vectors(t) {
		list = append(list, &testVector{v})
	}
	return list
}

// vectorStore is empty but for what the header says that it knows.
type vectorStore struct {
	*MemoryStore
	seen  string // "request" or "assertion": that one was claimed before
	fails bool
}

func (s vectorStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	kinds := map[string]string{"request": "v1/req/", "assertion": "v1/ast/"} // how keys begin, forever
	switch kind, ok := kinds[s.seen]; {
	case s.fails:
		return false, errors.New("the store does not answer")
	case ok && strings.HasPrefix(key, kind):
		return false, nil
	}
	return s.MemoryStore.Claim(ctx, key, max(ttl, time.Second)) // whatever ttl: the checks alone must refuse
}

// RemembersSince says that it forgets nothing, as a database does.
func (s vectorStore) RemembersSince() time.Time { return time.Time{} }

// provider makes the service provider that the header describes. Its error is one of New's.
func (v *testVector) provider(t testing.TB) (*ServiceProvider, error) {
	t.Helper()
	redirect, err := url.Parse(v.Header["redirect_url"])
	if err != nil {
		t.Fatal(err)
	}
	now := v.time(t, "at")
	clock := func() time.Time { return now }
	config := Config{
		BaseURL:                redirect.Scheme + "://" + redirect.Host,
		RedirectPath:           redirect.Path,
		EntityID:               v.Header["entity_id"],
		FormerRedirectURLs:     strings.Fields(v.Header["former_redirect_urls"]),
		FormerEntityIDs:        strings.Fields(v.Header["former_entity_ids"]),
		RequestedAuthnContexts: strings.Fields(v.Header["requested_context"]),
		StateKeys:              [][]byte{fixedKey(7)},
		Store: vectorStore{NewMemoryStoreWithClock(clock), v.Header["seen_before"],
			v.Header["store"] == "fails"},
		Now:    clock,
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, word := range strings.Fields(v.Header["policy"]) {
		if uri, ok := strings.CutPrefix(word, "only="); ok {
			config.OnlyAlgorithms = append(config.OnlyAlgorithms, uri)
			continue
		}
		switch word {
		case "any_name_id":
			config.NameID = AllowAnyNameID
		case "allow_international_email":
			config.AllowInternationalEmail = true
		case "allow_sha1":
			config.InsecureAllowSHA1 = true
		case "require_object_id":
			config.RequireObjectID = true
		case "require_signed_response":
			config.RequireSignedResponse = true
		case "refuse_cbc":
			config.RefuseCBC = true
		case "refuse_expired_certificates":
			config.RefuseExpiredCertificates = true
		case "accept_unsolicited":
			config.Unsolicited = AllowUnsolicited
		default:
			t.Fatalf("%s: unknown policy %q", v.Name, word)
		}
	}
	var keys []TrustedKey
	for _, file := range strings.Fields(v.Header["keys"]) {
		k, err := ParseKeys(testfiles.Key(t, file))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		keys = append(keys, k...)
	}
	for _, file := range strings.Fields(v.Header["decryption_keys"]) {
		config.DecryptionKeys = append(config.DecryptionKeys, DecryptionKey{Key: vectorKey(t, file).(crypto.Decrypter)})
	}
	idp, err := NewIdentityProvider(v.Header["idp_entity_id"],
		"https://login.microsoftonline.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2", keys...)
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	config.IdentityProvider = idp
	return New(config)
}

func (v *testVector) time(t testing.TB, key string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, v.Header[key])
	if err != nil {
		t.Fatalf("%s: %s: %v", v.Name, key, err)
	}
	return at
}

// response is the form as a browser brings it, with the pending login in its sealed state.
func (v *testVector) response(t testing.TB, sp *ServiceProvider) FormResponse {
	t.Helper()
	r := FormResponse{SAMLResponse: v.Form}
	if v.Header["unsolicited"] == "yes" {
		return r
	}
	p := pendingLogin{RequestID: v.Header["request_id"], IssuedMilli: v.time(t, "at").Add(-time.Minute).UnixMilli(),
		IdentityProvider: v.Header["idp_entity_id"],
		AuthnContexts:    strings.Fields(v.Header["requested_context"])}
	if v.Header["force_authn_at"] != "" {
		p.ForceAuthn, p.IssuedMilli = true, v.time(t, "force_authn_at").UnixMilli()
	}
	r.State = p.seal(sp.sealer, sp.pendingContext())
	return r
}

// finish runs the vector through the code of FinishLogin with a list of checks.
func (v *testVector) finish(t testing.TB, checks checkList) (*Login, *Error) {
	t.Helper()
	sp, err := v.provider(t)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", v.Name, err)
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
		case v.Accepted() && err != nil:
			t.Errorf("%s: got %v (check %q), want accepted: %s", v.Name, err, err.Check, v.Header["comment"])
		case v.Accepted():
			want := v.Header["name_id"]
			if got := login.Assertion.NameID.Value; got != want {
				t.Errorf("%s: got NameID %q, want %q", v.Name, got, want)
			}
			if got := login.Identity.Email; got != want && !slices.Contains(v.List("policy"), "any_name_id") {
				t.Errorf("%s: got Email %q, want %q", v.Name, got, want)
			}
			counts["accepted"]++
		case err == nil:
			t.Errorf("%s: ACCEPTED, want %s: %s", v.Name, v.Header["expect"], v.Header["comment"])
		default:
			v.compare(t, login, err)
			counts[fmt.Sprintf("%-9s rule %2s", v.Header["stage"], v.Header["rule"])]++
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
		t.Errorf("%s: got a login with the error %v", v.Name, err)
	}
	stage, check := v.stageOf(err), ""
	if stage == "check" {
		check = err.Check
	}
	got := fmt.Sprintf("%s at %s %q", string(err.Code), stage, check)
	if want := fmt.Sprintf("%s at %s %q", v.Header["expect"], v.Header["stage"], v.Header["check"]); got != want {
		t.Errorf("%s: got %s, want %s: %v", v.Name, got, want, err)
	}
}

// The rules of a response that have vectors: P those of parser and signature profile, C those of
// the check list. 18, 25, 34 to 36 are invariants, tested as properties.
var (
	profileRules = []string{"7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "19", "20", "21", "22",
		"26", "27", "28", "29", "30", "31", "32", "33", "37", "38", "39", "40"}
	checkRules = []string{"23", "24", "41", "42", "43", "44", "45", "46", "47", "48", "49", "50", "51", "52", "53",
		"54", "55", "56"}
)

// leastNegatives is how many distinct refused vectors each rule has at least.
const leastNegatives = 4

// The set as a whole is at least so large.
const (
	leastAccepted = 100
	leastRefused  = 400
)

func TestVectorsCoverEveryRule(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	accepted, refused := 0, 0
	for _, v := range readVectors(t) {
		if v.Accepted() {
			accepted++
			continue
		}
		refused++
		rule := v.Header["rule"]
		counts[rule]++
		mark := "c"
		if slices.Contains(profileRules, rule) {
			mark = "p"
		}
		if want := fmt.Sprintf("%s%02s-", mark, rule); !strings.HasPrefix(v.Name, want) {
			t.Errorf("%s is about rule %s: its name should begin with %s", v.Name, rule, want)
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
	if accepted < leastAccepted || refused < leastRefused {
		t.Errorf("there are %d accepted and %d refused vectors, want at least %d and %d", accepted, refused,
			leastAccepted, leastRefused)
	}
}

// conditions are the header without the verdict. Whether and which request is answered is one
// condition.
func (v *testVector) conditions() map[string]string {
	c := maps.Clone(v.Header)
	for _, key := range []string{"expect", "stage", "rule", "check", "name_id", "twin", "comment"} {
		delete(c, key)
	}
	if c["unsolicited"] == "yes" {
		c["request_id"] = "none"
	}
	delete(c, "unsolicited")
	return c
}

// TestVectorsDifferInOneThing: a refused vector and its twin differ in the message, or in one
// condition.
func TestVectorsDifferInOneThing(t *testing.T) {
	t.Parallel()
	vectors := map[string]*testVector{}
	known := map[string]string{}
	for _, v := range readVectors(t) {
		vectors[v.Name] = v
		id := fmt.Sprint(v.conditions(), v.Form) // fmt prints maps sorted
		if other := known[id]; other != "" {
			t.Errorf("%s and %s are the same", v.Name, other)
		}
		known[id] = v.Name
		if v.Header["comment"] == "" {
			t.Errorf("%s has no comment", v.Name)
		}
	}
	for _, v := range vectors {
		if v.Accepted() {
			continue
		}
		twin := vectors[v.Header["twin"]]
		if twin == nil || !twin.Accepted() {
			t.Errorf("%s: its twin %q is no accepted vector", v.Name, v.Header["twin"])
			continue
		}
		differ := 0
		mine, its := v.conditions(), twin.conditions()
		for key, value := range mine {
			if value != its[key] {
				differ++
			}
		}
		for key := range its {
			if _, both := mine[key]; !both {
				differ++
			}
		}
		if v.Form != twin.Form {
			differ++
		}
		want := 1
		if v.Name == "p31-weak-key" { // the key has to be trusted and to sign
			want = 2
		}
		if differ != want {
			t.Errorf("%s and its twin %s differ in %d things, want %d", v.Name, twin.Name, differ, want)
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
		step := v.Header["check"]
		switch v.Header["stage"] {
		case "parse", "shape":
			step = stepMessage
		case "signature", "decryption":
			step = stepSignature
		}
		if code := Code(v.Header["expect"]); !v.Accepted() && !slices.Contains(codes[step], code) {
			t.Errorf("%s: Checks does not say that %q refuses with %s", v.Name, step, string(code))
		}
	}
}

// codesWithoutVector are those that no message with its conditions leads to.
var codesWithoutVector = map[Code]string{
	CodeStateMissing:        "about the cookie, not the message",
	CodeStateInvalid:        "about the cookie, not the message",
	CodeStateExpired:        "about the cookie, not the message",
	CodeIdentityProvider:    "about the source of the settings",
	"form":                  "about the browser's request, not the message",
	"session":               "about the application's session",
	CodeSignedOut:           "needs a logout",
	CodeAccountEnded:        "about the application's account",
	CodeDenied:              "about the application's account",
	CodeTenant:              "about the request's address, not the message",
	CodeAddressUnknown:      "about what a person typed",
	CodeBusy:                "about other requests",
	CodeKeyUnavailable:      "about a key that is elsewhere",
	CodeLoginLoop:           "about the browser's requests before",
	CodeSharedIssuer:        "about the settings of other tenants",
	CodeStoreYoung:          "about the age of the store",
	CodeNoAccountKey:        "about the account, after the message was accepted",
	CodeLogoutForm:          "about logout",
	CodeDeflate:             "about logout",
	CodeLogoutMessage:       "about logout",
	CodeLogoutUnsigned:      "about logout",
	CodeLogoutDestination:   "about logout",
	CodeLogoutUnexpected:    "about logout",
	CodeLogoutTime:          "about logout",
	CodeLogoutSessions:      "about logout",
	CodeLogoutFailed:        "about logout",
	CodeLogoutOrigin:        "about logout",
	CodeLogoutStatus:        "about logout",
	CodeLogoutSOAP:          "about logout",
	CodeMetadata:            "about metadata",
	CodeMetadataRole:        "about metadata",
	CodeMetadataAggregate:   "about metadata",
	CodeMetadataEntityID:    "about metadata",
	CodeMetadataTenant:      "about metadata",
	CodeMetadataLoginURL:    "about metadata",
	CodeMetadataKeys:        "about metadata",
	CodeMetadataFetch:       "about metadata",
	CodeMetadataUnavailable: "about a MetadataSource",
	CodeMetadataValidity:    "about a MetadataSource",
	CodeMetadataStale:       "about a MetadataSource",
	CodeMetadataCache:       "about a MetadataSource",
	CodeMetadataTooSoon:     "about a MetadataSource",
	CodeKeyEnded:            "about the application's sessions",
	CodeKeyRemoved:          "needs a MetadataSource that has read two documents",
	CodeKey:                 "about a certificate",
	CodePrivateKey:          "about a certificate",
	CodeConfig:              "about the configuration",
	CodeNotConfigured:       "about the configuration",
	CodeInternal:            "a fault of ours",
}

func TestVectorsProduceEveryCode(t *testing.T) {
	t.Parallel()
	produced := map[Code]bool{}
	for _, v := range readVectors(t) {
		produced[Code(v.Header["expect"])] = true
	}
	for name, code := range declaredCodes(t) {
		if reason := codesWithoutVector[code]; produced[code] == (reason != "") {
			t.Errorf("%s (%s): produced by a vector: %v, reason for having none: %q", name, string(code),
				produced[code], reason)
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

// stringConstants gives the string constants of a Go file; fault.Name stands for the constant of
// that name in faults.
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
