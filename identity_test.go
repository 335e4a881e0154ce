package saml

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestEmailNameIDs(t *testing.T) {
	for s, want := range map[string]bool{"alice@example.com": true, "a\x7f@example.com": false,
		"m\u00fcller@example.com": false, "\u212Aim@example.com": false, "a@ex\u00e4mple.de": false, "\u0430lice@example.com": false} {
		if got := emailFault(s, false) == ""; got != want {
			t.Errorf("%q without AllowInternationalEmail: accepted %t, want %t", s, got, want)
		}
	}
	if fault := emailFault("m\u00fcller@ex\u00e4mple.de", true); fault != "" {
		t.Errorf("with AllowInternationalEmail: %s", fault)
	}
	for _, good := range []string{
		"alice@example.com", "Alice.O'Brien+console@sub.example.com", "müller@exämple.de", "a@b", "用户@例え.jp",
		strings.Repeat("a", 64) + "@example.com", "a@" +
			strings.Repeat("d", 253), "no-dot@localhost", "a#b@example.com",
	} {
		if !isEmail(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", "@", "alice", "alice@", "@example.com", "a@b@c", "alice@example..com", "alice@.example.com", "alice@example.com.",
		"alice @example.com", "alice@exam\tple.com", "alice@example.com\n", "al\x00ice@example.com", "<alice@example.com>", `"alice"@example.com`,
		"alice(x)@example.com", "a,b@example.com", "a;b@example.com", "a:b@example.com", `a\b@example.com`, "al\xffice@example.com",
		strings.Repeat("a", 65) + "@example.com", "a@" +
			strings.Repeat("d", 254), "alice@example.com\u200b", "\u00a0alice@example.com",
		"alice\u3164@example.com", "alice\u034f@example.com", "alice\ufe0f@example.com", "al\u202eice@example.com",
	} {
		if isEmail(bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
}

const (
	testTenantID = "9f0c6a52-5d0e-4b1a-8a6f-2f4f7b9d1c11"
	testObjectID = "0d4e9c1b-77aa-4f0e-9c55-61c3a9f3b3e0"
	testIssuer   = "https://sts.windows.net/" + testTenantID + "/"
)

// TestAccountKeysAreStable: accounts are stored under these forever. The digests were computed with
// another program.
func TestAccountKeysAreStable(t *testing.T) {
	const (
		object    = "v1/oid/nyTYSWo_IlPK-RVAqa0KIt3L_O7ezli2r5RFRazQwDE"
		alice     = "v1/nid/V83Ze6dADX6qSKT6yzSdT5A1ZBx8VHQU5Sw6ioQSeWI"
		otherName = "v1/nid/wezWo_WqrmCqI4dRnS7Q72Z1QmTgDawGs7Z_23pFTnA"
		app       = "c0ffee00-1111-4222-8333-444444444444"
	)
	for _, test := range []struct{ name, got, want string }{
		{"an object", objectKey("acme", testIssuer, testTenantID, testObjectID), object},
		{"an object in upper case", objectKey("acme", testIssuer, strings.ToUpper(testTenantID),
			strings.ToUpper(testObjectID)), object},
		{"an object of an issuer in upper case",
			objectKey("acme", "HTTPS://STS.windows.net/"+strings.ToUpper(testTenantID)+"/", testTenantID,
				testObjectID), object},
		{"an object of an issuer without its slash", objectKey("acme", strings.TrimSuffix(testIssuer, "/"),
			testTenantID, testObjectID), object},
		{"an object of an issuer with the ID of an application", objectKey("acme", testIssuer+app, testTenantID,
			testObjectID), object},
		{"an object of an issuer with the ID of an application and a slash",
			objectKey("acme", testIssuer+app+"/", testTenantID, testObjectID), object},
		{"an object of another host", objectKey("acme", "https://login.example.com/"+testTenantID+"/", testTenantID,
			testObjectID), "v1/oid/QNLXvK-jkuikpZGxueZCuCZIz8-kgjeCGLDkcrcOIVU"},
		{"an object of http", objectKey("acme", "http://sts.windows.net/"+testTenantID+"/", testTenantID,
			testObjectID), "v1/oid/7FpZJ1KiUQUyrpUwLiq79mLe7ERMbcd_r4YKBKdgYRI"},
		{"the same object for another tenant of ours", objectKey("", testIssuer, testTenantID, testObjectID),
			"v1/oid/sw2f2aVE5KhLwReHwFReZ1O92JZhlRTaqWZ2iY9wh5o"},
		{"no object ID", objectKey("acme", testIssuer, testTenantID, ""), ""},
		{"no tenant ID", objectKey("acme", testIssuer, "", testObjectID), ""},
		{"an object of another directory", objectKey("acme", testIssuer, "b"+testTenantID[1:], testObjectID), ""},
		{"a directory behind another one",
			objectKey("acme", "https://sts.windows.net/b"+testTenantID[1:]+"/"+testTenantID+"/", testTenantID,
				testObjectID), ""},
		{"an issuer without a directory", objectKey("acme", "https://sts.windows.net/", testTenantID, testObjectID),
			""},
		{"an issuer without a host", objectKey("acme", "https:///"+testTenantID+"/", testTenantID, testObjectID), ""},
		{"an issuer without a scheme", objectKey("acme", "://sts.windows.net/"+testTenantID+"/", testTenantID,
			testObjectID), ""},
		{"an issuer that is no URL", objectKey("acme", testTenantID, testTenantID, testObjectID), ""},

		{"an address", nameIDKey("acme", testIssuer, NameID{Value: "alice@example.com"}, EmailNameID), alice},
		{"an address in other letters",
			nameIDKey("acme", testIssuer, NameID{Value: "Alice@Example.com", Format: formatEmail}, EmailNameID), alice},
		{"an address by its Format",
			nameIDKey("acme", testIssuer, NameID{Value: "Alice@Example.com", Format: formatEmail},
				AllowAnyNameID), alice},
		{"an address by the policy",
			nameIDKey("acme", testIssuer, NameID{Value: "Alice@Example.com", Format: formatPersistent},
				EmailNameID), alice},
		{"a persistent name like the address",
			nameIDKey("acme", testIssuer, NameID{Value: "alice@example.com", Format: formatPersistent},
				AllowAnyNameID), alice},
		{"a persistent name like the address in other letters",
			nameIDKey("acme", testIssuer, NameID{Value: "Alice@Example.com", Format: formatPersistent},
				AllowAnyNameID), "v1/nid/E3L_3e-9LfA8hTuqEpMSps8P0oSOzk_qDPWmoakWG4w"},
		{"a name without Format in other letters", nameIDKey("acme", testIssuer, NameID{Value: "Alice@Example.com"},
			AllowAnyNameID), "v1/nid/E3L_3e-9LfA8hTuqEpMSps8P0oSOzk_qDPWmoakWG4w"},
		{"a Kelvin sign", nameIDKey("acme", testIssuer, NameID{Value: "\u212A@example.com", Format: formatEmail},
			EmailNameID), "v1/nid/d-vm13msIfF7pMWVDfa5KvdCfZYTnhHiYGNW-SmjXMU"},
		{"the letter k", nameIDKey("acme", testIssuer, NameID{Value: "K@example.com", Format: formatEmail},
			EmailNameID), "v1/nid/eT9ejN_bJEKDCEL_7zx9x9qzJXRk1djJ2T-rf1cMlGU"},
		{"a qualifier that repeats the issuer",
			nameIDKey("acme", testIssuer, NameID{Value: "alice@example.com", NameQualifier: testIssuer},
				EmailNameID), alice},
		{"a qualifier and a name in upper case",
			nameIDKey("acme", testIssuer, NameID{Value: "Alice", NameQualifier: "https://q"},
				AllowAnyNameID), otherName},
		{"a transient name", nameIDKey("acme", testIssuer, NameID{Value: "_x", Format: formatTransient},
			AllowAnyNameID), ""},
		{"no name", nameIDKey("acme", testIssuer, NameID{}, AllowAnyNameID), ""},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, test.got, test.want)
		}
	}
}

const formatPersistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"

// TestGoldenIdentities holds both keys of whole identities, as they are made of an assertion, for
// good.
func TestGoldenIdentities(t *testing.T) {
	entra := Attributes{{Name: claimTenantID, Values: []string{testTenantID}},
		{Name: claimObjectID, Values: []string{testObjectID}}}
	for _, test := range []struct {
		name           string
		assertion      Assertion
		policy         policy
		object, nameID string
		account        string // AccountKey, "" for a refusal
	}{
		{"Entra as in the guide",
			Assertion{Issuer: Issuer{Value: testIssuer},
				NameID: NameID{Value: "Alice@Example.com", Format: formatEmail}, Attributes: entra},
			policy{tenant: "acme"}, "v1/oid/nyTYSWo_IlPK-RVAqa0KIt3L_O7ezli2r5RFRazQwDE", "v1/nid/V83Ze6dADX6qSKT6yzSdT5A1ZBx8VHQU5Sw6ioQSeWI", "v1/oid/nyTYSWo_IlPK-RVAqa0KIt3L_O7ezli2r5RFRazQwDE"},
		{"Entra, one tenant", Assertion{Issuer: Issuer{Value: testIssuer},
			NameID: NameID{Value: "alice@example.com", Format: formatEmail}, Attributes: entra},
			policy{}, "v1/oid/sw2f2aVE5KhLwReHwFReZ1O92JZhlRTaqWZ2iY9wh5o", "v1/nid/axB6THG0W3XAxNvwBDcaXTSp_vF7BMjvdTfkQRGbMoY", "v1/oid/sw2f2aVE5KhLwReHwFReZ1O92JZhlRTaqWZ2iY9wh5o"},
		{"Entra, a transient NameID",
			Assertion{Issuer: Issuer{Value: testIssuer}, NameID: NameID{Value: "_1", Format: formatTransient},
				Attributes: entra},
			policy{tenant: "acme", nameID: AllowAnyNameID}, "v1/oid/nyTYSWo_IlPK-RVAqa0KIt3L_O7ezli2r5RFRazQwDE", "", "v1/oid/nyTYSWo_IlPK-RVAqa0KIt3L_O7ezli2r5RFRazQwDE"},
		{"Okta, an address", Assertion{Issuer: Issuer{Value: "http://www.okta.com/exk1"},
			NameID: NameID{Value: "alice@example.com", Format: formatPersistent}},
			policy{tenant: "acme"}, "", "v1/nid/vHijoYbTVnJiNouU9dy6qrpAVdBIj1BcqkyZjTl__Hc", "v1/nid/vHijoYbTVnJiNouU9dy6qrpAVdBIj1BcqkyZjTl__Hc"},
		{"Keycloak, a persistent name", Assertion{Issuer: Issuer{Value: "https://sso.example.com/realms/main"},
			NameID: NameID{Value: "G-8b1@f3", Format: formatPersistent,
				NameQualifier: "https://sso.example.com/realms/main"}},
			policy{nameID: AllowAnyNameID}, "", "v1/nid/qkMxULNgkequrd7ReiicPjsop-d7C2Y4UYnm3RlHsDw", "v1/nid/qkMxULNgkequrd7ReiicPjsop-d7C2Y4UYnm3RlHsDw"},
		{"a transient NameID", Assertion{Issuer: Issuer{Value: "https://sso.example.com/realms/main"},
			NameID: NameID{Value: "G-1", Format: formatTransient}},
			policy{nameID: AllowAnyNameID}, "", "", ""},
		{"two object IDs", Assertion{Issuer: Issuer{Value: testIssuer},
			NameID: NameID{Value: "_1", Format: formatTransient}, Attributes: Attributes{entra[0],
				{Name: claimObjectID, Values: []string{testObjectID, testObjectID}}}},
			policy{nameID: AllowAnyNameID}, "", "", ""},
	} {
		i := newIdentity(&test.assertion, &test.policy)
		if object, nameID := i.ObjectKey, i.NameIDKey; object != test.object || nameID != test.nameID {
			t.Errorf("%s: got keys %q and %q, want %q and %q", test.name, object, nameID, test.object, test.nameID)
		}
		account, err := i.AccountKey()
		if account != test.account || (err == nil) != (test.account != "") {
			t.Errorf("%s: got account key %q, %v, want %q", test.name, account, err, test.account)
		}
		var refusal *Error
		if err != nil && (!errors.As(err, &refusal) || refusal.Code != CodeNoAccountKey || refusal.Hint == "" ||
			refusal.Got != "") {
			t.Errorf("%s: got error %#v, want %s with a hint and without personal data", test.name, err,
				string(CodeNoAccountKey))
		}
	}
}

// TestEmailIsAnAddress: Identity.Email is never what is no address, and the e-mail claim takes the
// place of a NameID that need not be one.
func TestEmailIsAnAddress(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy policy
		nameID string
		claim  []string
		want   string
	}{
		{"the NameID", policy{}, "alice@example.com", []string{"Alice@example.com"}, "alice@example.com"},
		{"the claim", policy{nameID: AllowAnyNameID}, "mallory@example.com", []string{"alice@example.com"},
			"alice@example.com"},
		{"no claim", policy{nameID: AllowAnyNameID}, "alice@example.com", nil, ""},
		{"two claims", policy{nameID: AllowAnyNameID}, "_1", []string{"alice@example.com", "bob@example.com"}, ""},
		{"a claim that is no address", policy{nameID: AllowAnyNameID}, "_1", []string{"alice"}, ""},
		{"a claim with a Kelvin sign", policy{nameID: AllowAnyNameID}, "_1", []string{"\u212Aim@example.com"}, ""},
		{"a claim with a Kelvin sign that is allowed", policy{nameID: AllowAnyNameID, allowInternationalEmail: true},
			"_1", []string{"\u212Aim@example.com"}, "\u212Aim@example.com"},
	} {
		a := &Assertion{NameID: NameID{Value: test.nameID}}
		if test.claim != nil {
			a.Attributes = Attributes{{Name: claimEmail, Values: test.claim}}
		}
		if got := newIdentity(a, &test.policy).Email; got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestSingleValuedClaims: of an attribute that has several values none is taken, nor that of a name
// further down the list. A value with markup counts: it was left out, but it was there.
func TestSingleValuedClaims(t *testing.T) {
	fields := map[string]func(*Identity) string{
		claimEmail: func(i *Identity) string { return i.EmailClaim },
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":      func(i *Identity) string { return i.Username },
		"http://schemas.microsoft.com/identity/claims/displayname":        func(i *Identity) string { return i.Name },
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname": func(i *Identity) string { return i.GivenName },
		"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname":   func(i *Identity) string { return i.Surname },
		"http://schemas.microsoft.com/identity/claims/identityprovider":   func(i *Identity) string { return i.HomeIdentityProvider },
		claimObjectID: func(i *Identity) string { return i.ObjectID },
		claimTenantID: func(i *Identity) string { return i.TenantID },
	}
	var all Attributes
	for _, name := range []string{"email", "username", "displayName", "firstName", "lastName"} {
		all = append(all, Attribute{Name: name, Values: []string{"second choice"}})
	}
	for name, field := range fields {
		with := func(a Attribute) string {
			return field(newIdentity(&Assertion{Attributes: append(Attributes{a}, all...)}, &policy{}))
		}
		if got := with(Attribute{Name: name, Values: []string{"x"}}); got != "x" {
			t.Errorf("%s with one value: got %q", name, got)
		}
		if got := with(Attribute{Name: name, Values: []string{"x", "y"}}); got != "" {
			t.Errorf("%s with two values: got %q", name, got)
		}
		if got := with(Attribute{Name: name, Values: []string{"x", "x"}}); got != "" {
			t.Errorf("%s with the same value twice: got %q", name, got)
		}
		if got := with(Attribute{Name: name, Values: []string{"x"}, leftOut: true}); got != "" {
			t.Errorf("%s with another value that was left out: got %q", name, got)
		}
	}
}

func TestClaimsOfBothNameSets(t *testing.T) {
	const uri = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	entra := &Assertion{Issuer: Issuer{Value: testIssuer}, NameID: NameID{Value: "alice@example.com"},
		Attributes: Attributes{
			{Name: claimTenantID, Values: []string{testTenantID}}, {Name: claimObjectID, Values: []string{testObjectID}},
			{Name: "http://schemas.microsoft.com/identity/claims/displayname", Values: []string{"Alice Example"}},
			{Name: "http://schemas.microsoft.com/identity/claims/identityprovider", Values: []string{"live.com"}},
			{Name: uri + "givenname", Values: []string{"Alice"}}, {Name: uri + "surname", Values: []string{"Example"}},
			{Name: uri + "emailaddress", Values: []string{"alice@example.com"}}, {Name: uri + "name",
				Values: []string{"alice@corp.example.com"}},
			{Name: claimGroups, Values: []string{"g1", "g2"}},
			{Name: "http://schemas.microsoft.com/ws/2008/06/identity/claims/role", Values: []string{"admin"}},
		}}
	plain := &Assertion{Issuer: Issuer{Value: "http://www.okta.com/exk1"}, NameID: NameID{Value: "alice@example.com"},
		Attributes: Attributes{
			{Name: "username", Values: []string{"alice@corp.example.com"}}, {Name: "email",
				Values: []string{"alice@example.com"}},
			{Name: "firstName", Values: []string{"Alice"}}, {Name: "lastName", Values: []string{"Example"}},
			{Name: "displayName", Values: []string{"Alice Example"}}, {Name: "groups",
				Values: []string{"g1", "g2"}}, {Name: "roles", Values: []string{"admin"}},
		}}
	for name, a := range map[string]*Assertion{"Entra's claim URIs": entra, "plain names": plain} {
		i := newIdentity(a, &policy{})
		got := []string{i.Email, i.EmailClaim, i.Username, i.Name, i.GivenName, i.Surname}
		if want := []string{"alice@example.com", "alice@example.com", "alice@corp.example.com", "Alice Example",
			"Alice", "Example"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if !slices.Equal(i.Groups, []string{"g1", "g2"}) || !slices.Equal(i.Roles, []string{"admin"}) ||
			i.GroupsOverage {
			t.Errorf("%s: groups %q, roles %q, overage %t", name, i.Groups, i.Roles, i.GroupsOverage)
		}
	}
	if i := newIdentity(entra, &policy{}); i.ObjectID != testObjectID || i.TenantID != testTenantID ||
		i.HomeIdentityProvider != "live.com" {
		t.Errorf("got object %q of %q, from %q", i.ObjectID, i.TenantID, i.HomeIdentityProvider)
	}
	if object := newIdentity(plain, &policy{}).ObjectKey; object != "" {
		t.Errorf("an object key without an object: %q", object)
	}
}

func TestGroupsOverageIsNotNoGroups(t *testing.T) {
	a := &Assertion{Attributes: Attributes{{Name: claimGroupsLink,
		Values: []string{"https://graph.windows.net/t/users/o/getMemberObjects"}}}}
	if i := newIdentity(a, &policy{}); !i.GroupsOverage || i.Groups != nil {
		t.Errorf("got overage %t, groups %q, want overage and no groups", i.GroupsOverage, i.Groups)
	}
}

// TestUnreadMarkup: an attribute of which nothing but markup was sent has something to say that
// nobody reads.
func TestUnreadMarkup(t *testing.T) {
	a := &Assertion{Attributes: Attributes{{Name: "groups", leftOut: true}, {Name: "mail"}, {Name: "email", Values: []string{"x"}, leftOut: true}}}
	if i := newIdentity(a, &policy{}); i.Groups != nil || i.EmailClaim != "" || !slices.Equal(i.Unread(), []string{"groups", "email"}) {
		t.Errorf("got groups %q, e-mail %q, unread %q", i.Groups, i.EmailClaim, i.Unread())
	}
}
