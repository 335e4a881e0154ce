package saml

import (
	"slices"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/xmlenc"
)

// onlyAlgorithms is Config.OnlyAlgorithms by kind. A kind with an empty list has all that are
// accepted without it.
type onlyAlgorithms struct{ signatures, digests, contents, transports []string }

// An algorithmKind is what Config.OnlyAlgorithms can restrict.
type algorithmKind struct {
	knows func(uri string) bool // those that can be accepted
	list  func(*onlyAlgorithms) *[]string
}

var algorithmKinds = []algorithmKind{
	{dsig.IsSignatureMethod, func(o *onlyAlgorithms) *[]string { return &o.signatures }},
	{dsig.IsDigestMethod, func(o *onlyAlgorithms) *[]string { return &o.digests }},
	{xmlenc.IsContentMethod, func(o *onlyAlgorithms) *[]string { return &o.contents }},
	{xmlenc.IsTransport, func(o *onlyAlgorithms) *[]string { return &o.transports }},
}

// onlyThese sorts valid URIs into their kinds.
func onlyThese(uris []string) (o onlyAlgorithms) {
	for _, uri := range uris {
		for _, kind := range algorithmKinds {
			if kind.knows(uri) {
				list := kind.list(&o)
				*list = append(*list, uri)
			}
		}
	}
	return o
}

// onlyAlgorithms refuses a URI that would accept nothing, or more than is accepted without it.
func (f *faults) onlyAlgorithms(uris []string, allowSHA1 bool) {
	for _, uri := range uris {
		switch {
		case !slices.ContainsFunc(algorithmKinds, func(k algorithmKind) bool { return k.knows(uri) }):
			f.add("OnlyAlgorithms", "has an algorithm that is never accepted", uri, wantAlgorithm)
		case !allowSHA1 && dsig.IsSHA1(uri):
			f.add("OnlyAlgorithms", "has an algorithm with SHA-1, and InsecureAllowSHA1 is not set", uri, wantAlgorithm)
		}
	}
}

const wantAlgorithm = "the URI of an algorithm that is accepted, such as " + string(RSAWithSHA256)
