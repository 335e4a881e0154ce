package bench

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A response is a writer that keeps status and header, and counts the body. A recorder's copy of a
// page would be part of everybody's figures otherwise.
type response struct {
	header http.Header
	status int
	length int           // of the body
	body   *bytes.Buffer // keeps the body too, if it is not nil
}

func newResponse() *response { return &response{header: http.Header{}} }

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.length += len(b)
	if w.body != nil {
		w.body.Write(b)
	}
	return len(b), nil
}

func (w *response) WriteString(s string) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.length += len(s)
	if w.body != nil {
		w.body.WriteString(s)
	}
	return len(s), nil
}

// again makes w ready for the next response.
func (w *response) again() {
	clear(w.header)
	w.status, w.length = 0, 0
}

// cookies gives what a browser sends back for w: the cookies that it sets whose names begin with
// prefix, without those that it deletes.
func (w *response) cookies(prefix string) string {
	var list []string
	for _, line := range w.header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.Value != "" && strings.HasPrefix(c.Name, prefix) {
			list = append(list, c.Name+"="+c.Value)
		}
	}
	return strings.Join(list, "; ")
}

// setsCookie reports whether w sets a cookie whose name begins with prefix.
func (w *response) setsCookie(prefix string) bool {
	for _, line := range w.header["Set-Cookie"] {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// newRequest is a request as a server hands it on.
func newRequest(method, path, cookies string) *http.Request {
	r := &http.Request{Method: method, URL: &url.URL{Path: path}, RequestURI: path, Host: host, Proto: "HTTP/1.1",
		ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "192.0.2.1:1234"}
	if cookies != "" {
		r.Header["Cookie"] = []string{cookies}
	}
	return r
}

// newPost is a post of an encoded form to the Redirect URL.
func newPost(form, cookies string) *http.Request {
	r := newRequest(http.MethodPost, redirectPath, cookies)
	r.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
	return r
}
