//go:build unix

package main

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/xmltree"
)

// A shape is a family of messages that is meant to cost much. fill gives a message of about size
// bytes.
type shape struct {
	name string
	keys keyKind
	code saml.Code // what a message of the full size is answered with, "" if it is accepted
	fill func(size int) message
}

type keyKind int

const (
	oneRSA        keyKind = iota
	sixteenRSA            // of 2048 bits; the last one fits
	sixteenCurves         // half on P-384, half on P-521; the last one fits
	// RSA, half of 4096 bits, half of 8192, with exponents as long as they can be; the last one fits
	sixteenLong
	strangers // the key that signed is not trusted, and sixteen are
	encrypted // one RSA key, and two to decrypt with, of 4096 bits; the last one fits
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
	declareXEnc   = ` xmlns:x="` + xmltree.NSXEnc + `"`
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

// retrievals is an encrypted assertion with these elements in its KeyInfo, and keys beside it.
func retrievals(inside, beside string) message {
	data := encryptedData(`<d:KeyInfo xmlns:d="`+xmltree.NSDSig+`">`+inside+`</d:KeyInfo>`, []byte("x"))
	return message{instead: `<EncryptedAssertion>` + data + beside + `</EncryptedAssertion>`, declarations: declareXEnc}
}

// keyNamed is an EncryptedKey with this Id, for nobody.
func keyNamed(id string) string { return encryptedKey(` Id="`+id+`"`, "", make([]byte, 512)) }

// encryptedNameID is a NameID for the last of our keys, and for a stranger first.
func encryptedNameID() string {
	data, err := encrypt(`<NameID xmlns="`+xmltree.NSAssertion+`">user@example.com</NameID>`,
		&decryptionKeys()[maxDecryptionKeys-1].PublicKey)
	if err != nil {
		panic(err)
	}
	return `<EncryptedID>` + data + `</EncryptedID>`
}

// refusal is an error answer with this StatusMessage.
func refusal(text string) message {
	return message{status: `<p:StatusCode Value="x"/><p:StatusMessage>` + text + `</p:StatusMessage>`, instead: " "}
}

func replaceFirst(old, new string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, new, 1) }
}

// replaceValue gives the signature another value.
func replaceValue(value func() []byte) func(string) string {
	const open, end = "<d:SignatureValue>", "</d:SignatureValue>"
	return func(text string) string {
		before, rest, _ := strings.Cut(text, open)
		_, after, _ := strings.Cut(rest, end)
		return before + open + base64.StdEncoding.EncodeToString(value()) + end + after
	}
}

// padValue puts as much as fits before the signature value.
func padValue(size int, unit func(int) string) func(string) string {
	return func(text string) string {
		return strings.Replace(text, "<d:SignatureValue>", "<d:SignatureValue>"+many(size, 1<<30, unit), 1)
	}
}

// hugeASN1 is an ECDSA signature in ASN.1 of two numbers that fill size bytes.
func hugeASN1(size int) []byte {
	number := new(big.Int).Lsh(big.NewInt(1), uint(size/2*8-128))
	der, err := asn1.Marshal(struct{ R, S *big.Int }{number, number})
	if err != nil {
		panic(err)
	}
	return der
}

// ambiguous is as long as r and s of P-521 side by side, and ASN.1 too.
func ambiguous() []byte {
	const size = 2 * 66
	number := func(bytes int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(8*bytes-2)) }
	der, err := asn1.Marshal(struct{ R, S *big.Int }{number(63), number(62)})
	if err != nil || len(der) != size {
		panic(fmt.Sprint(len(der), err))
	}
	return der
}

var shapes = []shape{
	{"values", oneRSA, "", attributes(mostElements, openAttribute, closeAttr,
		same("<AttributeValue>x</AttributeValue>"))},
	{"empty values", oneRSA, "", attributes(mostElements, openAttribute, closeAttr,
		same("<AttributeValue></AttributeValue>"))},
	{"attributes of different names", oneRSA, "",
		attributes(mostElements, "", "",
			func(i int) string { return fmt.Sprintf(`<Attribute Name="%d"></Attribute>`, i) })},
	{"attributes of one name", oneRSA, "",
		attributes(mostElements/2, "", "", same(`<Attribute Name="x"><AttributeValue>x</AttributeValue></Attribute>`))},
	{"NameIDs as values", oneRSA, "", attributes(mostElements/2, openAttribute, closeAttr,
		same("<AttributeValue><NameID>x</NameID></AttributeValue>"))},
	{"attribute statements", oneRSA, "", func(size int) message {
		return message{statements: many(size, mostElements/2,
			same(`<AttributeStatement><Attribute Name="x"></Attribute></AttributeStatement>`))}
	}},
	{"50,000 elements in a value", oneRSA, "", attributes(mostElements, openForeign, closeForeign, same(element))},
	{"50,000 elements with an ID", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		func(i int) string { return fmt.Sprintf("<e ID='_%d'></e>", i) })},
	{"64 attributes an element", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		same("<e"+sixty+each(4, 10, " b#=''")+"></e>"))},
	{"64 attributes an element, out of order", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		same("<e"+each(4, 10, " b#=''")+sixty+"></e>"))},
	{"64 attributes in 32 namespaces an element", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		same("<e"+each(32, 10, " xmlns:p#='u:#' p#:a='' p#:b=''")+"></e>"))},
	{"deep, 32 declarations an element", oneRSA, "", attributes(mostElements, openForeign, closeForeign, tower)},
	{"text with entities", oneRSA, "", attributes(1<<30, openValue, closeValue, same("&lt;"))},
	{"text with long character references", oneRSA, "", attributes(1<<30, openValue, closeValue, same("&#x00000041;"))},
	{"text that grows when it is canonicalized", oneRSA, saml.CodeTooLarge,
		attributes(1<<30, openValue, closeValue, same(">"))},
	{"attribute with entities", oneRSA, "", attributes(1<<30, openForeign+"<e a='", "'></e>"+closeForeign,
		same("&amp;"))},
	{"white space", oneRSA, "", attributes(1<<30, openAttribute, closeAttr, same(" "))},
	{"PrefixList of 64, not declared", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign, closeForeign, same(element))(size)
		m.prefixList = listOf64
		return m
	}},
	{"PrefixList of 64, all in scope, both signed", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign+"<e"+each(32, 32, " xmlns:p#='u:p'")+">", "</e>"+closeForeign,
			same(element))(size)
		m.prefixList, m.declarations, m.both = listOf64, each(30, 0, " xmlns:p#='u:p'"), true
		return m
	}},
	{"PrefixList of 64, declared again and again", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign, closeForeign,
			func(i int) string { return "<e" + each(32, 32*(i%2), " xmlns:p#='u:p'") + "></e>" })(size)
		m.prefixList = listOf64
		return m
	}},
	{"PrefixList of 64, re-bound in towers", oneRSA, "", func(size int) message {
		one := "<e" + declared + "><e" + each(32, 32, " xmlns:p#='u:1'") + "><e" + each(32, 0, " xmlns:p#='u:2'") + ">"
		m := attributes(mostElements/48, openForeign, closeForeign,
			same(strings.Repeat(one, 16)+strings.Repeat("</e>", 48)))(size)
		m.prefixList = listOf64
		return m
	}},
	{"Canonical XML 1.0, deep, 32 declarations an element", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign, closeForeign, tower)(size)
		m.inclusive = true
		return m
	}},
	{"Canonical XML 1.0, both signed, as much around as may be", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign, closeForeign, same(element))(size)
		m.inclusive, m.both, m.declarations = true, true, each(28, 0, " xmlns:p#='u:p'")+each(58, 10, " xml:a#=''")
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
	{"8 P-384 and 8 P-521 keys, two signatures, 50,000 elements", sixteenCurves, "", func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))(size)
		m.both = true
		return m
	}},
	{"encrypted, 50,000 elements", encrypted, "", encryptedAttributes(mostElements, openAttribute, closeAttr,
		"<AttributeValue></AttributeValue>", message{})},
	{"encrypted, long text", encrypted, "", encryptedAttributes(1<<30, openValue, closeValue, "x", message{})},
	{"encrypted in a signed response", encrypted, "", encryptedAttributes(mostElements, openAttribute, closeAttr,
		"<AttributeValue></AttributeValue>", message{both: true, unsigned: true})},
	{"encrypted, both signed, 30 namespaces outside", encrypted, "", encryptedAttributes(mostElements, openForeign,
		closeForeign, element,
		message{both: true, prefixList: listOf64, declarations: each(27, 0, " xmlns:p#='u:p'")})},
	{"encrypted, unsigned", encrypted, saml.CodeDecryption, encryptedAttributes(mostElements, openAttribute,
		closeAttr, "<AttributeValue></AttributeValue>", message{unsigned: true})},
	{"audiences of others", oneRSA, saml.CodeAudience, func(size int) message {
		return message{conditions: `<AudienceRestriction>` +
			many(size, mostElements, same(`<Audience>x</Audience>`)) + `</AudienceRestriction>`}
	}},
	{"audience restrictions", oneRSA, "", func(size int) message {
		return message{conditions: many(size, mostElements/2,
			same(`<AudienceRestriction><Audience>`+redirectURL+`</Audience></AudienceRestriction>`))}
	}},
	{"confirmations that are over", oneRSA, "", func(size int) message {
		return message{confirmations: many(size, mostElements/2,
			same(`<SubjectConfirmation `+bearer+`><SubjectConfirmationData Recipient="`+redirectURL+
				`" NotOnOrAfter="2025-03-02T10:30:00Z"></SubjectConfirmationData></SubjectConfirmation>`))}
	}},
	{"confirmations with bad times", oneRSA, saml.CodeTime, func(size int) message {
		return message{confirmations: many(size, mostElements/2,
			same(`<SubjectConfirmation Method=""><SubjectConfirmationData NotOnOrAfter="x"></SubjectConfirmationData></SubjectConfirmation>`))}
	}},
	{"authn statements", oneRSA, "", func(size int) message {
		return message{statements: many(size, mostElements/3,
			same(`<AuthnStatement AuthnInstant="2026-03-02T09:30:00Z"><AuthnContext>`+
				`<AuthnContextClassRef></AuthnContextClassRef></AuthnContext></AuthnStatement>`))}
	}},
	{"an issuer of 1 MiB", oneRSA, saml.CodeAssertionIssuer,
		func(size int) message { return message{issuer: many(size, 1<<30, same("\u00a0"))} }},
	{"extensions, the assertion signed", oneRSA, "", func(size int) message {
		return message{extensions: `<e xmlns="u:e">` + many(size, mostElements, same(element)) + `</e>`}
	}},
	{"KeyInfo of 1 MiB, unknown signer", strangers, saml.CodeSignature, func(size int) message {
		return message{keyInfo: `<d:KeyInfo><d:X509Data><d:X509Certificate>` + many(size, 1<<30, same("AAAA")) +
			`</d:X509Certificate></d:X509Data></d:KeyInfo>`}
	}},
	{"KeyInfo of 50,000 elements, unknown signer", strangers, saml.CodeSignature, func(size int) message {
		return message{keyInfo: `<d:KeyInfo><w xmlns="u:w">` + many(size, mostElements, same(element)) +
			`</w></d:KeyInfo>`}
	}},
	{"KeyInfo of thousands of certificates, unknown signer", strangers, saml.CodeSignature, func(size int) message {
		one := `<d:X509Data><d:X509Certificate>` + base64.StdEncoding.EncodeToString(someCertificate()) +
			`</d:X509Certificate></d:X509Data>`
		return message{keyInfo: `<d:KeyInfo>` + many(size, mostElements/2, same(one)) + `</d:KeyInfo>`}
	}},
	{"8 RSA keys of 4096 and 8 of 8192 bits, two signatures", sixteenLong, "", func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))(size - frame)
		m.both = true
		return m
	}},
	{"a signature value of 1 MiB", sixteenRSA, saml.CodeSignature, func(size int) message {
		return message{after: padValue(size, same("AAAA"))}
	}},
	{"a signature value in ASN.1 with two huge numbers", sixteenCurves, saml.CodeSignature, func(size int) message {
		return message{after: replaceValue(func() []byte { return hugeASN1((size - frame) / 4 * 3) })}
	}},
	{"a signature value that is ASN.1 and r beside s", sixteenCurves, saml.CodeSignature, func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))(size)
		m.after = replaceValue(ambiguous)
		return m
	}},
	{"a signature value that no P-521 key made", sixteenCurves, saml.CodeSignature, func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr, same("<AttributeValue></AttributeValue>"))(size)
		// two numbers less than the order
		m.after = replaceValue(func() []byte { return bytes.Repeat([]byte{0, 1, 2}, 2*66/3) })
		return m
	}},
	{"PrefixList of as many names as fit, unknown signer", strangers, saml.CodeCanonicalization,
		func(size int) message {
			return message{after: replaceFirst(`Algorithm="`+xmltree.NSExcC14N+`">`,
				`Algorithm="`+xmltree.NSExcC14N+`"><i:InclusiveNamespaces xmlns:i="`+xmltree.NSExcC14N+
					`" PrefixList="`+many(size, 1<<30, same("p "))+`"/>`)}
		}},
	{"PrefixList of 64 among thousands of prefixes, both signed", oneRSA, "", func(size int) message {
		m := attributes(mostElements, openForeign, closeForeign, func(i int) string {
			return "<e" + each(32, 100_000+32*i, " xmlns:p#='u:p'") + "></e>"
		})(size - frame)
		m.prefixList, m.both = strings.TrimSpace(each(64, 900_000, "p# ")), true
		return m
	}},
	{"transforms, unknown signer", strangers, saml.CodeTransform, func(size int) message {
		return message{after: replaceFirst(`<d:Transforms>`,
			`<d:Transforms>`+many(size, mostElements, same(`<d:Transform/>`)))}
	}},
	{"64 attributes an element that look alike", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		same("<e"+each(64, 10, " aaaa#aaaa=''")+"></e>"))},
	{"attributes with long names that look alike", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		same("<e"+each(64, 10, " "+strings.Repeat("a", 100)+"#"+strings.Repeat("a", 100)+"=''")+"></e>"))},
	{"sixteen long prefixes that look alike", oneRSA, "", func(size int) message {
		prefix := strings.Repeat("p", 60)
		m := attributes(mostElements, openForeign+"<"+prefix+"19:e>", "</"+prefix+"19:e>"+closeForeign,
			same("<"+prefix+"19:e></"+prefix+"19:e>"))(size - frame)
		m.declarations = each(10, 10, " xmlns:"+prefix+"#='u:p'")
		return m
	}},
	{"names beyond ASCII", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		same("<\u00e9\u00e9\u00e9></\u00e9\u00e9\u00e9>"))},
	{"CDATA sections", oneRSA, "", attributes(1<<30, openValue, closeValue, same("<![CDATA[x]]>"))},
	{"IDs with references", oneRSA, "", attributes(mostElements, openForeign, closeForeign,
		func(i int) string { return fmt.Sprintf("<e ID='_&amp;&amp;&amp;%d'></e>", i) })},
	{"nine long IDs that look alike", oneRSA, "", func(size int) message {
		return attributes(9, openForeign, closeForeign,
			func(i int) string {
				return fmt.Sprintf("<e ID='%s%d'></e>", strings.Repeat("a", (size-2*frame)/9),
					i)
			})(size)
	}},
	{"attributes of 33 names in turn", oneRSA, "", attributes(mostElements/2, "", "", func(i int) string {
		return fmt.Sprintf(`<Attribute Name="%d"><AttributeValue>x</AttributeValue></Attribute>`, i%33)
	})},
	{"attributes of 32 long names that look alike", oneRSA, "", attributes(mostElements/2, "", "", func(i int) string {
		return fmt.Sprintf(`<Attribute Name="%s%d"></Attribute>`, strings.Repeat("n", 400), 10+i%32)
	})},
	{"attributes with the names of claims", oneRSA, "",
		attributes(mostElements/2, "", "",
			same(`<Attribute Name="groups"><AttributeValue>x</AttributeValue></Attribute>`))},
	{"many values with SAML elements", oneRSA, saml.CodeAttributes,
		attributes(mostElements/2, openAttribute, closeAttr,
			same("<AttributeValue><Issuer>x</Issuer></AttributeValue>"))},
	{"one value of NameIDs", oneRSA, "", attributes(mostElements, openValue, closeValue, same("<NameID></NameID>"))},
	{"authn statements without a time", oneRSA, saml.CodeAuthnInstant, func(size int) message {
		return message{statements: many(size, mostElements/3,
			same(`<AuthnStatement><AuthnContext><AuthnContextClassRef></AuthnContextClassRef></AuthnContext></AuthnStatement>`))}
	}},
	{"confirmations for others", oneRSA, "", func(size int) message {
		return message{confirmations: many(size, mostElements/2,
			same(`<SubjectConfirmation `+bearer+`><SubjectConfirmationData Recipient="x"></SubjectConfirmationData></SubjectConfirmation>`))}
	}},
	{"EncryptedIDs", encrypted, "", func(size int) message {
		return message{confirmations: many(size/10*9, mostElements/8,
			same(`<SubjectConfirmation Method="x"><EncryptedID>`+
				encryptedData("", []byte("x"))+encryptedKey(declareXEnc, "",
				[]byte("x"))+`</EncryptedID></SubjectConfirmation>`))}
	}},
	{"an encrypted NameID", encrypted, "", func(size int) message {
		m := attributes(mostElements, openAttribute, closeAttr,
			same("<AttributeValue></AttributeValue>"))(size - 3*frame)
		m.nameID = encryptedNameID()
		return m
	}},
	{"an encrypted NameID with keys for others", encrypted, saml.CodeDecryption, func(size int) message {
		return message{nameID: `<EncryptedID>` + encryptedData("", []byte("x")) + many(size, mostElements/8,
			same(encryptedKey(declareXEnc, "", []byte("x")))) + `</EncryptedID>`}
	}},
	{"encrypted, with an encrypted NameID inside", encrypted, "", func(size int) message {
		m := encryptedAttributes(mostElements, openAttribute, closeAttr, "<AttributeValue></AttributeValue>",
			message{})(size - 3*frame)
		m.nameID = encryptedNameID()
		return m
	}},
	{"RetrievalMethods and EncryptedKeys", encrypted, saml.CodeDecryption, func(size int) message {
		return retrievals(many(size/2, mostElements, same(`<d:RetrievalMethod URI="#k"/>`)),
			many(size/2, mostElements, same(`<x:EncryptedKey Id="i"/>`))+keyNamed("k"))
	}},
	{"RetrievalMethods and a long Id", encrypted, saml.CodeDecryption, func(size int) message {
		return retrievals(many(size/2, mostElements, same(`<d:RetrievalMethod URI="#k"/>`)),
			keyNamed(many(size/2, 1<<30, same("&amp;")))+keyNamed("k"))
	}},
	{"RetrievalMethods that name nothing", encrypted, saml.CodeDecryption, func(size int) message {
		return retrievals(many(size, mostElements, same(`<d:RetrievalMethod/>`)), keyNamed("k"))
	}},
	{"EncryptedKeys beside what they decrypt", encrypted, saml.CodeDecryption, func(size int) message {
		return retrievals("", many(size, mostElements, same(`<x:EncryptedKey/>`)))
	}},
	{"EncryptedKeys inside what they decrypt", encrypted, saml.CodeDecryption, func(size int) message {
		return retrievals(many(size, mostElements, same(`<x:EncryptedKey xmlns:x="`+xmltree.NSXEnc+`"/>`)), "")
	}},
	{"an OAEP label of 1 MiB", encrypted, saml.CodeDecryption, func(size int) message {
		label := `<x:OAEPparams>` + many(size-frame, 1<<30, same("AAAA")) + `</x:OAEPparams>`
		return retrievals("", encryptedKey("", label, make([]byte, 512))+keyNamed("k"))
	}},
	{"an EncryptedKey of 1 MiB", encrypted, saml.CodeDecryption, func(size int) message {
		return retrievals("", encryptedKey("", "", make([]byte, (size-frame)/4*3))+keyNamed("k"))
	}},
	{"an EncryptedAssertion of unknown elements", encrypted, saml.CodeSchema, func(size int) message {
		return message{instead: `<EncryptedAssertion>` + many(size, mostElements, same(`<e/>`)) +
			`</EncryptedAssertion>`}
	}},
	{"a status of Entra's error numbers", oneRSA, saml.CodeStatus, func(size int) message {
		return refusal(many(size, 1<<30, same("AADSTS")))
	}},
	{"a status of what begins like Entra's error numbers", oneRSA, saml.CodeStatus, func(size int) message {
		return refusal(many(size, 1<<30, same("AADSTS1234 ")))
	}},
	{"a status of blanks", oneRSA, saml.CodeStatus,
		func(size int) message { return refusal(many(size, 1<<30, same("x "))) }},
	{"a status code of 1 MiB", oneRSA, saml.CodeStatus, func(size int) message {
		return message{status: `<p:StatusCode Value="` + many(size, 1<<30, same("a")) + `"/>`, instead: " "}
	}},
	{"a status with details", oneRSA, saml.CodeStatus, func(size int) message {
		return message{status: `<p:StatusCode Value="x"/><p:StatusDetail><w xmlns="u:w">` +
			many(size, mostElements, same(element)) + `</w></p:StatusDetail>`, instead: " "}
	}},
	{"a form value with a blank behind each character", oneRSA, "", func(size int) message {
		m := attributes(1<<30, openValue, closeValue, same("x"))(size / 3 * 2)
		m.form = func(s string) string { return strings.Join(strings.Split(s, ""), " ") }
		return m
	}},
	{"a form value with a line break behind each character", oneRSA, "", func(size int) message {
		m := attributes(1<<30, openValue, closeValue, same("x"))(size / 3 * 2)
		m.form = func(s string) string { return strings.Join(strings.Split(s, ""), "\n") }
		return m
	}},
	{"a mistake at the end", oneRSA, saml.CodeXMLSyntax, func(size int) message {
		m := attributes(mostElements, openForeign, closeForeign, same("<e>\n</e>"))(size)
		m.after = func(s string) string { return strings.TrimSuffix(s, ">") }
		return m
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
