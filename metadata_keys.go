package saml

import (
	"crypto"
	"fmt"
	"slices"
	"strings"

	"github.com/iomete/saml/internal/b64"
	"github.com/iomete/saml/internal/certs"
	"github.com/iomete/saml/internal/xmltree"
)

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

// read takes the certificates of one KeyDescriptor. One that cannot be read at all is a warning:
// another may do.
func (m *metadataKeys) read(descriptor xmltree.Element) *Error {
	var group, list []int
	var data xmltree.Element
	before := m.number
	for e := range descriptor.Descendants() {
		if e.Local() != "X509Certificate" {
			continue
		}
		if e.Space() != xmltree.NSDSig && e.Space() != xmltree.NSMetadata { // some forget the namespace
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
				m.unread = append(m.unread, fmt.Sprintf("certificate %d of the metadata cannot be read: %s", m.number,
					err.Message))
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

// certificate reads the text of one X509Certificate element. It should be base64 of DER. Some
// products write PEM there, base64 of PEM, several certificates, or text around them: that is read as
// ParseKeys reads it.
func (m *metadataKeys) certificate(text string) ([]int, *Error) {
	problem := refuse(CodeKey, "it is empty or not base64", "", "")
	if der, err := b64.Decode(text); err == nil {
		var added []int
		before := len(m.list.keys)
		if added, problem = m.list.readDER(der); problem == nil || m.list.full {
			return added, problem
		}
		m.list.cut(before)
		if decoded := string(der); strings.Contains(decoded, "-----BEGIN ") {
			text = decoded
		}
	}
	if p := certs.PrivateKeyIn(text); p != nil {
		return nil, fromCerts(p)
	}
	before := len(m.list.keys)
	added, err := m.list.readText(text)
	if m.list.full {
		return nil, err
	}
	if err != nil || len(added) == 0 {
		// None of them is taken: an authority must not be left without the certificate that it issued.
		m.list.cut(before)
		return nil, problem
	}
	return added, nil
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
	if m.withoutKey {
		p.warnings = append(p.warnings, Warning{"key_without_certificate",
			"a KeyDescriptor of the metadata has no X509Certificate: keys in other forms are not read",
			"If the identity provider signs with this key, its metadata must have the certificate."})
	}
	if m.unknownUse != "" {
		p.warnings = append(p.warnings, Warning{"key_use_unknown",
			"a KeyDescriptor of the metadata has the use " + quote(m.unknownUse) +
				", which is neither signing nor encryption: it is not read", ""})
	}
	p.warnUnrelated(m.lists)
}

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
