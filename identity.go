package saml

import (
	"slices"
	"strings"

	"github.com/iomete/saml/internal/storekey"
)

// An Identity is who signed in, as the identity provider stated and FinishLogin checked. Which
// attributes fill the fields is in Config.Claims. That of a Login can be kept: its texts are copies,
// while those of an Assertion are parts of the message, and each of them keeps the whole message in
// memory. The texts of an Identity in a session are parts of one string, groups included: strings.Clone
// those that you keep for longer than the request.
type Identity struct {
	// Email is the user's e-mail address as sent: the NameID, which is one, or with AllowAnyNameID
	// the e-mail claim, "" if there is none or it is no address. Nobody has checked that the user
	// reads it, and it can be given to another person later. Compare it with EqualEmail, never in
	// SQL. White space around a NameID that must be an e-mail address is left out; an e-mail claim
	// with white space around it is no address. Case and normalization form are as sent.
	Email string
	// EmailClaim is the e-mail attribute as sent, "" if there is none. It is for display. This and
	// the other single-valued fields are also "" if the attribute has several values, because
	// nobody knows which one counts.
	EmailClaim string
	Username   string // Entra: user principal name
	Name       string // display name
	GivenName  string
	Surname    string
	// Groups are object IDs or names, as the identity provider is set up. With GroupsOverage there
	// are more than it sends: Entra replaces more than 150 groups by a link, and "not in group X"
	// must not be concluded. Groups and Roles of a Login may be lists of its Assertion: change copies
	// (slices.Clone).
	Groups        []string
	GroupsOverage bool
	Roles         []string
	ObjectID      string // Entra: the user's immutable ID, a GUID
	TenantID      string // Entra: the directory's ID, a GUID
	// HomeIdentityProvider is where a guest comes from ("live.com", "mail", another directory's
	// URL). Entra only.
	HomeIdentityProvider string

	// ObjectKey and NameIDKey are the two keys under which to store an account. They never change,
	// and differ between tenants and between identity providers. They are ASCII, case-sensitive, at
	// most 64 bytes long, and begin with "v1/oid/" and "v1/nid/". Never store an account under "":
	// all users without the key would share it. The example shows how to look an account up by
	// both, and what to do if one of them is missing, new, or belongs to another account. In
	// sessions of your own, keep both.
	//
	// ObjectKey is made of Config.Tenant, the beginning of the Issuer (scheme, host, and first path
	// segment, which must be the tenant ID), Entra's tenant ID and object ID. It is "" if the
	// claims are absent, have several values, or belong to another directory than the issuer's.
	ObjectKey string
	// NameIDKey is made of Config.Tenant, the Issuer, the NameID and its NameQualifier. It is ""
	// for a transient NameID, which is new each time. ASCII case does not count in an e-mail
	// address: if Config.NameID is EmailNameID, or the NameID's Format is emailAddress. So a change
	// of Config.NameID can change the key of a NameID with capital letters.
	NameIDKey string

	unread []string
}

// AccountKey returns the key under which to store the account if there is to be one only: ObjectKey
// or, if that is "", NameIDKey. The error is an *Error with CodeNoAccountKey if there is none,
// which only happens with AllowAnyNameID: the user cannot be recognized the next time, and all
// users without a key would share one account.
func (i *Identity) AccountKey() (string, error) {
	switch {
	case i.ObjectKey != "":
		return i.ObjectKey, nil
	case i.NameIDKey != "":
		return i.NameIDKey, nil
	}
	return "", refuse(CodeNoAccountKey, "nothing in the response names the user for longer than this session", "",
		"a NameID that is not transient, or Entra's object ID and tenant ID").completed(nil)
}

// Unread returns the names of the attributes that have a value which is in no field: because no
// name of Config.Claims is theirs, because another attribute came first in its list, or because a
// field takes one value and the attribute has several. The order is that of the response. It is
// for a test sign-in, where it shows a group claim under a name that the settings do not have. An
// Identity that comes out of a session has none.
func (i *Identity) Unread() []string { return slices.Clone(i.unread) }

// newIdentity reads the claims.
func newIdentity(a *Assertion, p *policy) *Identity {
	names := p.claims
	if names == nil {
		names = defaultClaimNames
	}
	claims := names.pick(a.Attributes)
	i := &Identity{
		EmailClaim: claims.single(emailField),
		Username:   claims.single(usernameField),
		Name:       claims.single(displayNameField),
		GivenName:  claims.single(givenNameField),
		Surname:    claims.single(surnameField),
		Groups:     claims.all(groupsField),
		Roles:      claims.all(rolesField),
		ObjectID:   claims.single(objectIDField),
		TenantID:   claims.single(tenantIDField),

		GroupsOverage:        claims[overageField] != nil,
		HomeIdentityProvider: claims.single(homeField),

		unread: claims.unread(a.Attributes),
	}
	switch {
	case p.nameID == EmailNameID:
		i.Email = a.NameID.Value
	case emailFault(i.EmailClaim, p.allowInternationalEmail) == "":
		i.Email = i.EmailClaim
	}
	i.detach()
	i.ObjectKey = objectKey(p.tenant, a.Issuer.Value, i.TenantID, i.ObjectID)
	i.NameIDKey = nameIDKey(p.tenant, a.Issuer.Value, a.NameID, p.nameID)
	return i
}

// detach gives the texts memory of their own: applications keep an Identity, or a part of it, for as long
// as a session lasts, and the message that the texts were read from has up to 1 MiB. The lists are
// apart, so that an Email does not keep ten thousand groups.
func (i *Identity) detach() {
	detach(&i.Email, &i.EmailClaim, &i.Username, &i.Name, &i.GivenName, &i.Surname, &i.ObjectID, &i.TenantID,
		&i.HomeIdentityProvider)
	if len(i.Roles) > 0 && len(i.Groups) > 0 && &i.Roles[0] == &i.Groups[0] { // one attribute for both
		i.Roles = slices.Clone(i.Roles)
	}
	for _, list := range []*[]string{&i.Groups, &i.Roles} {
		if len(*list) <= sharedValues { // the list itself lies beside values of other attributes
			*list = slices.Clone(*list)
		}
		detachList(*list)
	}
	detachList(i.unread)
}

// objectKey is empty unless the tenant ID is that of the issuer (https://sts.windows.net/<tenant
// id>/): otherwise one directory could name accounts of another. What follows in the issuer is the
// application's ID if the administrator switches "Append application ID to issuer" on; the person
// stays the same.
func objectKey(tenant, issuer, tenantID, objectID string) string {
	scheme, afterScheme, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(afterScheme, "/")
	directory, _, _ := strings.Cut(path, "/")
	if scheme == "" || host == "" || tenantID == "" || objectID == "" || foldASCII(directory) != foldASCII(tenantID) {
		return ""
	}
	return storekey.Of("v1/oid/", tenant, foldASCII(scheme+"://"+host+"/"+directory+"/"), foldASCII(tenantID),
		foldASCII(objectID))
}

// nameIDKey leaves out what may change while the account stays the same: the Format, a
// NameQualifier that only repeats the issuer, and the SPNameQualifier, which is always ours. Case
// is ignored only in what is known to be an e-mail address: other names that differ in case name
// different people.
func nameIDKey(tenant, issuer string, n NameID, policy NameIDPolicy) string {
	if n.Format == formatTransient || n.Value == "" {
		return ""
	}
	qualifier := n.NameQualifier
	if qualifier == issuer {
		qualifier = ""
	}
	value := n.Value
	if (policy == EmailNameID || n.Format == formatEmail) && isEmail(value) {
		value = foldASCII(value)
	}
	return storekey.Of("v1/nid/", tenant, issuer, qualifier, value)
}

// EqualEmail reports whether two addresses, or two domains of addresses, are equal but for ASCII
// case: byte for byte, with A to Z like a to z, in the part before the @ too.
//
// Nothing else is left out. Blanks count, inside and around the address. So do normalization forms:
// é as one character (NFC) and as e with an accent behind it (NFD) are two addresses, and a domain in
// Unicode is another one than its form in ASCII ("xn--..."). Full-width letters and other scripts are
// no ASCII letters. strings.ToLower, strings.EqualFold and databases (lower, collations) take some of
// these for others, U+212A KELVIN SIGN for k among them, and find another person's account.
//
// It takes any text, also one that is no address; trim and check what a form brought before.
func EqualEmail(a, b string) bool { return foldASCII(a) == foldASCII(b) }
