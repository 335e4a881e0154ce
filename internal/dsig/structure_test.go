package dsig

import (
	"errors"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// profile is a signature that is built as the profile demands; its values are none.
const profile = `<e ID="i"><d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"><d:SignedInfo>` +
	`<d:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
	`<d:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>` +
	`<d:Reference URI="#i"><d:Transforms>` + enveloped + exclusiveTransform + `</d:Transforms>` +
	`<d:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><d:DigestValue>AAAA</d:DigestValue>` +
	`</d:Reference></d:SignedInfo>` +
	`<d:SignatureValue>AAAA</d:SignatureValue></d:Signature></e>`

const (
	enveloped          = `<d:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>`
	exclusiveTransform = `<d:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`
	closedExclusive    = `Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`
)

// inclusive is exclusive canonicalization with content.
func inclusive(content string) string {
	return `Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">` + content + `</d:`
}

// TestProfile changes one thing in a signature: what is wrong is said, with what was found.
func TestProfile(t *testing.T) {
	t.Parallel()
	const list = `<i:InclusiveNamespaces xmlns:i="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="a"/>`
	transform := func(content string) string { return inclusive(content) + `Transform>` }
	for _, row := range []struct {
		name, old, new string
		code, got      string // "" for what is accepted
	}{
		{"as it should be", "", "", "", ""},
		{"a PrefixList", exclusiveTransform, `<d:Transform ` + transform(list), "", ""},
		{"no Transform", enveloped + exclusiveTransform, ``, fault.Transform, "0 transforms"},
		{"the enveloped signature alone", exclusiveTransform, ``, "", ""},
		{"the canonicalization alone", enveloped, ``, fault.Transform, "http://www.w3.org/2001/10/xml-exc-c14n#"},
		{"three Transforms", exclusiveTransform, exclusiveTransform + exclusiveTransform, fault.Transform,
			"3 transforms"},
		{"another first Transform", enveloped, exclusiveTransform, fault.Transform,
			"http://www.w3.org/2001/10/xml-exc-c14n#"},
		{"a first Transform without Algorithm", enveloped, `<d:Transform/>`, fault.Transform, ""},
		{"a first Transform with a parameter", enveloped,
			strings.Replace(enveloped, "/>", `><d:XPath/></d:Transform>`, 1), fault.SignatureStructure, "XPath"},
		{"a first Transform with text", enveloped, strings.Replace(enveloped, "/>", `>t</d:Transform>`, 1),
			fault.SignatureStructure, "Transform"},
		{"a foreign Transform", enveloped, strings.Replace(enveloped, "<d:Transform", `<Transform`, 1),
			fault.Transform, "http://www.w3.org/2000/09/xmldsig#enveloped-signature"},
		{"a foreign element in its place", enveloped, `<other/>`, fault.Transform, "other"},
		{"text between the Transforms", exclusiveTransform, `t` + exclusiveTransform, fault.SignatureStructure,
			"Transforms"},
		{"text beside InclusiveNamespaces", exclusiveTransform, `<d:Transform ` + transform(list+`t`),
			fault.SignatureStructure, "Transform"},
		{"two InclusiveNamespaces", exclusiveTransform, `<d:Transform ` + transform(list+list),
			fault.SignatureStructure, "InclusiveNamespaces"},
		{"another parameter", exclusiveTransform, `<d:Transform ` + transform(`<d:XPath/>`), fault.SignatureStructure,
			"XPath"},
		{"text in InclusiveNamespaces", exclusiveTransform,
			`<d:Transform ` + transform(strings.Replace(list, "/>", ">t</i:InclusiveNamespaces>",
				1)), fault.SignatureStructure, "InclusiveNamespaces"},
		{"an element in InclusiveNamespaces", exclusiveTransform,
			`<d:Transform ` + transform(strings.Replace(list, "/>", "><i:x/></i:InclusiveNamespaces>",
				1)), fault.SignatureStructure, "InclusiveNamespaces"},
		{"no URI", ` URI="#i"`, ``, fault.ReferenceURI, ""},
		{"an empty URI", `"#i"`, `""`, fault.ReferenceURI, ""},
		{"another URI", `"#i"`, `"#j"`, fault.ReferenceURI, "#j"},
		{"an XPointer", `"#i"`, `"#xpointer(id('i'))"`, fault.ReferenceURI, "#xpointer(id('i'))"},
		{"another name than SignedInfo", `d:SignedInfo>`, `d:Other>`, fault.SignatureStructure, "Other"},
		{"an element in the digest", `<d:DigestValue>`, `<d:DigestValue><d:x/>`, fault.SignatureStructure,
			"DigestValue"},
		{"no DigestValue", `<d:DigestValue>AAAA</d:DigestValue>`, ``, fault.SignatureStructure, ""},
		{"no base64 in the signature", `<d:SignatureValue>`, `<d:SignatureValue>!`, fault.SignatureStructure,
			"SignatureValue"},
		{"an algorithm that is not named", ` Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"`, ``,
			fault.SignatureStructure, "SignatureMethod"},
		{"text in an algorithm", `rsa-sha256"/>`, `rsa-sha256">t</d:SignatureMethod>`, fault.SignatureStructure,
			"SignatureMethod"},
		{"a parameter of an algorithm", `rsa-sha256"/>`,
			`rsa-sha256"><d:HMACOutputLength>1</d:HMACOutputLength></d:SignatureMethod>`, fault.SignatureStructure, "HMACOutputLength"},
		{"Canonical XML 1.1 of SignedInfo", `CanonicalizationMethod ` + closedExclusive,
			`CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11"/>`, "", ""},
		{"Canonical XML 1.0 of the reference", exclusiveTransform,
			`<d:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"/>`, "", ""},
		{"an unknown version of Canonical XML", `CanonicalizationMethod ` + closedExclusive,
			`CanonicalizationMethod Algorithm="http://www.w3.org/2010/xml-c14n2"/>`, fault.Canonicalization,
			"http://www.w3.org/2010/xml-c14n2"},
		{"a PrefixList of Canonical XML", exclusiveTransform,
			`<d:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11">` + list + `</d:Transform>`,
			fault.SignatureStructure, "InclusiveNamespaces"},
		{"text in Canonical XML", exclusiveTransform,
			`<d:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11">t</d:Transform>`,
			fault.SignatureStructure, "Transform"},
		{"no canonicalization of the reference", exclusiveTransform,
			`<d:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>`, fault.Transform, "http://www.w3.org/2000/09/xmldsig#base64"},
	} {
		src := strings.ReplaceAll(profile, row.old, row.new)
		if row.old == "" {
			src = profile
		} else if src == profile {
			t.Fatalf("%s: %q does not occur", row.name, row.old)
		}
		doc, err := xmltree.Parse([]byte(src), xmltree.Options{})
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		s, err := Of(doc.Root())
		if err != nil || !s.Exists() {
			t.Fatalf("%s: no signature: %v", row.name, err)
		}
		_, err = readSignature(s.element, "i")
		var f fault.Fault
		if pointer := (*fault.Fault)(nil); errors.As(err, &pointer) {
			f = *pointer
		}
		if (err == nil) != (row.code == "") || f.Code != row.code || f.Got != row.got {
			t.Errorf("%s: got %v (%q), want %s with %q", row.name, err, f.Got, row.code, row.got)
		}
	}
}

// TestSignedComments: a signature that covers comments cannot be checked where there are some, because
// they are not read. Without any, or outside the root, it is a signature like others.
func TestSignedComments(t *testing.T) {
	t.Parallel()
	const comment = `<!-- c -->`
	withComments := strings.NewReplacer(exclusiveTransform, `<d:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#WithComments"/>`)
	method := strings.NewReplacer(`Method Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"`,
		`Method Algorithm="http://www.w3.org/2006/12/xml-c14n11#WithComments"`)
	keys := vectorKeys(t)
	for _, row := range []struct{ name, src, code string }{
		{"without comments", withComments.Replace(profile), fault.Signature},
		{"before the root", comment + withComments.Replace(profile) + comment, fault.Signature},
		{"in the root", strings.Replace(withComments.Replace(profile), "<d:Sig", comment+"<d:Sig", 1), fault.Canonicalization},
		{"SignedInfo alone", strings.Replace(method.Replace(profile), "<d:Sig", comment+"<d:Sig", 1), fault.Canonicalization},
		{"comments that are not signed", strings.Replace(profile, "<d:Sig", comment+"<d:Sig", 1), fault.Signature},
	} {
		doc, err := xmltree.Parse([]byte(row.src), xmltree.Options{AllowComments: true})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Of(doc.Root())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Verify(keys, Policy{})
		wantCode(t, row.name, err, row.code)
	}
}

// TestInclusiveSignaturesAreExplained: where an inclusive signature does not fit, the surroundings may
// be the reason, and the administrator is told what to set. Where it is exclusive they cannot be.
func TestInclusiveSignaturesAreExplained(t *testing.T) {
	t.Parallel()
	const inclusiveMethod = `CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>`
	for src, hinted := range map[string]bool{
		profile: false,
		strings.Replace(profile, `CanonicalizationMethod `+closedExclusive, inclusiveMethod, 1): true,
	} {
		doc, err := xmltree.Parse([]byte(src), xmltree.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Of(doc.Root())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Verify(vectorKeys(t), Policy{})
		wantCode(t, src, err, fault.Signature)
		if f := err.(*fault.Fault); strings.Contains(f.Note, "Exclusive XML Canonicalization") != hinted {
			t.Errorf("note %q, want one about canonicalization: %t\n%s", f.Note, hinted, src)
		}
	}
}

// TestOfFindsOne: metadata has one signature, or none.
func TestOfFindsOne(t *testing.T) {
	t.Parallel()
	const one = `<d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"/>`
	for _, row := range []struct {
		name, src string
		exists    bool
		code      string
	}{
		{"none", `<e/>`, false, ""},
		{"one", `<e><x/>` + one + `</e>`, true, ""},
		{"one deeper", `<e><x>` + one + `</x></e>`, false, ""},
		{"two", `<e>` + one + `<x/>` + one + `</e>`, false, fault.SignaturePlacement},
		{"one of another namespace", `<e><Signature/></e>`, false, ""},
	} {
		doc, err := xmltree.Parse([]byte(row.src), xmltree.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Of(doc.Root())
		if row.code != "" {
			wantCode(t, row.name, err, row.code)
		} else if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if s.Exists() != row.exists {
			t.Errorf("%s: there is one: %t, want %t", row.name, s.Exists(), row.exists)
		}
	}
}

func TestCertificateInKeyInfo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"AAEC": "\x00\x01\x02", " AAEC\n": "\x00\x01\x02", "!": "", "": ""} {
		info := `<d:KeyInfo><d:X509Data><d:X509Certificate>` + text + `</d:X509Certificate></d:X509Data></d:KeyInfo>`
		src := strings.Replace(profile, `</d:Signature>`, info+`</d:Signature>`, 1)
		doc, err := xmltree.Parse([]byte(src), xmltree.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Of(doc.Root())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CertificateInKeyInfo(); string(got) != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestOnlyWhatDoesNotFitIsExplained: other faults of an inclusive signature, and those that have a
// note, stay as they are.
func TestOnlyWhatDoesNotFitIsExplained(t *testing.T) {
	t.Parallel()
	inclusive := canonicalization{C14N: xmltree.C14N{Method: xmltree.Inclusive}}
	for _, row := range []struct {
		fault *fault.Fault
		how   canonicalization
		note  string // how the note begins then
	}{
		{&fault.Fault{Code: fault.Signature}, inclusive, "If the certificate is the right one: The signature uses inclusive"},
		{&fault.Fault{Code: fault.Digest}, inclusive, "The signature uses inclusive"},
		{&fault.Fault{Code: fault.Digest}, canonicalization{C14N: xmltree.C14N{Method: xmltree.Inclusive11}}, "The signature uses inclusive"},
		{&fault.Fault{Code: fault.Digest}, canonicalization{}, ""},
		{&fault.Fault{Code: fault.Signature}, canonicalization{}, ""},
		{&fault.Fault{Code: fault.SignatureAlgorithm}, inclusive, ""},
		{&fault.Fault{Code: fault.Signature, Note: "of another cause"}, inclusive, "of another cause"},
	} {
		before := *row.fault
		got, ok := row.how.explain(row.fault).(*fault.Fault)
		if !ok || !strings.HasPrefix(got.Note, row.note) || (got.Note == "") != (row.note == "") || *row.fault != before {
			t.Errorf("%+v: got note %q, want %q", before, got.Note, row.note)
		}
	}
	other := errors.New("no fault")
	if got := inclusive.explain(other); got != other {
		t.Errorf("got %v, want it unchanged", got)
	}
}
