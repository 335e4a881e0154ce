package main

// signedWith gives the signature of entra other canonicalizations: of SignedInfo, and the transforms
// of its reference. "" leaves one as it is.
func signedWith(method, transforms string) edit {
	const usual = `<Transform Algorithm="` + enveloped + `"/><Transform Algorithm="` + exclusive + `"/>`
	return func(text string) (string, error) {
		var err error
		if method != "" {
			text, err = swap(`<CanonicalizationMethod Algorithm="`+exclusive+`"/>`,
				`<CanonicalizationMethod Algorithm="`+method+`"/>`)(text)
		}
		if transforms != "" && err == nil {
			text, err = swap(usual, transforms)(text)
		}
		return text, err
	}
}

// inclusively is signedWith of one inclusive method for both.
func inclusively(method string) edit {
	return signedWith(method, `<Transform Algorithm="`+enveloped+`"/><Transform Algorithm="`+method+`"/>`)
}

// inclusiveVectors are signed with Canonical XML 1.0 and 1.1, whose form of an element also holds the
// namespaces and xml: attributes that are in scope around it.
func inclusiveVectors() []vector {
	const (
		first    = `<Transform Algorithm="` + enveloped + `"/>`
		comments = "#WithComments"
		// What the Response has beside the usual, for the signed assertion to inherit.
		around = ` xmlns:unused="urn:example:unused" xml:lang="en" xml:space="preserve" Version="2.0" IssueInstant="` +
			responseIssued
	)
	transform := func(algorithm string) string { return first + `<Transform Algorithm="` + algorithm + `"/>` }
	accepted := func(name, method, transforms, why string) vector {
		return vector{name: "c14n-" + name, from: "entra", change: signedWith(method, transforms), why: why}
	}
	everywhere := func(method string) edit { return swapAll(exclusive, method) } // in text that is not Entra's
	wrap := func(from string) edit { return swap(` Version="2.0" IssueInstant="`+responseIssued, from) }
	changed := func(name, from, expect, old, with, why string) vector {
		return vector{name: name, from: from, expect: expect, after: swap(old, with), judge: broken, why: why}
	}
	return []vector{
		accepted("inclusive", "", transform(inclusive), "The assertion is digested by Canonical XML 1.0."),
		accepted("inclusive-comments", "", transform(inclusive+comments), "The same, with comments: there are none."),
		accepted("inclusive-11", "", transform(inclusive11), "The assertion is digested by Canonical XML 1.1."),
		accepted("inclusive-11-comments", "", transform(inclusive11+comments), "The same, with comments: there are none."),
		accepted("enveloped-only", "", first,
			"The transform of the enveloped signature alone: then Canonical XML 1.0 makes the bytes."),
		accepted("method-inclusive", inclusive, "", "SignedInfo is canonicalized by Canonical XML 1.0, as gateways and toolkits can."),
		accepted("method-inclusive-comments", inclusive+comments, "", "The same, with comments."),
		accepted("method-inclusive-11", inclusive11, "", "SignedInfo is canonicalized by Canonical XML 1.1."),
		accepted("method-inclusive-11-comments", inclusive11+comments, "", "The same, with comments."),
		accepted("both", inclusive, transform(inclusive), "Canonical XML 1.0 for both."),
		accepted("both-11", inclusive11, transform(inclusive11), "Canonical XML 1.1 for both."),
		accepted("mixed", inclusive11, transform(inclusive), "1.1 for SignedInfo and 1.0 for the assertion."),
		{name: "c14n-around", from: "entra", change: all(wrap(around), inclusively(inclusive)),
			why: "The Response declares a namespace that nothing uses, a language and a treatment of space: all of them are signed with the assertion."},
		{name: "c14n-around-11", from: "entra", change: all(wrap(around), inclusively(inclusive11)),
			why: "The same by Canonical XML 1.1."},
		{name: "c14n-around-odd", from: "entra",
			change: all(wrap(` xml:base="urn:example:base" xml:odd="&#x9;&lt;"`+around), inclusively(inclusive)),
			why:    "The Response has a base URI and an attribute of the xml namespace that nobody knows: 1.0 signs them too."},
		{name: "c14n-prefixed", from: "prefixed", change: everywhere(inclusive),
			why: "Canonical XML 1.0, and the Response declares all prefixes."},
		{name: "c14n-prefixed-11", from: "prefixed", change: everywhere(inclusive11),
			why: "Canonical XML 1.1, and the Response declares all prefixes."},
		{name: "c14n-response-signed", from: "response-signed", change: inclusively(inclusive),
			why: "The response is signed by Canonical XML 1.0."},
		{name: "c14n-both-signed", from: "both-signed", change: everywhere(inclusive),
			why: "Both are signed by Canonical XML 1.0."},
		{name: "c14n-encrypted", from: "c14n-prefixed", encrypt: &encryption{prefix: "saml:"}, header: decryptA,
			why: "Signed by Canonical XML 1.0 in its place, then encrypted without the declarations around it."},
		{name: "c14n-encrypted-around", from: "c14n-around", encrypt: &encryption{}, header: decryptA,
			why: "The namespaces and xml: attributes around the ciphertext are signed with the assertion in it."},
		{name: "c14n-encrypted-around-11", from: "c14n-around-11", encrypt: &encryption{}, header: decryptA,
			why: "The same by Canonical XML 1.1."},

		changed("p33-inclusive-declaration-added", "c14n-inclusive", "digest", "<samlp:Response ",
			`<samlp:Response xmlns:added="urn:example:added" `, "A declaration was added around the assertion, which Canonical XML 1.0 signs."),
		changed("p33-inclusive-declaration-removed", "c14n-around", "signature", ` xmlns:unused="urn:example:unused"`, "",
			"A declaration around the signature was removed."),
		changed("p33-inclusive-language", "c14n-inclusive", "digest", "<samlp:Response ",
			`<samlp:Response xml:lang="en" `, "A language was added around the assertion."),
		changed("p33-inclusive-language-changed", "c14n-around-11", "signature", `xml:lang="en"`, `xml:lang="de"`,
			"The language around the signature was changed."),
		changed("p33-enveloped-only-declaration", "c14n-enveloped-only", "digest", "<samlp:Response ",
			`<samlp:Response xmlns:added="urn:example:added" `, "A declaration was added around the assertion; no canonicalization is named, so that it is Canonical XML 1.0."),
		changed("p33-inclusive-assertion", "c14n-both", "digest", ">"+nameID+"</NameID>", ">eve@example.com</NameID>",
			"The NameID was changed."),
		{name: "p33-encrypted-inclusive-declaration", from: "c14n-encrypted-around", expect: "decryption",
			cipher: swap("<samlp:Response ", `<samlp:Response xmlns:added="urn:example:added" `),
			why:    "A declaration was added around the ciphertext, which the signature in it covers."},
		{name: "p33-encrypted-inclusive-language", from: "c14n-encrypted-around-11", expect: "decryption",
			cipher: swap(`xml:lang="en"`, `xml:lang="de"`),
			why:    "The language around the ciphertext was changed, which the signature in it covers."},

		{name: "p30-inclusive-11-base", from: "c14n-around-11", expect: "canonicalization",
			change: swap(` xml:lang="en"`, ` xml:lang="en" xml:base="urn:example:base"`),
			why:    "Canonical XML 1.1 joins base URIs, and there is one around the signature."},
		{name: "p30-inclusive-11-base-of-assertion", from: "c14n-inclusive-11", expect: "canonicalization",
			change: swap("<Assertion ", `<Assertion xml:base="urn:example:base" `),
			why:    "Canonical XML 1.1 joins base URIs, and the assertion has one."},
		{name: "p30-inclusive-parameter", from: "c14n-inclusive", expect: "signature_structure",
			change: swap(`Transform Algorithm="`+inclusive+`"/>`, `Transform Algorithm="`+inclusive+
				`"><InclusiveNamespaces xmlns="`+exclusive+`" PrefixList="a"/></Transform>`),
			why: "Canonical XML 1.0 has the parameter of exclusive canonicalization."},
		{name: "p30-inclusive-method-parameter", from: "c14n-method-inclusive", expect: "signature_structure",
			change: swap(`Method Algorithm="`+inclusive+`"/>`, `Method Algorithm="`+inclusive+
				`"><InclusiveNamespaces xmlns="`+exclusive+`" PrefixList="a"/></CanonicalizationMethod>`),
			why: "Canonical XML 1.0 of SignedInfo has the parameter of exclusive canonicalization."},
		{name: "p30-inclusive-twice", from: "c14n-inclusive", expect: "transform",
			change: swap(`<Transform Algorithm="`+inclusive+`"/>`,
				`<Transform Algorithm="`+inclusive+`"/><Transform Algorithm="`+exclusive+`"/>`),
			why: "Two canonicalizations, one after the other."},
	}
}
