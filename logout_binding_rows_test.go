package saml

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// queryRows are about the parameters of a redirect.
var queryRows = []logoutRow{
	{"the message is there twice", asIs, sentAs(func(q string) string { return q + "&" + strings.Split(q, "&")[0] }),
		CodeLogoutForm, stepMessage},
	{"the message has its name in escapes", asIs, replacing("SAMLRequest", "SAMLReques%74"), CodeLogoutForm, stepMessage},
	{"a second message has its name in escapes", asIs, adding("&SAMLReques%74=eA=="), CodeLogoutForm, stepMessage},
	{"Signature is there twice", asIs, adding("&Signature=eA=="), CodeLogoutForm, stepMessage},
	{"SigAlg is there twice", asIs, adding("&SigAlg=x"), CodeLogoutForm, stepMessage},
	{"RelayState is there twice", withRelayState("a"), adding("&RelayState=a"), CodeLogoutForm, stepMessage},
	{"an answer stands beside the request", asIs, adding("&SAMLResponse=eA=="), CodeLogoutForm, stepMessage},
	{"there is no message", asIs, withoutParameter("SAMLRequest"), CodeLogoutForm, stepMessage},
	{"SigAlg is missing", asIs, withoutParameter("SigAlg"), CodeLogoutForm, stepMessage},
	{"Signature is missing", asIs, withoutParameter("Signature"), CodeLogoutForm, stepMessage},
	{"Signature is missing where it may be", asAllowedUnsigned, adding("&SigAlg=x"), CodeLogoutForm, stepMessage},
	{"RelayState has no equals sign", withRelayState(""), replacing("RelayState=", "RelayState"), CodeLogoutForm,
		stepMessage},
	{"the escapes of RelayState are broken", withRelayState("a"), replacing("RelayState=a", "RelayState=%4"),
		CodeLogoutForm, stepMessage},
	{"SAMLEncoding is unknown", asIs, adding("&SAMLEncoding=urn:other"), CodeLogoutForm, stepMessage},
	{"SAMLEncoding is there twice", adding("&SAMLEncoding=" + url.QueryEscape(deflateURI)),
		adding(strings.Repeat("&SAMLEncoding="+url.QueryEscape(deflateURI), 2)), CodeLogoutForm, stepMessage},
	{"the message is not base64", asIs, replacing("SAMLRequest=", "SAMLRequest=!"), CodeBase64, stepMessage},
	{"the signature is not base64", asIs, replacing("&Signature=", "&Signature=!"), CodeBase64, stepMessage},
	{"the signature is empty", asIs, sentAs(func(q string) string {
		q, _, _ = strings.Cut(q, "&Signature=")
		return q +
			"&Signature="
	}),
		CodeBase64, stepMessage},
	{"the XML is bare", asIs, packedAs(func(xml []byte) []byte { return xml }), CodeDeflate, stepMessage},
	{"the frame of zlib is around it", asIs, packedAs(zlibDeflate), CodeDeflate, stepMessage},
	{"the frame of gzip is around it", asIs, packedAs(gzipDeflate), CodeDeflate, stepMessage},
	{"the compressed data are cut off", asIs, packedAs(func(xml []byte) []byte { return rawDeflate(xml)[:100] }),
		CodeDeflate, stepMessage},
	{"a small message unpacks to a huge one", asIs, packedAs(func(xml []byte) []byte {
		return rawDeflate(append(xml, strings.Repeat(" ", 8<<20)...))
	}), CodeTooLarge, stepMessage},
	{"the query is too large", asIs, adding("&more=" + strings.Repeat("x", 4<<20)), CodeTooLarge, stepMessage},
}

const deflateURI = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"

// signatureRows are about the signature of a redirect.
var signatureRows = []logoutRow{
	{"RelayState was added", asIs, adding("&RelayState=a"), CodeSignature, stepSignature},
	{"an empty RelayState was added", asIs, adding("&RelayState="), CodeSignature, stepSignature},
	{"RelayState was taken away", withRelayState("a"), withoutParameter("RelayState"), CodeSignature, stepSignature},
	{"an empty RelayState was taken away", withRelayState(""), withoutParameter("RelayState"), CodeSignature,
		stepSignature},
	{"RelayState was changed", withRelayState("a"), replacing("RelayState=a", "RelayState=b"), CodeSignature, stepSignature},
	{"a blank of RelayState was written otherwise", withRelayState("a b"), replacing("RelayState=a+b", "RelayState=a%20b"),
		CodeSignature, stepSignature},
	{"small escapes were made large", func(s *sampleLogout) { s.escape = escapeLower }, replacing("%3a%2f%2f",
		"%3A%2F%2F"),
		CodeSignature, stepSignature},
	{"the decoded text was signed", asIs, func(s *sampleLogout) {
		s.covered = func(octets string) string { text, _ := url.QueryUnescape(octets); return text }
	}, CodeSignature, stepSignature},
	{"another order was signed", withRelayState("a"), func(s *sampleLogout) {
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
	{"the algorithm was replaced", asIs, replacing("rsa-sha256", "rsa-sha512"), CodeSignature, stepSignature},
	{"RSA-PSS under the name of PKCS #1", withAlgorithm(string(RSAPSSWithSHA256)),
		replacing(url.QueryEscape(string(RSAPSSWithSHA256)), url.QueryEscape(string(RSAWithSHA256))), CodeSignature,
		stepSignature},
	{"SHA-1 is not allowed", func(s *sampleLogout) {
		s.algorithm = uriOfSHA1
		s.config = func(_ testing.TB, c *Config) { c.InsecureAllowSHA1 = true }
	}, func(s *sampleLogout) { s.config = nil }, CodeSignatureAlgorithm, stepSignature},
	{"a keyed hash", asIs, withAlgorithm("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), CodeSignatureAlgorithm,
		stepSignature},
	{"RSA-PSS with parameters of its own", asIs, withAlgorithm("http://www.w3.org/2007/05/xmldsig-more#rsa-pss"),
		CodeSignatureAlgorithm, stepSignature},
	{"SigAlg is empty", asIs, replacing("&SigAlg="+url.QueryEscape(string(RSAWithSHA256)), "&SigAlg="),
		CodeSignatureAlgorithm, stepSignature},
	{"no trusted key is of the algorithm's kind", asIs, func(s *sampleLogout) { s.keys = []string{"test-ec-p256"} },
		CodeSignatureAlgorithm, stepSignature},
	{"r and s change places", ecdsaOf("test-ec-p256", ECDSAWithSHA256), sentAs(func(q string) string {
		head, value, _ := strings.Cut(q, "&Signature=")
		value, _ = url.QueryUnescape(value)
		octets, _ := base64.StdEncoding.DecodeString(value)
		octets = append(octets[32:], octets[:32]...)
		return head + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(octets))
	}), CodeSignature, stepSignature},
	{"ASN.1 of another key", changes(ecdsaOf("test-ec-p384", ECDSAWithSHA384), func(s *sampleLogout) { s.asn1 = true }),
		func(s *sampleLogout) { s.keys = []string{"test-ec-p256"} }, CodeSignature, stepSignature},
	{"it is not signed", asIs, (*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"an answer is not signed", asResponse, (*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"an answer is not signed, and requests need not be", changes(asResponse, func(s *sampleLogout) { s.unsigned = true }),
		(*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"only the XML is signed", func(s *sampleLogout) { s.enveloped = true }, withAlgorithm(""), CodeLogoutUnsigned,
		stepSignature},
	{"only the XML is signed, and it need not be", func(s *sampleLogout) { s.enveloped, s.unsigned = true, true },
		withAlgorithm(""),
		CodeLogoutUnsigned, stepSignature},
	{"the signature in the XML is broken", func(s *sampleLogout) { s.enveloped = true }, changedInside("ann@", "bob@"),
		CodeDigest, stepSignature},
	{"a bad signature where none is needed", func(s *sampleLogout) { s.unsigned = true },
		func(s *sampleLogout) { s.signer = "test-attacker" }, CodeSignature, stepSignature},
	{"a stranger's message with a stranger's key", asIs, changes(func(s *sampleLogout) { s.signer = "test-attacker" },
		withIssuer("<saml:Issuer>https://other.example.com</saml:Issuer>")), CodeResponseIssuer, stepSignature},
}

const uriOfSHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"

// formRows are about the HTTP-POST binding.
var formRows = []logoutRow{
	{"the signature was taken away", asPost, (*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"a key of its own signed", asPost, func(s *sampleLogout) { s.signer = "test-attacker" }, CodeSignature,
		stepSignature},
	{"a genuine message stands in an unsigned one", asPost, func(s *sampleLogout) {
		s.signed = func(xml string) string {
			outer := strings.Replace(xml, `ID="_m"`, `ID="_outer"`, 1)
			from, to := strings.Index(outer, "<ds:Signature"), strings.Index(outer,
				"</ds:Signature>")+len("</ds:Signature>")
			return outer[:from] + "<samlp:Extensions>" + xml + "</samlp:Extensions>" + outer[to:]
		}
	}, CodeSchema, stepMessage},
	{"the NameID was changed", asPost, changedInside("ann@", "bob@"), CodeDigest, stepSignature},
	{"a SessionIndex was added", asPost, changedInside("</samlp:LogoutRequest>",
		"<samlp:SessionIndex>x</samlp:SessionIndex></samlp:LogoutRequest>"),
		CodeDigest, stepSignature},
	{"the Destination of another service was changed", asPost, changes(withAttribute("Destination", "https://other.example.com"),
		changedInside("https://other.example.com", logoutURL)), CodeDigest, stepSignature},
	{"there are two signatures", asPost, func(s *sampleLogout) {
		s.signed = func(xml string) string {
			from, to := strings.Index(xml, "<ds:Signature"), strings.Index(xml,
				"</ds:Signature>")+len("</ds:Signature>")
			return xml[:to] + xml[from:to] + xml[to:]
		}
	}, CodeSignaturePlacement, stepMessage},
	{"the signature is in Extensions", asPost, func(s *sampleLogout) {
		s.signed = func(xml string) string {
			from, to := strings.Index(xml, "<ds:Signature"), strings.Index(xml,
				"</ds:Signature>")+len("</ds:Signature>")
			return xml[:from] + "<samlp:Extensions>" + xml[from:to] + "</samlp:Extensions>" + xml[to:]
		}
	}, CodeSignaturePlacement, stepMessage},
	{"the signature refers to another ID", asPost, changedInside(`URI="#_m"`, `URI="#_n"`), CodeReferenceURI, stepSignature},
	{"a form has SigAlg", asPost, adding("&SigAlg=x"), CodeLogoutForm, stepMessage},
	{"a form has Signature", asPost, adding("&Signature=eA=="), CodeLogoutForm, stepMessage},
	{"a form has the message twice", asPost, adding("&SAMLRequest=eA=="), CodeLogoutForm, stepMessage},
	{"the address of a form has a message", asPost, func(s *sampleLogout) { s.formQuery = "SAMLRequest=eA==" },
		CodeLogoutForm, stepMessage},
	{"the address of a form has an answer", asPost, func(s *sampleLogout) { s.formQuery = "a=b&SAMLResponse=eA==" },
		CodeLogoutForm, stepMessage},
	{"the address of a form has RelayState", asPost, func(s *sampleLogout) { s.formQuery = "RelayState=" },
		CodeLogoutForm, stepMessage},
	{"the address of a form has SigAlg", asPost, func(s *sampleLogout) { s.formQuery = "SigAlg=x" }, CodeLogoutForm,
		stepMessage},
	{"the address of a form has Signature", asPost, func(s *sampleLogout) { s.formQuery = "Signature=x" },
		CodeLogoutForm, stepMessage},
	{"the message in a form is compressed", asPost, packedAs(rawDeflate), CodeEncoding, stepMessage},
}

// soapRows are about the SOAP binding.
var soapRows = []logoutRow{
	{"it is not signed", asSOAP, (*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"it is not signed, and browsers may send such ones", changes(asSOAP, func(s *sampleLogout) { s.unsigned = true }),
		(*sampleLogout).asUnsigned, CodeLogoutUnsigned, stepSignature},
	{"a key of its own signed", asSOAP, func(s *sampleLogout) { s.signer = "test-attacker" }, CodeSignature,
		stepSignature},
	{"two messages are in the Body", asSOAP, func(s *sampleLogout) {
		s.envelope = func(m string) string {
			return strings.Replace(soapEnvelope(m), "</S:Body>", strings.ReplaceAll(m, `"_m"`, `"_n"`)+"</S:Body>", 1)
		}
	}, CodeLogoutForm, stepMessage},
	{"the Body is empty", asSOAP, func(s *sampleLogout) {
		s.envelope = func(string) string { return soapEnvelope("") }
	}, CodeLogoutForm, stepMessage},
	{"there are two bodies", asSOAP, withEnvelope("</S:Body>", "</S:Body><S:Body/>"), CodeLogoutForm, stepMessage},
	{"there is no Body", asSOAP, func(s *sampleLogout) {
		s.envelope = func(string) string { return `<S:Envelope xmlns:S="` + soap11 + `"/>` }
	}, CodeLogoutForm, stepMessage},
	{"there are two headers", asSOAP, withEnvelope("<S:Header/>", "<S:Header/><S:Header/>"), CodeLogoutForm, stepMessage},
	{"a Header stands behind the Body", asSOAP, withEnvelope("</S:Body>", "</S:Body><S:Header/>"), CodeLogoutForm,
		stepMessage},
	{"a header must be understood", changes(asSOAP, withEnvelope("<S:Header/>",
		`<S:Header><x:a xmlns:x="urn:x" S:mustUnderstand="0"/></S:Header>`)),
		withEnvelope("<S:Header/>", `<S:Header><x:a xmlns:x="urn:x" S:mustUnderstand="1"/></S:Header>`), CodeLogoutForm,
		stepMessage},
	{"an element stands beside the Body", asSOAP, withEnvelope("</S:Envelope>", `<x:a xmlns:x="urn:x"/></S:Envelope>`),
		CodeLogoutForm, stepMessage},
	{"there is text in the Body", asSOAP, withEnvelope("</S:Body>", "text</S:Body>"), CodeLogoutForm, stepMessage},
	{"there is text in the Envelope", asSOAP, withEnvelope("<S:Body>", "text<S:Body>"), CodeLogoutForm, stepMessage},
	{"it is of SOAP 1.2", asSOAP, withEnvelope(soap11, soap12), CodeLogoutForm, stepMessage},
	{"there is no Envelope", asSOAP, func(s *sampleLogout) { s.envelope = func(m string) string { return m } },
		CodeLogoutForm, stepMessage},
	{"an ID of the message is in the Header too", asSOAP, withEnvelope("<S:Header/>",
		`<S:Header><x:a xmlns:x="urn:x" ID="_m"/></S:Header>`),
		CodeDuplicateID, stepMessage},
	{"a sign-in is in the Body", changes(asSOAP, asResponse), asSignIn, CodeLogoutMessage, stepMessage},
}
