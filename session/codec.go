package session

import (
	"encoding/binary"
	"slices"
	"time"
)

// The plaintext of the cookie is compact, because proxies limit the headers of a response. A GUID
// takes 17 bytes, or 16 in a list of GUIDs. A repeated string takes two.

// The first byte of a plaintext: a whole session (in a cookie or a record), or a cookie whose session
// is in a record. They differ, so that none of them is read as the other.
const (
	version        = 6
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
	b     []byte
	seen  []string
	texts int // bytes of all texts that are not repeated, as the decoder makes them
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
	e.signingKey(s)
	return e.behindHead(version, s)
}

// behindHead returns what was written behind the head of a plaintext: the version, the service, and how
// long the texts are together, so that the decoder makes them by one allocation.
func (e *encoder) behindHead(version byte, s *Session) []byte {
	head := make([]byte, 0, 1+len(s.service)+binary.MaxVarintLen32+len(e.b))
	head = append(append(head, version), s.service[:]...)
	return append(binary.AppendUvarint(head, uint64(e.texts)), e.b...)
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
	e.string(s.ID)
	e.string(s.IdentityProvider)
	e.times(s)
	e.b = append(e.b, s.record...)
	e.texts += len(s.record)
	return e.behindHead(pointerVersion, s)
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
	kind, short := shorten(s)
	e.b = append(e.b, kind)
	e.texts += len(s)
	if kind == rawString {
		e.b = append(binary.AppendUvarint(e.b, uint64(len(s))), s...)
		return
	}
	e.b = append(e.b, short...)
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
		e.texts += guidText * len(list)
		return
	}
	e.b = binary.AppendUvarint(append(e.b, rawString), uint64(len(list)))
	for _, s := range list {
		e.fresh(s)
	}
}
