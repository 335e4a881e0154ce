// Package vectors holds the published test vectors for verifiers of SAML responses: one file, one
// fault, each with the conditions under which it is read and the verdict. README.md beside it
// describes the format. It is a module of its own that requires nothing, so that other libraries
// can run them:
//
//	list, err := vectors.All()
//	for _, v := range list {
//		err := verify(v.Response, v.Conditions) // yours
//		if v.Accepted() != (err == nil) {
//			t.Errorf("%s: %s", v.Name, v.Comment)
//		}
//	}
package vectors

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Files are README.md, name.txt for each vector, and keys/.
//
//go:embed README.md *.txt keys
var Files embed.FS

// A Vector is one file: a form value SAMLResponse, the conditions under which it is read, and the
// verdict.
type Vector struct {
	Name   string            // of the file, without .txt
	Header map[string]string // as it stands there, by key
	Form   string            // the form value: base64 in lines
}

// Keys are the names that a header may have, in the order in which they stand.
var Keys = []string{"expect", "stage", "rule", "check", "name_id", "at", "redirect_url", "former_redirect_urls",
	"entity_id", "former_entity_ids", "idp_entity_id",
	"request_id", "unsolicited", "force_authn_at", "requested_context", "seen_before", "store", "keys", "decryption_keys", "policy", "twin", "comment"}

// All reads all vectors, sorted by name.
func All() ([]*Vector, error) {
	entries, err := Files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var list []*Vector
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".txt")
		if !ok {
			continue
		}
		data, err := Files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		v, err := parse(name, string(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		list = append(list, v)
	}
	return list, nil
}

func parse(name, data string) (*Vector, error) {
	head, form, ok := strings.Cut(data, "\n\n")
	if !ok {
		return nil, errors.New("no blank line after the header")
	}
	v := &Vector{Name: name, Header: map[string]string{}, Form: form}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if _, twice := v.Header[key]; !ok || twice || !slices.Contains(Keys, key) {
			return nil, fmt.Errorf("header line %q is malformed, unknown or repeated", line)
		}
		v.Header[key] = value
	}
	return v, nil
}

// Accepted reports whether the response must be accepted.
func (v *Vector) Accepted() bool { return v.Header["expect"] == "accepted" }

// Comment says what was changed and why it is refused, or what an accepted one shows.
func (v *Vector) Comment() string { return v.Header["comment"] }

// List gives the words of a header value that holds several.
func (v *Vector) List(key string) []string { return strings.Fields(v.Header[key]) }

// Time gives a header value that is a time.
func (v *Vector) Time(key string) (time.Time, error) { return time.Parse(time.RFC3339, v.Header[key]) }

// Key reads a file of keys/: PEM of a certificate or of a PKCS #8 private key.
func Key(file string) ([]byte, error) { return Files.ReadFile(path.Join("keys", file)) }
