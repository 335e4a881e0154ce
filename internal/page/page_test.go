package page

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPostPage: the page has the fields and nothing else to post, escaped, and runs no script but
// its own.
func TestPostPage(t *testing.T) {
	t.Parallel()
	const hostile = `"><script>alert(1)</script>` + "'&\x00" + `value="message"`
	for _, row := range []struct {
		name   string
		page   Post
		body   string
		fields int
	}{
		{"a message", Post{Title: "Sign in", Action: "https://idp.example.com/sso?a=1", Field: "SAMLRequest"},
			"PHg+/8=\r\n", 1},
		{"a marked message to the same address", Post{Title: "Signing in", Field: "SAMLResponse",
			Marks: []Field{{"leg", "2"}}}, "PHg+", 2},
		{"a mark that reads like the message", Post{Field: "SAMLResponse", Marks: []Field{{"RelayState", "message"}}}, "PHg+", 2},
		{"a mark without a value", Post{Field: "SAMLResponse", Marks: []Field{{Name: "leg"}}}, "PHg+", 1},
		{"hostile values", Post{Title: hostile, Action: "https://idp.example.com/?" + hostile, Field: hostile,
			Marks: []Field{{hostile, hostile}}, Keep: hostile, Load: hostile,
			Language: Language{hostile, func(string) string { return hostile }}},
			hostile, 2},
		{"a script for an action", Post{Action: "javascript:alert(1)", Field: "SAMLRequest"}, "PHg+", 1},
	} {
		w := httptest.NewRecorder()
		row.page.Write(w, []byte(row.body))
		html := w.Body.String()
		if n := strings.Count(html, `type="hidden"`); n != row.fields || strings.Count(html, "<script") != 1 ||
			strings.Contains(html, `action="javascript:`) {
			t.Errorf("%s: got %d fields, want %d, and one script:\n%s", row.name, n, row.fields, html)
		}
		escaped := strings.NewReplacer(`"`, "&#34;", "<", "&lt;", ">", "&gt;", "'", "&#39;", "&", "&amp;", "\x00",
			"\uFFFD").Replace(row.body)
		if !strings.Contains(html, ` value="`+escaped+`">`+"\n<noscript>") {
			t.Errorf("%s: the message is not the value of the last field:\n%s", row.name, html)
		}
		if strings.Contains(html, `<input type="hidden" name="leg" value="2">`) != slices.Contains(row.page.Marks, Field{"leg", "2"}) {
			t.Errorf("%s: the mark is missing or there without a value:\n%s", row.name, html)
		}
	}
}

// TestHeaders: what a page may do is in its headers, and a nonce serves one answer only.
func TestHeaders(t *testing.T) {
	t.Parallel()
	var nonces []string
	for range 2 {
		w := httptest.NewRecorder()
		Post{Field: "SAMLResponse"}.Write(w, []byte("PHg+"))
		policy := w.Header().Get("Content-Security-Policy")
		nonce := regexp.MustCompile(`^default-src 'none'; script-src 'nonce-([^']+)'; style-src 'nonce-([^']+)'; base-uri 'none'; frame-ancestors 'none'$`).FindStringSubmatch(policy)
		if nonce == nil || nonce[1] != nonce[2] || len(nonce[1]) < 22 {
			t.Fatalf("got the policy %q", policy)
		}
		if n := strings.Count(w.Body.String(), `nonce="`+nonce[1]+`"`); n != 2 || slices.Contains(nonces, nonce[1]) {
			t.Errorf("the nonce %s is in the page %d times, want 2, and it is in no other page", nonce[1], n)
		}
		nonces = append(nonces, nonce[1])
		for name, want := range map[string]string{"Content-Type": "text/html; charset=utf-8",
			"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
}

// pieces keeps the slices that it is given.
type pieces struct {
	http.ResponseWriter
	written [][]byte
}

func (p *pieces) Write(b []byte) (int, error) {
	p.written = append(p.written, b)
	return len(b), nil
}

// TestMessageIsNotCopied: a message of 2 MiB in base64 is written from where it is.
func TestMessageIsNotCopied(t *testing.T) {
	t.Parallel()
	message := bytes.Repeat([]byte("PHg+"), 1<<19)
	w := &pieces{ResponseWriter: httptest.NewRecorder()}
	Post{Field: "SAMLResponse"}.Write(w, message)
	if !slices.ContainsFunc(w.written, func(b []byte) bool { return len(b) == len(message) && &b[0] == &message[0] }) {
		t.Error("no write has the message itself")
	}
}

// TestLanguage: each page is in its language, what a translation returns is escaped, and a text
// without a translation stays in English.
func TestLanguage(t *testing.T) {
	t.Parallel()
	foreign := Language{"de", func(english string) string {
		if english == textContinue {
			return ""
		}
		return "<ü> " + english
	}}
	for name, write := range map[string]func(http.ResponseWriter, Language){
		"Post":  func(w http.ResponseWriter, l Language) { Post{Title: "Title", Language: l}.Write(w, []byte("PHg+")) },
		"Leave": func(w http.ResponseWriter, l Language) { Leave{Title: "Title", To: "/", Language: l}.Write(w) },
		"Notice": func(w http.ResponseWriter, l Language) {
			Notice{Title: "Title", Sentence: "Sentence.", Language: l}.Write(w)
		},
		"Plain": func(w http.ResponseWriter, l Language) {
			Plain{Title: "Title", Sentence: "Sentence.", Advice: "Advice.", Language: l}.Write(w, http.StatusOK)
		},
		"Framed": func(w http.ResponseWriter, l Language) { Framed{Link: Link{To: "/"}, Language: l}.Write(w) },
		"Question": func(w http.ResponseWriter, l Language) {
			Question{Title: "Title", Label: "Label", Problem: "Problem", Language: l}.Write(w, http.StatusOK)
		},
	} {
		w := httptest.NewRecorder()
		write(w, foreign)
		if html := w.Body.String(); !strings.Contains(html, `<html lang="de">`) || !strings.Contains(html, "<title>&lt;ü&gt; ") ||
			strings.Contains(html, "<ü>") || strings.Contains(html, "ü&gt; Continue") {
			t.Errorf("%s: got %s", name, html)
		}
		for _, english := range []Language{{}, {Tag: "de"}} {
			w := httptest.NewRecorder()
			write(w, english)
			if html := w.Body.String(); !strings.Contains(html, `<html lang="en">`) || strings.Contains(html, "ü") {
				t.Errorf("%s in English: got %s", name, html)
			}
		}
	}
}

// TestFragment: the form that takes a fragment along is there only if it has somewhere to go, and its
// values are escaped. What scripts do with it is for browsers to show.
func TestFragment(t *testing.T) {
	t.Parallel()
	fragment := Fragment{Action: "https://sp.example.com/acs", Field: "return_to", Value: `/x?"><script>`, Room: 8000}
	for name, write := range map[string]func(http.ResponseWriter, Fragment){
		"Post": func(w http.ResponseWriter, f Fragment) {
			Post{Field: "SAMLRequest", Fragment: f}.Write(w, []byte("PHg+"))
		},
		"Leave": func(w http.ResponseWriter, f Fragment) { Leave{To: "/", Fragment: f}.Write(w) },
	} {
		with, without := httptest.NewRecorder(), httptest.NewRecorder()
		write(with, fragment)
		write(without, Fragment{})
		if html := with.Body.String(); !strings.Contains(html, `<form id="fragment" method="post" action="https://sp.example.com/acs">`+
			`<input type="hidden" name="return_to" value="/x?&#34;&gt;&lt;script&gt;"></form>`) || !strings.Contains(html, "h.length<= 8000 ") {
			t.Errorf("%s: got %s", name, html)
		}
		if html := without.Body.String(); strings.Contains(html, `id="fragment"`) {
			t.Errorf("%s without a fragment: got %s", name, html)
		}
	}
}

// TestLinks: what begins a login is a link, or a form if the address is long; in a frame both open a
// window.
func TestLinks(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		link Link
		want string
	}{
		"a link": {Link{To: `/acs?a="b`}, `<a href="/acs?a=%22b" target="_blank" rel="noopener">`},
		"a form": {Link{"/acs", "return_to", `/"x`}, `<form method="post" action="/acs" target="_blank" rel="noopener">` +
			`<input type="hidden" name="return_to" value="/&#34;x"><button type="submit">`},
	} {
		w := httptest.NewRecorder()
		Framed{Link: row.link}.Write(w)
		if html := w.Body.String(); !strings.Contains(html, row.want) {
			t.Errorf("%s: got %s, want %s", name, html, row.want)
		}
	}
}

// TestPlain: a page with nothing to click on, whose values are escaped.
func TestPlain(t *testing.T) {
	t.Parallel()
	const hostile = `"><script>alert(1)</script>` + "'&"
	w := httptest.NewRecorder()
	Plain{Title: hostile, Sentence: hostile, Advice: hostile, Notes: []Field{{"Code", hostile}, {hostile, "y"}}}.
		Write(w, http.StatusBadRequest)
	html := w.Body.String()
	if w.Code != http.StatusBadRequest || strings.Contains(html, "<script") || strings.Contains(html, "<a ") ||
		strings.Contains(html, "<form") || strings.Count(html, "&lt;script&gt;") != 6 || strings.Count(html, "<code>") != 2 {
		t.Errorf("got %d %s", w.Code, html)
	}
	w = httptest.NewRecorder()
	Plain{Title: "Title", Sentence: "Sentence."}.Write(w, http.StatusOK)
	if html := w.Body.String(); !strings.Contains(html, "<p>Sentence.</p>") || strings.Contains(html, "<small>") {
		t.Errorf("got %s", html)
	}
}

// TestAllowFrames: only the origins that are given may frame a page, or what is no page of ours.
func TestAllowFrames(t *testing.T) {
	t.Parallel()
	origins := []string{"https://a.example.com", "https://b.example.com:444"}
	for name, write := range map[string]func(http.ResponseWriter, []string){
		"Post":  func(w http.ResponseWriter, o []string) { Post{Field: "SAMLResponse", FramedBy: o}.Write(w, nil) },
		"Leave": func(w http.ResponseWriter, o []string) { Leave{To: "/", FramedBy: o}.Write(w) },
		"Plain": func(w http.ResponseWriter, o []string) { Plain{FramedBy: o}.Write(w, http.StatusOK) },
		"other": AllowFrames,
	} {
		for policy, o := range map[string][]string{"frame-ancestors 'none'": nil,
			"frame-ancestors https://a.example.com https://b.example.com:444": origins} {
			w := httptest.NewRecorder()
			w.Header().Set("X-Frame-Options", "DENY")
			write(w, o)
			if got := w.Header().Get("Content-Security-Policy"); !strings.HasSuffix(got, policy) ||
				strings.Count(got, "frame-ancestors") != 1 || o != nil && w.Header().Get("X-Frame-Options") != "" {
				t.Errorf("%s: got %v, want %s", name, w.Header(), policy)
			}
		}
	}
}

// TestRelayState: an empty one is a field too, and none is none.
func TestRelayState(t *testing.T) {
	t.Parallel()
	empty, text := "", `a"b`
	for want, state := range map[string]*string{"": nil, `<input type="hidden" name="RelayState" value="">`: &empty,
		`<input type="hidden" name="RelayState" value="a&#34;b">`: &text} {
		w := httptest.NewRecorder()
		Post{Field: "SAMLResponse", RelayState: state}.Write(w, []byte("PHg+"))
		if html := w.Body.String(); !strings.Contains(html, want) || strings.Contains(html, "RelayState") != (state != nil) {
			t.Errorf("got %s, want %s", html, want)
		}
	}
}

// TestWithoutLink: a page that goes on at once can do without a link, also without scripts.
func TestWithoutLink(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Leave{To: "https://idp.example.com/", WithoutLink: true}.Write(w)
	if html := w.Body.String(); strings.Contains(html, "<a ") || !strings.Contains(html, `content="0;url=https://idp.example.com/"`) ||
		!strings.Contains(html, `location.replace("https://idp.example.com/")`) {
		t.Errorf("got %s", html)
	}
}
