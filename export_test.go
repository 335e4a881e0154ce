package saml

import "testing"

// VectorRefusals returns how the vectors are refused. Their identity provider is Microsoft Entra
// ID.
func VectorRefusals(t testing.TB) (refusals []error) {
	for _, v := range readVectors(t) {
		if _, err := v.finish(t, allChecks); err != nil {
			refusals = append(refusals, err)
		}
	}
	return refusals
}

// ProductOf returns the name of the product that settings with these addresses belong to, "" if
// none is recognized.
func ProductOf(entityID, loginURL string) string {
	p := &IdentityProvider{entityID: entityID, loginURL: loginURL}
	if known := p.product(); known != nil {
		return known.name
	}
	return ""
}

// ProductWords returns what products.go has, one line for each: "product | code | words".
func ProductWords() (lines []string) {
	for _, known := range products {
		add := func(what, words string) {
			if words != "" {
				lines = append(lines, known.name+" | "+what+" | "+words)
			}
		}
		for _, a := range known.words {
			for _, code := range a.codes {
				add(string(code), a.text)
			}
		}
		add("RequireSignedResponse", known.signResponse)
		add("wants_signed_requests", known.signRequests)
		add("HTTP-POST", known.postBinding)
		for status, words := range known.statuses {
			add("status "+status, words)
		}
	}
	return lines
}
