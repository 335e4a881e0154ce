package samltest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"

	"github.com/beevik/etree"
)

// Form is an HTML form as a browser would post it.
type Form struct {
	Action string     // absolute URL if the address of the page is known
	Values url.Values // of the input elements
}

const maxPage = 8 << 20 // bytes

// ReadForm returns the form of a page that posts itself, of the identity provider or of a service
// provider, and closes the body of r. It fails if the page has no such form. On an error page of
// the provider, the error holds its AADSTS text. On the page that asks who signs in, the error says
// so.
func ReadForm(r *http.Response) (Form, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPage))
	if err != nil {
		return Form{}, err
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "text/html" {
		return Form{}, fmt.Errorf("samltest: the answer has Content-Type %q and HTTP status %d, "+
			"want an HTML page with a form", kind, r.StatusCode)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = htmlSettings()
	if err := doc.ReadFromBytes(withoutScripts(body)); err != nil {
		return Form{}, fmt.Errorf("samltest: the page cannot be read, want HTML that is also well-formed XML: %w", err)
	}
	if e := doc.FindElement("//p[@id='error']"); e != nil {
		return Form{}, fmt.Errorf("samltest: %s", e.Text())
	}
	form := doc.FindElement("//form")
	if form == nil {
		return Form{}, fmt.Errorf("samltest: the page has no form (HTTP status %d)", r.StatusCode)
	}
	if form.SelectAttrValue("id", "") == "choice" {
		return Form{}, errors.New("samltest: the page asks who signs in: " +
			"call SignInAs, or send login_hint in the query")
	}
	action, err := formAction(form.SelectAttrValue("action", ""), r)
	if err != nil {
		return Form{}, err
	}
	found := Form{Action: action, Values: url.Values{}}
	for _, input := range form.FindElements(".//input[@name]") { // a button without a name posts nothing
		found.Values.Add(input.SelectAttrValue("name", ""), input.SelectAttrValue("value", ""))
	}
	return found, nil
}

// formAction resolves the action of a form against the address of its page, as a browser does: an
// empty one is that address. Without a Request the address is not known.
func formAction(action string, r *http.Response) (string, error) {
	if r.Request == nil || r.Request.URL == nil {
		return action, nil
	}
	u, err := r.Request.URL.Parse(action)
	if err != nil {
		return "", fmt.Errorf("samltest: the action of the form is no address: %w", err)
	}
	u.Fragment = "" // of the page, if action is empty
	return u.String(), nil
}

func htmlSettings() etree.ReadSettings {
	return etree.ReadSettings{
		Permissive: true,
		AutoClose:  []string{"meta", "input", "br", "link"},
		Entity:     map[string]string{"nbsp": " "},
	}
}

// withoutScripts removes scripts and styles from a page, because their text is not XML.
func withoutScripts(page []byte) []byte {
	for _, name := range []string{"script", "style"} {
		for {
			start := bytes.Index(page, []byte("<"+name))
			end := bytes.Index(page, []byte("</"+name+">"))
			if start < 0 || end < start {
				break
			}
			page = slices.Concat(page[:start], page[end+len("</>")+len(name):])
		}
	}
	return page
}
