package main

import (
	"crypto"
	"strings"
)

// encryptionVectors are encrypted messages, accepted and refused.
func encryptionVectors() []vector {
	var list []vector
	for _, part := range [][]vector{encryptedVectors(), encryptedStructureVectors(), encryptionAlgorithmVectors(),
		ciphertextVectors(), plaintextVectors(), encryptedCheckVectors(), cbcVectors(),
		onlyAlgorithmVectors()} {
		list = append(list, part...)
	}
	return list
}

func digestMethod(uri string) string {
	return `<DigestMethod xmlns="` + nsDSig + `" Algorithm="` + uri + `"/>`
}

func mgf(name string) string {
	return `<MGF xmlns="` + nsXEnc11 + `" Algorithm="` + nsXEnc11 + name + `"/>`
}

var decryptA = header{"decryption_keys": keyFile(spA)}

// encryptedNameID puts an EncryptedID in place of the NameID, before the assertion is signed.
func encryptedNameID(e encryption) edit {
	e.element, e.plaintext = "NameID", chain(swap("<NameID ", `<NameID xmlns="`+nsAssertion+`" `), e.plaintext)
	return func(text string) (string, error) { return shared.encrypt(text, e) }
}

// signResponseInstead moves the signature of a prefixed assertion to the response. The assertion then
// has no prefixes but that of SAML: exclusive canonicalization leaves out of the signed bytes what
// nothing around the ciphertext uses.
func signResponseInstead(text string) (string, error) {
	signature, err := part(text, "<ds:Signature>", "</ds:Signature>")
	if err != nil {
		return "", err
	}
	moved := strings.NewReplacer("#"+assertionID, "#"+responseID, "DIGEST-"+slotAssertion, "DIGEST-"+slotResponse,
		"VALUE-"+slotAssertion, "VALUE-"+slotResponse, "CERTIFICATE-"+slotAssertion, "CERTIFICATE-"+slotResponse).Replace(signature)
	return all(swap(signature, ""), insertBefore("<samlp:Status>", moved),
		swapAll(` xsi:type="xs:string"`, ""))(text)
}

// shared is the builder whose keys edits use.
var shared *builder

func encryptedVectors() []vector {
	inside := func(name, why string, e encryption) vector {
		return vector{name: "encrypted-" + name, from: "entra", encrypt: &e, header: decryptA, why: why}
	}
	transported := func(name, why string, r recipient) vector {
		return inside(name, why, encryption{recipients: []recipient{r}})
	}
	return []vector{
		inside("entra", "AES-256-CBC and RSA-OAEP with the key inside KeyInfo, as Microsoft's products do it, and signed inside.", encryption{judged: true}),
		inside("aes128-cbc", "AES-128-CBC.", encryption{content: nsXEnc + "aes128-cbc", judged: true}),
		inside("aes192-cbc", "AES-192-CBC.", encryption{content: nsXEnc + "aes192-cbc", judged: true}),
		inside("aes128-gcm", "AES-128-GCM.", encryption{content: nsXEnc11 + "aes128-gcm", judged: true}),
		inside("aes192-gcm", "AES-192-GCM.", encryption{content: nsXEnc11 + "aes192-gcm", judged: true}),
		inside("aes256-gcm", "AES-256-GCM.", encryption{content: aes256GCM, judged: true}),
		transported("mgf1p-sha256", "RSA-OAEP in its older name with SHA-256; the mask stays SHA-1.",
			recipient{transport: oaepMGF1P, parameters: digestMethod(digestSHA256), hash: crypto.SHA256}),
		transported("mgf1p-no-digest", "RSA-OAEP in its older name without DigestMethod: SHA-1.",
			recipient{transport: oaepMGF1P}),
		transported("oaep", "RSA-OAEP in its newer name without parameters: SHA-1 for both.",
			recipient{transport: oaep}),
		transported("oaep-sha256", "RSA-OAEP in its newer name with SHA-256, the mask with SHA-1 by default.",
			recipient{transport: oaep, parameters: digestMethod(digestSHA256), hash: crypto.SHA256}),
		transported("oaep-sha256-mgf1sha256", "RSA-OAEP with SHA-256 for both.",
			recipient{transport: oaep, parameters: digestMethod(digestSHA256) + mgf("mgf1sha256"),
				hash: crypto.SHA256, mask: crypto.SHA256}),
		transported("oaep-sha384-mgf1sha384", "RSA-OAEP with SHA-384 for both.",
			recipient{transport: oaep, parameters: mgf("mgf1sha384") + digestMethod(dsigMore+"sha384"),
				hash: crypto.SHA384, mask: crypto.SHA384}),
		transported("oaep-sha512-mgf1sha512", "RSA-OAEP with SHA-512 for both.",
			recipient{transport: oaep, parameters: digestMethod(nsXEnc+"sha512") + mgf("mgf1sha512"),
				hash: crypto.SHA512, mask: crypto.SHA512}),
		transported("oaep-sha1-mgf1sha256", "RSA-OAEP with SHA-1, and the mask with SHA-256.",
			recipient{transport: oaep, parameters: digestMethod(nsDSig+"sha1") + mgf("mgf1sha256"),
				mask: crypto.SHA256}),
		transported("label", "RSA-OAEP with a label.", recipient{parameters: `<e:OAEPparams>bGFiZWw=</e:OAEPparams>`,
			transport: oaepMGF1P, label: "label"}),
		inside("retrieval", "The key stands beside the data, and a RetrievalMethod names it, as Okta and Shibboleth do it.",
			encryption{recipients: []recipient{{id: "_key"}}, beside: true, retrieval: "#_key", judged: true}),
		inside("beside", "The key stands beside the data, and nothing names it.", encryption{beside: true}),
		inside("two-recipients", "The key is encrypted for somebody else too, who comes first.",
			encryption{recipients: []recipient{{key: attacker}, {}}}),
		inside("no-type", "EncryptedData does not say what is encrypted.", encryption{bare: true}),
		{name: "encrypted-second-key", from: "entra", encrypt: &encryption{recipients: []recipient{{key: spB}}},
			header: header{"decryption_keys": keyFile(spA) + " " + keyFile(spB)},
			why:    "Two keys to decrypt with, and it is encrypted for the second: as during a change of keys."},
		{name: "encrypted-response-signed", from: "response-signed", encrypt: &encryption{judged: true},
			header: decryptA,
			why:    "The response is signed around the ciphertext, and the assertion has no signature of its own."},
		{name: "encrypted-both-signed", from: "both-signed", encrypt: &encryption{judged: true}, header: decryptA,
			why: "Signed inside and around."},
		{name: "encrypted-signed-response-required", from: "encrypted-both-signed",
			header: header{"policy": "require_signed_response"},
			why:    "The policy demands a signature of the Response, and it is there, around the ciphertext."},
		{name: "encrypted-signed-response-required-alone", from: "encrypted-response-signed",
			header: header{"policy": "require_signed_response"},
			why:    "The policy demands a signature of the Response, and it is there, around the ciphertext of an assertion without one."},
		{name: "encrypted-outer-bindings", from: "prefixed", encrypt: &encryption{prefix: "saml:"}, header: decryptA,
			why: "What is encrypted uses the prefixes that the Response declares, and declares none itself."},
		{name: "encrypted-rebound-prefix", from: "prefixed", encrypt: &encryption{prefix: "saml:", judged: true},
			header: decryptA,
			cipher: all(swapAll("<xenc:", "<saml:"), swapAll("</xenc:", "</saml:"),
				swapAll("xmlns:xenc=", "xmlns:saml=")),
			why: "EncryptedData, which the assertion replaces, has its prefix for another namespace, as pysaml2 writes it."},
		{name: "encrypted-rebound-prefix-response-signed", from: "encrypted-rebound-prefix",
			change: signResponseInstead,
			why:    "The same, and the response is signed around the ciphertext in place of the assertion."},
		{name: "encrypted-pretty", from: "entra", encrypt: &encryption{}, header: decryptA,
			cipher: all(swapAll("<xenc:", "\n  <xenc:"), swapAll("CipherValue>", "CipherValue>\r\n")),
			why:    "Line breaks between the elements and in the base64."},
		{name: "encrypted-white-space-inside", from: "entra", encrypt: &encryption{plaintext: put("\r\n ", "\n")},
			header: decryptA,
			why:    "White space around the assertion inside."},
		{name: "encrypted-key-named", from: "encrypted-entra",
			cipher: insertBefore(`<e:EncryptedKey `, `<KeyName>ours</KeyName>`),
			why:    "KeyInfo names the key too."},
		{name: "encrypted-name-id", from: "entra", change: encryptedNameID(encryption{}), header: decryptA,
			why: "The NameID alone is encrypted, and signed as ciphertext."},
		{name: "encrypted-name-id-gcm", from: "entra",
			change: encryptedNameID(encryption{content: aes256GCM, beside: true}), header: decryptA,
			why: "The NameID alone is encrypted, by AES-GCM, and its key stands beside it."},
		{name: "encrypted-name-id-white-space", from: "entra", header: decryptA,
			change: encryptedNameID(encryption{plaintext: swap(">"+nameID+"<", ">\n "+nameID+" \t<")}),
			why:    "There is white space around the e-mail address in the NameID that is encrypted."},
		{name: "encrypted-id-digit-first", from: "id-digit-first", encrypt: &encryption{}, header: decryptA,
			why: "The ID of the encrypted assertion is a bare UUID."},
		{name: "encrypted-name-id-and-assertion", from: "encrypted-name-id", encrypt: &encryption{},
			why: "The NameID is encrypted inside an encrypted assertion."},
	}
}

// wrongFrom returns a function that makes refused vectors from an accepted one.
func wrongFrom(from, expect string) func(name, why string, r vector) vector {
	return func(name, why string, r vector) vector {
		r.name, r.from, r.why = name, from, why
		if r.expect == "" {
			r.expect = expect
		}
		return r
	}
}

// encryptedElement gives the xenc element that begins so, without children of its name.
func replaceElement(start, end string, with func(string) string) edit {
	return take(start, end, func(element string) edit { return swap(element, with(element)) })
}

func encryptedStructureVectors() []vector {
	wrong := wrongFrom("encrypted-entra", "decryption")
	beside := wrongFrom("encrypted-retrieval", "decryption")
	twice := func(s string) string { return s + s }
	return []vector{
		wrong("p37-no-key", "No key to decrypt with is configured.",
			vector{expect: "encrypted_assertion", check: "assertion present", header: header{"decryption_keys": "-"}}),
		wrong("p37-no-encrypted-key", "There is no EncryptedKey.",
			vector{cipher: cutElement("<e:EncryptedKey ", "</e:EncryptedKey>")}),
		wrong("p37-three-encrypted-keys", "There are three EncryptedKeys.",
			vector{cipher: replaceElement("<e:EncryptedKey ", "</e:EncryptedKey>",
				func(s string) string { return s + s + s })}),
		wrong("p37-three-encrypted-keys-beside", "One EncryptedKey stands inside and two beside.", vector{
			cipher: take("<e:EncryptedKey ", "</e:EncryptedKey>",
				func(s string) edit { return insertAfter("</xenc:EncryptedData>", s+s) })}),
		wrong("p37-two-encrypted-data", "There are two EncryptedData.",
			vector{expect: "schema", cipher: replaceElement("<xenc:EncryptedData ", "</xenc:EncryptedData>", twice)}),
		wrong("p37-no-encrypted-data", "There is no EncryptedData.",
			vector{expect: "schema", cipher: cutElement("<xenc:EncryptedData ", "</xenc:EncryptedData>")}),
		beside("p37-key-before-data", "The EncryptedKey stands before the EncryptedData.", vector{expect: "schema",
			cipher: take("<e:EncryptedKey ", "</e:EncryptedKey>",
				func(s string) edit { return all(cut(s), insertBefore("<xenc:EncryptedData ", s)) })}),
		beside("p37-retrieval-of-another", "The RetrievalMethod names an ID that no EncryptedKey has.",
			vector{cipher: swap(`URI="#_key"`, `URI="#_other"`)}),
		beside("p37-retrieval-of-assertion", "The RetrievalMethod names the Response.",
			vector{cipher: swap(`URI="#_key"`, `URI="#`+responseID+`"`)}),
		beside("p37-retrieval-by-address", "The RetrievalMethod is an address elsewhere.",
			vector{cipher: swap(`URI="#_key"`, `URI="https://attacker.example/key"`)}),
		beside("p37-retrieval-of-document", "The RetrievalMethod names the whole document.",
			vector{cipher: swap(`URI="#_key"`, `URI=""`)}),
		beside("p37-retrieval-of-no-id",
			"The EncryptedKey that the RetrievalMethod names has its ID in another attribute.", vector{cipher: swap(` Id="_key"`, ` xml:id="_key"`)}),
		wrong("p37-cipher-reference", "The octets stand elsewhere.",
			vector{cipher: replaceElement("<xenc:CipherValue>", "</xenc:CipherValue>", func(string) string {
				return `<xenc:CipherReference URI="https://attacker.example/octets"/>`
			})}),
		wrong("p37-key-by-cipher-reference", "The octets of the key stand elsewhere.",
			vector{cipher: replaceElement("<e:CipherValue>", "</e:CipherValue>", func(string) string {
				return `<e:CipherReference URI="#` + responseID + `"/>`
			})}),
		wrong("p37-two-cipher-values", "There are two CipherValues.",
			vector{cipher: replaceElement("<xenc:CipherValue>", "</xenc:CipherValue>", twice)}),
		wrong("p37-element-in-cipher-value", "There is an element in the CipherValue.",
			vector{cipher: swap("<xenc:CipherValue>", "<xenc:CipherValue><xenc:x/>")}),
		wrong("p37-no-base64", "The CipherValue is not base64.",
			vector{cipher: swap("<xenc:CipherValue>", "<xenc:CipherValue>*")}),
		wrong("p37-content", "The content of an element is encrypted, not the element.",
			vector{cipher: swap(`Type="`+nsXEnc+`Element"`, `Type="`+nsXEnc+`Content"`)}),
		wrong("p37-key-info-last", "KeyInfo stands behind CipherData.",
			vector{cipher: take(`<KeyInfo xmlns="`+nsDSig+`"><e:EncryptedKey `, "</e:EncryptedKey></KeyInfo>",
				func(s string) edit {
					return all(cut(s), insertBefore("</xenc:EncryptedData>", s))
				})}),
		wrong("p37-agreement", "The key is agreed upon, not sent.",
			vector{cipher: replaceElement("<e:EncryptedKey ", "</e:EncryptedKey>", func(string) string {
				return `<xenc:AgreementMethod Algorithm="` + nsXEnc11 + `ECDH-ES"/>`
			})}),
		wrongFrom("encrypted-name-id", "decryption")("p37-name-id-three-keys",
			"The EncryptedID has three EncryptedKeys.", vector{
				change: replaceElement("<e:EncryptedKey ", "</e:EncryptedKey>",
					func(s string) string { return s + s + s })}),
	}
}

func encryptionAlgorithmVectors() []vector {
	encrypted := func(name, why string, e encryption) vector {
		return vector{name: name, from: "encrypted-entra", expect: "decryption", why: why, encrypt: &e}
	}
	transported := func(name, why string, r recipient) vector {
		return encrypted(name, why, encryption{recipients: []recipient{r}})
	}
	wrong := wrongFrom("encrypted-entra", "decryption")
	return []vector{
		transported("p38-rsa-1.5", "The key is encrypted by RSA with PKCS #1 v1.5.", recipient{transport: rsa15}),
		encrypted("p38-triple-des", "The content is encrypted by triple DES.",
			encryption{content: nsXEnc + "tripledes-cbc"}),
		wrong("p38-key-wrap", "The key is said to be wrapped by AES.",
			vector{cipher: swap(oaepMGF1P, nsXEnc+"kw-aes256")}),
		wrong("p38-key-not-named", "The algorithm of the key is not named.",
			vector{cipher: swap(` Algorithm="`+oaepMGF1P+`"`, ``)}),
		wrong("p38-content-not-named", "The algorithm of the content is not named.",
			vector{cipher: swap(` Algorithm="`+aes256CBC+`"`, ``)}),
		wrong("p38-no-content-method", "EncryptedData has no EncryptionMethod.",
			vector{cipher: cut(`<xenc:EncryptionMethod Algorithm="` + aes256CBC + `"/>`)}),
		wrong("p38-content-by-rsa", "The content is said to be encrypted by RSA.",
			vector{cipher: swap(aes256CBC, oaep)}),
		wrong("p38-content-of-another-namespace", "AES-CBC in the namespace of AES-GCM.",
			vector{cipher: swap(aes256CBC, nsXEnc11+"aes256-cbc")}),
		wrong("p38-camellia", "The content is said to be encrypted by Camellia.",
			vector{cipher: swap(aes256CBC, dsigMore+"camellia256-cbc")}),
		wrong("p38-digest-md5", "RSA-OAEP with MD5.",
			vector{cipher: swap(digestMethod(nsDSig+"sha1"), digestMethod(dsigMore+"md5"))}),
		wrong("p38-digest-twice", "RSA-OAEP with two digests.",
			vector{cipher: swap(digestMethod(nsDSig+"sha1"), digestMethod(nsDSig+"sha1")+digestMethod(nsDSig+"sha1"))}),
		wrongFrom("encrypted-oaep-sha256-mgf1sha256", "decryption")("p38-mask-unknown",
			"RSA-OAEP with a mask that is not on the list.", vector{cipher: swap(nsXEnc11+"mgf1sha256",
				nsXEnc11+"mgf1sha224")}),
		wrong("p38-mask-where-fixed", "The older name of RSA-OAEP with a mask, which that name fixes.",
			vector{cipher: swap(digestMethod(nsDSig+"sha1"), digestMethod(nsDSig+"sha1")+mgf("mgf1sha1"))}),
		wrong("p38-content-parameter", "AES with a parameter.",
			vector{cipher: swap(`"`+aes256CBC+`"/>`,
				`"`+aes256CBC+`"><xenc:OAEPparams>AA==</xenc:OAEPparams></xenc:EncryptionMethod>`)}),
	}
}

func ciphertextVectors() []vector {
	encrypted := func(name, why string, e encryption) vector {
		return vector{name: name, from: "encrypted-entra", expect: "decryption", why: why, encrypt: &e}
	}
	ends := func(last byte) func(int) []byte {
		return func(n int) []byte { p := make([]byte, n); p[n-1] = last; return p }
	}
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b }
	}
	cutTo := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
	to := func(r recipient) []recipient { return []recipient{r} }
	return []vector{
		encrypted("p39-for-another", "It is encrypted for somebody else.",
			encryption{recipients: to(recipient{key: attacker})}),
		encrypted("p39-padding-0", "The padding says that it has no octets.", encryption{padding: ends(0)}),
		encrypted("p39-padding-17", "The padding says that it is longer than a block.", encryption{padding: ends(17)}),
		encrypted("p39-padding-255", "The padding says that it is longer than can be.", encryption{padding: ends(255)}),
		encrypted("p39-half-a-block", "The ciphertext ends within a block.",
			encryption{octets: func(b []byte) []byte { return b[:len(b)-8] }}),
		encrypted("p39-one-block", "The ciphertext is an initialization vector and nothing else.",
			encryption{octets: cutTo(16)}),
		encrypted("p39-first-block-changed",
			"One bit of the initialization vector was changed, and so one of the first octet.", encryption{octets: flip(0)}),
		encrypted("p39-last-block-changed", "One bit of the last block was changed.", encryption{octets: flip(-1)}),
		encrypted("p39-gcm-tag-changed", "One bit of the authentication tag was changed.",
			encryption{content: aes256GCM, octets: flip(-1)}),
		encrypted("p39-gcm-changed", "One bit of a ciphertext of AES-GCM was changed.",
			encryption{content: aes256GCM, octets: flip(40)}),
		encrypted("p39-gcm-too-short", "The ciphertext of AES-GCM has no room for the tag.",
			encryption{content: aes256GCM, octets: cutTo(27)}),
		encrypted("p39-gcm-no-nonce", "The ciphertext of AES-GCM has no room for the nonce.",
			encryption{content: aes256GCM, octets: cutTo(5)}),
		encrypted("p39-shorter-key", "The key is one of AES-128, and the algorithm says AES-256.",
			encryption{keySize: 16}),
		encrypted("p39-wrapped-key-changed", "One bit of the encrypted key was changed.",
			encryption{recipients: to(recipient{wrapped: flip(100)})}),
		encrypted("p39-wrapped-key-shorter", "The encrypted key is one octet too short.",
			encryption{recipients: to(recipient{wrapped: func(b []byte) []byte { return b[1:] }})}),
		encrypted("p39-wrapped-key-longer", "A zero octet stands before the encrypted key.",
			encryption{recipients: to(recipient{wrapped: func(b []byte) []byte { return append([]byte{0}, b...) }})}),
		encrypted("p39-other-label", "The key was encrypted with a label that the message does not name.",
			encryption{recipients: to(recipient{label: "label"})}),
		encrypted("p39-other-digest", "The key was encrypted with another digest than the message names.",
			encryption{recipients: to(recipient{hash: crypto.SHA256})}),
		{name: "p39-unsigned-inside", from: "encrypted-entra", expect: "decryption",
			change: cut(signature(slotAssertion, assertionID)), judge: noSignature,
			why: "Nothing is signed, neither inside nor around: anybody can encrypt for us."},
		{name: "p39-attacker-inside", from: "encrypted-entra", expect: "decryption", key: attacker,
			why: "Somebody else's key signed inside."},
		{name: "p39-changed-inside", from: "encrypted-entra", expect: "decryption",
			between: swap(">"+nameID+"</NameID>", ">grace.hopper@example.com</NameID>"), judge: broken,
			why: "The NameID was changed after it was signed and before it was encrypted."},
		{name: "p26-encrypted-response-signature-taken-off", from: "encrypted-signed-response-required",
			expect: "unsigned", check: "response signed", after: withoutFirstSignature,
			why: "The policy demands a signature of the Response, and an attacker took it off, so that a changed ciphertext would meet the key."},
		{name: "p27-encrypted-attacker-around", from: "encrypted-both-signed", expect: "signature", key: idpA,
			responseKey: attacker,
			why:         "Signed well inside, and by somebody else around: every signature that is there counts."},
		{name: "p39-swapped-in-signed-response", from: "encrypted-response-signed", expect: "digest", judge: broken,
			after: replaceElement("<xenc:CipherValue>", "</xenc:CipherValue>",
				func(s string) string { return strings.Replace(s, "A", "B", 1) }),
			why: "The ciphertext was changed under the signature of the response."},
	}
}

func plaintextVectors() []vector {
	inside := func(name, why string, plaintext edit) vector {
		return vector{name: name, from: "encrypted-entra", expect: "decryption", why: why,
			encrypt: &encryption{plaintext: plaintext}}
	}
	instead := func(name, why, text string) vector {
		return inside(name, why, func(string) (string, error) { return text, nil })
	}
	around := func(name, why string, plaintext edit) vector {
		return vector{name: name, from: "encrypted-response-signed", expect: "decryption", why: why,
			encrypt: &encryption{plaintext: plaintext}}
	}
	return []vector{
		instead("p40-empty", "Nothing is encrypted.", ""),
		instead("p40-text", "What is encrypted is no XML.", "ada.lovelace@example.com"),
		instead("p40-other-root", "What is encrypted is a NameID.",
			`<NameID xmlns="`+nsAssertion+`">`+nameID+`</NameID>`),
		inside("p40-response", "What is encrypted is a Response with the assertion in it.",
			put(`<samlp:Response xmlns:samlp="`+nsProtocol+`">`, `</samlp:Response>`)),
		inside("p40-text-before", "Text stands before the assertion inside.", put("x", "")),
		inside("p40-text-behind", "Text stands behind the assertion inside.", put("", "x")),
		inside("p40-two-assertions", "There are two assertions inside.", func(text string) (string, error) {
			return text + strings.ReplaceAll(text, assertionID, evilID), nil
		}),
		inside("p40-comment", "A comment stands beside the assertion inside.", put("<!-- -->", "")),
		inside("p40-comment-in-name", "A comment stands in the NameID inside.",
			swap("ada.lovelace@example.com</NameID>", "ada.lovelace@example.com<!-- -->.attacker.example</NameID>")),
		inside("p40-declaration", "An XML declaration stands before the assertion inside.",
			put(`<?xml version="1.0"?>`, "")),
		inside("p40-doctype", "A DOCTYPE stands before the assertion inside.",
			put(`<!DOCTYPE a [<!ENTITY e "x">]>`, "")),
		inside("p40-closes-and-opens", "What is encrypted closes the element around it and opens another.",
			put("", "</xenc:EncryptedData><xenc:EncryptedData>")),
		inside("p40-not-utf8", "What is encrypted is not UTF-8.", swap("Ada Lovelace", "Ada \xff Lovelace")),
		inside("p40-cut-off", "What is encrypted ends too early.",
			func(text string) (string, error) { return text[:len(text)-4], nil }),
		inside("p40-prefix-not-declared", "The assertion inside uses a prefix that is declared nowhere.",
			swap("<Conditions ", `<Conditions undeclared:x="" `)),
		inside("p40-other-namespace", "The assertion inside is one of SAML 1.1.",
			swap(` xmlns="`+nsAssertion+`"`, ` xmlns="urn:oasis:names:tc:SAML:1.0:assertion"`)),
		{name: "p40-assertion-inside-assertion", from: "encrypted-entra", expect: "decryption",
			change: insertAfter("</Conditions>",
				`<Advice><x:y xmlns:x="urn:example:advice"><Assertion ID="`+evilID+`" Version="2.0" IssueInstant="`+now+`"/></x:y></Advice>`),
			why: "The assertion inside hides another one, under its signature."},
		{name: "p40-encrypted-inside", from: "encrypted-entra", expect: "decryption",
			change: insertAfter("</Conditions>",
				`<Advice><x:y xmlns:x="urn:example:advice"><EncryptedAssertion/></x:y></Advice>`),
			why: "The assertion inside hides an encrypted one, under its signature."},
		{name: "p40-id-twice", from: "encrypted-entra", expect: "decryption",
			change: swap("<AttributeStatement>", `<AttributeStatement ID="`+assertionID+`">`),
			why:    "Two elements inside have the same ID."},
		{name: "p40-unknown-element", from: "encrypted-entra", expect: "decryption",
			change: insertBefore("</AttributeStatement>", "<Unknown/>"),
			why:    "The assertion inside has an element that SAML does not know, under its signature."},
		{name: "p40-two-signatures", from: "encrypted-entra", expect: "decryption",
			between: take("<Signature ", "</Signature>", func(s string) edit { return swap(s, s+s) }), judge: broken,
			why: "The assertion inside has its signature twice."},
		{name: "p40-signature-elsewhere", from: "encrypted-entra", expect: "decryption",
			between: moveSignature(func(s string) edit { return insertAfter("<AttributeStatement>", s) }),
			why:     "The signature inside stands elsewhere than directly in the assertion."},
		around("p40-other-root-in-signed-response", "What is encrypted in a signed response is no assertion.",
			func(string) (string, error) {
				return `<NameID xmlns="` + nsAssertion + `">` + nameID + `</NameID>`, nil
			}),
		around("p40-renamed-in-signed-response",
			"What is encrypted in a signed response is an assertion by another name.", all(swap("<Assertion ",
				"<Other "), swap("</Assertion>", "</Other>"))),
		{name: "p40-two-signatures-in-signed-response", from: "encrypted-both-signed", expect: "decryption",
			between: take(`<Signature xmlns="`+nsDSig+`"><SignedInfo><CanonicalizationMethod Algorithm="`+exclusive+`"/><SignatureMethod Algorithm="`+rsaSHA256+`"/><Reference URI="#`+assertionID, "</Signature>", func(s string) edit { return swap(s, s+s) }), judge: someValid,
			why: "The assertion in a signed response has its signature twice."},
		around("p40-two-in-signed-response", "Two assertions are encrypted in a signed response.",
			func(text string) (string, error) {
				return text + strings.ReplaceAll(text, assertionID, evilID), nil
			}),
		{name: "p40-binding-outside-signature", from: "encrypted-response-signed", expect: "decryption",
			encrypt: &encryption{plaintext: swap("<Conditions ", `<Conditions late:x="" `)},
			after: swap(` xmlns:samlp="`+nsProtocol+`"`,
				` xmlns:samlp="`+nsProtocol+`" xmlns:late="urn:example:late"`),
			why: "A prefix inside is declared by the Response alone, where no signature covers it: whoever re-declares it would say what the element is."},
		wrongFrom("encrypted-name-id", "decryption")("p40-name-id-is-assertion",
			"An Audience is encrypted in place of a NameID.", vector{
				change: func(string) (string, error) {
					text := entra("", signature(slotAssertion, assertionID))
					return encryptedNameID(encryption{plaintext: all(swap("<NameID ", "<Audience "),
						swap("</NameID>", "</Audience>"))})(text)
				}}),
		wrongFrom("encrypted-name-id", "decryption")("p40-name-id-with-element",
			"The NameID that is encrypted has an element in it.", vector{
				change: func(string) (string, error) {
					text := entra("", signature(slotAssertion, assertionID))
					return encryptedNameID(encryption{plaintext: swap("</NameID>",
						"<NameID>x</NameID></NameID>")})(text)
				}}),
		wrongFrom("encrypted-name-id", "decryption")("p40-name-id-for-another",
			"The NameID is encrypted for somebody else.", vector{
				change: func(string) (string, error) {
					text := entra("", signature(slotAssertion, assertionID))
					return encryptedNameID(encryption{recipients: []recipient{{key: attacker}}})(text)
				}}),
	}
}

// encryptedCheckVectors: what is encrypted has to pass the checks too.
func encryptedCheckVectors() []vector {
	return []vector{
		{name: "c43-encrypted", from: "encrypted-entra", expect: "audience", check: "audience",
			change: swap("<Audience>"+redirectURL, "<Audience>https://other.example.com/"),
			why:    "An encrypted assertion for another service."},
		{name: "c45-encrypted", from: "encrypted-entra", expect: "recipient", check: "subject confirmation",
			change: swap(`Recipient="`+redirectURL+`"`, `Recipient="https://other.example.com/acs"`),
			why:    "An encrypted assertion that is to be delivered elsewhere."},
		{name: "c41-encrypted", from: "encrypted-response-signed", expect: "assertion_issuer", check: "issuer",
			change: swap("<Issuer>"+idpEntityID, "<Issuer>"+otherIDP),
			why:    "An encrypted assertion of another issuer in a response that the identity provider signed."},
		{name: "c55-encrypted", from: "encrypted-name-id", expect: "sp_name_qualifier", check: "sp name qualifier",
			change: func(string) (string, error) {
				text := entra("", signature(slotAssertion, assertionID))
				return encryptedNameID(encryption{plaintext: swap("<NameID ",
					`<NameID SPNameQualifier="https://other.example.com/" `)})(text)
			},
			why: "An encrypted NameID that was made for another service."},
	}
}
