package seal

import (
	"bytes"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
)

var (
	testKeys    = [][]byte{bytes.Repeat([]byte{1}, KeySize), bytes.Repeat([]byte{2}, KeySize)}
	testContext = Context{Purpose: "p", Name: "n", Tenant: "t", EntityID: "e"}
)

func TestSealOpensOnlyInItsContext(t *testing.T) {
	sealed := NewSealer(testKeys[0]).Seal(testContext, []byte("text"))
	if got, ok := NewSealer(testKeys...).Open(testContext, sealed); !ok || string(got) != "text" {
		t.Fatalf("got %q, %t", got, ok)
	}
	if got, ok := NewSealer(testKeys[1], testKeys[0]).Open(testContext, sealed); !ok || string(got) != "text" {
		t.Errorf("with the key in second place: got %q, %t", got, ok)
	}
	for name, c := range map[string]Context{
		"another purpose": {"q", "n", "t", "e"},
		"another name":    {"p", "m", "t", "e"},
		"another tenant":  {"p", "n", "u", "e"},
		"another service": {"p", "n", "t", "f"},
		"no tenant":       {"p", "n", "", "e"},
		"the same letters, divided in another way": {"p", "nt", "", "e"},
	} {
		if got, ok := NewSealer(testKeys...).Open(c, sealed); ok || got != nil {
			t.Errorf("%s: it opens", name)
		}
	}
	if _, ok := NewSealer(testKeys[1:]...).Open(testContext, sealed); ok {
		t.Error("it opens with another key")
	}
	if _, ok := NewSealer().Open(testContext, sealed); ok {
		t.Error("it opens without a key")
	}
}

func TestSealsDiffer(t *testing.T) {
	s := NewSealer(testKeys...)
	first, second := s.Seal(testContext, nil), s.Seal(testContext, nil)
	if first == second {
		t.Error("two seals of one value are alike")
	}
	if got, ok := s.Open(testContext, s.Seal(testContext, nil)); !ok || len(got) != 0 {
		t.Errorf("an empty value: got %q, %t", got, ok)
	}
}

func TestChangedSealsStayShut(t *testing.T) {
	s := NewSealer(testKeys...)
	sealed := s.Seal(testContext, []byte("text"))
	box, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range box {
		changed := bytes.Clone(box)
		changed[i] ^= 1
		if _, ok := s.Open(testContext, base64.RawURLEncoding.EncodeToString(changed)); ok {
			t.Errorf("it opens with byte %d changed", i)
		}
		if _, ok := s.Open(testContext, base64.RawURLEncoding.EncodeToString(box[:i])); ok {
			t.Errorf("it opens when cut to %d bytes", i)
		}
	}
	for name, other := range map[string]string{
		"padded":                            sealed + "=",
		"with a line break":                 sealed[:10] + "\n" + sealed[10:],
		"with a carriage return at its end": sealed + "\r",
		"twice":                             sealed + sealed,
		"in the other alphabet":             "+" + sealed[1:],
		"very long":                         strings.Repeat("A", 1<<20),
		"empty":                             "",
	} {
		if _, ok := s.Open(testContext, other); ok {
			t.Errorf("%s: it opens", name)
		}
	}
}

// TestTag: a tag fits its data, context and keys, and neither a shorter nor a changed one does.
func TestTag(t *testing.T) {
	t.Parallel()
	key, other := bytes.Repeat([]byte{1}, KeySize), bytes.Repeat([]byte{2}, KeySize)
	s := NewSealer(key)
	c := Context{Purpose: "p", Name: "n", Tenant: "t", EntityID: "e"}
	data := []byte("data")
	tag := s.Tag(c, data)
	if len(tag) != TagSize || !s.Tagged(c, data, tag) || !NewSealer(other, key).Tagged(c, data, tag) {
		t.Error("the tag does not fit")
	}
	for name, fits := range map[string]bool{
		"another key":      NewSealer(other).Tagged(c, data, tag),
		"another purpose":  s.Tagged(Context{Purpose: "q", Name: "n", Tenant: "t", EntityID: "e"}, data, tag),
		"another name":     s.Tagged(Context{Purpose: "p", Name: "m", Tenant: "t", EntityID: "e"}, data, tag),
		"another tenant":   s.Tagged(Context{Purpose: "p", Name: "n", Tenant: "u", EntityID: "e"}, data, tag),
		"another service":  s.Tagged(Context{Purpose: "p", Name: "n", Tenant: "t", EntityID: "f"}, data, tag),
		"other data":       s.Tagged(c, []byte("date"), tag),
		"a shorter tag":    s.Tagged(c, data, tag[:TagSize-1]),
		"no tag":           s.Tagged(c, data, nil),
		"fields that move": s.Tagged(Context{Purpose: "p", Name: "nt", EntityID: "e"}, data, tag),
	} {
		if fits {
			t.Errorf("%s fits", name)
		}
	}
}

// TestKeyFault: what is not 32 random bytes is called by what it looks like, and of the bytes
// themselves nothing is said.
func TestKeyFault(t *testing.T) {
	random := []byte("\x00\x01\x02\x03 and more that is not text \xff")[:KeySize]
	for name, row := range map[string]struct {
		key  []byte
		want string
	}{
		"random":                        {random, ""},
		"random but for one byte":       {append(bytes.Repeat([]byte{0}, KeySize-1), 1), ""},
		"text with one that is not":     {append(bytes.Repeat([]byte("ab"), 15), 'c', 0x7F), ""},
		"text with one below the blank": {append(bytes.Repeat([]byte("ab"), 15), 'c', 0x1F), ""},
		"none":                          {nil, "has 0 bytes"},
		"one too short":                 {random[:31], "has 31 bytes"},
		"one too long":                  {append(random[:32:32], 0), "has 33 bytes"},
		"never filled":                  {make([]byte, KeySize), "only zero bytes"},
		"one byte":                      {bytes.Repeat([]byte{1}, KeySize), "the same byte"},
		"text":                          {bytes.Repeat([]byte(" ~"), KeySize/2), "can be guessed"},
		"short text":                    {[]byte("secret"), "has 6 bytes"},
		"base64":                        {bytes.Repeat([]byte("A"), 44), "base64 text"},
		"base64 without padding":        {bytes.Repeat([]byte("A"), 43), "base64 text"},
		"44 bytes that are no text":     {bytes.Repeat([]byte{1}, 44), "has 44 bytes"},
		"hexadecimal":                   {bytes.Repeat([]byte("a"), 64), "hexadecimal text"},
	} {
		got := KeyFault(row.key)
		if (got == "") != (row.want == "") || !strings.Contains(got, row.want) || strings.Contains(got, "decoded") != strings.HasSuffix(row.want, " text") {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

// TestKeptKeys: the keys of a purpose are derived once, also if many ask at the same time. They
// differ from those of other purposes, and those of seals from those of tags.
func TestKeptKeys(t *testing.T) {
	t.Parallel()
	s := NewSealer(testKeys...)
	purposes := []string{"p", "q", "r", "s"}
	var group sync.WaitGroup
	got := make([][]*xaes, 8*len(purposes))
	for i := range got {
		group.Go(func() { got[i] = s.seals.of(s.keys, purposes[i%len(purposes)]) })
	}
	group.Wait()
	distinct := map[*xaes]bool{}
	masks := map[[16]byte]bool{}
	for _, ciphers := range got {
		for _, x := range ciphers {
			distinct[x], masks[x.mask] = true, true
		}
	}
	want := len(purposes) * len(testKeys)
	if lists := *s.seals.lists.Load(); len(distinct) != want || len(masks) != want || len(lists) != len(purposes) {
		t.Errorf("got %d ciphers with %d keys in %d lists, want %d with as many keys in %d lists",
			len(distinct), len(masks), len(lists), want, len(purposes))
	}
	if masks[newXAES(s.tags.of(s.keys, "p")[0]).mask] {
		t.Error("a seal has the key of a tag")
	}
}

// TestPurposesHaveKeys: a seal of one purpose does not open under the key of another, whatever the
// associated data say.
func TestPurposesHaveKeys(t *testing.T) {
	t.Parallel()
	s := NewSealer(testKeys...)
	box := s.SealBytes(testContext, []byte("text"))
	associated := testContext.appendTo(nil)
	for purpose, want := range map[string]bool{"p": true, "q": false} {
		if _, got := s.open(purpose, bytes.Clone(box), associated); got != want {
			t.Errorf("purpose %s: it opens: %t, want %t", purpose, got, want)
		}
	}
}

// TestEveryKeyOpens: whichever key fits, the keys before it leave the seal as it is.
func TestEveryKeyOpens(t *testing.T) {
	t.Parallel()
	keys := [][]byte{testKeys[0], testKeys[1], bytes.Repeat([]byte{3}, KeySize)}
	s := NewSealer(keys...)
	for i, key := range keys {
		box := NewSealer(key).SealBytes(testContext, []byte("text"))
		if got, ok := s.OpenBytes(testContext, box); !ok || string(got) != "text" {
			t.Errorf("key %d: got %q, %t", i, got, ok)
		}
	}
}

// TestOpenAllocates bounds what opening takes: the plaintext with the associated data, and the cipher
// of the nonce unless it is kept.
func TestOpenAllocates(t *testing.T) {
	for _, row := range []struct {
		s    *Sealer
		want float64
	}{
		{NewBusySealer(testKeys[0]), 1},
		{NewSealer(testKeys[0]), 4},
	} {
		sealed := row.s.Seal(testContext, make([]byte, 500))
		if got := testing.AllocsPerRun(100, func() { row.s.Open(testContext, sealed) }); got > row.want {
			t.Errorf("it takes %v allocations, want at most %v", got, row.want)
		}
	}
}

// TestBusySealer: seals share the first half of their nonce, for a while, and never a nonce. They open
// like all others: with a Sealer that has kept nothing, and in their context alone.
func TestBusySealer(t *testing.T) {
	t.Parallel()
	busy, plain := NewBusySealer(testKeys[0]), NewSealer(testKeys[0])
	nonces, firsts := map[string]int{}, map[string]int{}
	const n = sealsOfHalf + 10
	for range n {
		box := busy.SealBytes(testContext, []byte("text"))
		nonces[string(box[1:1+nonceSize])]++
		if firsts[string(box[1:1+nonceSize/2])]++; firsts[string(box[1:1+nonceSize/2])] > 1 {
			continue
		}
		for name, s := range map[string]*Sealer{"itself": busy, "another": NewBusySealer(testKeys...), "plain": plain} {
			if got, ok := s.OpenBytes(testContext, bytes.Clone(box)); !ok || string(got) != "text" {
				t.Errorf("%s: got %q, %t", name, got, ok)
			}
		}
	}
	if len(nonces) != n || len(firsts) != 2 {
		t.Errorf("%d seals have %d nonces with %d first halves, want 2 first halves", n, len(nonces), len(firsts))
	}
	box := plain.SealBytes(testContext, []byte("text"))
	for range 2 { // by a cipher that is made, and by the one that was kept
		if got, ok := busy.OpenBytes(testContext, bytes.Clone(box)); !ok || string(got) != "text" {
			t.Errorf("got %q, %t", got, ok)
		}
		for i := range box {
			changed := bytes.Clone(box)
			changed[i] ^= 1
			if _, ok := busy.OpenBytes(testContext, changed); ok {
				t.Errorf("it opens with byte %d changed", i)
			}
		}
		for _, c := range []Context{{"q", "n", "t", "e"}, {"p", "m", "t", "e"}, {"p", "n", "u", "e"}, {"p", "n", "t", "f"}} {
			if _, ok := busy.OpenBytes(c, bytes.Clone(box)); ok {
				t.Errorf("it opens in the context %v", c)
			}
		}
	}
}

// TestOnlyWhatOpensIsKept: without the key nobody makes a Sealer keep anything, and with it no more than
// there is room for.
func TestOnlyWhatOpensIsKept(t *testing.T) {
	t.Parallel()
	s := NewBusySealer(testKeys[0])
	kept := func() (n int) {
		x := s.seals.of(s.keys, testContext.Purpose)[0]
		for i := range x.halves.kept {
			if x.halves.kept[i].Load() != nil {
				n++
			}
		}
		return n
	}
	for range 1000 {
		s.OpenBytes(testContext, NewSealer(testKeys[1]).SealBytes(testContext, nil))
	}
	if got := kept(); got != 0 {
		t.Errorf("seals of another key make it keep %d ciphers", got)
	}
	for range 1000 {
		s.OpenBytes(testContext, NewSealer(testKeys[0]).SealBytes(testContext, nil))
	}
	if got := kept(); got != keptHalves {
		t.Errorf("it keeps %d ciphers, want %d", got, keptHalves)
	}
}

// TestBusySealerAtOnce: many goroutines seal and open while the first half changes.
func TestBusySealerAtOnce(t *testing.T) {
	t.Parallel()
	s, other := NewBusySealer(testKeys[0]), NewSealer(testKeys[0])
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 500 {
				if i%100 == 0 {
					s.seals.of(s.keys, testContext.Purpose)[0].halves.sealing.Store(nil)
				}
				for _, by := range []*Sealer{s, other} {
					if got, ok := s.OpenBytes(testContext, by.SealBytes(testContext, []byte("text"))); !ok || string(got) != "text" {
						t.Errorf("got %q, %t", got, ok)
					}
				}
			}
		})
	}
	group.Wait()
}

// BenchmarkOpen opens a cookie with a cipher that is kept, and with one that is made.
func BenchmarkOpen(b *testing.B) {
	for name, s := range map[string]*Sealer{"kept": NewBusySealer(testKeys[0]), "made": NewSealer(testKeys[0])} {
		b.Run(name, func(b *testing.B) {
			sealed := s.Seal(testContext, make([]byte, 300))
			b.ReportAllocs()
			for b.Loop() {
				s.Open(testContext, sealed)
			}
		})
	}
}
