package saml_test

import (
	"fmt"
	"time"

	"github.com/iomete/saml"
)

// A service with sessions of its own. HandlerConfig.EndSessions writes each Logout to a table that all
// replicas share:
//
//	create table logouts (tenant text, issuer text, issued bigint, logout text, ends bigint)
//
// A sign-in, and each request with a session, reads those that may end it, and asks Ends:
//
//	select logout from logouts where tenant = $1 and issuer = $2 and issued >= $3 -- seconds
func ExampleLogout_Ends() {
	at := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	signIn := func(minute time.Duration, address, index string) *saml.LogoutSubject {
		login := &saml.Login{ // as Sessions.SignIn gets it
			Tenant:   "acme",
			EntityID: "https://console.example.com",
			Identity: &saml.Identity{Email: address},
			Assertion: &saml.Assertion{
				Issuer:       saml.Issuer{Value: "https://idp.example.com"},
				IssueInstant: at.Add(minute * time.Minute),
				NameID:       saml.NameID{Value: address},
				Statements:   []saml.AuthnStatement{{SessionIndex: index}},
			},
		}
		return login.LogoutSubject() // the session keeps it, for example as JSON
	}
	logout := &saml.Logout{ // as HandlerConfig.EndSessions gets it
		Tenant:         "acme",
		EntityID:       "https://console.example.com",
		Issuer:         "https://idp.example.com",
		NameID:         saml.NameID{Value: "Ann@example.com"},
		SessionIndexes: []string{"1"},
		IssueInstant:   at.Add(10 * time.Minute),
	}
	fmt.Println("before the logout:", logout.Ends(signIn(0, "ann@example.com", "1")))
	fmt.Println("in another browser:", logout.Ends(signIn(0, "ann@example.com", "2")))
	fmt.Println("somebody else:", logout.Ends(signIn(0, "bob@example.com", "1")))
	fmt.Println("after the logout:", logout.Ends(signIn(11, "ann@example.com", "1")))
	// Output:
	// before the logout: true
	// in another browser: false
	// somebody else: false
	// after the logout: false
}
