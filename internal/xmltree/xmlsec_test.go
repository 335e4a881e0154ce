package xmltree_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// signatureTemplate is what xmlsec1 completes: %s are the PrefixList of SignedInfo and that of the
// reference.
const signatureTemplate = `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>` +
	`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">` +
	`<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="%s"/>` +
	`</ds:CanonicalizationMethod>` +
	`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"/>` +
	`<ds:Reference URI="#it"><ds:Transforms>` +
	`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>` +
	`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">` +
	`<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="%s"/></ds:Transform>` +
	`</ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>` +
	`<ds:DigestValue></ds:DigestValue></ds:Reference></ds:SignedInfo>` +
	`<ds:SignatureValue></ds:SignatureValue></ds:Signature>`

// TestCanonicalizeLikeXMLSec lets xmlsec1 sign elements of random documents and compares the digest
// with that of our canonical form, and the signature value (an HMAC, so that no key pair is needed)
// with that of our SignedInfo.
func TestCanonicalizeLikeXMLSec(t *testing.T) {
	t.Parallel()
	xmlsec := needXMLSec(t)
	dir := t.TempDir()
	key := []byte("a key for this test, and no other")
	keyFile := filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	const documents = 60
	g := newGenerator(3)
	for i := range documents {
		template, digestList, infoList := signable(g, 1+i%6)
		doc := mustParse(t, template)
		signed := first(t, doc, "signed")
		file := filepath.Join(dir, "template.xml")
		if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
			t.Fatal(err)
		}
		name := "signed"
		if signed.Space() != "" {
			name = signed.Space() + ":" + name
		}
		var out, stderr bytes.Buffer
		cmd := exec.Command(xmlsec, "--sign", "--hmackey", keyFile, "--id-attr:ID", name, file)
		cmd.Stdout, cmd.Stderr = &out, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("xmlsec1: %v\n%s\n%s", err, stderr.Bytes(), template)
		}
		wantDigest := between(out.String(), "<ds:DigestValue>", "<")
		wantValue := between(out.String(), "<ds:SignatureValue>", "<")

		form, err := signed.Canonicalize(nil, xmltree.C14N{PrefixList: digestList, Omit: first(t, doc, "Signature")})
		sum := sha256.Sum256(form)
		if digest := base64.StdEncoding.EncodeToString(sum[:]); err != nil || digest != wantDigest {
			t.Fatalf("document %d: digest is %s, xmlsec1 has %s\n%s\n%s (%v)",
				i, digest, wantDigest, template, form, err)
		}
		// SignedInfo of the document as xmlsec1 signed it: the template with the digest filled in.
		doc = mustParse(t, strings.Replace(template, "<ds:DigestValue>", "<ds:DigestValue>"+wantDigest, 1))
		info, err := first(t, doc, "SignedInfo").Canonicalize(nil, xmltree.C14N{PrefixList: infoList})
		mac := hmac.New(sha256.New, key)
		mac.Write(info)
		if value := base64.StdEncoding.EncodeToString(mac.Sum(nil)); err != nil || value != wantValue {
			t.Fatalf("document %d: signature value is %s, xmlsec1 has %s\n%s\n%s (%v)",
				i, value, wantValue, template, info, err)
		}
	}
}

// signable returns a random document with an element "signed" at this depth or deeper, which has
// the ID "it" and an empty signature somewhere among its children, and the two PrefixLists in that
// signature.
func signable(g *generator, depth int) (template, digestList, infoList string) {
	g.mark = true
	src := g.document(depth)
	digestList, infoList = strings.Join(g.prefixList(), " "), strings.Join(g.prefixList(), " ")
	signature := fmt.Sprintf(signatureTemplate, infoList, digestList)
	return strings.Replace(src, signatureMark, signature, 1), digestList, infoList
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return strings.Join(strings.Fields(s), "")
}
