package main

import (
	"context"
	"database/sql"
	"errors"
	"html/template"
	"net/http"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
	"github.com/iomete/saml/sqlstore"
)

// A service is a replica. What it remembers is in the database.
type service struct {
	tenants *tenants
	keys    [][]byte
	store   *sqlstore.Store   // what was used up: responses, ended sessions
	records *sqlstore.Records // sessions that are too large for a cookie
}

// newService returns a replica. keys are the same on all replicas.
func newService(db *sql.DB, baseURL string, keys [][]byte) *service {
	store := sqlstore.New(db, sqlstore.PostgreSQL)
	return &service{
		tenants: &tenants{db: db, baseURL: baseURL, keys: keys, store: store, made: map[string]provider{}},
		keys:    keys,
		store:   store,
		records: sqlstore.NewRecords(db, sqlstore.PostgreSQL),
	}
}

// create makes the tables that do not exist. Replicas may call it at the same time.
func (s *service) create(ctx context.Context) error {
	return errors.Join(s.store.Create(ctx), s.records.Create(ctx), s.tenants.create(ctx))
}

// handler returns the pages, and the Redirect URLs of all tenants.
func (s *service) handler() (http.Handler, error) {
	sessions, err := session.New(session.Config{Keys: s.keys, Store: s.store, Records: s.records})
	if err != nil {
		return nil, err
	}
	login, err := saml.NewHandler(saml.HandlerConfig{Resolve: s.tenants.resolve, Sessions: sessions})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(redirectPath("{tenant}"), login)
	mux.Handle("/t/{tenant}/", login.Require(http.HandlerFunc(show)))
	mux.Handle("GET /{$}", login.Load(http.HandlerFunc(start)))
	mux.Handle("POST /sign-out", sessions.SignOutHandler("/"))
	return mux, nil
}

// start answers at "/", which names no tenant: a login without a page ends here. It is public, so a
// user who has signed out sees it too.
func start(w http.ResponseWriter, r *http.Request) {
	if s := session.FromContext(r.Context()); s != nil {
		http.Redirect(w, r, "/t/"+s.Tenant+"/", http.StatusSeeOther)
		return
	}
	show(w, r)
}

var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Tenants</title></head><body>
{{with .}}<h1>{{.Tenant}}</h1><p>{{.Identity.Email}}, in {{len .Identity.Groups}} groups</p>
<form method="post" action="/sign-out"><button>Sign out</button></form>
{{else}}<h1>Nobody is signed in</h1><p>Open the address of your company.</p>{{end}}</body></html>
`))

// show is a page of a tenant. The session says whose data it shows, never the address.
func show(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	page.Execute(w, session.FromContext(r.Context())) // the only possible error is that the browser went away
}
