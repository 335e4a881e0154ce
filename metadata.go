package saml

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/xmltree"
)

// ParseMetadataOptions change how ParseMetadata reads a document. The zero value is right for the metadata of one identity provider.
type ParseMetadataOptions struct {
	// EntityID picks one identity provider from a document that holds several. Default: there must be one only.
	EntityID string
	// SignedBy are keys of which one must have signed the document; nothing but what it signed is read. Default none: then a signature that does not
	// verify is a warning, because editors re-format the file, and the key that signs it is in the file itself. An empty list that is not nil
	// trusts nobody.
	SignedBy []TrustedKey
}

func (r ParseMetadataOptions) mustBeSigned() bool { return r.SignedBy != nil }

const (
	bindingRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	bindingPOST     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	protocolSAML2   = xmltree.NSProtocol
	maxMetadata     = 4 << 20
)

// ParseMetadata reads SAML 2.0 metadata (OASIS saml-metadata-2.0-os) of an identity provider, such as Entra's Federation
// Metadata XML: at most 4 MiB. Give options once, or leave them out. Errors are *Error.
func ParseMetadata(document []byte, options ...ParseMetadataOptions) (*IdentityProvider, error) {
	var o ParseMetadataOptions
	switch len(options) {
	case 0:
	case 1:
		o = options[0]
	default:
		return nil, refuse(CodeConfig, "ParseMetadata was given several options", strconv.Itoa(len(options)), "at most one ParseMetadataOptions")
	}
	p, err := parseMetadata(document, o)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func parseMetadata(document []byte, r ParseMetadataOptions) (*IdentityProvider, *Error) {
	if err := notMetadata(document); err != nil {
		return nil, err
	}
	doc, err := xmltree.Parse(bytes.Clone(bytes.TrimLeft(document, " \t\r\n")), xmltree.Options{MaxBytes: maxMetadata, AllowComments: true})
	if err != nil {
		e := fromFault(err)
		if e.Code == fault.TooLarge {
			return nil, e
		}
		e.Hint = hints[CodeMetadata]
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
	if !r.mustBeSigned() && (brokenSignature(doc.Root()) || entity != doc.Root() && brokenSignature(entity)) {
		p.warnings = append(p.warnings, Warning{"signature_broken", "the document was changed after it was signed, perhaps only by an editor that re-formatted it",
			"If nobody changed it on purpose, download it again and upload the file as it is."})
	}
	p.finish()
	return p, nil
}

// signedPart finds the entity again in the bytes that a pinned key signed: its own, or those of the whole document.
func (r ParseMetadataOptions) signedPart(doc *xmltree.Document, entity xmltree.Element) (signedEntity, role xmltree.Element, refusal *Error) {
	refusal = refuse(CodeUnsigned, "the metadata is not signed, although a key for it is pinned", "", "")
	pinned := publicKeys(slices.DeleteFunc(slices.Clone(r.SignedBy), func(k TrustedKey) bool { return k.unusable != nil }))
	for _, parent := range []xmltree.Element{doc.Root(), entity} { // a federation may sign the whole, and the identity provider its part
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

// brokenSignature reports whether parent has a signature that does not fit it. The key is taken from the document itself, so that a good
// one proves nothing but that the file is as it was written. Keys that are too long are not tried: whoever wrote the document chose them.
func brokenSignature(parent xmltree.Element) bool {
	s, err := dsig.Of(parent)
	if err != nil {
		return true
	}
	if !s.Exists() {
		return false
	}
	k, refusal := parseCertificate(firstOf(s.CertificateInKeyInfo()))
	if refusal != nil || !boundedKey(k.public) {
		return false // no certificate to check it with
	}
	_, err = s.Verify(publicKeys([]TrustedKey{k}), dsig.Policy{AllowSHA1: true})
	return err != nil
}

// boundedKey reports whether verifying with a key takes a bounded time. It may be too short to be trusted.
func boundedKey(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= 1024 && key.N.BitLen() <= maxRSABits // crypto/rsa verifies with no shorter one
	case *ecdsa.PublicKey:
		return true
	}
	return false
}

func publicKeys(keys []TrustedKey) []crypto.PublicKey {
	list := make([]crypto.PublicKey, len(keys))
	for i, k := range keys {
		list[i] = k.public
	}
	return list
}

// notMetadata recognizes what administrators hand over by mistake.
func notMetadata(document []byte) *Error {
	start := bytes.TrimSpace(bytes.TrimPrefix(document, []byte("\uFEFF")))
	head := string(start[:min(len(start), 4096)])
	lower := strings.ToLower(head[:min(len(head), 512)])
	switch {
	case len(start) == 0:
		return refuse(CodeMetadata, "the file is empty", "", "")
	case len(document) > maxMetadata:
		return refusef(CodeTooLarge, "the file has %d bytes, more than %d: this is not the metadata of one identity provider", len(document), maxMetadata)
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"), strings.Contains(lower, "<html "):
		return refuse(CodeMetadata, "this is a web page, not metadata: perhaps the sign-in page that came instead of the file", "", "")
	case start[0] == '<', bytes.HasPrefix(document, utf16LE), bytes.HasPrefix(document, utf16BE):
		return nil
	case start[0] == '{':
		return refuse(CodeMetadata, "this is JSON, not metadata", "", "")
	}
	if metadataStart(string(document)) >= 0 {
		before, _, _ := strings.Cut(head, "<") // an error holds no XML
		return refuse(CodeMetadata, "there is text before the metadata", before, "a file that begins with <")
	}
	if _, err := readKeys(document); err == nil || strings.Contains(head, "-----BEGIN CERTIFICATE") {
		return refuse(CodeMetadata, "this is a certificate, not metadata", "", "")
	} else if err.Code == CodePrivateKey {
		return err
	}
	return refuse(CodeMetadata, "this is not XML", "", "")
}

var utf16LE, utf16BE = []byte{0xFF, 0xFE}, []byte{0xFE, 0xFF}

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
		return entity, role, refuse(CodeMetadataAggregate, "the document has no identity provider of that name", "", quote(r.EntityID))
	case len(names) == 0:
		return entity, role, refuse(CodeMetadataRole, "the metadata is not that of an identity provider: it has no IDPSSODescriptor for SAML 2.0", "", "")
	case len(names) > 1 || r.EntityID == "" && len(entities) > 1:
		return entity, role, refuse(CodeMetadataAggregate, "the document is a collection of entities", strings.Join(different, ", "), "one of them, named by its entity ID")
	}
	return entity, role, nil
}

func identityProviderRole(entity xmltree.Element) (xmltree.Element, bool) {
	for c := range entity.Children() {
		if !c.Is(xmltree.NSMetadata, "IDPSSODescriptor") {
			continue
		}
		if protocols, _ := c.Attr("protocolSupportEnumeration"); slices.Contains(strings.Fields(protocols), protocolSAML2) {
			return c, true
		}
	}
	return xmltree.Element{}, false
}

func (p *IdentityProvider) read(entity, role xmltree.Element) *Error {
	p.entityID, _ = entity.Attr("entityID")
	if err := checkEntityID(p.entityID); err != nil {
		return err
	}
	want, _ := role.Attr("WantAuthnRequestsSigned")
	p.wantSigned = want == "true" || want == "1"
	for _, e := range []xmltree.Element{entity, role} {
		if text, ok := e.Attr("validUntil"); ok {
			t, ok := parseTime(text)
			if !ok {
				p.warnings = append(p.warnings, Warning{"valid_until_unreadable", "the document says until when it is valid in a form that cannot be read: " + quote(text), ""})
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
		return refuse(CodeMetadataLoginURL, "the identity provider has no usable single sign-on service", "", "SingleSignOnService with HTTP-Redirect or HTTP-POST")
	}
	if len(p.keys) == 0 {
		return refuse(CodeMetadataKeys, "the metadata has no signing certificate", "", "KeyDescriptor with an X509Certificate")
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
		if location, _ := e.Attr("Location"); binding == bindingRedirect && p.logoutURL == "" && checkEndpoint(location) == nil {
			p.logoutURL = location
		}
	}
	return nil
}

// metadataKeys are the certificates of a role.
type metadataKeys struct {
	list        keyList
	number      int      // of X509Certificate elements
	descriptors [][]int  // what each KeyDescriptor holds, by index in list
	lists       [][]int  // what each X509Data holds
	unread      []string // what is wrong with the first that cannot be read
	notRead     int      // how many cannot be read
	withoutKey  bool     // a KeyDescriptor has no X509Certificate
	unknownUse  string   // the use of a KeyDescriptor for something that is neither signing nor encryption
}

const mostUnread = 4

// read takes the certificates of one KeyDescriptor. One that cannot be read at all is a warning: another may do.
func (m *metadataKeys) read(descriptor xmltree.Element) *Error {
	var group, list []int
	var data xmltree.Element
	before := m.number
	for e := range descriptor.Descendants() {
		if e.Local() != "X509Certificate" || e.Space() != xmltree.NSDSig && e.Space() != xmltree.NSMetadata { // some forget the namespace
			continue
		}
		m.number++
		if parent := e.Parent(); parent != data {
			m.lists = appendGroup(m.lists, list)
			data, list = parent, nil
		}
		text, _ := e.Text()
		added, err := m.certificate(text)
		if m.list.full {
			return err
		}
		if err != nil {
			if m.notRead++; m.notRead <= mostUnread {
				m.unread = append(m.unread, fmt.Sprintf("certificate %d of the metadata cannot be read: %s", m.number, err.Message))
			}
			continue
		}
		group, list = mergeIndices(group, added), mergeIndices(list, added)
	}
	m.lists = appendGroup(m.lists, list)
	m.descriptors = append(m.descriptors, group)
	m.withoutKey = m.withoutKey || m.number == before
	return nil
}

// certificate reads the text of one X509Certificate element, in which some leave the armour.
func (m *metadataKeys) certificate(text string) ([]int, *Error) {
	der, err := b64.Decode(text)
	if err == nil {
		return m.list.readDER(der)
	}
	label, length, ok := pemLabel(strings.TrimSpace(text), pemBegin)
	if ok && isCertificateLabel(label) {
		body, _, _ := strings.Cut(strings.TrimSpace(text)[length:], pemEnd+label+pemHyphens)
		if der, err = b64.Decode(body); err == nil {
			return m.list.readDER(der)
		}
	}
	return nil, refuse(CodeKey, "it is empty or not base64", "", "")
}

// mergeIndices adds what is not there yet. There are at most maxKeys different ones.
func mergeIndices(list, more []int) []int {
	for _, i := range more {
		if !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	return list
}

// appendGroup leaves out what says nothing: a certificate alone is in no chain.
func appendGroup(groups [][]int, group []int) [][]int {
	if len(group) < 2 {
		return groups
	}
	return append(groups, group)
}

// takeKeys trusts the keys of a role, and warns about those that it leaves out and those that should not stand together.
func (p *IdentityProvider) takeKeys(m *metadataKeys) {
	m.list.markIssuersIn(m.descriptors)
	p.keys = m.list.keys
	if len(m.unread) > 0 {
		p.unread = m.unread[0]
	}
	if more := m.notRead - len(m.unread); more > 0 {
		m.unread = append(m.unread, fmt.Sprintf("%d more certificates of the metadata cannot be read", more))
	}
	for _, message := range m.unread {
		p.warnings = append(p.warnings, Warning{"key_unreadable", message,
			"Download the metadata again and give the file unchanged. If the identity provider signs with this certificate, its responses are refused."})
	}
	if m.withoutKey {
		p.warnings = append(p.warnings, Warning{"key_without_certificate", "a KeyDescriptor of the metadata has no X509Certificate: keys in other forms are not read",
			"If the identity provider signs with this key, its metadata must have the certificate."})
	}
	if m.unknownUse != "" {
		p.warnings = append(p.warnings, Warning{"key_use_unknown", "a KeyDescriptor of the metadata has the use " + quote(m.unknownUse) + ", which is neither signing nor encryption: it is not read", ""})
	}
	p.warnUnrelated(m.lists)
}

// warnUnrelated warns about lists with several keys that did not certify each other: each list describes one key (XML Signature 1.1 §4.5.4).
func (p *IdentityProvider) warnUnrelated(lists [][]int) {
	for _, list := range lists {
		var names []string
		var public []crypto.PublicKey
		for _, i := range list {
			if k := p.keys[i]; k.unusable == nil && !slices.ContainsFunc(public, func(o crypto.PublicKey) bool { return sameKey(o, k.public) }) {
				public, names = append(public, k.public), append(names, k.name())
			}
		}
		if len(names) > 1 {
			p.warnings = append(p.warnings, Warning{"keys_unrelated", fmt.Sprintf("one X509Data of the metadata should describe one key, but has %d that did not issue each other; all of them are trusted: %s", len(names), strings.Join(names, ", ")),
				"If the identity provider signs with only one of them, ask for metadata without the others, or enter entity ID, login URL and that certificate by hand."})
			return // the others say nothing new
		}
	}
}
