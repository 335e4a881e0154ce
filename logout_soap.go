package saml

import (
	"context"
	"crypto/x509"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/iomete/saml/internal/fetch"
	"github.com/iomete/saml/internal/outgoing"
	"github.com/iomete/saml/internal/refresh"
	"github.com/iomete/saml/internal/wire"
)

// SOAPOptions change how a LogoutRequest is sent by SOAP (SAML Bindings 2.0 §3.2): from this
// service to an identity provider whose metadata offers logout in no other way. It takes at most 10
// seconds, in which the user waits, and an answer of at most 1 MiB. Redirects are not followed. At
// most 4 requests are under way to one host at a time, 4 of one tenant, and 64 in all: an identity
// provider that does not answer delays the logouts of its own tenant alone.
//
// Whoever writes the metadata chooses the address, and in a service with tenants that is a
// stranger. So with the zero value only https addresses that are public are connected to, and
// failures to connect cannot be told apart: as with FetchOptions.PublicOnly.
type SOAPOptions struct {
	// RootCAs are the certificate authorities that vouch for the identity provider's server.
	// Default nil: those of the system.
	RootCAs *x509.CertPool

	// AllowPrivate allows addresses of your own network too, and http on this machine: for a
	// service whose own administrators alone choose the identity provider. Link-local addresses,
	// among them the metadata services of clouds, are never connected to.
	AllowPrivate bool
}

const (
	soapTimeout  = 10 * time.Second
	soapOfHost   = 4
	soapOfTenant = 4
	soapInAll    = 64
	maxSOAPReply = 1 << 20 // bytes
)

// A soapClient sends LogoutRequests by SOAP.
type soapClient struct {
	options fetch.Options
	// A request waits for its turn among those of its tenant first, and then among those to its host. The
	// metadata of a tenant can name one host after the other.
	tenants, hosts *refresh.Limiter
}

func newSOAPClient(o SOAPOptions) soapClient {
	return soapClient{
		options: fetch.Options{RootCAs: o.RootCAs, PublicOnly: !o.AllowPrivate, MaxBytes: maxSOAPReply},
		tenants: &refresh.Limiter{InAll: math.MaxInt, OfHost: soapOfTenant},
		hosts:   &refresh.Limiter{InAll: soapInAll, OfHost: soapOfHost}}
}

// ask sends a request and judges the answer on the same connection. answer is nil if there is none
// that can be read.
func (c soapClient) ask(ctx context.Context, sp *ServiceProvider, request outgoing.LogoutRequest) (answer *wire.Logout,
	outcome logoutOutcome, refusal *Error) {
	envelope, err := sp.logoutEnvelope(ctx, request)
	if err != nil {
		return nil, logoutUnknown, notSigned("the LogoutRequest", err)
	}
	reply, refusal := c.post(ctx, sp.tenant, request.Destination, envelope)
	if refusal != nil {
		return nil, logoutUnknown, refusal
	}
	if answer, err = wire.LogoutFromSOAP(reply); err != nil {
		return nil, logoutUnknown, fromFault(err).atStep(stepMessage)
	}
	arrival := logoutArrival{message: answer, addresses: sp.ownAddresses()}
	outcome, refusal = sp.judgeLogoutResponse(ctx, arrival, request.ID, logoutResponseChecks)
	return answer, outcome, refusal
}

// A soapReply is what came back of one request.
type soapReply struct {
	body []byte
	err  *fetch.Error
}

// post sends an envelope when it is its turn.
func (c soapClient) post(ctx context.Context, tenant, address string, envelope []byte) ([]byte, *Error) {
	ctx, cancel := context.WithTimeout(ctx, soapTimeout)
	defer cancel()
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = hostOf(u.Host)
	}
	replied := make(chan soapReply, 1)
	c.tenants.Submit(tenant, func() {
		over := make(chan struct{})
		c.hosts.Submit(host, func() {
			defer close(over)
			body, err := fetch.Post(ctx, address, soapHeader, envelope, c.options)
			replied <- soapReply{body, err}
		})
		select {
		case <-over:
		case <-ctx.Done(): // nobody waits any more
		}
	})
	select {
	case reply := <-replied:
		if reply.err != nil {
			return nil, refuse(CodeLogoutSOAP, "the identity provider was not told by SOAP: "+reply.err.Message,
				reply.err.Got, reply.err.Want)
		}
		return reply.body, nil
	case <-ctx.Done():
		return nil, refuse(CodeLogoutSOAP, "the identity provider was not told by SOAP: it did not answer in time", host,
			"an answer within "+soapTimeout.String())
	}
}

// soapHeader is the header of a request. The value of SOAPAction is that of the binding (SAML
// Bindings 2.0 §3.2.2.2).
var soapHeader = http.Header{
	"Content-Type": {"text/xml; charset=utf-8"},
	"SOAPAction":   {`"http://www.oasis-open.org/committees/security"`},
	"Accept":       {"text/xml"},
}
