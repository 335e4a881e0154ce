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
	name: "Microsoft Entra ID",
	looksAs: "`https://sts.windows.net/…/`, `https://login.microsoftonline.com/…/saml2`, the hosts of the other clouds, `https://….ciamlogin.com/…`, " +
		"and at any host `https://…/<tenant id>/saml2`",
	matches:      isEntra,
	words:        entraWords,
	signResponse: entraSignResponse,
	statusHint:   aadstsHint,
	misplaced:    misplacedOfEntra,
	warnings:     entraWarnings,
}

// isEntra recognizes Entra by its hosts, and at the custom domain of an external tenant by its
// paths.
func isEntra(u *url.URL) bool {
	return (cloudsAt(u) != 0 || hasPath(u, entraPath)) && !isB2C(u)
}

// A clouds is a set of Microsoft's clouds, which know nothing of each other's tenants.
type clouds int

const (
	globalCloud clouds = 1 << iota
	usGovernment
	china
)

func (c clouds) String() string {
	switch {
	case c&globalCloud != 0:
		return "the global cloud"
	case c&usGovernment != 0:
		return "the cloud for the US Government"
	}
	return "the cloud in China (21Vianet)"
}

// cloudsAt returns the clouds that a host of Entra belongs to, none if it is not one. The hosts are
// those of "National clouds" (learn.microsoft.com, Entra identity platform); tenants of the US
// Government have been seen with the issuer of the global cloud.
func cloudsAt(u *url.URL) clouds {
	switch {
	case isAt(u, "sts.windows.net"):
		return globalCloud | usGovernment
	case isAt(u, "microsoftonline.us", "login-us.microsoftonline.com", "login.usgovcloudapi.net", "ciamlogin.us"):
		return usGovernment
	case isAt(u, "microsoftonline.cn", "sts.chinacloudapi.cn", "login.chinacloudapi.cn", "ciamlogin.cn"):
		return china
	case isAt(u, "microsoftonline.com", "login.windows.net", "login.microsoft.com", "ciamlogin.com"):
		return globalCloud
	}
	return 0
}

// entraPath is a path of Entra, whose first segment is a tenant: its ID, or its first domain.
var entraPath = regexp.MustCompile(`(?i)^/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-z-]+\.(onmicrosoft\.(com|us)|partner\.onmschina\.cn))` +
	`/(saml2|wsfed|federationmetadata/2007-06/federationmetadata\.xml)$`)

// entraTenant returns the tenant ID in an address, in lower case; "" if it has none. beside is
// another address of the same settings: at its host, where Entra may have a custom domain, the path
// of an entity ID counts too.
func entraTenant(u, beside *url.URL) string {
	if u == nil || !isEntra(u) && (beside == nil || !isEntra(beside) || !strings.EqualFold(u.Host, beside.Host)) {
		return ""
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if !guid.MatchString(tenant) {
		return ""
	}
	return foldASCII(tenant)
}

// isOtherEntraIssuer reports whether issuer is how Entra names a tenant in another message: its pages
// about single sign-out show https://login.microsoftonline.com/<tenant id>/ in one place and
// https://sts.windows.net/<tenant id>/ in another. The tenant ID must be that of the entity ID, and
// the cloud too, because one key signs for all tenants of a cloud.
func isOtherEntraIssuer(issuer, entityID string) bool {
	got, gotErr := url.Parse(issuer)
	want, wantErr := url.Parse(entityID)
	if gotErr != nil || wantErr != nil || got.Scheme != "https" || got.RawQuery != "" ||
		!tenantAlone.MatchString(got.Path) {
		return false
	}
	tenant := entraTenant(want, nil)
	return tenant != "" && entraTenant(got, nil) == tenant && cloudsAt(got)&cloudsAt(want) != 0
}

// What the two addresses look like, and what the portal calls the first.
const (
	entraIssuerForm     = "https://sts.windows.net/<tenant id>/"
	chinaIssuerForm     = "https://sts.chinacloudapi.cn/<tenant id>/"
	entraLoginForm      = "https://login.microsoftonline.com/<tenant id>/saml2"
	usLoginForm         = "https://login.microsoftonline.us/<tenant id>/saml2"
	chinaLoginForm      = "https://login.partner.microsoftonline.cn/<tenant id>/saml2"
	externalLoginForm   = "https://<host>/<tenant id>/saml2"
	entraIdentifierName = "Microsoft Entra Identifier"
	externalIssuerForm  = "the " + entraIdentifierName + ` of the "Set up" card`
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

// The claims that AD FS has besides (its claim descriptions: UPN, Group, Group SID, Common Name).
const (
	claimUPN         = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
	claimGroupOfADFS = "http://schemas.xmlsoap.org/claims/Group"
	claimGroupSID    = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid"
	claimCommonName  = "http://schemas.xmlsoap.org/claims/CommonName"
)

// guestMark is in the user principal name of every guest of a directory:
// "ann_example.com#EXT#@contoso.onmicrosoft.com". In lower case.
const guestMark = "#ext#"

var aadstsNumber = regexp.MustCompile(`AADSTS[0-9]{5,7}`)

// An aadsts explains error numbers of Entra that have one cause.
type aadsts struct {
	numbers       []string // without AADSTS in front
	means, change string
}

const entraSignOn = "In Entra: Enterprise application > Single sign-on > "

// aadstsTable has the numbers that a SAML application meets. docs/entra.md is made of it. Sources:
// learn.microsoft.com, "Microsoft Entra authentication and authorization error codes", and the
// support articles about single numbers.
var aadstsTable = []aadsts{
	{[]string{"50011"}, "the Reply URL is not the Redirect URL",
		entraSignOn + "Basic SAML Configuration > Reply URL must be the Redirect URL, character by character; a change takes some minutes."},
	{[]string{"700016", "650056", "70001"}, "the Identifier is not our entity ID, or the Login URL is that of another tenant",
		entraSignOn + `Basic SAML Configuration > Identifier (Entity ID) must be our entity ID, which is the Redirect URL unless another is configured; and compare the Login URL in our settings with the "Set up" card.`},
	{[]string{"90002"}, "the tenant in the Login URL does not exist",
		entraSignOn + `"Set up" card: take the Login URL from there again, in the portal of the tenant's own cloud.`},
	{[]string{"900971"}, "there is no Reply URL", entraSignOn + "Basic SAML Configuration > Reply URL: enter the Redirect URL."},
	{[]string{"50105"}, "the user is not assigned; groups inside groups do not count",
		"In Entra: Enterprise application > Users and groups: assign the user or a group that holds the user directly."},
	{[]string{"750054"}, "the Sign-on URL is Entra's own Login URL", entraSignOn + "Basic SAML Configuration > Sign-on URL must be the Redirect URL."},
	{[]string{"75005"}, "the request is no SAML request",
		"Something changed the request on its way to Entra: begin at the Redirect URL, in a browser without extensions, and look for a proxy that rewrites addresses."},
	{[]string{"75011"}, "the request asks for a sign-in method that the user did not use",
		"Ask for no authentication context: leave RequestedAuthnContexts empty."},
	{[]string{"75016"}, "the request asks for a NameID format that Entra does not have",
		"Our requests ask for no format: look in Entra's sign-in log whether another service uses the enterprise application, and give each service its own."},
	{[]string{"76021"}, "Entra demands signed requests",
		entraSignOn + `SAML Certificates > Verification certificates > Edit: switch "Require verification certificates" off; or configure Config.SigningKey and upload its certificate there.`},
	{[]string{"76026"}, "the request is too old", "Set the clock of this service by NTP, and sign in again."},
	{[]string{"501241"}, "the source of the NameID is empty",
		"In Entra: fill in the user's Email field, which the NameID is taken from."},
	{[]string{"50020", "50034"}, "the account belongs to another tenant, or does not exist",
		"In Entra: Users > New user > Invite external user: invite the account as a guest, or sign in with an account of the tenant."},
	{[]string{"50053", "50057"}, "the account is locked or switched off", "In Entra: Users > (the user): enable the account, or wait until the lock ends."},
	{[]string{"50058"}, "nobody is signed in at Entra, and the request forbids it to ask",
		"If the login was silent, begin it again without LoginOptions.IsPassive. Otherwise sign in again, in a browser that keeps the cookies of Entra."},
	{[]string{"50074", "50076", "50079"}, "the user must give a second factor, and did not",
		"Sign in again and finish the second factor; if no page asks for it, begin the login without LoginOptions.IsPassive."},
	{[]string{"50196"}, "the browser was sent to Entra again and again within a short time",
		"The service began one login after another: see its log for the reason, most often a session cookie that the browser does not keep. Then close the browser and wait five minutes."},
	{[]string{"50003", "50146"}, "the application has no signing certificate",
		entraSignOn + "SAML Certificates > Edit: create a certificate, make it active, and give us the metadata."},
	{[]string{"53000", "53001", "53002", "53003"}, "Conditional Access blocks the sign-in",
		"In Entra: Conditional Access > Sign-in logs: see which policy blocked the sign-in, and change it or meet it."},
	{[]string{"65001", "90094"}, "an administrator has not consented to the application",
		"In Entra: Enterprise application > Permissions: grant admin consent."},
	{[]string{"7000112"}, "the application is switched off", "In Entra: Enterprise application > Properties > Enabled for users to sign in: Yes."},
	{[]string{"90038", "900439"}, "the tenant is in another of Microsoft's clouds than the Login URL",
		entraSignOn + `"Set up" card: take the Login URL and the Microsoft Entra Identifier from there, in the portal of the tenant's own cloud.`},
}

var aadstsHints = func() map[string]string {
	hints := map[string]string{}
	for _, row := range aadstsTable {
		for _, number := range row.numbers {
			hints["AADSTS"+number] = row.change
		}
	}
	return hints
}()

// aadstsHint says what to do about an error number of Entra in a status message, "" if we know
// nothing.
func aadstsHint(message string, ours asked) string {
	number := aadstsNumber.FindString(message)
	switch {
	case number == "AADSTS75011" && !ours.method:
		return "Our request asked for no method of sign-in: look in Entra's sign-in log whether another service uses the enterprise application, and give each service its own."
	case number == "AADSTS76021" && ours.signed:
		return entraSignOn + "SAML Certificates > Verification certificates > Edit: our requests are signed, so upload the certificate of Config.SigningKey there, as our metadata has it."
	}
	return aadstsHints[number]
}

// aadstsAtMetadata says what to do about an error number that Entra answers at the address of
// metadata, where it is about that address alone.
var aadstsAtMetadata = map[string]string{
	"AADSTS90002": entraSignOn + "SAML Certificates > App Federation Metadata Url: copy the address again, because the tenant in it does not exist; or download the Federation Metadata XML and give that.",
	"AADSTS700016": entraSignOn + "SAML Certificates > App Federation Metadata Url: copy the address again, because the application in it (appid) does not exist in that tenant; " +
		"or download the Federation Metadata XML and give that.",
}

// hintOverage is for responses with a link in place of the groups, which only Entra sends.
const hintOverage = entraSignOn + `Attributes & Claims > the group claim: send "Groups assigned to the application" only, or filter the groups. ` +
	"Until then the service must not conclude that such a user is not in a group."

// misplacedOfEntra recognizes values of the Entra portal that were pasted into the wrong field: at
// most one fault for each field.
func misplacedOfEntra(entityID, loginURL string) (faults []*Error) {
	entity, _ := url.Parse(entityID)
	login, _ := url.Parse(loginURL)
	entityAtEntra, loginAtEntra := entity != nil && isEntra(entity), login != nil && isEntra(login)
	why, place := "", entity
	switch {
	case isMetadataAddress(entityID):
		why = "the entity ID is the address of the metadata"
	case entityAtEntra && endsIn(entity, "/saml2"):
		why = "the entity ID is the Login URL"
	case entityAtEntra && endsIn(entity, "/wsfed"):
		why = "the entity ID is the address for WS-Federation"
	case loginAtEntra && guid.MatchString(entityID):
		why, place = "the entity ID is an ID alone, as of a tenant or an application", login
	}
	if why != "" {
		faults = append(faults, refuse(CodeMetadataEntityID, why, withoutUserInfo(entityID),
			issuerFormAt(place)).inField(FieldEntityID))
	}
	why = ""
	switch {
	case isMetadataAddress(loginURL):
		why = "the login URL is the address of the metadata"
	case loginAtEntra && endsIn(login, "/wsfed"):
		why = "the login URL is that of WS-Federation, not of SAML"
	case loginAtEntra && (strings.HasPrefix(foldASCII(login.Host), "sts.") || tenantAlone.MatchString(login.Path)):
		why = "the login URL is the " + entraIdentifierName
	}
	if why != "" {
		faults = append(faults, refuse(CodeMetadataLoginURL, why, withoutUserInfo(loginURL),
			loginFormAt(login)).inField(FieldLoginURL))
	}
	return faults
}

// endsIn reports whether a path ends in this, in any case, with or without a slash behind it.
func endsIn(u *url.URL, end string) bool {
	return strings.HasSuffix(strings.TrimSuffix(foldASCII(u.Path), "/"), end)
}

func isMetadataAddress(s string) bool {
	return strings.Contains(strings.ToLower(s), "/federationmetadata/")
}

// issuerFormAt is how an entity ID looks where an address is: in a cloud of Entra, at an external
// tenant, which has hosts of its own, or at AD FS, which has its metadata under nearly the same path.
func issuerFormAt(u *url.URL) string {
	switch {
	case u != nil && !isEntra(u) && isADFS(u):
		return adfsIssuerForm
	case isExternal(u):
		return externalIssuerForm
	case u != nil && cloudsAt(u) == china:
		return chinaIssuerForm
	}
	return entraIssuerForm
}

// loginFormAt is how a login URL looks there.
func loginFormAt(u *url.URL) string {
	switch {
	case u != nil && !isEntra(u) && isADFS(u):
		return adfsLoginForm
	case isExternal(u):
		return externalLoginForm
	case u != nil && cloudsAt(u) == china:
		return chinaLoginForm
	case u != nil && cloudsAt(u) == usGovernment:
		return usLoginForm
	}
	return entraLoginForm
}

// isExternal reports whether an address is one of an external tenant (Microsoft Entra External ID).
func isExternal(u *url.URL) bool {
	return u != nil && isEntra(u) && (cloudsAt(u) == 0 || isAt(u, "ciamlogin.com", "ciamlogin.us", "ciamlogin.cn"))
}

var (
	guid        = regexp.MustCompile(`^\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?$`)
	tenantAlone = regexp.MustCompile(`^/[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}/?$`)
)

// entraIssuerHint returns what to do if an issuer is another one than the entity ID in the settings
// because of the option that puts the application's ID behind it, "" if that is not the reason. The
// shape is that of Entra alone.
func entraIssuerHint(got, want string) string {
	base, application := cutApplication(got)
	ours, expected := cutApplication(want)
	if base == "" || base != ours || application == expected {
		return ""
	}
	const option = entraSignOn + `Attributes & Claims > Advanced settings > Advanced SAML claims options > "Append application ID to issuer"`
	switch {
	case expected == "":
		return option + " is on: switch it off. Or, if the application ID in the Issuer is the right one, enter the whole Issuer as Entity ID."
	case application == "":
		return option + " is off, and our Entity ID has an application ID: enter the Microsoft Entra Identifier without it."
	}
	return "The response is from another enterprise application of the same tenant: " + option +
		" is on, and the application ID in our Entity ID must be that of this application."
}

// cutApplication cuts the ID of an application from an issuer: https://<host>/<tenant id>/ and the
// ID. base is "" if the issuer has another form.
func cutApplication(issuer string) (base, application string) {
	m := issuerForm.FindStringSubmatch(issuer)
	if m == nil {
		return "", ""
	}
	return m[1], m[2]
}

var issuerForm = regexp.MustCompile(`^(https://[^/]+/[0-9A-Fa-f-]{36}/)(?:([0-9A-Fa-f-]{36})/?)?$`)

// entraWarnings finds what looks wrong about settings of Entra.
func entraWarnings(p *IdentityProvider) (list []Warning) {
	add := func(code, message, hint string) { list = append(list, Warning{code, message, hint}) }
	if tenantWide(p.keys) {
		add("tenant_wide_keys", "the certificates are those of the whole Microsoft cloud, not of your application, so responses will probably not verify",
			"Entra signs with the application's own certificate: in the enterprise application, Single sign-on > SAML Certificates, download the Federation Metadata XML.")
	}
	entity, _ := url.Parse(p.entityID)
	login, _ := url.Parse(p.LoginURL())
	if entity == nil || login == nil {
		return list
	}
	ours, theirs := entraTenant(entity, login), entraTenant(login, nil)
	if ours != "" && !strings.HasSuffix(p.entityID, "/") && tenantAlone.MatchString(entity.Path) {
		add("entity_id_slash", "the entity ID "+quote(p.entityID)+" has no slash at its end, as Microsoft Entra's has",
			`In Entra: Enterprise application > Single sign-on > "Set up" card > Microsoft Entra Identifier: copy all of it, the slash too.`)
	}
	if cloudsAt(login) != 0 && commonTenant.MatchString(login.Path) {
		add("login_url_common", "the login URL "+quote(p.LoginURL())+" is not that of one tenant",
			`In Entra: Enterprise application > Single sign-on > "Set up" card > Login URL.`)
	}
	if ours != "" && theirs != "" && ours != theirs {
		add("tenant_mismatch", "the entity ID is of the tenant "+ours+" and the login URL of the tenant "+theirs,
			`In Entra: Enterprise application > Single sign-on > "Set up" card: take both from there.`)
	}
	if named, at := cloudsAt(entity), cloudsAt(login); named != 0 && at != 0 && named&at == 0 {
		add("cloud_mismatch", "the entity ID is of "+named.String()+" and the login URL of "+at.String(),
			`In Entra: Enterprise application > Single sign-on > "Set up" card: take both from there, in the portal of the tenant's own cloud.`)
	}
	return list
}

var commonTenant = regexp.MustCompile(`^/(common|organizations|consumers)/`)

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
