package saml

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/internal/allocations"
	"github.com/iomete/saml/internal/posted"
)

// headerSessions are sessions that a header decides: User is signed in, and Ended was a moment ago.
type headerSessions struct{ nobody }

func (headerSessions) Authenticate(_ http.ResponseWriter, r *http.Request) (*http.Request, error) {
	if r.Header.Get("User") == "" {
		return nil, nil
	}
	return r, nil
}

func accountOfHeader(r *http.Request) (*FormAccount, error) {
	if user := r.Header.Get("User"); user != "" {
		return &FormAccount{Key: user}, nil
	}
	if ended := r.Header.Get("Ended"); ended != "" {
		return &FormAccount{Key: ended, Ended: true}, nil
	}
	return nil, nil
}

// A formHouse is a service over HTTP that keeps forms over a sign-in, at each path but the Redirect
// URL, with as little memory as there may be.
type formHouse struct {
	*testing.T
	h      *Handler
	server *httptest.Server
}

func newFormHouse(t *testing.T) *formHouse {
	t.Helper()
	sp := mustProvider(t, nil)
	h, err := NewHandler(HandlerConfig{Provider: sp, Sessions: headerSessions{}, FormAccount: accountOfHeader,
		BodyMemory: leastBodyMemory})
	if err != nil {
		t.Fatal(err)
	}
	h.bodyTimeout = time.Minute
	mux := http.NewServeMux()
	mux.Handle(sp.RedirectPath(), h)
	mux.Handle("/", h.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Write(body)
	})))
	s := &formHouse{T: t, h: h, server: httptest.NewServer(mux)}
	t.Cleanup(s.server.Close)
	return s
}

// person are the headers of a form that a person posts from a page of the service; one more says who.
func person(who string) http.Header {
	h := http.Header{"Content-Type": {formType}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"},
		"Sec-Fetch-Dest": {"document"}}
	if who != "" {
		h.Set(who, "ann")
	}
	return h
}

// postSlowly announces a body of size bytes, sends text, and leaves the connection open.
func (s *formHouse) postSlowly(who, text string, size int) net.Conn {
	s.Helper()
	c, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	var head strings.Builder
	person(who).Write(&head)
	if _, err := fmt.Fprintf(c, "POST /jobs HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", head.String(), size,
		text); err != nil {
		s.Fatal(err)
	}
	return c
}

func (s *formHouse) post(path, who, body string) (status int, text string) {
	s.Helper()
	r, err := http.NewRequest("POST", s.server.URL+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header = person(who)
	response, err := s.server.Client().Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// sealed is what "Send again" posts of a form.
func (s *formHouse) sealed(body string) string {
	r := httptest.NewRequest("POST", "/jobs", nil)
	r.Header.Set("Content-Type", formType)
	return posted.Kept + "=" + sealedText.EncodeToString(s.h.config.Provider.sealForm(r, "ann", []byte(body)))
}

// TestSlowFormsThatWait: however many forms for "Send again" or to be kept arrive slowly, sign-ins go
// on, also those with large messages, and so do small forms. Strangers keep nobody else out, and when
// their time is over there is room again.
func TestSlowFormsThatWait(t *testing.T) {
	t.Parallel()
	kept := "comment=" + strings.Repeat("x", maxKeptForm-8)
	for name, row := range map[string]struct {
		who, text string // what the slow ones send
		full      func(h *Handler) *memoryBudget
		strangers bool
	}{
		"of strangers":    {"", posted.Kept + "=" + strings.Repeat("A", 70<<10), (*Handler).ofStrangers, true},
		"of former users": {"Ended", posted.Kept + "=" + strings.Repeat("A", 70<<10), (*Handler).ofPeople, false},
		"of people here":  {"User", posted.Kept + "=" + strings.Repeat("A", 70<<10), (*Handler).ofPeople, false},
		"that cannot be":  {"", posted.Kept + "=" + strings.Repeat("%", 70<<10), (*Handler).ofStrangers, true},
	} {
		s := newFormHouse(t)
		all := row.full(s.h).free.Load()
		const held = 2 * (smallBody + 1) // of a form that has grown beyond the first buffer
		var slow []net.Conn
		for range all/held + 20 {
			slow = append(slow, s.postSlowly(row.who, row.text, maxSealedForm))
		}
		for range 3000 {
			if row.full(s.h).free.Load() < held {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if free := row.full(s.h).free.Load(); free < 0 || free >= held {
			t.Fatalf("%s: %d bytes are free", name, free)
		}
		if status, text := s.post(DefaultRedirectPath, "", formOf(maxBody)); status != http.StatusOK {
			t.Errorf("%s: a large response got status %d, %.300s", name, status, text)
		}
		large, wantLarge := s.sealed(kept), http.StatusServiceUnavailable
		if row.strangers {
			wantLarge = http.StatusOK
		}
		if status, text := s.post("/jobs", "User", large); status != wantLarge ||
			status != http.StatusOK && !strings.Contains(text, "<code>busy</code>") {
			t.Errorf("%s: a large form that is sent again got status %d, want %d: %.300s", name, status, wantLarge,
				text)
		}
		if status, text := s.post("/jobs", "User", s.sealed("a=1")); status != http.StatusOK || text != "a=1" {
			t.Errorf("%s: a small form that is sent again got status %d, %.300s", name, status, text)
		}
		if status, text := s.post("/jobs", "Ended", "a=1"); status != http.StatusUnauthorized ||
			!strings.Contains(text, posted.Kept) {
			t.Errorf("%s: a small form is not kept: status %d, %.300s", name, status, text)
		}
		if status, text := s.post("/jobs", "User", kept); status != http.StatusOK || text != kept {
			t.Errorf("%s: a form that need not wait got status %d, %.300s", name, status, text)
		}
		for _, c := range slow {
			c.Close()
		}
		for range 3000 {
			if row.full(s.h).free.Load() == all {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if status, text := s.post("/jobs", "User", s.sealed(kept)); status != http.StatusOK || text != kept {
			t.Errorf("%s: when there is room again: status %d, %.300s", name, status, text)
		}
	}
}

func (h *Handler) ofStrangers() *memoryBudget { return h.strangersForms }
func (h *Handler) ofPeople() *memoryBudget    { return h.forms }

// TestAnnouncedFormsTakeNothing: what has not arrived costs nothing, and what the headers refuse
// is not read.
func TestAnnouncedFormsTakeNothing(t *testing.T) {
	t.Parallel()
	s := newFormHouse(t)
	people, strangers := s.h.forms.free.Load(), s.h.strangersForms.free.Load()
	for _, who := range []string{"", "Ended", "User"} {
		for range 30 {
			s.postSlowly(who, posted.Kept+"=AA", maxSealedForm)
		}
	}
	read := false
	body := readerFunc(func([]byte) (int, error) { read = true; return 0, io.ErrUnexpectedEOF })
	for name, change := range map[string]func(http.Header){
		"another site":  func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
		"a frame":       func(h http.Header) { h.Set("Sec-Fetch-Dest", "iframe") },
		"Authorization": func(h http.Header) { h.Set("Authorization", "x") },
	} {
		start := posted.Kept + "=" // enough to tell what it is
		r := httptest.NewRequest("POST", s.server.URL+"/jobs", io.MultiReader(strings.NewReader(start), body))
		r.Header = person("")
		change(r.Header)
		w := httptest.NewRecorder()
		s.server.Config.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || read {
			t.Errorf("%s: got status %d, read %t", name, w.Code, read)
		}
	}
	if free := s.h.forms.free.Load(); free != people {
		t.Errorf("%d bytes are free for forms of people, want %d", free, people)
	}
	if free := s.h.strangersForms.free.Load(); free != strangers {
		t.Errorf("%d bytes are free for forms of strangers, want %d", free, strangers)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestMemoryOfAKeptForm: a form takes no more than it counts.
func TestMemoryOfAKeptForm(t *testing.T) {
	s := newFormHouse(t)
	kept := "comment=" + strings.Repeat("x", maxKeptForm-8)
	for name, row := range map[string]struct{ who, body string }{
		"kept":                    {"Ended", kept},
		"sent again":              {"User", s.sealed(kept)},
		"sent again by a former":  {"Ended", s.sealed(kept)},
		"sent again by strangers": {"", s.sealed(kept)},
	} {
		got := allocations.FewestBytes(func() {
			r := httptest.NewRequest("POST", "/jobs", strings.NewReader(row.body))
			r.Header = person(row.who)
			r = r.WithContext(context.WithValue(r.Context(), handlerKey{}, s.h))
			s.h.formOverSignIn(discard{http.Header{}}, r, map[bool]*http.Request{true: r}[row.who == "User"])
		})
		const around = smallBody + 32<<10 // the first buffer, which counts for the connection, and the rest of the page
		most := uint64(keptFormCost*maxSealedForm + around)
		if RaceDetector { // which allocates too
			most += most / 4
		}
		if t.Logf("%s: %d KiB for %d KiB", name, got>>10, len(row.body)>>10); got > most {
			t.Errorf("%s: %d KiB are allocated, want at most %d", name, got>>10, most>>10)
		}
	}
}
