package dsig

import (
	"fmt"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// signature holds the parts of a ds:Signature. It has exactly the children that the profile allows,
// in their order.
type signature struct {
	signedInfo xmltree.Element
	info       signedInfo
	value      []byte
}

type signedInfo struct {
	itself          canonicalization // of SignedInfo
	signatureMethod string
	referred        canonicalization // of the element that it refers to
	digestMethod    string
	digest          []byte
}

// A canonicalization is how an element was made into bytes.
type canonicalization struct {
	xmltree.C14N
	withComments bool // which is the same in a document without comments
}

// explain adds to the fault of a signature or digest that does not fit what only inclusive
// canonicalization can be the cause of.
func (c canonicalization) explain(err error) error {
	f, ok := err.(*fault.Fault)
	if !ok || c.Method == xmltree.Exclusive || f.Note != "" || f.Code != fault.Signature && f.Code != fault.Digest {
		return err
	}
	explained := *f
	explained.Note = "The signature uses inclusive canonicalization, so that it also covers what is around the signed element. " +
		"Set the identity provider's canonicalization method to Exclusive XML Canonicalization 1.0."
	if f.Code == fault.Signature {
		explained.Note = "If the certificate is the right one: " + explained.Note
	}
	return &explained
}

const (
	uriEnveloped   = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	uriExclusive   = xmltree.NSExcC14N
	uriInclusive   = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	uriInclusive11 = "http://www.w3.org/2006/12/xml-c14n11"
)

const wantTransforms = "enveloped-signature, then a canonicalization (SAML Core 2.0 §5.4.4)"

// readSignature reads a ds:Signature (XML Signature 1.1 §4.2) that must refer to the element with
// this ID. KeyInfo may be there, and is not read.
func readSignature(e xmltree.Element, id string) (signature, error) {
	parts, err := children(e, "SignedInfo", "SignatureValue", "KeyInfo?")
	if err != nil {
		return signature{}, err
	}
	s := signature{signedInfo: parts[0]}
	if s.info, err = readSignedInfo(parts[0], id); err != nil {
		return signature{}, err
	}
	if s.value, err = binary(parts[1]); err != nil {
		return signature{}, err
	}
	return s, nil
}

// readSignedInfo reads ds:SignedInfo (XML Signature 1.1 §4.4). It must have one reference, to this
// ID, with the transforms of SAML Core 2.0 §5.4.4. The reference is checked first: if it is
// wrong, the administrator need not read about details.
func readSignedInfo(e xmltree.Element, id string) (info signedInfo, err error) {
	parts, err := children(e, "CanonicalizationMethod", "SignatureMethod", "Reference")
	if err != nil {
		return info, err
	}
	reference := parts[2]
	if uri, _ := reference.Attr("URI"); uri != "#"+id {
		return info, &fault.Fault{
			Code:    fault.ReferenceURI,
			Message: "the signature does not refer to the element that contains it",
			Got:     uri,
			Want:    "# followed by the ID of that element (SAML Core 2.0 §5.4.2)",
		}
	}
	if info.itself, err = readCanonicalization(parts[0], fault.Canonicalization); err != nil {
		return info, err
	}
	if info.signatureMethod, err = algorithm(parts[1]); err != nil {
		return info, err
	}
	if parts, err = children(reference, "Transforms", "DigestMethod", "DigestValue"); err != nil {
		return info, err
	}
	if info.referred, err = transforms(parts[0]); err != nil {
		return info, err
	}
	if info.digestMethod, err = algorithm(parts[1]); err != nil {
		return info, err
	}
	info.digest, err = binary(parts[2])
	return info, err
}

// transforms reads ds:Transforms, which must be the enveloped signature transform, then a
// canonicalization, and nothing else. Other transforms (XSLT, XPath) could sign something other
// than what the application reads. Where the canonicalization is left out it is Canonical XML 1.0
// (XML Signature 1.1 §4.4.3.2).
func transforms(e xmltree.Element) (how canonicalization, err error) {
	if !e.OnlyElements() {
		return how, structure("there is text between the transforms", e)
	}
	var list [2]xmltree.Element
	n := 0
	for t := range e.Children() {
		if !t.Is(xmltree.NSDSig, "Transform") {
			return how, &fault.Fault{
				Code:    fault.Transform,
				Message: "an element among the transforms is not a Transform",
				Got:     algorithmOrName(t),
				Want:    wantTransforms,
			}
		}
		if n < len(list) {
			list[n] = t
		}
		n++
	}
	if n == 0 || n > len(list) {
		return how, &fault.Fault{
			Code:    fault.Transform,
			Message: "the signature has other transforms than SAML allows",
			Got:     fmt.Sprintf("%d transforms", n),
			Want:    wantTransforms,
		}
	}
	if first, _ := list[0].Attr("Algorithm"); first != uriEnveloped {
		return how, &fault.Fault{
			Code:    fault.Transform,
			Message: "the first transform of the signature is not enveloped-signature",
			Got:     first,
			Want:    uriEnveloped,
		}
	}
	if _, err := algorithm(list[0]); err != nil {
		return how, err
	}
	if n == 1 {
		return canonicalization{C14N: xmltree.C14N{Method: xmltree.Inclusive}}, nil
	}
	return readCanonicalization(list[1], fault.Transform)
}

// algorithmOrName returns what an error message shows of an element: its Algorithm, or its name if
// it has none.
func algorithmOrName(e xmltree.Element) string {
	if a, ok := e.Attr("Algorithm"); ok {
		return a
	}
	return e.Local()
}

// readCanonicalization reads a CanonicalizationMethod or a Transform that canonicalizes. code is the
// code of the fault if it has another algorithm.
func readCanonicalization(e xmltree.Element, code string) (how canonicalization, err error) {
	uri, _ := e.Attr("Algorithm")
	switch uri {
	case uriExclusive + "WithComments", uriInclusive + "#WithComments", uriInclusive11 + "#WithComments":
		how.withComments = true
	}
	switch uri {
	case uriExclusive, uriExclusive + "WithComments":
		how.PrefixList, err = prefixList(e)
		return how, err
	case uriInclusive, uriInclusive + "#WithComments":
		how.Method = xmltree.Inclusive
	case uriInclusive11, uriInclusive11 + "#WithComments":
		how.Method = xmltree.Inclusive11
	default:
		return how, &fault.Fault{
			Code:    code,
			Message: "the canonicalization algorithm is not allowed",
			Got:     uri,
			Want:    uriExclusive,
		}
	}
	_, err = algorithm(e)
	return how, err
}

// prefixList returns the PrefixList of an exclusive canonicalization, or "" if it has none.
func prefixList(e xmltree.Element) (list string, err error) {
	if !e.OnlyElements() {
		return "", structure("there is text in a canonicalization method", e)
	}
	n := 0
	for c := range e.Children() {
		if n++; n > 1 || !c.Is(xmltree.NSExcC14N, "InclusiveNamespaces") {
			return "", structure("a canonicalization method may only contain one InclusiveNamespaces", c)
		}
		if text, ok := c.Text(); !ok || text != "" {
			return "", structure("InclusiveNamespaces is not empty", c)
		}
		list, _ = c.Attr("PrefixList")
	}
	return list, nil
}

// algorithm returns the Algorithm URI of an element that must be empty otherwise.
func algorithm(e xmltree.Element) (string, error) {
	uri, ok := e.Attr("Algorithm")
	if !ok {
		return "", structure("an Algorithm attribute is missing", e)
	}
	for c := range e.Children() {
		return "", structure("an algorithm has a parameter that is not allowed", c)
	}
	if !e.OnlyElements() {
		return "", structure("there is text in an algorithm that has no content", e)
	}
	return uri, nil
}

// binary returns the bytes of an element whose content is base64.
func binary(e xmltree.Element) ([]byte, error) {
	text, _ := e.Text() // "" if there is a child element; Decode refuses that
	b, err := b64.Decode(text)
	if err != nil {
		return nil, structure("a value is not base64", e)
	}
	return b, nil
}

// children returns the child elements of e, which must have these names, in this order, in the
// namespace of XML Signature. There are at most three names. A name that ends in ? is optional;
// only the last names may be.
func children(e xmltree.Element, names ...string) (list [3]xmltree.Element, err error) {
	if !e.OnlyElements() {
		return list, structure("there is text where only elements are allowed", e)
	}
	next := 0
	for c := range e.Children() {
		if next == len(names) || !c.Is(xmltree.NSDSig, trimOptional(names[next])) {
			return list, structure("an element is missing, repeated, out of order or not allowed", c)
		}
		list[next] = c
		next++
	}
	for _, name := range names[next:] {
		if trimOptional(name) == name {
			return list, &fault.Fault{
				Code:    fault.SignatureStructure,
				Message: "an element is missing in " + e.Local(),
				Want:    name,
			}
		}
	}
	return list, nil
}

func trimOptional(name string) string {
	if name[len(name)-1] == '?' {
		return name[:len(name)-1]
	}
	return name
}

// structure returns the fault for a signature that is not built as the profile requires; it names
// the element.
func structure(message string, at xmltree.Element) error {
	return &fault.Fault{Code: fault.SignatureStructure, Message: message, Got: at.Local()}
}
