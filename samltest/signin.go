package samltest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/beevik/etree"
)

// maxForms is how many forms a sign-in posts at most: one or two of the identity provider, two or
// three of a service provider.
const maxForms = 10

// SignIn opens a page of a service as a browser without scripts does, and returns the page at which
// that ends: it follows redirects and posts the forms that otherwise post themselves, of the identity
// provider and of the service provider. The caller closes the body. Whatever the service answers is returned, an error
// page too, so look at StatusCode; Request.URL is the address of the page.
//
// client needs a Jar; without one the service would never see its cookies. It must not have a
// CheckRedirect that stops. With httptest.NewTLSServer, take its Client and give it a Jar.
//
// It is an error if the identity provider refuses (with its AADSTS text), if it asks who signs in
// (call SignInAs before), and if the forms never end.
func SignIn(client *http.Client, address string) (*http.Response, error) {
	if client == nil || client.Jar == nil {
		return nil, errors.New("samltest: SignIn needs a client with a cookie jar: set Jar to the result of cookiejar.New(nil)")
	}
	answer, err := open(client, http.MethodGet, address, nil)
	for range maxForms {
		if err != nil {
			return nil, err
		}
		form, posts, err := formOf(answer)
		if err != nil {
			answer.Body.Close()
			return nil, err
		}
		if !posts {
			return answer, nil
		}
		answer.Body.Close()
		if answer, err = open(client, http.MethodPost, form.Action, form.Values); err != nil {
			return nil, err
		}
	}
	answer.Body.Close()
	return nil, fmt.Errorf("samltest: the sign-in posts more than %d forms, the last one to %s: this is a redirect loop",
		maxForms, answer.Request.URL.Redacted())
}

// open sends a request as a browser whose user opens a page. It sends no Fetch Metadata
// (Sec-Fetch-Mode), with which a service may answer with a page that needs scripts.
func open(client *http.Client, method, address string, form url.Values) (*http.Response, error) {
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return client.Do(r)
}

// formOf returns the form of a page that posts a SAML message, or only the address at which a login
// ends. posts is false if the page is another one; its body can be read again. Pages of this package
// that show no such form are an error.
func formOf(answer *http.Response) (form Form, posts bool, err error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxPage))
	if err != nil {
		return Form{}, false, err
	}
	again := *answer
	again.Body = io.NopCloser(bytes.NewReader(body))
	form, err = ReadForm(&again)
	rest := answer.Body
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), rest}
	if err != nil && isOwnPage(body) {
		return Form{}, false, err
	}
	begins := len(form.Values) == 1 && form.Values.Has("return_to") // where an address is too long for a redirect
	return form, err == nil && (form.Values.Has("SAMLResponse") || form.Values.Has("SAMLRequest") || begins), nil
}

// isOwnPage reports whether a page is one of this package.
func isOwnPage(body []byte) bool {
	doc := etree.NewDocument()
	doc.ReadSettings = htmlSettings()
	if doc.ReadFromBytes(withoutScripts(body)) != nil {
		return false
	}
	title := doc.FindElement("//title")
	return title != nil && title.Text() == pageTitle
}
