package samltest_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/iomete/saml/samltest"
)

// The provider's own server posts a LogoutRequest to a service, as Keycloak's does: no browser, so no
// cookie. The handler stands for the Logout URL of the service under test.
func ExampleIdentityProvider_LogoutForm() {
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.PostFormValue("SAMLRequest") != "", len(r.Cookies()))
	}))
	defer service.Close()
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	form, err := idp.LogoutForm(samltest.Logout{
		LogoutURL:      service.URL,
		NameID:         "ioana.turcanu@example.com",
		NameIDFormat:   samltest.FormatEmail,
		SessionIndexes: []string{"_1", "_2"},
	})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := service.Client().PostForm(form.Action, form.Values)
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	// Output:
	// POST true 0
}
