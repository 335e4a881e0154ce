package samltest

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beevik/etree"
)

// A MetadataServer is an http.Handler that serves one document at every path, with a tag (ETag)
// that it recognizes. Fail makes it misbehave. It is for tests of a service that reads metadata
// again and again:
//
//	server := samltest.NewMetadataServer()
//	web := httptest.NewTLSServer(server)
//	server.Follow(idp)                         // AddKey, Activate and RemoveKey change what is served
//	server.Fail(samltest.FaultStatus(503, "120"))
//	server.Fail(nil)                           // well again
//
// It is safe for concurrent use.
type MetadataServer struct {
	mu       sync.Mutex
	document []byte
	followed *IdentityProvider // whose metadata is served; nil: document is as Serve got it
	made     string            // what the document says of followed
	fault    MetadataFault
	requests []MetadataRequest
	active   int
	most     int
}

// A MetadataFault answers a request in another way than with the document, or with it in an unusual
// way. A test can write its own.
type MetadataFault func(w http.ResponseWriter, r *http.Request, document []byte)

// A MetadataRequest is what a MetadataServer was asked.
type MetadataRequest struct {
	Path            string // escaped as it was sent
	IfNoneMatch     string
	IfModifiedSince string
	CacheControl    string
	Status          int // of the answer; 0 if the connection was broken off
}

// NewMetadataServer returns a server without a document: it answers 404 until Serve.
func NewMetadataServer() *MetadataServer { return &MetadataServer{} }

// Serve makes a document the one that is served, in place of that of an identity provider.
func (s *MetadataServer) Serve(document []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.document, s.followed = bytes.Clone(document), nil
}

// Follow serves the metadata of an identity provider as it is at each request, so keys can roll
// while a test runs. As long as its keys and addresses stay the same, the document and its tag do
// too.
func (s *MetadataServer) Follow(p *IdentityProvider) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followed, s.made = p, ""
}

// current returns the document to serve. s.mu is held.
func (s *MetadataServer) current() ([]byte, error) {
	if s.followed == nil {
		return s.document, nil
	}
	says := fmt.Sprintf("%s %x", s.followed.LoginURL(), s.followed.Certificates())
	if says == s.made {
		return s.document, nil
	}
	document, err := s.followed.Metadata()
	if err == nil {
		s.document, s.made = document, says
	}
	return document, err
}

// Fail makes every request meet a fault, until the next call. nil is no fault.
func (s *MetadataServer) Fail(f MetadataFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Requests returns what was asked since the beginning, or since Forget.
func (s *MetadataServer) Requests() []MetadataRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// MostAtOnce returns how many requests were answered at one time at most.
func (s *MetadataServer) MostAtOnce() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// Forget forgets the requests so far.
func (s *MetadataServer) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.most = nil, 0
}

// ServeHTTP implements http.Handler.
func (s *MetadataServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	document, err := s.current()
	fault := s.fault
	s.active++
	s.most = max(s.most, s.active)
	s.mu.Unlock()
	answer := &statusRecorder{ResponseWriter: w}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.active--
		s.requests = append(s.requests, MetadataRequest{r.URL.EscapedPath(), r.Header.Get("If-None-Match"),
			r.Header.Get("If-Modified-Since"), r.Header.Get("Cache-Control"), answer.status})
	}()
	switch {
	case err != nil:
		http.Error(answer, err.Error(), http.StatusInternalServerError)
	case fault != nil:
		fault(answer, r, document)
	case document == nil:
		http.NotFound(answer, r)
	default:
		serveTagged(answer, r, document)
	}
}

// statusRecorder remembers the status.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func serveTagged(w http.ResponseWriter, r *http.Request, document []byte) {
	sum := sha256.Sum256(document)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	serveDocument(w, document)
}

func serveDocument(w http.ResponseWriter, document []byte) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/samlmetadata+xml")
	}
	w.Write(document)
}

// FaultStatus answers with a status and a page, and with the header Retry-After unless that is "".
func FaultStatus(status int, retryAfter string) MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		if status != http.StatusNotModified && status != http.StatusNoContent {
			fmt.Fprintln(w, "<p>AADSTS50001: the page of an error</p>")
		}
	}
}

// FaultText answers with status 200, a content type and a text, which may be "".
func FaultText(contentType, text string) MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", contentType)
		fmt.Fprint(w, text)
	}
}

// FaultPlain serves the document as it is, with a content type, and without a tag.
func FaultPlain(contentType string) MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, document []byte) {
		w.Header().Set("Content-Type", contentType)
		serveDocument(w, document)
	}
}

// FaultCut breaks the connection off after half of the document.
func FaultCut() MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, document []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(document)))
		w.Write(document[:len(document)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// FaultShort serves half of the document, as a proxy that cut it and counted afterwards.
func FaultShort() MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, document []byte) {
		serveDocument(w, document[:len(document)/2])
	}
}

// FaultGzip serves the document compressed, with so many bytes of blanks behind it.
func FaultGzip(blanks int) MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, document []byte) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(document)
		for block := bytes.Repeat([]byte(" "), 1<<16); blanks > 0; blanks -= len(block) {
			if _, err := z.Write(block); err != nil {
				return
			}
		}
		z.Close()
	}
}

// FaultRedirect redirects to an address, which may be relative.
func FaultRedirect(status int, to string) MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// FaultSlow serves the document after a time, or breaks off when the client has gone before.
func FaultSlow(wait time.Duration) MetadataFault {
	return func(w http.ResponseWriter, r *http.Request, document []byte) {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
			serveDocument(w, document)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// FaultNotHTTP answers as a mail server does.
func FaultNotHTTP() MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		var c net.Conn
		var err error
		if c, _, err = http.NewResponseController(w).Hijack(); err != nil {
			panic(http.ErrAbortHandler)
		}
		defer c.Close()
		fmt.Fprint(c, "220 mail.example.test ESMTP\r\n")
	}
}

// FaultForgetful serves the document with a tag that it does not recognize when it comes back.
func FaultForgetful() MetadataFault {
	return func(w http.ResponseWriter, _ *http.Request, document []byte) {
		w.Header().Set("ETag", `"never-recognized"`)
		serveDocument(w, document)
	}
}

// SignMetadata returns a document of metadata with an enveloped signature of its root, which must
// have an ID: as a federation signs what it publishes.
func SignMetadata(document []byte, key crypto.Signer, certificate []byte) ([]byte, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(strings.TrimPrefix(string(document), "\uFEFF")); err != nil {
		return nil, fmt.Errorf("samltest: %w", err)
	}
	if doc.Root() == nil || doc.Root().SelectAttrValue("ID", "") == "" {
		return nil, fmt.Errorf("samltest: the document has no element with an ID to sign")
	}
	made, err := signing{key: signingKey{key, certificate}}.signature(doc.Root())
	if err != nil {
		return nil, err
	}
	doc.Root().InsertChildAt(0, made)
	return doc.WriteToBytes()
}
