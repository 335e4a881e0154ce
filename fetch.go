package saml

import (
	"context"
	"crypto/x509"

	"github.com/iomete/saml/internal/fetch"
)

// FetchOptions change how FetchMetadata connects. The zero value is right for addresses that your own administrators type, if certificates
// come from public authorities.
type FetchOptions struct {
	// RootCAs are the authorities that vouch for the server. nil: those of the system.
	RootCAs *x509.CertPool
	// PublicOnly is for addresses that strangers type, such as the administrators of your customers. Only https is fetched, and only from
	// public addresses: the first one and every redirect. All failures to connect give the same error, and none gives it sooner
	// than 5 seconds after the attempt began. So nobody can learn from FetchMetadata which names, addresses and ports exist in the network of the
	// service. A server that was reached, with a trusted certificate, is still described: its HTTP status, an answer that breaks off.
	//
	// An address counts as public by the registries of IANA for special addresses. A host of your own that has a public address, and a
	// NAT64 prefix of your own, cannot be told apart: block those in the firewall for outgoing connections.
	PublicOnly bool
}

// FetchMetadata gets the document at an address that an administrator typed, for ParseMetadata: https, or http on a loopback address; at most 4 MiB
// in at most 10 seconds. Nothing is cached. Errors are *Error with CodeMetadataFetch, or CodeTooLarge. They never show a user name or password of
// an address, nor its query, which may hold a token.
//
// The address comes from a person, and where it leads from a stranger, so it must not become a way into the network of the service: the address of
// every connection is looked at when it is dialled, redirects included. Link-local addresses, among them those of the clouds' metadata services, are
// never connected to; private and loopback ones only if the address that was typed leads to one by itself. A proxy of the environment is not
// used: behind one, it would be the proxy that dials. For addresses that strangers type see FetchOptions.PublicOnly.
func FetchMetadata(ctx context.Context, address string, o FetchOptions) ([]byte, error) {
	data, err := fetch.Get(ctx, address, fetch.Options{RootCAs: o.RootCAs, PublicOnly: o.PublicOnly, MaxBytes: maxFile})
	if err != nil {
		return nil, fromFetch(err)
	}
	return data, nil
}

// fromFetch turns what internal/fetch found wrong into an Error.
func fromFetch(err *fetch.Error) *Error {
	e := refuse(CodeMetadataFetch, err.Message, err.Got, err.Want).withCause(err.Cause)
	if err.TooLarge {
		e.Code = CodeTooLarge
	}
	return e
}
