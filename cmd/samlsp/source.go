package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/iomete/saml"
)

// Codes of this tool, beside those of the library.
const (
	codeFile saml.Code = "file" // a file or an address cannot be read
	codeForm saml.Code = "form" // a form body does not hold what it should
)

const (
	fetchTimeout = 10 * time.Second
	maxRedirects = 5
)

// limit is how much may be read, and of what: more is an error, and is not read.
type limit struct {
	bytes int64
	what  string
}

var (
	metadataLimit = limit{4 << 20, "the metadata of one identity provider"} // as saml.ParseMetadata has it
	messageLimit  = limit{8 << 20, "a SAML message"}                        // the largest in base64 in a form, every byte escaped, is below it
)

// readSource reads FILE|URL|-.
func (t *tool) readSource(name string, most limit) ([]byte, error) {
	if strings.Contains(name, "://") {
		return fetch(t.ctx, name, most)
	}
	return t.readFile(name, most)
}

// readFile reads FILE|-.
func (t *tool) readFile(name string, most limit) ([]byte, error) {
	if name == "-" {
		return readAtMost(t.stdin, most)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	return readAtMost(f, most)
}

func readAtMost(r io.Reader, most limit) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most.bytes+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if int64(len(data)) > most.bytes {
		return nil, refusal(saml.CodeTooLarge, fmt.Sprintf("this has more than %d MiB, so it is not %s", most.bytes>>20, most.what), "")
	}
	return data, nil
}

func unreadable(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) { // the name stands before the message anyway
		err = path.Err
	}
	return refusal(codeFile, "this cannot be read: "+err.Error(), "Give the name of a file, or - for standard input.")
}

// fetch reads an https address, or an http one on this machine.
func fetch(ctx context.Context, address string, most limit) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || !fetchable(u) {
		return nil, refusal(codeFile, "this address is not fetched: only https is, and http on this machine",
			"Give the https address, or download the file and give its name.")
	}
	client := http.Client{Timeout: fetchTimeout, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case next.URL.Scheme != u.Scheme || !fetchable(next.URL):
			return fmt.Errorf("it redirects to %s, which is not followed", next.URL.Redacted())
		case len(via) > maxRedirects:
			return errors.New("it redirects too often")
		}
		return nil
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, notFetched(err.Error())
	}
	response, err := client.Do(request)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) { // its text begins with the address again
			err = e.Err
		}
		return nil, notFetched(err.Error())
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, notFetched("it answers " + response.Status)
	}
	return readAtMost(response.Body, most)
}

func notFetched(why string) error {
	return refusal(codeFile, "this address cannot be fetched: "+why, "Compare the address, or download the file with a browser and give its name.")
}

func fetchable(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
