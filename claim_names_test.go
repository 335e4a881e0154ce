package saml_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const (
	entraGroups = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
	entraRole   = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
	entraEmail  = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
	entraMethod = "http://schemas.microsoft.com/claims/authnmethodsreferences"
	xmlsoap     = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
)

// bare is a user of whom the identity provider sends only these attributes.
func bare(attributes ...samltest.Attribute) samltest.Answer {
	user := samltest.DefaultUsers()[0]
	all := []samltest.Attribute{}
	for _, name := range []string{entraGroups, entraRole, entraEmail, entraMethod, xmlsoap + "name", xmlsoap + "givenname", xmlsoap + "surname",
		"http://schemas.microsoft.com/identity/claims/tenantid", "http://schemas.microsoft.com/identity/claims/objectidentifier",
		"http://schemas.microsoft.com/identity/claims/displayname", "http://schemas.microsoft.com/identity/claims/identityprovider"} {
		if !slices.ContainsFunc(attributes, func(a samltest.Attribute) bool { return a.Name == name }) {
			all = append(all, samltest.Attribute{Name: name})
		}
	}
	return samltest.Answer{User: user, Attributes: append(all, attributes...)}
}

func one(name string, values ...string) samltest.Attribute {
	return samltest.Attribute{Name: name, Values: values}
}

func (h *house) identity(a samltest.Answer) *saml.Identity {
	h.t.Helper()
	login, err := h.signIn(saml.LoginOptions{}, a)
	if err != nil {
		h.t.Fatal(err)
	}
	return login.Identity
}

// TestGroupClaimNames: in Entra the name of the group claim is free, and other products have their
// own. The values stay as they are.
func TestGroupClaimNames(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	values := []string{"Data Engineers", "SG Ünlü, Zweite (EU)", "a;b", "", "0b430838-9034-454d-ab07-43f8e1b9ff1d"}
	for _, name := range []string{entraGroups, "groups", "Groups", "group", "Group", "GROUPS", "memberOf", "isMemberOf", "member",
		"http://schemas.xmlsoap.org/claims/Group", "http://schemas.xmlsoap.org/claims/groups", "https://example.com/claims/groups",
		"https://example.com/claims/Group", "urn:example:Groups", "https://example.com/claims#group", "https://example.com/group",
		"http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid", "urn:oid:1.3.6.1.4.1.5923.1.5.1.1", "urn:oid:1.2.840.113556.1.2.102"} {
		i := h.identity(bare(one(name, values...)))
		if !slices.Equal(i.Groups, values) || i.Unread() != nil {
			t.Errorf("%s: got %q, unread %q", name, i.Groups, i.Unread())
		}
	}
	for _, name := range []string{"costgroup", "groupname", "https://example.com/claims/groups/x", "https://example.com/claims/groups.link", "mygroups",
		"GROUP-ID", "group ", "http://schemas.microsoft.com/claims/groups.linked"} {
		if i := h.identity(bare(one(name, "x"))); i.Groups != nil || i.GroupsOverage || !slices.Equal(i.Unread(), []string{name}) {
			t.Errorf("%s: got %q, unread %q", name, i.Groups, i.Unread())
		}
	}
}

// TestFirstClaimThatIsPresentWins: of several attributes one counts, whatever their order in the
// response; empty ones do not count; two by their end alone are a riddle that nobody solves.
func TestFirstClaimThatIsPresentWins(t *testing.T) {
	t.Parallel()
	standard := newHouse(t, nil)
	own := newHouse(t, func(c *saml.Config) { c.Claims.Groups = []string{"teams", "groups"} })
	for _, row := range []struct {
		name       string
		h          *house
		attributes []samltest.Attribute
		want       []string
		unread     []string
	}{
		{"the standard one first", standard, []samltest.Attribute{one(entraGroups, "a"), one("groups", "b")}, []string{"a"}, []string{"groups"}},
		{"the standard one last", standard, []samltest.Attribute{one("memberOf", "c"), one("groups", "b"), one(entraGroups, "a")}, []string{"a"},
			[]string{"memberOf", "groups"}},
		{"the first has one empty text", standard, []samltest.Attribute{one(entraGroups, ""), one("groups", "b")}, []string{"b"}, nil},
		{"a name before an end", standard, []samltest.Attribute{one("https://example.com/groups", "b"), one("member", "a")}, []string{"a"},
			[]string{"https://example.com/groups"}},
		{"two by their end", standard, []samltest.Attribute{one("https://a.example/groups", "a"), one("https://b.example/group", "b")}, nil,
			[]string{"https://a.example/groups", "https://b.example/group"}},
		{"three by their end", standard, []samltest.Attribute{one("urn:a:groups", "a"), one("urn:b:groups", "b"), one("urn:c:groups", "c")}, nil,
			[]string{"urn:a:groups", "urn:b:groups", "urn:c:groups"}},
		{"own names in their order", own, []samltest.Attribute{one("groups", "b"), one("teams", "a")}, []string{"a"}, []string{"groups"}},
		{"the second own name", own, []samltest.Attribute{one("groups", "b")}, []string{"b"}, nil},
		{"own names leave no default", own, []samltest.Attribute{one(entraGroups, "x"), one("https://example.com/groups", "y")}, nil,
			[]string{entraGroups, "https://example.com/groups"}},
		{"own names count as they are", own, []samltest.Attribute{one("Teams", "x")}, nil, []string{"Teams"}},
	} {
		i := row.h.identity(bare(row.attributes...))
		got := slices.Sorted(slices.Values(i.Unread()))
		if !slices.Equal(i.Groups, row.want) || !slices.Equal(got, slices.Sorted(slices.Values(row.unread))) {
			t.Errorf("%s: got %q, unread %q, want %q and %q", row.name, i.Groups, got, row.want, row.unread)
		}
	}
}

// TestClaimsOfProducts: what the identity providers send fills the fields without settings.
func TestClaimsOfProducts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *saml.Config) { c.NameID = saml.AllowAnyNameID })
	const (
		mail, given, surname, display = "alice@mail.example.com", "Alice", "Example", "Alice Example"
		username, group, role         = "alice", "Analysts", "Reader"
	)
	for name, names := range map[string][7]string{ // e-mail, user name, display name, given name, surname, groups, roles
		"Entra": {entraEmail, xmlsoap + "name", "http://schemas.microsoft.com/identity/claims/displayname", xmlsoap + "givenname",
			xmlsoap + "surname", entraGroups, entraRole},
		"Entra without namespace": {"emailaddress", "userPrincipalName", "displayname", "givenname", "surname", "groups", "role"},
		"AD FS": {entraEmail, xmlsoap + "upn", "http://schemas.xmlsoap.org/claims/CommonName", xmlsoap + "givenname", xmlsoap + "surname",
			"http://schemas.xmlsoap.org/claims/Group", entraRole},
		"Okta":             {"email", "username", "displayName", "firstName", "lastName", "groups", "roles"},
		"Okta, in capital": {"Email", "username", "DisplayName", "FirstName", "LastName", "Groups", "Roles"},
		"Keycloak": {"urn:oid:1.2.840.113549.1.9.1", "username", "name", "urn:oid:2.5.4.42", "urn:oid:2.5.4.4",
			"member", "Role"},
		"Google Workspace": {"email", "username", "name", "first_name", "last_name", "groups", "role"},
		"Shibboleth": {"urn:oid:0.9.2342.19200300.100.1.3", "urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "urn:oid:2.16.840.1.113730.3.1.241",
			"urn:oid:2.5.4.42", "urn:oid:2.5.4.4", "urn:oid:1.3.6.1.4.1.5923.1.5.1.1", "roles"},
		"LDAP names": {"mail", "uid", "cn", "givenName", "sn", "isMemberOf", "roles"},
	} {
		answer := bare(one(names[0], mail), one(names[1], username), one(names[2], display), one(names[3], given), one(names[4], surname),
			one(names[5], group), one(names[6], role), one("unknown", "x"))
		i := h.identity(answer)
		got := fmt.Sprint(i.Email, i.EmailClaim, i.Username, i.Name, i.GivenName, i.Surname, i.Groups, i.Roles, i.Unread())
		if want := fmt.Sprint(mail, mail, username, display, given, surname, []string{group}, []string{role}, []string{"unknown"}); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestConfiguredClaims: each field takes the names that Config.Claims has, in a ServiceProvider and
// in a Verifier. They change neither the account keys, nor Email where the NameID is the address.
func TestConfiguredClaims(t *testing.T) {
	t.Parallel()
	claims := saml.Claims{Email: []string{"x1", "x8"}, Username: []string{"x2"}, DisplayName: []string{"x3"}, GivenName: []string{"x4"},
		Surname: []string{"x5"}, Groups: []string{"x6"}, Roles: []string{"x7", "x6"}}
	answer := samltest.Answer{Attributes: []samltest.Attribute{one("x1", "mallory@example.com"), one("x2", "2"), one("x3", "3"), one("x4", "4"), one("x5", "5"),
		one("x6", "6", "66"), one("x8", "eve@example.com")}}
	with := func(claims saml.Claims, nameID saml.NameIDPolicy) (*house, *saml.Identity) {
		h := newHouse(t, func(c *saml.Config) { c.Claims, c.NameID = claims, nameID })
		return h, h.identity(answer)
	}
	_, standard := with(saml.Claims{}, saml.EmailNameID)
	h, i := with(claims, saml.EmailNameID)
	got := fmt.Sprint(i.EmailClaim, i.Username, i.Name, i.GivenName, i.Surname, i.Groups, i.Roles)
	if want := fmt.Sprint("mallory@example.com", "2", "3", "4", "5", []string{"6", "66"}, []string{"6", "66"}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if i.Email != standard.Email || i.Email == "mallory@example.com" {
		t.Errorf("the e-mail claim took the place of the NameID: got %q, want %q", i.Email, standard.Email)
	}
	if i.ObjectKey != standard.ObjectKey || i.NameIDKey != standard.NameIDKey || i.ObjectID != standard.ObjectID || i.ObjectKey == "" ||
		i.TenantID != standard.TenantID || i.HomeIdentityProvider != standard.HomeIdentityProvider {
		t.Errorf("account keys depend on Config.Claims: got %+v, want %+v", i, standard)
	}
	if unread := i.Unread(); !slices.Contains(unread, entraEmail) || !slices.Contains(unread, entraGroups) || !slices.Contains(unread, "x8") ||
		slices.Contains(unread, "x6") || slices.Contains(unread, "http://schemas.microsoft.com/identity/claims/objectidentifier") {
		t.Errorf("unread: %q", unread)
	}
	if _, any := with(claims, saml.AllowAnyNameID); any.Email != "mallory@example.com" {
		t.Errorf("with AllowAnyNameID: got %q", any.Email)
	}
	// Email stays empty if the claim has several values, also if a further name has one.
	several := answer
	several.Attributes = append(slices.Clone(answer.Attributes), one("x1", "a@example.com", "b@example.com"))
	if i := h.identity(several); i.EmailClaim != "" || !slices.Contains(i.Unread(), "x1") {
		t.Errorf("several values: got %q, unread %q", i.EmailClaim, i.Unread())
	}

	keys, err := saml.ParseKeys(h.idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	v, err := saml.NewVerifier(saml.VerifierConfig{Issuer: h.idp.EntityID(), Keys: keys, EntityID: redirectURL, RedirectURLs: []string{redirectURL}, Claims: claims})
	if err != nil {
		t.Fatal(err)
	}
	verified, err := v.Verify(t.Context(), h.respond(answer), saml.VerifyOptions{AllowUnsolicited: true})
	if err != nil || !slices.Equal(verified.Identity.Groups, []string{"6", "66"}) {
		t.Errorf("Verifier: got %+v, %v", verified, err)
	}
}

// TestConfiguredClaimsAreCopied: a caller who changes the slices later changes no identity.
func TestConfiguredClaimsAreCopied(t *testing.T) {
	t.Parallel()
	names := []string{"teams"}
	h := newHouse(t, func(c *saml.Config) { c.Claims.Groups = names })
	names[0] = "other"
	i := h.identity(bare(one("teams", "a"), one("other", "b")))
	if !slices.Equal(i.Groups, []string{"a"}) {
		t.Errorf("got %q", i.Groups)
	}
	if i.Unread()[0] = "changed"; i.Unread()[0] != "other" {
		t.Error("Unread returns its own slice")
	}
}

func TestClaimsThatCannotWork(t *testing.T) {
	t.Parallel()
	good := newHouse(t, nil)
	provider, err := saml.ParseSettings("https://idp.example.com/", "https://idp.example.com/login", string(good.idp.CertificatePEM()))
	if err != nil {
		t.Fatal(err)
	}
	keys := provider.Keys()
	for name, row := range map[string]struct {
		claims saml.Claims
		want   string
	}{
		"empty name":         {saml.Claims{Groups: []string{"a", ""}}, "an empty name in Groups"},
		"white space":        {saml.Claims{Email: []string{"mail "}}, "white space around it in Email"},
		"cannot be seen":     {saml.Claims{Surname: []string{"s\u200bn"}}, "cannot be seen in Surname"},
		"twice":              {saml.Claims{Roles: []string{"a", "b", "a"}}, "twice in Roles"},
		"user name":          {saml.Claims{Username: []string{""}}, "in Username"},
		"display name":       {saml.Claims{DisplayName: []string{""}}, "in DisplayName"},
		"given name":         {saml.Claims{GivenName: []string{""}}, "in GivenName"},
		"one name two lists": {saml.Claims{Roles: []string{"a"}, Groups: []string{"a"}}, ""},
	} {
		_, err := saml.New(saml.Config{BaseURL: "https://console.example.com", IdentityProvider: provider, StateKeys: [][]byte{saml.NewStateKey()},
			Store: saml.NewMemoryStore(), Claims: row.claims})
		_, err2 := saml.NewVerifier(saml.VerifierConfig{Issuer: "https://idp.example.com/", Keys: keys, EntityID: "x", RedirectURLs: []string{redirectURL}, Claims: row.claims})
		for _, err := range []error{err, err2} {
			list := saml.Errors(err)
			if row.want == "" && err == nil {
				continue
			}
			if len(list) != 1 || list[0].Code != saml.CodeConfig || list[0].Field != "Claims" || !strings.Contains(list[0].Message, row.want) {
				t.Errorf("%s: got %v, want %q", name, err, row.want)
			}
		}
	}
}

// TestUnreadOfEntra: of what Entra sends by default one attribute is in no field.
func TestUnreadOfEntra(t *testing.T) {
	t.Parallel()
	i := newHouse(t, nil).identity(samltest.Answer{Attributes: []samltest.Attribute{one("department", "x"), one("empty", ""), one("two", "", "")}})
	if got := i.Unread(); !slices.Equal(got, []string{entraMethod, "department", "two"}) {
		t.Errorf("got %q", got)
	}
	overage := newHouse(t, nil).identity(bare(one("http://schemas.microsoft.com/claims/groups.link", "https://graph.windows.net/t/users/o/getMemberObjects")))
	if !overage.GroupsOverage || overage.Unread() != nil {
		t.Errorf("got overage %t, unread %q", overage.GroupsOverage, overage.Unread())
	}
}
