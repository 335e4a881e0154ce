package main

import "strings"

// shapeVectors break the rules of the message as a whole: each message is well-formed, and what it
// signs is signed well.
func shapeVectors() []vector {
	var list []vector
	for _, part := range [][]vector{responseVectors(), schemaVectors(), countVectors(), wrappingVectors(),
		idVectors(), statusVectors(), responseIssuerVectors()} {
		list = append(list, part...)
	}
	return list
}

func responseVectors() []vector {
	const instant = "response issue instant"
	root := `<samlp:Response ID="` + responseID + `" Version="2.0"`
	id := func(name, value, why string) vector {
		return vector{name: name, from: "entra", expect: "id_invalid", why: why,
			change: swap(`"`+responseID+`"`, `"`+value+`"`)}
	}
	return []vector{
		{name: "p19-bare-assertion", from: "entra", expect: "not_a_response", after: assertionIn,
			why: "An assertion alone, however well signed, is no answer."},
		{name: "p19-saml-1.1", from: "entra", expect: "not_a_response",
			change: swap(nsProtocol, "urn:oasis:names:tc:SAML:1.0:protocol"),
			why:    "A Response of SAML 1.1."},
		{name: "p19-no-namespace", from: "entra", expect: "not_a_response",
			change: swapAll("samlp:Response", "Response"),
			why:    "A Response in no namespace."},
		{name: "p19-logout-response", from: "entra", expect: "not_a_response",
			change: swapAll("samlp:Response", "samlp:LogoutResponse"),
			why:    "The message is a LogoutResponse."},
		{name: "p19-lower-case", from: "entra", expect: "not_a_response",
			change: swapAll("samlp:Response", "samlp:response"),
			why:    "Names of elements are compared with their case."},
		{name: "p19-soap", from: "entra", expect: "not_a_response",
			change: put(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`,
				`</s:Body></s:Envelope>`),
			why: "The Response stands in a SOAP envelope, as in the artifact binding."},
		{name: "p19-version-missing", from: "entra", expect: "version",
			change: swap(root, strings.TrimSuffix(root, ` Version="2.0"`)),
			why:    "The Response has no Version."},
		{name: "p19-version-1.1", from: "entra", expect: "version",
			change: swap(root, strings.Replace(root, "2.0", "1.1", 1)),
			why:    "The Response is of another version."},
		{name: "p19-version-2", from: "entra", expect: "version",
			change: swap(root, strings.Replace(root, "2.0", "2", 1)),
			why:    "2 is not 2.0."},
		{name: "p19-version-blank", from: "entra", expect: "version",
			change: swap(root, strings.Replace(root, "2.0", "2.0 ", 1)),
			why:    "A blank behind the version."},
		{name: "p19-id-missing", from: "entra", expect: "id_invalid", change: cut(` ID="` + responseID + `"`),
			why: "The Response has no ID."},
		{name: "p19-id-empty", from: "entra", expect: "id_invalid", change: swap(`"`+responseID+`"`, `""`),
			why: "The ID is empty."},
		id("p19-id-percent", "%5F"+responseID[1:], "A percent sign in the ID: readers of URIs make another ID of it."),
		id("p19-id-hash", "#"+responseID, "The ID begins with a number sign."),
		id("p19-id-ampersand", responseID+"&amp;x", "An ampersand in the ID."),
		id("p19-id-apostrophe", "r'"+responseID, "An apostrophe in the ID."),
		id("p19-id-quote", "r&quot;"+responseID, "A quotation mark in the ID."),
		id("p19-id-bracket", "element("+responseID+")", "Brackets in the ID: it reads like an XPointer."),
		id("p19-id-line-break", responseID+"&#10;", "A line break behind the ID."),
		id("p19-id-tilde", "~"+responseID, "A tilde is not among the characters of an ID."),
		id("p19-id-not-ascii", "é"+responseID, "A letter beyond ASCII in the ID."),
		{name: "p19-id-257", from: "id-256", expect: "id_invalid",
			change: swapAll(longID, longID+"a"),
			why:    "An ID of one character more than is allowed."},
		{name: "p19-id-other-case", from: "entra", expect: "id_invalid",
			change: swap(` ID="`+responseID+`"`, ` Id="`+responseID+`"`),
			why:    "The attribute is ID, not Id."},
		{name: "p19-issue-instant-missing", from: "entra", expect: "issue_instant", check: instant,
			change: cut(` IssueInstant="` + responseIssued + `"`),
			why:    "The Response has no IssueInstant."},
		{name: "p19-issue-instant-future", from: "entra", expect: "issue_instant", check: instant,
			change: swap(responseIssued, beyondSkew),
			why:    "The Response was issued in the future, just beyond the skew of three minutes."},
		{name: "p19-issue-instant-future-signed", from: "response-signed", expect: "issue_instant", check: instant,
			change: swap(responseIssued, beyondSkew),
			why:    "The signed Response was issued in the future, just beyond the skew of three minutes."},
	}
}

func schemaVectors() []vector {
	inside := func(name, place, what, why string) vector {
		return vector{name: name, from: "entra", expect: "schema", change: insertAfter(place, what), why: why}
	}
	hint := func(name, what, why string) vector {
		return vector{name: name, from: "extensions", expect: "schema",
			change: insertBefore("</samlp:Extensions>", what), why: why}
	}
	statement := func(name, what, why string) vector {
		return vector{name: name, from: "empty-attribute-statement", expect: "schema", why: why,
			change: swap("<AttributeStatement/>", "<AttributeStatement>"+what+"</AttributeStatement>")}
	}
	const status = `<samlp:Status><samlp:StatusCode Value="` + success + `"/></samlp:Status>`
	const issuer = `<Issuer>` + idpEntityID + `</Issuer>`
	const context = `<AuthnContextClassRef>` + passwordContext + `</AuthnContextClassRef>`
	return []vector{
		{name: "p20-no-status", from: "entra", expect: "schema", change: cut(status),
			why: "The Response has no Status."},
		{name: "p20-two-statuses", from: "entra", expect: "schema",
			change: swap(status, status+strings.Replace(status, success, requester, 1)),
			why:    "The Response has a Status of success and one of failure."},
		{name: "p20-status-after-assertion", from: "entra", expect: "schema",
			change: all(cut(status), insertAfter("</Assertion>", status)),
			why:    "The Status stands behind the assertion."},
		{name: "p20-no-issuer", from: "entra", expect: "schema", change: cut(issuer),
			why: "The Assertion has no Issuer."},
		{name: "p20-two-issuers", from: "entra", expect: "schema",
			change: swap(issuer, issuer+strings.Replace(issuer, idpEntityID, otherIDP, 1)),
			why:    "The Assertion has two Issuers."},
		{name: "p20-two-subjects", from: "entra", expect: "schema",
			change: insertAfter("</Subject>", "<Subject><NameID>mallory@example.com</NameID></Subject>"),
			why:    "The Assertion has two Subjects."},
		{name: "p20-subject-after-conditions", from: "entra", expect: "schema",
			change: take("<Subject>", "</Subject>", func(subject string) edit {
				return all(cut(subject), insertAfter("</Conditions>", subject))
			}), why: "The Subject stands behind the Conditions."},
		inside("p20-unknown-in-assertion", "</Conditions>", "<Assurance>high</Assurance>",
			"An element of the assertion namespace that does not exist."),
		inside("p20-unknown-in-response", "</samlp:Status>", "<samlp:Hint/>",
			"An element of the protocol namespace that does not exist."),
		inside("p20-foreign-in-assertion", "</Conditions>", `<x:y xmlns:x="urn:example:x"/>`,
			"A foreign element where the schema allows none."),
		inside("p20-foreign-in-response", "</samlp:Status>", `<x:y xmlns:x="urn:example:x"/>`,
			"A foreign element directly in the Response."),
		inside("p20-text-in-assertion", "</Conditions>", "text", "Text between the elements of the assertion."),
		inside("p20-text-in-response", "</samlp:Status>", "text", "Text between the elements of the Response."),
		inside("p20-cdata-in-assertion", "</Conditions>", "<![CDATA[ ]]>",
			"A CDATA section where only elements may stand, though it holds a blank."),
		statement("p20-value-in-statement", "<AttributeValue>x</AttributeValue>",
			"A value stands directly in an AttributeStatement without an Attribute."),
		statement("p20-text-in-statement", "none", "Text stands in an AttributeStatement without an Attribute."),
		statement("p20-foreign-in-statement", `<x:y xmlns:x="urn:example:x"/>`,
			"A foreign element stands in an AttributeStatement without an Attribute."),
		statement("p20-name-id-in-statement", "<NameID>mallory@example.com</NameID>",
			"A NameID stands in an AttributeStatement without an Attribute."),
		{name: "p20-empty-context", from: "empty-context", expect: "schema",
			change: cut("<AuthnContextClassRef></AuthnContextClassRef>"),
			why:    "An AuthnContext without content."},
		{name: "p20-element-in-context", from: "empty-context", expect: "schema",
			change: insertAfter("<AuthnContextClassRef>", `<x:y xmlns:x="urn:example:x"/>`),
			why:    "An AuthnContextClassRef holds text only."},
		inside("p20-no-namespace", "</Conditions>", `<Advice xmlns=""/>`,
			"An element has the name of one of SAML, and no namespace."),
		inside("p20-two-contexts", "</AuthnContext>", "<AuthnContext>"+context+"</AuthnContext>",
			"An AuthnStatement with two contexts."),
		{name: "p20-no-context", from: "entra", expect: "schema",
			change: cut("<AuthnContext>" + context + "</AuthnContext>"),
			why:    "An AuthnStatement without a context."},
		{name: "p20-no-audience", from: "entra", expect: "schema",
			change: cut("<Audience>" + redirectURL + "</Audience>"),
			why:    "An AudienceRestriction without an Audience."},
		{name: "p20-element-in-audience", from: "entra", expect: "schema",
			change: swap("<Audience>"+redirectURL+"</Audience>",
				`<Audience>`+redirectURL+`<x:y xmlns:x="urn:example:x"/></Audience>`),
			why: "An Audience holds text only."},
		hint("p20-protocol-in-extensions", "<samlp:Status/>", "Extensions hold elements of other namespaces only."),
		hint("p20-unnamed-in-extensions", "<hint/>", "Extensions hold elements of a namespace."),
		hint("p20-unknown-saml-in-extensions", `<a:Future xmlns:a="`+nsAssertion+`"/>`,
			"An element of the assertion namespace that does not exist, in Extensions."),
		hint("p20-unknown-dsig-in-extensions", `<d:Sign xmlns:d="`+nsDSig+`"/>`,
			"An element of the signature namespace that does not exist, in Extensions."),
		hint("p20-unknown-xenc-in-extensions", `<e:Plain xmlns:e="`+nsXEnc+`"/>`,
			"An element of the encryption namespace that does not exist, in Extensions."),
	}
}

const evilAssertionStart = `<Assertion ID="` + evilID + `" IssueInstant="` + assertionIssued +
	`" Version="2.0" xmlns="` + nsAssertion + `">`

// smallAssertion is a second assertion.
const smallAssertion = evilAssertionStart + `<Issuer>` + idpEntityID +
	`</Issuer><Subject><NameID>mallory@example.com</NameID></Subject></Assertion>`

const encryptedAssertion = `<EncryptedAssertion xmlns="` + nsAssertion + `"><xenc:EncryptedData xmlns:xenc="` +
	nsXEnc + `" Type="` + nsXEnc + `Element">` +
	`<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/><xenc:CipherData><xenc:CipherValue>AAAA</xenc:CipherValue></xenc:CipherData>` +
	`</xenc:EncryptedData></EncryptedAssertion>`

func countVectors() []vector {
	const present = "assertion present"
	second := func(name string, change edit, why string) vector {
		return vector{name: name, from: "entra", expect: "assertion_count", change: change, why: why}
	}
	return []vector{
		{name: "p21-none", from: "response-signed", expect: "assertion_count", check: present, change: cutAssertion,
			why: "A signed answer of success without an assertion."},
		{name: "p21-encrypted", from: "response-signed", expect: "encrypted_assertion", check: present,
			change: all(cutAssertion, insertAfter("</samlp:Status>", encryptedAssertion)),
			why:    "The assertion is encrypted, and no key to decrypt it with is configured."},
		{name: "p27-in-encrypted-assertion", from: "response-signed", expect: "signature_placement", judge: someValid,
			change: all(cutAssertion, insertAfter("</samlp:Status>",
				strings.Replace(encryptedAssertion, "</EncryptedAssertion>",
					`<Signature xmlns="`+nsDSig+`"/></EncryptedAssertion>`, 1))),
			why: "A Signature stands directly in an EncryptedAssertion: what is encrypted is signed inside."},
		second("p21-encrypted-and-plain", insertAfter("</Assertion>", encryptedAssertion),
			"One assertion in the clear and one that is encrypted."),
		second("p21-second-before", insertAfter("</samlp:Status>", smallAssertion),
			"An unsigned assertion stands before the signed one."),
		second("p21-second-after", insertAfter("</Assertion>", smallAssertion),
			"An unsigned assertion stands behind the signed one."),
		{name: "p21-both-signed-by-response", from: "response-signed", expect: "assertion_count",
			change: insertAfter("</Assertion>", smallAssertion),
			why:    "Two assertions, both under the good signature of the response: which one is meant?"},
		second("p21-in-advice", insertAfter("</Conditions>", "<Advice>"+smallAssertion+"</Advice>"),
			"An assertion in the Advice of the signed one."),
		second("p21-in-attribute-value", insertAfter("<AttributeStatement>", attribute("x", smallAssertion)),
			"An assertion in the value of an attribute."),
		second("p21-in-confirmation-data",
			swap(`Recipient="`+redirectURL+`"/>`,
				`Recipient="`+redirectURL+`">`+smallAssertion+`</SubjectConfirmationData>`),
			"An assertion in the SubjectConfirmationData."),
		second("p21-in-status-detail",
			insertAfter(`"`+success+`"/>`,
				"<samlp:StatusDetail>"+smallAssertion+"</samlp:StatusDetail>"), "An assertion in the StatusDetail."),
		second("p21-in-extensions",
			insertBefore("<samlp:Status>",
				"<samlp:Extensions>"+smallAssertion+"</samlp:Extensions>"), "An assertion in the Extensions."),
		second("p21-in-foreign-element",
			insertBefore("<samlp:Status>",
				`<samlp:Extensions><x:y xmlns:x="urn:example:x">`+smallAssertion+`</x:y></samlp:Extensions>`),
			"An assertion in a foreign element in the Extensions."),
		second("p21-in-key-info", insertBefore("</KeyInfo>", smallAssertion),
			"An assertion in the KeyInfo, which no signature covers."),
		second("p21-in-object", insertAfter("</KeyInfo>", "<Object>"+smallAssertion+"</Object>"),
			"An assertion in an Object of the signature."),
		{name: "p21-only-hidden", from: "entra", expect: "assertion_count",
			after: take("<Assertion ", "</Assertion>", func(assertion string) edit {
				return all(cut(assertion),
					insertBefore("<samlp:Status>", "<samlp:Extensions>"+assertion+"</samlp:Extensions>"))
			}), why: "The only assertion, well signed, stands in the Extensions."},
	}
}

var cutAssertion = cutElement("<Assertion ", "</Assertion>")

// forged is the assertion of a message as an attacker wants it: another ID, another subject, no
// signature.
func forged(text string) (string, error) {
	assertion, err := assertionIn(text)
	if err != nil {
		return "", err
	}
	if signature, err := signatureIn(assertion); err == nil {
		assertion = strings.Replace(assertion, signature, "", 1)
	}
	return strings.NewReplacer(`ID="`+assertionID, `ID="`+evilID, nameID, "mallory@example.com").Replace(assertion), nil
}

// wrap builds a message in which the signed element stays as it was, and another one stands where
// it is looked for: to gets the signed assertion without its signature, the signature, and the
// forged assertion.
func wrap(to func(original, signature, evil string) string) edit {
	return func(text string) (string, error) {
		assertion, err := assertionIn(text)
		if err != nil {
			return "", err
		}
		signature, err := signatureIn(assertion)
		if err != nil {
			return "", err
		}
		evil, err := forged(text)
		if err != nil {
			return "", err
		}
		return swap(assertion, to(strings.Replace(assertion, signature, "", 1), signature, evil))(text)
	}
}

// wrappingVectors are the signature wrapping attacks of Somorovsky et al., "On Breaking SAML"
// (USENIX Security 2012). In each one the signature verifies over an element that a careless reader
// does not read. Where the signed element stands in its own signature, that is so for verifiers
// only that take it out first; xmlsec1 is none of them.
func wrappingVectors() []vector {
	const issuer = `<Issuer>` + idpEntityID + `</Issuer>`
	inSignature := func(signature, what string) string {
		return strings.Replace(signature, "</KeyInfo>", "</KeyInfo><Object>"+what+"</Object>", 1)
	}
	attack := func(name string, j judge, to func(original, signature, evil string) string, why string) vector {
		return vector{name: name, from: "entra", expect: "assertion_count", after: wrap(to), judge: j, why: why}
	}
	return []vector{
		{name: "p21-wrapping-1", from: "response-signed", expect: "assertion_count",
			after: wrapResponse(func(original, signature, evil string) string {
				return strings.Replace(evil, "</Issuer>", "</Issuer>"+inSignature(signature, original), 1)
			}), judge: beyond, why: "The signed Response stands in an Object of its signature, which stands in a forged Response."},
		{name: "p21-wrapping-2", from: "response-signed", expect: "assertion_count",
			after: wrapResponse(func(original, signature, evil string) string {
				return strings.Replace(evil, "</Issuer>",
					"</Issuer><samlp:Extensions>"+original+"</samlp:Extensions>"+signature, 1)
			}), why: "The signed Response stands in the Extensions of a forged Response, beside its signature."},
		attack("p21-wrapping-3", allValid,
			func(o, s, evil string) string { return evil + strings.Replace(o, issuer, issuer+s, 1) },
			"A forged assertion stands before the signed one."),
		attack("p21-wrapping-4", allValid, func(o, s, evil string) string {
			return strings.Replace(evil, "</Assertion>", strings.Replace(o, issuer, issuer+s, 1)+"</Assertion>", 1)
		}, "The signed assertion stands in a forged one."),
		attack("p21-wrapping-5", allValid,
			func(o, s, evil string) string { return strings.Replace(evil, issuer, issuer+s, 1) + o },
			"The forged assertion carries the signature of the real one, which stands at the end."),
		attack("p21-wrapping-6", beyond, func(o, s, evil string) string {
			return strings.Replace(evil, issuer, issuer+strings.Replace(s, "</SignedInfo>", "</SignedInfo>"+o, 1), 1)
		}, "The forged assertion carries the signature of the real one, which stands in the signature itself."),
		attack("p21-wrapping-7", allValid, func(o, s, evil string) string {
			return "<samlp:Extensions>" + evil + "</samlp:Extensions>" + strings.Replace(o, issuer, issuer+s, 1)
		}, "A forged assertion stands in Extensions before the real one."),
		attack("p21-wrapping-8", beyond,
			func(o, s, evil string) string { return strings.Replace(evil, issuer, issuer+inSignature(s, o), 1) },
			"The forged assertion carries the signature of the real one, which stands in an Object of the signature."),
	}
}

// wrapResponse is wrap for a signed Response.
func wrapResponse(to func(original, signature, evil string) string) edit {
	return func(text string) (string, error) {
		signature, err := signatureIn(text)
		if err != nil {
			return "", err
		}
		original := strings.Replace(text, signature, "", 1)
		evil := strings.NewReplacer(`ID="`+responseID, `ID="`+evilID, assertionID, "_evil", nameID,
			"mallory@example.com").Replace(original)
		return to(original, signature, evil), nil
	}
}

func idVectors() []vector {
	return []vector{
		{name: "p22-response-and-assertion", from: "entra", expect: "duplicate_id",
			after: swap(`"`+responseID+`"`, `"`+assertionID+`"`), judge: beyond,
			why: "Response and Assertion have the same ID: which one is signed?"},
		{name: "p22-by-reference", from: "entra", expect: "duplicate_id",
			after: swap(`"`+responseID+`"`, `"&#95;`+assertionID[1:]+`"`), judge: beyond,
			why: "Response and Assertion have the same ID, one of them written by a character reference."},
		{name: "p22-extension-and-assertion", from: "extensions", expect: "duplicate_id",
			change: insertBefore(` x:level="1"`, ` ID="`+assertionID+`"`),
			why:    "A foreign element before the Assertion has its ID."},
		{name: "p22-value-and-assertion", from: "entra", expect: "duplicate_id",
			change: insertAfter("<AttributeStatement>",
				attribute("x", `<x:y xmlns:x="urn:example:x" ID="`+assertionID+`"/>`)),
			why: "A foreign element inside the Assertion has its ID."},
		{name: "p22-key-info-and-assertion", from: "entra", expect: "duplicate_id",
			change: insertBefore("</KeyInfo>", `<x:y xmlns:x="urn:example:x" ID="`+assertionID+`"/>`),
			why:    "A foreign element in the KeyInfo has the ID of the Assertion."},
		{name: "p22-two-foreign-elements", from: "extensions", expect: "duplicate_id",
			change: insertBefore("</samlp:Extensions>",
				`<x:a xmlns:x="urn:example:x" ID="_a"/><x:b xmlns:x="urn:example:x" ID="_a"/>`),
			why: "Two foreign elements have the same ID."},
	}
}

func statusVectors() []vector {
	const check = "status"
	value := func(name, from, status, why string) vector {
		return vector{name: name, from: from, expect: "status", check: check,
			change: swap(`"`+success+`"`, `"`+status+`"`), why: why}
	}
	refusal := all(cutAssertion, swap(`<samlp:StatusCode Value="`+success+`"/>`,
		`<samlp:StatusCode Value="`+requester+`">`+
			`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:RequestUnsupported"/></samlp:StatusCode>`+
			`<samlp:StatusMessage>AADSTS75011: Authentication method by which the user authenticated with the service doesn't match requested authentication method.</samlp:StatusMessage>`))
	return []vector{
		{name: "c23-refusal", from: "entra", expect: "status", check: check, change: refusal, judge: noSignature,
			why: "The identity provider refuses: no assertion, no signature."},
		{name: "c23-refusal-signed", from: "response-signed", expect: "status", check: check, change: refusal,
			why: "The identity provider refuses and signs its refusal."},
		{name: "c23-no-passive", from: "entra", expect: "no_passive", check: check,
			change: swap(`<samlp:StatusCode Value="`+success+`"/>`, `<samlp:StatusCode Value="`+requester+
				`"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:NoPassive"/></samlp:StatusCode>`),
			why: "The user must not be asked, although there is a good assertion."},
		value("c23-requester", "entra", requester, "The status is a failure, although there is a good assertion."),
		value("c23-responder-signed", "response-signed", "urn:oasis:names:tc:SAML:2.0:status:Responder",
			"The status is a failure, under the signature, although there is a good assertion."),
		value("c23-blank", "entra", success+" ", "A blank behind the status."),
		value("c23-other-case", "entra", strings.ToLower(success), "The status is compared with its case."),
		value("c23-empty", "entra", "", "The status code is empty."),
		{name: "c23-no-value", from: "entra", expect: "status", check: check, change: cut(` Value="` + success + `"`),
			why: "The status code has no value."},
		{name: "c23-success-below-requester", from: "entra", expect: "status", check: check,
			change: swap(`<samlp:StatusCode Value="`+success+`"/>`,
				`<samlp:StatusCode Value="`+requester+`"><samlp:StatusCode Value="`+success+`"/></samlp:StatusCode>`),
			why: "Success stands on the second level; the first one counts."},
		{name: "c23-two-codes", from: "entra", expect: "schema",
			change: insertAfter(`"`+success+`"/>`, `<samlp:StatusCode Value="`+requester+`"/>`),
			why:    "A status has exactly one top-level code."},
	}
}

func responseIssuerVectors() []vector {
	issuer := func(name, from, before, after, why string) vector {
		const place = `<Issuer xmlns="` + nsAssertion + `">` + idpEntityID + `</Issuer>`
		return vector{name: name, from: from, expect: "response_issuer", check: "response issuer",
			change: swap(place, strings.Replace(place, before, after, 1)), why: why}
	}
	return []vector{
		issuer("c24-other", "entra", idpEntityID, otherIDP, "The Response comes from another identity provider."),
		issuer("c24-other-signed", "response-signed", idpEntityID, otherIDP,
			"The signed Response says that it comes from another identity provider."),
		issuer("c24-no-slash", "entra", idpEntityID, strings.TrimSuffix(idpEntityID, "/"),
			"The final slash is missing: entity IDs are compared byte for byte."),
		issuer("c24-other-case", "entra", "https://sts", "https://STS", "Entity IDs are compared with their case."),
		issuer("c24-no-break-space", "entra", "</Issuer>", "\u00A0</Issuer>",
			"A no-break space behind the entity ID is no white space of XML."),
		issuer("c24-two", "entra", "</Issuer>", " "+otherIDP+"</Issuer>", "Two entity IDs in one Issuer."),
		issuer("c24-empty", "entra", idpEntityID, "", "The Issuer is empty."),
		issuer("c24-format", "entra", `<Issuer `, `<Issuer Format="`+persistentFormat+`" `,
			"The Format of an Issuer is entity or absent."),
	}
}
