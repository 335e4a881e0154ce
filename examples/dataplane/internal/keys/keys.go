// Package keys reads and makes the keys of the console: those that seal its cookies, and the one that
// signs what it sends to an identity provider.
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

// Parse reads keys of 32 bytes in base64, separated by white space or commas. The first key seals,
// every key opens. It fails if there is no key, or if a key is not valid.
func Parse(text string) ([][]byte, error) {
	isSeparator := func(r rune) bool { return strings.ContainsRune(", \n\r\t", r) }
	var keys [][]byte
	for _, field := range strings.FieldsFunc(text, isSeparator) {
		key, err := base64.StdEncoding.DecodeString(field)
		if err != nil || len(key) != 32 {
			return nil, fmt.Errorf("key %d is not valid, want 32 random bytes in base64: "+
				"make it with openssl rand -base64 32", len(keys)+1)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key, want 32 random bytes in base64: " +
			"make it with openssl rand -base64 32")
	}
	return keys, nil
}

// File reads the keys of a file that only its owner may read. If there is no such file, File makes
// it with one new key. Two processes that do this at the same time get the same key.
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

// Private reads a file that holds a secret. It refuses a file that others can read. If there is no
// such file, Private makes it with the result of content. If another process makes the file first,
// Private returns that one.
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
	info, err := f.Stat() // not os.Stat: the name could stand for another file by now
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, want 0600: others can read it, and anyone with its keys "+
			"can sign in as any user. Run chmod 600 on it. If others use this machine, delete it instead; "+
			"the next start makes new keys", name, info.Mode().Perm())
	}
	return io.ReadAll(f)
}

// create makes a file that only its owner can read, completely or not at all: a process that dies
// leaves no half of a key. It fails with fs.ErrExist if the file exists. It uses a link because a
// link, unlike a rename, never replaces a key that another process has just made and already uses.
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

// Fingerprint returns a short hash of the first key, in hexadecimal. It shows whether replicas have
// the same key, and does not reveal the key.
func Fingerprint(keys [][]byte) string {
	sum := sha256.Sum256(append([]byte("fingerprint of a console key\x00"), keys[0]...))
	return hex.EncodeToString(sum[:8])
}
