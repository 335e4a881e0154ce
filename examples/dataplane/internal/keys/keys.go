// Package keys keeps the keys that seal what the console puts into browsers.
package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
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

// File reads the keys of a file that nobody but its owner may read, and makes it with one new key where it is not there.
func File(name string) ([][]byte, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := Write(name, []byte(base64.StdEncoding.EncodeToString(saml.NewStateKey())+"\n")); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	} else if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: with its keys anybody can make sessions. Take that right away (chmod 600), and replace the keys if others use this machine", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	keys, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

// Write makes a file for its owner alone, whole or not at all: a process that dies leaves no half of a key.
func Write(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the Rename, as it should
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// Fingerprint names the key that seals without giving it away, to tell whether replicas have the same.
func Fingerprint(keys [][]byte) string {
	sum := sha256.Sum256(append([]byte("fingerprint of a console key\x00"), keys[0]...))
	return hex.EncodeToString(sum[:8])
}
