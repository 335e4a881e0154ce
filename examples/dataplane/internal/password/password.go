// Package password hashes passwords with argon2id (RFC 9106).
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Two passes over 19 MiB in one lane: the minimum of OWASP's Password Storage Cheat Sheet. One hash
// takes about 30 ms.
const (
	passes = 2
	memory = 19 * 1024 // KiB
	lanes  = 1
	length = 32 // bytes
)

var encoding = base64.RawStdEncoding.Strict()

// slots limits how many passwords are hashed at a time, and so the memory that sign-ins use.
var slots = make(chan struct{}, 4)

func hash(password string, salt []byte) []byte {
	slots <- struct{}{}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), salt, passes, memory, lanes, length)
}

// prefix is the beginning of a hash in the PHC string format. It names the parameters.
var prefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, memory, passes, lanes)

// Hash returns the hash of a password with a random salt, in the PHC string format.
func Hash(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	return prefix + encoding.EncodeToString(salt) + "$" + encoding.EncodeToString(hash(password, salt))
}

// Verify reports whether stored is a hash of password. It takes the same time for a hash that
// cannot be read, so pass "" for an account that does not exist: then the time does not reveal
// which accounts exist.
func Verify(stored, password string) bool {
	rest, known := strings.CutPrefix(stored, prefix)
	saltText, sumText, _ := strings.Cut(rest, "$")
	salt, err1 := encoding.DecodeString(saltText)
	sum, err2 := encoding.DecodeString(sumText)
	same := subtle.ConstantTimeCompare(hash(password, salt), sum) == 1
	return same && known && err1 == nil && err2 == nil
}

// New returns a random password of 100 bits that is easy to read aloud and to type.
func New() string {
	text := strings.ToLower(rand.Text()) // 26 letters and digits, 5 bits each; 20 are used
	return text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:20]
}
