package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/internal/testpg"
	"github.com/iomete/saml/samltest"
)

// base is the address of the service. Browsers of a cluster find the replicas there.
const base = "http://console.localhost"

// TestMain is a replica if a test has started this program as one.
func TestMain(m *testing.M) {
	if os.Getenv("TENANTS_IS_THE_SERVICE") != "" {
		main()
		return
	}
	code := m.Run()
	testpg.Stop()
	os.Exit(code)
}

// A cluster is two replicas, as two processes, with one database.
type cluster struct {
	*testing.T
	environment []string
	replicas    []string // addresses
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t, environment: append(os.Environ(), "TENANTS_IS_THE_SERVICE=yes",
		"DATABASE_URL="+testpg.New(t), "STATE_KEYS="+base64.StdEncoding.EncodeToString(saml.NewStateKey()))}
	for range 2 {
		c.start()
	}
	return c
}

func (c *cluster) command(args ...string) *exec.Cmd {
	command := exec.Command(os.Args[0], append([]string{"-base-url", base}, args...)...)
	command.Env = c.environment
	return command
}

// start starts a replica, which ends with the test.
func (c *cluster) start() {
	c.Helper()
	process := c.command("-addr", "127.0.0.1:0")
	var stderr bytes.Buffer
	process.Stderr = &stderr
	stdout, err := process.StdoutPipe()
	if err != nil {
		c.Fatal(err)
	}
	if err := process.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		process.Process.Kill()
		process.Wait() // "signal: killed"
	})
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), "Listening on:  ")
	if !found {
		process.Wait()
		c.Fatalf("the replica ended: %s%s", line, stderr.String())
	}
	c.replicas = append(c.replicas, address)
}

// add adds a tenant or changes its settings, and returns its new identity provider, where the first
// user is signed in.
func (c *cluster) add(tenant string, users ...samltest.User) *samltest.IdentityProvider {
	c.Helper()
	idp := samltest.MustNew(c.T, samltest.Options{Users: users})
	server := httptest.NewServer(idp)
	c.Cleanup(server.Close)
	idp.SetBaseURL(server.URL)
	document, err := idp.Metadata()
	if err != nil {
		c.Fatal(err)
	}
	file := filepath.Join(c.TempDir(), tenant+".xml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		c.Fatal(err)
	}
	output, err := c.command("-add", tenant, "-metadata", file).Output()
	if err != nil {
		c.Fatal(err)
	}
	_, redirectURL, _ := strings.Cut(strings.TrimSpace(string(output)), "Redirect URL:  ")
	if err := idp.RegisterRedirectURL(redirectURL); err != nil {
		c.Fatal(err)
	}
	idp.SignInAs(users[0])
	return idp
}

// person returns a user of a domain who is in n groups.
func person(domain string, n int) samltest.User {
	u := samltest.DefaultUsers()[0]
	u.Mail, u.Groups = "ioana@"+domain, nil
	for i := range n {
		u.Groups = append(u.Groups, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	return u
}

// A browser asks the replica that it was told.
type browser struct {
	*http.Client
	c       *cluster
	replica int
}

func (c *cluster) browser() *browser {
	jar, _ := cookiejar.New(nil) // never fails
	b := &browser{Client: &http.Client{Jar: jar}, c: c}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == strings.TrimPrefix(base, "http://")+":80" {
			address = c.replicas[b.replica]
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	b.Transport = asBrowser{&http.Transport{DisableKeepAlives: true, DialContext: dial}}
	return b
}

// asBrowser asks for pages.
type asBrowser struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b asBrowser) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Accept", "text/html")
	return b.RoundTripper.RoundTrip(r)
}

// copy returns a browser with the same cookies.
func (b *browser) copy() *browser {
	b.c.Helper()
	u, err := url.Parse(base)
	if err != nil {
		b.c.Fatal(err)
	}
	other := b.c.browser()
	other.Jar.SetCookies(u, b.Jar.Cookies(u))
	return other
}

// at sends what follows to one replica.
func (b *browser) at(replica int) *browser {
	b.replica = replica
	return b
}

// begin opens a page of the service, and returns the form with which the identity provider answers.
func (b *browser) begin(path string) samltest.Form {
	b.c.Helper()
	return b.form(b.Get(base + path))
}

func (b *browser) form(r *http.Response, err error) samltest.Form {
	b.c.Helper()
	if err != nil {
		b.c.Fatal(err)
	}
	form, err := samltest.ReadForm(r)
	if err != nil {
		b.c.Fatal(err)
	}
	return form
}

// finish posts the answer of an identity provider: it, and then the service's own page.
func (b *browser) finish(form samltest.Form) (*http.Response, error) {
	b.c.Helper()
	again := b.form(b.PostForm(form.Action, form.Values))
	return b.PostForm(again.Action, again.Values)
}

var requestID = regexp.MustCompile(` InResponseTo="([^"]+)"`)

// inResponseTo returns the ID of the request that a form answers.
func (c *cluster) inResponseTo(form samltest.Form) string {
	c.Helper()
	message, err := base64.StdEncoding.DecodeString(form.Values.Get("SAMLResponse"))
	if err != nil {
		c.Fatal(err)
	}
	found := requestID.FindSubmatch(message)
	if found == nil {
		c.Fatalf("the answer names no request: %s", message)
	}
	return string(found[1])
}

// want expects the address and a text of the page at which a request ended.
func (c *cluster) want(what string, r *http.Response, err error, address, text string) {
	c.Helper()
	if err != nil {
		c.Fatalf("%s: %v", what, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.Fatal(err)
	}
	if got := r.Request.URL.String(); !strings.HasPrefix(got, address) || !strings.Contains(string(body), text) {
		c.Errorf("%s: got status %d at %s, %s, want %q at %s", what, r.StatusCode, got, body, text, address)
	}
}
