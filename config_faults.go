package saml

import (
	"crypto/rsa"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/iomete/saml/internal/address"
)

// faults collects what is wrong with a configuration.
type faults struct {
	of   string // name of the struct
	list []error
}

func (f *faults) add(field, message, got, want string) {
	f.list = append(f.list, refuse(CodeConfig, f.of+"."+field+" "+message, got, want).hintOfField(field))
}

// configHints say for each field of a configuration what to set it to, and where to take that from.
var configHints = map[string]string{
	"BaseURL":                    "Set Config.BaseURL to the address that people type: https, the host and perhaps a port, and nothing behind it. The path of the Redirect URL (ACS URL) belongs into Config.RedirectPath.",
	"RedirectPath":               "Set Config.RedirectPath to the path at which the Handler is mounted, such as \"/saml/acs\", or leave it empty for DefaultRedirectPath.",
	"LogoutPath":                 "Set Config.LogoutPath to the path at which the Handler is mounted for logout, together with Config.SigningKey and Config.SigningCertificate; or leave it empty.",
	"LogoutAnswer":               "Use one of the constants, or leave the field empty for what suits the identity provider.",
	"LogoutFrameAncestors":       "List the origins of the pages that show the identity provider's page in a frame, such as https://portal.example.com, or leave the list empty.",
	"EntityID":                   "Use the name by which the identity provider knows this service, copied from its settings; for Config, empty means the Redirect URL.",
	"FormerRedirectURLs":         "List whole Redirect URLs of the past, such as https://old.example.com/saml/acs, or leave the list empty.",
	"FormerEntityIDs":            "List entity IDs of the past as the identity provider had them, or leave the list empty.",
	"RedirectURLs":               "List the Redirect URL (ACS URL) that is registered at the identity provider, the current one first.",
	"IdentityProvider":           "Read the identity provider's metadata with ParseMetadata, or the three values of its settings page with ParseSettings, and check the error that they return.",
	"Claims":                     "Write each Name into Config.Claims as the response has it, once and without white space around it, or leave the list empty for the usual names.",
	"StateKeys":                  "Make a key once (NewStateKey, or: openssl rand -base64 32), keep it as a secret, give all replicas the same, and read it with ParseStateKeys.",
	"Store":                      "Look why the variable that you pass as Config.Store was never set; a service with one process may leave the field empty.",
	"NameID":                     "Use one of the constants, or leave the field empty for EmailNameID.",
	"Unsolicited":                "Use one of the constants, or leave the field empty for RefuseUnsolicited.",
	"AllowUnsolicitedRelayState": "Set Config.Unsolicited to AllowUnsolicited, or leave Config.AllowUnsolicitedRelayState false; RestartUnsolicited takes RelayState without it.",
	"ClockSkew":                  "Leave ClockSkew empty for three minutes, and set the clocks of all servers by NTP.",
	"OnlyAlgorithms":             "List URIs of algorithms in OnlyAlgorithms such as http://www.w3.org/2001/04/xmldsig-more#rsa-sha256 and http://www.w3.org/2001/04/xmlenc#sha256, or leave the list empty.",
	"RequestedAuthnContexts":     "List URIs such as urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport, or leave the list empty to take every method.",
	"SigningKey":                 "Load an RSA or ECDSA private key with its certificate, or leave Config.SigningKey and Config.SigningCertificate empty: requests are then unsigned, which most identity providers accept.",
	"SigningCertificate":         "Set Config.SigningCertificate to the DER bytes (the decoded PEM block) of the certificate that belongs to Config.SigningKey.",
	"SigningAlgorithm":           "Leave Config.SigningAlgorithm empty unless the identity provider demands another one.",
	"FurtherSigningCertificates": "List the DER bytes (the decoded PEM blocks) of certificates of your other signing keys, or leave the list empty.",
	"DecryptionKeys":             "Give each entry an RSA private key and, as DER bytes, its own certificate; drop keys that the identity provider has no certificate of any more.",
	"KeyTimeout":                 "Leave KeyTimeout empty for 5 seconds; it is a time.Duration such as 2 * time.Second.",
	"KeyCalls":                   "Leave KeyCalls empty for 64, or set it to how many calls the HSM or KMS takes at once.",
	"Resolve":                    "Set HandlerConfig.Provider if there is one ServiceProvider, or HandlerConfig.Resolve if the request or the tenant decides.",
	"Sessions":                   "Make a session.Manager with session.New and check its error, or implement Sessions for the sessions that your application has.",
	"ByIssuer":                   "Leave HandlerConfig.ByIssuer empty if there is one provider: it finds the tenant where an address names none.",
	"ChooseTenant":               "Leave HandlerConfig.ChooseTenant empty if there is one provider; with Resolve, set it to Domains.Tenant or to a function that looks in the database.",
	"ChoosePath":                 "Set HandlerConfig.ChoosePath to a path at which the Handler is registered, such as \"/sign-in\", together with ChooseTenant; or leave both empty.",
	"Domain":                     "Write the domain as it is in the e-mail addresses, behind the @ (example.com), and let one tenant have it: the one that has shown a TXT record in it.",
	"Tenant":                     "Set DomainClaim.Tenant to the Config.Tenant of the provider at which people with the domain sign in.",
	"Home":                       "Set HandlerConfig.Home to the path of a page of this host, such as \"/\" or \"/console/\".",
	"BodyMemory":                 "Leave HandlerConfig.BodyMemory empty for 32 MiB; it is a number of bytes, such as 64 << 20.",
	"ReturnTo":                   "Set LoginOptions.ReturnTo to a path of this host, and check what a request brought with IsLocalPath.",
	"Purpose":                    "Set LoginOptions.Purpose, and handle logins with that Purpose without beginning a session; or leave Config.Trial false.",
	"Sign":                       "Set Config.SigningKey and Config.SigningCertificate, or leave MetadataOptions.Sign false.",
	"LogoutSOAP":                 "Set Config.LogoutPath and leave MetadataOptions.OmitLogout false, or leave MetadataOptions.LogoutSOAP false.",
	"ValidFor":                   "Write MetadataOptions.ValidFor as a time.Duration such as 24 * time.Hour; a plain number counts nanoseconds.",
	"Displays":                   hintTexts,
	"Logos":                      "Give each logo the https address of an image, and its width and height in pixels.",
	"Organization":               hintTexts,
	"Address":                    "Set MetadataSourceConfig.Address to the address at which the identity provider publishes its metadata: https://host/path.",
	"MDQ":                        "Set MetadataSourceConfig.EntityID to the entity ID of the identity provider, or leave MDQ false and give the address of its metadata.",
	"SignedBy":                   "Read the certificate that the publisher of the metadata signs with by ParseKeys, or leave SignedBy nil for metadata that is not signed.",
	"Interval":                   "Leave Interval empty for one hour; it is a time.Duration such as 30 * time.Minute.",
	"MinInterval":                "Leave MinInterval empty for 5 minutes; it is a time.Duration.",
	"MaxStale":                   "Leave MaxStale empty for 7 days; it is a time.Duration.",
	"MaxValidity":                "Leave MaxValidity 0 unless a federation sets a limit, such as 14 * 24 * time.Hour.",
	"Persist":                    "Set Persist to MetadataDir(\"/var/lib/yourservice/metadata\"), or leave it empty.",
	"Contacts":                   "Give each contact one of the types and a plain e-mail address.",
}

const hintTexts = "Write one entry for each language, with its tag (\"en\") and a text of one line; addresses are https pages that people can open."

// hintOfField returns e as the fault of one field, with the standing advice for it.
func (e *Error) hintOfField(field string) *Error { return e.inField(field).advised(configHints[field]) }

// path is for the path of an address of our own.
func (f *faults) path(field, path, want string) {
	if !localPath(path) || len(path) > maxRedirectPath || strings.ContainsAny(path, "?#") {
		f.add(field, "is not a path", path, want)
	} else if hidden := address.Hidden(path); hidden != "" {
		f.add(field, "has a character that cannot be seen, "+hidden, path, "the path without it")
	}
}

// urls is for addresses of our own assertion consumer service.
func (f *faults) urls(field string, list []string, allowHTTP bool) {
	for _, s := range list {
		if why := badBaseURL(s, allowHTTP); why != "" {
			f.add(field, why, s, "https://host[:port]/path")
		}
	}
}

// origins is for those of pages of others.
func (f *faults) origins(field string, list []string, allowHTTP bool) {
	for _, s := range list {
		why := badBaseURL(s, allowHTTP)
		if why == "" && frameOrigin(s) != foldASCII(strings.TrimSuffix(s, "/")) {
			why = "has a path or query, or a host with other characters than letters, digits, - and ."
		}
		if why != "" {
			f.add(field, why, s, "https://host[:port]")
		}
	}
}

func (f *faults) entityIDs(current string, former []string) {
	if why, want := badEntityID(current); why != "" {
		f.add("EntityID", why, current, want)
	}
	for _, s := range former {
		if s == "" {
			f.add("FormerEntityIDs", "has an empty name", "", "a URL or another printable name")
		} else if why, want := badEntityID(s); why != "" {
			f.add("FormerEntityIDs", why, s, want)
		}
	}
}

func (f *faults) policies(nameID NameIDPolicy, skew time.Duration, contexts []string) {
	if nameID != EmailNameID && nameID != AllowAnyNameID {
		f.add("NameID", "is unknown", "", "EmailNameID or AllowAnyNameID")
	}
	if skew > maxClockSkew {
		f.add("ClockSkew", "is too long", skew.String(), "at most "+maxClockSkew.String())
	}
	for _, class := range contexts {
		if class == "" || !printable(class) {
			f.add("RequestedAuthnContexts", "has a value that is no URI", class, "authentication context class URIs")
		}
	}
}

func (f *faults) decryptionKeys(keys []DecryptionKey) {
	if len(keys) > maxDecryptionKeys {
		f.add("DecryptionKeys", "has too many keys", strconv.Itoa(len(keys)),
			"at most "+strconv.Itoa(maxDecryptionKeys))
	}
	bits := 0
	for _, k := range keys {
		if why, want := k.fault(); why != "" {
			f.add("DecryptionKeys", why, "", want)
		} else {
			bits += k.Key.Public().(*rsa.PublicKey).N.BitLen()
		}
	}
	if bits > maxDecryptionBits {
		f.add("DecryptionKeys", "has keys that are too long together", strconv.Itoa(bits)+" bits",
			"at most 8192 bits: four keys of 2048 or two of 4096; remove the oldest")
	}
}

// fault says what is wrong with a key, "" if nothing is.
func (k DecryptionKey) fault() (why, want string) {
	if isNil(k.Key) {
		return "has an entry without Key", "an RSA private key of 2048 to 4096 bits"
	}
	public, ok := k.Key.Public().(*rsa.PublicKey)
	if !ok || public == nil || public.N == nil || public.N.BitLen() < minRSABits ||
		public.N.BitLen() > maxDecryptionKeyBits {
		return "has a key that is not RSA of 2048 to 4096 bits", "an RSA private key of 2048 to 4096 bits"
	}
	if k.Certificate == nil {
		return "", ""
	}
	if c, err := parseCertificate(k.Certificate); err != nil || !public.Equal(c.public) {
		return "has a Certificate that is not that of its Key", "one certificate, DER, with the public key of Key, or nil"
	}
	return "", ""
}

// badEntityID says what is wrong with a name of ours, "" if nothing is.
func badEntityID(s string) (why, want string) {
	switch {
	case len(s) > maxEntityID:
		return "is too long", "at most 1024 bytes"
	case !visible(s):
		return "has a character that cannot be seen, " + address.Hidden(s), "a URL or another name, without it"
	case trimSpace(s) != s: // around an Audience it is left out
		return "has white space around it", quote(trimSpace(s))
	}
	return "", ""
}

// badBaseURL says what is wrong with an address of ours, "" if nothing is.
func badBaseURL(s string, allowHTTP bool) string {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return "is missing"
	case !visible(s):
		return "has a character that cannot be seen, " + address.Hidden(s)
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "is not an absolute URL"
	case !address.PortExists(u):
		return "has a port that does not exist"
	case strings.HasSuffix(u.Host, ":"): // browsers leave the colon out, and addresses are compared byte for byte
		return "has a colon without a port"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && (isLoopback(u.Hostname()) || allowHTTP):
		return ""
	case u.Scheme == "http":
		return "is http, where anyone on the path can take over sessions"
	}
	return "is not an https URL"
}
