//go:build unix

package main

import (
	"fmt"
	"strings"

	"github.com/iomete/saml"
)

// A shape is a family of messages that is meant to cost much. fill gives a message of about size bytes.
type shape struct {
	name string
	keys keyKind
	code saml.Code // what a message of the full size is answered with, "" if it is accepted
	fill func(size int) message
}

type keyKind int

const (
	oneRSA      keyKind = iota
	sixteenRSA          // of 2048 bits; the last one fits
	sixteenP521         // the last one fits
	strangers           // the key that signed is not trusted, and sixteen are
	encrypted           // one RSA key, and four to decrypt with, of 4096 bits; the last one fits
)

// Room for the frame of the message and its signatures, in bytes and elements.
const (
	frame         = 4 << 10
	mostElements  = 50_000 - 60
	bearer        = `Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"`
	openValue     = `<Attribute Name="x"><AttributeValue>`
	closeValue    = `</AttributeValue></Attribute>`
	openForeign   = openValue + `<w xmlns="u:w">`
	closeForeign  = `</w>` + closeValue
	openAttribute = `<Attribute Name="x">`
	closeAttr     = `</Attribute>`
)

// many repeats what unit gives until size is reached, at most most times.
func many(size, most int, unit func(i int) string) string {
	var b strings.Builder
	for i := range most {
		u := unit(i)
		if b.Len()+len(u) > size-frame {
			break
		}
		b.WriteString(u)
	}
	return b.String()
}

func same(s string) func(int) string { return func(int) string { return s } }

// each joins n copies of format, with the numbers from from on in place of #.
func each(n, from int, format string) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return b.String()
}

// attributes makes a family that fills the attributes of the assertion.
func attributes(most int, head, tail string, unit func(int) string) func(int) message {
	return func(size int) message { return message{attributes: head + many(size, most, unit) + tail} }
}

// encryptedAttributes is attributes in m, encrypted: what is encrypted grows by a third.
func encryptedAttributes(most int, head, tail, unit string, m message) func(int) message {
	return func(size int) message {
		m := m
		m.attributes = head + many((size-2*frame)/4*3, most, same(unit)) + tail
		m.encrypted = &decryptionKeys()[maxDecryptionKeys-1].PublicKey
		return m
	}
}

// tower is 50 elements inside each other, each with 32 new prefixes that it uses.
func tower(i int) string {
	var b strings.Builder
	for level := range 50 {
		b.WriteString("<e" + each(32, 32*(50*i+level), " xmlns:p#='u:#' p#:a=''") + ">")
	}
	return b.String() + strings.Repeat("</e>", 50)
}

var (
	listOf64 = strings.TrimSpace(each(64, 0, "p# "))
	declared = each(32, 0, " xmlns:p#='u:p'") // p0 to p31
	element  = "<e>thirteen.....</e>"         // 50,000 of them are just below 1 MiB
	sixty    = each(60, 10, " a#=''")
)

var shapes = []shape{
	{"values", oneRSA, "", attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue>x</AttributeValue>"))},
	{"empty values", oneRSA, "", attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))},
	{"attributes of different names", oneRSA, "", attributes(mostElements, "", "", func(i int) string { return fmt.Sprintf(`<Attribute Name="%d"></Attribute>`, i) })},
	{"attributes of one name", oneRSA, "", attributes(mostElements/2, "", "", same(`<Attribute Name="x"><AttributeValue>x</AttributeValue></Attribute>`))},
	{"NameIDs as values", oneRSA, "", attributes(mostElements/2, openAttribute, closeAttr, same("<AttributeValue><NameID>x</NameID></AttributeValue>"))},
	{"attribute statements", oneRSA, "", func(size int) message {
		return message{statements: many(size, mostElements/2, same(`<AttributeStatement><Attribute Name="x"></Attribute></AttributeStatement>`))}
	}},
	{"50,000 elements in a value", oneRSA, "", attributes(mostElements, openForeign, closeForeign, same(element))},
	{"50,000 elements with an ID", oneRSA, "", attributes(mostElements, openForeign, closeForeign, func(i int) string { return fmt.Sprintf("<e ID='_%d'></e>", i) })},
	{"64 attributes an element", oneRSA, "", attributes(mostElements, openForeign, closeForeign, same("<e"+sixty+each(4, 10, " b#=''")+"></e>"))},
	{"64 attributes an element, out of order", oneRSA, "", attributes(mostElements, openForeign, closeForeign, same("<e"+each(4, 10, " b#=''")+sixty+"></e>"))},
	{"64 attributes in 32 namespaces an element", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		same("<e"+each(32, 10, " xmlns:p#='u:#' p#:a='' p#:b=''")+"></e>"))},
	{"deep, 32 declarations an element", oneRSA, "", attributes(mostElements, openForeign, closeForeign, tower)},
	{"text with entities", oneRSA, "", attributes(1<<30, openValue, closeValue, same("&lt;"))},
	{"text with long character references", oneRSA, "", attributes(1<<30, openValue, closeValue, same("&#x00000041;"))},
	{"text that grows when it is canonicalised", oneRSA, saml.CodeTooLarge, attributes(1<<30, openValue, closeValue, same(">"))},
	{"attribute with entities", oneRSA, "", attributes(1<<30, openForeign+"<e a='", "'></e>"+closeForeign, same("&amp;"))},
	{"white space", oneRSA, "", attributes(1<<30, openAttribute, closeAttr, same(" "))},
	{"PrefixList of 64, not declared", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign, closeForeign, same(element))(size)
		m.prefixList = listOf64
		return m
	}},
	{"PrefixList of 64, all in scope, both signed", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign+"<e"+each(32, 32, " xmlns:p#='u:p'")+">", "</e>"+closeForeign, same(element))(size)
		m.prefixList, m.declarations, m.both = listOf64, each(30, 0, " xmlns:p#='u:p'"), true
		return m
	}},
	{"PrefixList of 64, declared again and again", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign, closeForeign, func(i int) string { return "<e" + each(32, 32*(i%2), " xmlns:p#='u:p'") + "></e>" })(size)
		m.prefixList = listOf64
		return m
	}},
	{"PrefixList of 64, re-bound in towers", oneRSA, "", func(size int) message {
		one := "<e" + declared + "><e" + each(32, 32, " xmlns:p#='u:1'") + "><e" + each(32, 0, " xmlns:p#='u:2'") + ">"
		m := attributes(mostElements/48, openForeign, closeForeign, same(strings.Repeat(one, 16)+strings.Repeat("</e>", 48)))(size)
		m.prefixList = listOf64
		return m
	}},
	{"16 RSA keys, two signatures, 50,000 elements", sixteenRSA, "", func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))(size)
		m.both = true
		return m
	}},
	{"16 RSA keys, two signatures, long text", sixteenRSA, "", func(size int) message {
		m := attributes(1<<30, openValue, closeValue, same("x"))(size)
		m.both = true
		return m
	}},
	{"16 P-521 keys, two signatures, 50,000 elements", sixteenP521, "", func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))(size)
		m.both = true
		return m
	}},
	{"encrypted, 50,000 elements", encrypted, "", encryptedAttributes(mostElements, openAttribute, closeAttr, "<AttributeValue></AttributeValue>", message{})},
	{"encrypted, long text", encrypted, "", encryptedAttributes(1<<30, openValue, closeValue, "x", message{})},
	{"encrypted in a signed response", encrypted, "", encryptedAttributes(mostElements, openAttribute, closeAttr, "<AttributeValue></AttributeValue>", message{both: true, unsigned: true})},
	{"encrypted, both signed, 30 namespaces outside", encrypted, "", encryptedAttributes(mostElements, openForeign, closeForeign, element,
		message{both: true, prefixList: listOf64, declarations: each(27, 0, " xmlns:p#='u:p'")})},
	{"encrypted, unsigned", encrypted, saml.CodeDecryption, encryptedAttributes(mostElements, openAttribute, closeAttr, "<AttributeValue></AttributeValue>", message{unsigned: true})},
	{"audiences of others", oneRSA, saml.CodeAudience, func(size int) message {
		return message{conditions: `<AudienceRestriction>` + many(size, mostElements, same(`<Audience>x</Audience>`)) + `</AudienceRestriction>`}
	}},
	{"audience restrictions", oneRSA, "", func(size int) message {
		return message{conditions: many(size, mostElements/2, same(`<AudienceRestriction><Audience>`+redirectURL+`</Audience></AudienceRestriction>`))}
	}},
	{"confirmations that are over", oneRSA, "", func(size int) message {
		return message{confirmations: many(size, mostElements/2, same(`<SubjectConfirmation `+bearer+`><SubjectConfirmationData Recipient="`+redirectURL+
			`" NotOnOrAfter="2025-03-02T10:30:00Z"></SubjectConfirmationData></SubjectConfirmation>`))}
	}},
	{"confirmations with bad times", oneRSA, saml.CodeTime, func(size int) message {
		return message{confirmations: many(size, mostElements/2, same(`<SubjectConfirmation Method=""><SubjectConfirmationData NotOnOrAfter="x"></SubjectConfirmationData></SubjectConfirmation>`))}
	}},
	{"authn statements", oneRSA, "", func(size int) message {
		return message{statements: many(size, mostElements/3, same(`<AuthnStatement AuthnInstant="2026-03-02T09:30:00Z"><AuthnContext>`+
			`<AuthnContextClassRef></AuthnContextClassRef></AuthnContext></AuthnStatement>`))}
	}},
	{"an issuer of 1 MiB", oneRSA, saml.CodeAssertionIssuer, func(size int) message { return message{issuer: many(size, 1<<30, same("\u00a0"))} }},
	{"extensions, the assertion signed", oneRSA, "", func(size int) message {
		return message{extensions: `<e xmlns="u:e">` + many(size, mostElements, same(element)) + `</e>`}
	}},
	{"KeyInfo of 1 MiB, unknown signer", strangers, saml.CodeSignature, func(size int) message {
		return message{keyInfo: `<d:KeyInfo><d:X509Data><d:X509Certificate>` + many(size, 1<<30, same("AAAA")) + `</d:X509Certificate></d:X509Data></d:KeyInfo>`}
	}},
	{"KeyInfo of 50,000 elements, unknown signer", strangers, saml.CodeSignature, func(size int) message {
		return message{keyInfo: `<d:KeyInfo><w xmlns="u:w">` + many(size, mostElements, same(element)) + `</w></d:KeyInfo>`}
	}},
	{"changed after it was signed", oneRSA, saml.CodeDigest, func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))(size)
		m.spoil = true
		return m
	}},
	{"unsigned, 50,000 elements", oneRSA, saml.CodeUnsigned, func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))(size)
		m.unsigned = true
		return m
	}},
}
