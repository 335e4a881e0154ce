package saml

import (
	"cmp"
	"crypto"
	"fmt"
	"slices"
	"strings"

	"github.com/iomete/saml/internal/certs"
	"github.com/iomete/saml/internal/xmltree"
)

// metadataKeys are the certificates of a role.
type metadataKeys struct {
	list        keyList
	number      int      // of X509Certificate elements
	descriptors [][]int  // what each KeyDescriptor holds, by index in list
	incomplete  []bool   // whether a certificate of that KeyDescriptor cannot be read
	lists       [][]int  // what each X509Data holds
	unread      []string // what is wrong with the first that cannot be read
	notRead     int      // how many cannot be read
	firstCode   Code     // of what is wrong with the first that cannot be read
	withoutKey  string   // what a KeyDescriptor has instead of an X509Certificate, "" if all have one
	strange     string   // the namespace of an X509Certificate that has a wrong one, in words; else ""
	unknownUse  string   // the use of a KeyDescriptor for something that is neither signing nor encryption
	encryption  bool     // a KeyDescriptor is for encryption
}

const mostUnread = 4

// descriptor takes one KeyDescriptor, if it is for signing (SAML Metadata 2.0 §2.4.1.1): its use may
// be in any case, with white space around it, and none or an empty one is for signing too.
func (m *metadataKeys) descriptor(e xmltree.Element) *Error {
	use, _ := e.Attr("use")
	switch foldASCII(trimSpace(use)) {
	case "", "signing":
		return m.read(e)
	case "encryption":
		m.encryption = true
	default:
		m.unknownUse = use
	}
	return nil
}

// read takes the certificates of one KeyDescriptor. One that cannot be read at all is a warning:
// another may do.
func (m *metadataKeys) read(descriptor xmltree.Element) *Error {
	var group, list []int
	var data xmltree.Element
	before, damaged := m.number, false
	for e := range descriptor.Descendants() {
		if e.Local() != "X509Certificate" {
			continue
		}
		m.number++
		if e.Space() != xmltree.NSDSig && e.Space() != xmltree.NSMetadata { // some forget the namespace
			m.strange, damaged = namespaceOf(e), true
			m.cannotRead(CodeMetadataKeys, "it is not in the namespace of XML signatures, but in "+quote(m.strange))
			continue
		}
		if parent := e.Parent(); parent != data {
			m.lists = appendGroup(m.lists, list)
			data, list = parent, nil
		}
		text, ok := e.Text()
		if !ok {
			damaged = true
			m.cannotRead(CodeKey, "it holds another element, not text alone")
			continue
		}
		added, err := m.list.readElement(text)
		if m.list.full {
			return err
		}
		if err != nil {
			damaged = damaged || trimSpace(text) != ""
			m.cannotRead(err.Code, err.Message)
			continue
		}
		group, list = mergeIndices(group, added), mergeIndices(list, added)
	}
	m.lists = appendGroup(m.lists, list)
	m.descriptors, m.incomplete = append(m.descriptors, group), append(m.incomplete, damaged)
	if m.number == before && m.withoutKey == "" {
		m.withoutKey = formOfKey(descriptor)
	}
	return nil
}

// cannotRead counts a certificate that is not trusted for what is wrong with it.
func (m *metadataKeys) cannotRead(code Code, why string) {
	m.firstCode = cmp.Or(m.firstCode, code)
	if m.notRead++; m.notRead <= mostUnread {
		m.unread = append(m.unread, fmt.Sprintf("certificate %d of the metadata cannot be read: %s", m.number, why))
	}
}

// formOfKey names the elements in which a KeyDescriptor without a certificate describes its key.
func formOfKey(descriptor xmltree.Element) string {
	for e := range descriptor.Children() {
		if e.Local() != "KeyInfo" {
			continue
		}
		for form := range e.Children() {
			return form.Local()
		}
		return "an empty KeyInfo"
	}
	return "no KeyInfo"
}

// missing says why there is no certificate for signing: the cause that is nearest.
func (m *metadataKeys) missing(entity xmltree.Element) *Error {
	const want = "KeyDescriptor with an X509Certificate"
	none := func(why, got string) *Error {
		return refuse(CodeMetadataKeys, "the metadata has no signing certificate"+why, got, want)
	}
	switch {
	case m.strange != "":
		err := none(": its X509Certificate is not in the namespace of XML signatures", m.strange)
		err.Want = xmltree.NSDSig
		return err
	case m.notRead > 0:
		message := m.unread[0]
		if m.notRead > 1 {
			message = fmt.Sprintf("none of the %d signing certificates can be read: %s", m.notRead, message)
		}
		return refuse(m.firstCode, message, "", "an X509Certificate with the base64 of a certificate")
	case m.withoutKey != "":
		return none(": its KeyDescriptor has the key in another form, which is not read", m.withoutKey)
	case m.unknownUse != "":
		return none(": the use of its KeyDescriptor is unknown", m.unknownUse)
	case m.encryption:
		return none(", only one for encryption", `use="encryption"`)
	}
	if e, ok := wrongNamespace(entity, "KeyDescriptor"); ok {
		return inWrongNamespace(CodeMetadataKeys, "the metadata has no signing certificate: its KeyDescriptor", e)
	}
	for e := range entity.Descendants() {
		if e.Is(xmltree.NSMetadata, "KeyDescriptor") {
			return none(" in IDPSSODescriptor; one in another role does not count", "KeyDescriptor in "+e.Parent().Local())
		}
	}
	return none("", "")
}

// appendGroup leaves out what says nothing: a certificate alone is in no chain.
func appendGroup(groups [][]int, group []int) [][]int {
	if len(group) < 2 {
		return groups
	}
	return append(groups, group)
}

// takeKeys trusts the keys of a role, and warns about those that it leaves out and those that
// should not stand together.
func (p *IdentityProvider) takeKeys(m *metadataKeys) {
	m.list.markIssuersIn(m.descriptors)
	m.markLeftAuthorities()
	p.keys = m.list.keys
	if len(m.unread) > 0 {
		p.unread = m.unread[0]
	}
	if more := m.notRead - len(m.unread); more > 0 {
		m.unread = append(m.unread, fmt.Sprintf("%d more certificates of the metadata cannot be read", more))
	}
	for _, message := range m.unread {
		p.warnings = append(p.warnings, Warning{"key_unreadable", message,
			"Download the metadata again and give the file unchanged. " +
				"If the identity provider signs with this certificate, its responses are refused."})
	}
	if m.withoutKey != "" {
		p.warnings = append(p.warnings, Warning{"key_without_certificate",
			"a KeyDescriptor of the metadata has no X509Certificate, but " + quote(m.withoutKey) +
				": keys in other forms are not read",
			"If the identity provider signs with this key, its metadata must have the certificate."})
	}
	if m.unknownUse != "" {
		p.warnings = append(p.warnings, Warning{"key_use_unknown",
			"a KeyDescriptor of the metadata has the use " + quote(m.unknownUse) +
				", which is neither signing nor encryption: it is not read", ""})
	}
	p.warnUnrelated(m.lists)
}

// markLeftAuthorities makes the keys of authorities unusable if a certificate beside them cannot be
// read: it may be the one that they issued. An authority that also stands in a KeyDescriptor that can
// be read is taken for what it is there.
func (m *metadataKeys) markLeftAuthorities() {
	var doubtful, sure [maxKeys]bool // by index in list
	for n, group := range m.descriptors {
		for _, i := range group {
			doubtful[i] = doubtful[i] || m.incomplete[n]
			sure[i] = sure[i] || !m.incomplete[n]
		}
	}
	for i := range m.list.keys {
		if k := &m.list.keys[i]; doubtful[i] && !sure[i] && k.unusable == nil && certs.IsAuthority(k.der) {
			k.unusable = refuse(CodeKey, "it belongs to a certificate authority (CA), and a certificate beside it cannot be read, "+
				"which may be the one that signs: its key is not trusted to sign responses", "", "")
			k.unusable.Hint = leftAuthorityHint
		}
	}
}

const leftAuthorityHint = "Download the metadata again and give the file unchanged. If the identity provider signs with this " +
	"certificate, ask for metadata in which it stands alone."

// warnUnrelated warns about lists with several keys that did not certify each other: each list
// describes one key (XML Signature 1.1 §4.5.4).
func (p *IdentityProvider) warnUnrelated(lists [][]int) {
	for _, list := range lists {
		var names []string
		var public []crypto.PublicKey
		for _, i := range list {
			k := p.keys[i]
			known := slices.ContainsFunc(public, func(o crypto.PublicKey) bool { return certs.SameKey(o, k.public) })
			if k.unusable == nil && !known {
				public, names = append(public, k.public), append(names, k.name())
			}
		}
		if len(names) > 1 {
			p.warnings = append(p.warnings, Warning{"keys_unrelated",
				fmt.Sprintf("one X509Data of the metadata should describe one key, but has %d that did not issue each other; "+
					"all of them are trusted: %s", len(names), strings.Join(names, ", ")),
				"If the identity provider signs with only one of them, ask for metadata without the others, " +
					"or enter entity ID, login URL and that certificate by hand."})
			return // the others say nothing new
		}
	}
}

// wrongNamespace finds the first element of metadata with this name that is in no namespace of
// metadata.
func wrongNamespace(within xmltree.Element, local string) (xmltree.Element, bool) {
	for e := range within.Descendants() {
		if e.Local() == local && e.Space() != xmltree.NSMetadata {
			return e, true
		}
	}
	return xmltree.Element{}, false
}

// inWrongNamespace refuses an element for its namespace. start is the sentence up to its name.
func inWrongNamespace(code Code, start string, e xmltree.Element) *Error {
	err := refuse(code, start+" is not in the namespace of SAML metadata", namespaceOf(e), xmltree.NSMetadata)
	err.Hint = "Download the metadata again, unchanged. If it was written by hand: the element or one around it needs " +
		`xmlns="` + xmltree.NSMetadata + `", or its prefix declared so.`
	return err
}

// namespaceOf is the namespace of an element in words.
func namespaceOf(e xmltree.Element) string { return cmp.Or(e.Space(), "no namespace") }
