package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// The replicas are processes: this test's own program, started again. They share the keys, and a
// Store that the test serves over HTTP and can take away. Stores that last have tests of their own.

func TestMain(m *testing.M) {
	if text := os.Getenv("E2E_REPLICA"); text != "" {
		must(serveReplica(text))
		return
	}
	os.Exit(m.Run())
}

// replicaConfig travels to the process as JSON.
type replicaConfig struct {
	Name, BaseURL, Store string
	Key, Metadata        []byte
}

// serveReplica is the whole of a replica. It ends when the test does, which closes its standard
// input.
func serveReplica(text string) error {
	var c replicaConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	idp, err := saml.ParseMetadata(c.Metadata)
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	sp, err := saml.New(saml.Config{BaseURL: c.BaseURL, IdentityProvider: idp, StateKeys: [][]byte{c.Key},
		Store: httpStore(c.Store), Now: now, Logger: quiet})
	if err != nil {
		return err
	}
	sessions, err := session.New(session.Config{Keys: [][]byte{c.Key}, Store: httpStore(c.Store), Now: now,
		Logger: quiet})
	if err != nil {
		return err
	}
	login := sp.Handler(sessions)
	mux := http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
	mux.HandleFunc("/goodbye", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "goodbye from ", c.Name) })
	mux.HandleFunc("POST /advance", func(_ http.ResponseWriter, r *http.Request) {
		by, err := time.ParseDuration(r.URL.Query().Get("by"))
		must(err)
		offset.Add(int64(by))
	})
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s reads %s from %s", session.FromContext(r.Context()).Identity.Email, r.URL.Path, c.Name)
	})))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening on http://" + listener.Addr().String())
	go func() {
		io.Copy(io.Discard, os.Stdin) // until the test is over, however it ends
		os.Exit(0)
	}()
	return http.Serve(listener, mux)
}

// httpStore is the address of a Store that answers over HTTP.
type httpStore string

func (s httpStore) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	return s.ask(ctx, "POST", url.Values{"key": {key}, "ttl": {ttl.String()}})
}

func (s httpStore) Claimed(ctx context.Context, key string) (bool, error) {
	return s.ask(ctx, "GET", url.Values{"key": {key}})
}

func (s httpStore) ask(ctx context.Context, method string, query url.Values) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, method, string(s)+"?"+query.Encode(), nil)
	if err != nil {
		return false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return false, errors.Join(err, errors.New(response.Status))
	}
	return string(answer) == "true", nil
}

// cluster is two replicas behind one address, their store and their identity provider.
type cluster struct {
	*testing.T
	idp      *samltest.IdentityProvider
	front    *httptest.Server
	replicas map[string]*httputil.ReverseProxy
	direct   map[string]string // address of a replica
	chosen   atomic.Pointer[httputil.ReverseProxy]
	away     atomic.Bool // the store
}

var listening = regexp.MustCompile(`^listening on (http://\S+)$`)

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t, idp: samltest.MustNew(t, samltest.Options{}), replicas: map[string]*httputil.ReverseProxy{},
		direct: map[string]string{}}
	provider := httptest.NewTLSServer(c.idp)
	t.Cleanup(provider.Close)
	c.idp.SetBaseURL(provider.URL)
	c.idp.SignInAs(samltest.DefaultUsers()[0])
	c.front = httptest.NewTLSServer(fullDuplex(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		c.chosen.Load().ServeHTTP(w, r)
	})))
	t.Cleanup(c.front.Close)
	redirectURL := c.front.URL + saml.DefaultRedirectPath
	c.idp.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
	store := httptest.NewServer(c.serveStore(saml.NewMemoryStore()))
	t.Cleanup(store.Close)
	metadata, err := c.idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	key := saml.NewStateKey()
	for _, name := range []string{"A", "B"} {
		c.start(replicaConfig{Name: name, BaseURL: c.front.URL, Store: store.URL, Key: key, Metadata: metadata})
	}
	return c
}

func (c *cluster) serveStore(store saml.Store) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.away.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		var answer bool
		var err error
		if query := r.URL.Query(); r.Method == http.MethodPost {
			var ttl time.Duration
			if ttl, err = time.ParseDuration(query.Get("ttl")); err == nil {
				answer, err = store.Claim(r.Context(), query.Get("key"), ttl)
			}
		} else {
			answer, err = store.Claimed(r.Context(), query.Get("key"))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, answer)
	})
}

func (c *cluster) start(config replicaConfig) {
	c.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		c.Fatal(err)
	}
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), "E2E_REPLICA="+string(text))
	process.Stderr = os.Stderr
	if _, err = process.StdinPipe(); err != nil {
		c.Fatal(err)
	}
	output, err := process.StdoutPipe()
	if err != nil {
		c.Fatal(err)
	}
	if err := startUntilEnd(c.T, process); err != nil {
		c.Fatal(err)
	}
	address, err := findLine(output, listening)
	if err != nil {
		c.Fatal(err)
	}
	target, err := url.Parse(address)
	if err != nil {
		c.Fatal(err)
	}
	c.direct[config.Name] = address
	c.replicas[config.Name] = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
}

// at sends what follows to one replica.
func (c *cluster) at(name string) { c.chosen.Store(c.replicas[name]) }

// advance moves the clock of one replica, or with all of them.
func (c *cluster) advance(by time.Duration, names ...string) {
	c.Helper()
	for _, name := range names {
		response, err := http.Post(c.direct[name]+"/advance?by="+by.String(), "", nil)
		if err != nil {
			c.Fatal(err)
		}
		response.Body.Close()
	}
}

// person is somebody with a browser.
type person struct {
	*http.Client
	c *cluster
}

func (c *cluster) person() person {
	jar, _ := cookiejar.New(nil) // never fails
	return person{&http.Client{Jar: jar, Transport: asBrowser{c.front.Client().Transport}}, c}
}

// copyOf is a person with the same cookies.
func (p person) copyOf() person {
	p.c.Helper()
	front, err := url.Parse(p.c.front.URL)
	if err != nil {
		p.c.Fatal(err)
	}
	twin := p.c.person()
	twin.Jar.SetCookies(front, p.Jar.Cookies(front))
	return twin
}

// begin opens a page, and gives the form that comes back from the identity provider.
func (p person) begin(path string) samltest.Form {
	p.c.Helper()
	return p.form(p.Get(p.c.front.URL + path))
}

func (p person) form(response *http.Response, err error) samltest.Form {
	p.c.Helper()
	if err != nil {
		p.c.Fatal(err)
	}
	form, err := samltest.ReadForm(response)
	if err != nil {
		p.c.Fatal(err)
	}
	return form
}

// finish posts both legs.
func (p person) finish(form samltest.Form) (*http.Response, error) {
	p.c.Helper()
	again := p.form(p.PostForm(form.Action, form.Values))
	return p.PostForm(again.Action, again.Values)
}

// want expects a page of the service itself: whoever is sent to sign in is found at the identity
// provider.
func (p person) want(what string, status int, text string) func(*http.Response, error) {
	p.c.Helper()
	return func(response *http.Response, err error) {
		p.c.Helper()
		if err != nil {
			p.c.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			p.c.Fatal(err)
		}
		if response.StatusCode != status || !strings.Contains(string(body), text) {
			p.c.Errorf("%s: got status %d at %s, %s; want %d with %q", what, response.StatusCode,
				response.Request.URL.Host, body, status, text)
		}
	}
}

// wantAsked expects to be sent to the identity provider.
func (p person) wantAsked(what string) {
	p.c.Helper()
	response, err := p.get("/jobs")
	if err != nil {
		p.c.Fatal(err)
	}
	defer response.Body.Close()
	if !strings.HasPrefix(p.c.idp.LoginURL(), origin(response.Request.URL)) {
		p.c.Errorf("%s: got status %d at %s, want the identity provider", what, response.StatusCode,
			response.Request.URL)
	}
}

func (p person) get(path string) (*http.Response, error) { return p.Get(p.c.front.URL + path) }

func TestReplicas(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	user := c.person()

	c.at("A")
	form := user.begin("/jobs")
	twin := user.copyOf() // sends the same answer a second time
	c.at("B")
	user.want("begun on A, finished on B", 200, email+" reads /jobs from B")(user.finish(form))
	c.at("A")
	user.want("the session of B on A", 200, email+" reads /queries from A")(user.get("/queries"))
	// Within seconds this is taken for a page that posted twice: the browser goes to its page, which
	// asks for a login, because the answer signed nobody in.
	response, err := twin.finish(form)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if !strings.HasPrefix(c.idp.LoginURL(), origin(response.Request.URL)) {
		t.Errorf("the same answer once more, on A: got status %d at %s, want the identity provider", response.StatusCode, response.Request.URL)
	}
	twin.wantAsked("after the same answer once more, on A")
	c.advance(time.Minute, "A", "B")
	twin.want("the same answer a minute later, on A", 403, "<code>replayed</code>")(twin.finish(form))

	c.away.Store(true)
	c.advance(10*time.Second, "A", "B")
	for _, name := range []string{"A", "B"} {
		c.at(name)
		user.want("the store is away for 10 seconds, on "+name, 200, "from "+name)(user.get("/jobs"))
	}
	stranger := c.person()
	stranger.want("signing in without a store", 503, "<code>store</code>")(stranger.finish(stranger.begin("/jobs")))
	c.advance(5*time.Minute, "A", "B")
	for _, name := range []string{"A", "B"} {
		c.at(name)
		user.want("the store is away for more than 5 minutes, on "+name, 503, "try again")(user.get("/jobs"))
	}
	c.away.Store(false)
	c.advance(10*time.Second, "A", "B")
	for _, name := range []string{"A", "B"} {
		c.at(name)
		user.want("the store is back, on "+name, 200, "from "+name)(user.get("/jobs"))
	}

	thief := user.copyOf()
	c.at("A")
	user.want("sign-out on A", 200, "goodbye from A")(user.Post(c.front.URL+"/sign-out", "", nil))
	thief.wantAsked("a copy of the cookie after sign-out on A, on A")
	c.at("B")
	c.advance(10*time.Second, "B")
	thief.wantAsked("a copy of the cookie 10 seconds after sign-out on A, on B")
}
