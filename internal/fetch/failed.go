package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/iomete/saml/internal/address"
)

// Advice that goes beyond comparing the address.
const (
	nameTheProxy = "If only a proxy leads out of this network, name it in FetchOptions.Proxy: the environment's is not used."
	addTheCA     = "If a proxy of your network opens TLS connections, or an authority of your own issued the certificate, " +
		"add that authority to FetchOptions.RootCAs. Or download the file with a browser and give that."
	compareTheProxy = "Compare FetchOptions.Proxy with the host, the port and the scheme of the proxy."
)

// failed says in one sentence what went wrong, and on which way: to the proxy, or to the server.
func (f *fetcher) failed(err error) *Error {
	var forbidden errForbidden
	var ready *Error // of afterConnect
	var connect *net.OpError
	e := &Error{Got: f.typed}
	switch {
	case f.connecting.Load() && !errors.Is(err, context.Canceled):
		e.Message = "no public server could be reached there by https: the name must be in the public DNS, " +
			"the address public, the port open, and the certificate from a trusted authority"
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &forbidden):
		e.Message = "this address is not fetched: " + forbidden.why
		if forbidden.redirect != "" {
			e.Got = forbidden.redirect
		}
	case errors.Is(err, context.Canceled):
		e.Message = "the request was given up"
		e.Cause = context.Canceled
	case f.answered && !errors.Is(err, context.DeadlineExceeded):
		e.Message = "the answer of the server breaks off before its end"
	case f.viaProxy() && !f.tunneled.Load():
		f.unreached(e, "proxy", err)
		if e.Message == unreachable("proxy") && !(errors.As(err, &connect) && connect.Op == "proxyconnect") { // of net/http
			e.Message = "the proxy does not answer as a proxy does: it breaks off, speaks https, or speaks no HTTP"
		}
		e.Got = f.proxy.Host // without user and password
		if e.Hint == "" {
			e.Hint = compareTheProxy
		}
	default:
		f.unreached(e, "server", err)
		if e.Hint == "" && f.proxy == nil && !f.publicOnly && !address.IsLoopback(f.first.Hostname()) {
			e.Note = nameTheProxy
		}
	}
	return e // any other cause is left out: it names addresses in our network
}

// unreached says why there is no answer from the proxy or the server, whichever who is.
func (f *fetcher) unreached(e *Error, who string, err error) {
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var noTLS tls.RecordHeaderError
	var name *net.DNSError
	e.Message = unreachable(who)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = fmt.Sprintf("the %s does not answer within %s", who, f.timeout)
	case errors.As(err, &certificate):
		e.Message = "the " + who + "'s own certificate is not trusted"
		e.Cause = certificate.Err
		if errors.As(err, &unknown) {
			e.Hint = addTheCA
		}
	case errors.As(err, &noTLS), errors.Is(err, http.ErrSchemeMismatch):
		e.Message = "the " + who + " does not speak TLS (https) at this port"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Message = "the " + who + " refuses the connection"
	case errors.As(err, &name):
		e.Message = "there is no " + who + " of this name"
	}
}

func unreachable(who string) string { return "the " + who + " cannot be reached" }

// hintOfStatus returns what to change for a status where the address is likely to be right, else "".
func hintOfStatus(code int) string {
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return "The server, or a filter of the network before it, does not give the document to this service. Download the file with a browser and give that."
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return "The server is busy or has a fault: try again in a few minutes. Or download the file with a browser and give that."
	}
	return ""
}
