package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/iomete/saml"
)

// Codes of this tool, beside those of the library.
const (
	codeFile saml.Code = "file" // a file or an address cannot be read
	codeForm saml.Code = "form" // a form body does not hold what it should
)

// limit is how much may be read, and of what: more is an error, and is not read.
type limit struct {
	bytes int64
	what  string
}

var (
	metadataLimit = limit{4 << 20, "the metadata of one identity provider"} // as saml.ParseMetadata has it
	// the largest in base64 in a form, every byte escaped, is below it
	messageLimit = limit{8 << 20, "a SAML message"}
	// browsers' recordings hold pages and pictures too
	recordingLimit = limit{64 << 20, "a SAML message or the recording of one sign-in"}
)

// readSource reads FILE|URL|-.
func (t *tool) readSource(name string, most limit) ([]byte, error) {
	if strings.Contains(name, "://") {
		data, err := saml.FetchMetadata(t.ctx, name, t.fetch)
		return data, inFlags(err)
	}
	return t.readFile(name, most)
}

// inFlags returns an error of saml.FetchMetadata with the names that the options have here.
func inFlags(err error) error {
	var e *saml.Error
	if !errors.As(err, &e) {
		return err
	}
	own := *e
	names := strings.NewReplacer("FetchOptions.Proxy", "samlsp metadata -proxy", "FetchOptions.RootCAs", "the file of samlsp metadata -ca")
	own.Message, own.Hint = names.Replace(e.Message), names.Replace(e.Hint)
	return &own
}

// authorities returns those of the system, and those in a PEM file.
func authorities(name string) (*x509.CertPool, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, errors.New("there is no certificate in it, want PEM (BEGIN CERTIFICATE)")
	}
	return pool, nil
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
		return nil, most.exceeded()
	}
	return data, nil
}

func (l limit) exceeded() error {
	return refusal(saml.CodeTooLarge, fmt.Sprintf("this has more than %d MiB, so it is not %s", l.bytes>>20, l.what), "")
}

func unreadable(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) { // the name stands before the message anyway
		err = path.Err
	}
	return refusal(codeFile, "this cannot be read: "+err.Error(), "Give the name of a file, or - for standard input.")
}
