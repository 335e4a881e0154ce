package saml

// A product is what we know about one make of identity provider beyond what SAML says: how to
// recognize it, what its portal calls things, and what people paste into the wrong field. It
// decides nothing about a response. Each product has a file of its own; entra.go shows the shape.
type product struct {
	name string // as its maker writes it

	// matches reports whether settings are those of this product.
	matches func(*IdentityProvider) bool

	// hints are what to change for a code, in the words of the product's portal. They replace the
	// general hint of the code.
	hints map[Code]string

	// signResponse is what to change if Config.RequireSignedResponse refuses.
	signResponse string

	// statusHint returns what to do about an error number of the product in a status message, "" if
	// it knows none.
	statusHint func(message string) string

	// misplaced recognizes values of the product's portal that were pasted into the wrong field.
	// Each fault names its Field.
	misplaced func(entityID, loginURL string) []*Error

	// warnings returns what looks wrong about settings, at any time.
	warnings func(*IdentityProvider) []Warning
}

// products are those that we know something about.
var products = []*product{&entra}

// product returns what made the identity provider, nil if that is not known.
func (p *IdentityProvider) product() *product {
	if p == nil {
		return nil
	}
	for _, known := range products {
		if known.matches(p) {
			return known
		}
	}
	return nil
}

// hint returns what to change for a code, in the words of the portal if the product is known. p may
// be nil.
func (p *IdentityProvider) hint(code Code) string {
	if known := p.product(); known != nil && known.hints[code] != "" {
		return known.hints[code]
	}
	return code.hint()
}

const signResponseHint = "Let the identity provider sign the response as well as the assertion."

// signResponseHint returns what to change if Config.RequireSignedResponse refuses.
func (p *IdentityProvider) signResponseHint() string {
	if known := p.product(); known != nil {
		return known.signResponse
	}
	return signResponseHint
}

// statusHint returns what to do about a status message, "" if no product knows its error number.
// The number itself says whose it is.
func statusHint(message string) string {
	for _, known := range products {
		if hint := known.statusHint(message); hint != "" {
			return hint
		}
	}
	return ""
}

// misplaced returns what is known to belong into another field, as one product knows it.
func misplaced(entityID, loginURL string) []*Error {
	for _, known := range products {
		if faults := known.misplaced(entityID, loginURL); len(faults) > 0 {
			return faults
		}
	}
	return nil
}
