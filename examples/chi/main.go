// Command chi is a service (SAML relying party) with accounts and sessions of its own. Its users
// sign in at the identity provider of their company. The router is chi, the sessions are those of
// scs.
//
//	export STATE_KEYS=$(openssl rand -base64 32)
//	go run ./examples/chi -metadata federationmetadata.xml
//
// sessions.go connects the sessions to saml.Handler; service.go has the routes.
package main

import (
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
	service, err := newService(config{
		BaseURL:   *baseURL,
		Metadata:  document,
		StateKeys: keys,
		Store:     saml.NewMemoryStore(), // replicas need shared ones: sqlstore,
		Sessions:  memstore.New(),        // and the store of scs for your database
		Users:     new(users),
	})
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
	return server.ListenAndServe()
}
