package saml

import (
	"bytes"
	"crypto"
	"slices"
	"strconv"
	"strings"

	"github.com/iomete/saml/internal/certs"
	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// ParseMetadataOptions change how ParseMetadata reads a document. The zero value is right for the
// metadata of one identity provider.
type ParseMetadataOptions struct {
	// EntityID picks one identity provider from a document that holds several (EntitiesDescriptor).
	// Default "": there must be only one.
	EntityID string
	// SignedBy are keys of which one must have signed the document; nothing but what it signed is
	// read. Default nil: a signature that does not verify is only a warning, because editors
	// re-format the file, and the key that signs it is in the file itself. An empty list that is
	// not nil trusts nobody.
	SignedBy []TrustedKey
}

func (r ParseMetadataOptions) mustBeSigned() bool { return r.SignedBy != nil }

const (
	bindingRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	bindingPOST     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	protocolSAML2   = xmltree.NSProtocol
)

// ParseMetadata reads SAML 2.0 metadata (OASIS saml-metadata-2.0-os) of an identity provider, such
// as Entra's Federation Metadata XML: at most 4 MiB of UTF-8. Pass options once, or leave them out.
//
// What an administrator may hand over instead, such as a web page or a certificate, is named in the
// error. The error is an *Error with one of the codes CodeMetadata to CodeMetadataKeys, CodeKey for
// too many certificates, CodeTooLarge, CodePrivateKey, a code of the XML reader or, with SignedBy,
// of a signature; CodeConfig for more than one options. What is odd but usable is in
// IdentityProvider.Warnings.
func ParseMetadata(document []byte, options ...ParseMetadataOptions) (*IdentityProvider, error) {
	var o ParseMetadataOptions
	switch len(options) {
	case 0:
	case 1:
		o = options[0]
	default:
		return nil, refuse(CodeConfig, "ParseMetadata was given several options", strconv.Itoa(len(options)),
			"at most one ParseMetadataOptions")
	}
	p, err := parseMetadata(document, o)
	if err != nil {
		return nil, err.completed(seenIn(document))
	}
	return p, nil
}

func parseMetadata(document []byte, r ParseMetadataOptions) (*IdentityProvider, *Error) {
	if err := notMetadata(document); err != nil {
		return nil, err
	}
	document = bytes.Clone(bytes.TrimLeft(document, " \t\r\n"))
	doc, err := xmltree.Parse(document, xmltree.Options{MaxBytes: maxFile, AllowComments: true})
	if err != nil {
		e := fromFault(err)
		if e.Code == fault.TooLarge {
			return nil, e
		}
		e.hintOf = CodeMetadata
		return nil, e
	}
	entity, role, refusal := r.find(doc.Root())
	if refusal != nil {
		return nil, refusal
	}
	if r.mustBeSigned() {
		if entity, role, refusal = r.signedPart(doc, entity); refusal != nil {
			refusal.Hint = pinnedHint
			return nil, refusal
		}
	}
	p := &IdentityProvider{}
	if refusal := p.read(entity, role); refusal != nil {
		return nil, refusal
	}
	if !r.mustBeSigned() && (brokenSignature(doc.Root()) || entity != doc.Root() && brokenSignature(entity)) {
		p.warnings = append(p.warnings, Warning{"signature_broken",
			"the document was changed after it was signed, perhaps only by an editor that re-formatted it",
			"If nobody changed it on purpose, download it again and upload the file as it is."})
	}
	p.finish()
	return p, nil
}

// pinnedHint stands in place of the hints for signatures of responses, which are about another
// setting.
const pinnedHint = "Take the metadata unchanged, as its publisher signed it, and pin the key that the publisher signs it with now."

// signedPart finds the entity again in the bytes that a pinned key signed: its own, or those of the
// whole document.
func (r ParseMetadataOptions) signedPart(
	doc *xmltree.Document, entity xmltree.Element,
) (signedEntity, role xmltree.Element, refusal *Error) {
	refusal = refuse(CodeUnsigned, "the metadata is not signed, although a key for it is pinned", "", "")
	pinned := publicKeys(slices.DeleteFunc(slices.Clone(r.SignedBy),
		func(k TrustedKey) bool { return k.unusable != nil }))
	// A federation may sign the whole, and the identity provider its part.
	for _, parent := range []xmltree.Element{doc.Root(), entity} {
		s, err := dsig.Of(parent)
		if err != nil {
			return signedEntity, role, fromFault(err)
		}
		if !s.Exists() {
			continue
		}
		signed, err := s.Verify(pinned, dsig.Policy{})
		if err != nil {
			refusal = fromFault(err)
			continue
		}
		verified, err := signed.Parse()
		if err != nil {
			return signedEntity, role, fromFault(err)
		}
		id, _ := entity.Attr("entityID")
		return ParseMetadataOptions{EntityID: id}.find(verified.Root())
	}
	return signedEntity, role, refusal
}

// brokenSignature reports whether parent has a signature that does not fit it. The key is taken
// from the document itself, so that a good one proves nothing but that the file is as it was
// written. Keys that are too long are not tried: whoever wrote the document chose them.
func brokenSignature(parent xmltree.Element) bool {
	s, err := dsig.Of(parent)
	if err != nil {
		return true
	}
	if !s.Exists() {
		return false
	}
	c, problem := certs.Parse(certs.FirstOf(s.CertificateInKeyInfo()))
	if problem != nil || !certs.IsBounded(c.Key) {
		return false // no certificate to check it with
	}
	_, err = s.Verify([]crypto.PublicKey{c.Key}, dsig.Policy{AllowSHA1: true})
	return err != nil
}

// notMetadata recognizes what administrators hand over by mistake.
func notMetadata(document []byte) *Error {
	start := withoutMark(document)
	if p := certs.Container(document); p != nil {
		e := fromCerts(p)
		if e.Code == CodeKey { // the certificate alone would do, but so does the metadata, which says more
			e.Code = CodeMetadata
		}
		return e
	}
	sniffed := sniff(document)
	switch sniffed {
	case formXML, formUTF16:
		return nil
	case formEmpty:
		return refuse(CodeMetadata, "the file is empty", "", "")
	case formTooLarge:
		return refusef(CodeTooLarge,
			"the file has %d bytes, more than %d: this is not the metadata of one identity provider", len(document), maxFile)
	case formWebPage:
		return refuse(CodeMetadata,
			"this is a web page, not metadata: perhaps the sign-in page that came instead of the file", "", "")
	case formJSON:
		return refuse(CodeMetadata, "this is JSON, not metadata", "", "")
	case formMetadataInText:
		before, _, _ := strings.Cut(string(start[:min(len(start), 4096)]), "<") // an error holds no XML
		return refuse(CodeMetadata, "there is text before the metadata", before, "a file that begins with <")
	case formPEM:
		return refuse(CodeMetadata, "this is a certificate, not metadata", "", "")
	case formPrivateKey:
		return fromCerts(certs.PrivateKeyIn(string(start)))
	}
	var list keyList
	var err *Error
	if sniffed == formDER {
		_, err = list.readDER(document)
	} else {
		err = list.readText(string(start))
	}
	switch {
	case err != nil && err.Code == CodePrivateKey:
		return err
	case err == nil && len(list.keys) > 0:
		return refuse(CodeMetadata, "this is a certificate, not metadata", "", "")
	}
	return refuse(CodeMetadata, "this is not XML", "", "")
}

// find picks the entity and its identity provider role.
func (r ParseMetadataOptions) find(root xmltree.Element) (entity, role xmltree.Element, refusal *Error) {
	var entities []xmltree.Element
	switch {
	case root.Is(xmltree.NSMetadata, "EntityDescriptor"):
		entities = append(entities, root)
	case root.Is(xmltree.NSMetadata, "EntitiesDescriptor"):
		for e := range root.Descendants() {
			if e.Is(xmltree.NSMetadata, "EntityDescriptor") {
				entities = append(entities, e)
			}
		}
	default:
		return entity, role, refuse(CodeMetadata, "this XML is not SAML metadata", root.Local(), "EntityDescriptor")
	}
	var names []string
	for _, e := range entities {
		ssoRole, ok := identityProviderRole(e)
		id, _ := e.Attr("entityID")
		if !ok || r.EntityID != "" && id != r.EntityID {
			continue
		}
		entity, role = e, ssoRole
		names = append(names, id)
	}
	different := slices.Compact(slices.Sorted(slices.Values(names)))
	switch {
	case len(names) == 0 && r.EntityID != "":
		return entity, role, refuse(CodeMetadataAggregate,
			"the document has no identity provider of that name", "", quote(r.EntityID))
	case len(names) == 0:
		return entity, role, refuse(CodeMetadataRole,
			"the metadata is not that of an identity provider: it has no IDPSSODescriptor for SAML 2.0", "", "")
	case len(names) > 1 || r.EntityID == "" && len(entities) > 1:
		return entity, role, refuse(CodeMetadataAggregate,
			"the document is a collection of entities", strings.Join(different,
				", "), "one of them, named by its entity ID")
	}
	return entity, role, nil
}

func identityProviderRole(entity xmltree.Element) (xmltree.Element, bool) {
	for c := range entity.Children() {
		if !c.Is(xmltree.NSMetadata, "IDPSSODescriptor") {
			continue
		}
		if protocols, _ := c.Attr("protocolSupportEnumeration"); slices.Contains(strings.Fields(protocols),
			protocolSAML2) {
			return c, true
		}
	}
	return xmltree.Element{}, false
}

func (p *IdentityProvider) read(entity, role xmltree.Element) *Error {
	id, _ := entity.Attr("entityID")
	p.entityID = trimSpace(id) // as around an Issuer
	if err := checkEntityID(p.entityID); err != nil {
		return err
	}
	want, _ := role.Attr("WantAuthnRequestsSigned")
	p.wantSigned = want == "true" || want == "1"
	for _, e := range []xmltree.Element{entity, role} {
		if text, ok := e.Attr("validUntil"); ok {
			t, ok := parseTime(text)
			if !ok {
				p.warnings = append(p.warnings, Warning{"valid_until_unreadable",
					"the document says until when it is valid in a form that cannot be read: " + quote(text), ""})
			}
			if ok && (p.validUntil.IsZero() || t.Before(p.validUntil)) {
				p.validUntil = t
			}
		}
	}
	var keys metadataKeys
	for c := range role.Children() {
		if err := p.readPart(c, &keys); err != nil {
			return err
		}
	}
	p.takeKeys(&keys)
	if p.loginURL == "" && p.loginPOST == "" {
		return refuse(CodeMetadataLoginURL, "the identity provider has no usable single sign-on service", "",
			"SingleSignOnService with HTTP-Redirect or HTTP-POST")
	}
	if len(p.keys) == 0 {
		return refuse(CodeMetadataKeys, "the metadata has no signing certificate", "",
			"KeyDescriptor with an X509Certificate")
	}
	return nil
}

func (p *IdentityProvider) readPart(e xmltree.Element, keys *metadataKeys) *Error {
	if e.Space() != xmltree.NSMetadata {
		return nil
	}
	switch e.Local() {
	case "KeyDescriptor":
		switch use, ok := e.Attr("use"); {
		case !ok, use == "signing":
			return keys.read(e)
		case use != "encryption":
			keys.unknownUse = use
		}
	case "SingleSignOnService":
		binding, _ := e.Attr("Binding")
		location, _ := e.Attr("Location")
		switch {
		case checkEndpoint(location) != nil:
		case binding == bindingRedirect && p.loginURL == "":
			p.loginURL = location
		case binding == bindingPOST && p.loginPOST == "":
			p.loginPOST = location
		}
	case "SingleLogoutService":
		binding, _ := e.Attr("Binding")
		location, _ := e.Attr("Location")
		if binding == bindingRedirect && p.logoutURL == "" && checkEndpoint(location) == nil {
			p.logoutURL = location
		}
	}
	return nil
}
