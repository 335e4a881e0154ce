package saml

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/iomete/saml/internal/storekey"
)

// An Identity is who signed in, as the identity provider stated and FinishLogin checked.
type Identity struct {
	// Email is the user's e-mail address as sent: the NameID, which is one, or with AllowAnyNameID the e-mail claim, "" if there is none or it
	// is no address. Nobody has checked that the user reads it, and it can be given to somebody else. Compare it with EqualEmail, never in SQL.
	Email string
	// EmailClaim is the e-mail attribute as sent, "" if there is none. It is for display. This and the other single-valued fields are "" too
	// where the attribute has several values: nobody knows which one counts.
	EmailClaim string
	Username   string // Entra: user principal name
	Name       string // display name
	GivenName  string
	Surname    string
	// Groups are object IDs or names, as the identity provider is set up. With GroupsOverage there are more than it
	// sends: Entra replaces more than 150 groups by a link, and "not in group X" must not be concluded.
	Groups        []string
	GroupsOverage bool
	Roles         []string
	ObjectID      string // Entra: the user's immutable ID, a GUID
	TenantID      string // Entra: the directory's ID, a GUID
	// HomeIdentityProvider is where a guest comes from ("live.com", "mail", another directory's URL). Entra only.
	HomeIdentityProvider string

	// ObjectKey and NameIDKey are the two keys under which to store an account. They are the same forever, and differ between tenants and between
	// identity providers. They are ASCII, case-sensitive, at most 64 bytes long, and begin with "v1/oid/" and "v1/nid/". Never store an account under
	// "": everybody without the key would share it. The example shows how to look an account up by both, and what to do if one of them is missing,
	// new, or belongs to somebody else. In sessions of your own, keep both.
	//
	// ObjectKey is made of Config.Tenant, the beginning of the Issuer (scheme, host, and first path segment, which must be the tenant ID), Entra's
	// tenant ID and object ID. It is "" if the claims are absent, have several values, or belong to another directory than the issuer's.
	ObjectKey string
	// NameIDKey is made of Config.Tenant, the Issuer, the NameID and its NameQualifier. It is "" for a transient NameID, which is another one each
	// time. ASCII case does not count in an e-mail address: if Config.NameID is EmailNameID, or the NameID's Format is emailAddress. So a change of
	// Config.NameID can change the key of a NameID with capital letters.
	NameIDKey string
}

// AccountKey returns the key under which to store the account if there is to be one only: ObjectKey or, if that is "", NameIDKey. The error is an
// *Error with CodeNoAccountKey if there is none, which only happens with AllowAnyNameID: the user cannot be recognized the next time, and
// everybody without a key would share one account.
func (i *Identity) AccountKey() (string, error) {
	switch {
	case i.ObjectKey != "":
		return i.ObjectKey, nil
	case i.NameIDKey != "":
		return i.NameIDKey, nil
	}
	return "", refuse(CodeNoAccountKey, "nothing in the response names the user for longer than this session", "", "a NameID that is not transient, or Entra's object ID and tenant ID")
}

// EqualEmail reports whether two addresses, or two domains of addresses, are equal but for ASCII case. strings.ToLower, strings.EqualFold and
// databases (lower, collations) also take other characters for ASCII letters, U+212A KELVIN SIGN for k among them, and find another person's account.
func EqualEmail(a, b string) bool { return foldASCII(a) == foldASCII(b) }

const (
	claimTenantID   = "http://schemas.microsoft.com/identity/claims/tenantid"
	claimObjectID   = "http://schemas.microsoft.com/identity/claims/objectidentifier"
	claimEmail      = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
	claimGroups     = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
	claimGroupsLink = "http://schemas.microsoft.com/claims/groups.link"

	formatTransient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
)

// newIdentity reads the claims: Entra's URIs first, then the plain names of the guides for other identity providers.
func newIdentity(a *Assertion, c *Config) *Identity {
	// only is the value of the first attribute that says anything, "" where it says several things.
	only := func(names ...string) string {
		for _, name := range names {
			if v, several := a.Attributes.only(name); several || v != "" {
				return v
			}
		}
		return ""
	}
	all := func(names ...string) (values []string) {
		for _, name := range names {
			if values == nil {
				values = a.Attributes.Values(name)
			} else {
				values = append(values[:len(values):len(values)], a.Attributes.Values(name)...)
			}
		}
		return values
	}
	i := &Identity{
		EmailClaim: only(claimEmail, "email", "mail"),
		Username:   only("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "username"),
		Name:       only("http://schemas.microsoft.com/identity/claims/displayname", "displayName", "name"),
		GivenName:  only("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "firstName", "givenName"),
		Surname:    only("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "lastName", "sn"),
		Groups:     all(claimGroups, "groups"),
		Roles:      all("http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "roles", "Role"),
		ObjectID:   only(claimObjectID),
		TenantID:   only(claimTenantID),

		GroupsOverage:        a.Attributes.Values(claimGroupsLink) != nil,
		HomeIdentityProvider: only("http://schemas.microsoft.com/identity/claims/identityprovider"),
	}
	switch {
	case c.NameID == EmailNameID:
		i.Email = a.NameID.Value
	case emailFault(i.EmailClaim, c.AllowInternationalEmail) == "":
		i.Email = i.EmailClaim
	}
	i.ObjectKey = objectKey(c.Tenant, a.Issuer.Value, i.TenantID, i.ObjectID)
	i.NameIDKey = nameIDKey(c.Tenant, a.Issuer.Value, a.NameID, c.NameID)
	return i
}

// objectKey is empty unless the tenant ID is that of the issuer (https://sts.windows.net/<tenant id>/): anything else would
// be one directory speaking for another's accounts. What follows in the issuer is the application's ID if the administrator
// switches "Append application ID to issuer" on, which makes no other person of anybody.
func objectKey(tenant, issuer, tenantID, objectID string) string {
	scheme, afterScheme, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(afterScheme, "/")
	directory, _, _ := strings.Cut(path, "/")
	if scheme == "" || host == "" || tenantID == "" || objectID == "" || foldASCII(directory) != foldASCII(tenantID) {
		return ""
	}
	return storekey.Of("v1/oid/", tenant, foldASCII(scheme+"://"+host+"/"+directory+"/"), foldASCII(tenantID), foldASCII(objectID))
}

// nameIDKey leaves out what may change while the account stays the same: the Format, a NameQualifier that only repeats the
// issuer, and the SPNameQualifier, which is always ours. Case is only left out of what is known to be an e-mail address:
// other names that differ in case name different people.
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

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

const maxNameID = 256 // characters, SAML Core 2.0 §8.3.7

func checkNameID(_ context.Context, a *attempt) *Error {
	switch n := a.assertion.NameID.Value; {
	case a.assertion.encryptedID:
		return refuse(CodeNameID, "the subject is named by an EncryptedID, and there is no key to decrypt it with", "", "a NameID")
	case a.assertion.nameIDs != 1 || n == "":
		return refuse(CodeNameID, "the subject has no NameID", "", "exactly one")
	case utf8.RuneCountInString(n) > maxNameID:
		return refuse(CodeNameID, "the NameID is too long", n, "at most 256 characters")
	case strings.ContainsFunc(n, unicode.IsControl):
		return refuse(CodeNameID, "the NameID has a control character", n, "")
	case strings.TrimSpace(n) != n:
		return refuse(CodeNameID, "the NameID has white space at an end", n, "")
	}
	return nil
}

func checkNameIDIsEmail(_ context.Context, a *attempt) *Error {
	n := a.assertion.NameID
	switch {
	case a.sp.config.NameID == AllowAnyNameID:
		return nil
	case strings.Contains(foldASCII(n.Value), "#ext#"):
		return refuse(CodeNameIDGuest, "the NameID is the user principal name of a guest, not an e-mail address", n.Value, "")
	case n.Format == formatTransient:
		return refuse(CodeNameIDNotEmail, "the NameID is transient: it names the user for this session only", n.Value, "an e-mail address")
	}
	if fault := emailFault(n.Value, a.sp.config.AllowInternationalEmail); fault != "" {
		e := refuse(CodeNameIDNotEmail, "the NameID "+fault, n.Value, "an e-mail address")
		if isEmail(n.Value) {
			e.Want, e.Hint = "an e-mail address in ASCII", hintInternationalEmail
		}
		return e
	}
	return nil
}

// emailFault says why s is no e-mail address that is taken, "" if it is.
func emailFault(s string, international bool) string {
	switch {
	case !isEmail(s):
		return "is not an e-mail address"
	case !international && !isASCII(s):
		return "is an e-mail address with characters beyond ASCII, which can look like another person's"
	}
	return ""
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// isEmail is the rule of Config.NameID: what mail systems in use deliver to, without quoting, comments or routes. Characters beyond ASCII
// (RFC 6531) are for emailFault.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > 64 || domain == "" || len(domain) > 253 || !utf8.ValidString(s) {
		return false
	}
	if strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return false
	}
	return !strings.Contains(domain, "@") &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return unicode.IsSpace(r) || !isVisible(r) || strings.ContainsRune(`<>(),;:\"`, r)
		})
}

func checkNameIDAgrees(_ context.Context, a *attempt) *Error {
	if a.sp.config.NameID == AllowAnyNameID {
		return nil
	}
	claim := a.assertion.Attributes.Values(claimEmail)
	if len(claim) == 1 && !EqualEmail(claim[0], a.assertion.NameID.Value) {
		return refuse(CodeNameIDMismatch, "the NameID is not the user's e-mail address", a.assertion.NameID.Value, "the emailaddress claim")
	}
	return nil
}

func checkSPNameQualifier(_ context.Context, a *attempt) *Error {
	if n := a.assertion.NameID; n.hasSPNameQualifier && !slices.Contains(a.sp.audiences, n.SPNameQualifier) {
		return refuse(CodeSPNameQualifier, "the NameID was made for another service", n.SPNameQualifier, quote(a.sp.entityID))
	}
	return nil
}

func checkObjectID(_ context.Context, a *attempt) *Error {
	if a.sp.config.RequireObjectID && a.identity.ObjectKey == "" {
		return refuse(CodeObjectIDMissing, "the response has no object ID of the issuer's own directory", "", claimObjectID+" and "+claimTenantID)
	}
	return nil
}
