package main

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
)

// parseVectors break the rules of base64 and XML. What is changed lies outside the signature, or
// the signature is valid for whoever reads the message as the attacker wants it read.
func parseVectors() []vector {
	var list []vector
	for _, part := range [][]vector{base64Recipes(), encodingVectors(), declarationVectors(), doctypeVectors(),
		commentVectors(), entityVectors(),
		rootVectors(), nameVectors(), namespaceVectors(), duplicateVectors(), limitVectors()} {
		list = append(list, part...)
	}
	return list
}

func base64Recipes() []vector {
	return []vector{
		{name: "p07-empty", from: "entra", expect: "response_missing", form: func(string) (string, error) {
			return "",
				nil
		},
			why: "There is no form value."},
		{name: "p07-white-space-only", from: "entra", expect: "base64",
			form: func(string) (string, error) { return " \r\n", nil },
			why:  "White space stands for no byte, and a message has at least one."},
		{name: "p07-url-alphabet", from: "unicode", expect: "base64", form: swapAll("+", "-"),
			why: "The alphabet for URLs instead of the standard one."},
		{name: "p07-no-padding", from: "white-space-outside", expect: "base64", form: swap("==", ""),
			why: "The padding is missing."},
		{name: "p07-unused-bits", from: "white-space-outside", expect: "base64", form: setUnusedBit,
			why: "The unused bits of the last character are not zero, so that two values stand for one message."},
		{name: "p07-foreign-character", from: "entra", expect: "base64", form: insertAfter("PHNhbWxwOlJl", "*"),
			why: "A character outside the alphabet, which tolerant decoders skip."},
		{name: "p07-form-feed", from: "entra", expect: "base64", form: insertAfter("PHNhbWxwOlJl", "\f"),
			why: "Of the white space only CR, LF, blank and tab are skipped."},
		{name: "p07-padding-inside", from: "entra", expect: "base64", form: func(form string) (string, error) {
			message, err := base64.StdEncoding.DecodeString(form)
			if err != nil {
				return "", err
			}
			return base64.StdEncoding.EncodeToString(message[:100]) +
				base64.StdEncoding.EncodeToString(message[100:]), nil
		}, why: "Two values one behind the other, with padding in the middle."},
		{name: "p07-escaped-twice", from: "entra", expect: "base64", form: swapAll("+", "%2B"),
			why: "The value was escaped for a form twice."},
		{name: "p07-deflated", from: "entra", expect: "encoding", form: deflated,
			why: "The message is compressed as in the redirect binding; the POST binding does not know that, and nothing is inflated."},
	}
}

// setUnusedBit changes the last character, before two padding characters, to the next one of the
// alphabet.
func setUnusedBit(form string) (string, error) {
	value, ok := strings.CutSuffix(form, "==")
	if !ok {
		return "", errors.New("the value does not end in two padding characters")
	}
	last := len(value) - 1
	return value[:last] + string(value[last]+1) + "==", nil
}

func deflated(form string) (string, error) {
	message, err := base64.StdEncoding.DecodeString(form)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(message); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// inStatusMessage puts bytes where nothing is signed.
func inStatusMessage(what string) edit { return swap("signed in", "signed"+what+"in") }

func encodingVectors() []vector {
	illegal := func(name, what, why string) vector {
		return vector{name: name, from: "status-message", expect: "encoding", after: inStatusMessage(what),
			judge: beyond, why: why}
	}
	return []vector{
		illegal("p08-nul", "\x00", "A NUL byte: C code reads up to it."),
		illegal("p08-vertical-tab", "\v", "A control character that XML 1.0 forbids."),
		illegal("p08-escape", "\x1B", "A control character that XML 1.0 forbids."),
		illegal("p08-latin-1", "\xEB", "A byte of Latin-1, which is no UTF-8."),
		illegal("p08-overlong", "\xC0\xBC", "The character < in two bytes, which UTF-8 forbids."),
		illegal("p08-surrogate", "\xED\xA0\xBD\xED\xB8\x80", "Surrogates as UTF-8 (CESU-8)."),
		illegal("p08-beyond-unicode", "\xF4\x90\x80\x80", "Four bytes beyond U+10FFFF."),
		illegal("p08-cut-off", "\xE2\x82", "Two bytes of a character of three."),
		illegal("p08-noncharacter-fffe", "\uFFFE", "U+FFFE, which is no character."),
		illegal("p08-noncharacter-ffff", "\uFFFF", "U+FFFF, which is no character."),
		{name: "p08-noncharacter-fdd0", from: "status-message", expect: "encoding", after: inStatusMessage("\uFDD0"),
			why: "U+FDD0, which is no character; XML 1.0 alone would take it."},
		{name: "p08-noncharacter-1ffff", from: "status-message", expect: "encoding",
			after: inStatusMessage("\U0001FFFF"),
			why:   "U+1FFFF, which is no character; XML 1.0 alone would take it."},
		{name: "p08-signed-as-replacement", from: "replacement-character", expect: "encoding",
			after: swap("\uFFFD", "\xFF"), judge: beyond,
			why: "A byte that is no UTF-8 where U+FFFD was signed: readers that repair it find the signature good."},
		{name: "p08-utf-16", from: "entra", expect: "encoding", after: inUTF16("\uFEFF"),
			why: "The same message in UTF-16 with a byte order mark."},
		{name: "p08-utf-16-without-mark", from: "entra", expect: "encoding", after: inUTF16(""), judge: beyond,
			why: "The same message in UTF-16 without a byte order mark."},
		{name: "p08-two-byte-order-marks", from: "byte-order-mark", expect: "xml_syntax", after: put("\uFEFF", ""),
			judge: beyond,
			why:   "Only one byte order mark may lead; a second one is a character before the root."},
	}
}

func inUTF16(mark string) edit {
	return func(text string) (string, error) {
		var b []byte
		for _, unit := range utf16.Encode([]rune(mark + text)) {
			b = binary.LittleEndian.AppendUint16(b, unit)
		}
		return string(b), nil
	}
}

func declarationVectors() []vector {
	const declaration = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`
	other := func(name, text string, j judge, why string) vector {
		return vector{name: name, from: "xml-declaration", expect: "xml_declaration", after: swap(declaration, text),
			judge: j, why: why}
	}
	return []vector{
		other("p09-version-1.1", `<?xml version="1.1" encoding="UTF-8" standalone="yes"?>`, allValid,
			"XML 1.1 has other characters and line ends."),
		other("p09-no-version", `<?xml encoding="UTF-8" standalone="yes"?>`, beyond, "The version is required."),
		other("p09-encoding-latin-1", `<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>`, allValid,
			"Only UTF-8 is read, whatever is declared."),
		other("p09-encoding-utf-16", `<?xml version="1.0" encoding="UTF-16" standalone="yes"?>`, beyond,
			"The declaration contradicts the bytes."),
		other("p09-encoding-utf-7", `<?xml version="1.0" encoding="UTF-7" standalone="yes"?>`, beyond,
			"UTF-7 can hide markup from filters."),
		other("p09-standalone-maybe", `<?xml version="1.0" encoding="UTF-8" standalone="maybe"?>`, beyond,
			"standalone is yes or no."),
		other("p09-other-order", `<?xml version="1.0" standalone="yes" encoding="UTF-8"?>`, beyond,
			"encoding stands before standalone."),
		other("p09-something-else", `<?xml version="1.0" encoding="UTF-8" secure="yes"?>`, beyond,
			"There is nothing but version, encoding and standalone."),
		other("p09-not-at-start", "\n"+declaration, beyond, "A line break stands before the declaration."),
		other("p09-twice", declaration+declaration, beyond, "There are two declarations."),
		{name: "p09-inside-root", from: "entra", expect: "xml_declaration",
			after: insertBefore("<samlp:Status>", declaration), judge: beyond,
			why: "A declaration inside the root element."},
	}
}

func doctypeVectors() []vector {
	return []vector{
		{name: "p10-doctype", from: "entra", expect: "doctype", after: put("<!DOCTYPE samlp:Response>", ""),
			why: "A DOCTYPE, though an empty one."},
		{name: "p10-internal-entity", from: "entra", expect: "doctype", judge: beyond,
			after: all(swap(">"+nameID+"</NameID>", ">&e;</NameID>"), put(`<!DOCTYPE r [<!ENTITY e "`+nameID+`">]>`,
				"")),
			why: "An entity of the document stands for the NameID: readers disagree about what it says."},
		{name: "p10-external-entity", from: "entra", expect: "doctype",
			after: put(`<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]>`, ""),
			why:   "An external entity (XXE)."},
		{name: "p10-external-subset", from: "entra", expect: "doctype",
			after: put(`<!DOCTYPE r SYSTEM "http://attacker.example/r.dtd">`, ""),
			why:   "A DTD to be fetched."},
		{name: "p10-default-attribute", from: "extensions", expect: "doctype",
			after: put(`<!DOCTYPE r [<!ATTLIST x:hint trusted CDATA "yes">]>`, ""),
			why:   "The DTD gives an element an attribute that does not stand there."},
		{name: "p10-expansion", from: "entra", expect: "doctype",
			after: put(`<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`, ""),
			why:   "Entities that grow (billion laughs)."},
		{name: "p10-after-root", from: "entra", expect: "doctype", after: put("", "<!DOCTYPE samlp:Response>"),
			judge: beyond,
			why:   "A DOCTYPE behind the root element."},
		{name: "p10-inside-root", from: "entra", expect: "doctype",
			after: insertBefore("<samlp:Status>", "<!DOCTYPE x>"), judge: beyond,
			why: "A DOCTYPE inside the root element."},
		{name: "p10-element-declaration", from: "entra", expect: "doctype",
			after: put("<!ELEMENT Assertion ANY>", ""), judge: beyond,
			why: "Another directive than DOCTYPE."},
	}
}

func commentVectors() []vector {
	return []vector{
		{name: "p11-comment-in-name-id", from: "long-name-id", expect: "comment",
			after: swap(nameID+".attacker.example</NameID>", nameID+"<!-- -->.attacker.example</NameID>"),
			why:   "The signature does not cover comments: readers that take the text up to the first one see somebody else's address."},
		{name: "p11-comment-in-attribute-value", from: "entra", expect: "comment",
			after: swap(">Ada Lovelace<", ">Ada <!-- -->Lovelace<"),
			why:   "A comment splits the value of an attribute."},
		{name: "p11-comment-in-audience", from: "entra", expect: "comment",
			after: swap("<Audience>"+redirectURL, "<Audience>"+redirectURL+"<!---->"),
			why:   "A comment in the audience."},
		{name: "p11-comment-in-digest-value", from: "entra", expect: "comment",
			after: insertAfter("<DigestValue>", "<!--AAAA-->"),
			why:   "A comment in the DigestValue: readers that take the first text see none, or another."},
		{name: "p11-comment-in-response", from: "entra", expect: "comment",
			after: insertBefore("<samlp:Status>", "<!-- harmless -->"),
			why:   "A comment where nothing is signed."},
		{name: "p11-comment-before-root", from: "entra", expect: "comment", after: put("<!-- harmless -->", ""),
			why: "A comment before the root element."},
		{name: "p11-comment-after-root", from: "entra", expect: "comment", after: put("", "<!-- harmless -->"),
			why: "A comment after the root element."},
		{name: "p11-instruction-in-name-id", from: "long-name-id", expect: "comment",
			change: swap(nameID+".attacker.example</NameID>", nameID+"<?x?>.attacker.example</NameID>"),
			why:    "A processing instruction splits the NameID; it is signed, and still nobody agrees on what the text is."},
		{name: "p11-instruction-in-response", from: "entra", expect: "comment",
			after: insertBefore("<samlp:Status>", "<?php echo 1 ?>"),
			why:   "A processing instruction where nothing is signed."},
		{name: "p11-style-sheet", from: "entra", expect: "comment",
			after: put(`<?xml-stylesheet href="http://attacker.example/x.xsl"?>`, ""),
			why:   "A processing instruction before the root element."},
	}
}

func entityVectors() []vector {
	unsigned := func(name, what, why string) vector {
		return vector{name: name, from: "status-message", expect: "entity", after: inStatusMessage(what),
			judge: beyond, why: why}
	}
	return []vector{
		{name: "p12-html-entity", from: "unicode", expect: "entity", after: swap("©", "&copy;"), judge: beyond,
			why: "An entity of HTML, where its character was signed."},
		{name: "p12-undeclared", from: "entra", expect: "entity",
			after: swap(">"+nameID+"</NameID>", ">"+nameID+"&e;</NameID>"), judge: beyond,
			why: "An entity that is not declared: readers that drop it find the signature good."},
		{name: "p12-in-attribute", from: "entra", expect: "entity",
			after: insertBefore(" Destination=", ` Consent="urn:x:&nbsp;"`), judge: beyond,
			why: "An entity of HTML in an attribute value."},
		unsigned("p12-lone-ampersand", " & ", "An ampersand that begins no reference."),
		unsigned("p12-no-semicolon", "&amp ", "A reference without its semicolon."),
		unsigned("p12-upper-case", "&AMP;", "Names of entities are in lower case."),
		unsigned("p12-nul", "&#0;", "A reference to NUL."),
		unsigned("p12-control", "&#1;", "A reference to a control character that XML 1.0 forbids."),
		unsigned("p12-surrogates", "&#xD83D;&#xDE00;", "References to surrogates."),
		unsigned("p12-beyond-unicode", "&#x110000;", "A reference beyond U+10FFFF."),
		unsigned("p12-overflow", "&#4294967361;", "A number that is 65 in 32 bits."),
		unsigned("p12-noncharacter", "&#xFFFE;", "A reference to what is no character."),
		unsigned("p12-upper-case-x", "&#X41;", "Hexadecimal numbers begin with a small x."),
		unsigned("p12-no-digits", "&#;", "A reference without a number."),
		unsigned("p12-sign", "&#+65;", "A number with a sign."),
	}
}

func rootVectors() []vector {
	outside := func(name, before, after, why string) vector {
		return vector{name: name, from: "entra", expect: "xml_syntax", after: put(before, after), judge: beyond,
			why: why}
	}
	broken := func(name, before, after, why string) vector {
		return vector{name: name, from: "entra", expect: "xml_syntax", after: swap(before, after), judge: beyond,
			why: why}
	}
	return []vector{
		outside("p13-second-root", "", "<x/>", "There is a second root element."),
		outside("p13-text-before-root", "x", "", "Text before the root element."),
		outside("p13-text-after-root", "", "x", "Text after the root element."),
		outside("p13-no-break-space", "\u00A0", "", "A no-break space is no white space of XML."),
		outside("p13-cdata-after-root", "", "<![CDATA[ ]]>", "A CDATA section after the root element."),
		outside("p13-reference-after-root", "", "&#32;", "A reference after the root element, though to a blank."),
		outside("p13-end-tag-after-root", "", "</samlp:Response>", "An end tag that ends nothing."),
		{name: "p13-message-twice", from: "entra", expect: "xml_syntax",
			after: func(s string) (string, error) { return s + s, nil }, judge: beyond,
			why: "Two messages one behind the other."},
		{name: "p13-no-root", from: "entra", expect: "xml_syntax",
			after: func(string) (string, error) { return `<?xml version="1.0"?>` + "\n", nil }, judge: noSignature,
			why: "A document without an element."},
		broken("p13-cut-off", "</Assertion></samlp:Response>", "</Assertion>",
			"The end tag of the root is missing: the message was cut off."),
		broken("p13-other-end-tag", "</samlp:Status>", "</samlp:Stand>",
			"An end tag has another name than its start tag."),
		broken("p13-other-prefix-in-end-tag", "</samlp:Status>", "</Status>",
			"An end tag has another prefix than its start tag."),
		broken("p13-overlapping", `"/></samlp:Status>`, `"></samlp:Status></samlp:StatusCode>`, "Elements overlap."),
		broken("p13-less-than-in-attribute", ` Version="2.0" IssueInstant`,
			` Consent="a<b" Version="2.0" IssueInstant`, "< stands in an attribute value."),
		broken("p13-attribute-without-quotes", `Version="2.0" IssueInstant`, `Version=2.0 IssueInstant`,
			"An attribute value has no quotes."),
		broken("p13-attribute-without-value", ` Version="2.0" IssueInstant`, ` signed Version="2.0" IssueInstant`,
			"An attribute has no value."),
		broken("p13-attributes-not-separated", ` Version="2.0" IssueInstant`, `Version="2.0" IssueInstant`,
			"No white space separates two attributes."),
		broken("p13-attribute-in-end-tag", "</samlp:Status>", `</samlp:Status a="b">`, "An end tag has an attribute."),
		broken("p13-space-in-tag", "<samlp:Status>", "< samlp:Status>", "White space stands between < and the name."),
		{name: "p13-cdata-end-in-text", from: "status-message", expect: "xml_syntax", after: inStatusMessage("]]>"),
			judge: beyond,
			why:   "]]> stands in text."},
		{name: "p13-cdata-not-closed", from: "status-message", expect: "xml_syntax",
			after: inStatusMessage("<![CDATA[ "), judge: beyond,
			why: "A CDATA section does not end."},
	}
}

func nameVectors() []vector {
	const declaration = ` xmlns:x="urn:example:hint"`
	hint := func(name, expect, before, after string, j judge, why string) vector {
		return vector{name: name, from: "extensions", expect: expect, after: swap(before, after), judge: j, why: why}
	}
	return []vector{
		hint("p14-undeclared-prefix", "namespace", `<x:hint`+declaration, `<x:hint xmlns:y="urn:example:hint"`,
			allValid, "The prefix of an element is not declared."),
		hint("p14-undeclared-attribute-prefix", "namespace", ` x:level=`, ` y:level=`, allValid,
			"The prefix of an attribute is not declared."),
		hint("p14-prefix-out-of-scope", "namespace", `</samlp:Extensions>`, `<x:late/></samlp:Extensions>`, allValid,
			"The prefix was declared in an element that has ended."),
		hint("p14-prefix-taken-away", "namespace", declaration, declaration+` xmlns:samlp=""`, allValid,
			"A prefix cannot be undeclared in Namespaces 1.0."),
		hint("p14-xml-rebound", "namespace", declaration, declaration+` xmlns:xml="urn:example:other"`, allValid,
			"The prefix xml is bound to another namespace."),
		hint("p14-xml-aliased", "namespace", declaration,
			declaration+` xmlns:z="http://www.w3.org/XML/1998/namespace"`, allValid, "The namespace of xml gets a second prefix."),
		hint("p14-xml-as-default", "namespace", declaration,
			declaration+` xmlns="http://www.w3.org/XML/1998/namespace"`, allValid, "The namespace of xml becomes the default."),
		hint("p14-xmlns-declared", "namespace", declaration, declaration+` xmlns:xmlns="urn:example:other"`, allValid,
			"The prefix xmlns is declared."),
		hint("p14-xmlns-aliased", "namespace", declaration, declaration+` xmlns:z="http://www.w3.org/2000/xmlns/"`,
			allValid, "The namespace of xmlns gets a prefix."),
		hint("p14-xmlns-element", "namespace", `>text<`, `><xmlns:a/><`, allValid, "An element with the prefix xmlns."),
		hint("p14-two-colons", "xml_syntax", `>text<`, `><x:a:b/><`, allValid, "A name with two colons."),
		hint("p14-colon-first", "xml_syntax", `>text<`, `><:a/><`, allValid, "A name that begins with a colon."),
		hint("p14-colon-last", "xml_syntax", `>text<`, `><x:/><`, allValid, "A name that ends with a colon."),
		hint("p14-digit-first", "xml_syntax", `>text<`, `><x:1a/><`, allValid,
			"A local name that begins with a digit."),
		hint("p14-hyphen-first", "xml_syntax", ` x:level=`, ` -level=`, beyond,
			"An attribute name that begins with a hyphen."),
		hint("p14-multiplication-sign", "xml_syntax", `>text<`, `><x:a×b/><`, beyond, "U+00D7 is no name character."),
		hint("p14-combining-first", "xml_syntax", `>text<`, "><x:\u0301a/><", allValid,
			"A combining character begins a name."),
	}
}

func namespaceVectors() []vector {
	other := func(name, space, why string) vector {
		return vector{name: name, from: "extensions", expect: "namespace", after: swap("urn:example:hint", space),
			judge: beyond, why: why}
	}
	return []vector{
		other("p15-relative", "hint",
			"A relative reference: canonicalizers disagree about it, and XML forbids it by decision of the W3C."),
		other("p15-relative-path", "../hint", "A relative reference."),
		other("p15-no-scheme", "//example.com/hint", "A reference without a scheme."),
		{name: "p15-scheme-only", from: "extensions", expect: "namespace", after: swap("urn:example:hint", "urn:"),
			why: "A scheme and nothing behind it."},
		other("p15-empty-scheme", ":hint", "An empty scheme."),
		other("p15-blank", "urn:example:a hint", "A blank."),
		other("p15-line-break", "urn:example:&#10;hint", "A line break, by reference."),
		other("p15-not-ascii", "urn:example:hînt", "A character outside ASCII (an IRI)."),
		{name: "p15-ampersand", from: "extensions", expect: "namespace",
			after: swap("urn:example:hint", "urn:example:a&amp;b"),
			why:   "An ampersand: canonicalizers escape it in different ways."},
		other("p15-backslash", `urn:example:a\hint`,
			"A backslash, which no URI has: libxml2 then has no canonical form."),
		other("p15-percent", "urn:example:%4hint", "A percent sign that begins no escape."),
		other("p15-bracket", "urn:example:[hint", "A bracket outside an address."),
		other("p15-quote", "urn:example:a&quot;b", "A quotation mark: canonicalizers escape it in different ways."),
		{name: "p15-too-long", from: "namespace-of-256-bytes", expect: "namespace",
			after: swap(strings.Repeat("n", 252), strings.Repeat("n", 253)),
			why:   "A namespace name of 257 bytes."},
	}
}

func duplicateVectors() []vector {
	return []vector{
		{name: "p16-id-twice", from: "entra", expect: "duplicate_attribute",
			after: insertAfter(`ID="`+assertionID+`"`, ` ID="`+evilID+`"`), judge: beyond,
			why: "The assertion has two IDs: readers take the first or the last."},
		{name: "p16-same-value-twice", from: "entra", expect: "duplicate_attribute",
			after: insertAfter(`ID="`+responseID+`"`, ` ID="`+responseID+`"`), judge: beyond,
			why: "An attribute stands twice, with the same value."},
		{name: "p16-destination-twice", from: "entra", expect: "duplicate_attribute",
			after: insertBefore(" Destination=", ` Destination="https://other.example.com/"`), judge: beyond,
			why: "The Response has two Destinations."},
		{name: "p16-expanded-name", from: "extensions", expect: "duplicate_attribute",
			after: swap(` x:level="1"`, ` xmlns:y="urn:example:hint" x:level="1" y:level="2"`),
			why:   "Two prefixes of one namespace make one attribute."},
		{name: "p16-expanded-name-by-reference", from: "extensions", expect: "duplicate_attribute",
			after: swap(` x:level="1"`, ` x:level="1" y:level="2" xmlns:y="urn:example:&#104;int"`),
			why:   "Two prefixes of one namespace make one attribute, whose name is written by a reference and behind its use."},
		{name: "p16-prefix-twice", from: "extensions", expect: "duplicate_attribute",
			after: swap(` x:level="1"`, ` x:level="1" xmlns:x="urn:example:other"`), judge: beyond,
			why: "A prefix is declared twice in one element."},
		{name: "p16-default-namespace-twice", from: "extensions", expect: "duplicate_attribute",
			after: swap(` x:level="1"`, ` xmlns="urn:example:a" xmlns="urn:example:b"`), judge: beyond,
			why: "The default namespace is declared twice in one element."},
	}
}

// maxBytes is the limit of rule 17.
const maxBytes = 1 << 20

func limitVectors() []vector {
	return []vector{
		{name: "p17-depth-65", from: "depth-64", expect: "too_large", after: swap("<x:n></x:n>", "<x:n><x:n/></x:n>"),
			why: "One level of elements more than allowed."},
		{name: "p17-attributes-65", from: "attributes-64", expect: "too_large", after: insertBefore(` a1=""`, ` a0=""`),
			why: "One attribute more than allowed."},
		{name: "p17-declarations-33", from: "declarations-32", expect: "too_large",
			after: insertBefore(` xmlns:n1=`, ` xmlns:n0="urn:example:n"`),
			why:   "One namespace declaration more than allowed."},
		{name: "p17-elements-50001", from: "elements-50000", expect: "too_large", after: swap("</y>", "<a/></y>"),
			why: "One element more than allowed."},
		{name: "p17-bytes", from: "entra", expect: "too_large",
			after: func(text string) (string, error) { return text + strings.Repeat("\n", maxBytes+1-len(text)), nil },
			why:   "One byte more than 1 MiB."},
		{name: "p17-canonical-form-too-large", from: "entra", expect: "too_large", stage: "signature",
			change: swap(">Ada Lovelace<", ">"+strings.Repeat(">", maxBytes/4)+"<"),
			why:    "The message is small enough, but not its canonical form, which is what is read."},
	}
}
