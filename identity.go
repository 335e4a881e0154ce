package saml

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/iomete/saml/internal/bridge"
	"github.com/iomete/saml/internal/storekey"
)

// An Identity is who signed in, as the identity provider stated and FinishLogin checked.
type Identity struct {
	// Email is the NameID as sent: an e-mail address, unless Config.NameID is AnyNameID. Compare it with EqualEmail.
	Email string
	// EmailClaim is the e-mail attribute, "" if there is none. It is for display: the NameID is the identity.
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

	objectKey, nameIDKey string
}

// Keys gives the two keys under which to store the account, both stable for ever and different between tenants and
// identity providers. object is that of Entra's object ID, "" where the claims are absent or do not belong to the issuer;
// nameID is that of the NameID, "" for a transient one. Look an account up by object first, else by e-mail once, and bind it to object:
// an e-mail address can be given to somebody else.
func (i *Identity) Keys() (object, nameID string) { return i.objectKey, i.nameIDKey }

func init() {
	bridge.RestoreKeys = func(identity any, object, nameID string) {
		i := identity.(*Identity)
		i.objectKey, i.nameIDKey = object, nameID
	}
}

// EqualEmail compares two addresses by folding ASCII case, as accounts should be.
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
func newIdentity(a *Assertion, tenant string) *Identity {
	first := func(names ...string) string {
		for _, name := range names {
			if v := a.Attributes.First(name); v != "" {
				return v
			}
		}
		return ""
	}
	only := func(name string) string { // several are no name for one account
		if v := a.Attributes.Values(name); len(v) == 1 {
			return v[0]
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
		Email:      a.NameID.Value,
		EmailClaim: first(claimEmail, "email", "mail"),
		Username:   first("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "username"),
		Name:       first("http://schemas.microsoft.com/identity/claims/displayname", "displayName", "name"),
		GivenName:  first("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "firstName", "givenName"),
		Surname:    first("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "lastName", "sn"),
		Groups:     all(claimGroups, "groups"),
		Roles:      all("http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "roles", "Role"),
		ObjectID:   only(claimObjectID),
		TenantID:   only(claimTenantID),

		GroupsOverage:        a.Attributes.Values(claimGroupsLink) != nil,
		HomeIdentityProvider: first("http://schemas.microsoft.com/identity/claims/identityprovider"),
	}
	i.objectKey = objectKey(tenant, a.Issuer.Value, i.TenantID, i.ObjectID)
	i.nameIDKey = nameIDKey(tenant, a.Issuer.Value, a.NameID)
	return i
}

// objectKey is empty unless the tenant ID is that of the issuer (https://sts.windows.net/<tenant id>/): anything else would
// be one directory speaking for another's accounts.
func objectKey(tenant, issuer, tenantID, objectID string) string {
	_, afterScheme, _ := strings.Cut(issuer, "://")
	_, path, _ := strings.Cut(afterScheme, "/")
	directory, _, _ := strings.Cut(path, "/")
	if tenantID == "" || objectID == "" || foldASCII(directory) != foldASCII(tenantID) {
		return ""
	}
	return storekey.Of("v1/oid/", tenant, issuer, foldASCII(tenantID), foldASCII(objectID))
}

// nameIDKey leaves out what may change while the account stays the same: the Format, a NameQualifier that only repeats the
// issuer, and the SPNameQualifier, which is always ours.
func nameIDKey(tenant, issuer string, n NameID) string {
	if n.Format == formatTransient {
		return ""
	}
	qualifier := n.NameQualifier
	if qualifier == issuer {
		qualifier = ""
	}
	value := n.Value
	if isEmail(value) {
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
	case a.sp.config.NameID == AnyNameID:
		return nil
	case strings.Contains(foldASCII(n.Value), "#ext#"):
		return refuse(CodeNameIDGuest, "the NameID is the user principal name of a guest, not an e-mail address", n.Value, "")
	case n.Format == formatTransient:
		return refuse(CodeNameIDNotEmail, "the NameID is transient: it names the user for this session only", n.Value, "an e-mail address")
	case !isEmail(n.Value):
		return refuse(CodeNameIDNotEmail, "the NameID is not an e-mail address", n.Value, "an e-mail address")
	}
	return nil
}

// isEmail is the rule of Config.NameID: what mail systems in use deliver to, without quoting, comments or routes.
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
	if a.sp.config.NameID == AnyNameID {
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
	if a.sp.config.RequireObjectID && a.identity.objectKey == "" {
		return refuse(CodeObjectIDMissing, "the response has no object ID of the issuer's own directory", "", claimObjectID+" and "+claimTenantID)
	}
	return nil
}
