package saml

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// TestEachCodeHasOneRow: adding a code is one constant and one row.
func TestEachCodeHasOneRow(t *testing.T) {
	t.Parallel()
	declared := declaredCodes(t)
	named := map[Code]string{}
	for name, code := range declared {
		if other := named[code]; other != "" || code == "" {
			t.Errorf("%s and %s are both %q", name, other, string(code))
		}
		if named[code] = name; codes[code].meaning == "" {
			t.Errorf("%s has no row", name)
		}
	}
	for code := range codes {
		if named[code] == "" {
			t.Errorf("there is a row for %q, and no constant", string(code))
		}
	}
	if rows := rowsOfCodes(t); !slices.Equal(rows, constantsInOrder(t)) {
		t.Errorf("the rows are not in the order of the constants:\n%s", strings.Join(rows, "\n"))
	}
}

// TestRowsOfCodes: each row can be read by an operator, and its page by a user.
func TestRowsOfCodes(t *testing.T) {
	t.Parallel()
	meanings := map[string]Code{}
	for code, row := range codes {
		if !isSentence(row.meaning) || row.meaning != code.Meaning() {
			t.Errorf("%s: the meaning is no sentence: %q", string(code), row.meaning)
		}
		if other, taken := meanings[row.meaning]; taken {
			t.Errorf("%s means what %s means", string(code), string(other))
		}
		meanings[row.meaning] = code
		if row.hint == "" && code != CodeConfig { // of which each fault has its own: TestEachConfigFaultHasAHint
			t.Errorf("%s: no advice", string(code))
		}
		if row.hint != "" && !isSentence(row.hint) {
			t.Errorf("%s: the hint is no sentence: %q", string(code), row.hint)
		}
		p := (&Error{Code: code}).Page()
		if p.Status < 400 || http.StatusText(p.Status) == "" || p.Title == "" || !isSentence(p.Sentence) ||
			row.page.Status == 0 && row.page != (Page{}) {
			t.Errorf("%s: the page is not whole: %+v", string(code), p)
		}
		if strings.ContainsAny(p.Title+p.Sentence+p.Button, "<>&") {
			t.Errorf("%s: the page has HTML: %+v", string(code), p)
		}
		if strings.HasSuffix(p.Title, ".") || unicode.IsLower(rune(p.Title[0])) {
			t.Errorf("%s: the title is %q", string(code), p.Title)
		}
		if again := p.Status == http.StatusServiceUnavailable; code.temporary() != again {
			t.Errorf("%s: status %d, temporary %t", string(code), p.Status, code.temporary())
		}
	}
	if got := (&Error{Code: "of the application"}).Page(); got != defaultPage {
		t.Errorf("a code of the application has the page %+v", got)
	}
	if got := Code("of the application").Meaning(); got != "" {
		t.Errorf("a code of the application means %q", got)
	}
}

// TestPersonalCodes: Got of these is what a person or an identity provider says about that person.
// One that is missing here would be in every log.
func TestPersonalCodes(t *testing.T) {
	t.Parallel()
	want := []Code{CodeAddressUnknown, CodeAttributes, CodeNameID, CodeNameIDGuest, CodeNameIDMismatch, CodeNameIDNotEmail, CodeNoPassive,
		CodeStatus}
	var got []Code
	for code := range codes {
		if code.Personal() {
			got = append(got, code)
		}
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func isSentence(s string) bool {
	return s != "" && s[len(s)-1] == '.' && !unicode.IsLower(rune(s[0])) && strings.TrimSpace(s) == s &&
		!strings.Contains(s, "  ")
}

// constantsInOrder returns the names of the codes as codes.go declares them.
func constantsInOrder(t *testing.T) (names []string) {
	t.Helper()
	inspect(t, "codes.go", func(n ast.Node) {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Code") {
			names = append(names, spec.Names[0].Name)
		}
	})
	return names
}

func rowsOfCodes(t *testing.T) (names []string) {
	t.Helper()
	inspect(t, "codes.go", func(n ast.Node) {
		if pair, ok := n.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok && strings.HasPrefix(key.Name, "Code") {
				names = append(names, key.Name)
			}
		}
	})
	return names
}

func inspect(t *testing.T, file string, f func(ast.Node)) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		f(n)
		return true
	})
}

// TestDocsListTheCodes: docs/codes.md is the table of the code.
func TestDocsListTheCodes(t *testing.T) {
	wantBetween(t, "docs/codes.md", "codes", codesPage(t))
}

// codesPage is the list as it stands in the page.
func codesPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	declared := declaredCodes(t)
	for _, name := range constantsInOrder(t) {
		code := declared[name]
		fmt.Fprintf(&b, "**`%s`** %s\n", string(code), code.Meaning())
		if hint := code.hint(); hint != "" {
			fmt.Fprintf(&b, "What to change: %s\n", hint)
		}
		if p := codes[code].page; p.Status != 0 {
			fmt.Fprintf(&b, "The user reads: %s. %s\n", p.Title, p.Sentence)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestDocsListTheProducts: docs/products.md has the words of products.go.
func TestDocsListTheProducts(t *testing.T) {
	wantBetween(t, "docs/products.md", "products", productsPage())
}

// productsPage is the list as it stands in the page.
func productsPage() string {
	var b strings.Builder
	for _, known := range products {
		fmt.Fprintf(&b, "## %s\n\nRecognized by %s.\n\n", known.name, known.looksAs)
		prefix := "In " + shortName(known) + ": "
		row := func(what, words string) {
			if words != "" {
				fmt.Fprintf(&b, "- %s: %s\n", what, strings.TrimPrefix(words, prefix))
			}
		}
		for _, a := range known.words {
			var names []string
			for _, code := range a.codes {
				names = append(names, "`"+string(code)+"`")
			}
			row(strings.Join(names, ", "), a.text)
		}
		signResponse := "`unsigned` with `Config.RequireSignedResponse`"
		if known.signResponse != "" && known.hint(CodeCBCRefused) == known.signResponse {
			signResponse += ", `cbc_refused`"
		}
		row(signResponse, known.signResponse)
		row("`wants_signed_requests` (a warning)", known.signRequests)
		row("`form`, if the response came by HTTP-Redirect", known.postBinding)
		byWords := map[string][]string{}
		for _, status := range slices.Sorted(maps.Keys(known.statuses)) {
			byWords[known.statuses[status]] = append(byWords[known.statuses[status]], status)
		}
		for _, words := range slices.Sorted(maps.Keys(byWords)) {
			row("`status` "+strings.Join(byWords[words], ", "), words)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestDocsListTheNumbersOfEntra: docs/entra.md explains the error numbers that entra.go has a hint
// for.
func TestDocsListTheNumbersOfEntra(t *testing.T) {
	var b strings.Builder
	b.WriteString("| number | means | change |\n| --- | --- | --- |\n")
	for _, row := range aadstsTable {
		change := strings.TrimPrefix(strings.TrimPrefix(row.change, "In Entra: "), "Enterprise application > ")
		fmt.Fprintf(&b, "| AADSTS%s | %s | %s |\n", strings.Join(row.numbers, ", "), row.means, change)
	}
	wantBetween(t, "docs/entra.md", "aadsts", b.String())
}

// shortName is what the words of a product call it: its name, or how its administrators call it.
func shortName(known *product) string {
	switch known {
	case &entra:
		return "Entra"
	case &awsIdentityCenter:
		return "IAM Identity Center"
	}
	return known.name
}

// TestProducts: what is known about a product is whole, about codes that exist, and says whose
// settings it is about.
func TestProducts(t *testing.T) {
	t.Parallel()
	if len(products) < 14 {
		t.Errorf("got %d products", len(products))
	}
	for _, known := range products {
		if known.name == "" || known.looksAs == "" || known.matches == nil || len(known.words) == 0 {
			t.Errorf("%q is not whole", known.name)
		}
		check := func(what, words string) {
			if !isSentence(words) || !strings.HasPrefix(words, "In "+shortName(known)+": ") {
				t.Errorf("%s: the words for %s are no sentence that begins with the product: %q", known.name, what, words)
			}
		}
		seen := map[Code]bool{}
		for _, a := range known.words {
			for _, code := range a.codes {
				if row, ok := codes[code]; !ok || row.hint == "" {
					t.Errorf("%s: %s has a hint for this product, and none in general", known.name, string(code))
				}
				if seen[code] {
					t.Errorf("%s: %s has words twice, and the second ones are never read", known.name, string(code))
				}
				seen[code] = true
				check(string(code), a.text)
			}
		}
		for _, code := range []Code{CodeDestination, CodeRecipient, CodeAudience, CodeMetadata, CodeKey, CodeSignature,
			CodeNameID, CodeNameIDNotEmail} {
			if !seen[code] {
				t.Errorf("%s: there are no words for %s", known.name, string(code))
			}
		}
		for what, words := range map[string]string{"signResponse": known.signResponse, "signRequests": known.signRequests,
			"postBinding": known.postBinding} {
			if words != "" {
				check(what, words)
			}
		}
		for status, words := range known.statuses {
			if !secondLevelStatuses[status] {
				t.Errorf("%s: %s is no second-level status code", known.name, status)
			}
			check(status, words)
		}
	}
}

// entraHints are the words for Entra by code.
var entraHints = func() map[Code]string {
	all := map[Code]string{}
	for _, a := range entra.words {
		for _, code := range a.codes {
			all[code] = a.text
		}
	}
	return all
}()

// secondLevelStatuses are those of SAML Core 2.0 §3.2.2.2.
var secondLevelStatuses = map[string]bool{"AuthnFailed": true, "InvalidAttrNameOrValue": true, "InvalidNameIDPolicy": true,
	"NoAuthnContext": true, "NoAvailableIDP": true, "NoPassive": true, "NoSupportedIDP": true, "PartialLogout": true,
	"ProxyCountExceeded": true, "RequestDenied": true, "RequestUnsupported": true, "RequestVersionDeprecated": true,
	"RequestVersionTooHigh": true, "RequestVersionTooLow": true, "ResourceNotRecognized": true, "TooManyResponses": true,
	"UnknownAttrProfile": true, "UnknownPrincipal": true, "UnsupportedBinding": true}

// TestGeneralHintsNameNoProduct: if it is not known whose settings are used, the words are neutral.
func TestGeneralHintsNameNoProduct(t *testing.T) {
	t.Parallel()
	general := []string{signResponseHint, signRequestsHint, postBindingHint}
	for code, row := range codes {
		if code != CodeNoAccountKey { // names Entra's claims, which no other product has
			general = append(general, row.hint)
		}
	}
	for _, hint := range general {
		for _, known := range products {
			if strings.Contains(hint, shortName(known)) {
				t.Errorf("a general hint is about %s: %q", known.name, hint)
			}
		}
	}
}

// ofEntra is what stands for Microsoft Entra ID in a text: its hosts, claims, error numbers, and
// the words of its portal.
var ofEntra = regexp.MustCompile(`windows\.net|microsoftonline|chinacloudapi|schemas\.(microsoft|xmlsoap)|ciamlogin|b2clogin|AADSTS|Microsoft|Entra: |In Entra|#ext#`)

// ofProducts is what stands for one of the other products in a text.
var ofProducts = regexp.MustCompile(`okta|onelogin|pingone|pingfederate|jumpcloud|auth0|keycloak|authentik|simplesaml|shibboleth|lemonldap|accounts\.google|amazonaws|In (Azure AD B2C|Okta|Google|OneLogin|PingOne|IAM|JumpCloud|Auth0|AD FS|Keycloak|authentik|PingFederate|SimpleSAMLphp|Shibboleth|LemonLDAP)`)

// TestProductsHaveTwoFiles: whoever learns something new about a product changes one file:
// products.go for its words and addresses, entra.go for what else is known about Entra.
func TestProductsHaveTwoFiles(t *testing.T) {
	t.Parallel()
	foundEntra, foundOthers := 0, 0
	for _, name := range sourceFiles(t) {
		inspect(t, name, func(n ast.Node) {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				return
			}
			if ofEntra.MatchString(text) {
				if foundEntra++; name != "entra.go" && name != "products.go" {
					t.Errorf("%s: %q belongs into entra.go or products.go", name, text)
				}
			}
			if ofProducts.MatchString(text) {
				if foundOthers++; name != "products.go" {
					t.Errorf("%s: %q belongs into products.go", name, text)
				}
			}
		})
	}
	if foundEntra < 40 || foundOthers < 150 {
		t.Errorf("found %d texts about Entra and %d about others: this test cannot read them any more", foundEntra, foundOthers)
	}
}

// TestHintsAreNotCompared: a hint is added once, and nothing depends on its words.
func TestHintsAreNotCompared(t *testing.T) {
	t.Parallel()
	for _, name := range sourceFiles(t) {
		inspect(t, name, func(n ast.Node) {
			b, ok := n.(*ast.BinaryExpr)
			if !ok || b.Op != token.EQL && b.Op != token.NEQ {
				return
			}
			left, ok := b.X.(*ast.SelectorExpr)
			right, empty := b.Y.(*ast.BasicLit)
			if ok && left.Sel.Name == "Hint" && (!empty || right.Value != `""`) {
				t.Errorf("%s compares a hint", name)
			}
		})
	}
	if e := refuse(CodeSignature, "m", "", ""); e.Hint != "" {
		t.Errorf("a new refusal has the hint %q, before it is known whose words it needs", e.Hint)
	}
}

// sourceFiles are the files of the package without its tests.
func sourceFiles(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	return names
}
