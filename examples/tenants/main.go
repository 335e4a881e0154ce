// Command tenants is one service (SAML relying party) for several companies, its tenants. Each signs
// in at an identity provider of its own. The service runs as several replicas, which share a
// PostgreSQL database and the keys, and nothing else.
//
//	export DATABASE_URL=postgres://console@db.example.com/console
//	export STATE_KEYS=$(openssl rand -base64 32)
//	go run ./examples/tenants -add acme -metadata acme.xml   # prints the Redirect URL
//	go run ./examples/tenants                                # a replica; start as many as you like
//
// tenants.go has the settings of the tenants, service.go the pages.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"

	"github.com/iomete/saml"
)

var (
	addr     = flag.String("addr", "127.0.0.1:8080", "where to listen, `host:port`")
	baseURL  = flag.String("base-url", "http://127.0.0.1:8080", "`URL` of the service as browsers see it")
	add      = flag.String("add", "", "`name` of a tenant to add or to change, with -metadata")
	metadata = flag.String("metadata", "", "`file` with the metadata of the tenant's identity provider")
)

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	keys, err := saml.ParseStateKeys(os.Getenv("STATE_KEYS"))
	if err != nil {
		return fmt.Errorf("the environment variable STATE_KEYS: %w", err)
	}
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("the environment variable DATABASE_URL: %w", err)
	}
	defer db.Close()
	db.SetMaxOpenConns(20) // all replicas together stay below what the server allows
	s := newService(db, *baseURL, keys)
	if err := s.create(ctx); err != nil {
		return err
	}
	if *add != "" {
		return s.add(ctx, *add, *metadata)
	}
	return s.serve(ctx)
}

// add saves the settings of a tenant and prints what its administrator needs.
func (s *service) add(ctx context.Context, name, file string) error {
	document, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sp, err := s.tenants.save(ctx, name, document)
	if err != nil {
		return err
	}
	fmt.Printf("Redirect URL:  %s\n", sp.RedirectURL())
	return nil
}

// serve runs a replica.
func (s *service) serve(ctx context.Context) error {
	handler, err := s.handler()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	go s.prune(ctx)
	fmt.Printf("Listening on:  %s\n", listener.Addr())
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	return server.Serve(listener)
}

// prune deletes what has ended, every hour. All replicas may do so.
func (s *service) prune(ctx context.Context) {
	for {
		if err := errors.Join(s.store.Prune(ctx), s.records.Prune(ctx)); err != nil {
			log.Print(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
	}
}
