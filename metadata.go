package saml

import (
	"bytes"
	"cmp"
	"crypto"
	"fmt"
	"iter"
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
	// EntityID picks one identity provider from a document that holds several (EntitiesDescriptor),
	// perhaps among services.
	// White space around it is left out. Default "": there must be only one.
	EntityID string
	// Unattended says that nobody looks at the document and at the warnings about it: it is fetched
	// again at times, or from a metadata query service (MDQ). Then a collection (EntitiesDescriptor)
	// is refused unless EntityID picks from it, also if only one of its members is an identity
	// provider: whoever publishes the collection could put another one there. Default false: the
	// one is taken, with a warning.
	Unattended bool
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
// too many certificates or if none can be read, CodeTooLarge, CodePrivateKey, a code of the XML reader or, with SignedBy,
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
			"at most one ParseMetadataOptions").advised("Put all of it into one ParseMetadataOptions.")
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
			return nil, refusal
		}
	}
	p := &IdentityProvider{}
	if refusal := p.read(entity, role); refusal != nil {
		return nil, refusal
	}
	entities := 0
	for range members(doc.Root()) {
		entities++
	}
	if entities > 1 && r.EntityID == "" {
		p.warnings = append(p.warnings, Warning{"collection",
			fmt.Sprintf("the document is a collection of %d entities, of which only one is an identity provider: %s is taken",
				entities, quote(p.entityID)),
			"If this is not the identity provider that you mean, take the metadata of that one alone."})
	}
	if !r.mustBeSigned() {
		for _, e := range slices.Compact([]xmltree.Element{doc.Root(), entity}) {
			if w, bad := signatureWarning(e); bad {
				p.warnings = append(p.warnings, w)
				break
			}
		}
	}
	p.finish()
	return p, nil
}

// These stand in place of the hints for signatures of responses, which are about another setting.
const (
	pinnedHint = "Take the metadata unchanged, as its publisher signed it, and pin the key that the publisher signs it with now."
	// if the signature itself is of a kind that is not read
	uncheckedHint = "Ask the publisher for a signature with RSA or ECDSA and SHA-256, exclusive canonicalization and a reference to the ID of the signed element, " +
		"or take the document without a pinned key over a way that you trust."
)

// signedPart finds the entity again in the bytes that a pinned key signed: its own, or those of the
// whole document.
func (r ParseMetadataOptions) signedPart(
	doc *xmltree.Document, entity xmltree.Element,
) (signedEntity, role xmltree.Element, refusal *Error) {
	refusal = refuse(CodeUnsigned, "the metadata is not signed, although a key for it is pinned", "", "")
	refusal.Hint = pinnedHint
	pinned := slices.DeleteFunc(slices.Clone(r.SignedBy), func(k TrustedKey) bool { return k.unusable != nil })
	// A federation may sign the whole, and the identity provider its part.
	for _, parent := range []xmltree.Element{doc.Root(), entity} {
		s, err := dsig.Of(parent)
		if err != nil {
			return signedEntity, role, pinnedRefusal(err, s, pinned)
		}
		if !s.Exists() {
			continue
		}
		signed, err := s.Verify(publicKeys(pinned), dsig.Policy{})
		if err != nil {
			refusal = pinnedRefusal(err, s, pinned)
			continue
		}
		verified, err := signed.Parse()
		if err != nil {
			return signedEntity, role, pinnedRefusal(err, s, pinned)
		}
		id, _ := entity.Attr("entityID")
		signedEntity, role, refusal = ParseMetadataOptions{EntityID: trimSpace(id)}.find(verified.Root())
		return signedEntity, role, refusal
	}
	return signedEntity, role, refusal
}

// pinnedRefusal says whether the document or its signature was changed, was signed with another
// key, or is signed in a way that cannot be checked.
func pinnedRefusal(err error, s dsig.Signature, pinned []TrustedKey) *Error {
	e := fromFault(err)
	e.Hint, e.note = pinnedHint, ""
	var named certs.Certificate
	var problem *certs.Problem
	byAnother := false
	if s.Exists() {
		named, problem = certs.Parse(certs.FirstOf(s.CertificateInKeyInfo()))
		if problem == nil && certs.IsBounded(named.Key) && e.Code != CodeDigest {
			_, failed := s.Verify([]crypto.PublicKey{named.Key}, dsig.Policy{})
			byAnother = failed == nil
		}
	}
	switch {
	case e.Code == CodeDigest:
		e.Message = "the metadata was changed after it was signed: the digest of the signed element is not the signed one"
	case len(pinned) == 0:
		e.Message = "the metadata is signed, but no pinned key can be used to check it"
	case e.Code != CodeSignature && !byAnother:
		e.Message = "the signature of the metadata cannot be checked: " + e.Message
		e.Hint = uncheckedHint
	case problem != nil:
		e.Message = "none of the pinned keys made the signature of the metadata"
	case slices.ContainsFunc(pinned, func(k TrustedKey) bool { return certs.SameKey(k.public, named.Key) }):
		e.Message = "the signature of the metadata was changed after it was made: it names a pinned key, which did not make it"
	default: // the key of KeyInfo made it, or the document names another key than the pinned ones
		e.Code, e.Message = CodeSignature, "none of the pinned keys made the signature of the metadata"
		e.Got = "the certificate with SHA-1 thumbprint " + thumbprint(named.DER) + " in its KeyInfo"
		e.Want = (&IdentityProvider{usableKeys: pinned}).thumbprints()
	}
	return e
}

// signatureWarning says what is wrong with the signature of parent, and reports whether anything
// is. The key is taken from the document itself, so that a good one proves nothing but that the
// file is as it was written. Keys that are too long are not tried: whoever wrote the document chose
// them.
func signatureWarning(parent xmltree.Element) (w Warning, bad bool) {
	s, err := dsig.Of(parent)
	if err == nil {
		if !s.Exists() {
			return w, false
		}
		c, problem := certs.Parse(certs.FirstOf(s.CertificateInKeyInfo()))
		if problem != nil || !certs.IsBounded(c.Key) {
			return w, false // no certificate to check it with
		}
		if _, err = s.Verify([]crypto.PublicKey{c.Key}, dsig.Policy{AllowSHA1: true}); err == nil {
			return w, false
		}
	}
	switch e := fromFault(err); e.Code {
	case CodeDigest, CodeSignature:
		return Warning{"signature_broken",
			"the document was changed after it was signed, perhaps only by an editor that re-formatted it",
			"If nobody changed it on purpose, download it again and upload the file as it is."}, true
	default:
		return Warning{"signature_unchecked",
			"the document is signed in a way that cannot be checked: " + e.Message + gotWant(e),
			"Nothing needs to change if you trust the way on which the document came: its signature is not needed."}, true
	}
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
	case formXML:
		return nil
	case formUTF16:
		err := refuse(CodeEncoding, "the file is encoded in UTF-16", "", "the file as it was downloaded, or saved as UTF-8")
		err.hintOf = CodeMetadata
		return err
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
	collection := root.Is(xmltree.NSMetadata, "EntitiesDescriptor")
	if !collection && !root.Is(xmltree.NSMetadata, "EntityDescriptor") {
		return entity, role, notSAMLMetadata(root)
	}
	wanted := trimSpace(r.EntityID)
	var all, names []string // of identity providers, and of those that are wanted
	for e := range members(root) {
		ssoRole, ok := identityProviderRole(e)
		if !ok {
			continue
		}
		id, _ := e.Attr("entityID")
		id = trimSpace(id) // as around an Issuer
		all = append(all, id)
		if wanted == "" || id == wanted {
			entity, role = e, ssoRole
			names = append(names, id)
		}
	}
	switch {
	case len(all) == 0:
		return entity, role, noRole(root, collection)
	case len(names) == 0:
		return entity, role, refuse(CodeMetadataAggregate,
			"the document has no identity provider of that name", list(all), quote(wanted))
	case len(names) > 1 && len(slices.Compact(slices.Sorted(slices.Values(names)))) == 1:
		refusal = refuse(CodeMetadataAggregate,
			fmt.Sprintf("the document has the same identity provider %d times", len(names)), names[0], "each entity once")
		refusal.Hint = "Ask the publisher of the collection for one in which each entity stands once, or take the identity provider's own metadata."
		return entity, role, refusal
	case len(names) > 1:
		return entity, role, refuse(CodeMetadataAggregate, fmt.Sprintf(
			"the document is a collection of entities, %d of them identity providers", len(names)), list(all),
			"one of them, named by its entity ID")
	case collection && wanted == "" && r.Unattended:
		return entity, role, refuse(CodeMetadataAggregate,
			"the document is a collection of entities, and nobody looks at which one is taken", list(all),
			"one of them, named by its entity ID")
	}
	return entity, role, nil
}

// list is what an error shows of the names of identity providers.
func list(names []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), ", ")
}

// members yields the entities of a document: its root, or the members of the collection that the root
// is. Nothing but collections is around a member: in the Extensions of an entity its owner can write
// what looks like one.
func members(root xmltree.Element) iter.Seq[xmltree.Element] {
	return func(yield func(xmltree.Element) bool) { yieldMembers(root, yield) }
}

// yieldMembers reports whether more are wanted. The parser bounds how deep it goes.
func yieldMembers(e xmltree.Element, yield func(xmltree.Element) bool) bool {
	if e.Is(xmltree.NSMetadata, "EntityDescriptor") {
		return yield(e)
	}
	if e.Is(xmltree.NSMetadata, "EntitiesDescriptor") {
		for c := range e.Children() {
			if !yieldMembers(c, yield) {
				return false
			}
		}
	}
	return true
}

// notSAMLMetadata says what a document with another root is.
func notSAMLMetadata(root xmltree.Element) *Error {
	switch root.Local() {
	case "EntityDescriptor", "EntitiesDescriptor":
		return inWrongNamespace(CodeMetadata, "this XML is not SAML metadata: "+root.Local(), root)
	}
	switch root.Space() {
	case xmltree.NSProtocol, xmltree.NSAssertion:
		return refuse(CodeMetadata, "this XML is not SAML metadata, but a SAML message", root.Local(), "EntityDescriptor")
	case xmltree.NSMetadata:
		return refuse(CodeMetadata, "this XML is not SAML metadata, but only a part of it", root.Local(), "EntityDescriptor around it")
	}
	return refuse(CodeMetadata, "this XML is not SAML metadata", root.Local(), "EntityDescriptor")
}

// noRole says why a document has no identity provider for SAML 2.0.
func noRole(root xmltree.Element, collection bool) *Error {
	const none = "the metadata is not that of an identity provider: "
	var roles []string
	for entity := range members(root) {
		for e := range entity.Children() {
			if e.Space() != xmltree.NSMetadata || !strings.HasSuffix(e.Local(), "Descriptor") {
				continue
			}
			if e.Local() != "IDPSSODescriptor" {
				if len(roles) < mostNamed && !slices.Contains(roles, e.Local()) {
					roles = append(roles, e.Local())
				}
				continue
			}
			got, ok := e.Attr("protocolSupportEnumeration")
			if !ok {
				return refuse(CodeMetadataRole, "IDPSSODescriptor does not say for which protocols it is", "",
					`protocolSupportEnumeration="`+protocolSAML2+`"`)
			}
			return refuse(CodeMetadataRole, "the identity provider of the metadata is not for SAML 2.0", got, protocolSAML2)
		}
	}
	if e, ok := wrongNamespace(root, "IDPSSODescriptor"); ok {
		return inWrongNamespace(CodeMetadataRole, none+"IDPSSODescriptor", e)
	}
	switch {
	case collection && root.CountChildren() == 0:
		return refuse(CodeMetadataRole, none+"the collection is empty", "", "")
	case slices.Contains(roles, "SPSSODescriptor"):
		return refuse(CodeMetadataRole, none+"it has no IDPSSODescriptor for SAML 2.0, but is that of a service",
			strings.Join(roles, ", "), "IDPSSODescriptor")
	}
	return refuse(CodeMetadataRole, none+"it has no IDPSSODescriptor for SAML 2.0", strings.Join(roles, ", "),
		"IDPSSODescriptor")
}

const mostNamed = 8 // roles in a message

// identityProviderRole returns the first role of an identity provider for SAML 2.0.
func identityProviderRole(entity xmltree.Element) (xmltree.Element, bool) {
	for c := range entity.Children() {
		if isIdentityProvider(c) {
			return c, true
		}
	}
	return xmltree.Element{}, false
}

func isIdentityProvider(e xmltree.Element) bool {
	protocols, _ := e.Attr("protocolSupportEnumeration")
	return e.Is(xmltree.NSMetadata, "IDPSSODescriptor") && slices.ContainsFunc(strings.Fields(protocols),
		func(protocol string) bool { return strings.EqualFold(protocol, protocolSAML2) })
}

func (p *IdentityProvider) read(entity, role xmltree.Element) *Error {
	id, _ := entity.Attr("entityID")
	p.entityID = trimSpace(id) // as around an Issuer
	if err := checkEntityID(p.entityID); err != nil {
		return err
	}
	want, _ := role.Attr("WantAuthnRequestsSigned")
	want = foldASCII(trimSpace(want))
	p.wantSigned = want == "true" || want == "1"
	for e := role; e.Exists(); e = e.Parent() { // what is around it ends its validity too
		p.readValidUntil(e)
	}
	roles := 0
	for c := range entity.Children() {
		if isIdentityProvider(c) {
			roles++
		}
	}
	if roles > 1 {
		p.warnings = append(p.warnings, Warning{"several_roles",
			fmt.Sprintf("the metadata has %d IDPSSODescriptor for SAML 2.0, and only the first is read", roles),
			"If sign-ins fail, ask for metadata with only the one that your service uses, or enter entity ID, login URL and certificate by hand."})
	}
	var keys metadataKeys
	var unusable *Error // the first login URL that cannot be used
	for c := range role.Children() {
		var err *Error
		switch {
		case c.Is(xmltree.NSMetadata, "KeyDescriptor"):
			err = keys.descriptor(c)
		case c.Is(xmltree.NSMetadata, "SingleSignOnService"):
			unusable = cmp.Or(unusable, p.readLogin(c))
		case c.Is(xmltree.NSMetadata, "SingleLogoutService"):
			p.readLogout(c)
		}
		if err != nil {
			return err
		}
	}
	p.takeKeys(&keys)
	if p.loginURL == "" && p.loginPOST == "" {
		return noLogin(role, unusable)
	}
	if len(p.keys) == 0 {
		return keys.missing(entity)
	}
	return nil
}

// readValidUntil takes the validUntil of an element, if it is before those that were taken.
func (p *IdentityProvider) readValidUntil(e xmltree.Element) {
	text, ok := e.Attr("validUntil")
	if !ok {
		return
	}
	t, ok := parseTime(trimSpace(text))
	if !ok {
		p.warnings = append(p.warnings, Warning{"valid_until_unreadable",
			"the document says until when it is valid in a form that cannot be read: " + quote(text), ""})
	}
	if ok && (p.validUntil.IsZero() || t.Before(p.validUntil)) {
		p.validUntil = t
	}
}

// endpoint returns the binding and address of a service. Some products write the binding in another
// case, and white space around either.
func endpoint(e xmltree.Element) (binding, location string) {
	binding, _ = e.Attr("Binding")
	location, _ = e.Attr("Location")
	binding = trimSpace(binding)
	for _, known := range []string{bindingRedirect, bindingPOST} {
		if strings.EqualFold(binding, known) {
			binding = known
		}
	}
	return binding, trimSpace(location)
}

// readLogin takes a SingleSignOnService, or says why it cannot be used.
func (p *IdentityProvider) readLogin(e xmltree.Element) *Error {
	binding, location := endpoint(e)
	var into *string
	switch binding {
	case bindingRedirect:
		into = &p.loginURL
	case bindingPOST:
		into = &p.loginPOST
	default:
		return refuse(CodeMetadataLoginURL, "the identity provider has no usable single sign-on service: its binding is not supported",
			binding, bindingRedirect+" or HTTP-POST")
	}
	if err := checkEndpoint(location); err != nil {
		err.Message = "the identity provider has no usable single sign-on service: " + err.Message
		return err
	}
	if *into == "" {
		*into = location
	}
	return nil
}

func (p *IdentityProvider) readLogout(e xmltree.Element) {
	binding, location := endpoint(e)
	if binding == bindingRedirect && p.logoutURL == "" && checkEndpoint(location) == nil {
		p.logoutURL = location
	}
}

// noLogin says why a role has no login URL. unusable is what is wrong with the first, nil if there
// is none.
func noLogin(role xmltree.Element, unusable *Error) *Error {
	if unusable != nil {
		return unusable
	}
	const none = "the identity provider has no usable single sign-on service"
	if e, ok := wrongNamespace(role, "SingleSignOnService"); ok {
		return inWrongNamespace(CodeMetadataLoginURL, none+": SingleSignOnService", e)
	}
	return refuse(CodeMetadataLoginURL, none, "", "SingleSignOnService with HTTP-Redirect or HTTP-POST")
}
