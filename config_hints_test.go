package saml

import (
	"crypto/rsa"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestEachConfigFaultHasAHint walks over the code: whoever adds a fault of a configuration says what
// to do about it.
func TestEachConfigFaultHasAHint(t *testing.T) {
	t.Parallel()
	used, faults := map[string]bool{}, 0
	for _, name := range sourceFiles(t) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var stack []ast.Node
		ast.Inspect(file, func(n ast.Node) bool {
			if n == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			stack = append(stack, n)
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr: // f.add("Field", ...) and those that lead to it
				ofFaults := slices.Contains([]string{"add", "urls", "origins", "path", "text", "page", "language"}, f.Sel.Name) && isName(f.X, "f")
				literal, ok := call.Args[0].(*ast.BasicLit)
				if !ok || !ofFaults && f.Sel.Name != "hintOfField" {
					return true
				}
				field, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				if used[field] = true; configHints[field] == "" {
					t.Errorf("%s: there is no hint for the field %s", name, field)
				}
			case *ast.Ident:
				if f.Name != "refuse" && f.Name != "refusef" || !isName(call.Args[0], "CodeConfig") {
					return true
				}
				if faults++; !hasHint(stack) {
					t.Errorf("%s: a refusal with CodeConfig has no hint: use advised or hintOfField", name)
				}
			}
			return true
		})
	}
	for field, hint := range configHints {
		if !used[field] || !isSentence(hint) {
			t.Errorf("the hint for %s is of no use: %q", field, hint)
		}
	}
	if faults < 8 || len(used) < 25 {
		t.Errorf("found %d refusals and %d fields: this test cannot read them any more", faults, len(used))
	}
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// hasHint reports whether one of the calls around a refusal gives it a hint, or its function sets
// one.
func hasHint(stack []ast.Node) bool {
	for _, n := range stack {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if n.Sel.Name == "advised" || n.Sel.Name == "hintOfField" {
				return true
			}
		case *ast.FuncDecl:
			if n.Name.Name == "validateSigning" { // chooses between two
				return true
			}
		}
	}
	return false
}

// TestConfigFaultsComeWithTheirHints provokes a fault of each field and reads what a caller gets.
func TestConfigFaultsComeWithTheirHints(t *testing.T) {
	small := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}}
	var none *MemoryStore
	ofNew := func(change func(*Config)) error {
		_, err := testProvider(t, change)
		return err
	}
	sp := mustProvider(t, nil)
	ofMetadata := func(o MetadataOptions) error {
		_, err := sp.Metadata(o)
		return err
	}
	ofLogin := func(sp *ServiceProvider, o LoginOptions) error {
		_, err := sp.StartLogin(t.Context(), o)
		return err
	}
	ofHandler := func(c HandlerConfig) error {
		_, err := NewHandler(c)
		return err
	}
	ofSource := func(c MetadataSourceConfig) error {
		_, err := NewMetadataSource(t.Context(), c)
		return err
	}
	_, ofVerifier := NewVerifier(VerifierConfig{})
	_, zeroVerifier := new(Verifier).Verify(t.Context(), "", VerifyOptions{})
	_, ofDomains := NewDomains(DomainClaim{Verified: true}, DomainClaim{Domain: "example.com", Verified: true})
	_, several := sp.Metadata(MetadataOptions{}, MetadataOptions{})
	_, severalMetadata := ParseMetadata(nil, ParseMetadataOptions{}, ParseMetadataOptions{})
	trial := mustProvider(t, func(c *Config) { c.Tenant, c.Trial = "t", true })
	seen := map[string]bool{}
	for name, err := range map[string]error{
		"addresses": ofNew(func(c *Config) {
			c.BaseURL, c.RedirectPath, c.LogoutPath, c.EntityID = "https://c.example.com/path", "x", "y", " "
			c.FormerRedirectURLs, c.FormerEntityIDs = []string{"x"}, []string{""}
			c.LogoutAnswer, c.LogoutFrameAncestors = 9, []string{"*"}
		}),
		"keys": ofNew(func(c *Config) {
			c.StateKeys, c.SigningKey, c.DecryptionKeys = [][]byte{nil}, small, []DecryptionKey{{}}
			c.FurtherSigningCertificates = [][]byte{nil}
		}),
		"signing": ofNew(func(c *Config) {
			c.SigningCertificate, c.SigningAlgorithm = []byte{1}, "x"
			c.StateKeys = nil
		}),
		"policies": ofNew(func(c *Config) {
			c.IdentityProvider, c.Store, c.NameID, c.Unsolicited, c.ClockSkew = nil, none, 9, 9, time.Hour
			c.RequestedAuthnContexts, c.Claims, c.AllowUnsolicitedRelayState = []string{""}, Claims{Email: []string{""}}, true
			c.OnlyAlgorithms = []string{"x"}
			c.KeyTimeout, c.KeyCalls = -1, -1
		}),
		"trial":    ofNew(func(c *Config) { c.Trial, c.Unsolicited = true, AllowUnsolicited }),
		"handler":  ofHandler(HandlerConfig{Home: "x", BodyMemory: 1}),
		"handler2": ofHandler(HandlerConfig{Sessions: nobody{}, Provider: sp, Resolve: func(*http.Request, string) (*ServiceProvider, error) { return nil, nil }}),
		"choice": ofHandler(HandlerConfig{Sessions: nobody{}, Provider: sp, ByIssuer: (*Domains)(nil).Tenant,
			ChooseTenant: (*Domains)(nil).Tenant, ChoosePath: "x"}),
		"domains": ofDomains,
		"login":   ofLogin(sp, LoginOptions{ReturnTo: "//x"}),
		"purpose": ofLogin(trial, LoginOptions{}),
		"metadata": ofMetadata(MetadataOptions{Sign: true, LogoutSOAP: true, ValidFor: 1, Displays: []MetadataDisplay{{}}, Logos: []MetadataLogo{{}},
			Organization: []MetadataOrganization{{}}, Contacts: []MetadataContact{{}}}),
		"source": ofSource(MetadataSourceConfig{MDQ: true, SignedBy: []TrustedKey{}, Interval: 1, MinInterval: 2, MaxStale: -1,
			MaxValidity: -1, Persist: (*MetadataDir)(nil)}),
		"verifier":  ofVerifier,
		"verifier0": zeroVerifier,
		"several":   several,
		"several2":  severalMetadata,
	} {
		list := Errors(err)
		if len(list) == 0 {
			t.Errorf("%s: there is no fault", name)
		}
		for _, e := range list {
			if e.Code == CodeConfig && !isSentence(e.Hint) {
				t.Errorf("%s: %v has the hint %q", name, e, e.Hint)
			}
			seen[e.Field] = true
		}
	}
	for _, field := range slices.Sorted(maps.Keys(configHints)) {
		if !seen[field] {
			t.Errorf("no row of this test is about %s", field)
		}
	}
}
