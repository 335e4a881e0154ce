package saml

import (
	"context"
	"crypto/x509"

	"github.com/iomete/saml/internal/fetch"
)

// FetchOptions change how FetchMetadata connects. The zero value is right for addresses that your
// own administrators type, if the servers' certificates come from public authorities.
type FetchOptions struct {
	// RootCAs are the certificate authorities that vouch for the server. Default nil: those of the
	// system.
	RootCAs *x509.CertPool
	// PublicOnly is for addresses that strangers type, such as the administrators of your
	// customers. Only https is fetched, and only from public addresses: the first one and every
	// redirect. All failures to connect return the same error, and none returns sooner than 5
	// seconds after the attempt began. So nobody can learn from FetchMetadata which names,
	// addresses and ports exist in the network of the service. A server that was reached, with a
	// trusted certificate, is still described: its HTTP status, an answer that breaks off.
	//
	// An address counts as public by the registries of IANA for special addresses. A host of your
	// own that has a public address, and a NAT64 prefix of your own, cannot be told apart: block
	// those in the firewall for outgoing connections.
	PublicOnly bool
}

// FetchMetadata downloads a metadata document for ParseMetadata from an address that an
// administrator typed: an absolute https URL, or http on a loopback address. It reads at most 4 MiB
// in at most 10 seconds and follows 5 redirects. Nothing is cached.
//
// The error is an *Error with CodeMetadataFetch, or CodeTooLarge. It never shows a user name or
// password of an address, nor its query, which may hold a token.
//
// A person typed the address, and strangers decide where it leads. It must not become a way into
// the network of the service (server-side request forgery, SSRF). So the IP address of every
// connection is checked when it is dialed, redirects included. Link-local addresses, among them the
// metadata services of clouds, are never connected to; private and loopback addresses only if the
// typed address itself leads to one. A proxy of the environment is not used: it would be the proxy
// that dials. For addresses that strangers type see FetchOptions.PublicOnly.
func FetchMetadata(ctx context.Context, address string, o FetchOptions) ([]byte, error) {
	data, err := fetch.Get(ctx, address, fetch.Options{RootCAs: o.RootCAs, PublicOnly: o.PublicOnly, MaxBytes: maxFile})
	if err != nil {
		return nil, fromFetch(err).completed(seenAt(address))
	}
	return data, nil
}

// fromFetch turns what internal/fetch found wrong into an Error.
func fromFetch(err *fetch.Error) *Error {
	e := refuse(CodeMetadataFetch, err.Message, err.Got, err.Want).withCause(err.Cause)
	if err.TooLarge {
		e.Code, e.hintOf = CodeTooLarge, CodeMetadataFetch
	}
	return e
}
