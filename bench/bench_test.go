package bench

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/iomete/saml/samltest"
)

// refusals lists who cannot do a row, and the words for it. Everybody else must give the expected
// result.
var refusals = map[string]string{
	"1,000 groups/gosaml2":                      "traversal limit reached",
	"10,000 groups/gosaml2":                     "corrupt input",
	"4 keys, the last fits, no KeyInfo/gosaml2": "Missing x509 Element",
	"page, 150 groups in Records/crewjam RS256": "session cookie too large",
	"page, 150 groups in Records/crewjam ES256": "session cookie too large",
	"page, 150 groups in Records/securecookie":  "the value is too long",
}

func mustRows(tb testing.TB) []Row {
	tb.Helper()
	rows, err := Rows(func(string) bool { return true })
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

// TestRows measures nothing: it holds the result of every job against the expected one.
func TestRows(t *testing.T) {
	for _, row := range mustRows(t) {
		for _, job := range row.Jobs {
			name := row.Name + "/" + job.Name
			t.Run(name, func(t *testing.T) {
				checkOutcome(t, job.Do(), refusals[name])
				checkOutcome(t, job.Check(), refusals[name])
			})
		}
	}
}

func checkOutcome(t *testing.T, err error, refusal string) {
	t.Helper()
	switch {
	case refusal == "" && err != nil:
		t.Errorf("got error %v, want none", err)
	case refusal != "" && (err == nil || !strings.Contains(err.Error(), refusal)):
		t.Errorf("got error %v, want one that says %q", err, refusal)
	}
}

// TestFloorIsWork: the floor compares what it computes, so that it cannot pass without the hash and
// the RSA operation.
func TestFloorIsWork(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(*floor)
	}{
		{"other bytes covered", func(f *floor) { f.signatures[0].covered[0] ^= 1 }},
		{"other SignedInfo", func(f *floor) { f.signatures[0].signedInfo[0] ^= 1 }},
		{"other signature value", func(f *floor) { f.signatures[0].value[0] ^= 1 }},
		{"no key", func(f *floor) { f.keys = nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			fixture, err := newFixture(1, samltest.Answer{})
			if err != nil {
				t.Fatal(err)
			}
			f, err := newFloor(fixture)
			if err != nil {
				t.Fatal(err)
			}
			row.spoil(f)
			if err := f.do(); !errors.Is(err, errWrong) {
				t.Errorf("got error %v, want %v", err, errWrong)
			}
		})
	}
}

// TestFloorsOpen: the floors of encrypted messages and of pages cannot pass without what is sealed.
func TestFloorsOpen(t *testing.T) {
	for _, content := range []samltest.ContentAlgorithm{samltest.AES256GCM, samltest.AES256CBC} {
		fixture, err := newFixture(1, samltest.Answer{Encrypt: &samltest.Encryption{Content: content}})
		if err != nil {
			t.Fatal(err)
		}
		f, err := newFloor(fixture)
		if err != nil {
			t.Fatal(err)
		}
		f.encrypted.wrapped = "AAAA" + f.encrypted.wrapped[4:]
		if err := f.do(); !errors.Is(err, rsa.ErrDecryption) {
			t.Errorf("%s, with another content key: got error %v, want %v", content, err, rsa.ErrDecryption)
		}
	}
	f, err := newPageFloor("x="+strings.Repeat("A", 400), &memoryRecords{length: 3_000})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.do(); err != nil {
		t.Errorf("got error %v, want none", err)
	}
	for _, value := range []sealed{f.records[recordKey], f.cookie} {
		value.bytes[20] ^= 1
		f.request = newRequest(http.MethodGet, "/page", "x="+base64.RawURLEncoding.EncodeToString(f.cookie.bytes))
		if err := f.do(); err == nil {
			t.Error("a page is opened with a spoiled value")
		}
		value.bytes[20] ^= 1
	}
}

// TestResponse: the writer of all rows says what a handler wrote, and keeps no body.
func TestResponse(t *testing.T) {
	w := newResponse()
	http.SetCookie(w, &http.Cookie{Name: "gone", Value: "", MaxAge: -1})
	http.SetCookie(w, &http.Cookie{Name: "kept", Value: "1"})
	w.WriteHeader(http.StatusTeapot)
	io.WriteString(w, "four")
	fmt.Fprint(w, "teen")
	if w.status != http.StatusTeapot || w.length != 8 || w.body != nil || w.cookies("") != "kept=1" || w.cookies("x") != "" {
		t.Errorf("got status %d, %d bytes, cookies %q", w.status, w.length, w.cookies(""))
	}
	if w.again(); w.status != 0 || w.length != 0 || len(w.header) != 0 {
		t.Errorf("it is not ready for the next response: %+v", w)
	}
}

func BenchmarkRows(b *testing.B) {
	for _, row := range mustRows(b) {
		for _, job := range row.Jobs {
			name := row.Name + "/" + job.Name
			b.Run(name, func(b *testing.B) {
				if err := job.Check(); err != nil {
					if refusals[name] == "" {
						b.Fatal(err)
					}
					b.Skip("refuses: ", err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := job.Do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
