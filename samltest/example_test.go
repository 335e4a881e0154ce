package samltest_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/iomete/saml/samltest"
)

// An answer like that of Entra, and three that each differ in one point.
func ExampleIdentityProvider_Respond() {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	const redirectURL = "https://console.example.com/saml/acs"
	answers := []samltest.Answer{
		{RequestID: "_1", Recipient: redirectURL},
		{RequestID: "_1", Recipient: redirectURL, ClockOffset: -2 * time.Hour},  // expired
		{RequestID: "_1", Recipient: redirectURL, Destination: samltest.Absent}, // no Destination
		{RequestID: "_1", Recipient: redirectURL, Edit: func(xml string) string { // no audience
			audience := "<Audience>" + redirectURL + "</Audience>"
			return strings.Replace(xml, "<AudienceRestriction>"+audience+"</AudienceRestriction>", "", 1)
		}},
	}
	for _, answer := range answers {
		value, err := idp.Respond(answer)
		if err != nil {
			log.Fatal(err)
		}
		document, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			log.Fatal(err)
		}
		xml := string(document)
		fmt.Println(
			strings.Count(xml, "<Signature "),
			strings.Contains(xml, "Destination"),
			strings.Contains(xml, "<Audience>"))
	}
	// Output:
	// 1 true true
	// 1 true true
	// 1 false true
	// 1 true false
}

// A whole sign-in through the eyes of a browser. startConsole stands for the service provider under
// test. It redirects browsers without a session to idp.LoginURL. It is registered by its Redirect
// URL.
func ExampleIdentityProvider() {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	provider := httptest.NewTLSServer(idp)
	defer provider.Close()
	idp.SetBaseURL(provider.URL)
	idp.SignInAs(samltest.DefaultUsers()[0])

	app := startConsole(idp)
	defer app.Close()
	browser := newBrowser(app) // with a cookie jar

	page, err := browser.Get(app.URL + "/jobs") // ends at the provider, on the page that posts the answer
	if err != nil {
		log.Fatal(err)
	}
	form, err := samltest.ReadForm(page)
	if err != nil {
		log.Fatal(err)
	}
	page, err = browser.PostForm(form.Action, form.Values) // ends where it began
	if err != nil {
		log.Fatal(err)
	}
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", text)
	// Output: ioana.turcanu@example.com reads /jobs
}

// An IdP-initiated sign-in. An application without a Sign-on URL gets an unsolicited answer.
func ExampleIdentityProvider_MyAppsURL() {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(idp)
	defer server.Close()
	idp.SetBaseURL(server.URL)
	const redirectURL = "https://console.example.com/saml/acs"
	idp.Register(samltest.Application{Identifier: redirectURL, ReplyURLs: []string{redirectURL}})
	idp.SignInAs(samltest.DefaultUsers()[0])

	page, err := http.Get(idp.MyAppsURL() + "?app=" + url.QueryEscape(redirectURL))
	if err != nil {
		log.Fatal(err)
	}
	form, err := samltest.ReadForm(page)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(form.Action, form.Values.Has("SAMLResponse"))
	// Output: https://console.example.com/saml/acs true
}

// Like Entra, the provider shows on its own page what is wrong with a request.
func ExampleReadForm() {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(idp)
	defer server.Close()
	idp.SetBaseURL(server.URL)

	response, err := http.Get(idp.LoginURL())
	if err != nil {
		log.Fatal(err)
	}
	_, err = samltest.ReadForm(response)
	fmt.Println(err)
	// Output:
	// samltest: AADSTS750054: the call has no SAMLRequest; the Sign-on URL must not be the Login URL
}

// A certificate rollover: the new certificate is published first and signs later.
func ExampleIdentityProvider_Activate() {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	next, err := idp.AddKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(idp.Certificates()), "published")
	if err := idp.Activate(next); err != nil { // now index 0; the old key is index 1
		log.Fatal(err)
	}
	if err := idp.RemoveKey(1); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(idp.Certificates()), "published")
	// Output:
	// 2 published
	// 1 published
}

// A roll-over of the signing key in the middle of a test. The service under test reads the metadata
// from web.URL again and again; here readKeys does. Let users sign in between the steps: a service
// that reads the metadata often enough refuses nobody.
func ExampleMetadataServer() {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	server := samltest.NewMetadataServer()
	server.Follow(idp)
	web := httptest.NewServer(server)
	defer web.Close()
	readKeys := func(when string) {
		answer, err := http.Get(web.URL)
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		document, err := io.ReadAll(answer.Body)
		if err != nil {
			log.Fatal(err)
		}
		_, role, _ := strings.Cut(string(document), "<IDPSSODescriptor")
		fmt.Printf("%s: %d, %d keys\n", when, answer.StatusCode, strings.Count(role, "<KeyDescriptor"))
	}

	readKeys("at first")
	next, err := idp.AddKey(nil) // published, days before it signs
	if err != nil {
		log.Fatal(err)
	}
	readKeys("the new key is published")
	if err := idp.Activate(next); err != nil { // signs from now on; the old key has index 1
		log.Fatal(err)
	}
	server.Fail(samltest.FaultStatus(http.StatusServiceUnavailable, "120"))
	readKeys("the metadata server is down")
	server.Fail(nil)
	if err := idp.RemoveKey(1); err != nil {
		log.Fatal(err)
	}
	readKeys("the old key is removed")
	// Output:
	// at first: 200, 1 keys
	// the new key is published: 200, 2 keys
	// the metadata server is down: 503, 0 keys
	// the old key is removed: 200, 1 keys
}
