package main

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/console"
	"github.com/iomete/saml/internal/proxytest"
)

// TestFetchFlags: metadata comes by the proxy and under the authority that the flags name, and what
// is wrong is said in the words of the flags.
func TestFetchFlags(t *testing.T) {
	t.Parallel()
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<x/>") }))
	defer site.Close()
	// which the certificate of httptest is for
	proxy := (&proxytest.Proxy{Names: map[string]string{"example.com:443": site.Listener.Addr().String()}}).Start(t, nil)
	dir := t.TempDir()
	ca, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	for name, data := range map[string][]byte{empty: nil,
		ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw})} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	get := func(address string, args ...string) (string, *saml.Error) {
		o, err := readOptions(args, noEnvironment, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		options, err := o.fetchOptions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		data, err := console.FetchMetadata(t.Context(), address, options)
		var e *saml.Error
		errors.As(err, &e)
		return string(data), e
	}
	if got, err := get("https://example.com/", "-metadata-proxy", proxy.URL, "-metadata-ca", ca); err != nil || got != "<x/>" {
		t.Errorf("with both flags: got %q, %v", got, err)
	}
	if got, err := get(site.URL, "-metadata-ca", ca); err != nil || got != "<x/>" {
		t.Errorf("with the authority alone: got %q, %v", got, err)
	}
	for _, row := range []struct {
		name, address string
		args          []string
		hint          string
	}{
		{"no authority", site.URL, nil, "-metadata-ca"},
		{"no proxy", "https://no-such-host.invalid/", nil, "-metadata-proxy"},
		{"a proxy that is none", "https://no-such-host.invalid/", []string{"-metadata-proxy", site.URL}, "-metadata-ca"},
		{"a proxy by the wrong scheme", "https://no-such-host.invalid/", []string{"-metadata-proxy", strings.Replace(proxy.URL, "http", "https", 1)}, "-metadata-proxy"},
	} {
		if _, err := get(row.address, row.args...); err == nil || !strings.Contains(err.Hint, row.hint) || strings.Contains(err.Hint, "FetchOptions") {
			t.Errorf("%s: got %+v, want the hint to name %s", row.name, err, row.hint)
		}
	}
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"a proxy without scheme": {[]string{"-metadata-proxy", "user:secret@proxy.example.com:3128"}, "-metadata-proxy is not the address of a proxy"},
		"a file that is absent":  {[]string{"-metadata-ca", filepath.Join(dir, "absent.pem")}, "-metadata-ca: "},
		"an empty file":          {[]string{"-metadata-ca", empty}, "has no certificate"},
	} {
		o, err := readOptions(row.args, noEnvironment, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = o.fetchOptions(t.Context()); err == nil || !strings.Contains(err.Error(), row.want) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
	}
}
