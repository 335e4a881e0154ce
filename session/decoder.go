package session

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml"
)

var errCodec = errors.New("session: the cookie's content is of another release")

// A decoder reads a plaintext once, and refuses whatever the encoder would have written in another
// way. So it has no need to encode the session again to compare both.
//
// All texts of a session are parts of one string, which is made by a single allocation. The string
// is a copy and never changes; nothing of the plaintext is kept.
type decoder struct {
	b    []byte // what is left to read
	text strings.Builder
	size int // what the head says about the texts
	bad  bool

	seen [maxSeen]string // what encoder.seen was, the first n
	n    int
}

const maxSeen = 16 // encoder.string writes 15 texts

// longest is how many bytes of text a byte of a plaintext can stand for: an entity ID of Entra takes
// 17 bytes for 61.
const longest = 4

// start reads the head of a plaintext.
func (d *decoder) start(b []byte, version byte, s *Session) {
	d.b = b
	d.refuse(d.byte() != version)
	copy(s.service[:], d.take(len(s.service)))
	size, n := binary.Uvarint(d.b)
	if d.skip(n) && size <= uint64(longest*len(d.b)) {
		d.size = int(size)
		d.text.Grow(d.size)
		return
	}
	d.bad = true
}

// isOver reports whether everything was read, and the encoder writes it in this way.
func (d *decoder) isOver() bool { return !d.bad && len(d.b) == 0 && d.text.Len() == d.size }

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
	var d decoder
	s := &Session{Tenant: tenant}
	d.start(b, pointerVersion, s)
	s.ID, s.IdentityProvider = d.string(), d.string()
	d.times(s)
	s.record = d.add(d.take(recordSize))
	if !d.isOver() || s.ID == "" {
		return nil, errCodec
	}
	return s, nil
}

// decode reads what encode wrote.
func decode(b []byte, tenant string) (*Session, error) {
	var both struct { // one allocation
		session  Session
		identity saml.Identity
	}
	if err := decodeInto(&both.session, &both.identity, b, tenant); err != nil {
		return nil, err
	}
	return &both.session, nil
}

// decodeInto is decode for an empty session and identity. The text was sealed, so only another release
// of this package can have written anything else: errCodec. Then both are worth nothing.
func decodeInto(s *Session, i *saml.Identity, b []byte, tenant string) error {
	var d decoder
	if d.start(b, version, s); d.bad {
		return errCodec
	}
	for _, text := range [...]*string{ // in the order of encode
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
	d.flags(s, i)
	i.Groups, i.Roles = d.list(), d.list()
	for n := d.number(); n > 0 && !d.bad; n-- {
		s.Attributes = append(s.Attributes, saml.Attribute{Name: d.fresh(d.byte()), Values: d.list()})
	}
	d.logout(s)
	d.signingKey(s)
	if !d.isOver() || s.ID == "" || s.ownIndex && len(s.SessionIndexes) == 0 {
		return errCodec
	}
	s.Tenant, s.Identity = tenant, i
	return nil
}

func (d *decoder) flags(s *Session, i *saml.Identity) {
	f := d.byte()
	i.GroupsOverage = f&1 != 0
	s.GroupsTruncated = f&2 != 0
	s.RolesTruncated = f&4 != 0
	s.TextsTruncated = f&8 != 0
	s.AttributesTruncated = f&16 != 0
	s.ownIndex = f&32 != 0
	d.refuse(f >= 64)
}

// refuse ends the reading if this is not what the encoder writes.
func (d *decoder) refuse(other bool) { d.bad = d.bad || other }

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		return make([]byte, keyDigest) // decode discards it; it is as long as the longest that a caller indexes
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	b := d.b[0]
	d.b = d.b[1:]
	return b
}

// number reads a length. It never returns more than the number of bytes left, so a caller may
// allocate that many.
func (d *decoder) number() int {
	n, size := binary.Uvarint(d.b)
	if !d.skip(size) || n > uint64(len(d.b)) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) difference() int64 {
	n, size := binary.Varint(d.b)
	if !d.skip(size) {
		return 0
	}
	return n
}

// skip goes on behind a number of size bytes, which is not above zero if there is none. A number has
// no more bytes than it needs: the last one is zero only if there is no other.
func (d *decoder) skip(size int) bool {
	if size <= 0 || size > 1 && d.b[size-1] == 0 {
		d.bad = true
		return false
	}
	d.b = d.b[size:]
	return true
}

func (d *decoder) times(s *Session) {
	var last int64
	for _, t := range [...]*time.Time{&s.StartedAt, &s.ExpiresAt, &s.SeenAt} {
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
		if i := int(d.byte()); i < d.n && d.seen[i] != "" { // an empty text is written out
			return d.seen[i]
		}
		d.bad = true
		return ""
	}
	s := d.fresh(kind)
	d.refuse(d.n == maxSeen || s != "" && slices.Contains(d.seen[:d.n], s))
	if !d.bad {
		d.seen[d.n] = s
		d.n++
	}
	return s
}

func (d *decoder) choice(usual []string) (s string) {
	i := int(d.byte()) - 1
	switch {
	case i >= len(usual):
		d.bad = true
		return ""
	case i < 0:
		s = d.fresh(d.byte())
	default:
		s = usual[i]
	}
	d.refuse(slices.Index(usual, s) != i)
	return s
}

// fresh reads a text that is not one of those seen.
func (d *decoder) fresh(kind byte) string {
	switch kind {
	case rawString:
		s := d.add(d.take(d.number()))
		short, _ := shorten(s)
		d.refuse(short != rawString)
		return s
	case guidString:
		return d.around("", "")
	case nameString:
		return d.around("_", "")
	case hostString:
		return d.around(directory, "/")
	case objectKey:
		return d.key(objectPrefix)
	case nameIDKey:
		return d.key(nameIDPrefix)
	}
	d.bad = true
	return ""
}

// add returns b as a part of the one string.
func (d *decoder) add(b []byte) string {
	start := d.text.Len()
	d.text.Write(b)
	return d.text.String()[start:]
}

// around reads a GUID and returns its text between two others.
func (d *decoder) around(before, behind string) string {
	var text [len(directory) + guidText + len("/")]byte
	n := copy(text[:], before)
	putGUID(text[n:], d.take(guidSize))
	n += guidText
	n += copy(text[n:], behind)
	return d.add(text[:n])
}

func (d *decoder) key(prefix string) string {
	var text [keySize]byte
	keyText.Encode(text[copy(text[:], prefix):], d.take(keyDigest))
	return d.add(text[:])
}

func (d *decoder) list() []string {
	kind, n := d.byte(), d.number()
	switch {
	case kind == guidString && n <= len(d.b)/guidSize:
		return d.guids(n)
	case kind != rawString || n == 0: // an empty list is one of GUIDs
		d.bad = true
		return nil
	}
	list := make([]string, n)
	guids := 0
	for i := range list {
		kind := d.byte()
		if kind == guidString {
			guids++
		}
		list[i] = d.fresh(kind)
	}
	d.refuse(guids == n)
	return list
}

func (d *decoder) guids(n int) []string {
	if n == 0 {
		return nil
	}
	start := d.text.Len()
	var some [8 * guidText]byte // a Builder that grows by one at a time takes twice as long
	for chunk := range slices.Chunk(d.take(n*guidSize), 8*guidSize) {
		size := 0
		for ; len(chunk) > 0; chunk = chunk[guidSize:] {
			putGUID(some[size:], chunk)
			size += guidText
		}
		d.text.Write(some[:size])
	}
	list, all := make([]string, n), d.text.String()[start:]
	for i := range list {
		list[i], all = all[:guidText], all[guidText:]
	}
	return list
}
