package session

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// A page is a protected page, and the request of a browser that has a session.
type page struct {
	handler http.Handler
	request *http.Request
	w       *headers
	record  []byte   // what Records holds for the session
	session *Session // that the page found
}

// headers is a ResponseWriter that keeps no body.
type headers struct{ h http.Header }

func (w *headers) Header() http.Header         { return w.h }
func (w *headers) Write(b []byte) (int, error) { return len(b), nil }
func (w *headers) WriteHeader(int)             {}

func (p *page) open() {
	clear(p.w.h)
	p.handler.ServeHTTP(p.w, p.request)
}

// pages are a small session, one that nearly fills its cookie, and one in a record.
var pages = []struct {
	name    string
	group   func(i int) string
	groups  int
	records bool
}{
	{"3 groups", groupID, 3, false},
	{"50 groups", func(i int) string { return fmt.Sprintf("g-%02d", i) }, 50, false},
	{"150 groups with Records", groupID, 150, true},
}

func groupID(i int) string {
	return fmt.Sprintf("5f0c7a52-94d1-4c1e-8f57-%012x", 0x1d0b6e2a9c31+i*0x1234567)
}

func newPage(t testing.TB, group func(int) string, groups int, records bool) *page {
	kept := &MemoryRecords{}
	s := newSite(t, func(c *Config) {
		c.Store = saml.NewMemoryStoreWithClock(c.Now)
		if records {
			kept.Now = c.Now
			c.Records = kept
		}
	})
	user := samltest.User{Mail: alice, UserPrincipalName: alice, DisplayName: "Ioana Turcanu",
		GivenName: "Ioana", Surname: "Turcanu", ObjectID: groupID(-1)}
	for i := range groups {
		user.Groups = append(user.Groups, group(i))
	}
	cookie := s.signIn(samltest.Answer{User: user})
	p := &page{w: &headers{http.Header{}}, request: newRequest("GET", "/jobs", cookie)}
	p.handler = s.login.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p.session = FromContext(r.Context())
	}))
	if p.open(); len(p.session.Identity.Groups) != groups {
		t.Fatalf("the page finds %d groups, want %d", len(p.session.Identity.Groups), groups)
	}
	if records {
		p.record, _, _ = kept.Get(t.Context(), recordKey(p.session))
	}
	return p
}

// floor returns the least that any such session can cost: the cookie is read, its text decoded, and
// opened by AES-GCM with a cipher that is there already. For a session in a record, the record is
// looked up in a map and opened too.
func (p *page) floor(t testing.TB) func() {
	block, err := aes.NewCipher(testKey)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	const key = "v1/rec/47DEQpj8HBSa/xXEtQaHMe6uRMxDfobWUjypQNqzIJLgAwqaibqvxmU0"
	var nonce [12]byte
	name, value, _ := strings.Cut(p.request.Header.Get("Cookie"), "=")
	text := base64.RawURLEncoding
	_, sealed, _ := strings.Cut(value, ".")
	box := gcm.Seal(nil, nonce[:], make([]byte, text.DecodedLen(len(sealed))-gcm.Overhead()), nil)
	same := &http.Request{Header: http.Header{"Cookie": {name + "=" + text.EncodeToString(box)}}}
	records := map[string][]byte{}
	if p.record != nil {
		records[key] = gcm.Seal(nil, nonce[:], make([]byte, len(p.record)-gcm.Overhead()), nil)
	}
	open := func(box []byte, err error) {
		if err == nil {
			_, err = gcm.Open(box[:0], nonce[:], box, nil)
		}
		if err != nil {
			panic(err)
		}
	}
	return func() {
		c, err := same.Cookie(name)
		if err != nil {
			panic(err)
		}
		open(text.DecodeString(c.Value))
		if p.record != nil {
			open(bytes.Clone(records[key]), nil)
		}
	}
}

// TestPageAllocates bounds what a request to a protected page takes. With Records the groups alone take
// 8 KiB, the record 3 KiB.
func TestPageAllocates(t *testing.T) {
	for i, want := range []struct{ allocations, bytes float64 }{{16, 3 << 10}, {16, 4 << 10}, {24, 15 << 10}} {
		shape := pages[i]
		p := newPage(t, shape.group, shape.groups, shape.records)
		if allocations, bytes := p.garbage(); allocations > want.allocations || bytes > want.bytes {
			t.Errorf("%s: got %v allocations of %v bytes, want at most %v of %v", shape.name, allocations, bytes,
				want.allocations, want.bytes)
		}
	}
}

// garbage returns the allocations of a request, and their bytes.
func (p *page) garbage() (allocations, bytes float64) {
	const n = 200
	var before, after runtime.MemStats
	allocations = testing.AllocsPerRun(n, p.open)
	runtime.ReadMemStats(&before)
	for range n {
		p.open()
	}
	runtime.ReadMemStats(&after)
	return allocations, float64(after.TotalAlloc-before.TotalAlloc) / n
}

// BenchmarkPage reports what a protected page costs, and the ratio to its floor: both take turns, so
// that a busy machine slows down both.
func BenchmarkPage(b *testing.B) {
	for _, shape := range pages {
		b.Run(strings.ReplaceAll(shape.name, " ", "-"), func(b *testing.B) {
			p := newPage(b, shape.group, shape.groups, shape.records)
			floor := p.floor(b)
			const turn = 10 // short, so that few are interrupted
			var ours, least, ratios []float64
			allocations, bytes := p.garbage()
			for b.Loop() {
				start := time.Now()
				for range turn {
					p.open()
				}
				middle := time.Now()
				for range turn {
					floor()
				}
				a, f := middle.Sub(start).Seconds(), time.Since(middle).Seconds()
				ours, least, ratios = append(ours, a*1e9/turn), append(least, f*1e9/turn), append(ratios, a/f)
			}
			median := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(ours), "ns/page")
			b.ReportMetric(median(least), "ns/floor")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(ours[0]/least[0], "ratio-of-least") // without garbage collection and neighbors
			b.ReportMetric(allocations, "allocs/page")
			b.ReportMetric(bytes, "B/page")
		})
	}
}
