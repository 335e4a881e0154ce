package session

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml"
)

// The plaintext of the cookie is compact, because proxies limit the headers of a response. A GUID
// takes 17 bytes, or 16 in a list of GUIDs. A repeated string takes two.

// The first byte of a plaintext: a whole session (in a cookie or a record), or a cookie whose session
// is in a record. They differ, so that none of them is read as the other.
const (
	version        = 5
	pointerVersion = 0x80 | version
)

// The first byte of a string says how it is written.
const (
	rawString  = iota // length, bytes
	guidString        // 16 bytes
	nameString        // "_" and a GUID: an ID of Entra
	hostString        // "https://sts.windows.net/", GUID, "/": the entity ID of an Entra directory
	seenString        // index of an earlier string
	objectKey         // "v1/oid/" and 32 bytes in base64url: an account key
	nameIDKey         // "v1/nid/" and 32 bytes in base64url: an account key
)

const directory = "https://sts.windows.net/"

// nameIDFormats are the usual Formats of a NameID (SAML Core 2.0 §8.3). Their places are part of the
// layout.
var nameIDFormats = []string{
	"",
	formatEmail,
	"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
}

const formatEmail = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"

type encoder struct {
	b    []byte
	seen []string
}

// plaintext returns what the cookie of the session holds. It leaves out the tenant, which stands in
// front of the seal in clear and is bound to it.
func (s *Session) plaintext() []byte {
	if s.record != "" {
		return encodePointer(s)
	}
	return encode(s)
}

// encode returns the whole session, without the tenant and the ID of its record.
func encode(s *Session) []byte {
	e := encoder{b: make([]byte, 0, 1024)}
	e.b = append(e.b, version)
	e.b = append(e.b, s.service[:]...)
	i := s.Identity
	for _, text := range []string{ // decode reads them in the same order
		s.ID,
		i.TenantID,
		s.IdentityProvider,
		s.Stamp,
		i.Email,
		i.EmailClaim,
		i.Username,
		i.Name,
		i.GivenName,
		i.Surname,
		i.ObjectID,
		i.HomeIdentityProvider,
		i.ObjectKey,
		i.NameIDKey,
	} {
		e.string(text)
	}
	e.times(s)
	e.b = append(e.b, flags(i.GroupsOverage, s.GroupsTruncated, s.RolesTruncated, s.TextsTruncated, s.AttributesTruncated,
		s.ownIndex))
	e.list(i.Groups)
	e.list(i.Roles)
	e.b = binary.AppendUvarint(e.b, uint64(len(s.Attributes)))
	for _, a := range s.Attributes {
		e.fresh(a.Name)
		e.list(a.Values)
	}
	e.logout(s)
	return e.b
}

// logout writes what logouts know the session by.
func (e *encoder) logout(s *Session) {
	e.b = binary.AppendVarint(e.b, s.issued.Unix()-s.StartedAt.Unix()) // seconds, usually one byte
	e.string(s.nameID.Value)                                           // usually the e-mail address
	e.choice(s.nameID.Format, nameIDFormats)
	e.choice(s.nameID.NameQualifier, []string{"", s.IdentityProvider})
	e.choice(s.nameID.SPNameQualifier, []string{"", ourEntityID})
	e.list(s.SessionIndexes)
}

// encodePointer returns the plaintext of a cookie whose session is in a record: what is needed to
// find and check the record, to end the session, and what changes while the session goes on.
func encodePointer(s *Session) []byte {
	e := encoder{}
	e.b = append(e.b, pointerVersion)
	e.b = append(e.b, s.service[:]...)
	e.string(s.ID)
	e.string(s.IdentityProvider)
	e.times(s)
	e.b = append(e.b, s.record...)
	return e.b
}

func (e *encoder) times(s *Session) {
	var last int64 // differences are short, because the times are close to each other
	for _, t := range []time.Time{s.StartedAt, s.ExpiresAt, s.SeenAt} {
		e.b = binary.AppendVarint(e.b, t.UnixMilli()-last)
		last = t.UnixMilli()
	}
}

// flags packs up to eight booleans into a byte, the first one into the lowest bit.
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
	e.seen = append(e.seen, s) // at most one for each field of encode, so an index fits into a byte
	e.fresh(s)
}

// choice writes a text that is usually one of a few: a byte then.
func (e *encoder) choice(s string, usual []string) {
	i := slices.Index(usual, s)
	if e.b = append(e.b, byte(1+i)); i < 0 {
		e.fresh(s)
	}
}

func (e *encoder) fresh(s string) {
	if guid, ok := parseGUID(s); ok {
		e.b = append(append(e.b, guidString), guid[:]...)
	} else if guid, ok := parseGUID(strings.TrimPrefix(s, "_")); ok {
		e.b = append(append(e.b, nameString), guid[:]...)
	} else if guid, ok := parseDirectory(s); ok {
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

// list writes the kind only once if all members are GUIDs.
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

// decodeCookie reads the plaintext of a cookie. If the session is in a record, Identity is nil, and
// everything that encodePointer leaves out is missing, until the record was read.
func decodeCookie(b []byte, tenant string) (*Session, error) {
	if len(b) > 0 && b[0] == pointerVersion {
		return decodePointer(b, tenant)
	}
	return decode(b, tenant)
}

// decodePointer reads what encodePointer wrote.
func decodePointer(b []byte, tenant string) (*Session, error) {
	d := decoder{b: b}
	if d.byte() != pointerVersion {
		return nil, errCodec
	}
	s := &Session{Tenant: tenant}
	copy(s.service[:], d.take(len(s.service)))
	s.ID, s.IdentityProvider = d.string(), d.string()
	d.times(s)
	s.record = string(d.take(recordSize))
	if d.bad || s.ID == "" || !bytes.Equal(encodePointer(s), b) { // bytes that are left differ too
		return nil, errCodec
	}
	return s, nil
}

// decode reads what encode wrote. The text was sealed, so only another release of this package can
// have written anything else: errCodec.
func decode(b []byte, tenant string) (*Session, error) {
	d := decoder{b: b}
	if d.byte() != version {
		return nil, errCodec
	}
	s, i := &Session{Tenant: tenant}, &saml.Identity{}
	copy(s.service[:], d.take(len(s.service)))
	for _, text := range []*string{ // in the order of encode
		&s.ID,
		&i.TenantID,
		&s.IdentityProvider,
		&s.Stamp,
		&i.Email,
		&i.EmailClaim,
		&i.Username,
		&i.Name,
		&i.GivenName,
		&i.Surname,
		&i.ObjectID,
		&i.HomeIdentityProvider,
		&i.ObjectKey,
		&i.NameIDKey,
	} {
		*text = d.string()
	}
	d.times(s)
	f := d.byte()
	i.GroupsOverage = f&1 != 0
	s.GroupsTruncated = f&2 != 0
	s.RolesTruncated = f&4 != 0
	s.TextsTruncated = f&8 != 0
	s.AttributesTruncated = f&16 != 0
	s.ownIndex = f&32 != 0
	i.Groups, i.Roles = d.list(), d.list()
	for range d.number() {
		s.Attributes = append(s.Attributes, saml.Attribute{Name: d.fresh(d.byte()), Values: d.list()})
	}
	d.logout(s)
	if d.bad || len(d.b) != 0 || s.ID == "" || s.ownIndex && len(s.SessionIndexes) == 0 {
		return nil, errCodec
	}
	s.Identity = i
	if !bytes.Equal(encode(s), b) { // another release wrote it in another layout, which could be read by chance
		return nil, errCodec
	}
	return s, nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		return make([]byte, keyDigest) // decode discards it; it is as long as the longest that a caller indexes
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) byte() byte { return d.take(1)[0] }

// number reads a length. It never returns more than the number of bytes left, so a caller may
// allocate that many.
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
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) times(s *Session) {
	var last int64
	for _, t := range []*time.Time{&s.StartedAt, &s.ExpiresAt, &s.SeenAt} {
		last += d.difference()
		*t = time.UnixMilli(last)
	}
}

// logout reads what encoder.logout wrote.
func (d *decoder) logout(s *Session) {
	s.issued = time.Unix(s.StartedAt.Unix()+d.difference(), 0)
	s.nameID.Value = d.string()
	s.nameID.Format = d.choice(nameIDFormats)
	s.nameID.NameQualifier = d.choice([]string{"", s.IdentityProvider})
	s.nameID.SPNameQualifier = d.choice([]string{"", ourEntityID})
	s.SessionIndexes = d.list()
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

func (d *decoder) choice(usual []string) string {
	i := int(d.byte())
	if i == 0 {
		return d.fresh(d.byte())
	}
	if i > len(usual) {
		d.bad = true
		return ""
	}
	return usual[i-1]
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
	for i := range list {
		if kind == guidString {
			list[i] = formatGUID(d.take(16))
		} else {
			list[i] = d.fresh(d.byte())
		}
	}
	return list
}

// parseGUID reads a GUID exactly as formatGUID writes it, in lower case.
func parseGUID(s string) (guid [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return guid, false
	}
	if strings.ContainsAny(s, "ABCDEF") {
		return guid, false
	}
	_, err := hex.Decode(guid[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:]))
	return guid, err == nil
}

// parseDirectory reads the GUID of an entity ID of Entra.
func parseDirectory(s string) (guid [16]byte, ok bool) {
	text, found := strings.CutPrefix(s, directory)
	text, closed := strings.CutSuffix(text, "/")
	if !found || !closed {
		return guid, false
	}
	return parseGUID(text)
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

// keyText is strict, so that only the form that formatKey writes is accepted. The decoder would
// skip line breaks, but the exact length leaves no room for them.
var keyText = base64.RawURLEncoding.Strict()

// parseKey reads an account key exactly as formatKey writes it.
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
