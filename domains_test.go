package saml_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml"
)

// TestDomains: a domain leads to the tenant that has proven to own it, in whatever form it is written,
// and nothing else leads there.
func TestDomains(t *testing.T) {
	t.Parallel()
	domains, err := saml.NewDomains(
		saml.DomainClaim{Domain: " Acme.Example. ", Tenant: "acme", Verified: true},
		saml.DomainClaim{Domain: "acme.example", Tenant: "acme", Verified: true}, // once more
		saml.DomainClaim{Domain: "acme.example", Tenant: "thief"},                // only claims it
		saml.DomainClaim{Domain: "no domain", Tenant: "thief"},
		saml.DomainClaim{Domain: "shop.acme.example", Tenant: "shop", Verified: true},
		saml.DomainClaim{Domain: "bücher.example", Tenant: "books", Verified: true},
		saml.DomainClaim{Domain: "waiting.example", Tenant: "acme"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]string{
		"acme.example":          "acme",
		"ACME.example.":         "acme",
		"\tacme.example\n":      "acme",
		"shop.acme.example":     "shop",
		"xn--bcher-kva.example": "books",
		"BÜCHER.example":        "books",
		"waiting.example":       "",
		"www.acme.example":      "",
		"a.shop.acme.example":   "",
		"example":               "",
		"otheracme.example":     "",
		"acme.example.evil.com": "",
		"bu\u0308cher.example":  "", // composed by the reader's eye alone
		"ac\u200bme.example":    "",
		"acme.example@evil.com": "",
		"":                      "",
	} {
		if got, err := domains.Tenant(t.Context(), domain); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", domain, got, err, want)
		}
	}
	if got, err := (*saml.Domains)(nil).Tenant(t.Context(), "acme.example"); got != "" || err != nil {
		t.Errorf("without domains: got %q, %v", got, err)
	}
}

// TestClaimsThatAreRefused: all faults are found at once, and no error names the other tenant.
func TestClaimsThatAreRefused(t *testing.T) {
	t.Parallel()
	domains, err := saml.NewDomains(
		saml.DomainClaim{Domain: "acme.example", Tenant: "acme", Verified: true},
		saml.DomainClaim{Domain: "ACME.example.", Tenant: "globex", Verified: true},
		saml.DomainClaim{Domain: "*.acme.example", Tenant: "acme", Verified: true},
		saml.DomainClaim{Domain: "globex.example", Verified: true},
	)
	list := saml.Errors(err)
	if domains != nil || len(list) != 3 {
		t.Fatalf("got %v and the faults %v", domains, list)
	}
	if got := fieldsOf(err); !slices.Equal(got, []string{"Domain config", "Domain config", "Tenant config"}) {
		t.Errorf("got %q", got)
	}
	for i, want := range []string{"two tenants", "'*' (U+002A)", "is empty"} {
		if e := list[i]; !strings.Contains(e.Message, want) || e.Got == "" || e.Want == "" || e.Hint == "" ||
			strings.Contains(e.Error()+e.Hint, "globex\"") {
			t.Errorf("got %v with the hint %q, want %q", e, e.Hint, want)
		}
	}
}

// TestNormalizeDomain: what is stored is what people are looked up by, and a fault says what to enter.
func TestNormalizeDomain(t *testing.T) {
	t.Parallel()
	if got, err := saml.NormalizeDomain(" BÜCHER.example. "); got != "xn--bcher-kva.example" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, domain := range []string{"", "localhost", "10.0.0.1", "ann@acme.example", "*.acme.example"} {
		got, err := saml.NormalizeDomain(domain)
		var refusal *saml.Error
		if !errors.As(err, &refusal) || refusal.Code != saml.CodeConfig || refusal.Field != "Domain" ||
			!strings.Contains(refusal.Want+refusal.Hint, "example.com") || got != "" {
			t.Errorf("%q: got %q, %v", domain, got, err)
		}
	}
}

// TestEmailDomain: an address as people type and paste it.
func TestEmailDomain(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]string{
		"ann@acme.example":            "acme.example",
		"  Ann.Lee+x@ACME.example.\n": "acme.example",
		"ann@bücher.example":          "xn--bcher-kva.example",
		"jörg@acme.example":           "acme.example",
		"ann@shop.acme.example":       "shop.acme.example",
		"ann":                         "",
		"acme.example":                "",
		"@acme.example":               "",
		"ann@":                        "",
		"ann@acme":                    "",
		"ann@acme.example@evil.com":   "",
		"ann@acme..example":           "",
		"Ann <ann@acme.example>":      "",
		"\"a b\"@acme.example":        "",
		"ann@acme.example, bob@x.com": "",
		"ann@[192.0.2.1]":             "",
		"ann@192.0.2.1":               "",
		"":                            "",
		strings.Repeat("a", 65) + "@acme.example": "",
	} {
		if got, ok := saml.EmailDomain(email); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t, want %q", email, got, ok, want)
		}
	}
}
