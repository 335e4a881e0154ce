package saml

import (
	"crypto"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A logoutRow is a refused message and its accepted twin: the sample after the changes of twin. What
// spoil does to the twin is the one thing in which they differ.
type logoutRow struct {
	name  string
	twin  func(*sampleLogout)
	spoil func(*sampleLogout)
	code  Code
	check string
}

// The changes that rows are made of.
func asIs(*sampleLogout) {}

func changes(changes ...func(*sampleLogout)) func(*sampleLogout) {
	return func(s *sampleLogout) {
		for _, change := range changes {
			change(s)
		}
	}
}

func asResponse(s *sampleLogout) { s.asResponse() }
func asPost(s *sampleLogout)     { s.asPost() }
func asSOAP(s *sampleLogout)     { s.asSOAP() }

// unsigned is a message without a signature, which the settings allow.
func asAllowedUnsigned(s *sampleLogout) { s.asUnsigned(); s.unsigned = true }

func refusingEnded(s *sampleLogout) {
	s.config = func(_ testing.TB, c *Config) { c.RefuseExpiredCertificates = true }
}

func withRelayState(value string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.relayState = &value }
}

func sentAs(change func(string) string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.sent = change }
}

func adding(text string) func(*sampleLogout) {
	return sentAs(func(query string) string { return query + text })
}

func replacing(old, new string) func(*sampleLogout) {
	return sentAs(func(query string) string { return strings.Replace(query, old, new, 1) })
}

func writing(old, new string) func(*sampleLogout) {
	return func(s *sampleLogout) {
		s.edit = func(xml string) string { return strings.Replace(xml, old, new, 1) }
	}
}

func changedInside(old, new string) func(*sampleLogout) {
	return func(s *sampleLogout) {
		s.signed = func(xml string) string { return strings.Replace(xml, old, new, 1) }
	}
}

// asSignIn makes an answer to a sign-in of it.
func asSignIn(s *sampleLogout) {
	s.edit = func(xml string) string { return strings.ReplaceAll(xml, "samlp:LogoutResponse", "samlp:Response") }
}

func withAttribute(name, value string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.attributes[name] = value }
}

func withIssuer(element string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.issuer = element }
}

func withSubject(elements string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.subject = elements }
}

func withAlgorithm(uri string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.algorithm = uri }
}

// ecdsaOf signs with the key of a curve, which is trusted.
func ecdsaOf(name string, algorithm SigningAlgorithm) func(*sampleLogout) {
	return func(s *sampleLogout) {
		s.signer, s.keys, s.algorithm = name, []string{name}, string(algorithm)
	}
}

// decrypting has the key that encryptedSubject encrypts for.
func decrypting(s *sampleLogout) {
	s.config = func(t testing.TB, c *Config) {
		c.DecryptionKeys = []DecryptionKey{{Key: vectorKey(t, "test-sp-a.key.pem").(crypto.Decrypter)}}
	}
}

// ofEntraTenant is the logout of a tenant of Entra.
func ofEntraTenant(s *sampleLogout) {
	s.idp = "https://sts.windows.net/" + testTenantID + "/"
	s.issuer = "<saml:Issuer>" + s.idp + "</saml:Issuer>"
}

func entraName(host, tenant string) func(*sampleLogout) {
	return withIssuer("<saml:Issuer>https://" + host + "/" + tenant + "/</saml:Issuer>")
}

func escapeLower(s string) string {
	text := []byte(url.QueryEscape(s))
	for i := range text {
		if text[i] == '%' {
			copy(text[i+1:i+3], strings.ToLower(string(text[i+1:i+3])))
		}
	}
	return string(text)
}

func withoutParameter(name string) func(*sampleLogout) {
	return sentAs(func(query string) string {
		var kept []string
		for part := range strings.SplitSeq(query, "&") {
			if !strings.HasPrefix(part, name+"=") {
				kept = append(kept, part)
			}
		}
		return strings.Join(kept, "&")
	})
}

// packedAs compresses in another way.
func packedAs(pack func([]byte) []byte) func(*sampleLogout) {
	return func(s *sampleLogout) { s.pack = pack }
}

const (
	soap12  = "http://www.w3.org/2003/05/soap-envelope"
	soap11  = "http://schemas.xmlsoap.org/soap/envelope/"
	otherID = "b7d0a1de-90f2-4f0c-8f39-2b1f6c6ad2e4"
)

func withEnvelope(old, new string) func(*sampleLogout) {
	return func(s *sampleLogout) {
		s.envelope = func(message string) string { return strings.Replace(soapEnvelope(message), old, new, 1) }
	}
}

// messageRows are about the message itself, however it came.
var messageRows = []logoutRow{
	{"an answer in SAMLRequest", asResponse, replacing("SAMLResponse", "SAMLRequest"), CodeLogoutMessage, stepMessage},
	{"a request in SAMLResponse", asIs, replacing("SAMLRequest", "SAMLResponse"), CodeLogoutMessage, stepMessage},
	{"a sign-in for a logout", asResponse, asSignIn, CodeLogoutMessage, stepMessage},
	{"a LogoutRequest of another namespace", asIs, writing(`xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"`,
		`xmlns:samlp="urn:other"`),
		CodeLogoutMessage, stepMessage},
	{"the XML has a DOCTYPE", asIs, func(s *sampleLogout) {
		s.edit = func(xml string) string {
			return "<!DOCTYPE x>" +
				xml
		}
	},
		CodeDoctype, stepMessage},
	{"the NameID has a comment", asIs, writing("ann@example.com", "ann@example.com<!-- -->.evil.com"), CodeComment,
		stepMessage},
	{"it is of SAML 1.1", asIs, withAttribute("Version", "1.1"), CodeVersion, stepMessage},
	{"it has no Version", asIs, withAttribute("Version", ""), CodeVersion, stepMessage},
	{"it has no ID", asIs, withAttribute("ID", ""), CodeID, stepMessage},
	{"an ID is there twice", asIs, func(s *sampleLogout) {
		s.extensions = `<samlp:Extensions><x:a xmlns:x="urn:x" ID="_m"/></samlp:Extensions>`
	}, CodeDuplicateID, stepMessage},
	{"it names nobody", asIs, withSubject("<samlp:SessionIndex>_index</samlp:SessionIndex>"), CodeSchema, stepMessage},
	{"it names two users", asIs, withSubject(emailNameID + emailNameID), CodeSchema, stepMessage},
	{"SessionIndex comes first", asIs, withSubject("<samlp:SessionIndex>_index</samlp:SessionIndex>" + emailNameID),
		CodeSchema, stepMessage},
	{"SessionIndex is in the other namespace", asIs, withSubject(emailNameID +
		"<saml:SessionIndex>_index</saml:SessionIndex>"), CodeSchema, stepMessage},
	{"SessionIndex has an element", asIs, withSubject(emailNameID +
		"<samlp:SessionIndex>_in<saml:x/>dex</samlp:SessionIndex>"), CodeSchema, stepMessage},
	{"an answer has no status", asResponse, func(s *sampleLogout) { s.status = "" }, CodeSchema, stepMessage},
	{"an answer has a NameID", asResponse, func(s *sampleLogout) { s.status += emailNameID }, CodeSchema, stepMessage},
}

// checkRows are about the checks of what was signed.
var checkRows = []logoutRow{
	{"the certificate has ended", func(s *sampleLogout) { s.keys = []string{"test-idp-a-expired"} },
		refusingEnded, CodeCertificateExpired, "logout certificate dates"},
	{"the certificate of an answer has ended", changes(asResponse,
		func(s *sampleLogout) { s.keys = []string{"test-idp-a-expired"} }),
		refusingEnded, CodeCertificateExpired, "logout certificate dates"},
	{"another issuer", asIs, withIssuer("<saml:Issuer>https://other.example.com</saml:Issuer>"), CodeResponseIssuer,
		"logout request issuer"},
	{"an issuer in other case", asIs, withIssuer("<saml:Issuer>https://IDP.example.com/saml</saml:Issuer>"),
		CodeResponseIssuer, "logout request issuer"},
	{"no issuer", asIs, withIssuer(""), CodeResponseIssuer, "logout request issuer"},
	{"an empty issuer", asIs, withIssuer("<saml:Issuer/>"), CodeResponseIssuer, "logout request issuer"},
	{"an issuer of another Format", withIssuer(`<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">` +
		logoutIssuer + `</saml:Issuer>`),
		withIssuer(`<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">` + logoutIssuer +
			`</saml:Issuer>`),
		CodeResponseIssuer, "logout request issuer"},
	{"Entra's other name on a request", ofEntraTenant, entraName("login.microsoftonline.com", testTenantID),
		CodeResponseIssuer, "logout request issuer"},
	{"another issuer of an answer", asResponse, withIssuer("<saml:Issuer>https://other.example.com</saml:Issuer>"),
		CodeResponseIssuer, "logout response issuer"},
	{"no issuer of an answer", asResponse, withIssuer(""), CodeResponseIssuer, "logout response issuer"},
	{"another tenant of Entra by its other name", changes(ofEntraTenant, asResponse, entraName("login.microsoftonline.com",
		testTenantID)),
		entraName("login.microsoftonline.com", otherID), CodeResponseIssuer, "logout response issuer"},
	{"another tenant of Entra", changes(ofEntraTenant, asResponse), entraName("sts.windows.net", otherID),
		CodeResponseIssuer, "logout response issuer"},
	{"the same tenant ID in another cloud", changes(ofEntraTenant, asResponse),
		entraName("login.partner.microsoftonline.cn", testTenantID),
		CodeResponseIssuer, "logout response issuer"},
	{"the same tenant ID at a host that is not Entra's", changes(ofEntraTenant, asResponse), entraName("login.example.com",
		testTenantID),
		CodeResponseIssuer, "logout response issuer"},
	{"no Destination", asIs, withAttribute("Destination", ""), CodeLogoutDestination, "logout destination"},
	{"a slash behind the Destination", asIs, withAttribute("Destination", logoutURL+"/"), CodeLogoutDestination,
		"logout destination"},
	{"a query behind the Destination", asIs, withAttribute("Destination", logoutURL+"?sls"), CodeLogoutDestination,
		"logout destination"},
	{"the Destination is in other case", asIs, withAttribute("Destination", strings.Replace(logoutURL, "console",
		"Console", 1)),
		CodeLogoutDestination, "logout destination"},
	{"it came to the other address of ours", asIs, func(s *sampleLogout) {
		s.address = "https://console.example.com" +
			DefaultRedirectPath
	},
		CodeLogoutDestination, "logout destination"},
	{"no Destination in a form", asPost, withAttribute("Destination", ""), CodeLogoutDestination, "logout destination"},
	{"no Destination of an answer", asResponse, withAttribute("Destination", ""), CodeLogoutDestination,
		"logout destination"},
	{"another Destination by SOAP", changes(asSOAP, withAttribute("Destination", "")), withAttribute("Destination",
		"https://other.example.com"),
		CodeLogoutDestination, "logout destination"},
	{"an unsigned message for another service", asAllowedUnsigned, withAttribute("Destination", "https://other.example.com"),
		CodeLogoutDestination, "logout destination"},
	{"an answer to another request", asResponse, withAttribute("InResponseTo", "_other"), CodeLogoutUnexpected,
		"logout in response to"},
	{"an answer to no request", asResponse, withAttribute("InResponseTo", ""), CodeLogoutUnexpected, "logout in response to"},
	{"an answer that nobody asked for", asResponse, func(s *sampleLogout) { s.requestID = "" }, CodeLogoutUnexpected,
		"logout in response to"},
	{"an answer to no request that nobody asked for", asResponse,
		changes(withAttribute("InResponseTo", ""), func(s *sampleLogout) { s.requestID = "" }), CodeLogoutUnexpected,
		"logout in response to"},
}

// feasibleRows are authentic requests that are not carried out.
var feasibleRows = []logoutRow{
	{"no IssueInstant", asIs, withAttribute("IssueInstant", ""), CodeIssueInstant, "logout times"},
	{"an IssueInstant without a time zone", asIs, withAttribute("IssueInstant", "2026-03-10T09:29:50"), CodeTime,
		"logout times"},
	{"a NotOnOrAfter without a time zone", asIs, withAttribute("NotOnOrAfter", "2026-03-10T09:35:00"), CodeTime,
		"logout times"},
	{"issued 3 minutes and a second from now", withAttribute("IssueInstant", "2026-03-10T09:33:00Z"),
		withAttribute("IssueInstant", "2026-03-10T09:33:01Z"), CodeIssueInstant, "logout times"},
	{"NotOnOrAfter 3 minutes ago", withAttribute("NotOnOrAfter", "2026-03-10T09:27:01Z"), withAttribute("NotOnOrAfter",
		"2026-03-10T09:27:00Z"),
		CodeLogoutTime, "logout not on or after"},
	{"NotOnOrAfter 3 minutes ago by SOAP", changes(asSOAP, withAttribute("NotOnOrAfter", "2026-03-10T09:27:01Z")),
		withAttribute("NotOnOrAfter", "2026-03-10T09:27:00Z"), CodeLogoutTime, "logout not on or after"},
	{"8 minutes old without NotOnOrAfter", changes(withAttribute("NotOnOrAfter", ""), withAttribute("IssueInstant",
		"2026-03-10T09:22:01Z")),
		withAttribute("IssueInstant", "2026-03-10T09:22:00Z"), CodeLogoutTime, "logout age"},
	{"8 minutes old without NotOnOrAfter in a form", changes(asPost, withAttribute("NotOnOrAfter", ""),
		withAttribute("IssueInstant", "2026-03-10T09:22:01Z")),
		withAttribute("IssueInstant", "2026-03-10T09:22:00Z"), CodeLogoutTime, "logout age"},
	{"a day old with a NotOnOrAfter of next year", changes(withAttribute("NotOnOrAfter", "2027-03-10T09:30:00Z"),
		withAttribute("IssueInstant", "2026-03-09T09:27:01Z")),
		withAttribute("IssueInstant", "2026-03-09T09:27:00Z"), CodeLogoutTime, "logout age"},
	{"a day old with a NotOnOrAfter of next year by SOAP", changes(asSOAP,
		withAttribute("NotOnOrAfter", "2027-03-10T09:30:00Z"), withAttribute("IssueInstant", "2026-03-09T09:27:01Z")),
		withAttribute("IssueInstant", "2026-03-09T09:27:00Z"), CodeLogoutTime, "logout age"},
	{"an empty NameID", asIs, withSubject("<saml:NameID/>"), CodeNameID, "logout name id"},
	{"a NameID with a control character", asIs, withSubject("<saml:NameID>ann\u0085</saml:NameID>"), CodeNameID,
		"logout name id"},
	{"a BaseID", asIs, withSubject("<saml:BaseID/>"), CodeNameID, "logout name id"},
	{"an EncryptedID and no key", func(s *sampleLogout) { decrypting(s); s.encrypted = "test-sp-a" },
		func(s *sampleLogout) { s.config = nil },
		CodeNameID, "logout name id"},
	{"an EncryptedID for another key", func(s *sampleLogout) { decrypting(s); s.encrypted = "test-sp-a" },
		func(s *sampleLogout) { s.encrypted = "test-sp-b" }, CodeDecryption, "logout name id"},
	{"an EncryptedID that holds something else", func(s *sampleLogout) { decrypting(s); s.encrypted = "test-sp-a" },
		func(s *sampleLogout) { s.plaintext = "<saml:BaseID" + logoutNamespaces + "/>" }, CodeDecryption,
		"logout name id"},
	{"an unsigned message of yesterday", asAllowedUnsigned, withAttribute("NotOnOrAfter", "2026-03-09T09:30:00Z"), CodeLogoutTime,
		"logout not on or after"},
	{"an EncryptedID in an unsigned message", changes(asAllowedUnsigned, decrypting),
		func(s *sampleLogout) { s.encrypted = "test-sp-a" },
		CodeNameID, "logout name id"},
	{"65 SessionIndexes", withSubject(emailNameID + strings.Repeat("<samlp:SessionIndex>i</samlp:SessionIndex>", 64)),
		withSubject(emailNameID + strings.Repeat("<samlp:SessionIndex>i</samlp:SessionIndex>", 65)), CodeLogoutSessions,
		"logout session indexes"},
	{"an empty SessionIndex", withSubject(emailNameID + "<samlp:SessionIndex>i</samlp:SessionIndex>"),
		withSubject(emailNameID + "<samlp:SessionIndex>i</samlp:SessionIndex><samlp:SessionIndex> </samlp:SessionIndex>"),
		CodeLogoutSessions, "logout session indexes"},
	{"no SessionIndex where one is required", func(s *sampleLogout) {
		s.config = func(_ testing.TB, c *Config) { c.RequireLogoutSessionIndex = true }
	}, withSubject(emailNameID), CodeLogoutSessions, "logout session index"},
	{"no SessionIndex in an unsigned message", asAllowedUnsigned, withSubject(emailNameID), CodeLogoutSessions,
		"logout session index"},
}

// logoutRows are all rows, by the name of their group.
var logoutRows = map[string][]logoutRow{"query": queryRows, "signature": signatureRows, "form": formRows,
	"SOAP":    soapRows,
	"message": messageRows, "check": checkRows, "feasible": feasibleRows}

// positives are accepted messages that are nobody's twin: what products send.
var positiveLogouts = map[string]func(*sampleLogout){
	"parameters in another order": sentAs(func(q string) string {
		parts := strings.Split(q, "&")
		return strings.Join([]string{parts[2], parts[1], parts[0]}, "&")
	}),
	"other parameters": sentAs(func(q string) string { return "sls&appproxy=logout&" + q + "&x=%zz&SAMLart" }),
	"small escapes":    changes(withRelayState("a/b"), func(s *sampleLogout) { s.escape = escapeLower }),
	"bare characters in base64": func(s *sampleLogout) {
		s.escape = strings.NewReplacer("#", "%23").Replace // + / = and : stay
	},
	"a blank as %20": changes(withRelayState("back to page 7"), func(s *sampleLogout) { s.escape = url.PathEscape }),
	"base64 in lines": func(s *sampleLogout) {
		s.escape = func(value string) string {
			if !strings.Contains(value, ":") { // not SigAlg
				value = value[:76] + "\r\n" + value[76:]
			}
			return url.QueryEscape(value)
		}
	},
	"bytes behind the compressed data": packedAs(func(xml []byte) []byte {
		return append(rawDeflate(xml), 1, 2, 3,
			4)
	}),
	"SHA-384":              withAlgorithm(string(RSAWithSHA384)),
	"SHA-512":              withAlgorithm(string(RSAWithSHA512)),
	"RSA-PSS with SHA-384": withAlgorithm(string(RSAPSSWithSHA384)),
	"RSA-PSS with SHA-512": withAlgorithm(string(RSAPSSWithSHA512)),
	"P-384":                ecdsaOf("test-ec-p384", ECDSAWithSHA384),
	"P-521":                ecdsaOf("test-ec-p521", ECDSAWithSHA512),
	"P-256 in ASN.1": changes(ecdsaOf("test-ec-p256", ECDSAWithSHA256),
		func(s *sampleLogout) { s.asn1 = true }),
	"P-521 in ASN.1": changes(ecdsaOf("test-ec-p521", ECDSAWithSHA512),
		func(s *sampleLogout) { s.asn1 = true }),
	"the second of two keys": func(s *sampleLogout) { s.keys = []string{"test-idp-b", "test-idp-a"} },
	"an XML declaration": func(s *sampleLogout) {
		s.edit = func(xml string) string { return `<?xml version="1.0"?>` + xml }
	},
	"the asynchronous extension": func(s *sampleLogout) {
		s.extensions = `<samlp:Extensions>` +
			`<a:Asynchronous xmlns:a="urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo"/></samlp:Extensions>`
	},
	"a year until NotOnOrAfter, issued a day ago": changes(withAttribute("IssueInstant", "2026-03-09T09:30:00Z"),
		withAttribute("NotOnOrAfter", "2027-03-10T09:30:00Z")),
	"at the Redirect URL": func(s *sampleLogout) {
		s.address = "https://console.example.com" + DefaultRedirectPath
		s.attributes["Destination"] = s.address
	},
	"SOAP with the answer":                           changes(asResponse, asSOAP, withAttribute("Destination", "")),
	"an answer in a form":                            changes(asResponse, asPost),
	"no SessionIndex":                                withSubject(emailNameID),
	"unsigned in a form":                             changes(asAllowedUnsigned, asPost),
	"unsigned, while ended certificates are refused": changes(asAllowedUnsigned, refusingEnded),
	"signed, while ended certificates are refused":   refusingEnded,
	"a millisecond ago":                              func(s *sampleLogout) { s.at = s.at.Add(time.Millisecond) },
}
