package saml

import (
	"net/url"
	"regexp"
	"strings"
)

// entra is Microsoft Entra ID (formerly Azure AD) in all its clouds. Sources: the pages of
// learn.microsoft.com about SAML single sign-on for enterprise applications, the SAML token claims
// reference, and the list of AADSTS error codes.
var entra = product{
	name:         "Microsoft Entra ID",
	looksAs:      "`https://sts.windows.net/…/`, `https://login.microsoftonline.com/…/saml2`, and the hosts of the other clouds",
	matches:      func(u *url.URL) bool { return isEntraHost(u.Hostname()) },
	words:        entraWords,
	signResponse: entraSignResponse,
	statusHint:   aadstsHint,
	misplaced:    misplacedOfEntra,
	warnings:     entraWarnings,
}

func isEntraHost(host string) bool {
	switch host {
	case "sts.windows.net", "sts.chinacloudapi.cn", "login.microsoftonline.com", "login.microsoftonline.us",
		"login.partner.microsoftonline.cn", "login.chinacloudapi.cn", "login.windows.net":
		return true
	}
	return false
}

// What the two addresses look like, and what the portal calls the first.
const (
	entraIssuerForm     = "https://sts.windows.net/<tenant id>/"
	entraLoginForm      = "https://login.microsoftonline.com/<tenant id>/saml2"
	entraIdentifierName = "Microsoft Entra Identifier"
)

// The claims that Entra sends, by their names (SAML token claims reference).
const (
	claimTenantID         = "http://schemas.microsoft.com/identity/claims/tenantid"
	claimObjectID         = "http://schemas.microsoft.com/identity/claims/objectidentifier"
	claimDisplayName      = "http://schemas.microsoft.com/identity/claims/displayname"
	claimIdentityProvider = "http://schemas.microsoft.com/identity/claims/identityprovider"
	claimUsername         = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
	claimEmail            = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
	claimGivenName        = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"
	claimSurname          = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"
	claimRole             = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
	claimGroups           = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
	claimGroupsLink       = "http://schemas.microsoft.com/claims/groups.link" // in place of more than 150 groups
)

// guestMark is in the user principal name of every guest of a directory:
// "ann_example.com#EXT#@contoso.onmicrosoft.com". In lower case.
const guestMark = "#ext#"

var aadstsNumber = regexp.MustCompile(`AADSTS[0-9]{5,7}`)

// aadstsHint says what to do about an error number of Entra in a status message, "" if we know
// nothing.
func aadstsHint(message string) string {
	switch aadstsNumber.FindString(message) {
	case "AADSTS50105":
		return "In Entra: Enterprise application > Users and groups: assign the user or a group that holds the user directly."
	case "AADSTS75011":
		return "Ask for no authentication context: leave RequestedAuthnContexts empty."
	case "AADSTS7000112":
		return "In Entra: Enterprise application > Properties > Enabled for users to sign in: Yes."
	case "AADSTS501241":
		return "In Entra: fill in the user's Email field, which the NameID is taken from."
	}
	return ""
}

// misplacedOfEntra recognizes values of the Entra portal that were pasted into the wrong field: at
// most one fault for each field.
func misplacedOfEntra(entityID, loginURL string) (faults []*Error) {
	entity, _ := url.Parse(entityID)
	login, _ := url.Parse(loginURL)
	atEntra := login != nil && isEntraHost(login.Hostname())
	why := ""
	switch {
	case isMetadataAddress(entityID):
		why = "the entity ID is the address of the metadata"
	case entity != nil && isEntraHost(entity.Hostname()) && strings.HasSuffix(entity.Path, "/saml2"):
		why = "the entity ID is the Login URL"
	case atEntra && guid.MatchString(entityID):
		why = "the entity ID is an ID alone, as of a tenant or an application"
	}
	if why != "" {
		faults = append(faults, refuse(CodeMetadataEntityID, why, withoutUserInfo(entityID),
			formAt(entity, entraIssuerForm, adfsIssuerForm)).inField(FieldEntityID))
	}
	why = ""
	switch {
	case isMetadataAddress(loginURL):
		why = "the login URL is the address of the metadata"
	case atEntra && strings.HasSuffix(login.Path, "/wsfed"):
		why = "the login URL is that of WS-Federation, not of SAML"
	case atEntra && strings.HasPrefix(login.Hostname(), "sts."):
		why = "the login URL is the " + entraIdentifierName
	}
	if why != "" {
		faults = append(faults, refuse(CodeMetadataLoginURL, why, withoutUserInfo(loginURL),
			formAt(login, entraLoginForm, adfsLoginForm)).inField(FieldLoginURL))
	}
	return faults
}

func isMetadataAddress(s string) bool {
	return strings.Contains(strings.ToLower(s), "/federationmetadata/")
}

// formAt is how a value looks at the product that an address is of: Entra, or AD FS, which has its
// metadata under nearly the same path.
func formAt(u *url.URL, ofEntra, ofADFS string) string {
	if u != nil && !isEntraHost(u.Hostname()) && isADFS(u) {
		return ofADFS
	}
	return ofEntra
}

var guid = regexp.MustCompile(`^\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?$`)

// entraWarnings finds what looks wrong about settings of Entra.
func entraWarnings(p *IdentityProvider) (list []Warning) {
	add := func(code, message, hint string) { list = append(list, Warning{code, message, hint}) }
	if tenantWide(p.keys) {
		add("tenant_wide_keys", "the certificates are those of the whole Microsoft cloud, not of your application, so responses will probably not verify",
			"Entra signs with the application's own certificate: in the enterprise application, Single sign-on > SAML Certificates, download the Federation Metadata XML.")
	}
	if bareTenant.MatchString(p.entityID) {
		add("entity_id_slash", "the entity ID "+quote(p.entityID)+" has no slash at its end, as Microsoft Entra's has",
			`In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier: copy all of it, the slash too.`)
	}
	if u, err := url.Parse(p.LoginURL()); err == nil && isEntraHost(u.Hostname()) && commonTenant.MatchString(u.Path) {
		add("login_url_common", "the login URL "+quote(p.LoginURL())+" is not that of one tenant",
			`In Entra: Enterprise application > Single sign-on > "Set up" card > Login URL.`)
	}
	if ours, theirs := tenantIn(entraIssuer, p.entityID), tenantIn(entraLogin, p.LoginURL()); ours != "" &&
		theirs != "" && !strings.EqualFold(ours, theirs) {
		add("tenant_mismatch", "the entity ID is of the tenant "+ours+" and the login URL of the tenant "+theirs,
			`In Entra: Enterprise application > Single sign-on > "Set up" card: take both from there.`)
	}
	return list
}

var (
	bareTenant   = regexp.MustCompile(`^https://sts\.(windows\.net|chinacloudapi\.cn)/[0-9A-Fa-f-]{36}$`)
	entraIssuer  = regexp.MustCompile(`^https://sts\.(?:windows\.net|chinacloudapi\.cn)/([0-9A-Fa-f-]{36})/`)
	entraLogin   = regexp.MustCompile(`^https://login\.[a-z.]+/([0-9A-Fa-f-]{36})/`)
	commonTenant = regexp.MustCompile(`^/(common|organizations|consumers)/`)
)

// tenantIn is the tenant ID in an address, "" if it has none.
func tenantIn(pattern *regexp.Regexp, address string) string {
	if m := pattern.FindStringSubmatch(address); m != nil {
		return m[1]
	}
	return ""
}

// tenantWide reports whether there are only keys that Entra signs with where an application has
// none of its own.
func tenantWide(keys []TrustedKey) bool {
	for _, k := range keys {
		if k.subject != "CN=accounts.accesscontrol.windows.net" && k.subject != "CN=login.microsoftonline.us" {
			return false
		}
	}
	return true
}
