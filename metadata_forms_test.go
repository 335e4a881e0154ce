package saml

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// TestMetadataAsCustomersHaveIt reads documents as products write them, and as people save them: they
// are taken, with the warning that they deserve, and trust the right keys alone.
func TestMetadataAsCustomersHaveIt(t *testing.T) {
	t.Parallel()
	root, leafKey := newECKey(t, elliptic.P256()), newECKey(t, elliptic.P256())
	authority := issue(t, "authority", root, nil, nil, 0)
	leaf := issue(t, "leaf", leafKey, authority, root, 0)
	other := testKey(t).DER()
	encoded := base64.StdEncoding.EncodeToString
	element := func(text string) string {
		return strings.Replace(keyXML("", leaf), encoded(leaf), text, 1)
	}
	sso := ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
	entity := func(parts string) string { return entityXML(`entityID="https://idp.example.com/"`, parts+sso) }
	good := entity(keyXML("", leaf))
	service := strings.NewReplacer("IDPSSODescriptor", "SPSSODescriptor", "idp.example.com/\"", "sp.example.com\"").Replace(good)
	collection := func(attributes string, entities ...string) string {
		return `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"` + attributes + `>` +
			strings.Join(entities, "") + `</md:EntitiesDescriptor>`
	}
	for _, row := range []struct{ name, document, warnings string }{
		{"as it should be", good, ""},
		{"PEM in the element", entity(element("\n" + armor("CERTIFICATE", leaf))), ""},
		{"base64 of PEM", entity(element(encoded([]byte(armor("CERTIFICATE", leaf))))), ""},
		{"PEM with headers", entity(element("Bag Attributes\n  friendlyName: idp\n" + armor("CERTIFICATE", leaf))), ""},
		{"leaf and authority in PEM", entity(element(armor("CERTIFICATE", leaf) + armor("CERTIFICATE", authority))), "key_issuer"},
		{"leaf and authority in base64 of PEM",
			entity(element(encoded([]byte(armor("CERTIFICATE", leaf) + armor("CERTIFICATE", authority))))), "key_issuer"},
		{"leaf and authority, base64 one after the other", entity(element(encoded(leaf) + encoded(authority))), "key_issuer"},
		{"leaf and authority, a line each", entity(element(encoded(leaf) + "\n" + encoded(authority))), "key_issuer"},
		{"Signing in capitals", entity(keyXML(` use="Signing"`, leaf)), ""},
		{"encryption in capitals", entity(keyXML("", leaf) + keyXML(` use="ENCRYPTION"`, other)), ""},
		{"white space around the use", entity(keyXML(` use=" signing "`, leaf)), ""},
		{"a blank before the Location", strings.Replace(good, `Location="`, `Location=" `, 1), ""},
		{"a binding in small letters", strings.Replace(good, "bindings:HTTP-Redirect", "bindings:http-redirect", 1), ""},
		{"an authority beside a leaf that is cut off, in PEM", entity(keyXML("", leaf) +
			strings.Replace(keyXML("", other), encoded(other), armor("CERTIFICATE", authority)+armor("CERTIFICATE", other[:100]), 1)),
			"key_unreadable"},
		{"an authority beside a leaf that is cut off, in base64",
			entity(keyXML("", leaf) + keyXML("", slices.Concat(authority, other[:100]))), "key_unreadable"},
		{"a stylesheet", `<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="m.xsl"?>` + good, ""},
		{"white space around the entity ID", strings.Replace(good, `entityID="https`, `entityID=" https`, 1), ""},
		{"the only identity provider among services", collection("", service, good, service), "aggregate"},
		{"the only one, deeper", collection("", service, collection("", good)), "aggregate"},
		{"the only one, and another planted in the Extensions of a service",
			collection("", good, strings.Replace(service, "<md:SPSSO", "<md:Extensions>"+
				strings.Replace(good, "idp.example.com/\"", "planted.example.com/\"", 1)+"</md:Extensions><md:SPSSO", 1)), "aggregate"},
		{"a collection that has ended", collection(` validUntil="2020-01-01T00:00:00Z"`, good), "aggregate,valid_until_past"},
		{"a collection around it that has ended", collection(` validUntil="2020-01-01T00:00:00Z"`, collection("", good)),
			"aggregate,valid_until_past"},
		{"one role for SAML 1.1, one for 2.0", strings.Replace(good, "<md:IDPSSO",
			`<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol"/><md:IDPSSO`, 1), ""},
		{"two services before the role", strings.Replace(good, "<md:IDPSSO", strings.Repeat(
			`<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"/>`, 2)+"<md:IDPSSO", 1), ""},
	} {
		p, err := ParseMetadata([]byte(row.document))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if got := strings.Join(codesOf(p.Warnings(testNow)), ","); got != row.warnings {
			t.Errorf("%s: warnings %q, want %q", row.name, got, row.warnings)
		}
		if ders := trusted(p); len(ders) != 1 || !bytes.Equal(ders[0], leaf) {
			t.Errorf("%s: %d trusted keys, want the leaf alone", row.name, len(ders))
		}
		if p.EntityID() != "https://idp.example.com/" || p.LoginURL() != "https://idp.example.com/sso" {
			t.Errorf("%s: %q at %q", row.name, p.EntityID(), p.LoginURL())
		}
	}
}

// TestMetadataThatCannotBeUsed: what is missing is told apart from what cannot be read.
func TestMetadataThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	der := testKey(t).DER()
	sso := ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
	good := entityXML(`entityID="https://idp.example.com/"`, keyXML("", der)+sso)
	const space, keyValue = "urn:oasis:names:tc:SAML:2.0:metadata",
		`<md:KeyDescriptor><ds:KeyInfo><ds:KeyValue/></ds:KeyInfo></md:KeyDescriptor>`
	second := strings.Replace(good, "idp.example.com/\"", "second.example.com/\"", 1)
	collection := func(entities string) string {
		return `<md:EntitiesDescriptor xmlns:md="` + space + `">` + entities + `</md:EntitiesDescriptor>`
	}
	for _, row := range []struct {
		name, document string
		code           Code
		message, got   string
	}{
		{"a certificate that cannot be read", entityXML(`entityID="x"`, keyXML("", der[:100])+sso), CodeMetadataKeys,
			"no signing certificate of the metadata can be read: certificate 1", ""},
		{"a private key", entityXML(`entityID="x"`, strings.Replace(keyXML("", der), base64.StdEncoding.EncodeToString(der),
			"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", 1)+sso), CodeMetadataKeys, "private key", ""},
		{"a KeyValue alone", entityXML(`entityID="x"`, keyValue+sso), CodeMetadataKeys, "without a certificate (KeyValue", ""},
		{"no key", entityXML(`entityID="x"`, sso), CodeMetadataKeys, "has no signing certificate", ""},
		{"SAML 1.1 alone", strings.Replace(good, "SAML:2.0:protocol", "SAML:1.1:protocol", 1), CodeMetadataRole,
			"does not speak SAML 2.0", "urn:oasis:names:tc:SAML:1.1:protocol"},
		{"a service", strings.ReplaceAll(good, "IDPSSO", "SPSSO"), CodeMetadataRole, "that of a service", "SPSSODescriptor"},
		{"other roles", strings.ReplaceAll(good, "IDPSSO", "AttributeAuthority"), CodeMetadataRole, "it has no IDPSSODescriptor",
			"AttributeAuthorityDescriptor"},
		{"a root in no namespace", "<EntityDescriptor entityID='x'/>", CodeMetadata,
			"the EntityDescriptor is not in the namespace of SAML metadata", "no namespace"},
		{"a root in another namespace", strings.Replace(good, space, "urn:oasis:names:tc:SAML:1.0:metadata", 1), CodeMetadata,
			"is not in the namespace", "urn:oasis:names:tc:SAML:1.0:metadata"},
		{"a role in another namespace", strings.NewReplacer("md:IDPSSO", "x:IDPSSO", "<md:Entity", `<md:Entity`, ` xmlns:ds=`,
			` xmlns:x="urn:x" xmlns:ds=`).Replace(good), CodeMetadataRole, "the IDPSSODescriptor is not in the namespace", "urn:x"},
		{"two identity providers", collection(good + second), CodeMetadataAggregate, "several identity providers",
			"https://idp.example.com/, https://second.example.com/"},
		{"one that is planted alone, in Extensions", collection(strings.Replace(strings.ReplaceAll(good, "IDPSSO", "SPSSO"),
			"<md:SPSSO", "<md:Extensions>"+collection(good)+"</md:Extensions><md:SPSSO", 1)), CodeMetadataRole,
			"that of a service", "SPSSODescriptor"},
		{"one twice", collection(good + good), CodeMetadataAggregate, "several times", "https://idp.example.com/"},
	} {
		_, err := ParseMetadata([]byte(row.document))
		list := Errors(err)
		if len(list) != 1 || list[0].Code != row.code || !strings.Contains(list[0].Message, row.message) || !strings.Contains(strings.ReplaceAll(list[0].Got, `\"`, `"`), row.got) ||
			list[0].Hint == "" {
			t.Errorf("%s: got %v, want %s with %q and %q", row.name, list, string(row.code), row.message, row.got)
		}
	}
}

// TestMetadataSignatureThatCannotBeChecked: a signature of a kind that is not checked says nothing
// about a change. Pinned, it is refused all the same.
func TestMetadataSignatureThatCannotBeChecked(t *testing.T) {
	t.Parallel()
	der, signer := testKey(t).DER(), testCertificate(t, testRSAKey(t))
	signed := func(canonicalization, uri string) []byte {
		document := entityXML(`entityID="https://idp.example.com/" ID="i"`, keyXML("", der)+
			ssoXML("HTTP-Redirect", "https://idp.example.com/sso"))
		return []byte(strings.Replace(document, "<md:IDPSSO", `<!-- c --><ds:Signature><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="`+
			canonicalization+`"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="`+uri+
			`"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></ds:Transforms>`+
			`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>`+
			`</ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>`+
			base64.StdEncoding.EncodeToString(signer)+
			`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature><md:IDPSSO`, 1))
	}
	const c14n = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	for _, row := range []struct {
		name, canonicalization, uri, warning string
		pinned                               Code
	}{
		{"changed", c14n, "#i", "signature_broken", CodeSignature},
		{"with comments", c14n + "#WithComments", "#i", "signature_unchecked", CodeCanonicalization},
		{"an unknown canonicalization", "urn:example:c14n", "#i", "signature_unchecked", CodeCanonicalization},
		{"of the whole document", c14n, "", "signature_unchecked", CodeReferenceURI},
	} {
		document := signed(row.canonicalization, row.uri)
		p, err := ParseMetadata(document)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if got := codesOf(p.Warnings(testNow)); len(got) != 1 || got[0] != row.warning {
			t.Errorf("%s: warnings %q, want %s", row.name, got, row.warning)
		}
		keys, err := ParseKeys(signer)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseMetadata(document, ParseMetadataOptions{SignedBy: keys})
		list := Errors(err)
		if len(list) != 1 || list[0].Code != row.pinned ||
			strings.Contains(list[0].Message, "cannot be checked") != (row.warning == "signature_unchecked") {
			t.Errorf("%s, pinned: got %v, want %s", row.name, err, string(row.pinned))
		}
	}
}
