package saml

import (
	"cmp"
	"context"
	"crypto/x509"

	"github.com/iomete/saml/internal/fetch"
)

// FetchOptions change how FetchMetadata connects. The zero value is right for addresses that your
// own administrators type, if the servers' certificates come from public authorities.
type FetchOptions struct {
	// RootCAs are the certificate authorities that vouch for the server, and for a proxy that is
	// reached by https. Default nil: those of the system. If a proxy of your network opens TLS
	// connections (TLS inspection), its authority belongs here: start with x509.SystemCertPool and
	// add it.
	RootCAs *x509.CertPool
	// Proxy is the address of the forward proxy that leads out of your network: http://host:port or
	// https://host:port, with user:password@ before the host if the proxy wants Basic
	// authentication. Special characters in them are percent-encoded. By http the proxy gets the
	// password in the clear. Default "": no proxy. HTTP_PROXY and HTTPS_PROXY of the environment are
	// never used.
	//
	// The proxy itself may have a private address. Every https address is asked through it with
	// CONNECT (RFC 9110 §9.3.6), also one of this machine. An http address, which is always of this
	// machine, is asked without it. A PAC file and SOCKS are not supported.
	//
	// The proxy connects, so the protection is weaker. An IP address in a URL, and those that its
	// host resolves to here within 2 seconds, are checked as without a proxy, redirects included.
	// But the proxy looks the name up again and may get another answer. A name that does not resolve
	// here, or not in time, is not checked at all: the proxy alone decides, also if a server
	// redirects there. A redirect to a private IP address is refused unless the typed address is
	// known to lead to one. So let the proxy itself refuse addresses of your network that must not
	// be reached. Proxy together with PublicOnly is an error with CodeConfig.
	Proxy string
	// PublicOnly is for addresses that strangers type, such as the administrators of your
	// customers. Only https is fetched, and only from public addresses: the first one and every
	// redirect. All failures to connect return the same error, and none returns sooner than 5
	// seconds after the attempt began. So nobody can learn from FetchMetadata which names,
	// addresses and ports exist in the network of the service. A server that was reached, with a
	// trusted certificate, is still described: its HTTP status, an answer that breaks off. Nothing
	// of the body of an error is read.
	//
	// An address counts as public by the registries of IANA for special addresses. A host of your
	// own that has a public address, and a NAT64 prefix of your own, cannot be told apart: block
	// those in the firewall for outgoing connections.
	PublicOnly bool
}

// FetchMetadata downloads a metadata document for ParseMetadata from an address that an
// administrator typed: an absolute https URL, or http on a loopback address. White space and
// invisible characters around the address are left out. It reads at most 4 MiB in at most 10
// seconds and follows 5 redirects. Nothing is cached. The answer may be compressed with gzip (RFC
// 1952); then the 4 MiB count after unpacking.
//
// The error is an *Error with CodeMetadataFetch, CodeTooLarge, or CodeConfig if the options cannot
// be used. It never shows a user name or password of an address, nor its query, which may hold a
// token; nor those of the proxy. Of the body of an error status it shows only the number of an error
// of Microsoft Entra ID, "AADSTS" and digits.
//
// A person typed the address, and strangers decide where it leads. It must not become a way into
// the network of the service (server-side request forgery, SSRF). So the IP address of every
// connection is checked when it is dialed, redirects included. Link-local addresses, among them the
// metadata services of clouds, are never connected to; private and loopback addresses only if the
// typed address itself leads to one. A proxy of the environment is not used: it would be the proxy
// that dials. FetchOptions.Proxy names one, and says what is checked then. For addresses that
// strangers type see FetchOptions.PublicOnly.
func FetchMetadata(ctx context.Context, address string, o FetchOptions) ([]byte, error) {
	data, err := fetch.Get(ctx, address, fetch.Options{RootCAs: o.RootCAs, PublicOnly: o.PublicOnly, Proxy: o.Proxy,
		MaxBytes: maxFile})
	if err != nil {
		return nil, fromFetch(err, seenAt(trimInvisible(address)))
	}
	return data, nil
}

// fromFetch turns what internal/fetch found wrong into an Error. seen is the identity provider at
// the address.
func fromFetch(err *fetch.Error, seen *IdentityProvider) *Error {
	e := refuse(CodeMetadataFetch, err.Message, err.Got, err.Want).withCause(err.Cause)
	e.Hint, e.note = err.Hint, err.Note
	switch {
	case err.Setting != "":
		e.Code, e.Field, e.Message = CodeConfig, err.Setting, "FetchOptions."+err.Setting+" "+err.Message
	case err.TooLarge:
		e.Code, e.hintOf = CodeTooLarge, CodeMetadataFetch
	case err.AADSTS != "":
		e.Hint = cmp.Or(aadstsAtMetadata[err.AADSTS], seen.statusHint("", err.AADSTS, asked{method: true}), err.Hint)
	}
	return e.completed(seen)
}
