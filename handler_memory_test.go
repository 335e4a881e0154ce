package saml

import (
	"bufio"
	"bytes"
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
)

// formServer serves a Handler whose budget is bytes and whose time limit for a body is d.
func formServer(t *testing.T, budget int, d time.Duration) (*Handler, *httptest.Server) {
	t.Helper()
	sp := mustProvider(t, nil)
	h, err := NewHandler(HandlerConfig{Sessions: nobody{}, Resolve: sp.Handler(nobody{}).config.Resolve,
		BodyMemory: budget})
	if err != nil {
		t.Fatal(err)
	}
	h.bodyTimeout = d
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, server
}

const formType = "application/x-www-form-urlencoded"

func formOf(size int) string { return "SAMLResponse=" + strings.Repeat("A", size-len("SAMLResponse=")) }

// postSlowly announces a form of 2 MiB, sends n bytes of it, and leaves the connection open.
func postSlowly(t *testing.T, server *httptest.Server, n int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		formType, maxBody, formOf(n)); err != nil {
		t.Fatal(err)
	}
	return c
}

// waitFor waits until the budget has that many bytes free.
func waitFor(t *testing.T, h *Handler, what string, enough func(free int64) bool) {
	t.Helper()
	for range 3000 {
		if enough(h.bodies.free.Load()) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: %d bytes are free", what, h.bodies.free.Load())
}

// TestLargeFormsAreBounded: slow posts use up the budget; then a large one is told to come again, a
// small one passes, and when the slow ones' time is over the large one passes too.
func TestLargeFormsAreBounded(t *testing.T) {
	t.Parallel()
	h, server := formServer(t, leastBodyMemory, 3*time.Second)
	post := func(size int) *http.Response {
		response, err := server.Client().Post(server.URL, formType, strings.NewReader(formOf(size)))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		return response
	}
	var slow []net.Conn
	for range 3 {
		slow = append(slow, postSlowly(t, server, 1<<20+100))
	}
	waitFor(t, h, "three slow posts", func(free int64) bool { return free == leastBodyMemory/4 })
	busy := post(maxBody)
	page, err := io.ReadAll(busy.Body)
	if err != nil {
		t.Fatal(err)
	}
	if busy.StatusCode != http.StatusServiceUnavailable || busy.Header.Get("Retry-After") == "" ||
		!strings.Contains(string(page), "<code>busy</code>") || busy.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a large form beside them: got %s, %v, %s", busy.Status, busy.Header, page)
	}
	if small := post(smallBody); small.StatusCode != http.StatusOK {
		t.Errorf("a small form beside them: got %s", small.Status)
	}
	if medium := post(mediumBody); medium.StatusCode != http.StatusOK {
		t.Errorf("one of medium size beside them, for which a part is kept: got %s", medium.Status)
	}
	waitFor(t, h, "when their time is over", func(free int64) bool { return free == leastBodyMemory })
	for _, c := range slow {
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("a slow post got %s", response.Status)
		}
	}
	if large := post(maxBody); large.StatusCode != http.StatusOK {
		t.Errorf("a large form when their time is over: got %s", large.Status)
	}
	waitFor(t, h, "in the end", func(free int64) bool { return free == leastBodyMemory })
}

// TestSlowSenderWithLittleLeft: with little left to come the server itself reads on before it
// answers. It does so no longer than the sender had, and the memory is free by then, whatever page
// the application shows.
func TestSlowSenderWithLittleLeft(t *testing.T) {
	t.Parallel()
	h, server := formServer(t, leastBodyMemory, time.Second)
	h.config.OnError = func(w http.ResponseWriter, _ *http.Request, err *Error) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, string(err.Code)+strings.Repeat(" ", 64<<10))
	}
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := formOf(1<<20 + 1)
	if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		formType, len(body)+1000, body); err != nil {
		t.Fatal(err)
	}
	waitFor(t, h, "the slow post", func(free int64) bool { return free < leastBodyMemory })
	c.SetReadDeadline(time.Now().Add(time.Minute))
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || response.StatusCode != http.StatusBadRequest {
		t.Fatalf("got %v, %v", response, err)
	}
	waitFor(t, h, "when it is answered", func(free int64) bool { return free == leastBodyMemory })
}

// TestSmallFormInChunks: what is small does not depend on whether the length is announced.
func TestSmallFormInChunks(t *testing.T) {
	h := mustProvider(t, nil).Handler(nobody{})
	h.bodies.free.Store(0)
	for size, want := range map[int]int{smallBody: http.StatusOK, smallBody + 2: http.StatusServiceUnavailable} {
		r := httptest.NewRequest("POST", "https://console.example.com"+DefaultRedirectPath,
			strings.NewReader(formOf(size)))
		r.ContentLength = -1
		r.Header.Set("Content-Type", formType)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%d bytes: got status %d, want %d", size, w.Code, want)
		}
	}
}

// TestSlowSendersHoldWhatTheySent: many that announce 2 MiB and send little leave the budget to
// others.
func TestSlowSendersHoldWhatTheySent(t *testing.T) {
	t.Parallel()
	h, server := formServer(t, leastBodyMemory, time.Minute)
	for range 100 {
		postSlowly(t, server, 1<<10)
	}
	response, err := server.Client().Post(server.URL, formType, strings.NewReader(formOf(maxBody)))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK || h.bodies.free.Load() < leastBodyMemory/4 {
		t.Errorf("got %s, %d bytes free", response.Status, h.bodies.free.Load())
	}
}

// TestFirstBuffer: what nobody has paid for of the budget is small, whatever length is announced.
func TestFirstBuffer(t *testing.T) {
	for _, length := range []int64{-1, 10, smallBody, maxBody} {
		b := body{budget: newMemoryBudget(0, 0)}
		if err := b.read(strings.NewReader("a"), length); err != nil || cap(b.data) > smallBody+1 {
			t.Errorf("length %d: got %v and a buffer of %d bytes", length, err, cap(b.data))
		}
	}
}

// TestMemoryOfOneForm: a form of 2 MiB is in memory once, beside the garbage of the buffer that
// grew to it.
func TestMemoryOfOneForm(t *testing.T) {
	h := mustProvider(t, nil).Handler(nobody{})
	for name, body := range map[string]string{
		"as it is":           formOf(maxBody),
		"each byte escaped":  "SAMLResponse=" + strings.Repeat("%41", (maxBody-20)/3),
		"parameters":         strings.Repeat("a&", maxBody/2),
		"empty parameters":   strings.Repeat("&", maxBody),
		"blanks in the last": "saml_leg=2&SAMLResponse=" + strings.Repeat("+", maxBody-100),
	} {
		got := allocations.FewestBytes(func() {
			r := httptest.NewRequest("POST", "https://console.example.com"+DefaultRedirectPath, strings.NewReader(body))
			r.Header.Set("Content-Type", formType)
			h.ServeHTTP(discard{http.Header{}}, r)
		})
		if got > 5<<20 {
			t.Errorf("%s: %d KiB are allocated", name, got>>10)
		}
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// deadlines is a ResponseWriter that notes the deadlines that are set.
type deadlines struct {
	discard
	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = append(d.read, t); return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = append(d.write, t); return nil }

// TestDeadlines: a body and the page that repeats it have a time limit, which is taken away again,
// since the connection lives on. A server with shorter ones of its own keeps them.
func TestDeadlines(t *testing.T) {
	h := mustProvider(t, nil).Handler(nobody{})
	post := func(server *http.Server) *deadlines {
		r := httptest.NewRequest("POST", "https://console.example.com"+DefaultRedirectPath,
			strings.NewReader(formOf(100)))
		r.Header.Set("Content-Type", formType)
		w := &deadlines{discard: discard{http.Header{}}}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, server)))
		return w
	}
	w := post(&http.Server{})
	if len(w.read) != 2 || w.read[0].IsZero() || !w.read[1].IsZero() || len(w.write) != 2 || w.write[0].IsZero() ||
		!w.write[1].IsZero() {
		t.Errorf("got %v and %v, want one each, and then none", w.read, w.write)
	}
	w = post(&http.Server{ReadTimeout: time.Second, WriteTimeout: time.Second})
	if len(w.read) != 0 || len(w.write) != 0 {
		t.Errorf("beside shorter ones: got %v and %v", w.read, w.write)
	}
	w = post(&http.Server{ReadTimeout: time.Hour, WriteTimeout: time.Hour})
	if len(w.read) != 2 || len(w.write) != 2 || time.Until(w.write[1]) < 50*time.Minute {
		t.Errorf("beside longer ones: got %v and %v, want the server's write deadline in the end", w.read, w.write)
	}
}

// TestPostPageEscapes what is not base64: a RequestForm can be made by anyone.
func TestPostPageEscapes(t *testing.T) {
	w := httptest.NewRecorder()
	(&RequestForm{Action: `https://idp.example/?value="message"&x`,
		SAMLRequest: `"><script>alert(1)</script>`}).ServeHTTP(w, nil)
	if body := w.Body.String(); strings.Contains(body, "<script>alert") ||
		!strings.Contains(body, "&lt;script&gt;alert(1)&lt;/script&gt;\">") {
		t.Errorf("got %s", body)
	}
}

func TestBodyMemory(t *testing.T) {
	resolve := mustProvider(t, nil).Handler(nobody{}).config.Resolve
	for bytes, ok := range map[int]bool{0: true, leastBodyMemory: true, leastBodyMemory - 1: false, -1: false} {
		if _, err := NewHandler(HandlerConfig{Sessions: nobody{}, Resolve: resolve,
			BodyMemory: bytes}); (err == nil) != ok {
			t.Errorf("BodyMemory %d: got %v", bytes, err)
		}
	}
}
