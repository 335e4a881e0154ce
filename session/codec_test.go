package session

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// randomText returns texts of every kind that the codec knows, and texts that are almost of a kind.
func randomText(r *rand.Rand, seen []string) string {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	guid := formatGUID(raw)
	digest := base64.RawURLEncoding.EncodeToString(raw)
	all := []string{
		"", "a", "Ioana Țurcanu", "ioana.turcanu@example.com",
		string(raw[:r.IntN(32)]), strings.Repeat("x", r.IntN(400)),
		guid, strings.ToUpper(guid), guid[1:], guid + "0", "g" + guid[1:], "+" + guid[1:],
		strings.Replace(guid, "-", "0", 1), strings.Replace(guid, "-", "_", 1),
		"_" + guid, "__" + guid, "_" + strings.ToUpper(guid), "_",
		directory, directory + guid + "/", directory + guid, directory + strings.ToUpper(guid) + "/",
		directory + guid + "//", guid + "/", directory + "/" + guid + "/",
		"v1/oid/" + digest, "v1/nid/" + digest, "v1/oid/" + digest + "=", "v1/oid/" + digest[1:],
		"v1/oid/" + strings.Repeat("_", 43), "v1/oid/+" + digest[1:],
		"v1/oid/" + digest[:20] + "\n" + digest[21:], "\xff\xfe/o\x00/" + digest,
	}
	if all = append(all, seen...); len(seen) > 0 && r.IntN(4) == 0 {
		return seen[r.IntN(len(seen))]
	}
	return all[r.IntN(len(all))]
}

// randomSession fills every exported field by reflection, so that a new field cannot be forgotten.
func randomSession(r *rand.Rand) *Session {
	var seen []string
	text := func() string {
		seen = append(seen, randomText(r, seen))
		return seen[len(seen)-1]
	}
	fill := func(pointer any) {
		structure := reflect.ValueOf(pointer).Elem()
		for i := range structure.NumField() {
			if !structure.Type().Field(i).IsExported() { // the account keys, see below
				continue
			}
			switch field := structure.Field(i); p := field.Addr().Interface().(type) {
			case *string:
				*p = text()
			case *bool:
				*p = r.IntN(2) == 0
			case *time.Time:
				*p = time.UnixMilli(r.Int64N(1<<43) - 1<<42)
			case *[]string:
				for range r.IntN(5) {
					*p = append(*p, text())
				}
			case *saml.Attributes:
				for range r.IntN(4) {
					a := saml.Attribute{Name: text()}
					for range r.IntN(4) {
						a.Values = append(a.Values, text())
					}
					*p = append(*p, a)
				}
			case *saml.KeyID:
				binary.BigEndian.PutUint64(p[:], r.Uint64()*uint64(r.IntN(2)))
			case **saml.Identity: // filled already
			default:
				panic(fmt.Sprintf("no random %T", p))
			}
		}
	}
	identity := &saml.Identity{}
	fill(identity)
	s := &Session{Identity: identity, issued: time.Unix(r.Int64N(1<<33)-1<<32, 0)}
	fill(s)
	s.ID += "x" // never empty
	fill(&s.nameID)
	if usual := append(nameIDFormats, ourEntityID, s.IdentityProvider); r.IntN(2) == 0 {
		s.nameID.Format = usual[r.IntN(len(usual))]
		s.nameID.NameQualifier = usual[r.IntN(len(usual))]
		s.nameID.SPNameQualifier = usual[r.IntN(len(usual))]
	}
	s.ownIndex = len(s.SessionIndexes) > 0 && r.IntN(2) == 0
	return s
}

func TestEverySessionComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2_000) {
		want := randomSession(rand.New(rand.NewPCG(seed, 0)))
		got, err := decode(encode(want), want.Tenant)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got %+v, %v\nwant %+v", seed, got, err, want)
		}
	}
}

// TestChangedPlaintexts: what is read of a changed plaintext is exactly what encode writes in that way.
func TestChangedPlaintexts(t *testing.T) {
	t.Parallel()
	accepted := 0
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		good := encode(randomSession(r))
		for range 200 {
			b := bytes.Clone(good)
			for range 1 + r.IntN(3) {
				at := r.IntN(len(b))
				switch r.IntN(4) {
				case 0:
					b[at] = byte(r.IntN(256))
				case 1:
					b[at] ^= 1 << r.IntN(8)
				case 2:
					b = slices.Insert(b, at, byte(r.IntN(8)))
				case 3:
					b = append(b[:at], b[min(at+r.IntN(40), len(b)):]...)
				}
				b = append(b, good[len(good)-1])[:max(1, len(b))]
			}
			s, err := decode(b, "")
			if err != nil {
				continue
			}
			accepted++
			if again := encode(s); !bytes.Equal(again, b) {
				t.Fatalf("seed %d: %x is read, and written as %x", seed, b, again)
			}
		}
	}
	if accepted < 300 {
		t.Errorf("only %d changed plaintexts are read: they are not like ours", accepted)
	}
}

// TestSessionOutlivesItsPlaintext: nothing of a session is a part of the buffer that it was read from.
func TestSessionOutlivesItsPlaintext(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		want := randomSession(rand.New(rand.NewPCG(seed, 4)))
		b := encode(want)
		got, err := decode(b, want.Tenant)
		clear(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got %+v, %v\nwant %+v", seed, got, err, want)
		}
	}
}

// TestGUIDs compares guidOf with the way of fmt.
func TestGUIDs(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 5))
	for range 10_000 {
		var b [guidSize]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		want := fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
		if got := formatGUID(b[:]); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if back, ok := parseGUID(want); !ok || back != b {
			t.Fatalf("%s: got %x, %t", want, back, ok)
		}
	}
}

func TestTimesAreKeptToTheMillisecond(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 9, 26, 53, 589_793_238, time.FixedZone("CET", 3600))
	got, err := decode(encode(&Session{ID: "x", Identity: &saml.Identity{}, StartedAt: at}), "")
	if err != nil {
		t.Fatal(err)
	}
	if want := at.Truncate(time.Millisecond); !got.StartedAt.Equal(want) {
		t.Errorf("got %v, want %v", got.StartedAt, want)
	}
	if !got.ExpiresAt.IsZero() {
		t.Errorf("the zero time comes back as %v", got.ExpiresAt)
	}
}

// TestWhatWasNotEncodedIsRefused: decode accepts only what this release would have written.
func TestWhatWasNotEncodedIsRefused(t *testing.T) {
	t.Parallel()
	const guid = "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31"
	good := encode(&Session{
		ID:         "id",
		Identity:   &saml.Identity{Email: "x", Groups: []string{guid}, Roles: []string{"role"}},
		Attributes: saml.Attributes{{Name: "level", Values: []string{"7"}}},

		StartedAt: time.Unix(1000, 0), ExpiresAt: time.Unix(1000, 0), SeenAt: time.Unix(1000, 0),
		issued: time.Unix(993, 0), nameID: saml.NameID{Value: "x", Format: formatEmail, SPNameQualifier: "y"},
		SessionIndexes: []string{"index"},
	})
	if _, err := decode(good, ""); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if s, err := decode(good[:n], ""); err == nil {
			t.Errorf("cut to %d of %d bytes: got %+v", n, len(good), s)
		}
	}
	replace := func(old, new string) []byte {
		if bytes.Count(good, []byte(old)) != 1 {
			t.Fatalf("%q is not once in %q", old, good)
		}
		return bytes.Replace(good, []byte(old), []byte(new), 1)
	}
	const flagsAndGroups = "\x00\x01\x01"
	const subject = "\x0d\x04\x04\x02\x01\x00\x00\x01y" // 7 seconds earlier, the Email, its Format, no qualifier, another one
	for name, b := range map[string][]byte{
		"nothing":                         {},
		"another version":                 append([]byte{version + 1}, good[1:]...),
		"one byte more":                   append(bytes.Clone(good), 0),
		"no ID":                           replace("\x00\x02id", "\x00\x00"),
		"an unknown kind":                 replace("\x00\x02id", "\x07\x02id"),
		"a text that was not there":       replace("\x00\x02id", "\x04\x00"),
		"a text that comes later":         replace("\x00\x01x", "\x04\x0d"),
		"an empty text that is repeated":  replace("\x00\x01x", "\x04\x01"),
		"a length in two bytes":           replace("\x00\x02id", "\x00\x82\x00id"),
		"a difference in two bytes":       replace("\x0d\x04\x04", "\x8d\x00\x04\x04"),
		"a key of zeros":                  append(bytes.Clone(good[:len(good)-1]), append([]byte{withKey}, make([]byte, 16)...)...),
		"a key of another kind":           append(bytes.Clone(good[:len(good)-1]), append([]byte{3}, bytes.Repeat([]byte{1}, 16)...)...),
		"an empty list of texts":          append(bytes.Clone(good[:len(good)-10]), "\x00\x00\x00"...),
		"a length beyond the end":         replace("\x00\x02id", "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"an unknown flag":                 replace(flagsAndGroups, "\x40\x01\x01"),
		"a text that was there, again":    replace(subject, "\x0d\x00\x01x\x02\x01\x00\x00\x01y"),
		"the same qualifier, by its twin": replace(subject, "\x0d\x04\x04\x02\x02\x00\x00\x01y"),
		"a Format out of the list":        replace(subject, "\x0d\x04\x04\x06\x01\x00\x00\x01y"),
		"a usual Format written out":      replace(subject, "\x0d\x04\x04\x00\x00\x36"+formatEmail+"\x01\x00\x00\x01y"),
		"a qualifier out of the list":     replace(subject, "\x0d\x04\x04\x02\x03\x00\x00\x01y"),
		"an absent qualifier written out": replace(subject, "\x0d\x04\x04\x02\x00\x00\x00\x00\x00\x01y"),
		"an own index, and there is none": encode(&Session{ID: "id", Identity: &saml.Identity{}, ownIndex: true}),
		"a list of GUIDs as texts":        replace(flagsAndGroups, "\x00\x00\x01\x01"),
		"a list of an unknown kind":       replace(flagsAndGroups, "\x00\x02\x01"),
		"a list that is longer":           replace(flagsAndGroups, "\x00\x01\x02"),
		"a list beyond the end":           replace(flagsAndGroups, "\x00\x01\xff\xff\xff\xff\xff\xff\xff\x7f"),
		"a list with a reference in it":   replace("\x00\x04role", "\x04\x00"),
		"an attribute more":               replace("\x01\x00\x05level", "\x02\x00\x05level"),
		"attributes beyond the end":       replace("\x01\x00\x05level", "\xff\xff\xff\xff\x0f\x00\x05level"),
		"a name of an unknown kind":       replace("\x01\x00\x05level", "\x01\x08\x05level"),
		"a GUID written out as a role":    replace("\x00\x04role", "\x00\x24"+guid),
		"a GUID written out in the field": replace("\x00\x01x", "\x00\x24"+guid),
	} {
		for _, b := range withTextSizes(b) {
			if s, err := decode(b, ""); err == nil {
				t.Errorf("%s: got %+v", name, s)
			}
		}
	}
	for name, b := range map[string][]byte{
		"a size in two bytes":      slices.Concat(good[:9], []byte{good[9] | 0x80, 0}, good[10:]),
		"a size beyond all bounds": slices.Concat(good[:9], bytes.Repeat([]byte{0xff}, 9), []byte{1}, good[10:]),
		"no size":                  good[:9],
	} {
		if s, err := decode(b, ""); err == nil {
			t.Errorf("%s: got %+v", name, s)
		}
	}
	read := 0
	for _, b := range withTextSizes(good) {
		if s, err := decode(b, ""); err == nil && s.Identity.Email == "x" {
			read++
		}
	}
	if read != 2 { // as it is, and the same again
		t.Errorf("with %d sizes of the texts it is read, want 2", read)
	}
}

// withTextSizes returns a plaintext as it is, and then with every size of the texts below 300 in its
// head: so no other fault is refused only because the size has become wrong.
func withTextSizes(b []byte) [][]byte {
	list := [][]byte{b}
	const at = 1 + len(service{})
	if len(b) <= at {
		return list
	}
	_, n := binary.Uvarint(b[at:])
	for size := range uint64(300) {
		list = append(list, slices.Concat(binary.AppendUvarint(bytes.Clone(b[:at]), size), b[at+max(n, 0):]))
	}
	return list
}

func FuzzDecode(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(encode(randomSession(rand.New(rand.NewPCG(seed, 1)))))
	}
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(b, "")
		if err != nil {
			if s != nil {
				t.Error("an error, and a session")
			}
			return
		}
		if s.ID == "" || s.Identity == nil {
			t.Errorf("got %+v", s)
		}
		if again := encode(s); !bytes.Equal(again, b) {
			t.Errorf("%x is read, and written as %x", b, again)
		}
	})
}
