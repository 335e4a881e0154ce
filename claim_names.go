package saml

import (
	"slices"
	"strings"
)

// Claims names the attributes that fill the fields of Identity, by their Name, which is compared
// byte for byte. The FriendlyName does not count. For each field, the first attribute of the list
// that has a value counts, and no other. An empty list stands for the default names.
//
// The defaults are the names that Microsoft Entra ID, AD FS, Okta, Keycloak and Google Workspace
// use, with and without namespace, and the object identifiers of LDAP and eduPerson that Shibboleth
// sends. With the defaults, a user who does not have the first attribute gets the value of the next one. So
// if the service grants rights by groups or roles, name the one attribute that has them.
//
// Identity.ObjectID and Identity.TenantID are always Entra's own claims, because account keys are
// made of them; GroupsOverage and HomeIdentityProvider are Entra's too. No field here changes an
// account key, or which NameID is accepted.
type Claims struct {
	// Email fills Identity.EmailClaim. Identity.Email follows Config.NameID: the claim takes its
	// place only with AllowAnyNameID.
	Email []string

	Username    []string // fills Identity.Username
	DisplayName []string // fills Identity.Name
	GivenName   []string // fills Identity.GivenName
	Surname     []string // fills Identity.Surname

	// Groups fills Identity.Groups. In Entra the name is free ("Customize the name of the group
	// claim"), so by default an attribute counts too whose name ends in group or groups behind a
	// namespace (https://example.com/claims/Groups), in any case, if there is only one of them and
	// none with a name of the list.
	Groups []string

	Roles []string // fills Identity.Roles
}

// The fields of Identity that attributes fill.
const (
	emailField = iota
	usernameField
	displayNameField
	givenNameField
	surnameField
	objectIDField
	tenantIDField
	homeField
	groupsField
	rolesField
	overageField
	identityFields
)

// The object identifiers of LDAP and eduPerson attributes, as the SAML attribute profile for X.500
// and LDAP writes them (SAML Profiles 2.0 §8.2.2). The names behind them are those of RFC 4519, RFC
// 2798, RFC 2985, eduPerson and Active Directory.
const (
	oidMail          = "urn:oid:0.9.2342.19200300.100.1.3"
	oidEmailAddress  = "urn:oid:1.2.840.113549.1.9.1"
	oidUID           = "urn:oid:0.9.2342.19200300.100.1.1"
	oidPrincipalName = "urn:oid:1.3.6.1.4.1.5923.1.1.1.6" // eduPersonPrincipalName
	oidDisplayName   = "urn:oid:2.16.840.1.113730.3.1.241"
	oidCommonName    = "urn:oid:2.5.4.3"
	oidGivenName     = "urn:oid:2.5.4.42"
	oidSurname       = "urn:oid:2.5.4.4"
	oidIsMemberOf    = "urn:oid:1.3.6.1.4.1.5923.1.5.1.1" // eduMember
	oidMemberOf      = "urn:oid:1.2.840.113556.1.2.102"
)

// defaultClaims are the names that count where Claims has none.
var defaultClaims = Claims{
	Email:       []string{claimEmail, "email", "mail", oidMail, oidEmailAddress, "Email", "emailAddress", "emailaddress", "User.email"},
	Username:    []string{claimUsername, "username", claimUPN, "userPrincipalName", oidPrincipalName, "eduPersonPrincipalName", oidUID, "uid"},
	DisplayName: []string{claimDisplayName, "displayName", "displayname", "DisplayName", oidDisplayName, "name", claimCommonName, oidCommonName, "cn"},
	GivenName:   []string{claimGivenName, "firstName", "givenName", oidGivenName, "givenname", "FirstName", "first_name", "User.FirstName"},
	Surname:     []string{claimSurname, "lastName", "sn", oidSurname, "surname", "LastName", "last_name", "User.LastName"},
	Groups: []string{claimGroups, "groups", "Groups", "group", "Group", claimGroupOfADFS, claimGroupSID, "memberOf", oidMemberOf, "isMemberOf",
		oidIsMemberOf, "member"}, // member: the group mapper of Keycloak
	Roles: []string{claimRole, "roles", "Role", "role", "Roles"},
}

// faults reports what is wrong with the names.
func (c *Claims) faults(f *faults) {
	for _, list := range c.lists(defaultClaims) {
		seen := map[string]bool{}
		for _, name := range list.own {
			switch {
			case name == "":
				f.add("Claims", "has an empty name in "+list.name, "", "the Name of an attribute")
			case trimSpace(name) != name:
				f.add("Claims", "has a name with white space around it in "+list.name, name, quote(trimSpace(name)))
			case !visible(name):
				f.add("Claims", "has a name with a character that cannot be seen in "+list.name, name, "the name without it")
			case seen[name]:
				f.add("Claims", "has a name twice in "+list.name, name, "each name once")
			}
			seen[name] = true
		}
	}
}

// A claimList is the names for one field of Identity.
type claimList struct {
	name          string // of the field of Claims
	field         int
	own, defaults []string
}

func (c *Claims) lists(d Claims) []claimList {
	return []claimList{
		{"Email", emailField, c.Email, d.Email},
		{"Username", usernameField, c.Username, d.Username},
		{"DisplayName", displayNameField, c.DisplayName, d.DisplayName},
		{"GivenName", givenNameField, c.GivenName, d.GivenName},
		{"Surname", surnameField, c.Surname, d.Surname},
		{"Groups", groupsField, c.Groups, d.Groups},
		{"Roles", rolesField, c.Roles, d.Roles},
	}
}

// claimNames finds the attributes that fill the fields, in one pass over all of them.
type claimNames struct {
	byName      map[string][]claimRank
	groupsByEnd bool // a group claim may have any namespace
}

// A claimRank says that an attribute fills a field, unless one of a lower rank is there.
type claimRank struct{ field, rank int }

// names returns c with the defaults filled in. It keeps nothing of c. Without names of its own it
// returns nil, which stands for defaultClaimNames: all tenants share them.
func (c *Claims) names() *claimNames {
	if !slices.ContainsFunc(c.lists(Claims{}), func(l claimList) bool { return len(l.own) > 0 }) {
		return nil
	}
	return c.withDefaults()
}

func (c *Claims) withDefaults() *claimNames {
	n := &claimNames{byName: map[string][]claimRank{}, groupsByEnd: len(c.Groups) == 0}
	add := func(field int, names []string) {
		for rank, name := range names {
			n.byName[name] = append(n.byName[name], claimRank{field, rank})
		}
	}
	for _, list := range c.lists(defaultClaims) {
		if len(list.own) > 0 {
			add(list.field, list.own)
		} else {
			add(list.field, list.defaults)
		}
	}
	for field, name := range map[int]string{objectIDField: claimObjectID, tenantIDField: claimTenantID,
		homeField: claimIdentityProvider, overageField: claimGroupsLink} {
		add(field, []string{name})
	}
	return n
}

var defaultClaimNames = (&Claims{}).withDefaults()

// A pick is the attribute for each field, nil if there is none.
type pick [identityFields]*Attribute

func (n *claimNames) pick(attributes Attributes) (picked pick) {
	var rank [identityFields]int
	var byEnd *Attribute
	severalByEnd := false
	for i := range attributes {
		a := &attributes[i]
		ranks, known := n.byName[a.Name]
		for _, r := range ranks {
			if (a.hasValue() || r.field == overageField) && (picked[r.field] == nil || r.rank < rank[r.field]) {
				picked[r.field], rank[r.field] = a, r.rank
			}
		}
		if !known && n.groupsByEnd && a.hasValue() && namesGroups(a.Name) {
			severalByEnd = byEnd != nil
			byEnd = a
		}
	}
	if picked[groupsField] == nil && !severalByEnd {
		picked[groupsField] = byEnd
	}
	return picked
}

// hasValue reports whether an attribute has more to say than one empty text.
func (a *Attribute) hasValue() bool {
	switch len(a.Values) {
	case 0:
		return false
	case 1:
		return a.leftOut || a.Values[0] != ""
	}
	return true
}

// namesGroups reports whether the last part of a name, behind its namespace, is the word for groups.
func namesGroups(name string) bool {
	switch foldASCII(name[strings.LastIndexAny(name, "/:#")+1:]) {
	case "group", "groups":
		return true
	}
	return false
}

// single returns the value of a field that takes one. It is empty if the attribute has several,
// because nobody knows which one counts. A value with markup is one too.
func (p *pick) single(field int) string {
	if a := p[field]; a != nil && len(a.Values) == 1 && !a.leftOut {
		return a.Values[0]
	}
	return ""
}

func (p *pick) all(field int) []string {
	if p[field] == nil {
		return nil
	}
	return p[field].Values
}

// unread returns the names of the attributes with a value that is in no field.
func (p *pick) unread(attributes Attributes) (names []string) {
	for i := range attributes {
		if a := &attributes[i]; (a.hasValue() || a.leftOut) && !p.reads(a) {
			names = append(names, a.Name)
		}
	}
	return names
}

func (p *pick) reads(a *Attribute) bool {
	for field, picked := range p {
		if picked != a {
			continue
		}
		switch field {
		case groupsField, rolesField, overageField:
			return true
		}
		if p.single(field) != "" {
			return true
		}
	}
	return false
}
