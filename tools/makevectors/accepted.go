package main

import (
	"crypto"
	"strings"
)

// acceptedVectors are messages that must be accepted: the styles of identity providers, and the
// twins of what is refused.
func acceptedVectors() []vector {
	return []vector{
		{name: "entra", text: entra("", signature(slotAssertion, assertionID)),
			why: "As Microsoft Entra ID answers: default namespaces inside a prefixed Response, the assertion signed."},
		{name: "response-signed", text: entra(signature(slotResponse, responseID), ""),
			why: "Entra's option to sign the response: the assertion has no signature of its own and lies under that of the response."},
		{name: "both-signed", text: entra(signature(slotResponse, responseID), signature(slotAssertion, assertionID)),
			why: "Entra's option to sign both: the response's signature covers the assertion's."},
		{name: "prefixed", text: prefixed(),
			why: "All prefixes are declared in the root, so that exclusive canonicalization has to bring the used ones down, and only those."},
		{name: "prefix-list", text: withPrefixList("Transform"),
			why: "The PrefixList names prefixes that occur in values only; they are canonicalized as if they were used."},
		{name: "prefix-list-signed-info", text: withPrefixList("CanonicalizationMethod"),
			why: "SignedInfo is canonicalized with a PrefixList too."},
		{name: "prefix-list-default", from: "entra", change: swap(`<Transform Algorithm="`+exclusive+`"/>`,
			exclusiveTransform("#default absent")),
			why: "The PrefixList names the default namespace and a prefix that is not declared."},
		{name: "prefix-list-64", from: "entra", change: swap(`<Transform Algorithm="`+exclusive+`"/>`,
			exclusiveTransform(names(64))),
			why: "A PrefixList with as many names as are allowed."},
		{name: "with-comments", from: "entra",
			change: swapAll(`Algorithm="`+exclusive+`"`, `Algorithm="`+exclusive+`WithComments"`),
			why:    "Exclusive canonicalization with comments is the same where there are no comments."},
		{name: "pretty-printed", text: prettyPrinted(entra("", signature(slotAssertion, assertionID))),
			why: "White space between elements is signed with them."},
		{name: "line-ends", from: "pretty-printed", after: swapAll("\n", "\r\n"),
			why: "CR LF is read as LF, so the signature over LF holds."},
		{name: "signature-last", text: signatureLast(),
			why: "The Signature stands last in the assertion, against the schema's order, as Auth0 puts it."},
		{name: "no-key-info-two-keys", from: "entra", change: cut(keyInfo(slotAssertion)), key: idpB,
			header: header{"keys": certificateFile(idpA) + " " + certificateFile(idpB)},
			why:    "No KeyInfo, two trusted keys, and the second one signed: as during a change of keys."},
		{name: "key-info-of-all-kinds", from: "entra",
			change: swap(keyInfo(slotAssertion),
				`<KeyInfo Id="k"><KeyName>somebody</KeyName><KeyValue><RSAKeyValue><Modulus>AQAB</Modulus><Exponent>Aw==</Exponent></RSAKeyValue></KeyValue>`+
					`<X509Data><X509SubjectName>CN=nobody</X509SubjectName></X509Data><k:Other xmlns:k="urn:example:key" k:anything="goes"/></KeyInfo>`),
			why: "KeyInfo names other keys and foreign elements; it is not looked at."},
		{name: "expired-certificate", from: "entra", header: header{"keys": certificateFile(idpAExpired)},
			why: "The trusted certificate ended years ago; its key is trusted by configuration, not by date."},
		{name: "certificate-within-dates", from: "entra", header: header{"policy": "refuse_expired_certificates"},
			why: "The policy demands a certificate within its dates, and it is."},
		{name: "rsa-sha384", from: "entra", change: all(swap(rsaSHA256, dsigMore+"rsa-sha384"),
			swap(digestSHA256, dsigMore+"sha384")),
			why: "RSA and digest with SHA-384."},
		{name: "rsa-sha512", from: "entra", change: all(swap(rsaSHA256, dsigMore+"rsa-sha512"),
			swap(digestSHA256, nsXEnc+"sha512")),
			why: "RSA and digest with SHA-512."},
		{name: "ecdsa-p256", from: "entra", change: all(swap(rsaSHA256, dsigMore+"ecdsa-sha256"),
			cut(keyInfo(slotAssertion))), key: ec,
			byHand: &hand{value: signECDSA(crypto.SHA256, fixedLength)}, header: header{"keys": certificateFile(ec)},
			why: "ECDSA on P-256, the value in the form of XML Signature: r and s of 32 bytes each."},
		{name: "sha1-allowed", from: "entra", header: header{"policy": "allow_sha1"},
			change: all(swap(rsaSHA256, nsDSig+"rsa-sha1"), swap(digestSHA256, nsDSig+"sha1")),
			why:    "SHA-1 in signature and digest, with the policy that allows it."},
		{name: "only-these-algorithms", from: "entra", header: header{"policy": "only=" + dsigMore + "rsa-sha512 only=" +
			rsaSHA256 + " only=" + digestSHA256}, why: "The policy names the algorithms that are accepted, and these are."},
		{name: "only-a-digest", from: "entra", header: header{"policy": "only=" + digestSHA256},
			why: "The policy names a digest algorithm, so every signature algorithm is accepted."},

		{name: "byte-order-mark", from: "entra", after: put("\uFEFF", ""),
			why: "One byte order mark may lead."},
		{name: "xml-declaration", from: "entra",
			after: put(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+"\n", ""),
			why:   "An XML declaration of version 1.0 in UTF-8."},
		{name: "white-space-outside", from: "entra", after: padTo3n1,
			why: "White space may follow the root element."},
		{name: "cdata", from: "entra", change: all(
			swap(">"+nameID+"</NameID>", "><![CDATA[ada.lovelace]]>@example<![CDATA[.com]]></NameID>"),
			swap(">Ada Lovelace<", "><![CDATA[Ada <Lovelace> & Co]]><")),
			why: "Text in CDATA sections is text, whole and in order, and canonicalizes to escaped text."},
		{name: "character-references", from: "entra", change: all(
			swap(">"+nameID+"</NameID>", ">ada&#46;lovelace&#x40;example.com</NameID>"), swap(`"`+success+`"`,
				`"&#x75;rn:oasis:names:tc:SAML:2.0:status:Success"`)),
			why: "Character references stand for their characters in text and in attribute values."},
		{name: "unicode", from: "entra", change: swap(">Ada Lovelace<", ">Ádá Lovelace © \U0001F600<"),
			why: "Characters of two, three and four bytes."},
		{name: "replacement-character", from: "entra", change: swap(">Ada Lovelace<", ">Ada \uFFFD Lovelace<"),
			why: "U+FFFD is a character like others."},
		{name: "long-name-id", from: "entra", nameID: nameID + ".attacker.example",
			change: swapAll(">"+nameID+"<", ">"+nameID+".attacker.example<"),
			why:    "A NameID that begins with the address of somebody else."},
		{name: "fractions", from: "entra", change: all(swap(assertionIssued, "2026-03-10T09:29:58.1100000Z"),
			swap(notBefore, "2026-03-10T09:24:58.123456789012345678901234567890Z"), swap(authnInstant,
				"2026-03-10T09:29:55+00:00"), swap(notOnOrAfter, "2026-03-10T10:29:58-00:00")),
			why: "Fractions of seconds may have any number of digits, and UTC may be written as a zero offset."},
		{name: "offsets", from: "entra", change: all(swap(assertionIssued, "2026-03-10T10:29:58.11+01:00"),
			swap(notBefore, "2026-03-10T03:54:58.5-05:30"), swap(notOnOrAfter, "2026-03-10T12:29:58+02:00"),
			swap(deliverBefore, "2026-03-11T00:29:58+14:00"), swap(authnInstant, "2026-03-09T19:29:55-14:00"),
			swap(responseIssued, "2026-03-10T15:14:58.123+05:45")),
			why: "Times with an offset, up to the greatest ones, say the same as times in UTC."},
		{name: "hour-24", from: "entra", change: all(swap(notOnOrAfter, "2026-03-10T24:00:00Z"),
			swap(deliverBefore, "2026-03-10T24:00:00.000+01:00"), swap(authnInstant, "2026-03-09T24:00:00Z")),
			why: "24:00:00 is the midnight at the end of a day."},
		{name: "id-digit-first", from: "entra", change: all(swapAll(assertionID, assertionID[1:]),
			swap(`"`+responseID+`"`, `"`+responseID[1:]+`"`)),
			why: "The IDs are bare UUIDs, which begin with a digit, as several products write them."},
		{name: "id-all-characters", from: "entra", change: swapAll(assertionID, everyID),
			why: "An ID with every kind of character that one may have."},
		{name: "id-256", from: "response-signed", change: swapAll(responseID, longID),
			why: "An ID of the greatest length."},
		{name: "id-digit-first-response", from: "response-signed", change: all(swapAll(responseID, responseID[1:]),
			swapAll(assertionID, assertionID[1:])),
			why: "The IDs are bare UUIDs, and the Response is signed."},
		{name: "empty-attribute-statement", from: "entra", change: take("<AttributeStatement>", "</AttributeStatement>",
			func(statement string) edit { return swap(statement, "<AttributeStatement/>") }),
			why: "An AttributeStatement without an Attribute, as AWS IAM Identity Center sends it if only the Subject is mapped."},
		{name: "empty-context", from: "entra", change: swap("<AuthnContextClassRef>"+passwordContext+"<",
			"<AuthnContextClassRef><"),
			why: "An empty AuthnContextClassRef, where no class was asked for."},
		{name: "issuer-white-space", from: "entra", change: all(swap(`<Issuer>`+idpEntityID+`</Issuer>`,
			"<Issuer>\n\t"+idpEntityID+" \t</Issuer>"), swap(`xmlns="`+nsAssertion+`">`+idpEntityID+`</Issuer>`,
			`xmlns="`+nsAssertion+`"> `+idpEntityID+"&#13;\n</Issuer>")),
			why: "White space around the entity ID in both Issuers."},
		{name: "audience-white-space", from: "entra", change: swap("<Audience>"+redirectURL+"</Audience>",
			"<Audience>\n      "+redirectURL+"\n    </Audience>"),
			why: "White space around our entity ID in the Audience."},
		{name: "base64-white-space", from: "entra", after: all(swap("<SignatureValue>", "<SignatureValue>\n\t "),
			swap("</SignatureValue>", " \r\n</SignatureValue>"), swap("<X509Certificate>", "<X509Certificate>\n")),
			why: "White space around the base64 of the SignatureValue, which is not signed."},
		{name: "clocks-differ", from: "entra", change: all(swap(assertionIssued, withinSkew),
			swap(notBefore, withinSkew), swap(responseIssued, withinSkew), swap(authnInstant, withinSkew)),
			why: "The identity provider's clock is three minutes ahead."},
		{name: "ends-within-skew", from: "entra",
			change: all(swap(notOnOrAfter, notQuiteOver), swap(deliverBefore, notQuiteOver)),
			why:    "The ends have come, but less than three minutes ago."},
		{name: "day-old", from: "entra", change: all(swap(assertionIssued, notQuiteADay),
			swap(notBefore, notQuiteADay)),
			why: "An assertion that was issued nearly 24 hours (and three minutes) ago, and is still valid."},

		{name: "status-message", from: "entra",
			change: insertAfter(`"`+success+`"/>`, `<samlp:StatusMessage>signed in</samlp:StatusMessage>`),
			why:    "A StatusMessage beside success."},
		{name: "extensions", from: "entra",
			change: insertBefore("<samlp:Status>",
				`<samlp:Extensions><x:hint xmlns:x="urn:example:hint" x:level="1">text</x:hint></samlp:Extensions>`),
			why: "Foreign elements in Extensions."},
		{name: "namespace-of-256-bytes", from: "extensions",
			change: swap("urn:example:hint", "urn:"+strings.Repeat("n", 252)),
			why:    "A namespace name of the greatest length."},
		{name: "depth-64", from: "extensions", change: swap(">text<", ">"+nested(61)+"<"),
			why: "As many levels of elements as are allowed."},
		{name: "attributes-64", from: "extensions", change: swap(` x:level="1"`, numbered(64, ` a%d=""`)),
			why: "As many attributes in one element as are allowed."},
		{name: "declarations-32", from: "extensions",
			change: swap(` x:level="1"`, numbered(31, ` xmlns:n%d="urn:example:n"`)),
			why:    "As many namespace declarations in one element as are allowed."},
		{name: "elements-50000", from: "extensions", change: fillWithElements(50_000),
			why: "As many elements as are allowed."},
		{name: "advice", from: "entra",
			change: insertAfter("</Conditions>",
				`<Advice><AssertionIDRef>_other</AssertionIDRef><x:y xmlns:x="urn:example:advice"/></Advice>`),
			why: "Advice with a reference and a foreign element, which nobody has to heed."},
		{name: "one-time-use", from: "entra",
			change: insertAfter("</AudienceRestriction>",
				`<OneTimeUse/><ProxyRestriction Count="0"><Audience>https://proxy.example.com/</Audience></ProxyRestriction>`),
			why: "OneTimeUse, which every assertion is anyway, and ProxyRestriction, which does not concern a service."},
		{name: "audiences", from: "entra",
			change: swap("<AudienceRestriction>",
				"<AudienceRestriction><Audience>https://other.example.com/</Audience><Audience>"+redirectURL+"</Audience></AudienceRestriction><AudienceRestriction>"),
			why: "Two AudienceRestrictions, each of which names us, one among others."},
		{name: "confirmations", from: "entra",
			change: insertBefore("<SubjectConfirmation ",
				`<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>`+
					`<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData Recipient="https://other.example.com/acs" NotOnOrAfter="2026-03-10T10:29:58.004Z"/></SubjectConfirmation>`),
			why: "Other confirmations stand before the one that is for us."},
		{name: "attribute-values", from: "entra", change: insertBefore("</AttributeStatement>",
			attribute("groups", "a")+attribute("groups", "b")+attribute("empty")+
				attribute("eduPersonTargetedID",
					`<NameID Format="`+persistentFormat+`">opaque</NameID>`)+attribute("markup", `<x:b xmlns:x="urn:example:b">bold</x:b>`)),
			why: "A repeated Attribute, one without value, one with a NameID and one with foreign markup."},
		{name: "no-destination", from: "entra", change: cut(` Destination="` + redirectURL + `"`),
			why: "A Response that is not signed needs no Destination."},
		{name: "no-issuer-in-response", from: "entra",
			change: cut(`<Issuer xmlns="` + nsAssertion + `">` + idpEntityID + `</Issuer>`),
			why:    "The Response needs no Issuer where the assertion has one."},
		{name: "no-in-response-to-in-response", from: "entra", change: swap(` InResponseTo="`+requestID+`" xmlns`,
			" xmlns"),
			why: "The Response needs no InResponseTo where the SubjectConfirmationData has it."},
		{name: "former-redirect-url", from: "entra", header: header{"former_redirect_urls": formerURL,
			"former_entity_ids": formerURL}, change: swapAll(redirectURL, formerURL),
			why: "Destination, Recipient and Audience are a Redirect URL of the past, which was the entity ID too; both are still accepted."},
		{name: "former-recipient", from: "entra", header: header{"former_redirect_urls": formerURL},
			change: all(swap(` Destination="`+redirectURL, ` Destination="`+formerURL),
				swap(` Recipient="`+redirectURL, ` Recipient="`+formerURL)),
			why: "Destination and Recipient are a Redirect URL of the past that is still accepted; the Audience is our entity ID."},
		{name: "other-entity-id", from: "entra", header: header{"entity_id": "urn:example:console"},
			change: swap("<Audience>"+redirectURL, "<Audience>urn:example:console"),
			why:    "An entity ID that is not the Redirect URL."},
		{name: "former-entity-id", from: "other-entity-id",
			header: header{"former_entity_ids": "urn:example:old urn:example:older"}, change: swap("<Audience>urn:example:console", "<Audience>urn:example:older"),
			why: "The Audience is an entity ID of the past that is still accepted."},
		{name: "sp-name-qualifier", from: "entra",
			change: swap("<NameID ", `<NameID SPNameQualifier="`+redirectURL+`" NameQualifier="`+idpEntityID+`" `),
			why:    "The qualifiers are our entity ID and that of the identity provider."},
		{name: "former-sp-name-qualifier", from: "sp-name-qualifier",
			header: header{"former_redirect_urls": formerURL, "former_entity_ids": formerURL},
			change: swap(`SPNameQualifier="`+redirectURL,
				`SPNameQualifier="`+formerURL), why: "The NameID was made for us under an entity ID of the past that is still accepted."},
		{name: "any-name-id", from: "entra", header: header{"policy": "any_name_id"}, nameID: "Kx7h 0pq@@9/=",
			change: all(swap(emailFormat, persistentFormat), swap(">"+nameID+"</NameID>", ">Kx7h 0pq@@9/=</NameID>")),
			why:    "A persistent NameID that is no e-mail address, with the policy that allows it."},
		{name: "no-email-claim", from: "entra", change: cut(attribute(xmlsoc+"emailaddress", nameID)),
			why: "Without an emailaddress claim there is nothing that the NameID could disagree with."},
		{name: "name-id-white-space", from: "no-email-claim", change: swap(">"+nameID+"</NameID>",
			">\n  "+nameID+"\t&#13; </NameID>"),
			why: "White space around an e-mail address as NameID."},
		{name: "name-id-white-space-in-claim", from: "entra", change: all(swap(">"+nameID+"</NameID>",
			">"+nameID+" </NameID>"), swap(attribute(xmlsoc+"emailaddress", nameID), attribute(xmlsoc+"emailaddress", nameID+" "))),
			why: "A blank behind the address in the user's record, which is NameID and emailaddress claim."},
		{name: "international-email", from: "no-email-claim", header: header{"policy": "allow_international_email"},
			nameID: "\u0430\u0434\u0430@\u043f\u0440\u0438\u043c\u0435\u0440.example",
			change: swap(">"+nameID+"</NameID>",
				">\u0430\u0434\u0430@\u043f\u0440\u0438\u043c\u0435\u0440.example</NameID>"), why: "An e-mail address with characters beyond ASCII (RFC 6531), with the policy that allows it."},
		{name: "email-claim-case", from: "entra", change: swap(attribute(xmlsoc+"emailaddress", nameID),
			attribute(xmlsoc+"emailaddress", "Ada.Lovelace@Example.com")),
			why: "NameID and emailaddress claim differ in case only."},
		{name: "object-id", from: "entra", header: header{"policy": "require_object_id"},
			why: "The policy demands an object ID of the issuer's directory, and it is there."},
		{name: "signed-response-required", from: "both-signed", header: header{"policy": "require_signed_response"},
			why: "The policy demands a signature of the Response, and it is there, beside that of the assertion."},
		{name: "signed-response-required-alone", from: "response-signed",
			header: header{"policy": "require_signed_response"},
			why:    "The policy demands a signature of the Response, which is the only one."},
		{name: "application-id-in-issuer", from: "object-id",
			header: header{"idp_entity_id": idpEntityID +
				"c0ffee00-1111-4222-8333-444444444444"}, change: swapAll(idpEntityID, idpEntityID+"c0ffee00-1111-4222-8333-444444444444"),
			why: "The issuer ends in the ID of the application (Entra: Append application ID to issuer); its first path segment is the tenant ID still."},
		{name: "force-authn", from: "entra", header: header{"force_authn_at": "2026-03-10T09:29:00Z"},
			why: "A fresh sign-in was asked for, and the user signed in after that."},
		{name: "requested-context", from: "entra",
			header: header{"requested_context": certificateContext + " " + passwordContext},
			why:    "The user signed in by one of the methods that were asked for."},
		{name: "session-end", from: "entra", change: insertAfter(` SessionIndex="`+assertionID+`"`,
			` SessionNotOnOrAfter="2026-03-10T17:29:55Z"`),
			why: "The identity provider ends the session in eight hours."},
		{name: "unsolicited", from: "entra", header: header{"request_id": "-", "unsolicited": "yes",
			"policy": "accept_unsolicited"},
			change: swapAll(` InResponseTo="`+requestID+`"`, ""),
			why:    "A start at the identity provider, with the policy that accepts it."},
	}
}

// everyID has every kind of character that an ID may have, and longID the greatest length.
const everyID = "7:aZ.b_c-d+e/f0="

var longID = strings.Repeat("0123456789abcdef", 16)

func keyInfo(slot string) string {
	return `<KeyInfo><X509Data><X509Certificate>CERTIFICATE-` + slot + `</X509Certificate></X509Data></KeyInfo>`
}

func exclusiveTransform(prefixList string) string {
	return `<Transform Algorithm="` + exclusive + `"><InclusiveNamespaces xmlns="` + exclusive + `" PrefixList="` +
		prefixList + `"/></Transform>`
}

// withPrefixList gives the exclusive canonicalization in one place of the prefixed message a
// PrefixList.
func withPrefixList(where string) string {
	place := `<ds:` + where + ` Algorithm="` + exclusive + `"`
	list := `<ec:InclusiveNamespaces xmlns:ec="` + exclusive + `" PrefixList="xs xsi"/>`
	return strings.Replace(prefixed(), place+`/>`, place+`>`+list+`</ds:`+where+`>`, 1)
}

// names is a PrefixList of n names.
func names(n int) string { return strings.TrimSpace(numbered(n, "p%d ")) }

// prettyPrinted puts each element on a line, but for the leaves.
func prettyPrinted(message string) string { return strings.ReplaceAll(message, "><", ">\n  <") }

func signatureLast() string {
	s := signature(slotAssertion, assertionID)
	return strings.Replace(entra("", ""), "</Assertion>", s+"</Assertion>", 1)
}

// nested is a tower of n elements.
func nested(n int) string {
	return strings.Repeat("<x:n>", n) + strings.Repeat("</x:n>", n)
}

// fillWithElements brings a message with a hint to that many elements.
func fillWithElements(total int) edit {
	return func(text string) (string, error) {
		have := strings.Count(text, "<") - strings.Count(text, "</")
		return swap(">text<", `><y xmlns="urn:y">`+strings.Repeat("<a/>", total-have-1)+"</y><")(text)
	}
}

// padTo3n1 adds white space until base64 ends in two padding characters.
func padTo3n1(text string) (string, error) {
	text += "\r\n"
	for len(text)%3 != 1 {
		text += " "
	}
	return text, nil
}
