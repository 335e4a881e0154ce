package console_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/console"
	"github.com/iomete/saml/samltest"
)

// newCertificate is a certificate of a fresh key, DER.
func newCertificate(t *testing.T, name string, from, to time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from,
		NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newPrivateKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestWrongSettings has what administrators hand over by mistake. Each time the page says what is
// wrong beside the field, everything that was typed is still there, and nothing is saved.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	good := settingsForm{entityID: w.idp.EntityID(), loginURL: w.idp.LoginURL(),
		certificate: string(w.idp.CertificatePEM())}
	with := func(change func(*settingsForm)) settingsForm {
		f := good
		change(&f)
		return f
	}
	common := bytes.ReplaceAll(w.metadata(), []byte(w.idp.TenantID()), []byte("{tenantid}"))
	for _, test := range []struct {
		name  string
		act   string
		form  settingsForm
		field string // where the message stands
		says  []string
	}{
		{"our own Redirect URL as Entity ID", "save",
			with(func(f *settingsForm) { f.entityID = w.console.RedirectURL() }),
			"entity_id", []string{"our own Redirect URL", "the identity provider's own"}},
		{"our own Redirect URL as Entity ID, with another mistake", "save",
			with(func(f *settingsForm) { f.entityID, f.certificate = w.console.RedirectURL(), "hello" }),
			"entity_id", []string{"our own Redirect URL"}},
		{"our own Redirect URL as login URL", "save",
			with(func(f *settingsForm) { f.loginURL = w.console.RedirectURL() }),
			"login_url", []string{"our own Redirect URL", "Login URL"}},
		{"the Login URL as Entity ID", "save", with(func(f *settingsForm) {
			f.entityID = "https://login.microsoftonline.com/8aef4c87-1a42-4f3b-9a0f-0d6f24f6a2f6/saml2"
		}), "entity_id", []string{"the entity ID is the Login URL"}},
		{"a login URL that is not https", "save",
			with(func(f *settingsForm) { f.loginURL = "http://login.example.com/saml2" }),
			"login_url", []string{"not https"}},
		{"metadata of every tenant", "read", with(func(f *settingsForm) { f.file = common }),
			"source", []string{"for every tenant", "not the address with /common/"}},
		{"a web page saved as XML", "read",
			with(func(f *settingsForm) { f.file = []byte("<!DOCTYPE html><html><body>Sign in</body></html>") }),
			"source", []string{"this is a web page", "Federation Metadata XML"}},
		{"a private key in the paste box", "read", with(func(f *settingsForm) { f.pasted = newPrivateKey(t) }),
			"source", []string{"private key, not a certificate", "must not leave its place"}},
		{"a private key as certificate", "save", with(func(f *settingsForm) { f.certificate = newPrivateKey(t) }),
			"certificate", []string{"private key, not a certificate"}},
		{"a thumbprint as certificate", "save",
			with(func(f *settingsForm) { f.certificate = "A78C6984CA9557E9AF2D80CB237429F6D0AA179F" }),
			"certificate", []string{"thumbprint"}},
		{"half a certificate", "save", with(func(f *settingsForm) { f.certificate = good.certificate[:200] }),
			"certificate", []string{"no END line"}},
		{"a file of 20 MB", "read", with(func(f *settingsForm) { f.file = make([]byte, 20_000_000) }),
			"source", []string{"more than 4 MiB", "Federation Metadata XML"}},
		{"a login URL without end", "save",
			with(func(f *settingsForm) { f.loginURL = "https://login.example.com/" + strings.Repeat("x", 20_000) }),
			"login_url", []string{"too long"}},
		{"an address in the paste box", "read",
			with(func(f *settingsForm) { f.pasted = "https://login.microsoftonline.com/x/federationmetadata.xml" }),
			"source", []string{"this is an address", "Metadata URL"}},
		{"an empty file", "read", good, "source", []string{"this is empty"}},
		{"nothing at all", "save", settingsForm{}, "form", []string{"nothing is filled in"}},
		{"a fetch without an address", "fetch", good, "metadata_url",
			[]string{"the address is missing", "App Federation Metadata Url"}},
		{"a control character", "save", with(func(f *settingsForm) { f.entityID = "https://sts.example/\x00" }),
			"entity_id", []string{"cannot be shown"}},
		{"a certificate that ended, without saying that it is meant", "save", with(func(f *settingsForm) {
			f.certificate = certificatePEM(newCertificate(t, "old", now.AddDate(-3, 0, 0), now.AddDate(0, 0, -2)))
		}), "alert", []string{"Nothing was saved", "has ended"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := w.admin()
			b.t = t
			before := w.state()
			b.submit(test.act, test.form)
			b.want(http.StatusUnprocessableEntity)
			id := "problem-" + test.field
			if test.field == "alert" {
				id = "alert"
			}
			for _, part := range test.says {
				if got := b.last.text(id); !strings.Contains(strings.ToLower(got), strings.ToLower(part)) {
					t.Errorf("#%s: got %q, want %q", id, got, part)
				}
			}
			if after := w.state(); !reflect.DeepEqual(after, before) {
				t.Errorf("the settings changed: got %+v, want %+v", after, before)
			}
			got := b.last.form()
			if got.entityID != strings.ReplaceAll(test.form.entityID, "\x00", "�") ||
				got.loginURL != test.form.loginURL && len(test.form.loginURL) < 10_000 {
				t.Errorf("the form came back with %q and %q, want what was typed, %q and %q", got.entityID,
					got.loginURL, test.form.entityID, test.form.loginURL)
			}
			if strings.Contains(b.last.body, "PRIVATE KEY-----") {
				t.Error("the page shows the private key")
			}
			if keep := strings.TrimSpace(test.form.certificate); !strings.Contains(keep, "PRIVATE KEY") &&
				strings.TrimSpace(got.certificate) != keep {
				t.Errorf("the certificate came back as %q, want %q", got.certificate, keep)
			}
		})
	}
}

// TestEndedCertificate has an expired certificate that is meant: Entra goes on signing with it.
func TestEndedCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.advance(4 * 365 * 24 * time.Hour) // the certificate of the identity provider was made for three years
	b := w.admin()
	b.submit("read", settingsForm{file: w.metadata()})
	b.want(http.StatusOK)
	b.wantText("preview", "ended", "accepted all the same")
	f := b.last.form()
	f.ended = b.last.input("accept_ended")
	b.submit("save", f)
	b.wantText("done", "The settings are saved")
	b.test()
	b.wantText("verdict", "Passed")
}

// TestTenantWideMetadata has keys of the whole cloud: they can be saved, since a library cannot
// know, but not without a warning.
func TestTenantWideMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	der := newCertificate(t, "accounts.accesscontrol.windows.net", time.Now().Add(-time.Hour),
		time.Now().AddDate(5, 0, 0))
	ours := base64.StdEncoding.EncodeToString(w.idp.Certificates()[0])
	b.submit("read", settingsForm{file: bytes.ReplaceAll(w.metadata(), []byte(ours),
		[]byte(base64.StdEncoding.EncodeToString(der)))})
	b.want(http.StatusOK)
	b.wantText("preview", "whole Microsoft cloud", "SAML Certificates")
	if w.state().Version != 0 {
		t.Error("the preview changed the settings")
	}
}

// TestSHA1 has an identity provider that signs with SHA-1: the test says so, and Enable does not
// pass over it.
func TestSHA1(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.save()
	id := b.request("/settings/sso/test", b.version())
	b.finish(w.answer(samltest.Answer{RequestID: id, Algorithm: samltest.RSASHA1}))
	b.wantText("verdict", "Failed", "signature")
	b.wantText("failure-code", "signature_algorithm")
	b.wantText("failure-hint", "Signing Algorithm: SHA-256")
	b.post("/settings/sso/enable", b.version())
	b.want(http.StatusUnprocessableEntity)
	b.wantText("alert", "Nothing was enabled", "no test sign-in has passed")
	if w.state().Enabled() {
		t.Error("enabled without a passed test")
	}
	b.post("/settings/sso/enable", b.version("confirm", "yes"))
	b.want(http.StatusUnprocessableEntity)
}

// TestTwoAdministrators has two pages that were opened before either was used.
func TestTwoAdministrators(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.admin(), w.admin()
	first.submit("read", settingsForm{file: w.metadata()})
	second.submit("read", settingsForm{file: w.metadata()})
	first.submit("save", first.last.form())
	first.wantText("done", "saved")
	saved := w.state()

	f := second.last.form()
	f.loginURL = "https://login.example.com/other"
	second.submit("save", f)
	second.want(http.StatusConflict)
	second.wantText("alert", "Nothing was saved", "were saved by admin", "What you typed is below")
	if !reflect.DeepEqual(w.state(), saved) {
		t.Error("the second one overwrote the first")
	}
	if got := second.last.form(); got.loginURL != f.loginURL {
		t.Errorf("what was typed is lost: got %q", got.loginURL)
	}
	for _, act := range []string{"test", "enable", "disable", "discard", "delete"} {
		second.post("/settings/sso/"+act, url.Values{"version": {"0"}, "confirm": {"enable untested"}})
		second.want(http.StatusConflict)
		second.wantText("alert", "Nothing was done", "were saved by admin")
	}
	if !reflect.DeepEqual(w.state(), saved) {
		t.Error("an old page changed the settings")
	}

	second.submit("save", f) // an old version still
	second.want(http.StatusConflict)
	second.submit("save", second.last.form()) // having read the message
	second.wantText("done", "saved")
	if got := w.state().Saved.LoginURL; got != f.loginURL {
		t.Errorf("got %q, want %q", got, f.loginURL)
	}
}

// TestDatabaseGone has a database that stops to answer while somebody saves, or altogether.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.submit("read", settingsForm{file: w.metadata()})
	f := b.last.form()
	before := w.state()

	other, err := sql.Open("sqlite", w.file)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(t.Context(),
		"CREATE TRIGGER gone BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'gone'); END"); err != nil {
		t.Fatal(err)
	}
	check := func(why string, says ...string) {
		t.Helper()
		b.submit("save", f)
		b.want(http.StatusServiceUnavailable)
		b.wantText("alert", says...)
		if got := b.last.form(); !reflect.DeepEqual(got, f) {
			t.Errorf("%s: the form came back as %+v, want %+v", why, got, f)
		}
	}
	check("the change fails", "It is not known whether this was saved", "Look at the settings")
	if !reflect.DeepEqual(w.state(), before) {
		t.Error("half of the settings were saved")
	}
	if _, err := other.ExecContext(t.Context(), "DROP TRIGGER gone"); err != nil {
		t.Fatal(err)
	}
	w.db.Close()
	check("nothing answers", "Nothing was saved", "the database does not answer")
	b.get("/readyz")
	b.want(http.StatusServiceUnavailable)
	b.get("/healthz")
	b.want(http.StatusOK)
	b.get("/")
	b.want(http.StatusServiceUnavailable)

	w.db = w.open()
	w.console = w.newConsole(w.db)
	b.submit("save", f)
	b.wantText("done", "saved")
}

// TestWritingFails has a database that fails while something is written. Whether it was kept nobody
// knows then, and no page says that it was not.
func TestWritingFails(t *testing.T) {
	t.Parallel()
	w, b := enabled(t)
	w.browser().signIn("/")
	accounts, err := w.db.Accounts(t.Context(), 10)
	if err != nil || len(accounts) != 1 {
		t.Fatalf("got accounts %+v, %v, want one", accounts, err)
	}
	b.submit("save", settingsForm{version: w.state().Version, entityID: "https://idp.example/",
		loginURL: "https://idp.example/login", certificate: string(w.idp.CertificatePEM())})
	b.wantText("done", "saved") // so that there is something to discard
	for _, table := range []string{"state", "account", "administrator"} {
		for _, act := range []string{"INSERT", "UPDATE"} {
			w.exec("CREATE TRIGGER " + table + act + " BEFORE " + act + " ON " + table +
				" BEGIN SELECT RAISE(ABORT, 'no'); END")
		}
	}
	for path, form := range map[string]url.Values{
		"/settings/sso/enable":  b.version("confirm", "enable untested"),
		"/settings/sso/disable": b.version(),
		"/settings/sso/discard": b.version(),
		"/settings/sso/delete":  b.version("confirm", "delete"),
		"/settings/users/add":   {"email": {"somebody@example.com"}},
		"/settings/users/end":   {"account": {accounts[0].ID}},
		"/settings/administrator": {"current": {adminPassword}, "new": {"a long new password"},
			"repeated": {"a long new password"}},
	} {
		b.post(path, form)
		b.want(http.StatusServiceUnavailable)
		b.wantText("message-title", "It is not known whether this was saved")
		b.wantText("message-text", "Look at the settings before you try again")
		link := regexp.MustCompile(`href="(/settings/\w+)"[^>]*>Look at the settings<`).FindStringSubmatch(b.last.body)
		if link == nil || !strings.HasPrefix(path, link[1]) {
			t.Errorf("%s leads to %q, want the page of the form", path, link)
			continue
		}
		b.get(link[1])
		b.want(http.StatusOK)
	}
}

// TestSessionEndedWhileTyping keeps what was typed, pasted and uploaded by an administrator whose
// session has just ended, however it did.
func TestSessionEndedWhileTyping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, end := range map[string]func(b *browser){
		"by another browser's change of the password": func(*browser) { w.exec("DELETE FROM admin_session") },
		"by a sign-out in another tab":                func(b *browser) { b.post("/sign-out", nil) },
		"by itself":                                   func(*browser) { w.exec("UPDATE admin_session SET seen_at = 0") },
	} {
		t.Run(name, func(t *testing.T) {
			b := w.admin()
			b.t = t
			end(b)
			f := settingsForm{version: w.state().Version, entityID: "https://idp.example/",
				loginURL: "https://idp.example/login", certificate: "half of a cert", metadataURL: "https://idp.example/metadata", pasted: "<half of a document"}
			b.submit("save", f)
			b.want(http.StatusUnauthorized)
			b.wantText("alert", "Nothing was saved", "your session as administrator has ended")
			if got := b.last.form(); !reflect.DeepEqual(got, f) {
				t.Errorf("the form came back as %+v, want %+v", got, f)
			}
			document := w.metadata()
			b.submit("save", settingsForm{version: w.state().Version, file: document})
			b.want(http.StatusUnauthorized)
			if got := b.last.form(); got.entityID != w.idp.EntityID() ||
				got.document != base64.StdEncoding.EncodeToString(document) {
				t.Errorf("the file is lost: got %q", got.entityID)
			}
			kept := b.last.form()
			b.post("/sign-in", signInForm(adminPassword))
			b.submit("save", kept)
			b.wantText("done", "saved")
			w.exec("UPDATE state SET saved = ''")
		})
	}
}

// TestSingleSignOnWhileTyping has a settings form in one tab, and another in which single sign-on
// signs the same person in after the session as administrator has ended: what was typed is still
// there.
func TestSingleSignOnWhileTyping(t *testing.T) {
	t.Parallel()
	w, b := enabled(t)
	w.exec("UPDATE admin_session SET seen_at = 0")
	b.signIn("/jobs")
	b.want(http.StatusOK)
	if !b.signedIn() {
		t.Fatal("the user is not signed in")
	}
	f := settingsForm{version: w.state().Version, entityID: "https://idp.example/",
		loginURL: "https://idp.example/login", certificate: "half of a cert"}
	b.submit("save", f)
	b.want(http.StatusUnauthorized)
	b.wantText("alert", "Nothing was saved", "your session as administrator has ended")
	if got := b.last.form(); !reflect.DeepEqual(got, f) {
		t.Errorf("the form came back as %+v, want %+v", got, f)
	}
	if b.get("/settings/sso"); b.last.url.Path != "/sign-in" {
		t.Errorf("the user sees %s", b.last.url)
	}
	// Signing in again does not make it count longer: a day after the administrator was here it is
	// over.
	w.advance(23 * time.Hour)
	b.signIn("/jobs")
	w.advance(2 * time.Hour)
	b.submit("save", f)
	b.want(http.StatusUnauthorized)
	if b.last.form().entityID != "" {
		t.Error("a day later the form still comes back")
	}
}

// TestStrangersForm has settings forms of people whom this console has never signed in: no page
// holds anything of them, and no more of them is read than of any small form.
func TestStrangersForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.admin()
	forged := func(value string) *http.Cookie { return &http.Cookie{Name: "__Host-dataplane-admin", Value: value} }
	genuine := old.client.Jar.Cookies(mustParse(w.server.URL))
	i := slices.IndexFunc(genuine, func(c *http.Cookie) bool { return c.Name == "__Host-dataplane-admin" })
	signed := genuine[i].Value
	old.post("/sign-out", nil)
	w.advance(25 * time.Hour)
	large, contentType := strangersForm(t, 4<<20-4096)
	for _, row := range []struct {
		name   string
		cookie *http.Cookie
	}{
		{"without a cookie", nil},
		{"with a cookie that nobody made", forged("AAAA.1700000000.AAAA")},
		{"with a cookie whose token was changed", forged("X" + signed[1:])},
		{"with a cookie of the day before", forged(signed)},
	} {
		for _, act := range []string{"read", "fetch", "preview", "save"} {
			body := &counter{Reader: bytes.NewReader(large)}
			r := httptest.NewRequest(http.MethodPost, w.server.URL+"/settings/sso/"+act, body)
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if row.cookie != nil {
				r.AddCookie(row.cookie)
			}
			answer := httptest.NewRecorder()
			w.console.ServeHTTP(answer, r)
			page := answer.Body.String()
			if answer.Code != http.StatusUnauthorized || !strings.Contains(page, "/sign-in") || len(page) > 8<<10 ||
				strings.Contains(page, "&lt;&lt;&lt;") {
				t.Errorf("%s, %s: got status %d and %d bytes, want %d and a small page that leads to the sign-in",
					row.name, act, answer.Code, len(page), http.StatusUnauthorized)
			}
			if body.n > 64<<10+1 {
				t.Errorf("%s, %s: %d bytes were read, want 64 KiB at most", row.name, act, body.n)
			}
		}
	}
	// A small one, too, comes back to nobody.
	b := w.browser()
	b.submit("save", settingsForm{entityID: "https://somebody.example/"})
	b.want(http.StatusUnauthorized)
	if strings.Contains(b.last.body, "somebody.example") {
		t.Error("a stranger's form comes back")
	}
}

// A counter counts what is read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// TestLargeForms has more large uploads at once than are read at once: all are answered, and no
// more than one is in memory.
func TestLargeForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	var cookie string
	for _, c := range admin.client.Jar.Cookies(mustParse(w.server.URL)) {
		cookie += c.Name + "=" + c.Value + "; "
	}
	gate, inside := make(chan struct{}), make(chan struct{}, 10)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			body, contentType := strangersForm(t, 200<<10)
			r := httptest.NewRequest(http.MethodPost, w.server.URL+"/settings/sso/preview",
				&gated{Reader: bytes.NewReader(body), gate: gate, inside: inside})
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Cookie", cookie)
			answer := httptest.NewRecorder()
			w.console.ServeHTTP(answer, r)
			if answer.Code != http.StatusUnprocessableEntity {
				t.Errorf("got status %d, want %d", answer.Code, http.StatusUnprocessableEntity)
			}
		})
	}
	<-inside
	if got := console.LargeForms(w.console); got != 1 {
		t.Errorf("%d large forms are being read, want 1", got)
	}
	select {
	case <-inside:
		t.Error("a second large form is being read")
	default:
	}
	close(gate)
	all.Wait()
}

// TestSlowUpload has a form that takes longer to arrive than an answer may take: it is looked at
// all the same.
func TestSlowUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	const most = 2 * time.Second
	console.SetAnswerTime(w.console, most)
	for _, act := range []string{"read", "fetch", "preview", "save"} {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			var body bytes.Buffer
			m := multipart.NewWriter(&body)
			file, err := m.CreateFormFile("file", "metadata.xml")
			if err == nil {
				_, err = file.Write(w.metadata())
			}
			if err := errors.Join(err, m.WriteField("version", fmt.Sprint(w.state().Version)), m.Close()); err != nil {
				t.Fatal(err)
			}
			half := int64(body.Len() / 2)
			r := httptest.NewRequest(http.MethodPost, w.server.URL+"/settings/sso/"+act,
				io.MultiReader(io.LimitReader(&body, half), late{most + 200*time.Millisecond}, &body))
			r.ContentLength = 2 * half
			r.Header.Set("Content-Type", m.FormDataContentType())
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			for _, c := range admin.client.Jar.Cookies(mustParse(w.server.URL)) {
				r.AddCookie(c)
			}
			answer := httptest.NewRecorder()
			w.console.ServeHTTP(answer, r)
			if answer.Code != http.StatusOK && answer.Code != http.StatusSeeOther {
				t.Errorf("got status %d: %s", answer.Code, page{body: answer.Body.String()}.text("alert"))
			}
		})
	}
}

// late has nothing to read, and takes its time to say so.
type late struct{ time.Duration }

func (l late) Read([]byte) (int, error) {
	time.Sleep(l.Duration)
	return 0, io.EOF
}

// gated tells when it is read first, and then waits.
type gated struct {
	io.Reader
	gate   chan struct{}
	inside chan struct{}
	begun  bool
}

func (g *gated) Read(b []byte) (int, error) {
	if !g.begun {
		g.begun = true
		g.inside <- struct{}{}
		<-g.gate
	}
	return g.Reader.Read(b)
}

// TestAnyButtonReads: what was pasted, or chosen, or dropped, is read by whichever button is
// pressed, in a form that is empty or has the saved settings.
func TestAnyButtonReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.newDirectory(samltest.Options{})
	document, err := other.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	b := w.admin()
	certificate := certificatePEM(newCertificate(t, "next", time.Now().Add(-time.Hour), time.Now().AddDate(3, 0, 0)))
	for _, filled := range []bool{false, true} {
		for _, act := range []string{"read", "fetch", "preview", "save"} {
			for _, given := range []struct {
				name   string
				source settingsForm
			}{
				{"pasted metadata", settingsForm{pasted: string(document)}},
				{"a file", settingsForm{file: document}},
				{"a pasted certificate", settingsForm{pasted: certificate}},
				{"the same as file and text", settingsForm{file: document, pasted: string(document) + "\n"}},
			} {
				t.Run(fmt.Sprint(given.name, ", ", act, ", over saved settings: ", filled), func(t *testing.T) {
					w.exec("UPDATE state SET saved = ''")
					b.t = t
					f := settingsForm{version: w.state().Version}
					if filled {
						b.save()
						f = b.get("/settings/sso").form()
					} else if given.source.pasted == certificate {
						f.entityID, f.loginURL = w.idp.EntityID(), w.idp.LoginURL()
					}
					f.file, f.pasted = given.source.file, given.source.pasted
					before := w.state().Version
					b.submit(act, f)
					b.want(http.StatusOK)
					wantID, wantCertificate := other.EntityID(), string(other.CertificatePEM())
					if given.source.pasted == certificate {
						wantID, wantCertificate = w.idp.EntityID(), certificate
					}
					if act == "save" {
						b.wantText("done", "The settings are saved")
						if s := w.state(); s.Version != before+1 || s.Saved.EntityID != wantID ||
							strings.TrimSpace(s.Saved.Certificates) != strings.TrimSpace(wantCertificate) {
							t.Errorf("saved: got %+v, want %s", s.Saved, wantID)
						}
						return
					}
					got := b.last.form()
					if got.entityID != wantID ||
						strings.TrimSpace(got.certificate) != strings.TrimSpace(wantCertificate) || got.pasted != "" {
						t.Errorf("the form has %+v, want %s", got, wantID)
					}
					b.wantText("preview", wantID)
					if w.state().Version != before {
						t.Error("something was saved")
					}
				})
			}
		}
	}
}

// TestTwoSources: where two different things were given, the page does not guess, and nothing is
// lost.
func TestTwoSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fetch = func(context.Context, string) ([]byte, error) { return w.metadata(), nil }
	b := w.admin()
	for _, row := range []struct {
		act  string
		form settingsForm
		says string
	}{
		{"read", settingsForm{file: w.metadata(), pasted: "other"}, "a file was chosen and a text was pasted"},
		{"preview", settingsForm{file: w.metadata(), pasted: "other"}, "a file was chosen and a text was pasted"},
		{"save", settingsForm{file: w.metadata(), pasted: "other"}, "a file was chosen and a text was pasted"},
		{"fetch", settingsForm{metadataURL: "https://idp.example/metadata", pasted: "other"},
			"there is an address to fetch, and a file or a pasted text too"},
	} {
		b.submit(row.act, row.form)
		b.want(http.StatusUnprocessableEntity)
		if got := b.last.text("problem-source"); !strings.Contains(strings.ToLower(got), row.says) {
			t.Errorf("%s: got %q, want %q", row.act, got, row.says)
		}
		if got := b.last.form(); got.pasted != "other" || got.metadataURL != row.form.metadataURL {
			t.Errorf("%s: the form came back as %+v", row.act, got)
		}
	}
	if w.state().Version != 0 {
		t.Error("something was saved")
	}
	// an address alone leaves nothing to guess
	b.submit("save", settingsForm{metadataURL: "https://idp.example/metadata"})
	b.wantText("done", "saved")
	if s := w.state(); s.Saved.EntityID != w.idp.EntityID() || s.Saved.MetadataURL != "https://idp.example/metadata" {
		t.Errorf("got %+v", s.Saved)
	}
}

// TestEndedIsNotMeantForOthers: the tick that says that ended certificates are meant counts for
// those that it was shown with, however others came into the form after it.
func TestEndedIsNotMeantForOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.advance(4 * 365 * 24 * time.Hour)
	w.fetch = func(context.Context, string) ([]byte, error) { return w.metadata(), nil }
	old := func(name string) string {
		return certificatePEM(newCertificate(t, name, w.now().AddDate(-3, 0, 0), w.now().AddDate(0, 0, -2)))
	}
	b := w.admin()
	shown := settingsForm{entityID: w.idp.EntityID(), loginURL: w.idp.LoginURL(), certificate: old("shown")}
	b.submit("preview", shown)
	b.want(http.StatusOK)
	tick := b.last.input("accept_ended")
	if tick == "" {
		t.Fatal("there is nothing to tick")
	}
	for _, row := range []struct {
		name   string
		change func(f *settingsForm)
	}{
		{"a file", func(f *settingsForm) { f.file = w.metadata() }},
		{"a pasted text", func(f *settingsForm) { f.pasted = old("pasted") }},
		{"another certificate in its field", func(f *settingsForm) { f.certificate = old("other") }},
		{"one more certificate in its field", func(f *settingsForm) { f.certificate += old("other") }},
		{"an address alone", func(f *settingsForm) {
			*f = settingsForm{metadataURL: "https://idp.example/metadata", ended: f.ended}
		}},
		{"a tick without the certificates it was shown with", func(f *settingsForm) { f.ended = "yes" }},
		{"no tick", func(f *settingsForm) { f.ended = "" }},
	} {
		f := shown
		f.ended = tick
		row.change(&f)
		b.submit("save", f)
		if b.last.status != http.StatusUnprocessableEntity || !strings.Contains(b.last.text("alert"),
			"every certificate here has ended") || w.state().Version != 0 {
			t.Errorf("%s: got status %d, %q, want it refused", row.name, b.last.status, b.last.text("alert"))
		}
		if !b.last.has("accept-ended") {
			t.Errorf("%s: there is nothing to tick", row.name)
		}
	}
	shown.ended = tick
	b.submit("save", shown)
	b.wantText("done", "The settings are saved")
}

// TestProblemsAreSummedUp: wherever a problem belongs, the place that the form leads to names it,
// with a way to the field.
func TestProblemsAreSummedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.submit("preview", settingsForm{entityID: w.console.RedirectURL(), loginURL: "http://login.example.com/",
		certificate: "hello"})
	b.want(http.StatusUnprocessableEntity)
	b.wantText("summary", "Entity ID", "Single Sign-On URL", "X.509 certificate", "our own Redirect URL", "not https")
	for _, part := range []string{`href="#entity-id"`, `href="#login-url"`, `href="#certificate"`} {
		if !strings.Contains(b.last.body, part) {
			t.Errorf("the summary lacks %s", part)
		}
	}
	for _, row := range []struct {
		name, before string // what #result stands before
		show         func()
	}{
		{"problems", `id="summary"`, func() {}},
		{"a preview", `id="preview"`, func() { b.submit("read", settingsForm{file: w.metadata()}) }},
		{"an alert", `id="alert"`, func() { f := b.last.form(); f.version = 99; b.submit("save", f) }},
	} {
		row.show()
		at := strings.Index(b.last.body, `id="result"`)
		next := strings.Index(b.last.body, row.before)
		if at < 0 || next < at || next-at > 200 || strings.Count(b.last.body, `id="result"`) != 1 {
			t.Errorf("%s: #result is at %d and %s at %d, want it just before", row.name, at, row.before, next)
		}
	}
	for _, action := range []string{`action="/settings/sso/preview#result"`, `formaction="/settings/sso/save#result"`,
		`formaction="/settings/sso/read#result"`, `formaction="/settings/sso/fetch#result"`} {
		b.submit("read", settingsForm{file: w.metadata()})
		if !strings.Contains(b.last.body, action) {
			t.Errorf("the page lacks %s", action)
		}
	}
}

// TestCrossSite has forms of other sites: none changes anything, whoever is signed in.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	b.save()
	before := w.state()
	f := settingsForm{version: before.Version, entityID: "https://evil.example/", loginURL: "https://evil.example/",
		certificate: string(w.idp.CertificatePEM()), metadataURL: "https://evil.example/"}
	for _, site := range []string{"cross-site", "same-site"} {
		b.site = site
		for _, act := range []string{"read", "fetch", "preview", "save"} {
			b.submit(act, f)
			b.want(http.StatusForbidden)
		}
		for _, path := range []string{"/settings/sso/test", "/settings/sso/enable", "/settings/sso/disable",
			"/settings/sso/discard", "/settings/sso/delete",
			"/settings/users/end", "/settings/users/add", "/settings/administrator", "/sign-in", "/sign-out"} {
			b.post(path, b.version("confirm", "enable untested"))
			b.want(http.StatusForbidden)
		}
	}
	if !reflect.DeepEqual(w.state(), before) {
		t.Error("another site changed the settings")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/settings/sso/delete",
		strings.NewReader(b.version("confirm", "delete").Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://evil.example") // a browser without Sec-Fetch-Site
	b.site = ""
	b.do(r)
	b.want(http.StatusForbidden)
	b.site = "same-origin"
	b.get("/settings/sso")
	b.want(http.StatusOK)
}

// TestWrongCertificateEnabled has settings that let nobody in: the administrator still gets in, and
// sees why.
func TestWrongCertificateEnabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.admin()
	wrong := certificatePEM(newCertificate(t, "another application's", time.Now().Add(-time.Hour),
		time.Now().AddDate(3, 0, 0)))
	b.submit("save", settingsForm{entityID: w.idp.EntityID(), loginURL: w.idp.LoginURL(), certificate: wrong})
	b.wantText("done", "saved")
	b.post("/settings/sso/enable", b.version("confirm", "enable untested"))
	b.wantText("done", "Single sign-on is enabled")
	b.post("/sign-out", nil)

	user := w.browser()
	user.signIn("/")
	user.want(http.StatusForbidden)
	user.wantText("message-text", "Give your administrator the reference")
	reference := user.last.text("message-reference")
	if user.signedIn() || len(reference) != 10 {
		t.Fatalf("signed in: %t, reference %q", user.signedIn(), reference)
	}
	if strings.Contains(user.last.body, "thumbprint") {
		t.Error("the user sees what is for the administrator")
	}

	b = w.admin()
	b.get("/settings/sso")
	b.wantText("recent", "refused", string(saml.CodeSignatureAlgorithm), reference, "In Entra")
	b.get("/settings/sso/log?reference=" + strings.ToLower(reference))
	b.wantText("log", "refused", reference)
	b.get("/settings/sso/log?reference=AAAAAAAAAA")
	b.wantText("no-sign-ins", "There is no sign-in with this reference")

	b.get("/settings/sso")
	b.submit("read", settingsForm{version: w.state().Version, file: w.metadata()})
	b.submit("save", b.last.form())
	b.test()
	b.wantText("verdict", "Passed")
	b.post("/settings/sso/enable", b.version())
	user.signIn("/")
	user.want(http.StatusOK)
}

// TestAllFaultsAtOnce: whoever pastes three wrong values learns of all three, each beside its
// field, and not of one after the other.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const login, issuer = "https://login.microsoftonline.com/8aef4c87-1a42-4f3b-9a0f-0d6f24f6a2f6/saml2", "https://sts.windows.net/8aef4c87-1a42-4f3b-9a0f-0d6f24f6a2f6/"
	for name, test := range map[string]struct {
		form settingsForm
		says map[string]string
	}{
		"both addresses in each other's place, and a thumbprint": {settingsForm{entityID: login, loginURL: issuer,
			certificate: "A78C6984CA9557E9AF2D80CB237429F6D0AA179F"},
			map[string]string{"entity_id": "the entity ID is the Login URL",
				"login_url": "the login URL is the Microsoft Entra Identifier", "certificate": "thumbprint"}},
		"our own name, http, and no certificate": {settingsForm{entityID: w.console.RedirectURL(),
			loginURL: "http://login.example.com/saml2"},
			map[string]string{"entity_id": "our own Redirect URL", "login_url": "not https",
				"certificate": "the certificate is empty"}},
		"a certificate alone": {settingsForm{certificate: string(w.idp.CertificatePEM())},
			map[string]string{"entity_id": "is missing", "login_url": "is missing"}},
	} {
		b := w.admin()
		b.submit("save", test.form)
		b.want(http.StatusUnprocessableEntity)
		for field, want := range test.says {
			if got := b.last.text("problem-" + field); !strings.Contains(strings.ToLower(got), strings.ToLower(want)) {
				t.Errorf("%s: beside %s stands %q, want %q", name, field, got, want)
			}
		}
	}
}
