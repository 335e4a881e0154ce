package saml_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const (
	claimObjectID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
	claimTenantID = "http://schemas.microsoft.com/identity/claims/tenantid"
)

// withoutClaims leaves Entra's IDs out of an answer.
func withoutClaims(a samltest.Answer) samltest.Answer {
	a.Attributes = append(a.Attributes, samltest.Attribute{Name: claimObjectID},
		samltest.Attribute{Name: claimTenantID})
	return a
}

// TestAccountRecipe holds the recipe of the example against what identity providers, their
// administrators and other tenants do.
func TestAccountRecipe(t *testing.T) {
	// alice and bob are two people of one directory.
	alice := samltest.User{Mail: "alice@example.com", DisplayName: "Alice",
		ObjectID: "0d4e9c1b-77aa-4f0e-9c55-61c3a9f3b3e0"}
	bob := samltest.User{Mail: "bob@example.com", DisplayName: "Bob", ObjectID: "1e5fac2c-88bb-4a1f-8d66-72d4ba04c4f1"}
	renamed := alice
	renamed.Mail = "alice.married@example.com"
	successor := bob // gets the address that Alice had
	successor.Mail = alice.Mail
	at := func(u samltest.User) samltest.Answer { return samltest.Answer{User: u} }
	transient := func(u samltest.User) samltest.Answer {
		return samltest.Answer{User: u, NameIDFormat: samltest.FormatTransient}
	}
	waiting := func(email string) account { return account{tenant: "acme", email: email} }
	anyName := saml.Config{Tenant: "acme", NameID: saml.AllowAnyNameID}
	acme := saml.Config{Tenant: "acme"}

	idp := samltest.MustNew(t, samltest.Options{})
	type step struct {
		config saml.Config
		answer samltest.Answer
		want   string // the name of the account, "no key" or "administrator"
	}
	for _, test := range []struct {
		name  string
		there []account // named by their order: "0", "1"; new ones go on
		steps []step
	}{
		{"the same person again", nil, []step{{acme, at(alice), "0"}, {acme, at(alice), "0"}, {acme, at(bob), "1"}}},
		{"transient NameIDs of two people", nil,
			[]step{{anyName, transient(alice), "0"}, {anyName, transient(bob), "1"}, {anyName, transient(alice), "0"}}},
		{"transient NameIDs without claims", nil, []step{{anyName, withoutClaims(transient(alice)), "no key"},
			{anyName, withoutClaims(transient(bob)), "no key"}}},
		{"an account that waits", []account{waiting("Alice@EXAMPLE.com")},
			[]step{{acme, at(alice), "0"}, {acme, at(renamed), "0"}}},
		{"an account that waits, for its first sign-in alone", []account{waiting(alice.Mail)},
			[]step{{acme, at(alice), "0"}, {acme, at(successor), "1"}, {acme, at(renamed), "0"}}},
		{"another tenant's identity provider names a person of the first tenant", []account{waiting(alice.Mail)},
			[]step{{saml.Config{Tenant: "other"}, at(alice), "1"}, {acme, at(alice), "0"},
				{saml.Config{Tenant: "other"}, at(alice), "1"}}},
		{"another tenant that shares a domain with the first one", []account{waiting("ceo@group.example")},
			[]step{{saml.Config{Tenant: "other"},
				at(samltest.User{Mail: "ceo@group.example", ObjectID: alice.ObjectID}), "1"}}},
		{"two people without claims", nil,
			[]step{{acme, withoutClaims(at(alice)), "0"}, {acme, withoutClaims(at(bob)), "1"},
				{acme, withoutClaims(at(alice)), "0"}}},
		{"claims appear", nil, []step{{acme, withoutClaims(at(alice)), "0"}, {acme, at(alice), "0"},
			{acme, at(renamed), "0"}}},
		{"claims go", nil, []step{{acme, at(alice), "0"}, {acme, withoutClaims(at(alice)), "0"},
			{acme, at(alice), "0"}}},
		{"claims go after the address changed", nil, []step{{acme, at(alice), "0"}, {acme, at(renamed), "0"},
			{acme, withoutClaims(at(renamed)), "0"}, {acme, withoutClaims(at(alice)), "1"}}},
		{"the address is given to somebody else", nil, []step{{acme, at(alice), "0"}, {acme, at(successor), "1"},
			{acme, at(renamed), "0"}}},
		{"the address is given to somebody else, and the claims go", nil,
			[]step{{acme, at(alice), "0"}, {acme, at(successor), "1"}, {acme, withoutClaims(at(successor)), "1"}}},
		{"two people change addresses", nil, []step{{acme, at(alice), "0"}, {acme, at(bob), "1"},
			{acme, at(successor), "1"}, {acme, withoutClaims(at(alice)), "1"}, {acme, withoutClaims(at(bob)), "2"}}},
		{"an unverified domain", []account{waiting("ceo@bank.example")},
			[]step{{acme, at(samltest.User{Mail: "ceo@bank.example", ObjectID: alice.ObjectID}), "1"}}},
		{"a domain of another tenant", []account{waiting("ceo@other.example")},
			[]step{{acme, at(samltest.User{Mail: "ceo@other.example", ObjectID: alice.ObjectID}), "1"}}},
		{"no address", []account{waiting("")},
			[]step{{anyName, transient(samltest.User{ObjectID: alice.ObjectID, UserPrincipalName: "a"}), "1"}}},
		{"a privileged account that waits", []account{{tenant: "acme", email: alice.Mail, privileged: true}},
			[]step{{acme, at(alice), "administrator"}, {acme, withoutClaims(at(alice)), "administrator"}}},
		{"a Kelvin sign in the address", []account{waiting("kim@example.com")},
			[]step{{saml.Config{Tenant: "acme", AllowInternationalEmail: true},
				at(samltest.User{Mail: "\u212Aim@example.com", ObjectID: alice.ObjectID}), "1"}}},
		{"a domain that folds to a verified one", []account{waiting("ceo@\u212Abank.example")},
			[]step{{saml.Config{Tenant: "acme", AllowInternationalEmail: true},
				at(samltest.User{Mail: "ceo@\u212Abank.example", ObjectID: alice.ObjectID}), "1"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			users := &accounts{domains: map[string][]string{"acme": {"example.com", "kbank.example", "group.example"},
				"other": {"other.example", "group.example"}}}
			for _, a := range test.there {
				users.list = append(users.list, &a)
			}
			for n, step := range test.steps {
				login, err := signInAt(idp, step.config, step.answer)
				if err != nil {
					t.Fatal(err)
				}
				if got := users.outcome(users.signIn(login)); got != step.want {
					t.Fatalf("step %d: got account %s, want %s", n, got, step.want)
				}
			}
		})
	}
}

// outcome names what signIn gave.
func (s *accounts) outcome(a *account, err error) string {
	switch {
	case errors.Is(err, saml.CodeNoAccountKey):
		return "no key"
	case errors.Is(err, errAskAdministrator):
		return "administrator"
	case err != nil:
		return err.Error()
	}
	for i, b := range s.list {
		if a == b {
			return string(rune('0' + i))
		}
	}
	return "unknown"
}

// TestPrivilegedAccount: an administrator whom it was given to gets in by the key that it has, and
// by no other way.
func TestPrivilegedAccount(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	acme := saml.Config{Tenant: "acme"}
	alice := samltest.User{Mail: "alice@example.com", ObjectID: "0d4e9c1b-77aa-4f0e-9c55-61c3a9f3b3e0"}
	renamed := alice
	renamed.Mail = "alice.married@example.com"
	for _, test := range []struct {
		name  string
		first samltest.Answer // of the person whom the account is given to
		next  samltest.Answer
		want  string
	}{
		{"the same person", samltest.Answer{User: alice}, samltest.Answer{User: alice}, "0"},
		{"with another address", samltest.Answer{User: alice}, samltest.Answer{User: renamed}, "0"},
		{"without claims, then and now", withoutClaims(samltest.Answer{User: alice}),
			withoutClaims(samltest.Answer{User: alice}), "0"},
		{"claims appear", withoutClaims(samltest.Answer{User: alice}), samltest.Answer{User: alice}, "administrator"},
		{"claims go", samltest.Answer{User: alice}, withoutClaims(samltest.Answer{User: alice}), "administrator"},
	} {
		users := &accounts{}
		for n, answer := range []samltest.Answer{test.first, test.next} {
			login, err := signInAt(idp, acme, answer)
			if err != nil {
				t.Fatal(err)
			}
			got := users.outcome(users.signIn(login))
			users.list[0].privileged = true
			if want := [2]string{"0", test.want}[n]; got != want {
				t.Errorf("%s, sign-in %d: got account %s, want %s", test.name, n, got, want)
			}
		}
	}
}

// TestInternationalAddresses: characters beyond ASCII are refused unless asked for, with a hint
// that says how; nothing is refused for them where the NameID need not be an address.
func TestInternationalAddresses(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	for _, mail := range []string{"m\u00fcller@example.com", "\u212Aim@example.com", "kim@ex\u00e4mple.de",
		"\u0430lice@example.com"} {
		answer := samltest.Answer{User: samltest.User{Mail: mail, ObjectID: "0d4e9c1b-77aa-4f0e-9c55-61c3a9f3b3e0"}}
		login, err := signInAt(idp, saml.Config{}, answer)
		var refusal *saml.Error
		if login != nil || !errors.As(err, &refusal) || refusal.Code != saml.CodeNameIDNotEmail ||
			!strings.Contains(refusal.Hint, "AllowInternationalEmail") {
			t.Errorf("%q: got %v, %v, want a refusal that names the setting", mail, login, err)
		}
		if login, err = signInAt(idp, saml.Config{AllowInternationalEmail: true}, answer); err != nil ||
			login.Identity.Email != mail {
			t.Errorf("%q with AllowInternationalEmail: got %v, %v", mail, login, err)
		}
		if login, err = signInAt(idp, saml.Config{NameID: saml.AllowAnyNameID}, answer); err != nil ||
			login.Identity.Email != "" {
			t.Errorf("%q with AllowAnyNameID: got %v, %v, want a sign-in without address", mail, login, err)
		}
	}
	answer := samltest.Answer{NameID: "no address",
		User: samltest.User{ObjectID: "0d4e9c1b-77aa-4f0e-9c55-61c3a9f3b3e0"}}
	var refusal *saml.Error
	if _, err := signInAt(idp, saml.Config{}, answer); !errors.As(err, &refusal) ||
		strings.Contains(refusal.Hint, "AllowInternationalEmail") {
		t.Errorf("what is no address at all: got %v, want another hint", err)
	}
}

// TestValuesThatAreLeftOut: a value with markup is nobody's address, and what stands beside it is
// not the only value.
func TestValuesThatAreLeftOut(t *testing.T) {
	idp := samltest.MustNew(t, samltest.Options{})
	second := func(xml string) string {
		return strings.Replace(xml, "ioana.turcanu@example.com</AttributeValue>",
			`ioana.turcanu@example.com</AttributeValue><AttributeValue><x:b xmlns:x="urn:example:b">eve@example.com</x:b></AttributeValue>`, 1)
	}
	login, err := signInAt(idp, saml.Config{NameID: saml.AllowAnyNameID},
		samltest.Answer{Attributes: []samltest.Attribute{{Name: "email", Values: []string{"other@example.com"}}},
			Edit: second})
	if err != nil {
		t.Fatal(err)
	}
	if login.Identity.Email != "" || login.Identity.EmailClaim != "" {
		t.Errorf("got %+v, want no address", login.Identity)
	}
}

// TestAppendedApplicationID: Entra's switch "Append application ID to issuer" makes no other
// account of anybody.
func TestAppendedApplicationID(t *testing.T) {
	const tenant = "9f0c6a52-5d0e-4b1a-8a6f-2f4f7b9d1c11"
	var keys []string
	for _, issuer := range []string{"https://sts.windows.net/" + tenant + "/", "https://sts.windows.net/" + tenant +
		"/c0ffee00-1111-4222-8333-444444444444"} {
		login, err := signInAt(samltest.MustNew(t, samltest.Options{TenantID: tenant, EntityID: issuer}),
			saml.Config{Tenant: "acme", RequireObjectID: true}, samltest.Answer{})
		if err != nil {
			t.Fatal(err)
		}
		key, err := login.Identity.AccountKey()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if keys[0] != keys[1] {
		t.Errorf("got keys %q, want one", keys)
	}
}
