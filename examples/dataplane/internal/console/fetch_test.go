package console_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// TestFetch reads metadata from an address, and has the addresses that must not be read.
func TestFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roots := x509.NewCertPool()
	roots.AddCert(w.server.Certificate())
	patience := time.Minute
	w.fetch = func(ctx context.Context, address string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return saml.FetchMetadata(ctx, address, saml.FetchOptions{RootCAs: roots})
	}
	mux := http.NewServeMux()
	mux.Handle("/inwards", http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound))
	mux.Handle("/inwards-by-https", http.RedirectHandler("https://169.254.169.254/latest/meta-data/", http.StatusFound))
	mux.HandleFunc("/large",
		func(rw http.ResponseWriter, _ *http.Request) { rw.Write(bytes.Repeat([]byte("<!-- -->"), 5<<17)) })
	mux.HandleFunc("/slow", func(rw http.ResponseWriter, r *http.Request) {
		rw.Write([]byte("<EntityDescriptor "))
		rw.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/page", func(rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte("<html>Sign in</html>")) })
	site := httptest.NewTLSServer(mux)
	defer site.Close()

	b := w.admin()
	b.submit("fetch", settingsForm{metadataURL: w.idp.MetadataURL()})
	b.want(http.StatusOK)
	b.wantText("preview", w.idp.EntityID())
	b.submit("save", b.last.form())
	b.wantText("done", "saved")
	before := w.state()
	if before.Saved.MetadataURL != w.idp.MetadataURL() {
		t.Errorf("the address is not kept: got %q", before.Saved.MetadataURL)
	}

	for _, test := range []struct {
		name, address string
		patience      time.Duration
		says          string
	}{
		{"a link-local address", "http://169.254.169.254/latest/meta-data/", time.Minute,
			"This is no address that metadata is fetched from"},
		{"a link-local address by https", "https://169.254.169.254/", time.Minute, "link-local"},
		{"a redirect to a link-local address", site.URL + "/inwards", time.Minute,
			"redirects to an address that is not followed"},
		{"a redirect to a link-local address by https", site.URL + "/inwards-by-https", time.Minute, "link-local"},
		{"a body of 5 MB", site.URL + "/large", time.Minute, "more than"},
		{"a body that does not end", site.URL + "/slow", 200 * time.Millisecond, "does not answer within"},
		{"a web page", site.URL + "/page", time.Minute, "web page"},
		{"nobody answers", "https://127.0.0.1:1/", time.Minute, "refuses the connection"},
		{"not an address", "federationmetadata.xml", time.Minute, "This is no address that metadata is fetched from"},
		{"a file", "file:///etc/passwd", time.Minute, "This is no address that metadata is fetched from"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.t = t
			patience = test.patience
			typed := settingsForm{metadataURL: test.address, entityID: "https://typed.example/"}
			b.submit("fetch", typed)
			b.want(http.StatusUnprocessableEntity)
			b.wantText("problem-metadata_url", test.says)
			if got := b.last.form(); got.entityID != typed.entityID || got.metadataURL != test.address {
				t.Errorf("what was typed is lost: got %+v", got)
			}
			if after := w.state(); after.Version != before.Version {
				t.Error("a fetch changed the settings")
			}
		})
	}
}
