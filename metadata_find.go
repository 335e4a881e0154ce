package saml

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/iomete/saml/internal/xmltree"
)

const protocolSAML2 = xmltree.NSProtocol // in protocolSupportEnumeration

// A memberChoice says which entity of a document is meant.
type memberChoice struct {
	entityID   string // of the identity provider, "" for the only one
	unattended bool   // nobody looks at the document: one of a collection must be named
}

// find picks the entity and its identity provider role.
func (m memberChoice) find(root xmltree.Element) (entity, role xmltree.Element, refusal *Error) {
	collection := root.Is(xmltree.NSMetadata, "EntitiesDescriptor")
	if !collection && !root.Is(xmltree.NSMetadata, "EntityDescriptor") {
		return entity, role, notSAMLMetadata(root)
	}
	wanted := trimSpace(m.entityID)
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
		refusal = noRole(root, collection)
		refusal.absent = collection && wanted != ""
		return entity, role, refusal
	case len(names) == 0:
		refusal = refuse(CodeMetadataAggregate, "the document has no identity provider of that name", list(all), quote(wanted))
		refusal.absent = collection
		return entity, role, refusal
	case len(names) > 1 && len(slices.Compact(slices.Sorted(slices.Values(names)))) == 1:
		refusal = refuse(CodeMetadataAggregate,
			fmt.Sprintf("the document has the same identity provider %d times", len(names)), names[0], "each entity once")
		refusal.Hint = "Ask the publisher of the collection for one in which each entity stands once, or take the identity provider's own metadata."
		return entity, role, refusal
	case len(names) > 1:
		return entity, role, refuse(CodeMetadataAggregate, fmt.Sprintf(
			"the document is a collection of entities, %d of them identity providers", len(names)), list(all),
			"one of them, named by its entity ID")
	case collection && wanted == "" && m.unattended:
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
