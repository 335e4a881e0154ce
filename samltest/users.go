package samltest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"
)

// User is an account of the directory. An empty field is a claim that Entra leaves out.
type User struct {
	Mail              string // user.mail: the NameID and the claim emailaddress
	UserPrincipalName string // user.userprincipalname: the claim name
	DisplayName       string
	GivenName         string
	Surname           string
	ObjectID          string // GUID that never changes

	// HomeIdentityProvider is where the account is kept, such as "live.com" for a guest with a
	// Microsoft account. Empty: this directory.
	HomeIdentityProvider string

	Groups []string // object IDs of the groups; if there are more than 150, Entra sends a link instead
	Roles  []string // values of the application roles

	// Attributes are further claims, such as those that an administrator adds under "Attributes &
	// Claims". They replace the claims of the same Name that the fields above give; an Attribute
	// without values removes the claim.
	Attributes []Attribute

	// Unassigned marks a user who is not assigned to any application. Sign-ins of this user end
	// with AADSTS50105.
	Unassigned bool
}

// maxGroups is how many groups Entra puts into a SAML response.
const maxGroups = 150

// DefaultUsers returns five users, always the same and in this order: a typical one, one without an
// e-mail address, a guest with a Microsoft account, one in 200 groups, and one who is not assigned
// to any application.
func DefaultUsers() []User {
	return []User{
		{
			Mail: "ioana.turcanu@example.com", UserPrincipalName: "ioana.turcanu@example.com",
			DisplayName: "Ioana Țurcanu", GivenName: "Ioana", Surname: "Țurcanu",
			ObjectID: "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31",
			Groups:   groupIDs(3), Roles: []string{"Analyst"},
		},
		{
			UserPrincipalName: "svc.reports@example.com", DisplayName: "Reports",
			ObjectID: "0b8de6f4-2f0a-4b8f-b0c6-7a51c93d1e05",
		},
		{
			Mail: "tomas.novak@example.net", UserPrincipalName: "tomas.novak_example.net#EXT#@example.com",
			DisplayName: "Tomáš Novák", GivenName: "Tomáš", Surname: "Novák",
			ObjectID: "c2a4f1d8-6be3-4f7d-9a10-3e8c52b7f604", HomeIdentityProvider: "live.com",
			Groups: groupIDs(1),
		},
		{
			Mail: "Grace.Okafor@example.com", UserPrincipalName: "grace.okafor@example.com",
			DisplayName: "Grace Okafor", GivenName: "Grace", Surname: "Okafor",
			ObjectID: "e91b3c07-d5a8-4e62-8c4f-60f2a7d9b518",
			Groups:   groupIDs(200), Roles: []string{"Administrator", "Analyst"},
		},
		{
			Mail: "lars.lindqvist@example.com", UserPrincipalName: "lars.lindqvist@example.com",
			DisplayName: "Lars Lindqvist", GivenName: "Lars", Surname: "Lindqvist",
			ObjectID: "7d36e8a9-1c4b-4d95-a2e7-f85b0c61d243", Unassigned: true,
		},
	}
}

// groupIDs returns n GUIDs that look random and are the same each time.
func groupIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		sum := sha256.Sum256(fmt.Appendf(nil, "group %d", i))
		ids[i] = formatGUID([16]byte(sum[:16]))
	}
	return ids
}

// isZero reports whether u is the zero User, which stands for nobody.
func (u User) isZero() bool { return reflect.ValueOf(u).IsZero() }

// name returns the name of u in forms and cookies.
func (u User) name() string { return cmp.Or(u.UserPrincipalName, u.Mail) }

// answersTo reports whether a login_hint means u: it is the mail address or user principal name in
// any case.
func (u User) answersTo(hint string) bool {
	return hint != "" && (strings.EqualFold(u.Mail, hint) || strings.EqualFold(u.UserPrincipalName, hint))
}

// Attribute is one claim: a Name and its values in order.
type Attribute struct {
	Name   string
	Values []string
}

// Names of the claims.
const (
	claimTenantID     = "http://schemas.microsoft.com/identity/claims/tenantid"
	claimObjectID     = "http://schemas.microsoft.com/identity/claims/objectidentifier"
	claimDisplayName  = "http://schemas.microsoft.com/identity/claims/displayname"
	claimGroups       = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
	claimGroupsLink   = "http://schemas.microsoft.com/claims/groups.link"
	claimHomeProvider = "http://schemas.microsoft.com/identity/claims/identityprovider"
	claimAuthnMethods = "http://schemas.microsoft.com/claims/authnmethodsreferences"
	claimRole         = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
	claimGivenName    = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"
	claimSurname      = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"
	claimEmail        = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
	claimName         = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
)

// claims returns the attributes that Entra sends for u, in Entra's order. A claim whose source is
// empty is left out.
func (p *IdentityProvider) claims(u User) []Attribute {
	home := u.HomeIdentityProvider
	if home == "" {
		home = p.homeDirectory()
	}
	groups := Attribute{claimGroups, u.Groups}
	if len(u.Groups) > maxGroups {
		groups = Attribute{claimGroupsLink,
			[]string{"https://graph.windows.net/" + p.tenant + "/users/" + u.ObjectID + "/getMemberObjects"}}
	}
	return replaceAttributes(withoutEmpty([]Attribute{
		{claimTenantID, []string{p.tenant}},
		{claimObjectID, []string{u.ObjectID}},
		{claimDisplayName, []string{u.DisplayName}},
		groups,
		{claimHomeProvider, []string{home}},
		{claimAuthnMethods, []string{
			"http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password",
			"http://schemas.microsoft.com/claims/multipleauthn"}},
		{claimRole, u.Roles},
		{claimGivenName, []string{u.GivenName}},
		{claimSurname, []string{u.Surname}},
		{claimEmail, []string{u.Mail}},
		{claimName, []string{u.UserPrincipalName}},
	}), u.Attributes)
}

func withoutEmpty(attributes []Attribute) []Attribute {
	var kept []Attribute
	for _, a := range attributes {
		if len(a.Values) > 1 || len(a.Values) == 1 && a.Values[0] != "" {
			kept = append(kept, a)
		}
	}
	return kept
}

// replaceAttributes returns attributes after changes. A change replaces the attribute of the same
// Name or, if there is none, comes after all others. A change without values removes the attribute.
func replaceAttributes(attributes, changes []Attribute) []Attribute {
	for _, change := range changes {
		attributes = replaceAttribute(attributes, change)
	}
	return attributes
}

func replaceAttribute(attributes []Attribute, change Attribute) []Attribute {
	var result []Attribute
	replaced := false
	for _, a := range attributes {
		if a.Name == change.Name {
			a, replaced = change, true
		}
		if len(a.Values) > 0 {
			result = append(result, a)
		}
	}
	if !replaced && len(change.Values) > 0 {
		result = append(result, change)
	}
	return result
}
