package saml

import (
	"crypto"
	"encoding/base64"
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

func all(changes ...func(*sampleLogout)) func(*sampleLogout) {
	return func(s *sampleLogout) {
		for _, change := range changes {
			change(s)
		}
	}
}

func response(s *sampleLogout) { s.asResponse() }
func post(s *sampleLogout)     { s.asPost() }
func soap(s *sampleLogout)     { s.asSOAP() }

// unsigned is a message without a signature, which the settings allow.
func unsigned(s *sampleLogout) { s.asUnsigned(); s.unsigned = true }

func relayState(value string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.relayState = &value }
}

func sent(change func(string) string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.sent = change }
}

func add(text string) func(*sampleLogout) {
	return sent(func(query string) string { return query + text })
}

func replace(old, new string) func(*sampleLogout) {
	return sent(func(query string) string { return strings.Replace(query, old, new, 1) })
}

func edit(old, new string) func(*sampleLogout) {
	return func(s *sampleLogout) {
		s.edit = func(xml string) string { return strings.Replace(xml, old, new, 1) }
	}
}

func signedEdit(old, new string) func(*sampleLogout) {
	return func(s *sampleLogout) {
		s.signed = func(xml string) string { return strings.Replace(xml, old, new, 1) }
	}
}

// asSignIn makes an answer to a sign-in of it.
func asSignIn(s *sampleLogout) {
	s.edit = func(xml string) string { return strings.ReplaceAll(xml, "samlp:LogoutResponse", "samlp:Response") }
}

func attribute(name, value string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.attributes[name] = value }
}

func issuer(element string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.issuer = element }
}

func subject(elements string) func(*sampleLogout) {
	return func(s *sampleLogout) { s.subject = elements }
}

func algorithm(uri string) func(*sampleLogout) {
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
	return issuer("<saml:Issuer>https://" + host + "/" + tenant + "/</saml:Issuer>")
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
	return sent(func(query string) string {
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

func envelope(old, new string) func(*sampleLogout) {
	return func(s *sampleLogout) {
		s.envelope = func(message string) string { return strings.Replace(soapEnvelope(message), old, new, 1) }
	}
}

// queryRows are about the parameters of a redirect.
var queryRows = []logoutRow{
	{"the message is there twice", asIs, sent(func(q string) string { return q + "&" + strings.Split(q, "&")[0] }), CodeLogoutForm, stepMessage},
	{"the message has its name in escapes", asIs, replace("SAMLRequest", "SAMLReques%74"), CodeLogoutForm, stepMessage},
	{"a second message has its name in escapes", asIs, add("&SAMLReques%74=eA=="), CodeLogoutForm, stepMessage},
	{"Signature is there twice", asIs, add("&Signature=eA=="), CodeLogoutForm, stepMessage},
	{"SigAlg is there twice", asIs, add("&SigAlg=x"), CodeLogoutForm, stepMessage},
	{"RelayState is there twice", relayState("a"), add("&RelayState=a"), CodeLogoutForm, stepMessage},
	{"an answer stands beside the request", asIs, add("&SAMLResponse=eA=="), CodeLogoutForm, stepMessage},
	{"there is no message", asIs, withoutParameter("SAMLRequest"), CodeLogoutForm, stepMessage},
	{"SigAlg is missing", asIs, withoutParameter("SigAlg"), CodeLogoutForm, stepMessage},
	{"Signature is missing", asIs, withoutParameter("Signature"), CodeLogoutForm, stepMessage},
	{"Signature is missing where it may be", unsigned, add("&SigAlg=x"), CodeLogoutForm, stepMessage},
	{"RelayState has no equals sign", relayState(""), replace("RelayState=", "RelayState"), CodeLogoutForm, stepMessage},
	{"the escapes of RelayState are broken", relayState("a"), replace("RelayState=a", "RelayState=%4"), CodeLogoutForm, stepMessage},
	{"SAMLEncoding is unknown", asIs, add("&SAMLEncoding=urn:other"), CodeLogoutForm, stepMessage},
	{"SAMLEncoding is there twice", add("&SAMLEncoding=" + url.QueryEscape(deflateURI)),
		add(strings.Repeat("&SAMLEncoding="+url.QueryEscape(deflateURI), 2)), CodeLogoutForm, stepMessage},
	{"the message is not base64", asIs, replace("SAMLRequest=", "SAMLRequest=!"), CodeBase64, stepMessage},
	{"the signature is not base64", asIs, replace("&Signature=", "&Signature=!"), CodeBase64, stepMessage},
	{"the signature is empty", asIs, sent(func(q string) string { q, _, _ = strings.Cut(q, "&Signature="); return q + "&Signature=" }),
		CodeBase64, stepMessage},
	{"the XML is bare", asIs, packedAs(func(xml []byte) []byte { return xml }), CodeDeflate, stepMessage},
	{"the frame of zlib is around it", asIs, packedAs(zlibDeflate), CodeDeflate, stepMessage},
	{"the frame of gzip is around it", asIs, packedAs(gzipDeflate), CodeDeflate, stepMessage},
	{"the compressed data are cut off", asIs, packedAs(func(xml []byte) []byte { return rawDeflate(xml)[:100] }), CodeDeflate, stepMessage},
	{"a small message unpacks to a huge one", asIs, packedAs(func(xml []byte) []byte {
		return rawDeflate(append(xml, strings.Repeat(" ", 8<<20)...))
	}), CodeTooLarge, stepMessage},
	{"the query is too large", asIs, add("&more=" + strings.Repeat("x", 4<<20)), CodeTooLarge, stepMessage},
}

const deflateURI = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"

// signatureRows are about the signature of a redirect.
var signatureRows = []logoutRow{
	{"RelayState was added", asIs, add("&RelayState=a"), CodeSignature, stepSignature},
	{"an empty RelayState was added", asIs, add("&RelayState="), CodeSignature, stepSignature},
	{"RelayState was taken away", relayState("a"), withoutParameter("RelayState"), CodeSignature, stepSignature},
	{"an empty RelayState was taken away", relayState(""), withoutParameter("RelayState"), CodeSignature, stepSignature},
	{"RelayState was changed", relayState("a"), replace("RelayState=a", "RelayState=b"), CodeSignature, stepSignature},
	{"a blank of RelayState was written otherwise", relayState("a b"), replace("RelayState=a+b", "RelayState=a%20b"),
		CodeSignature, stepSignature},
	{"small escapes were made large", func(s *sampleLogout) { s.escape = escapeLower }, replace("%3a%2f%2f", "%3A%2F%2F"),
		CodeSignature, stepSignature},
	{"the decoded text was signed", asIs, func(s *sampleLogout) {
		s.covered = func(octets string) string { text, _ := url.QueryUnescape(octets); return text }
	}, CodeSignature, stepSignature},
	{"another order was signed", relayState("a"), func(s *sampleLogout) {
		s.covered = func(octets string) string {
			message, rest, _ := strings.Cut(octets, "&RelayState=a&")
			return message + "&" + rest + "&RelayState=a"
		}
	}, CodeSignature, stepSignature},
	{"an absent RelayState was signed as empty", asIs, func(s *sampleLogout) {
		s.covered = func(octets string) string { return strings.Replace(octets, "&SigAlg=", "&RelayState=&SigAlg=", 1) }
	}, CodeSignature, stepSignature},
	{"SigAlg was not signed", asIs, func(s *sampleLogout) {
		s.covered = func(octets string) string { message, _, _ := strings.Cut(octets, "&SigAlg="); return message }
	}, CodeSignature, stepSignature},
	{"another key signed", asIs, func(s *sampleLogout) { s.signer = "test-attacker" }, CodeSignature, stepSignature},
	{"the algorithm was replaced", asIs, replace("rsa-sha256", "rsa-sha512"), CodeSignature, stepSignature},
	{"RSA-PSS under the name of PKCS #1", algorithm(string(RSAPSSWithSHA256)),
		replace(url.QueryEscape(string(RSAPSSWithSHA256)), url.QueryEscape(string(RSAWithSHA256))), CodeSignature, stepSignature},
	{"SHA-1 is not allowed", func(s *sampleLogout) {
		s.algorithm = uriOfSHA1
		s.config = func(_ testing.TB, c *Config) { c.InsecureAllowSHA1 = true }
	}, func(s *sampleLogout) { s.config = nil }, CodeSignatureAlgorithm, stepSignature},
	{"a keyed hash", asIs, algorithm("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), CodeSignatureAlgorithm, stepSignature},
	{"RSA-PSS with parameters of its own", asIs, algorithm("http://www.w3.org/2007/05/xmldsig-more#rsa-pss"),
		CodeSignatureAlgorithm, stepSignature},
	{"SigAlg is empty", asIs, replace("&SigAlg="+url.QueryEscape(string(RSAWithSHA256)), "&SigAlg="), CodeSignatureAlgorithm, stepSignature},
	{"no trusted key is of the algorithm's kind", asIs, func(s *sampleLogout) { s.keys = []string{"test-ec-p256"} },
		CodeSignatureAlgorithm, stepSignature},
	{"r and s change places", ecdsaOf("test-ec-p256", ECDSAWithSHA256), sent(func(q string) string {
		head, value, _ := strings.Cut(q, "&Signature=")
		value, _ = url.QueryUnescape(value)
		octets, _ := base64.StdEncoding.DecodeString(value)
		octets = append(octets[32:], octets[:32]...)
		return head + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(octets))
	}), CodeSignature, stepSignature},
	{"ASN.1 of another key", all(ecdsaOf("test-ec-p384", ECDSAWithSHA384), func(s *sampleLogout) { s.asn1 = true }),
		func(s *sampleLogout) { s.keys = []string{"test-ec-p256"} }, CodeSignature, stepSignature},
	{"it is not signed", asIs, (*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"an answer is not signed", response, (*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"an answer is not signed, and requests need not be", all(response, func(s *sampleLogout) { s.unsigned = true }),
		(*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"only the XML is signed", func(s *sampleLogout) { s.enveloped = true }, algorithm(""), CodeLogoutUnsigned, stepSignature},
	{"only the XML is signed, and it need not be", func(s *sampleLogout) { s.enveloped, s.unsigned = true, true }, algorithm(""),
		CodeLogoutUnsigned, stepSignature},
	{"the signature in the XML is broken", func(s *sampleLogout) { s.enveloped = true }, signedEdit("ann@", "bob@"), CodeDigest, stepSignature},
	{"a bad signature where none is needed", func(s *sampleLogout) { s.unsigned = true },
		func(s *sampleLogout) { s.signer = "test-attacker" }, CodeSignature, stepSignature},
	{"a stranger's message with a stranger's key", asIs, all(func(s *sampleLogout) { s.signer = "test-attacker" },
		issuer("<saml:Issuer>https://other.example.com</saml:Issuer>")), CodeResponseIssuer, stepSignature},
}

const uriOfSHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"

// formRows are about the HTTP-POST binding.
var formRows = []logoutRow{
	{"the signature was taken away", post, (*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"a key of its own signed", post, func(s *sampleLogout) { s.signer = "test-attacker" }, CodeSignature, stepSignature},
	{"a genuine message stands in an unsigned one", post, func(s *sampleLogout) {
		s.signed = func(xml string) string {
			outer := strings.Replace(xml, `ID="_m"`, `ID="_outer"`, 1)
			from, to := strings.Index(outer, "<ds:Signature"), strings.Index(outer, "</ds:Signature>")+len("</ds:Signature>")
			return outer[:from] + "<samlp:Extensions>" + xml + "</samlp:Extensions>" + outer[to:]
		}
	}, CodeSchema, stepMessage},
	{"the NameID was changed", post, signedEdit("ann@", "bob@"), CodeDigest, stepSignature},
	{"a SessionIndex was added", post, signedEdit("</samlp:LogoutRequest>", "<samlp:SessionIndex>x</samlp:SessionIndex></samlp:LogoutRequest>"),
		CodeDigest, stepSignature},
	{"the Destination of another service was changed", post, all(attribute("Destination", "https://other.example.com"),
		signedEdit("https://other.example.com", logoutURL)), CodeDigest, stepSignature},
	{"there are two signatures", post, func(s *sampleLogout) {
		s.signed = func(xml string) string {
			from, to := strings.Index(xml, "<ds:Signature"), strings.Index(xml, "</ds:Signature>")+len("</ds:Signature>")
			return xml[:to] + xml[from:to] + xml[to:]
		}
	}, CodeSignaturePlacement, stepMessage},
	{"the signature is in Extensions", post, func(s *sampleLogout) {
		s.signed = func(xml string) string {
			from, to := strings.Index(xml, "<ds:Signature"), strings.Index(xml, "</ds:Signature>")+len("</ds:Signature>")
			return xml[:from] + "<samlp:Extensions>" + xml[from:to] + "</samlp:Extensions>" + xml[to:]
		}
	}, CodeSignaturePlacement, stepMessage},
	{"the signature refers to another ID", post, signedEdit(`URI="#_m"`, `URI="#_n"`), CodeReferenceURI, stepSignature},
	{"a form has SigAlg", post, add("&SigAlg=x"), CodeLogoutForm, stepMessage},
	{"a form has Signature", post, add("&Signature=eA=="), CodeLogoutForm, stepMessage},
	{"a form has the message twice", post, add("&SAMLRequest=eA=="), CodeLogoutForm, stepMessage},
	{"the address of a form has a message", post, func(s *sampleLogout) { s.formQuery = "SAMLRequest=eA==" }, CodeLogoutForm, stepMessage},
	{"the address of a form has an answer", post, func(s *sampleLogout) { s.formQuery = "a=b&SAMLResponse=eA==" }, CodeLogoutForm, stepMessage},
	{"the address of a form has RelayState", post, func(s *sampleLogout) { s.formQuery = "RelayState=" }, CodeLogoutForm, stepMessage},
	{"the address of a form has SigAlg", post, func(s *sampleLogout) { s.formQuery = "SigAlg=x" }, CodeLogoutForm, stepMessage},
	{"the address of a form has Signature", post, func(s *sampleLogout) { s.formQuery = "Signature=x" }, CodeLogoutForm, stepMessage},
	{"the message in a form is compressed", post, packedAs(rawDeflate), CodeEncoding, stepMessage},
}

// soapRows are about the SOAP binding.
var soapRows = []logoutRow{
	{"it is not signed", soap, (*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"it is not signed, and browsers may send such ones", all(soap, func(s *sampleLogout) { s.unsigned = true }),
		(*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"a key of its own signed", soap, func(s *sampleLogout) { s.signer = "test-attacker" }, CodeSignature, stepSignature},
	{"two messages are in the Body", soap, func(s *sampleLogout) {
		s.envelope = func(m string) string {
			return strings.Replace(soapEnvelope(m), "</S:Body>", strings.ReplaceAll(m, `"_m"`, `"_n"`)+"</S:Body>", 1)
		}
	}, CodeLogoutForm, stepMessage},
	{"the Body is empty", soap, func(s *sampleLogout) {
		s.envelope = func(string) string { return soapEnvelope("") }
	}, CodeLogoutForm, stepMessage},
	{"there are two bodies", soap, envelope("</S:Body>", "</S:Body><S:Body/>"), CodeLogoutForm, stepMessage},
	{"there is no Body", soap, func(s *sampleLogout) {
		s.envelope = func(string) string { return `<S:Envelope xmlns:S="` + soap11 + `"/>` }
	}, CodeLogoutForm, stepMessage},
	{"there are two headers", soap, envelope("<S:Header/>", "<S:Header/><S:Header/>"), CodeLogoutForm, stepMessage},
	{"a Header stands behind the Body", soap, envelope("</S:Body>", "</S:Body><S:Header/>"), CodeLogoutForm, stepMessage},
	{"a header must be understood", all(soap, envelope("<S:Header/>", `<S:Header><x:a xmlns:x="urn:x" S:mustUnderstand="0"/></S:Header>`)),
		envelope("<S:Header/>", `<S:Header><x:a xmlns:x="urn:x" S:mustUnderstand="1"/></S:Header>`), CodeLogoutForm, stepMessage},
	{"an element stands beside the Body", soap, envelope("</S:Envelope>", `<x:a xmlns:x="urn:x"/></S:Envelope>`), CodeLogoutForm, stepMessage},
	{"there is text in the Body", soap, envelope("</S:Body>", "text</S:Body>"), CodeLogoutForm, stepMessage},
	{"there is text in the Envelope", soap, envelope("<S:Body>", "text<S:Body>"), CodeLogoutForm, stepMessage},
	{"it is of SOAP 1.2", soap, envelope(soap11, soap12), CodeLogoutForm, stepMessage},
	{"there is no Envelope", soap, func(s *sampleLogout) { s.envelope = func(m string) string { return m } }, CodeLogoutForm, stepMessage},
	{"an ID of the message is in the Header too", soap, envelope("<S:Header/>", `<S:Header><x:a xmlns:x="urn:x" ID="_m"/></S:Header>`),
		CodeDuplicateID, stepMessage},
	{"a sign-in is in the Body", all(soap, response), asSignIn, CodeLogoutMessage, stepMessage},
}

// messageRows are about the message itself, however it came.
var messageRows = []logoutRow{
	{"an answer in SAMLRequest", response, replace("SAMLResponse", "SAMLRequest"), CodeLogoutMessage, stepMessage},
	{"a request in SAMLResponse", asIs, replace("SAMLRequest", "SAMLResponse"), CodeLogoutMessage, stepMessage},
	{"a sign-in for a logout", response, asSignIn, CodeLogoutMessage, stepMessage},
	{"a LogoutRequest of another namespace", asIs, edit(`xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"`, `xmlns:samlp="urn:other"`),
		CodeLogoutMessage, stepMessage},
	{"the XML has a DOCTYPE", asIs, func(s *sampleLogout) { s.edit = func(xml string) string { return "<!DOCTYPE x>" + xml } },
		CodeDoctype, stepMessage},
	{"the NameID has a comment", asIs, edit("ann@example.com", "ann@example.com<!-- -->.evil.com"), CodeComment, stepMessage},
	{"it is of SAML 1.1", asIs, attribute("Version", "1.1"), CodeVersion, stepMessage},
	{"it has no Version", asIs, attribute("Version", ""), CodeVersion, stepMessage},
	{"it has no ID", asIs, attribute("ID", ""), CodeID, stepMessage},
	{"an ID is there twice", asIs, func(s *sampleLogout) {
		s.extensions = `<samlp:Extensions><x:a xmlns:x="urn:x" ID="_m"/></samlp:Extensions>`
	}, CodeDuplicateID, stepMessage},
	{"it names nobody", asIs, subject("<samlp:SessionIndex>_index</samlp:SessionIndex>"), CodeSchema, stepMessage},
	{"it names two users", asIs, subject(emailNameID + emailNameID), CodeSchema, stepMessage},
	{"SessionIndex comes first", asIs, subject("<samlp:SessionIndex>_index</samlp:SessionIndex>" + emailNameID), CodeSchema, stepMessage},
	{"SessionIndex is in the other namespace", asIs, subject(emailNameID + "<saml:SessionIndex>_index</saml:SessionIndex>"), CodeSchema, stepMessage},
	{"SessionIndex has an element", asIs, subject(emailNameID + "<samlp:SessionIndex>_in<saml:x/>dex</samlp:SessionIndex>"), CodeSchema, stepMessage},
	{"an answer has no status", response, func(s *sampleLogout) { s.status = "" }, CodeSchema, stepMessage},
	{"an answer has a NameID", response, func(s *sampleLogout) { s.status += emailNameID }, CodeSchema, stepMessage},
}

// checkRows are about the checks of what was signed.
var checkRows = []logoutRow{
	{"the certificate has ended", func(s *sampleLogout) { s.keys = []string{"test-idp-a-expired"} }, func(s *sampleLogout) {
		s.config = func(_ testing.TB, c *Config) { c.RefuseExpiredCertificates = true }
	}, CodeCertificateExpired, "logout certificate dates"},
	{"the certificate of an answer has ended", all(response, func(s *sampleLogout) { s.keys = []string{"test-idp-a-expired"} }),
		func(s *sampleLogout) {
			s.config = func(_ testing.TB, c *Config) { c.RefuseExpiredCertificates = true }
		}, CodeCertificateExpired, "logout certificate dates"},
	{"another issuer", asIs, issuer("<saml:Issuer>https://other.example.com</saml:Issuer>"), CodeResponseIssuer, "logout request issuer"},
	{"an issuer in other case", asIs, issuer("<saml:Issuer>https://IDP.example.com/saml</saml:Issuer>"), CodeResponseIssuer, "logout request issuer"},
	{"no issuer", asIs, issuer(""), CodeResponseIssuer, "logout request issuer"},
	{"an empty issuer", asIs, issuer("<saml:Issuer/>"), CodeResponseIssuer, "logout request issuer"},
	{"an issuer of another Format", issuer(`<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">` + logoutIssuer + `</saml:Issuer>`),
		issuer(`<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">` + logoutIssuer + `</saml:Issuer>`),
		CodeResponseIssuer, "logout request issuer"},
	{"Entra's other name on a request", ofEntraTenant, entraName("login.microsoftonline.com", testTenantID), CodeResponseIssuer, "logout request issuer"},
	{"another issuer of an answer", response, issuer("<saml:Issuer>https://other.example.com</saml:Issuer>"), CodeResponseIssuer, "logout response issuer"},
	{"no issuer of an answer", response, issuer(""), CodeResponseIssuer, "logout response issuer"},
	{"another tenant of Entra by its other name", all(ofEntraTenant, response, entraName("login.microsoftonline.com", testTenantID)),
		entraName("login.microsoftonline.com", otherID), CodeResponseIssuer, "logout response issuer"},
	{"another tenant of Entra", all(ofEntraTenant, response), entraName("sts.windows.net", otherID), CodeResponseIssuer, "logout response issuer"},
	{"the same tenant ID in another cloud", all(ofEntraTenant, response), entraName("login.partner.microsoftonline.cn", testTenantID),
		CodeResponseIssuer, "logout response issuer"},
	{"the same tenant ID at a host that is not Entra's", all(ofEntraTenant, response), entraName("login.example.com", testTenantID),
		CodeResponseIssuer, "logout response issuer"},
	{"no Destination", asIs, attribute("Destination", ""), CodeLogoutDestination, "logout destination"},
	{"a slash behind the Destination", asIs, attribute("Destination", logoutURL+"/"), CodeLogoutDestination, "logout destination"},
	{"a query behind the Destination", asIs, attribute("Destination", logoutURL+"?sls"), CodeLogoutDestination, "logout destination"},
	{"the Destination is in other case", asIs, attribute("Destination", strings.Replace(logoutURL, "console", "Console", 1)),
		CodeLogoutDestination, "logout destination"},
	{"it came to the other address of ours", asIs, func(s *sampleLogout) { s.address = "https://console.example.com" + DefaultRedirectPath },
		CodeLogoutDestination, "logout destination"},
	{"no Destination in a form", post, attribute("Destination", ""), CodeLogoutDestination, "logout destination"},
	{"no Destination of an answer", response, attribute("Destination", ""), CodeLogoutDestination, "logout destination"},
	{"another Destination by SOAP", all(soap, attribute("Destination", "")), attribute("Destination", "https://other.example.com"),
		CodeLogoutDestination, "logout destination"},
	{"an unsigned message for another service", unsigned, attribute("Destination", "https://other.example.com"),
		CodeLogoutDestination, "logout destination"},
	{"an answer to another request", response, attribute("InResponseTo", "_other"), CodeLogoutUnexpected, "logout in response to"},
	{"an answer to no request", response, attribute("InResponseTo", ""), CodeLogoutUnexpected, "logout in response to"},
	{"an answer that nobody asked for", response, func(s *sampleLogout) { s.requestID = "" }, CodeLogoutUnexpected, "logout in response to"},
	{"an answer to no request that nobody asked for", response,
		all(attribute("InResponseTo", ""), func(s *sampleLogout) { s.requestID = "" }), CodeLogoutUnexpected, "logout in response to"},
}

// feasibleRows are authentic requests that are not carried out.
var feasibleRows = []logoutRow{
	{"no IssueInstant", asIs, attribute("IssueInstant", ""), CodeIssueInstant, "logout times"},
	{"an IssueInstant without a time zone", asIs, attribute("IssueInstant", "2026-03-10T09:29:50"), CodeTime, "logout times"},
	{"a NotOnOrAfter without a time zone", asIs, attribute("NotOnOrAfter", "2026-03-10T09:35:00"), CodeTime, "logout times"},
	{"issued 3 minutes and a second from now", attribute("IssueInstant", "2026-03-10T09:33:00Z"),
		attribute("IssueInstant", "2026-03-10T09:33:01Z"), CodeIssueInstant, "logout times"},
	{"NotOnOrAfter 3 minutes ago", attribute("NotOnOrAfter", "2026-03-10T09:27:01Z"), attribute("NotOnOrAfter", "2026-03-10T09:27:00Z"),
		CodeLogoutTime, "logout not on or after"},
	{"NotOnOrAfter 3 minutes ago by SOAP", all(soap, attribute("NotOnOrAfter", "2026-03-10T09:27:01Z")),
		attribute("NotOnOrAfter", "2026-03-10T09:27:00Z"), CodeLogoutTime, "logout not on or after"},
	{"8 minutes old without NotOnOrAfter", all(attribute("NotOnOrAfter", ""), attribute("IssueInstant", "2026-03-10T09:22:01Z")),
		attribute("IssueInstant", "2026-03-10T09:22:00Z"), CodeLogoutTime, "logout age"},
	{"8 minutes old without NotOnOrAfter in a form", all(post, attribute("NotOnOrAfter", ""), attribute("IssueInstant", "2026-03-10T09:22:01Z")),
		attribute("IssueInstant", "2026-03-10T09:22:00Z"), CodeLogoutTime, "logout age"},
	{"an empty NameID", asIs, subject("<saml:NameID/>"), CodeNameID, "logout name id"},
	{"a NameID with a control character", asIs, subject("<saml:NameID>ann\u0085</saml:NameID>"), CodeNameID, "logout name id"},
	{"a BaseID", asIs, subject("<saml:BaseID/>"), CodeNameID, "logout name id"},
	{"an EncryptedID and no key", func(s *sampleLogout) { decrypting(s); s.encrypted = "test-sp-a" }, func(s *sampleLogout) { s.config = nil },
		CodeNameID, "logout name id"},
	{"an EncryptedID for another key", func(s *sampleLogout) { decrypting(s); s.encrypted = "test-sp-a" },
		func(s *sampleLogout) { s.encrypted = "test-sp-b" }, CodeDecryption, "logout name id"},
	{"an EncryptedID that holds something else", func(s *sampleLogout) { decrypting(s); s.encrypted = "test-sp-a" },
		func(s *sampleLogout) { s.plaintext = "<saml:BaseID" + logoutNamespaces + "/>" }, CodeDecryption, "logout name id"},
	{"an EncryptedID in an unsigned message", all(unsigned, decrypting), func(s *sampleLogout) { s.encrypted = "test-sp-a" },
		CodeNameID, "logout name id"},
	{"65 SessionIndexes", subject(emailNameID + strings.Repeat("<samlp:SessionIndex>i</samlp:SessionIndex>", 64)),
		subject(emailNameID + strings.Repeat("<samlp:SessionIndex>i</samlp:SessionIndex>", 65)), CodeLogoutSessions, "logout session indexes"},
}

// logoutRows are all rows, by the name of their group.
var logoutRows = map[string][]logoutRow{"query": queryRows, "signature": signatureRows, "form": formRows, "SOAP": soapRows,
	"message": messageRows, "check": checkRows, "feasible": feasibleRows}

// positives are accepted messages that are nobody's twin: what products send.
var positiveLogouts = map[string]func(*sampleLogout){
	"parameters in another order": sent(func(q string) string {
		parts := strings.Split(q, "&")
		return strings.Join([]string{parts[2], parts[1], parts[0]}, "&")
	}),
	"other parameters": sent(func(q string) string { return "sls&appproxy=logout&" + q + "&x=%zz&SAMLart" }),
	"small escapes":    all(relayState("a/b"), func(s *sampleLogout) { s.escape = escapeLower }),
	"bare characters in base64": func(s *sampleLogout) {
		s.escape = strings.NewReplacer("#", "%23").Replace // + / = and : stay
	},
	"a blank as %20": all(relayState("back to page 7"), func(s *sampleLogout) { s.escape = url.PathEscape }),
	"base64 in lines": func(s *sampleLogout) {
		s.escape = func(value string) string {
			if !strings.Contains(value, ":") { // not SigAlg
				value = value[:76] + "\r\n" + value[76:]
			}
			return url.QueryEscape(value)
		}
	},
	"bytes behind the compressed data": packedAs(func(xml []byte) []byte { return append(rawDeflate(xml), 1, 2, 3, 4) }),
	"SHA-384":                          algorithm(string(RSAWithSHA384)),
	"SHA-512":                          algorithm(string(RSAWithSHA512)),
	"RSA-PSS with SHA-384":             algorithm(string(RSAPSSWithSHA384)),
	"RSA-PSS with SHA-512":             algorithm(string(RSAPSSWithSHA512)),
	"P-384":                            ecdsaOf("test-ec-p384", ECDSAWithSHA384),
	"P-521":                            ecdsaOf("test-ec-p521", ECDSAWithSHA512),
	"P-256 in ASN.1":                   all(ecdsaOf("test-ec-p256", ECDSAWithSHA256), func(s *sampleLogout) { s.asn1 = true }),
	"P-521 in ASN.1":                   all(ecdsaOf("test-ec-p521", ECDSAWithSHA512), func(s *sampleLogout) { s.asn1 = true }),
	"the second of two keys":           func(s *sampleLogout) { s.keys = []string{"test-idp-b", "test-idp-a"} },
	"an XML declaration":               func(s *sampleLogout) { s.edit = func(xml string) string { return `<?xml version="1.0"?>` + xml } },
	"the asynchronous extension": func(s *sampleLogout) {
		s.extensions = `<samlp:Extensions><a:Asynchronous xmlns:a="urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo"/></samlp:Extensions>`
	},
	"a year until NotOnOrAfter, issued a day ago": all(attribute("IssueInstant", "2026-03-09T09:30:00Z"), attribute("NotOnOrAfter", "2027-03-10T09:30:00Z")),
	"at the Redirect URL": func(s *sampleLogout) {
		s.address = "https://console.example.com" + DefaultRedirectPath
		s.attributes["Destination"] = s.address
	},
	"SOAP with the answer": all(response, soap, attribute("Destination", "")),
	"an answer in a form":  all(response, post),
	"no SessionIndex":      subject(emailNameID),
	"unsigned in a form":   all(unsigned, post),
	"a millisecond ago":    func(s *sampleLogout) { s.at = s.at.Add(time.Millisecond) },
}
