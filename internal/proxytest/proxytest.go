// Package proxytest has a forward proxy for tests: a real one on this machine that connects with
// CONNECT (RFC 9110 §9.3.6).
package proxytest

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// A Proxy is set up before Start, and not changed afterwards.
type Proxy struct {
	*httptest.Server
	Names   map[string]string // host and port that are asked for -> host and port on this machine
	Allowed string            // the Proxy-Authorization that is required; "": none
	Answer  http.HandlerFunc  // answers in place of a connection; nil: connect

	mu    sync.Mutex
	asked []string
}

// Start starts the proxy and ends it with the test: by https with the certificate, or by http if it
// is nil. It returns p.
func (p *Proxy) Start(t testing.TB, certificate *tls.Certificate) *Proxy {
	t.Helper()
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that are refused on purpose
	if certificate == nil {
		p.Server.Start()
	} else {
		p.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}}
		p.StartTLS()
	}
	t.Cleanup(p.Close)
	return p
}

// Requests returns method and target of what was asked since the last call.
func (p *Proxy) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// ServeHTTP answers one request to the proxy.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.mu.Unlock()
	switch {
	case p.Answer != nil:
		p.Answer(w, r)
	case p.Allowed != "" && r.Header.Get("Proxy-Authorization") != p.Allowed:
		w.Header().Set("Proxy-Authenticate", `Basic realm="the way out"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
	default:
		p.Connect(w, r)
	}
}

// Connect connects the client to what it asked for.
func (p *Proxy) Connect(w http.ResponseWriter, r *http.Request) {
	target := r.Host
	if known, ok := p.Names[target]; ok {
		target = known
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		io.Copy(server, buffered)
		server.Close()
	}()
	io.Copy(client, server)
}
