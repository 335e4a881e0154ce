// Command minimal is a service (SAML relying party) with one page that needs a sign-in. Start your
// own service from it.
//
//	go run ./examples/minimal
//
// starts the service together with a test identity provider, which asks for no password. To use a
// real provider, register the printed Redirect URL there, download its metadata, and start the
// service with that file:
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
	baseURL  = flag.String("base-url", "", "`URL` of the service as browsers see it (default http:// and -addr)")
	metadata = flag.String("metadata", "", "`file` with the identity provider's metadata (default: a test provider)")
	keyFile  = flag.String("key-file", "", "`file` that keeps the key across restarts; made if it does not exist")
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
	fmt.Printf("Service:           %s/\n", *baseURL)
	fmt.Printf("Redirect URL:      %s%s\n", *baseURL, saml.DefaultRedirectPath)
	return newServer(service).Serve(listener)
}

// newServer returns a server that limits how long a client may take and how large its headers may
// be. net/http has no such time limits by default, so slow clients would hold connections and
// memory forever. A SAML response has at most 2 MiB, see saml.Handler.
func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// newService returns the service: the identity provider that it trusts, its sessions, and the pages
// that need a session.
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
	keys := [][]byte{key}          // replicas need the same keys
	store := saml.NewMemoryStore() // for one process only; replicas need a shared saml.Store such as sqlstore
	sp, err := saml.New(saml.Config{
		BaseURL:          *baseURL,
		IdentityProvider: idp,
		StateKeys:        keys,
		Store:            store,
	})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(session.Config{
		Keys:    keys,
		Store:   store,
		Records: new(session.MemoryRecords), // replicas need shared ones such as sqlstore.Records
	})
	if err != nil {
		return nil, err
	}
	login, mux := sp.Handler(sessions), http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
	// The page after the sign-out is public. Otherwise it would sign the user in again.
	mux.HandleFunc("/goodbye", func(w http.ResponseWriter, _ *http.Request) { show(w, nil) })
	mux.Handle("/", login.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		show(w, session.FromContext(r.Context()))
	})))
	return mux, nil
}

var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Minimal</title></head><body>
{{with .}}<h1>Hello, {{.Identity.Name}}</h1><p>{{.Identity.Email}}</p>
<ul>{{range .Identity.Groups}}<li>{{.}}</li>{{end}}</ul>
{{if or .Identity.GroupsOverage .GroupsTruncated}}<p>There are more groups.</p>{{end}}
<form method="post" action="/sign-out"><button>Sign out</button></form>
{{else}}<h1>Goodbye</h1><p><a href="/">Sign in again</a></p>{{end}}</body></html>
`))

func show(w http.ResponseWriter, s *session.Session) {
	w.Header().Set("Cache-Control", "no-store")
	page.Execute(w, s) // the only possible error is that the browser went away
}

// readKey returns the key that seals the cookies of the service. Without -key-file the key is new,
// so a restart signs everyone out. If two processes start for the first time at the same moment,
// one of them makes the file and both read it.
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
		return nil, fmt.Errorf("%s has mode %04o, want 0600: other users of this machine can read the key "+
			"and make sessions with it. Delete the file; the next start makes a new key",
			*keyFile, info.Mode().Perm())
	}
	return os.ReadFile(*keyFile)
}

// makeKey makes the file with a new key, completely or not at all. os.Link fails if another process
// has made the file in the meantime.
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

// readMetadata returns the metadata of the identity provider. Without -metadata it starts a test
// provider. That one is on localhost, because for a browser localhost is another site than
// 127.0.0.1, like a real provider.
func readMetadata() ([]byte, error) {
	if *metadata != "" {
		return os.ReadFile(*metadata)
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	idp, err := samltest.New(samltest.Options{BaseURL: address})
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
