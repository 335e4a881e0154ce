package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"
)

// signatureVectors break the rules of the signature.
func signatureVectors() []vector {
	var list []vector
	for _, part := range [][]vector{coverVectors(), placementVectors(), structureVectors(), referenceVectors(),
		transformVectors(), algorithmVectors(),
		keyInfoVectors(), digestVectors(), certificateVectors()} {
		list = append(list, part...)
	}
	return list
}

func coverVectors() []vector {
	changed := func(name, from, before, after, why string) vector {
		return vector{name: name, from: from, expect: "digest", after: swap(before, after), judge: broken, why: why}
	}
	return []vector{
		{name: "p26-unsigned", from: "entra", expect: "unsigned", change: cut(signature(slotAssertion, assertionID)),
			judge: noSignature,
			why:   "Nothing is signed."},
		{name: "p26-attacker", from: "entra", expect: "signature", key: attacker,
			why: "Somebody else's key signed, whose certificate stands in the KeyInfo."},
		{name: "p26-attacker-signs-response", from: "response-signed", expect: "signature", key: attacker,
			why: "Somebody else's key signed the Response."},
		changed("p26-name-id-changed", "entra", ">"+nameID+"</NameID>", ">grace.hopper@example.com</NameID>",
			"The NameID was changed after signing."),
		changed("p26-group-added", "entra", "</AttributeStatement>",
			attribute("groups", "administrators")+"</AttributeStatement>", "An attribute was added after signing."),
		changed("p26-white-space-added", "entra", "<Conditions ", " <Conditions ",
			"A blank was added between signed elements."),
		changed("p26-name-id-in-signed-response", "response-signed", ">"+nameID+"</NameID>",
			">grace.hopper@example.com</NameID>", "The NameID was changed under the signature of the Response."),
		{name: "p26-digest-made-to-fit", from: "entra", expect: "signature", after: forgeDigest, judge: broken,
			why: "The NameID was changed and the DigestValue made to fit; SignedInfo is no longer what was signed."},
		{name: "p26-response-unsigned", from: "signed-response-required", expect: "unsigned",
			check: "response signed", change: cut(signature(slotResponse, responseID)),
			why: "The policy demands a signature of the Response, and the assertion alone is signed."},
		{name: "p26-value-changed", from: "entra", expect: "signature", after: changeValue, judge: broken,
			why: "The SignatureValue was changed."},
		{name: "p26-value-cut-off", from: "entra", expect: "signature",
			after: editValue(func(v []byte) []byte { return v[:len(v)-1] }), judge: broken,
			why: "The SignatureValue is one byte too short."},
		{name: "p26-value-longer", from: "entra", expect: "signature",
			after: editValue(func(v []byte) []byte { return append([]byte{0}, v...) }), judge: beyond,
			why: "A zero byte stands before the SignatureValue."},
	}
}

// withoutFirstSignature takes off that of the Response.
var withoutFirstSignature = take("<Signature ", "</Signature>", cut)

// editValue changes the bytes of the first SignatureValue.
func editValue(change func([]byte) []byte) edit {
	return func(text string) (string, error) {
		old, value, err := signatureValue(text)
		if err != nil {
			return "", err
		}
		return swap(old, base64.StdEncoding.EncodeToString(change(value)))(text)
	}
}

// signatureValue gives the first SignatureValue as it stands there and decoded.
func signatureValue(text string) (string, []byte, error) {
	element, err := part(text, "<SignatureValue>", "</SignatureValue>")
	if err != nil {
		return "", nil, err
	}
	encoded := strings.TrimSuffix(strings.TrimPrefix(element, "<SignatureValue>"), "</SignatureValue>")
	value, err := base64.StdEncoding.DecodeString(encoded)
	return encoded, value, err
}

var changeValue = editValue(func(v []byte) []byte {
	v[len(v)/2] ^= 1
	return v
})

// forgeDigest changes the NameID and writes the digest of what results. The SignatureValue stays.
func forgeDigest(text string) (string, error) {
	encoded, value, err := signatureValue(text)
	if err != nil {
		return "", err
	}
	text, err = all(swap(">"+nameID+"</NameID>", ">grace.hopper@example.com</NameID>"), swap(encoded, "VALUE-A"),
		take("<DigestValue>", "</DigestValue>",
			func(old string) edit { return swap(old, "<DigestValue>DIGEST-A</DigestValue>") }))(text)
	if err != nil {
		return "", err
	}
	keep := &hand{value: func(crypto.Signer, []byte) ([]byte, error) { return value, nil }}
	return keep.sign(text, slotAssertion, nil)
}

func placementVectors() []vector {
	moved := func(name, from string, to func(signature string) edit, why string) vector {
		return vector{name: name, from: from, expect: "signature_placement", after: moveSignature(to), why: why}
	}
	both := func(name, expect string, between, after edit, why string) vector {
		return vector{name: name, from: "both-signed", expect: expect, between: between, after: after,
			judge: someValid, why: why}
	}
	return []vector{
		moved("p27-in-extensions", "entra", func(s string) edit {
			return insertBefore("<samlp:Status>", "<samlp:Extensions>"+s+"</samlp:Extensions>")
		}, "The good signature of the assertion stands in the Extensions."),
		moved("p27-in-status-detail", "entra", func(s string) edit {
			return insertAfter(`"`+success+`"/>`, "<samlp:StatusDetail>"+s+"</samlp:StatusDetail>")
		}, "The good signature of the assertion stands in the StatusDetail."),
		moved("p27-in-subject", "entra", func(s string) edit { return insertAfter("<Subject>", s) },
			"The good signature of the assertion stands in its Subject."),
		moved("p27-in-advice", "entra",
			func(s string) edit {
				return insertAfter("</Conditions>",
					"<Advice>"+s+"</Advice>")
			}, "The good signature of the assertion stands in its Advice.").judged(broken),
		moved("p27-in-attribute-value", "entra",
			func(s string) edit { return insertAfter("<AttributeStatement>", attribute("x", s)) },
			"The good signature of the assertion stands in the value of an attribute.").judged(broken),
		moved("p27-in-foreign-element", "response-signed", func(s string) edit {
			return insertBefore("<samlp:Status>",
				`<samlp:Extensions><x:y xmlns:x="urn:example:x">`+s+`</x:y></samlp:Extensions>`)
		}, "The good signature of the Response stands deeper than directly in it.").judged(broken),
		{name: "p27-in-key-info", from: "entra", expect: "signature_placement",
			after: take("<Signature ", "</Signature>", func(s string) edit {
				return insertBefore("</KeyInfo>", s)
			}), judge: someValid, why: "A second signature stands in the KeyInfo of the first."},
		{name: "p27-two-in-assertion", from: "entra", expect: "signature_placement",
			after: take("<Signature ", "</Signature>", func(s string) edit {
				return insertAfter(s, strings.Replace(s, `URI="#`, `URI="#x`, 1))
			}), judge: broken, why: "The assertion has two signatures."},
		{name: "p27-two-in-response", from: "response-signed", expect: "signature_placement",
			change: insertAfter("</samlp:Status>", signature(slotAssertion, assertionID)),
			why:    "The Response has two signatures: its own, and one of the assertion."},
		both("p27-response-broken", "digest", nil, swap(responseIssued, "2026-03-10T09:29:58.124Z"),
			"The assertion's signature is good, the Response's does not fit any more."),
		both("p27-assertion-broken", "digest", swap(">Ada Lovelace<", ">Ada Byron<"), nil,
			"The Response's signature is good and covers the assertion, whose own signature does not fit."),
		both("p27-response-value-changed", "signature", nil, changeValue,
			"The assertion's signature is good, the value of the Response's is not."),
		{name: "p27-assertion-by-attacker", from: "both-signed", expect: "signature", key: attacker, responseKey: idpA,
			why: "The Response's signature is good, the assertion's was made by somebody else's key."},
		{name: "p27-response-by-attacker", from: "both-signed", expect: "signature", key: idpA, responseKey: attacker,
			why: "The assertion's signature is good, the Response's was made by somebody else's key."},
	}
}

// judged says that xmlsec1 is of another opinion.
func (r vector) judged(j judge) vector {
	r.judge = j
	return r
}

func structureVectors() []vector {
	const (
		sha256Method = `<DigestMethod Algorithm="` + digestSHA256 + `"/>`
		c14nMethod   = `<CanonicalizationMethod Algorithm="` + exclusive + `"/>`
		rsaMethod    = `<SignatureMethod Algorithm="` + rsaSHA256 + `"/>`
		value        = `<SignatureValue>VALUE-A</SignatureValue>`
		digest       = `<DigestValue>DIGEST-A</DigestValue>`
	)
	reference, _ := part(signature(slotAssertion, assertionID), "<Reference ", "</Reference>")
	// Signed by hand, because xmlsec1 refuses to sign such structures.
	odd := func(name string, change edit, why string) vector {
		return vector{name: name, from: "entra", expect: "signature_structure", change: change, byHand: plainHand,
			judge: beyond, why: why}
	}
	return []vector{
		{name: "p28-object", from: "entra", expect: "signature_structure",
			change: insertAfter("</KeyInfo>", "<Object>anything</Object>"),
			why:    "The signature holds an Object, where things hide."},
		{name: "p28-two-references", from: "entra", expect: "signature_structure",
			change: swap(reference, reference+strings.Replace(reference, assertionID, responseID, 1)),
			why:    "SignedInfo has two References, both good."},
		{name: "p28-same-reference-twice", from: "entra", expect: "signature_structure",
			change: swap(reference, reference+reference),
			why:    "SignedInfo has the same Reference twice."},
		odd("p28-no-reference", cut(reference), "SignedInfo refers to nothing."),
		odd("p28-no-c14n-method", cut(c14nMethod), "SignedInfo has no CanonicalizationMethod."),
		odd("p28-no-signature-method", cut(rsaMethod), "SignedInfo has no SignatureMethod."),
		odd("p28-other-order", all(cut(c14nMethod), insertAfter(rsaMethod, c14nMethod)),
			"The methods in SignedInfo stand in the wrong order."),
		odd("p28-unknown-in-signed-info", insertAfter(rsaMethod, "<Strength>high</Strength>"),
			"SignedInfo holds an unknown element of the signature namespace."),
		odd("p28-foreign-in-signed-info", insertAfter(rsaMethod, `<x:y xmlns:x="urn:example:x"/>`),
			"SignedInfo holds a foreign element."),
		odd("p28-text-in-signed-info", insertAfter(rsaMethod, "text"), "SignedInfo holds text.").judged(allValid),
		odd("p28-hmac-output-length",
			swap(rsaMethod, `<SignatureMethod Algorithm="`+rsaSHA256+`"><HMACOutputLength>8</HMACOutputLength></SignatureMethod>`),
			"A HMACOutputLength would cut the signature down to eight bits.").judged(allValid),
		odd("p28-signature-method-without-algorithm", swap(rsaMethod, "<SignatureMethod/>"),
			"The SignatureMethod names no algorithm."),
		odd("p28-digest-method-without-algorithm", swap(sha256Method, "<DigestMethod/>"),
			"The DigestMethod names no algorithm."),
		odd("p28-digest-method-parameter",
			swap(sha256Method, `<DigestMethod Algorithm="`+digestSHA256+`"><x:y xmlns:x="urn:example:x"/></DigestMethod>`), "The DigestMethod has a parameter.").judged(allValid),
		odd("p28-no-digest-value", cut(digest), "The Reference has no DigestValue."),
		odd("p28-two-digest-values", swap(digest, digest+digest), "The Reference has two DigestValues."),
		odd("p28-element-in-digest-value",
			swap(digest, `<DigestValue>DIGEST-A<x:y xmlns:x="urn:example:x"/></DigestValue>`), "The DigestValue holds an element.").judged(allValid),
		odd("p28-digest-value-no-base64", swap(digest, `<DigestValue>*DIGEST-A</DigestValue>`),
			"The DigestValue is no base64."),
		{name: "p28-no-signed-info", from: "entra", expect: "signature_structure",
			after: cutElement("<SignedInfo>", "</SignedInfo>"), judge: beyond, why: "There is no SignedInfo."},
		{name: "p28-two-signed-infos", from: "entra", expect: "signature_structure",
			after: take("<SignedInfo>", "</SignedInfo>", func(info string) edit {
				return insertAfter(info, strings.Replace(info, assertionID, evilID, 1))
			}), judge: beyond, why: "A second SignedInfo refers to something else."},
		{name: "p28-signed-info-last", from: "entra", expect: "signature_structure",
			after: take("<SignedInfo>", "</SignedInfo>", func(info string) edit {
				return all(cut(info), insertAfter("</KeyInfo>", info))
			}), judge: beyond, why: "SignedInfo stands behind SignatureValue and KeyInfo."},
		{name: "p28-no-value", from: "entra", expect: "signature_structure", change: cut(value), judge: beyond,
			why: "There is no SignatureValue."},
		{name: "p28-empty-value", from: "entra", expect: "signature_structure",
			after: editValue(func([]byte) []byte { return nil }), judge: beyond,
			why: "The SignatureValue is empty."},
		{name: "p28-two-values", from: "entra", expect: "signature_structure",
			after: insertAfter("</SignatureValue>", "<SignatureValue>AAAA</SignatureValue>"), judge: beyond,
			why: "There are two SignatureValues."},
		{name: "p28-value-no-base64", from: "entra", expect: "signature_structure",
			after: insertAfter("<SignatureValue>", "*"), judge: beyond,
			why: "The SignatureValue has a character that is no base64, which tolerant decoders skip."},
		{name: "p28-element-in-value", from: "entra", expect: "signature_structure",
			after: insertBefore("</SignatureValue>", `<x:y xmlns:x="urn:example:x"/>`), judge: allValid,
			why: "The SignatureValue holds an element."},
		{name: "p28-two-key-infos", from: "entra", expect: "signature_structure",
			after: insertAfter("</KeyInfo>", "<KeyInfo><KeyName>other</KeyName></KeyInfo>"), judge: beyond,
			why: "There are two KeyInfos."},
		{name: "p28-key-info-first", from: "entra", expect: "signature_structure",
			after: take("<KeyInfo>", "</KeyInfo>", func(info string) edit {
				return all(cut(info), insertBefore("<SignatureValue>", info))
			}), judge: beyond, why: "KeyInfo stands before the SignatureValue."},
		{name: "p28-text-in-signature", from: "entra", expect: "signature_structure",
			after: insertBefore("<SignatureValue>", "text"),
			why:   "Text stands between the elements of the signature."},
		{name: "p28-empty", from: "entra", expect: "signature_structure",
			change: swap(signature(slotAssertion, assertionID), `<Signature xmlns="`+nsDSig+`"/>`), judge: beyond,
			why: "The signature is empty."},
	}
}

func referenceVectors() []vector {
	other := func(name, uri, why string) vector {
		return vector{name: name, from: "entra", expect: "reference_uri", change: swap(`URI="#`+assertionID+`"`, uri),
			why: why}
	}
	// Signed by hand, because xmlsec1 would look for the element elsewhere.
	byHand := func(name, uri, why string) vector {
		r := other(name, uri, why)
		r.byHand, r.judge = plainHand, beyond
		return r
	}
	return []vector{
		other("p29-empty", `URI=""`, "An empty URI stands for the whole document, not for the assertion."),
		byHand("p29-missing", `Id="r"`, "Without URI the application has to know what was signed."),
		other("p29-response", `URI="#`+responseID+`"`, "The assertion's signature refers to the Response around it."),
		other("p29-xpointer-id", `URI="#xpointer(id('`+assertionID+`'))"`, "An XPointer instead of # and the ID."),
		other("p29-xpointer-root", `URI="#xpointer(/)"`, "An XPointer to the root."),
		byHand("p29-no-hash", `URI="`+assertionID+`"`, "The # is missing: this is a relative address."),
		byHand("p29-external", `URI="https://attacker.example/assertion.xml"`, "The signed thing stands elsewhere."),
		byHand("p29-with-address", `URI="https://sts.windows.net/#`+assertionID+`"`, "An address stands before the #."),
		byHand("p29-escaped", `URI="#%5F`+assertionID[1:]+`"`, "The ID is escaped: it is compared byte for byte."),
		byHand("p29-blank", `URI=" #`+assertionID+`"`, "A blank stands before the #."),
		byHand("p29-other-case", `URI="#`+strings.ToUpper(assertionID)+`"`, "The ID is compared with its case."),
		byHand("p29-nobody", `URI="#`+evilID+`"`, "No element has this ID."),
		{name: "p29-assertion-from-response", from: "response-signed", expect: "reference_uri",
			change: swap(`URI="#`+responseID+`"`, `URI="#`+assertionID+`"`),
			why:    "A signature in the Response refers to the assertion."},
		{name: "p29-id-percent", from: "entra", expect: "reference_uri",
			change: swapAll(assertionID, "%5F"+assertionID[1:]), byHand: plainHand,
			why: "The ID that is referred to has a percent sign: a reader of URIs would look for another ID."},
		{name: "p29-id-xpointer", from: "entra", expect: "reference_uri",
			change: swapAll(assertionID, "xpointer(/)"), byHand: plainHand, judge: beyond,
			why: "The ID that is referred to reads like an XPointer to the root."},
		{name: "p29-plus-escaped", from: "id-all-characters", expect: "reference_uri",
			change: swap(`URI="#`+everyID+`"`, `URI="#`+strings.Replace(everyID, "+", "%2B", 1)+`"`),
			byHand: plainHand, judge: beyond,
			why: "The + of the ID is escaped in the reference: it is compared byte for byte."},
		{name: "p29-plus-blank", from: "id-all-characters", expect: "reference_uri",
			change: swap(`URI="#`+everyID+`"`, `URI="#`+strings.Replace(everyID, "+", " ", 1)+`"`),
			byHand: plainHand, judge: beyond,
			why: "A blank stands for the + of the ID, as in a form."},
		{name: "p29-digit-other", from: "id-digit-first", expect: "reference_uri",
			change: swap(`URI="#`+assertionID[1:]+`"`, `URI="#`+assertionID+`"`),
			byHand: plainHand, judge: beyond,
			why: "The ID is a bare UUID, and the reference has a _ before it."},
		{name: "p29-no-id", from: "entra", expect: "reference_uri",
			change: all(cut(` ID="`+assertionID+`"`),
				swap(`URI="#`+assertionID+`"`, `URI="#"`)), byHand: plainHand, judge: beyond,
			why: "The assertion has no ID, and the URI is # alone."},
	}
}

func transformVectors() []vector {
	const (
		first  = `<Transform Algorithm="` + enveloped + `"/>`
		second = `<Transform Algorithm="` + exclusive + `"/>`
		both   = "<Transforms>" + first + second + "</Transforms>"
		method = `<CanonicalizationMethod Algorithm="` + exclusive + `"/>`
	)
	list := func(name, expect, transforms, why string) vector {
		return vector{name: name, from: "entra", expect: expect, change: swap(both, transforms), why: why}
	}
	// Signed by hand, because xmlsec1 cannot, or would digest its own signature.
	byHand := func(name, expect, transforms, why string) vector {
		r := list(name, expect, transforms, why)
		r.byHand, r.judge = plainHand, beyond
		return r
	}
	transforms := func(list ...string) string { return "<Transforms>" + strings.Join(list, "") + "</Transforms>" }
	transform := func(algorithm string) string { return `<Transform Algorithm="` + algorithm + `"/>` }
	const exclusiveWith = `<Transform Algorithm="` + exclusive + `">`
	return []vector{
		byHand("p30-exclusive-only", "transform", transforms(second),
			"Without the enveloped signature transform the signature would have to sign itself."),
		byHand("p30-other-order", "transform", transforms(second, first), "The transforms stand in the wrong order."),
		byHand("p30-none", "transform", transforms(), "There are no transforms in Transforms."),
		byHand("p30-missing", "signature_structure", "", "There is no Transforms element."),
		list("p30-exclusive-twice", "transform", transforms(first, second, second),
			"There is a third transform, though harmless."),
		list("p30-xpath", "transform",
			transforms(first, `<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>not(ancestor-or-self::*[local-name()="AttributeStatement"])</XPath></Transform>`, second),
			"An XPath transform leaves the attributes unsigned."),
		list("p30-xpath-second", "transform",
			transforms(first, `<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>self::text()</XPath></Transform>`),
			"An XPath transform instead of the canonicalization: text alone is signed."),
		list("p30-xpath-filter", "transform",
			transforms(first, `<Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"><XPath xmlns="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">//*[local-name()="AttributeStatement"]</XPath></Transform>`, second),
			"An XPath filter leaves the attributes unsigned."),
		list("p30-xslt", "transform",
			transforms(first, `<Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">anything</xsl:template></xsl:stylesheet></Transform>`),
			"An XSLT transform turns every assertion into the same text."),
		byHand("p30-base64", "transform", transforms(first, transform(nsDSig+"base64")), "A base64 transform."),
		byHand("p30-unknown", "transform", transforms(first, transform("urn:example:identity")),
			"A transform that nobody knows."),
		byHand("p30-exclusive-without-hash", "transform",
			transforms(first, transform(strings.TrimSuffix(exclusive, "#"))), "Algorithms are compared byte for byte."),
		byHand("p30-foreign-transform", "transform",
			transforms(first, second,
				`<x:Transform xmlns:x="urn:example:x"/>`), "A foreign element among the transforms."),
		byHand("p30-text", "signature_structure", transforms(first, "text", second),
			"Text stands between the transforms.").judged(allValid),
		byHand("p30-enveloped-parameter", "signature_structure",
			transforms(`<Transform Algorithm="`+enveloped+`"><XPath>true()</XPath></Transform>`, second),
			"The enveloped signature transform has a parameter.").judged(allValid),
		byHand("p30-two-prefix-lists", "signature_structure",
			transforms(first, exclusiveWith+`<InclusiveNamespaces xmlns="`+exclusive+`" PrefixList="a"/><InclusiveNamespaces xmlns="`+exclusive+`" PrefixList="b"/></Transform>`),
			"Exclusive canonicalization has two PrefixLists."),
		byHand("p30-prefix-list-with-text", "signature_structure",
			transforms(first, exclusiveWith+`<InclusiveNamespaces xmlns="`+exclusive+`" PrefixList="a">b</InclusiveNamespaces></Transform>`),
			"InclusiveNamespaces holds text.").judged(allValid),
		byHand("p30-foreign-parameter", "signature_structure",
			transforms(first, exclusiveWith+`<x:y xmlns:x="urn:example:x"/></Transform>`),
			"Exclusive canonicalization has a parameter that it does not know."),
		{name: "p30-method-unknown", from: "entra", expect: "canonicalization",
			change: swap(method, `<CanonicalizationMethod Algorithm="urn:example:identity"/>`), byHand: plainHand, judge: beyond,
			why: "A canonicalization that nobody knows."},
		{name: "p30-method-xslt", from: "entra", expect: "canonicalization",
			change: swap(method, `<CanonicalizationMethod Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>`), byHand: plainHand, judge: beyond,
			why: "XSLT as canonicalization."},
	}
}

func algorithmVectors() []vector {
	method := func(name, expect, algorithm, why string) vector {
		return vector{name: name, from: "entra", expect: expect, change: swap(rsaSHA256, algorithm), why: why}
	}
	digest := func(name, algorithm, why string) vector {
		return vector{name: name, from: "entra", expect: "digest_algorithm",
			change: swap(`DigestMethod Algorithm="`+digestSHA256, `DigestMethod Algorithm="`+algorithm), why: why}
	}
	byHand := func(r vector, h *hand, j judge) vector {
		r.byHand, r.judge = h, j
		return r
	}
	return []vector{
		{name: "p31-sha1-not-allowed", from: "sha1-allowed", expect: "signature_algorithm",
			header: header{"policy": "-"},
			why:    "SHA-1 without the policy that allows it."},
		{name: "p31-not-of-these-signatures", from: "only-these-algorithms", expect: "signature_algorithm",
			header: header{"policy": "only=" + dsigMore + "rsa-sha512 only=" + digestSHA256},
			why:    "RSA with SHA-256, and the policy accepts only RSA with SHA-512."},
		{name: "p31-not-of-these-digests", from: "only-these-algorithms", expect: "digest_algorithm",
			header: header{"policy": "only=" + rsaSHA256 + " only=" + dsigMore + "sha384"},
			why:    "A digest with SHA-256, and the policy accepts only SHA-384."},
		method("p31-rsa-sha1", "signature_algorithm", nsDSig+"rsa-sha1", "RSA with SHA-1 over a digest with SHA-256."),
		method("p31-rsa-sha224", "signature_algorithm", dsigMore+"rsa-sha224", "RSA with SHA-224 is not on the list."),
		method("p31-rsa-md5", "signature_algorithm", dsigMore+"rsa-md5", "RSA with MD5."),
		method("p31-rsa-ripemd160", "signature_algorithm", dsigMore+"rsa-ripemd160", "RSA with RIPEMD-160."),
		byHand(method("p31-hmac", "signature_algorithm", dsigMore+"hmac-sha256",
			"HMAC with the public key as its secret."), &hand{value: signHMAC}, beyond),
		byHand(method("p31-dsa", "signature_algorithm", "http://www.w3.org/2009/xmldsig11#dsa-sha256",
			"DSA is not on the list."), plainHand, beyond),
		byHand(method("p31-none", "signature_algorithm", "", "The algorithm is empty."), plainHand, beyond),
		byHand(method("p31-blank", "signature_algorithm", rsaSHA256+" ", "Algorithms are compared byte for byte."),
			plainHand, beyond),
		digest("p31-digest-sha1", nsDSig+"sha1", "A digest with SHA-1 under a signature with SHA-256."),
		digest("p31-digest-md5", dsigMore+"md5", "A digest with MD5."),
		digest("p31-digest-sha224", dsigMore+"sha224", "A digest with SHA-224 is not on the list."),
		digest("p31-digest-ripemd160", nsXEnc+"ripemd160", "A digest with RIPEMD-160 is not on the list."),
		byHand(digest("p31-digest-unknown", "urn:example:identity", "A digest that nobody knows."), plainHand, beyond),
		{name: "p31-ec-key-for-rsa", from: "entra", expect: "signature_algorithm",
			header: header{"keys": certificateFile(ec)},
			why:    "Only an EC key is trusted, and the signature is RSA."},
		{name: "p31-rsa-key-for-ecdsa", from: "ecdsa-p256", expect: "signature_algorithm",
			header: header{"keys": certificateFile(idpA)},
			why:    "Only an RSA key is trusted, and the signature is ECDSA."},
		{name: "p31-ecdsa-der", from: "ecdsa-p256", expect: "signature",
			byHand: &hand{value: signECDSA(crypto.SHA256, derForm)}, judge: beyond,
			why: "The value of ECDSA is in the form of X.509 (DER)."},
		{name: "p31-ecdsa-too-long", from: "ecdsa-p256", expect: "signature",
			byHand: &hand{value: signECDSA(crypto.SHA256, tooLong)}, judge: beyond,
			why: "The numbers of ECDSA have a leading zero byte each, so that two values are one signature."},
		{name: "p31-ecdsa-zero", from: "ecdsa-p256", expect: "signature",
			after: editValue(func(v []byte) []byte { return bytes.Repeat([]byte{0}, len(v)) }), judge: broken,
			why: "Both numbers of ECDSA are zero."},
		{name: "p31-ecdsa-sha1", from: "ecdsa-p256", expect: "signature_algorithm",
			change: swap(dsigMore+"ecdsa-sha256", dsigMore+"ecdsa-sha1"), byHand: &hand{value: signECDSA(crypto.SHA1,
				fixedLength)},
			why: "ECDSA with SHA-1."},
		{name: "p31-weak-key", from: "entra", expect: "weak_key", key: weak,
			header: header{"keys": certificateFile(weak)},
			why:    "The only trusted key is RSA with 1024 bits."},
	}
}

func keyInfoVectors() []vector {
	claimed := func(name, info, why string) vector {
		return vector{name: name, from: "entra", expect: "signature", key: attacker,
			change: swap(keyInfo(slotAssertion), info), why: why}
	}
	return []vector{
		claimed("p32-no-key-info", "", "Somebody else's key signed, and there is no KeyInfo."),
		claimed("p32-trusted-certificate", strings.ReplaceAll(keyInfo(slotAssertion), "-"+slotAssertion, "-"+trusted),
			"Somebody else's key signed, and the KeyInfo holds the trusted certificate."),
		claimed("p32-key-value",
			`<KeyInfo><KeyValue><RSAKeyValue><Modulus>MODULUS-A</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></KeyValue></KeyInfo>`,
			"Somebody else's key signed, which stands in the KeyInfo as a bare key."),
		claimed("p32-two-certificates", strings.Replace(keyInfo(slotAssertion), "<X509Data>",
			"<X509Data><X509Certificate>CERTIFICATE-"+trusted+"</X509Certificate>", 1),
			"Somebody else's key signed, and the KeyInfo holds the trusted certificate and his."),
		{name: "p32-other-key-configured", from: "entra", expect: "signature",
			header: header{"keys": certificateFile(idpB)},
			why:    "The key that signed is not the one that is trusted."},
		{name: "p32-removed-key", from: "no-key-info-two-keys", expect: "signature",
			header: header{"keys": certificateFile(idpA)},
			why:    "The key that signed is no longer among the trusted ones."},
		{name: "p32-weak-key-beside", from: "no-key-info-two-keys", expect: "signature",
			header: header{"keys": certificateFile(weak) + " " + certificateFile(idpA)},
			why:    "Of the two trusted keys one is too weak, and neither signed."},
	}
}

func digestVectors() []vector {
	// Signed by hand: xmlsec1 writes no other digests than right ones.
	other := func(name, expect string, digest func([]byte) []byte, why string) vector {
		return vector{name: name, from: "entra", expect: expect, byHand: &hand{digest: digest}, judge: beyond, why: why}
	}
	method := func(names string) edit {
		return swap(`<CanonicalizationMethod Algorithm="`+exclusive+`"/>`,
			`<CanonicalizationMethod Algorithm="`+exclusive+`"><InclusiveNamespaces xmlns="`+exclusive+`" PrefixList="`+names+`"/></CanonicalizationMethod>`)
	}
	return []vector{
		other("p33-digest-cut", "digest", func(d []byte) []byte { return d[:16] },
			"The DigestValue is the first half of the digest."),
		other("p33-digest-one-byte", "digest", func(d []byte) []byte { return d[:1] },
			"The DigestValue is the first byte of the digest."),
		other("p33-digest-longer", "digest", func(d []byte) []byte { return append(d, 0) },
			"A byte follows the digest."),
		other("p33-digest-empty", "signature_structure", func([]byte) []byte { return nil },
			"The DigestValue is empty."),
		other("p33-digest-of-nothing", "digest", func([]byte) []byte { d := sha256.Sum256(nil); return d[:] },
			"The DigestValue is that of nothing: of a canonicalization that failed."),
		other("p33-digest-of-other-hash", "digest", func([]byte) []byte { d := sha512.Sum512(nil); return d[:] },
			"The DigestValue has the length of another hash."),
		{name: "p33-prefix-list-65", from: "prefix-list-64", expect: "canonicalization",
			change: swap(names(64), names(65)),
			why:    "The PrefixList has one name more than allowed."},
		{name: "p33-method-prefix-list-65", from: "entra", expect: "canonicalization", change: method(names(65)),
			why: "The PrefixList of SignedInfo has one name more than allowed."},
	}
}

func certificateVectors() []vector {
	dates := func(name, certificate, why string) vector {
		return vector{name: name, from: "certificate-within-dates", expect: "certificate_expired",
			check:  "certificate dates",
			header: header{"keys": certificateFile(certificate)}, why: why}
	}
	return []vector{
		dates("p31-certificate-expired", idpAExpired,
			"The policy demands a certificate within its dates, and it ended in 2025."),
		dates("p31-certificate-not-begun", idpAFuture,
			"The policy demands a certificate within its dates, and it begins in 2027."),
	}
}
