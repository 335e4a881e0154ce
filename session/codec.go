package session

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/iomete/saml"
)

// The plaintext of the cookie is dense, so that the 150 groups that Entra sends at most fit: a GUID takes 17 bytes, 16 in a list of
// GUIDs, and a string that was there before takes two.

const version = 3

// How a string is written.
const (
	rawString  = iota // length, bytes
	guidString        // 16 bytes
	nameString        // "_" and a GUID: an ID of Entra
	hostString        // "https://sts.windows.net/", GUID, "/": the directory's name
	seenString        // index of an earlier string
	objectKey         // "v1/oid/" and 32 bytes in base64url: an account key
	nameIDKey         // "v1/nid/" and 32 bytes in base64url: an account key
)

const directory = "https://sts.windows.net/"

type encoder struct {
	b    []byte
	seen []string
}

// encode leaves out the tenant: it stands before the seal, and is bound to it.
func encode(s *Session) []byte {
	e := encoder{b: append(append(make([]byte, 0, maxCookie), version), s.service[:]...)}
	i := s.Identity
	for _, text := range []string{s.ID, i.TenantID, s.IdentityProvider, s.SessionIndex, s.Stamp, i.Email, i.EmailClaim, i.Username, i.Name, i.GivenName, i.Surname,
		i.ObjectID, i.HomeIdentityProvider, i.ObjectKey, i.NameIDKey} {
		e.string(text)
	}
	var last int64 // times lie near each other
	for _, t := range []time.Time{s.StartedAt, s.ExpiresAt, s.SeenAt} {
		e.b = binary.AppendVarint(e.b, t.UnixMilli()-last)
		last = t.UnixMilli()
	}
	e.b = append(e.b, flags(i.GroupsOverage, s.GroupsTruncated, s.RolesTruncated, s.TextsTruncated))
	e.list(i.Groups)
	e.list(i.Roles)
	return e.b
}

// flags are the bits of a byte, the first one the lowest.
func flags(list ...bool) (f byte) {
	for i, set := range list {
		if set {
			f |= 1 << i
		}
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
		e.b = append(append(e.b, guidString), guid[:]...)
	} else if guid, ok := parseGUID(strings.TrimPrefix(s, "_")); ok {
		e.b = append(append(e.b, nameString), guid[:]...)
	} else if guid, ok := parseGUID(strings.TrimSuffix(strings.TrimPrefix(s, directory), "/")); ok && s == directory+formatGUID(guid[:])+"/" {
		e.b = append(append(e.b, hostString), guid[:]...)
	} else if digest, ok := parseKey(s, objectPrefix); ok {
		e.b = append(append(e.b, objectKey), digest...)
	} else if digest, ok := parseKey(s, nameIDPrefix); ok {
		e.b = append(append(e.b, nameIDKey), digest...)
	} else {
		e.b = binary.AppendUvarint(append(e.b, rawString), uint64(len(s)))
		e.b = append(e.b, s...)
	}
}

// list writes GUIDs without their kind, where all are GUIDs.
func (e *encoder) list(list []string) {
	guids := make([]byte, 0, 16*len(list))
	for _, s := range list {
		if guid, ok := parseGUID(s); ok {
			guids = append(guids, guid[:]...)
		}
	}
	if len(guids) == 16*len(list) {
		e.b = binary.AppendUvarint(append(e.b, guidString), uint64(len(list)))
		e.b = append(e.b, guids...)
		return
	}
	e.b = binary.AppendUvarint(append(e.b, rawString), uint64(len(list)))
	for _, s := range list {
		e.fresh(s)
	}
}

var errCodec = errors.New("session: the cookie's content is of another release")

type decoder struct {
	b    []byte
	seen []string
	bad  bool
}

func decode(b []byte, tenant string) (*Session, error) {
	d := decoder{b: b}
	if d.byte() != version {
		return nil, errCodec
	}
	s, i := &Session{Tenant: tenant}, &saml.Identity{}
	copy(s.service[:], d.take(len(s.service)))
	for _, text := range []*string{&s.ID, &i.TenantID, &s.IdentityProvider, &s.SessionIndex, &s.Stamp, &i.Email, &i.EmailClaim, &i.Username, &i.Name, &i.GivenName, &i.Surname,
		&i.ObjectID, &i.HomeIdentityProvider, &i.ObjectKey, &i.NameIDKey} {
		*text = d.string()
	}
	var last int64
	for _, t := range []*time.Time{&s.StartedAt, &s.ExpiresAt, &s.SeenAt} {
		last += d.difference()
		*t = time.UnixMilli(last)
	}
	f := d.byte()
	i.GroupsOverage, s.GroupsTruncated, s.RolesTruncated, s.TextsTruncated = f&1 != 0, f&2 != 0, f&4 != 0, f&8 != 0
	i.Groups, i.Roles = d.list(), d.list()
	if d.bad || len(d.b) != 0 || s.ID == "" {
		return nil, errCodec
	}
	s.Identity = i
	if !bytes.Equal(encode(s), b) { // the layout of another release, and by chance it could be read
		return nil, errCodec
	}
	return s, nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		return make([]byte, keyDigest) // of no use, but as long as any caller needs
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

func (d *decoder) difference() int64 {
	ms, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return ms
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
	case objectKey:
		return formatKey(objectPrefix, d.take(keyDigest))
	case nameIDKey:
		return formatKey(nameIDPrefix, d.take(keyDigest))
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
func parseGUID(s string) (guid [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || strings.ContainsAny(s, "ABCDEF") {
		return guid, false
	}
	_, err := hex.Decode(guid[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:]))
	return guid, err == nil
}

func formatGUID(b []byte) string {
	s := hex.AppendEncode(make([]byte, 0, 36), b[:4])
	for _, at := range []int{4, 6, 8} {
		s = hex.AppendEncode(append(s, '-'), b[at:at+2])
	}
	return string(hex.AppendEncode(append(s, '-'), b[10:16]))
}

const (
	objectPrefix = "v1/oid/"
	nameIDPrefix = "v1/nid/"
	keyDigest    = 32
)

// keyText is strict, so that nothing but what formatKey writes is taken; the length leaves no room for the line breaks that it skips.
var keyText = base64.RawURLEncoding.Strict()

// parseKey takes an account key as formatKey writes it.
func parseKey(s, prefix string) ([]byte, bool) {
	text, ok := strings.CutPrefix(s, prefix)
	if !ok || len(text) != keyText.EncodedLen(keyDigest) {
		return nil, false
	}
	digest, err := keyText.DecodeString(text)
	return digest, err == nil && len(digest) == keyDigest
}

func formatKey(prefix string, digest []byte) string {
	return prefix + keyText.EncodeToString(digest)
}
