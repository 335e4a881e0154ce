package saml

import (
	"slices"
	"strings"
	"testing"
)

func TestEmailNameIDs(t *testing.T) {
	for _, good := range []string{
		"alice@example.com", "Alice.O'Brien+console@sub.example.com", "müller@exämple.de", "a@b", "用户@例え.jp",
		strings.Repeat("a", 64) + "@example.com", "a@" + strings.Repeat("d", 253), "no-dot@localhost", "a#b@example.com",
	} {
		if !isEmail(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", "@", "alice", "alice@", "@example.com", "a@b@c", "alice@example..com", "alice@.example.com", "alice@example.com.",
		"alice @example.com", "alice@exam\tple.com", "alice@example.com\n", "al\x00ice@example.com", "<alice@example.com>", `"alice"@example.com`,
		"alice(x)@example.com", "a,b@example.com", "a;b@example.com", "a:b@example.com", `a\b@example.com`, "al\xffice@example.com",
		strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("d", 254), "alice@example.com\u200b", "\u00a0alice@example.com",
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

// TestAccountKeysAreStable: accounts are stored under these for ever. The digests were computed with another program.
func TestAccountKeysAreStable(t *testing.T) {
	for _, test := range []struct{ name, got, want string }{
		{"an object", objectKey("acme", testIssuer, testTenantID, testObjectID), "v1/oid/nyTYSWo_IlPK-RVAqa0KIt3L_O7ezli2r5RFRazQwDE"},
		{"an object in upper case", objectKey("acme", testIssuer, strings.ToUpper(testTenantID), strings.ToUpper(testObjectID)), "v1/oid/nyTYSWo_IlPK-RVAqa0KIt3L_O7ezli2r5RFRazQwDE"},
		{"the same object for another tenant of ours", objectKey("", testIssuer, testTenantID, testObjectID), "v1/oid/sw2f2aVE5KhLwReHwFReZ1O92JZhlRTaqWZ2iY9wh5o"},
		{"no object ID", objectKey("acme", testIssuer, testTenantID, ""), ""},
		{"no tenant ID", objectKey("acme", testIssuer, "", testObjectID), ""},
		{"an object of another directory", objectKey("acme", testIssuer, "b"+testTenantID[1:], testObjectID), ""},
		{"an issuer without a directory", objectKey("acme", "https://sts.windows.net/", testTenantID, testObjectID), ""},
		{"an issuer that is no URL", objectKey("acme", testTenantID, testTenantID, testObjectID), ""},
		{"an address", nameIDKey("acme", testIssuer, NameID{Value: "alice@example.com"}), "v1/nid/V83Ze6dADX6qSKT6yzSdT5A1ZBx8VHQU5Sw6ioQSeWI"},
		{"an address in other letters", nameIDKey("acme", testIssuer, NameID{Value: "Alice@Example.com", Format: formatEmail}), "v1/nid/V83Ze6dADX6qSKT6yzSdT5A1ZBx8VHQU5Sw6ioQSeWI"},
		{"a qualifier that repeats the issuer", nameIDKey("acme", testIssuer, NameID{Value: "alice@example.com", NameQualifier: testIssuer}), "v1/nid/V83Ze6dADX6qSKT6yzSdT5A1ZBx8VHQU5Sw6ioQSeWI"},
		{"a qualifier and a name in upper case", nameIDKey("acme", testIssuer, NameID{Value: "Alice", NameQualifier: "https://q"}), "v1/nid/wezWo_WqrmCqI4dRnS7Q72Z1QmTgDawGs7Z_23pFTnA"},
		{"a transient name", nameIDKey("acme", testIssuer, NameID{Value: "_x", Format: formatTransient}), ""},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, test.got, test.want)
		}
	}
	if nameIDKey("", testIssuer, NameID{Value: "Alice"}) == nameIDKey("", testIssuer, NameID{Value: "alice"}) {
		t.Error("names that are no addresses are folded")
	}
}

func TestClaimsOfBothNameSets(t *testing.T) {
	const uri = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	entra := &Assertion{Issuer: Issuer{Value: testIssuer}, NameID: NameID{Value: "alice@example.com"}, Attributes: Attributes{
		{Name: claimTenantID, Values: []string{testTenantID}}, {Name: claimObjectID, Values: []string{testObjectID}},
		{Name: "http://schemas.microsoft.com/identity/claims/displayname", Values: []string{"Alice Example"}},
		{Name: "http://schemas.microsoft.com/identity/claims/identityprovider", Values: []string{"live.com"}},
		{Name: uri + "givenname", Values: []string{"Alice"}}, {Name: uri + "surname", Values: []string{"Example"}},
		{Name: uri + "emailaddress", Values: []string{"alice@example.com"}}, {Name: uri + "name", Values: []string{"alice@corp.example.com"}},
		{Name: claimGroups, Values: []string{"g1", "g2"}},
		{Name: "http://schemas.microsoft.com/ws/2008/06/identity/claims/role", Values: []string{"admin"}},
	}}
	plain := &Assertion{Issuer: Issuer{Value: "http://www.okta.com/exk1"}, NameID: NameID{Value: "alice@example.com"}, Attributes: Attributes{
		{Name: "username", Values: []string{"alice@corp.example.com"}}, {Name: "email", Values: []string{"alice@example.com"}},
		{Name: "firstName", Values: []string{"Alice"}}, {Name: "lastName", Values: []string{"Example"}},
		{Name: "displayName", Values: []string{"Alice Example"}}, {Name: "groups", Values: []string{"g1", "g2"}}, {Name: "roles", Values: []string{"admin"}},
	}}
	for name, a := range map[string]*Assertion{"Entra's claim URIs": entra, "plain names": plain} {
		i := newIdentity(a, "")
		got := []string{i.Email, i.EmailClaim, i.Username, i.Name, i.GivenName, i.Surname}
		if want := []string{"alice@example.com", "alice@example.com", "alice@corp.example.com", "Alice Example", "Alice", "Example"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if !slices.Equal(i.Groups, []string{"g1", "g2"}) || !slices.Equal(i.Roles, []string{"admin"}) || i.GroupsOverage {
			t.Errorf("%s: groups %q, roles %q, overage %t", name, i.Groups, i.Roles, i.GroupsOverage)
		}
	}
	if i := newIdentity(entra, ""); i.ObjectID != testObjectID || i.TenantID != testTenantID || i.HomeIdentityProvider != "live.com" {
		t.Errorf("got object %q of %q, from %q", i.ObjectID, i.TenantID, i.HomeIdentityProvider)
	}
	if object, _ := newIdentity(plain, "").Keys(); object != "" {
		t.Errorf("an object key without an object: %q", object)
	}
}

func TestGroupsOverageIsNotNoGroups(t *testing.T) {
	a := &Assertion{Attributes: Attributes{{Name: claimGroupsLink, Values: []string{"https://graph.windows.net/t/users/o/getMemberObjects"}}}}
	if i := newIdentity(a, ""); !i.GroupsOverage || i.Groups != nil {
		t.Errorf("got overage %t, groups %q, want overage and no groups", i.GroupsOverage, i.Groups)
	}
}
