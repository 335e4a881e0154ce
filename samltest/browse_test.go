package samltest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/iomete/saml/samltest"
)

// ExampleSignIn is a whole sign-in of a test. startConsole stands for the service provider under
// test.
func ExampleSignIn() {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		panic(err)
	}
	provider := httptest.NewTLSServer(idp)
	defer provider.Close()
	idp.SetBaseURL(provider.URL)
	idp.SignInAs(samltest.DefaultUsers()[0])
	app := startConsole(idp)
	defer app.Close()

	client := app.Client()
	client.Jar, _ = cookiejar.New(nil) // never fails
	page, err := samltest.SignIn(client, app.URL+"/jobs")
	if err != nil {
		panic(err)
	}
	defer page.Body.Close()
	text, _ := io.ReadAll(page.Body)
	fmt.Println(page.StatusCode, page.Request.URL.Path, string(text))
	// Output: 200 /jobs ioana.turcanu@example.com reads /jobs
}

// TestSignInSaysWhatStopsIt: what a test forgot, or what the identity provider refuses, is the error;
// what the service answers is the page.
func TestSignInSaysWhatStopsIt(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	provider := httptest.NewTLSServer(idp)
	t.Cleanup(provider.Close)
	idp.SetBaseURL(provider.URL)
	app := startConsole(idp)
	t.Cleanup(app.Close)
	mux := http.NewServeMux()
	other := httptest.NewTLSServer(mux)
	t.Cleanup(other.Close)
	mux.HandleFunc("/refused", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<title>Refused</title><p id="error">no<br>seat</p>`)
	})
	mux.HandleFunc("/search", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<form method="post" action="/never"><input name="q" value=""></form>`)
	})
	mux.HandleFunc("/circle", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<form method="post" action=""><input name="SAMLResponse" value="x"/></form>`)
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("Accept"), r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest"))
	})
	client := app.Client()
	signIn := func(address string) (status int, text string, err error) {
		client.Jar, _ = cookiejar.New(nil)
		page, err := samltest.SignIn(client, address)
		if err != nil {
			return 0, "", err
		}
		defer page.Body.Close()
		body, err := io.ReadAll(page.Body)
		return page.StatusCode, string(body), err
	}
	users := samltest.DefaultUsers()
	for _, row := range []struct {
		name    string
		user    samltest.User
		address string
		status  int
		want    string // in the page or the error
	}{
		{"nobody at the provider", samltest.User{}, app.URL, 0, "call SignInAs"},
		{"a user who is not assigned", users[4], app.URL, 0, "AADSTS50105"},
		{"signed in", users[2], app.URL + "/x", 200, "tomas.novak@example.net reads /x"},
		{"an error page of the service", users[0], other.URL + "/refused", 403, "no<br>seat"},
		{"a page with another form", users[0], other.URL + "/search", 200, `name="q"`},
		{"a text", users[0], other.URL + "/headers", 200, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"},
		{"a loop", users[0], other.URL + "/circle", 0, "this is a redirect loop"},
		{"no address", users[0], "x://", 0, "unsupported protocol"},
	} {
		idp.SignInAs(row.user)
		status, text, err := signIn(row.address)
		if err != nil {
			text = err.Error()
		}
		if status != row.status || !strings.Contains(text, row.want) {
			t.Errorf("%s: got %d %s, want %d %s", row.name, status, text, row.status, row.want)
		}
	}
	for _, c := range []*http.Client{nil, {}} {
		if _, err := samltest.SignIn(c, app.URL); err == nil || !strings.Contains(err.Error(), "cookie jar") {
			t.Errorf("without a jar: got %v", err)
		}
	}
}

// TestReadFormResolvesTheAction: a browser posts a form without an action to the address of its
// page.
func TestReadFormResolvesTheAction(t *testing.T) {
	t.Parallel()
	at, err := url.Parse("https://console.example.com/saml/acs?x=1#top")
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]string{
		"":                             "https://console.example.com/saml/acs?x=1",
		"/other":                       "https://console.example.com/other",
		"next?y=2":                     "https://console.example.com/saml/next?y=2",
		"https://idp.example.com/sso#": "https://idp.example.com/sso",
	} {
		answer := func(request *http.Request) *http.Response {
			return &http.Response{Header: http.Header{"Content-Type": {"text/html"}}, Request: request,
				Body: io.NopCloser(strings.NewReader(`<form action="` + action + `"><input name="a" value="b"/></form>`))}
		}
		if form, err := samltest.ReadForm(answer(&http.Request{URL: at})); err != nil || form.Action != want {
			t.Errorf("%q: got %q, %v, want %q", action, form.Action, err, want)
		}
		if form, err := samltest.ReadForm(answer(nil)); err != nil || form.Action != action {
			t.Errorf("%q without a request: got %q, %v", action, form.Action, err)
		}
	}
}

// TestUsersHaveAttributes: a user has the claims that an administrator adds, at every sign-in.
func TestUsersHaveAttributes(t *testing.T) {
	t.Parallel()
	const role = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
	user := samltest.DefaultUsers()[0]
	user.Attributes = []samltest.Attribute{{Name: "department", Values: []string{"R&D", "Sales"}}, {Name: role}}
	idp := samltest.MustNew(t, samltest.Options{Users: []samltest.User{user}})
	for name, row := range map[string]struct {
		answer samltest.Answer
		want   string
	}{
		"of the user":   {samltest.Answer{}, "<AttributeValue>R&amp;D</AttributeValue><AttributeValue>Sales</AttributeValue>"},
		"of the answer": {samltest.Answer{Attributes: []samltest.Attribute{{Name: "department", Values: []string{"HR"}}}}, "<AttributeValue>HR</AttributeValue>"},
	} {
		row.answer.Recipient = "https://console.example.com/acs"
		document, err := idp.RespondXML(row.answer)
		if err != nil || !strings.Contains(string(document), `<Attribute Name="department">`+row.want+"</Attribute>") ||
			strings.Contains(string(document), role) {
			t.Errorf("%s: %v, got %s", name, err, document)
		}
	}
}
