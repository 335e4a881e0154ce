//go:build unix

package main

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/bench/internal/cputime"
)

const (
	atOnceRounds = 3
	aloneRounds  = 9 // the median counts, and two of three may meet a busy neighbor of a shared machine
	honestPosts  = 20
	// longestAnswer is how long the slowest of all posts may take: the five seconds that a large
	// message waits for its turn, and those that are before it then.
	longestAnswer = 7 * time.Second
	turnsAtOnce   = 4       // large messages that a Handler verifies at the same time
	mostForm      = 2 << 20 // bytes that a Handler reads
)

// mostHeap is the bound for the heap while many posts are answered: the forms that BodyMemory lets
// in, as many messages as are verified at once, each of the memory of a single one, and as much
// again, since the collector lets the heap double.
func mostHeap(bodyMemory int) uint64 {
	return 2 * (uint64(bodyMemory) + turnsAtOnce*ofMessages.memory)
}

// atOnce posts n messages at once to one Handler, each for a login that has begun: first with its
// usual BodyMemory, which refuses most of so many large forms, then with enough for all. Honest
// people sign in beside them, and must succeed.
func atOnce(n int, pattern string) (good bool, err error) {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return false, err
	}
	file, err := os.CreateTemp("", "hostile")
	if err != nil {
		return false, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	verifiers, err := newVerifiers()
	if err != nil {
		return false, err
	}
	s := &service{verifiers: verifiers}
	posts, honest, err := s.posts(file, wanted)
	if err != nil {
		return false, err
	}
	if len(posts) == 0 {
		return false, errors.New("no shape of a message has such a name")
	}
	good = true
	const usual = 32 << 20
	for _, bodyMemory := range []int{usual, max(usual, n*mostForm*3/2)} {
		if s.handler, err = s.newHandler(bodyMemory); err != nil {
			return false, err
		}
		if bodyMemory == usual {
			good = s.oneByOne(posts) && good
		}
		for range atOnceRounds {
			good = s.together(posts, honest, n, bodyMemory) && good
		}
	}
	return good, nil
}

// A service is one Handler for all sets of keys. A header tells it which set a post is for.
type service struct {
	verifiers map[keyKind]*verifier
	handler   *saml.Handler
}

const keysHeader = "X-Keys"

func (s *service) newHandler(bodyMemory int) (*saml.Handler, error) {
	return saml.NewHandler(saml.HandlerConfig{Sessions: anyone{}, BodyMemory: bodyMemory, Logger: slog.New(slog.DiscardHandler),
		Resolve: func(r *http.Request, _ string) (*saml.ServiceProvider, error) {
			for kind, v := range s.verifiers {
				if fmt.Sprint(kind) == r.Header.Get(keysHeader) {
					return v.sp, nil
				}
			}
			return nil, saml.ErrNotConfigured
		}})
}

// anyone may sign in, and the answer says who did.
type anyone struct{}

const userHeader = "X-User"

func (anyone) SignIn(w http.ResponseWriter, _ *http.Request, login *saml.Login) error {
	w.Header().Set(userHeader, login.Identity.Email)
	return nil
}
func (anyone) SignedIn(*http.Request) bool { return false }
func (anyone) Authenticate(http.ResponseWriter, *http.Request) (*http.Request, error) {
	return nil, nil
}

// A post is the second leg of a login. Its body is in a file, so that the heap holds nothing but what
// the Handler takes.
type post struct {
	name     string
	keys     keyKind
	cookies  string
	body     *io.SectionReader // never read itself, see answer
	accepted bool              // it signs somebody in
}

// posts begins a login for each set of keys, and writes the posts of all shapes for it.
func (s *service) posts(file *os.File, wanted *regexp.Regexp) (all []*post, honest *post, err error) {
	if s.handler, err = s.newHandler(0); err != nil {
		return nil, nil, err
	}
	ids, cookies := map[keyKind]string{}, map[keyKind]string{}
	for kind := range s.verifiers {
		if ids[kind], cookies[kind], err = s.begin(kind); err != nil {
			return nil, nil, err
		}
	}
	var offset int64
	write := func(name string, kind keyKind, m message, accepted bool) (*post, error) {
		m.request = ids[kind]
		form, _, err := s.verifiers[kind].prepare(m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		body := url.Values{"SAMLResponse": {form.SAMLResponse}, "saml_leg": {"2"}}.Encode()
		if _, err := file.WriteAt([]byte(body), offset); err != nil {
			return nil, err
		}
		p := &post{name, kind, cookies[kind], io.NewSectionReader(file, offset, int64(len(body))), accepted}
		offset += int64(len(body))
		return p, nil
	}
	for _, shape := range shapes {
		if !wanted.MatchString(shape.name) {
			continue
		}
		p, err := write(shape.name, shape.keys, shape.fill(largest-len(ids[shape.keys])-32), shape.code == "")
		if err != nil {
			return nil, nil, err
		}
		if p.body.Size() <= mostForm { // what is longer in a form is not read
			all = append(all, p)
		}
	}
	honest, err = write("honest", oneRSA, message{}, true)
	return all, honest, err
}

// begin begins a login, and returns the ID of its request and the cookies of the browser.
func (s *service) begin(kind keyKind) (id, cookies string, err error) {
	w := &answer{header: http.Header{}}
	r := newRequest(http.MethodGet, kind)
	s.handler.ServeHTTP(w, r)
	u, err := url.Parse(w.header.Get("Location"))
	if err != nil {
		return "", "", err
	}
	deflated, err := base64.StdEncoding.DecodeString(u.Query().Get("SAMLRequest"))
	if err != nil {
		return "", "", err
	}
	request, err := io.ReadAll(flate.NewReader(bytes.NewReader(deflated)))
	if err != nil {
		return "", "", err
	}
	_, id, found := strings.Cut(string(request), ` ID="`)
	id, _, _ = strings.Cut(id, `"`)
	if !found {
		return "", "", fmt.Errorf("no login begins: status %d", w.status)
	}
	var list []string
	for _, line := range w.header["Set-Cookie"] {
		cookie, _, _ := strings.Cut(line, ";")
		list = append(list, cookie)
	}
	return id, strings.Join(list, "; "), nil
}

func newRequest(method string, kind keyKind) *http.Request {
	return &http.Request{Method: method, URL: &url.URL{Path: path}, RequestURI: path, Host: strings.TrimPrefix(baseURL, "https://"),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, RemoteAddr: "192.0.2.1:1234",
		Header: http.Header{keysHeader: {fmt.Sprint(kind)}}}
}

// An answer is a writer that keeps no body.
type answer struct {
	header http.Header
	status int
	took   time.Duration
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return len(b), nil
}

// answer serves the post once. It may be called by many goroutines.
func (s *service) answer(p *post) *answer {
	r := newRequest(http.MethodPost, p.keys)
	r.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
	r.Header["Cookie"] = []string{p.cookies}
	r.Body, r.ContentLength = io.NopCloser(io.NewSectionReader(p.body, 0, p.body.Size())), p.body.Size()
	a := &answer{header: http.Header{}}
	start := time.Now()
	s.handler.ServeHTTP(a, r)
	a.took = time.Since(start)
	return a
}

// fits reports whether the verdict is right. The status of a refusal goes with its code.
func (p *post) fits(a *answer) bool {
	if p.accepted {
		return a.status == http.StatusSeeOther
	}
	return a.status >= http.StatusBadRequest && a.status < http.StatusInternalServerError
}

// oneByOne posts each shape alone, and holds it against the bounds of a single message.
func (s *service) oneByOne(posts []*post) (good bool) {
	good = true
	var slowest time.Duration
	var most uint64
	for _, p := range posts {
		var times []time.Duration
		var memory uint64
		var a *answer
		for range aloneRounds {
			in := input{read: func() error { a = s.answer(p); return nil }}
			c, _ := in.cost()
			times, memory = append(times, c.time), max(memory, c.memory)
		}
		took := median(times)
		slowest, most = max(slowest, took), max(most, memory)
		if took >= ofMessages.time || memory >= ofMessages.memory || !p.fits(a) {
			good = false
			fmt.Printf("BEYOND alone: %s: %s ms, %s MiB, status %d\n", p.name, milliseconds(took), mebibytes(memory), a.status)
		}
	}
	fmt.Printf("alone, %d shapes through the Handler: at most %s ms of processor time (bound %s), %s MiB in all (bound %s)\n",
		len(posts), milliseconds(slowest), milliseconds(ofMessages.time), mebibytes(most), mebibytes(ofMessages.memory))
	return good
}

// together posts n hostile messages and some honest ones at the same moment.
func (s *service) together(posts []*post, honest *post, n, bodyMemory int) (good bool) {
	all := make([]*post, 0, n+honestPosts)
	for i := range n {
		all = append(all, posts[i%len(posts)])
	}
	all = append(all, slices.Repeat([]*post{honest}, honestPosts)...)
	watch := watchHeap()
	used := cputime.Used()
	answers := s.answerAll(all)
	used = cputime.Used() - used
	peak := watch()

	c := count(all, answers, honest)
	// A tenth more, since sampling the heap and changing between so many goroutines take time too.
	mostTime := time.Duration(n+honestPosts) * ofMessages.time * 11 / 10
	good = used < mostTime && peak < mostHeap(bodyMemory) && c.longest < longestAnswer && c.wrong == "" && c.signedIn == honestPosts
	fmt.Printf("%d at once, BodyMemory %d MiB: peak heap %s MiB (bound %s), longest answer %s ms (bound %s), "+
		"%.1f s of processor time (bound %.1f), %d answered, %d busy, %d of %d honest people signed in",
		n, bodyMemory>>20, mebibytes(peak), mebibytes(mostHeap(bodyMemory)), milliseconds(c.longest), milliseconds(longestAnswer),
		used.Seconds(), mostTime.Seconds(), n-c.busy, c.busy, c.signedIn, honestPosts)
	if !good {
		fmt.Print("  BEYOND " + c.wrong)
	}
	fmt.Println()
	return good
}

// answerAll serves all posts at the same moment.
func (s *service) answerAll(all []*post) []*answer {
	answers := make([]*answer, len(all))
	start := make(chan struct{})
	var waiting sync.WaitGroup
	for i, p := range all {
		waiting.Go(func() {
			<-start
			answers[i] = s.answer(p)
		})
	}
	close(start)
	waiting.Wait()
	return answers
}

// counts is what came of many posts.
type counts struct {
	busy, signedIn int
	longest        time.Duration
	wrong          string // an answer that must not be
}

func count(all []*post, answers []*answer, honest *post) (c counts) {
	for i, a := range answers {
		p := all[i]
		c.longest = max(c.longest, a.took)
		switch {
		case p == honest && a.status == http.StatusSeeOther && a.header.Get(userHeader) == "user@example.com":
			c.signedIn++
		case p == honest:
			c.wrong = fmt.Sprintf("an honest post got status %d, user %q", a.status, a.header.Get(userHeader))
		case a.status == http.StatusServiceUnavailable:
			c.busy++
		case !p.fits(a):
			c.wrong = fmt.Sprintf("%s got status %d", p.name, a.status)
		}
	}
	return c
}

// watchHeap looks at the heap every two milliseconds until the function that it returns is called,
// which gives the most that was seen, without what was there at the beginning.
func watchHeap() func() (peak uint64) {
	runtime.GC()
	before := heap()
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		peak := before
		for {
			select {
			case <-tick.C:
				peak = max(peak, heap())
			case <-stop:
				result <- max(peak, heap()) - before
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-result
	}
}
