package address

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestDomain: all ways to write one domain become one text, and what is no domain is told why.
func TestDomain(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	longest := strings.Repeat(long+".", 3) + strings.Repeat("a", 57) + ".com"
	for _, row := range []struct{ got, want, why string }{
		{"example.com", "example.com", ""},
		{"EXAMPLE.Com", "example.com", ""},
		{"example.com.", "example.com", ""},
		{" \t example.com \r\n", "example.com", ""},
		{"\ufeffexample.com\u200b", "example.com", ""},
		{"mail.example.co.uk", "mail.example.co.uk", ""},
		{"3m.com", "3m.com", ""},
		{"xn--bcher-kva.example", "xn--bcher-kva.example", ""},
		{"XN--BCHER-KVA.example", "xn--bcher-kva.example", ""},
		{"bücher.example", "xn--bcher-kva.example", ""},
		{"BÜCHER.example", "xn--bcher-kva.example", ""},
		{"例え.jp", "xn--r8jz45g.jp", ""},
		{"faß.de", "xn--fa-hia.de", ""},
		{"пример.рф", "xn--e1afmkfd.xn--p1ai", ""},
		{"उदाहरण.भारत", "xn--p1b6ci4b4b3a.xn--h2brj9c", ""}, // with combining marks
		{long + ".com", long + ".com", ""},
		{longest, longest, ""},

		{"", "", "empty"},
		{".", "", "empty"},
		{"com", "", "no dot"},
		{"localhost", "", "no dot"},
		{"example.com..", "", "empty part"},
		{".example.com", "", "empty part"},
		{"example..com", "", "empty part"},
		{"a@example.com", "", `'@' (U+0040)`},
		{"*.example.com", "", `'*' (U+002A)`},
		{"a b.com", "", `' ' (U+0020)`},
		{"a_b.com", "", `'_' (U+005F)`},
		{"exam\u200bple.com", "", `(U+200B)`},
		{"example\x00.com", "", `(U+0000)`},
		{"ban\u212a.com", "", `(U+212A)`}, // KELVIN SIGN, which is k in lower case
		{"example\uff0ecom", "", `(U+FF0E)`},
		{"ex\xffample.com", "", `(U+FFFD)`},
		{"192.0.2.1", "", "IP address"},
		{"[192.0.2.1]", "", `'[' (U+005B)`},
		{"-a.com", "", "hyphen"},
		{"a-.com", "", "hyphen"},
		{long + "a.com", "", "63 characters"},
		{strings.Repeat("ü", 60) + ".com", "", "63 characters"},
		{"a" + longest, "", "63 characters"},
		{longest[:len(longest)-1] + "ma", "", "too long"},
		{strings.Repeat("a.", 1<<20), "", "too long"},
	} {
		got, why := Domain(row.got)
		if got != row.want || !strings.Contains(why, row.why) || (why == "") != (got != "") {
			t.Errorf("%.40q: got %q, %q, want %q, %q", row.got, got, why, row.want, row.why)
		}
		if again, _ := Domain(got); again != got {
			t.Errorf("%q becomes %q when it is read again", got, again)
		}
	}
}

// TestPunycodeAsNetHTTP asks net/http, which has the encoder of golang.org/x/net/idna and writes a
// Host header with it.
func TestPunycodeAsNetHTTP(t *testing.T) {
	t.Parallel()
	letters := []rune("abyz09-äßüıñøœαβγжщяאבعغकखあア漢字한글𐐨𝒳")
	for range 5000 {
		label := []rune{'é'}
		for range rand.IntN(16) {
			label = append(label, letters[rand.IntN(len(letters))])
		}
		label = append(label, 'x')
		var b bytes.Buffer
		r := http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Host: string(label)}
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		if want := "\r\nHost: xn--" + punycode(label) + "\r\n"; !strings.Contains(b.String(), want) {
			t.Errorf("%s: got %q, want %q", string(label), want, b.String())
		}
	}
}

// FuzzDomain: what comes out is a name in DNS in its one form, and reading it again changes nothing.
func FuzzDomain(f *testing.F) {
	for _, s := range []string{"example.com", " BÜCHER.example. ", "例え.jp", "a@b.c", "xn--bcher-kva.example", "\xff.com", "1.2.3.4"} {
		f.Add(s)
	}
	name := regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, s string) {
		domain, why := Domain(s)
		if (domain == "") != (why != "") {
			t.Fatalf("got %q and %q", domain, why)
		}
		if domain == "" {
			return
		}
		again, _ := Domain(domain)
		if !name.MatchString(domain) || len(domain) > maxDomain || again != domain || net.ParseIP(domain) != nil {
			t.Fatalf("%q becomes %q, and that %q", s, domain, again)
		}
		if upper, _ := Domain(strings.ToUpper(domain) + "."); upper != domain {
			t.Fatalf("in upper case %q becomes %q", domain, upper)
		}
	})
}
