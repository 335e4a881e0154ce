//go:build unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// smallBodied are shapes that reach what they are about before they are large.
var smallBodied = []string{"an EncryptedAssertion of unknown elements", "a mistake at the end",
	"transforms, unknown signer", "metadata with one certificate many times",
	"form value", "aggregate"}

// TestShapes measures nothing: every message gets its answer, and fills the limit that it is meant
// to fill. Documents are small here: what a large one costs where a bound is missing is for the
// program to find out.
func TestShapes(t *testing.T) {
	if testing.Short() {
		t.Skip("signs some ninety messages of 1 MiB")
	}
	families, err := allFamilies()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		if names[f.name] {
			t.Errorf("there are two shapes %q", f.name)
		}
		names[f.name] = true
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			size := largest
			if f.bounds == ofDocuments {
				size = f.bounds.largest / 128
			}
			in, err := f.prepare(size)
			if err != nil {
				t.Fatal(err)
			}
			small := slices.ContainsFunc(smallBodied, func(s string) bool { return strings.Contains(f.name, s) })
			if in.size < size*8/10 && !small && f.bounds == ofMessages {
				t.Errorf("it has %d bytes, want nearly %d", in.size, size)
			}
			if code := codeOf(in.read()); f.bounds == ofMessages && !slices.Contains(f.answers, code) {
				t.Errorf("got the answer %q, want one of %q", string(code), f.answers)
			}
		})
	}
}

// TestAtOnce: the verdict on a post is the same while others are answered, and honest people sign in.
func TestAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("makes keys of 8192 bits")
	}
	verifiers, err := newVerifiers()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "posts"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := &service{verifiers: verifiers}
	posts, honest, err := s.posts(file, regexp.MustCompile("^(empty values|encrypted, unsigned|a mistake at the end|changed after it was signed)$"))
	if err != nil {
		t.Fatal(err)
	}
	if len(posts) < 2 {
		t.Fatalf("got %d posts, want two at least", len(posts))
	}
	if s.handler, err = s.newHandler(64 << 20); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(posts, posts, slices.Repeat([]*post{honest}, 8))
	if c := count(all, s.answerAll(all), honest); c.signedIn != 8 || c.wrong != "" {
		t.Errorf("%d of 8 honest people signed in, %s", c.signedIn, c.wrong)
	}
}

// TestCount: each verdict that must not be is told.
func TestCount(t *testing.T) {
	honest, hostile := &post{name: "honest", accepted: true}, &post{name: "hostile"}
	answered := func(status int, user string) *answer {
		return &answer{status: status, header: http.Header{userHeader: {user}}, took: time.Duration(status)}
	}
	const right = "user@example.com"
	good := count([]*post{honest, hostile, hostile}, []*answer{answered(303, right), answered(400, ""), answered(503, "")}, honest)
	if good != (counts{busy: 1, signedIn: 1, longest: 503}) {
		t.Errorf("got %+v", good)
	}
	for name, bad := range map[string]struct {
		post   *post
		answer *answer
	}{
		"an honest post is refused":     {honest, answered(503, "")},
		"an honest post is another's":   {honest, answered(303, "other@example.com")},
		"a hostile post signs somebody": {hostile, answered(303, right)},
		"a hostile post is a fault":     {hostile, answered(500, "")},
	} {
		if c := count([]*post{bad.post}, []*answer{bad.answer}, honest); c.wrong == "" {
			t.Errorf("%s: got %+v, want it told", name, c)
		}
	}
}
