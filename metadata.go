package saml

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iomete/saml/internal/certs"
	"github.com/iomete/saml/internal/refresh"
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
	bindingSOAP     = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
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
		return nil, fromFault(err).hintOfCode(CodeMetadata)
	}
	p, refusal := readMetadata(doc, r)
	doc.Release() // p and refusal hold strings, and no Element
	return p, refusal
}

// readMetadata is parseMetadata for a document that was read as XML.
func readMetadata(doc *xmltree.Document, r ParseMetadataOptions) (*IdentityProvider, *Error) {
	entity, role, refusal := memberChoice{r.EntityID, r.Unattended}.find(doc.Root())
	if refusal != nil {
		return nil, refusal
	}
	if r.mustBeSigned() {
		if entity, role, refusal = signedPart(doc, entity, r.SignedBy); refusal != nil {
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
		return refuse(CodeEncoding, "the file is encoded in UTF-16", "", "the file as it was downloaded, or saved as UTF-8").
			hintOfCode(CodeMetadata)
	case formEmpty:
		return refuse(CodeMetadata, "the file is empty", "", "")
	case formTooLarge:
		return refusef(CodeTooLarge,
			"the file has %d bytes, more than %d: this is not the metadata of one identity provider", len(document), maxFile).
			hintOfCode(CodeMetadata)
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
		p.readCacheDuration(e)
		p.readCreated(e) // that of the outermost element counts
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

// readCacheDuration takes the cacheDuration of an element, if it is shorter than those that were taken
// (SAML Metadata 2.0 §2.3.2). It only says when to look again, so one that cannot be read is left out.
func (p *IdentityProvider) readCacheDuration(e xmltree.Element) {
	text, ok := e.Attr("cacheDuration")
	if !ok {
		return
	}
	d, ok := refresh.ParseDuration(trimSpace(text))
	if !ok {
		p.warnings = append(p.warnings, Warning{"cache_duration_unreadable",
			"the document says for how long it may be kept in a form that cannot be read: " + quote(text), ""})
		return
	}
	if start := (time.Time{}); p.cache == nil || d.After(start).Before(p.cache.After(start)) {
		p.cache = &d
	}
}

const nsPublication = "urn:oasis:names:tc:SAML:metadata:rpi"

// readCreated takes the time at which the publisher made the document (SAML V2.0 Metadata Extensions
// for Registration and Publication Information §2.2), if the element has it.
func (p *IdentityProvider) readCreated(e xmltree.Element) {
	for extensions := range e.Children() {
		if !extensions.Is(xmltree.NSMetadata, "Extensions") {
			continue
		}
		for info := range extensions.Children() {
			text, _ := info.Attr("creationInstant")
			if t, ok := parseTime(trimSpace(text)); ok && info.Is(nsPublication, "PublicationInfo") {
				p.created = t
			}
		}
	}
}

// endpoint returns the binding and address of a service. Some products write the binding in another
// case, and white space around either.
func endpoint(e xmltree.Element) (binding, location string) {
	binding, _ = e.Attr("Binding")
	location, _ = e.Attr("Location")
	binding = trimSpace(binding)
	for _, known := range logoutBindings {
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
