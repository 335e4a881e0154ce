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
	matches:      isEntra,
	hints:        entraHints,
	signResponse: `In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit > Signing Option: "Sign SAML response and assertion".`,
	statusHint:   aadstsHint,
	misplaced:    misplacedOfEntra,
	warnings:     entraWarnings,
}

// isEntra reports whether settings are those of Entra: by the host of the entity ID or of the login
// URL.
func isEntra(p *IdentityProvider) bool {
	for _, s := range []string{p.entityID, p.LoginURL()} {
		if u, err := url.Parse(s); err == nil && isEntraHost(u.Hostname()) {
			return true
		}
	}
	return false
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

// The general hints for settings that cannot be read name places in Entra's portal: nobody knows
// yet whose settings these are, and most are Entra's.
const (
	entraDownload              = "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML > Download; upload that file unchanged."
	entraDownloadOwn           = "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML, not the address with /common/."
	entraIdentifierPlace       = `In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier (not "Identifier (Entity ID)", which is ours).`
	entraLoginURLPlace         = `In Entra: Enterprise application > Single sign-on > "Set up" card > Login URL.`
	entraCertificates          = "In Entra: Enterprise application > Single sign-on > SAML Certificates > Federation Metadata XML or Certificate (Base64)."
	entraCertificateOrMetadata = "In Entra: Enterprise application > Single sign-on > SAML Certificates > Certificate (Base64) or Federation Metadata XML."
	entraMetadataURL           = "Compare the address with that of the identity provider (Entra: Single sign-on > SAML Certificates > App Federation Metadata Url), or download the file with a browser and give that."
)

// entraHints name the fields of Entra's portal.
var entraHints = map[Code]string{
	CodeAssertionIssuer:    `In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier belongs into Entity ID, with its final slash.`,
	CodeResponseIssuer:     `In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier belongs into Entity ID, with its final slash.`,
	CodeDestination:        "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Reply URL must be the Redirect URL.",
	CodeRecipient:          "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Reply URL must be the Redirect URL.",
	CodeAudience:           "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Identifier (Entity ID) must be our entity ID, which is the Redirect URL unless another is configured.",
	CodeEncryptedAssertion: "In Entra: Enterprise application > Token encryption: deactivate the encryption certificate, or configure its key here.",
	CodeDecryption:         "In Entra: Enterprise application > Token encryption: the active certificate must be the encryption certificate of our metadata; and compare the thumbprint under Single sign-on > SAML Certificates with the signing certificate in our settings.",
	CodeSignature:          "In Entra: Enterprise application > Single sign-on > SAML Certificates: download the Federation Metadata XML and upload it in our settings; compare the thumbprint of the active certificate.",
	CodeSignatureAlgorithm: "In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit > Signing Algorithm: SHA-256.",
	CodeDigestAlgorithm:    "In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit > Signing Algorithm: SHA-256.",
	CodeUnsolicited:        "In Entra: Enterprise application > Single sign-on > Basic SAML Configuration > Sign-on URL must be the Redirect URL.",
	CodeNameID:             "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail, format Email address; and fill in the user's Email field.",
	CodeNameIDNotEmail:     "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail, format Email address; and fill in the user's Email field.",
	CodeNameIDGuest:        "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail, format Email address; and fill in the guest's Email field.",
	CodeNameIDMismatch:     "In Entra: Enterprise application > Single sign-on > Attributes & Claims > Unique User Identifier: source attribute user.mail; and fill in the user's Email field.",
	CodeCertificateExpired: "In Entra: Enterprise application > Single sign-on > SAML Certificates > Edit: create a new certificate, give us the metadata, then make it active.",
	CodeNoAccountKey:       "In Entra: Enterprise application > Single sign-on > Attributes & Claims: the default claims objectidentifier and tenantid must be sent; or Unique User Identifier: format Email address or Persistent.",
	CodeObjectIDMissing:    "In Entra: Enterprise application > Single sign-on > Attributes & Claims: the default claims objectidentifier and tenantid must be sent.",
}

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
			entraIssuerForm).inField(FieldEntityID))
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
			entraLoginForm).inField(FieldLoginURL))
	}
	return faults
}

func isMetadataAddress(s string) bool {
	return strings.Contains(strings.ToLower(s), "/federationmetadata/")
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
