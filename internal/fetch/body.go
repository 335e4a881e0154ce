package fetch

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

const (
	maxErrorPage = 32 << 10 // of an error page, uncompressed, is searched

	// What gzip may add to a document that cannot be compressed: header, trailer and 5 bytes for
	// each block (RFC 1951 §3.2.4, RFC 1952 §2.3). It also bounds an answer that has nothing but
	// those.
	gzipOverhead = 64 << 10
)

const fixCompression = "Switch compression off at the server, or at the cache or proxy before it. " +
	"Or download the file with a browser and give that."

// document reads the body of a response, unpacked, of at most maxBytes.
func (f *fetcher) document(ctx context.Context, response *http.Response) ([]byte, *Error) {
	var data []byte
	body, packed, err := f.unpacked(response)
	if err == nil {
		data, err = io.ReadAll(http.MaxBytesReader(nil, io.NopCloser(body), int64(f.maxBytes)))
	}
	if over := ctx.Err(); over != nil {
		return nil, f.failed(over) // a server that gives up when our time is over may have ended the body early
	}
	var ready *Error // of unpacked
	var tooLong *http.MaxBytesError
	switch {
	case err == nil:
		return data, nil
	case errors.As(err, &ready):
		return nil, ready
	case errors.As(err, &tooLong):
		message := fmt.Sprintf("what is found there has more than %d MiB, so it is not the metadata of one identity provider",
			f.maxBytes>>20)
		return nil, &Error{Message: message, TooLarge: true}
	case packed:
		return nil, &Error{Message: "the answer of the server, compressed with gzip, is broken or cut off", Hint: fixCompression}
	}
	return nil, f.failed(err)
}

// unpacked returns the body of a response without its compression, and whether it has one. The
// compressed bytes are bounded, the others are not. Its errors are an *Error, or those of reading.
func (f *fetcher) unpacked(response *http.Response) (body io.Reader, packed bool, err error) {
	encoding := strings.Join(response.Header.Values("Content-Encoding"), ", ")
	switch strings.ToLower(encoding) {
	case "", "identity":
		return response.Body, false, nil
	case "gzip", "x-gzip": // RFC 9110 §8.4.1.3
		body, err := gzip.NewReader(http.MaxBytesReader(nil, response.Body, int64(f.maxBytes)+gzipOverhead))
		if errors.Is(err, gzip.ErrHeader) {
			err = &Error{Message: "the server calls its answer compressed with gzip, but it is not",
				Got: "Content-Encoding: " + encoding, Want: "an answer that begins as gzip, or no Content-Encoding", Hint: fixCompression}
		}
		return body, true, err
	}
	return nil, true, &Error{Message: "the server compresses its answer in a way that was not asked for",
		Got: "Content-Encoding: " + encoding, Want: "gzip or none", Hint: fixCompression}
}

var aadstsNumber = regexp.MustCompile(`AADSTS[0-9]{5,7}\b`)

// aadsts returns the error number of Microsoft Entra ID in an error page, "" if there is none.
// Nothing else of the page is ever shown: it is a stranger's text. With publicOnly the page is not
// even read.
func (f *fetcher) aadsts(response *http.Response) string {
	if f.publicOnly {
		return ""
	}
	body, _, err := f.unpacked(response)
	if err != nil {
		return ""
	}
	page, _ := io.ReadAll(io.LimitReader(body, maxErrorPage)) // what arrived before an error counts
	return string(aadstsNumber.Find(page))
}
