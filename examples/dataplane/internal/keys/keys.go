// Package keys keeps the keys that seal what the console puts into browsers.
package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/iomete/saml"
)

// Parse reads keys of 32 bytes in base64, separated by white space or commas. The first one seals, all open.
func Parse(text string) ([][]byte, error) {
	var keys [][]byte
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }) {
		key, err := base64.StdEncoding.DecodeString(field)
		if err != nil || len(key) != 32 {
			return nil, errors.New("each key must be 32 random bytes in base64, as openssl rand -base64 32 prints them")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key")
	}
	return keys, nil
}

// File reads the keys of a file that only its owner may read. If there is no such file, File makes it with one new key. Two processes that
// do so at the same time end up with the same key.
func File(name string) ([][]byte, error) {
	text, err := Private(name, func() ([]byte, error) {
		return []byte(base64.StdEncoding.EncodeToString(saml.NewStateKey()) + "\n"), nil
	})
	if err != nil {
		return nil, err
	}
	keys, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

// Private reads a file that holds a secret. It refuses a file that others can read. If there is no such file, Private makes it with what
// content returns, unless another process is first: then the file of that one counts.
func Private(name string, content func() ([]byte, error)) ([]byte, error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		fresh, err := content()
		if err != nil {
			return nil, err
		}
		if err := create(name, fresh); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of the file that is read, not of another one with its name
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, want 0600: others can read it, and with its keys anybody can sign in as anybody. Run chmod 600 on it; if others use this machine, delete it too, so that the next start makes new keys", name, info.Mode().Perm())
	}
	return io.ReadAll(f)
}

// create makes a file for its owner alone, whole or not at all: a process that dies leaves no half of a key. It fails with fs.ErrExist if
// the file is there: a link, unlike a rename, never replaces the key that another process has just made and already uses.
func create(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), name)
}

// Fingerprint names the key that seals without giving it away, to tell whether replicas have the same.
func Fingerprint(keys [][]byte) string {
	sum := sha256.Sum256(append([]byte("fingerprint of a console key\x00"), keys[0]...))
	return hex.EncodeToString(sum[:8])
}
