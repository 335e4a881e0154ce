package saml

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A product is what we know about one make of identity provider beyond what SAML says: how to
// recognize it, what its administrator's pages call things, and what people paste into the wrong
// field. It decides nothing about a response: it only chooses words.
//
// products.go has the words of all products. What is more than words has a file of its own, such as
// entra.go.
type product struct {
	name    string // as its maker writes it
	looksAs string // how its addresses look, for docs/products.md

	// matches reports whether an address is one of this product: an entity ID, a login URL, or the
	// address of metadata.
	matches func(*url.URL) bool

	// words are what to change for a code. They replace the general hint of the code.
	words []advice

	// signResponse is what to change if Config.RequireSignedResponse refuses, and for CodeCBCRefused
	// unless words has that; signRequests if the metadata asks for signed requests; postBinding if a
	// response does not come by HTTP-POST. "" stands for the general words.
	signResponse, signRequests, postBinding string

	// statuses are what to change for the last word of a second-level status code (Core §3.2.2.2),
	// such as InvalidNameIDPolicy.
	statuses map[string]string

	// statusHint returns what to do about an error number of the product in a status message, "" if
	// it knows none. nil: the product has no such numbers.
	statusHint func(message string, ours asked) string

	// misplaced recognizes values of the product's pages that were pasted into the wrong field.
	// Each fault names its Field. nil: none are known.
	misplaced func(entityID, loginURL string) []*Error

	// warnings returns what looks wrong about settings, at any time. nil: nothing is known.
	warnings func(*IdentityProvider) []Warning
}

// An advice is what to change for some codes.
type advice struct {
	codes []Code
	text  string
}

// hint returns what to change for a code in the words of the product, "" if it has none. Where we
// know no setting for the algorithm of the encryption, a signature of the response is what helps.
func (known *product) hint(code Code) string {
	for _, a := range known.words {
		if slices.Contains(a.codes, code) {
			return a.text
		}
	}
	if code == CodeCBCRefused {
		return known.signResponse
	}
	return ""
}

// productAt returns what made the identity provider with this address, nil if that is not known.
func productAt(address string) *product {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return nil
	}
	for _, known := range products {
		if known.matches(u) {
			return known
		}
	}
	return nil
}

// product returns what made the identity provider, nil if that is not known. The login URL counts
// first, because the product itself answers there. The entity ID is only a name, which a company
// keeps when it changes the product.
func (p *IdentityProvider) product() *product {
	if p == nil {
		return nil
	}
	for _, address := range []string{p.loginURL, p.loginPOST, p.entityID} {
		if known := productAt(address); known != nil {
			return known
		}
	}
	return nil
}

// seenAt is an identity provider of which no more is known than one address. It is good for hints
// alone.
func seenAt(address string) *IdentityProvider { return &IdentityProvider{entityID: address} }

// seenIn is the identity provider that a document seems to be the metadata of, nil if that is not
// clear. It is good for hints alone: the document may be broken, so it is searched, not read.
func seenIn(document []byte) *IdentityProvider {
	var seen *IdentityProvider
	for _, m := range addressInMetadata.FindAllSubmatch(document[:min(len(document), 64<<10)], 64) {
		p := seenAt(html.UnescapeString(string(m[1])))
		switch known := p.product(); {
		case known == nil:
		case seen == nil:
			seen = p
		case seen.product() != known:
			return nil
		}
	}
	return seen
}

var addressInMetadata = regexp.MustCompile(`\b(?:entityID|Location)\s*=\s*["']\s*([^"'<>]+?)\s*["']`)

// hint returns what to change for a code, in the words of the product if it is known. p may be nil.
func (p *IdentityProvider) hint(code Code) string {
	if known := p.product(); known != nil {
		if hint := known.hint(code); hint != "" {
			return hint
		}
	}
	return code.hint()
}

const signResponseHint = "Let the identity provider sign the response as well as the assertion."

// signResponseHint returns what to change if Config.RequireSignedResponse refuses.
func (p *IdentityProvider) signResponseHint() string {
	if known := p.product(); known != nil && known.signResponse != "" {
		return known.signResponse
	}
	return signResponseHint
}

// notWhole is the advice for a message that is not even XML.
const notWhole = "The form value was changed on its way, cut off or encoded twice: look for a proxy, firewall or script that rewrites request bodies or limits their size."

// What to do about faults that many codes share.
const (
	askTheVendor = "If the response of every user is like this, have the vendor of the identity provider's software fix it: "
	// notOurXML is for XML that no SAML product writes.
	notOurXML = askTheVendor + "SAML messages have no such XML. " +
		"If it is one among good ones, something on the way changed it or put another page in its place, or it is an attack."
	// notSAML is for messages that are not as SAML 2.0 defines them.
	notSAML = askTheVendor + "SAML 2.0 does not allow it. " +
		"If it is one among good ones, it may be an attack."
	hintForm = "The Redirect URL takes the form that the identity provider posts (HTTP-POST), unchanged and with one SAMLResponse. " +
		"Look for a proxy or middleware that changes or redirects the POST, for a link to the Redirect URL that should not be one, and for an address for logout at the identity provider that is set to the Redirect URL."
)

const signRequestsHint = "Configure a key (Config.SigningKey) and give the identity provider our metadata, or switch the demand off at the identity provider."

// signRequestsHint returns what to change if the metadata asks for signed requests.
func (p *IdentityProvider) signRequestsHint() string {
	if known := p.product(); known != nil && known.signRequests != "" {
		return known.signRequests
	}
	return signRequestsHint
}

const postBindingHint = "Let the identity provider send its responses by HTTP-POST."

// postBindingHint returns what to change if a response does not come by HTTP-POST.
func (p *IdentityProvider) postBindingHint() string {
	if known := p.product(); known != nil && known.postBinding != "" {
		return known.postBinding
	}
	return postBindingHint
}

// statusHint returns what to do about a status, "" if there is no advice for this one: by the error
// number of a product in its message, which itself says whose it is, or by the second-level code in
// the words of the product.
func (p *IdentityProvider) statusHint(subCode, message string, ours asked) string {
	for _, known := range products {
		if known.statusHint == nil {
			continue
		}
		if hint := known.statusHint(message, ours); hint != "" {
			return hint
		}
	}
	if known := p.product(); known != nil {
		return known.statuses[subCode[strings.LastIndexByte(subCode, ':')+1:]]
	}
	return ""
}

// misplaced returns what is known to belong into another field, as one product knows it.
func misplaced(entityID, loginURL string) []*Error {
	for _, known := range products {
		if known.misplaced == nil {
			continue
		}
		if faults := known.misplaced(entityID, loginURL); len(faults) > 0 {
			return faults
		}
	}
	return nil
}

// isAt reports whether u is a web address in one of the domains: the domain itself or a host below
// it. What stands in a path, a query or before an @ does not count.
func isAt(u *url.URL, domains ...string) bool {
	if u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc(domains, func(domain string) bool {
		return host == domain || strings.HasSuffix(host, "."+domain)
	})
}

// hasPath reports whether u is a web address with a path like this, at any host.
func hasPath(u *url.URL, path *regexp.Regexp) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && path.MatchString(u.Path)
}
