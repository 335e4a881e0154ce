// Command minimal is a service with one page that needs a sign-in: what a service of yours can begin with.
//
//	go run ./examples/minimal
//
// brings an identity provider of its own, which asks for no password. For a real one, register the Redirect URL that is printed there, and
// start it with the metadata that is downloaded there:
//
//	go run ./examples/minimal -base-url https://console.example.com -metadata federationmetadata.xml -key-file state.key
package main

import (
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

var (
	addr     = flag.String("addr", "127.0.0.1:8080", "where to listen, `host:port`")
	baseURL  = flag.String("base-url", "", "`address` of the service as browsers see it (default http:// and -addr)")
	metadata = flag.String("metadata", "", "`file` with the identity provider's metadata (default: that of one for trying)")
	keyFile  = flag.String("key-file", "", "`file` that keeps the key over restarts; made if it is not there")
)

func main() {
	flag.Parse()
	log.Fatal(serve())
}

func serve() error {
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	if *baseURL == "" {
		*baseURL = "http://" + listener.Addr().String()
	}
	*baseURL = strings.TrimSuffix(*baseURL, "/")
	service, err := newService()
	if err != nil {
		return err
	}
	fmt.Printf("Service:           %s/\nRedirect URL:      %s%s\n", *baseURL, *baseURL, saml.DefaultRedirectPath)
	return newServer(service).Serve(listener)
}

// newServer bounds how long a client may take and how much it may send before a handler sees it: without these limits of net/http, which has
// none of its own, slow clients hold connections and memory forever. A response of SAML has 2 MiB at most, see saml.Handler.
func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10}
}

// newService is what a service needs: whom it trusts, what its sessions are like, and which pages they guard.
func newService() (http.Handler, error) {
	document, err := readMetadata()
	if err != nil {
		return nil, err
	}
	idp, err := saml.ParseMetadata(document)
	if err != nil {
		return nil, err
	}
	key, err := readKey()
	if err != nil {
		return nil, err
	}
	keys, store := [][]byte{key}, saml.NewMemoryStore() // for one process; replicas share the keys, and a saml.Store of another kind
	sp, err := saml.New(saml.Config{BaseURL: *baseURL, IdentityProvider: idp, StateKeys: keys, Store: store})
	if err != nil {
		return nil, err
	}
	onHTTP := strings.HasPrefix(*baseURL, "http:") // which saml.New takes on this machine alone
	sessions, err := session.New(session.Config{Keys: keys, Store: store, InsecureAllowHTTP: onHTTP})
	if err != nil {
		return nil, err
	}
	login, mux := sp.Handler(sessions), http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
	mux.HandleFunc("/goodbye", func(w http.ResponseWriter, _ *http.Request) { show(w, nil) }) // public, or it would sign in again
	mux.Handle("/", sessions.Require(login, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		show(w, session.FromContext(r.Context()))
	})))
	return mux, nil
}

var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Minimal</title></head><body>
{{with .}}<h1>Hello, {{.Identity.Name}}</h1><p>{{.Identity.Email}}</p>
<ul>{{range .Identity.Groups}}<li>{{.}}</li>{{end}}</ul>{{if or .Identity.GroupsOverage .GroupsTruncated}}<p>There are more groups.</p>{{end}}
<form method="post" action="/sign-out"><button>Sign out</button></form>
{{else}}<h1>Goodbye</h1><p><a href="/">Sign in again</a></p>{{end}}</body></html>
`))

func show(w http.ResponseWriter, s *session.Session) {
	w.Header().Set("Cache-Control", "no-store")
	page.Execute(w, s) // an error is the browser's hanging up
}

// readKey returns the key that seals what the service keeps in browsers. Without a file it is new, and a restart signs everybody out. Of two
// first starts at once one makes the file, and both read it.
func readKey() ([]byte, error) {
	if *keyFile == "" {
		return saml.NewStateKey(), nil
	}
	if _, err := os.Stat(*keyFile); errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	info, err := os.Stat(*keyFile)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, want 0600: with its key others can make sessions. Delete it, so that the next start makes a new key", *keyFile, info.Mode().Perm())
	}
	return os.ReadFile(*keyFile)
}

// makeKey makes the file whole or not at all. A link fails if the file is there by now.
func makeKey() error {
	f, err := os.CreateTemp(filepath.Dir(*keyFile), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(saml.NewStateKey())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), *keyFile)
}

// readMetadata gives the metadata of the identity provider, or of one for trying, which it starts. That one is on localhost: to a browser
// another site than 127.0.0.1, as a real one is.
func readMetadata() ([]byte, error) {
	if *metadata != "" {
		return os.ReadFile(*metadata)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	idp, err := samltest.New(samltest.Options{BaseURL: fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)})
	if err != nil {
		return nil, err
	}
	go newServer(idp).Serve(listener) // until the program ends
	fmt.Printf("Identity provider: %s (not for production: it asks for no password)\n", idp.HomeURL())
	if err := idp.RegisterRedirectURL(*baseURL + saml.DefaultRedirectPath); err != nil {
		return nil, err
	}
	return idp.Metadata()
}
