//go:build idp

package idp

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// A browser is one without a screen and without scripts. It keeps cookies, follows redirects, types
// a user's name and password where a page asks for them, and submits the forms that a script would
// submit. It sends the Sec-Fetch headers of a real one.
type browser struct {
	http      *http.Client
	passwords int      // how many times a password was typed since visit was called
	inside    string   // "iframe" or "image" while one is loaded, "" for the page itself
	bindings  []string // how messages traveled, such as "SAMLRequest by redirect"
	messages  []string // the SAML messages that traveled, as XML, for the log of a failure
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{}
	b.http = &http.Client{Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			b.note(r.URL.Query(), "redirect")
			if len(via) > 20 {
				return fmt.Errorf("more than 20 redirects, the last to %s", r.URL)
			}
			return nil
		}}
	return b
}

// A page is where a browser arrived.
type page struct {
	url    *url.URL
	status int
	body   []byte
	root   *html.Node
}

// mostPages is how many pages a sign-in may show: more means that it goes in circles.
const mostPages = 20

// visit opens an address and goes on until a page has nothing to submit, or refuses the password.
func (b *browser) visit(t *testing.T, address, user, password string) page {
	t.Helper()
	b.passwords, b.messages, b.bindings = 0, nil, nil
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.follow(t, b.open(t, r, nil), user, password)
}

// follow goes on from a page until one has nothing to submit, or refuses the password.
func (b *browser) follow(t *testing.T, p page, user, password string) page {
	t.Helper()
	typed := false // the page is the answer to a password
	for range mostPages {
		if next, ok := p.next(); ok {
			p = b.goOn(t, p, next)
			continue
		}
		f, ok := p.form()
		if !ok || f.password != "" && (typed || user == "") { // then it was wrong, or nobody wants to sign in
			return p
		}
		if typed = f.password != ""; typed {
			b.passwords++
			if f.user != "" { // a page that asks for the password again knows the user
				f.values.Set(f.user, user)
			}
			f.values.Set(f.password, password)
		}
		p = b.submit(t, p, f)
	}
	t.Fatalf("after %d pages it still goes on, at %s\n%.3000s", mostPages, p.url, p.body)
	return page{}
}

// goOn opens the address that a page leads to by itself.
func (b *browser) goOn(t *testing.T, from page, next *url.URL) page {
	t.Helper()
	b.note(next.Query(), "redirect")
	r, err := http.NewRequest(http.MethodGet, next.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.open(t, r, from.url)
}

func (b *browser) submit(t *testing.T, from page, f form) page {
	t.Helper()
	action, err := from.url.Parse(f.action)
	if err != nil {
		t.Fatal(err)
	}
	b.note(f.values, "form")
	r, err := http.NewRequest(http.MethodPost, action.String(), strings.NewReader(f.values.Encode()))
	if f.method == http.MethodGet {
		action.RawQuery = f.values.Encode()
		r, err = http.NewRequest(http.MethodGet, action.String(), nil)
	} else if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", from.url.Scheme+"://"+from.url.Host)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.open(t, r, from.url)
}

func (b *browser) open(t *testing.T, r *http.Request, from *url.URL) page {
	t.Helper()
	site := "none"
	switch {
	case from == nil:
	case from.Host == r.URL.Host:
		site = "same-origin"
	case from.Hostname() == r.URL.Hostname():
		site = "same-site"
	default:
		site = "cross-site"
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	r.Header.Set("Sec-Fetch-Site", site)
	mode, dest := "navigate", cmp.Or(b.inside, "document")
	if dest == "image" {
		mode = "no-cors"
	}
	r.Header.Set("Sec-Fetch-Mode", mode)
	r.Header.Set("Sec-Fetch-Dest", dest)
	if r.Method == http.MethodPost && site == "cross-site" {
		jar := b.http.Jar
		b.http.Jar = &crossSite{CookieJar: jar}
		defer func() { b.http.Jar = jar }()
	}
	response, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	p := page{url: response.Request.URL, status: response.StatusCode}
	if p.body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	if p.root, err = html.Parse(bytes.NewReader(p.body)); err != nil {
		t.Fatal(err)
	}
	return p
}

// crossSite is the jar of a POST that another site begins. Cookies with SameSite=Lax, which is the
// default, do not go with the POST itself, but do with a GET that it is redirected to.
type crossSite struct {
	http.CookieJar
	posted bool
}

func (c *crossSite) Cookies(u *url.URL) []*http.Cookie {
	if !c.posted {
		c.posted = true
		return nil
	}
	return c.CookieJar.Cookies(u)
}

// note keeps the messages of a form or of an address.
func (b *browser) note(values url.Values, binding string) {
	for _, name := range []string{"SAMLRequest", "SAMLResponse"} {
		if values.Has(name) {
			b.bindings = append(b.bindings, name+" by "+binding)
		}
		if data, err := base64.StdEncoding.DecodeString(values.Get(name)); err == nil && len(data) > 0 {
			if text, err := io.ReadAll(flate.NewReader(bytes.NewReader(data))); err == nil {
				data = text
			}
			if m := name + ": " + string(data); !slices.Contains(b.messages, m) {
				b.messages = append(b.messages, m)
			}
		}
	}
}

var refresh = regexp.MustCompile(`<noscript><meta http-equiv="refresh" content="0;url=([^"]*)">`)

// next returns the address that a page of the service leads browsers without scripts to.
func (p page) next() (*url.URL, bool) {
	m := refresh.FindSubmatch(p.body)
	if m == nil {
		return nil, false
	}
	u, err := p.url.Parse(html.UnescapeString(string(m[1])))
	return u, err == nil
}

// A form is what a page can submit.
type form struct {
	method, action string
	values         url.Values
	user, password string // names of the two fields, if the form asks for a password
}

// form returns the form of a page that a user or a script would submit: the one with a password,
// else the one with a SAML message, else the first that posts nothing but hidden fields. An error
// page has none.
func (p page) form() (form, bool) {
	var hidden, message *form
	for n := range elements(p.root, "form") {
		f := form{method: strings.ToUpper(attribute(n, "method")), action: attribute(n, "action"), values: url.Values{}}
		text, pressed := "", false
		for field := range n.Descendants() {
			name, kind := attribute(field, "name"), strings.ToLower(attribute(field, "type"))
			switch {
			case field.Type != html.ElementNode || name == "" || field.Data != "input" && field.Data != "button":
			case kind == "password":
				f.password = name
			case kind == "checkbox" || kind == "radio":
			case kind == "submit" || field.Data == "button":
				if !pressed && name != "" {
					f.values.Add(name, attribute(field, "value"))
				}
				pressed = true
			case kind == "hidden":
				f.values.Add(name, attribute(field, "value"))
			case text == "":
				text = name
			}
		}
		f.user = text
		switch {
		case f.password != "":
			return f, true
		case f.values.Has("SAMLRequest") || f.values.Has("SAMLResponse"):
			message = &f
		case f.method == http.MethodPost && text == "" && hidden == nil:
			hidden = &f
		}
	}
	switch {
	case message != nil:
		return *message, true
	case hidden != nil && p.status < 400:
		return *hidden, true
	}
	return form{}, false
}

// text is what a user reads on the page. Texts that a script would fill in are numbers:
// LemonLDAP::NG has them in trmsg="number".
func (p page) text() string {
	var words []string
	for n := range p.root.Descendants() {
		if number := attribute(n, "trmsg"); number != "" {
			words = append(words, "message "+number)
		}
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}

func elements(root *html.Node, name string) func(func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for n := range root.Descendants() {
			if n.Type == html.ElementNode && n.Data == name && !yield(n) {
				return
			}
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
