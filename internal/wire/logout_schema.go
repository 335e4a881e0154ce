package wire

import "github.com/iomete/saml/internal/xmltree"

// The models of the two messages about logout (SAML Core 2.0 §3.7.1 and §3.7.2). The parts that they
// share with a response are those of its model.
var logoutRequestModel, logoutResponseModel = buildLogoutModels()

func buildLogoutModels() (request, response *model) {
	p := protocolElement
	assertionPart := func(local string) *model { return partOfResponse(xmltree.NSAssertion, local) }
	protocolPart := func(local string) *model { return partOfResponse(xmltree.NSProtocol, local) }
	head := []part{optional(assertionPart("Issuer")), optional(protocolPart("Extensions"))}
	request = p("LogoutRequest", elements, append(head[:2:2],
		once(assertionPart("BaseID"), assertionPart("NameID"), assertionPart("EncryptedID")),
		many(p("SessionIndex", textOnly)))...)
	response = p("LogoutResponse", elements, append(head[:2:2], once(protocolPart("Status")))...)
	return request, response
}

// partOfResponse returns the model of an element that a response can contain, at any depth.
func partOfResponse(space, local string) *model {
	seen := map[*model]bool{}
	var find func(*model) *model
	find = func(m *model) *model {
		if m.space == space && m.local == local {
			return m
		}
		if seen[m] {
			return nil
		}
		seen[m] = true
		for _, p := range m.parts {
			for _, inner := range p.oneOf {
				if found := find(inner); found != nil {
					return found
				}
			}
		}
		return nil
	}
	return find(responseModel)
}

// CheckLogout checks a LogoutRequest or LogoutResponse against the schema.
func CheckLogout(e xmltree.Element) error {
	if e.Local() == logoutRequestModel.local {
		return logoutRequestModel.check(e)
	}
	return logoutResponseModel.check(e)
}

// LogoutStatus returns the status of a LogoutResponse, which has passed CheckLogout.
func LogoutStatus(e xmltree.Element) (s Status) {
	for c := range e.Children() {
		if c.Is(xmltree.NSProtocol, "Status") {
			s = readStatus(c)
		}
	}
	return s
}
