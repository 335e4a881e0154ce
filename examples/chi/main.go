// Command chi is a service (SAML relying party) with accounts and sessions of its own. Its users
// sign in at the identity provider of their company. The router is chi, the sessions are those of
// scs.
//
//	export STATE_KEYS=$(openssl rand -base64 32)
//	go run ./examples/chi -metadata federationmetadata.xml
//
// sessions.go connects the sessions to saml.Handler, logout.go ends them; service.go has the routes.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/iomete/saml"
)

var (
	addr     = flag.String("addr", "127.0.0.1:8080", "where to listen, `host:port`")
	baseURL  = flag.String("base-url", "http://127.0.0.1:8080", "`URL` of the service as browsers see it")
	signing  = flag.String("signing", "", "PEM `file` with a private key and its certificate, for logout at the identity provider too")
	metadata = flag.String("metadata", "federationmetadata.xml", "`file` with the identity provider's metadata")
)

func main() {
	flag.Parse()
	log.Fatal(serve())
}

func serve() error {
	keys, err := saml.ParseStateKeys(os.Getenv("STATE_KEYS"))
	if err != nil {
		return fmt.Errorf("the environment variable STATE_KEYS: %w", err)
	}
	document, err := os.ReadFile(*metadata)
	if err != nil {
		return err
	}
	c := config{
		BaseURL:   *baseURL,
		Metadata:  document,
		StateKeys: keys,
		Store:     saml.NewMemoryStore(), // replicas need shared ones: sqlstore,
		Sessions:  memstore.New(),        // and the store of scs for your database
		Users:     new(users),
	}
	if *signing != "" {
		pair, err := tls.LoadX509KeyPair(*signing, *signing)
		if err != nil {
			return err
		}
		c.Signing = &pair
	}
	service, err := newService(c)
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              *addr,
		Handler:           service,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	fmt.Printf("Service:       %s/\n", *baseURL)
	fmt.Printf("Redirect URL:  %s%s\n", *baseURL, saml.DefaultRedirectPath)
	if c.Signing != nil {
		fmt.Printf("Logout URL:    %s%s\n", *baseURL, logoutPath)
	}
	return server.ListenAndServe()
}
