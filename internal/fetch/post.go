package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Post sends a body to an address, in a POST with this header, and returns what the server answers
// with status 200. Which addresses it connects to, and for how long, is as for Get. It follows no
// redirect, keeps no cookie, and takes an answer of at most MaxBytes as it is, without compression.
//
// All failures before the server has answered have the same message, also if private addresses are
// allowed: whoever chose the address must not learn which hosts and ports there are.
func Post(ctx context.Context, address string, header http.Header, body []byte, o Options) ([]byte, *Error) {
	f, fault := newFetcher(o)
	if fault != nil {
		return nil, fault
	}
	return f.post(ctx, address, header, body)
}

func (f *fetcher) post(ctx context.Context, address string, header http.Header, body []byte) ([]byte, *Error) {
	if f.begin(address) != nil {
		return nil, &Error{Message: "messages are not sent to this address", Want: f.wanted()}
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	unreached := &Error{Message: "no server that may be asked could be reached there", Got: f.typed}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.first.String(), bytes.NewReader(body))
	if err != nil {
		return nil, unreached
	}
	request.Header = header.Clone()
	request.Header.Set("User-Agent", userAgent)
	client := f.client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return nil, unreached
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, &Error{Message: "the server does not answer the message", Got: response.Status,
			Want: "status 200", Status: response.StatusCode}
	}
	return f.answerTo(ctx, response)
}

// answerTo reads the body of an answer. A server can end an answer because the time is up: that is no
// whole one.
func (f *fetcher) answerTo(ctx context.Context, response *http.Response) ([]byte, *Error) {
	data, err := io.ReadAll(http.MaxBytesReader(nil, response.Body, int64(f.maxBytes)))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &Error{Message: fmt.Sprintf("the answer has more than %d bytes", f.maxBytes), Got: f.typed,
			TooLarge: true}
	case err != nil, ctx.Err() != nil:
		return nil, &Error{Message: "the answer of the server breaks off before its end", Got: f.typed}
	}
	return data, nil
}
