package samltest

import (
	"compress/gzip"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

func askMetadata(t *testing.T, address, tag string) (status int, body, newTag string, err error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", "", err
	}
	defer answer.Body.Close()
	var reader io.Reader = answer.Body
	if answer.Header.Get("Content-Encoding") == "gzip" {
		if reader, err = gzip.NewReader(answer.Body); err != nil {
			return 0, "", "", err
		}
	}
	b, err := io.ReadAll(reader)
	return answer.StatusCode, string(b), answer.Header.Get("ETag"), err
}

// TestMetadataServer: a good server recognizes its tag, and forgets it with the document.
func TestMetadataServer(t *testing.T) {
	t.Parallel()
	server := NewMetadataServer()
	web := httptest.NewServer(server)
	defer web.Close()
	if status, _, _, err := askMetadata(t, web.URL, ""); status != http.StatusNotFound || err != nil {
		t.Errorf("without a document: %d, %v", status, err)
	}
	server.Serve([]byte("<a/>"))
	status, body, tag, err := askMetadata(t, web.URL+"/a%2Fb", "")
	if status != http.StatusOK || body != "<a/>" || tag == "" || err != nil {
		t.Errorf("got %d, %q, tag %q, %v", status, body, tag, err)
	}
	if status, body, _, err := askMetadata(t, web.URL, tag); status != http.StatusNotModified || body != "" || err != nil {
		t.Errorf("with the tag: %d, %q, %v", status, body, err)
	}
	server.Serve([]byte("<b/>"))
	if status, body, _, err := askMetadata(t, web.URL, tag); status != http.StatusOK || body != "<b/>" || err != nil {
		t.Errorf("with an old tag: %d, %q, %v", status, body, err)
	}
	got := server.Requests()
	if len(got) != 4 || got[0].Status != http.StatusNotFound || got[1].Path != "/a%2Fb" || got[2].IfNoneMatch != tag ||
		got[2].Status != http.StatusNotModified || server.MostAtOnce() != 1 {
		t.Errorf("requests %+v, %d at once", got, server.MostAtOnce())
	}
	if server.Forget(); len(server.Requests()) != 0 || server.MostAtOnce() != 0 {
		t.Error("nothing was forgotten")
	}
}

// TestMetadataFaults: each fault is what its name says.
func TestMetadataFaults(t *testing.T) {
	t.Parallel()
	server := NewMetadataServer()
	web := httptest.NewServer(server)
	defer web.Close()
	document := strings.Repeat("<a/>", 1000)
	server.Serve([]byte(document))
	for name, row := range map[string]struct {
		fault  MetadataFault
		status int
		body   string
		fails  bool
	}{
		"none":        {nil, 200, document, false},
		"status":      {FaultStatus(503, "120"), 503, "<p>AADSTS50001: the page of an error</p>\n", false},
		"no content":  {FaultStatus(204, ""), 204, "", false},
		"text":        {FaultText("text/html", "<html>"), 200, "<html>", false},
		"plain":       {FaultPlain("text/plain"), 200, document, false},
		"cut":         {FaultCut(), 200, document[:2000], true},
		"short":       {FaultShort(), 200, document[:2000], false},
		"gzip":        {FaultGzip(0), 200, document, false},
		"gzip bomb":   {FaultGzip(1 << 17), 200, document + strings.Repeat(" ", 1<<17), false},
		"redirect":    {FaultRedirect(302, "/x"), 302, "", false},
		"slow":        {FaultSlow(time.Millisecond), 200, document, false},
		"no HTTP":     {FaultNotHTTP(), 0, "", true},
		"a false tag": {FaultForgetful(), 200, document, false},
	} {
		server.Fail(row.fault)
		status, body, _, err := askMetadata(t, web.URL, `"never-recognized"`)
		if status != row.status || body != row.body || (err != nil) != row.fails {
			t.Errorf("%s: got %d, %d bytes, %v", name, status, len(body), err)
		}
	}
}

// TestSignMetadata: goxmldsig verifies what it signs.
func TestSignMetadata(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	key := idp.snapshotKeys()[0]
	signed, err := SignMetadata([]byte("\uFEFF"+`<a ID="_1"><b/></a>`), key.signer, key.certificate)
	if err != nil {
		t.Fatal(err)
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(signed); err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(key.certificate)
	if err != nil {
		t.Fatal(err)
	}
	context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{certificate}})
	context.IdAttribute = "ID"
	if _, err := context.Validate(doc.Root()); err != nil {
		t.Error(err)
	}
	for _, spoiled := range []string{"", "<a", "<a/>"} {
		if out, err := SignMetadata([]byte(spoiled), key.signer, key.certificate); err == nil {
			t.Errorf("%q: signed as %q", spoiled, out)
		}
	}
}

// TestMetadataServerFollows: each step of a roll-over is served at once, and the tag stays as long as
// nothing changes.
func TestMetadataServerFollows(t *testing.T) {
	t.Parallel()
	idp := MustNew(t, Options{Keys: testKeys.rsa()})
	server := NewMetadataServer()
	server.Follow(idp)
	web := httptest.NewServer(server)
	defer web.Close()
	tag := ""
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"at first", func() error { return nil }},
		{"a key is added", func() error { _, err := idp.AddKey(testKeys.p256()[0]); return err }},
		{"it signs", func() error { return idp.Activate(1) }},
		{"the old one is removed", func() error { return idp.RemoveKey(1) }},
		{"another address", func() error { idp.SetBaseURL("https://idp.example.com"); return nil }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		name := step.name
		status, body, newTag, err := askMetadata(t, web.URL, tag)
		if status != http.StatusOK || err != nil || newTag == tag {
			t.Fatalf("%s: got %d, %v, tag %s", name, status, err, newTag)
		}
		if n, want := strings.Count(body, "<X509Certificate>"), 3*len(idp.Certificates()); n != want {
			t.Errorf("%s: %d certificates, want %d", name, n, want)
		}
		tag = newTag
		if status, _, _, err := askMetadata(t, web.URL, tag); status != http.StatusNotModified || err != nil {
			t.Errorf("%s, once more: got %d, %v", name, status, err)
		}
	}
	server.Serve([]byte("<a/>"))
	if _, body, _, err := askMetadata(t, web.URL, tag); body != "<a/>" || err != nil {
		t.Errorf("Serve after Follow: %q, %v", body, err)
	}
}
