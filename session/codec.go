package session

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/bridge"
)

// The plaintext of the cookie is dense, so that the 150 groups that Entra sends at most fit: a GUID takes 17 bytes, 16 in a list of
// GUIDs, and a string that was there before takes two.

const version = 1

// How a string is written.
const (
	rawString  = iota // length, bytes
	guidString        // 16 bytes
	nameString        // "_" and a GUID: an ID of Entra
	hostString        // "https://sts.windows.net/", GUID, "/": the directory's name
	seenString        // index of an earlier string
	keyString         // prefix of 7 bytes and 32 bytes: an account key
)

const directory = "https://sts.windows.net/"

type encoder struct {
	b    []byte
	seen []string
}

func encode(s *Session) []byte {
	e := encoder{b: []byte{version}}
	i := s.Identity
	object, nameID := i.Keys()
	for _, text := range []string{s.ID, s.Tenant, i.TenantID, s.IdentityProvider, s.SessionIndex, i.Email, i.EmailClaim, i.Username, i.Name, i.GivenName, i.Surname,
		i.ObjectID, i.HomeIdentityProvider, object, nameID} {
		e.string(text)
	}
	for _, t := range []time.Time{s.StartedAt, s.ExpiresAt, s.SeenAt} {
		e.b = binary.AppendVarint(e.b, t.UnixMilli())
	}
	e.b = append(e.b, flags(i.GroupsOverage, s.GroupsTruncated))
	e.list(i.Groups)
	e.list(i.Roles)
	return e.b
}

func flags(overage, truncated bool) (f byte) {
	if overage {
		f |= 1
	}
	if truncated {
		f |= 2
	}
	return f
}

func (e *encoder) string(s string) {
	for i, earlier := range e.seen {
		if earlier == s && s != "" {
			e.b = append(e.b, seenString, byte(i))
			return
		}
	}
	e.seen = append(e.seen, s) // as often as there are fields, so that an index is a byte
	e.fresh(s)
}

func (e *encoder) fresh(s string) {
	if guid, ok := parseGUID(s); ok {
		e.b = append(append(e.b, guidString), guid...)
	} else if guid, ok := parseGUID(strings.TrimPrefix(s, "_")); ok {
		e.b = append(append(e.b, nameString), guid...)
	} else if guid, ok := parseGUID(strings.TrimSuffix(strings.TrimPrefix(s, directory), "/")); ok && s == directory+formatGUID(guid)+"/" {
		e.b = append(append(e.b, hostString), guid...)
	} else if key, ok := parseKey(s); ok {
		e.b = append(append(e.b, keyString), key...)
	} else {
		e.b = binary.AppendUvarint(append(e.b, rawString), uint64(len(s)))
		e.b = append(e.b, s...)
	}
}

// list writes a list of GUIDs without their kind.
func (e *encoder) list(list []string) {
	kind := byte(guidString)
	for _, s := range list {
		if _, ok := parseGUID(s); !ok {
			kind = rawString
		}
	}
	e.b = binary.AppendUvarint(append(e.b, kind), uint64(len(list)))
	for _, s := range list {
		if kind == guidString {
			guid, _ := parseGUID(s)
			e.b = append(e.b, guid...)
		} else {
			e.fresh(s)
		}
	}
}

var errCodec = errors.New("session: the cookie's content is of another release")

type decoder struct {
	b    []byte
	seen []string
	bad  bool
}

func decode(b []byte) (*Session, error) {
	d := decoder{b: b}
	if d.byte() != version {
		return nil, errCodec
	}
	s, i := &Session{}, &saml.Identity{}
	var object, nameID string
	for _, text := range []*string{&s.ID, &s.Tenant, &i.TenantID, &s.IdentityProvider, &s.SessionIndex, &i.Email, &i.EmailClaim, &i.Username, &i.Name, &i.GivenName, &i.Surname,
		&i.ObjectID, &i.HomeIdentityProvider, &object, &nameID} {
		*text = d.string()
	}
	for _, t := range []*time.Time{&s.StartedAt, &s.ExpiresAt, &s.SeenAt} {
		*t = d.time()
	}
	f := d.byte()
	i.GroupsOverage, s.GroupsTruncated = f&1 != 0, f&2 != 0
	i.Groups, i.Roles = d.list(), d.list()
	if d.bad || len(d.b) != 0 || s.ID == "" {
		return nil, errCodec
	}
	bridge.RestoreKeys(i, object, nameID)
	s.Identity = i
	return s, nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		return make([]byte, keyPrefix+keyDigest) // of no use, but as long as any caller needs
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) byte() byte { return d.take(1)[0] }

// number is a length: never more than what is left.
func (d *decoder) number() int {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > uint64(len(d.b)) {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return int(n)
}

func (d *decoder) time() time.Time {
	ms, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad = true
		return time.Time{}
	}
	d.b = d.b[size:]
	return time.UnixMilli(ms)
}

func (d *decoder) string() string {
	kind := d.byte()
	if kind == seenString {
		if i := int(d.byte()); i < len(d.seen) {
			return d.seen[i]
		}
		d.bad = true
		return ""
	}
	s := d.fresh(kind)
	d.seen = append(d.seen, s)
	return s
}

func (d *decoder) fresh(kind byte) string {
	switch kind {
	case rawString:
		return string(d.take(d.number()))
	case guidString:
		return formatGUID(d.take(16))
	case nameString:
		return "_" + formatGUID(d.take(16))
	case hostString:
		return directory + formatGUID(d.take(16)) + "/"
	case keyString:
		return formatKey(d.take(keyPrefix + keyDigest))
	}
	d.bad = true
	return ""
}

func (d *decoder) list() []string {
	kind, n := d.byte(), d.number()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list { // no more than there were bytes
		if kind == guidString {
			list[i] = formatGUID(d.take(16))
		} else {
			list[i] = d.fresh(d.byte())
		}
	}
	return list
}

// parseGUID takes a GUID as formatGUID writes it.
func parseGUID(s string) ([]byte, bool) {
	if len(s) != 36 {
		return nil, false
	}
	guid, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	return guid, err == nil && formatGUID(guid) == s
}

func formatGUID(b []byte) string {
	h := hex.EncodeToString(b[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

const (
	keyPrefix = len("v1/oid/")
	keyDigest = 32
)

// parseKey takes an account key as formatKey writes it.
func parseKey(s string) ([]byte, bool) {
	if len(s) != keyPrefix+base64.RawURLEncoding.EncodedLen(keyDigest) {
		return nil, false
	}
	digest, err := base64.RawURLEncoding.DecodeString(s[keyPrefix:])
	if err != nil || len(digest) != keyDigest {
		return nil, false
	}
	key := append([]byte(s[:keyPrefix]), digest...)
	return key, formatKey(key) == s
}

func formatKey(b []byte) string {
	return string(b[:keyPrefix]) + base64.RawURLEncoding.EncodeToString(b[keyPrefix:])
}
