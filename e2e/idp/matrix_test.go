//go:build idp

package idp

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// A product is an identity provider of somebody else.
type product struct {
	name  string
	needs []need

	// start starts the product, or a server of it for all clients, in a directory of its own. It
	// must register its end with t.Cleanup; launch does.
	start func(t *testing.T, clients []*client) running
}

// A client is one service as the product knows it: one row of the matrix.
type client struct {
	row      string // name of the row
	slug     string // the same in lower-case letters, digits and "-", unique within the product
	entityID string // of the service as it is registered
	acs      string // its Redirect URL
	metadata []byte // sp.Metadata of what is registered; nil: the product must not know the service
	knobs    knobs
}

// knobs are what an administrator of the product sets for one service. The names are those of the
// product's file.
type knobs map[string]any

// running is a product that answers.
type running interface {
	// metadata returns the address of the metadata that an administrator gives to the service of c.
	metadata(c *client) string
	// initiate returns the address at which a user begins at the identity provider.
	initiate(c *client) string
}

// A product whose passwords are not the name with "pass" behind it implements passworder.
type passworder interface {
	password(name string) string
}

// What the user does.
type way int

const (
	redirect   way = iota // opens a page of the service; the request travels in the address (HTTP-Redirect binding)
	post                  // the same; the request travels in a form (HTTP-POST binding)
	atProvider            // begins at the identity provider
)

// A row is one line of the matrix.
type row struct {
	name   string
	knobs  knobs              // what the product is set to
	config func(*saml.Config) // what our Config is set to; the rest is as a console has it
	// registered changes the Config whose metadata the product gets, where that is another than the
	// one that runs. nil: the same.
	registered func(*saml.Config)
	metadata   []saml.MetadataOptions // of the metadata that the product gets
	// ours and theirs change a metadata document on its way to the other side. nil: no change.
	ours, theirs func(document []byte) []byte
	unknown      bool          // the product does not know the service
	clock        time.Duration // how far our clock is wrong

	way     way
	options saml.LoginOptions
	user    string                      // default "alice", with the password "alicepass"
	before  func(t *testing.T, v visit) // happens before the sign-in that the row is about
	after   func(t *testing.T, v visit) // happens after it
	want    want
}

// want is what must come of a row: a code, a refusal by the product, or an identity if both are
// empty.
type want struct {
	code     saml.Code // on our page
	message  string    // part of the error's message, to tell refusals with one code apart
	refusal  string    // part of the text of the product's own page
	sent     string    // how the response is protected, in the words of func sent; "" does not ask
	email    string    // Identity.Email; default that of the user
	identity func(t *testing.T, login *saml.Login)
	silent   bool // nobody is asked for a password: the product's session is used
}

// A visit is a row under way.
type visit struct {
	*service
	running running
	client  *client
	browser *browser
	row     row
}

// run runs the rows against one server of the product.
func run(t *testing.T, p product, rows []row) {
	t.Helper()
	for _, n := range p.needs {
		n.check(t)
	}
	var services []*service
	var clients []*client
	for i, r := range rows {
		s := newService(t, r)
		c := &client{row: r.name, slug: fmt.Sprintf("%02d-%s", i, slug(r.name)), entityID: s.registered.EntityID(),
			acs: s.sp.RedirectURL(), knobs: r.knobs}
		if !r.unknown {
			document, err := s.registered.Metadata(r.metadata...)
			if err != nil {
				t.Fatal(err)
			}
			if c.metadata = document; r.ours != nil {
				c.metadata = r.ours(document)
			}
		}
		services, clients = append(services, s), append(clients, c)
	}
	started := time.Now()
	server := p.start(t, clients)
	report.add(p.name, "(start)", "", fmt.Sprintf("with %d services", len(rows)), time.Since(started), false)
	// SimpleSAMLphp writes whole seconds: what it issues in the second in which the Store of a service
	// began would be older than the Store.
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	for i, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			started := time.Now()
			v := visit{service: services[i], running: server, client: clients[i], browser: newBrowser(t), row: r}
			came := result{outcome: "failed before the sign-in"}
			defer func() {
				report.add(p.name, r.name, came.sent, came.outcome, time.Since(started), t.Failed())
			}()
			runRow(t, v, &came)
		})
	}
}

// A result is how a sign-in ended, and how the response was protected.
type result struct{ outcome, sent string }

func runRow(t *testing.T, v visit, came *result) {
	v.trust(t, v.running.metadata(v.client))
	if v.row.before != nil {
		v.row.before(t, v)
	}
	end := v.signIn(t)
	came.outcome, came.sent = end.String(), sent(v.browser.messages)
	v.check(t, end)
	if v.row.after != nil && !t.Failed() {
		v.row.after(t, v)
	}
}

// signIn does what the row says, with the row's user.
func (v visit) signIn(t *testing.T) ending {
	t.Helper()
	v.forget()
	address := v.url("/login")
	if v.row.way == atProvider {
		address = v.running.initiate(v.client)
	}
	name, password := v.credentials()
	p := v.browser.visit(t, address, name, password)
	e := ending{page: p, passwords: v.browser.passwords}
	e.login, e.err = v.heard()
	return e
}

// credentials returns what the row's user types.
func (v visit) credentials() (name, password string) {
	name = cmp.Or(v.row.user, "alice")
	if p, ok := v.running.(passworder); ok {
		return name, p.password(name)
	}
	return name, name + "pass"
}

// An ending is how a sign-in ended.
type ending struct {
	page      page
	login     *saml.Login // the last one that succeeded
	err       *saml.Error // the last refusal of ours
	passwords int         // how many times a password was asked for
}

func (e ending) code() saml.Code {
	if e.err == nil {
		return ""
	}
	return e.err.Code
}

func (e ending) String() string {
	switch {
	case e.err != nil:
		s := e.err.Error()
		if e.err.Got != "" && e.err.Code.Personal() {
			s += ", got " + e.err.Got
		}
		return "refused by us: " + s
	case e.login != nil:
		return fmt.Sprintf("signed in: %s, NameID %q", cmp.Or(e.login.Identity.Email, "no e-mail address"),
			e.login.Assertion.NameID.Value)
	}
	return fmt.Sprintf("refused by the product: HTTP status %d, %.200q", e.page.status, e.page.text())
}

func (v visit) check(t *testing.T, e ending) {
	t.Helper()
	w := v.row.want
	defer func() {
		if t.Failed() {
			t.Logf("the sign-in ended at %s with %s\n%.3000s", e.page.url, e, e.page.body)
			if e.err != nil {
				t.Logf("hint: %s, cause: %v", e.err.Hint, errors.Unwrap(e.err))
			}
			t.Logf("the messages that traveled:\n%s", strings.Join(v.browser.messages, "\n"))
		}
	}()
	switch {
	case w.code != "":
		if e.code() != w.code || e.err != nil && !strings.Contains(e.err.Message, w.message) {
			t.Fatalf("got %s, want a refusal of ours with code %q, %q", e, w.code, w.message)
		}
		if !v.owns(e.page) || e.page.status < 400 || !strings.Contains(string(e.page.body),
			"<code>"+string(w.code)+"</code>") {
			t.Errorf("the page has HTTP status %d, want ours with code %s", e.page.status, w.code)
		}
		if e.login != nil {
			t.Errorf("somebody was signed in too: %s", e.login.Identity.Email)
		}
	case w.refusal != "":
		if e.login != nil || e.err != nil || v.owns(e.page) || !strings.Contains(e.page.text(), w.refusal) {
			t.Fatalf("got %s, want a page of the product with %q", e, w.refusal)
		}
	default:
		if e.login == nil || e.err != nil || !v.owns(e.page) || e.page.status != 200 {
			t.Fatalf("got %s, want a sign-in that ends at the service", e)
		}
		if got, want := e.login.Identity.Email, cmp.Or(w.email, v.userEmail()); got != want && w.email != noEmail ||
			w.email == noEmail && got != "" {
			t.Errorf("signed in as %q, want %q", got, want)
		}
		if w.identity != nil {
			w.identity(t, e.login)
		}
	}
	if got := sent(v.browser.messages); w.sent != "" && got != w.sent {
		t.Errorf("the product sent %s, want %s", got, w.sent)
	}
	if w.silent != (e.passwords == 0) && w.refusal == "" {
		t.Errorf("a password was asked for %d times, want silent: %v", e.passwords, w.silent)
	}
}

// noEmail as want.email wants none.
const noEmail = "-"

func (v visit) userEmail() string {
	return userNamed(cmp.Or(v.row.user, "alice")).Email
}

func slug(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
}

// A need is a program or library that must be installed.
type need struct {
	probe   []string // fails if it is not there
	install string   // what to install
}

func (n need) check(t *testing.T) {
	t.Helper()
	out, err := output(n.probe...)
	if err == nil {
		return
	}
	missing := fmt.Sprintf("%s fails: install %s (%v %.300s)", strings.Join(n.probe, " "), n.install, err, out)
	if os.Getenv("SAML_TEST_REQUIRE") == "all" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// report is the table of all rows of this run.
var report table

type table struct {
	mu    sync.Mutex
	lines []string
	count int
}

// add notes one row; failed says that it is not as expected.
func (r *table) add(product, row, sent, outcome string, took time.Duration, failed bool) {
	mark := "ok"
	if failed {
		mark = "FAILED"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf("| %s | %s | %s | %s | %s | %.1f |", product, row, sent, mark,
		strings.ReplaceAll(outcome, "|", "\\|"), took.Seconds()))
	r.count++
}

// write prints the table and keeps it. Rows of one product stay together.
func (r *table) write() error {
	if r.count == 0 {
		return nil
	}
	slices.SortStableFunc(r.lines,
		func(a, b string) int { return strings.Compare(strings.Split(a, "|")[1], strings.Split(b, "|")[1]) })
	text := "| product | row | the response | as expected | outcome | seconds |\n| --- | --- | --- | --- | --- | --- |\n" + strings.Join(r.lines, "\n") + "\n"
	fmt.Print(text)
	dir := cmp.Or(os.Getenv("E2E_OUT"), filepath.Join(os.TempDir(), "saml-e2e"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "idp.txt"), []byte(text), 0o644)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := report.write(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
