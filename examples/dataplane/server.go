package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/iomete/saml/examples/dataplane/internal/console"
	"github.com/iomete/saml/examples/dataplane/internal/keys"
	"github.com/iomete/saml/examples/dataplane/internal/password"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// shutdownTime is how long requests that have begun may take after the end of the service.
const shutdownTime = 20 * time.Second

// A server is the console with everything that listens.
type server struct {
	options *options
	db      *storage.DB
	console *console.Console
	parts   []part
	logger  *slog.Logger
}

// A part is one listener with its handler.
type part struct {
	listener net.Listener
	server   *http.Server
}

// start prepares everything and prints the greeting. On error it closes what it has opened.
func start(ctx context.Context, o *options, stdout, stderr io.Writer) (_ *server, err error) {
	s := &server{options: o, logger: newLogger(o.log, stderr)}
	slog.SetDefault(s.logger)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.makeDirectory(); err != nil {
		return nil, err
	}
	listener, err := s.listen(o.addr, "-addr")
	if err != nil {
		return nil, err
	}
	if o.baseURL == "" {
		o.baseURL = "http://" + listener.Addr().String()
	}
	o.baseURL = strings.TrimSuffix(o.baseURL, "/")
	if err := s.openDatabase(ctx); err != nil {
		return nil, err
	}
	sealing, err := s.readKeys(ctx)
	if err != nil {
		return nil, err
	}
	idp, err := s.startIdentityProvider()
	if err != nil {
		return nil, err
	}
	fetch, err := o.fetchOptions(ctx)
	if err != nil {
		return nil, err
	}
	config := console.Config{
		FetchOptions:      fetch,
		DB:                s.db,
		BaseURL:           o.baseURL,
		Keys:              sealing,
		Administrator:     o.admin,
		TrustForwardedFor: o.trustForwardedFor,
		HideMetrics:       o.metricsAddr != "",
		Logger:            s.logger,
	}
	if idp != nil {
		config.Trial = idp.HomeURL()
	}
	if s.console, err = console.New(config); err != nil {
		return nil, err
	}
	if err := s.install(ctx); err != nil {
		return nil, err
	}
	if err := s.remember(ctx, idp); err != nil {
		return nil, err
	}
	s.warnOfProxy()
	s.serveOn(listener, s.console)
	if o.metricsAddr != "" {
		metrics, err := s.listen(o.metricsAddr, "-metrics-addr")
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", s.console.Metrics())
		s.serveOn(metrics, mux)
	}
	// This must come last: if something failed after it, the random password would be in the
	// database but was never printed.
	said, err := s.prepareAdministrator(ctx)
	if err != nil {
		return nil, err
	}
	return s, s.greet(stdout, said)
}

func newLogger(format string, w io.Writer) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// makeDirectory makes the data directory, which only its owner can read. Without -data, each start
// makes a new one.
func (s *server) makeDirectory() error {
	if s.options.data != "" {
		return os.MkdirAll(s.options.data, 0o700)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("there is no place for a new data directory, name one with -data: %w", err)
	}
	parent := filepath.Join(cache, "saml-dataplane")
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	s.options.data, err = os.MkdirTemp(parent, time.Now().UTC().Format("20060102-150405-"))
	return err
}

func (s *server) listen(address, name string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: set another address with %s", err, name)
	}
	s.parts = append(s.parts, part{listener: listener})
	return listener, nil
}

// serveOn sets the handler of a listener. The time limits are long enough for the largest upload
// over a slow line.
func (s *server) serveOn(l net.Listener, h http.Handler) {
	for i := range s.parts {
		if s.parts[i].listener == l {
			s.parts[i].server = &http.Server{
				Handler:           h,
				ReadHeaderTimeout: 10 * time.Second,
				ReadTimeout:       2 * time.Minute,
				WriteTimeout:      3 * time.Minute,
				IdleTimeout:       2 * time.Minute,
				MaxHeaderBytes:    64 << 10,
				ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
			}
		}
	}
}

func (s *server) openDatabase(ctx context.Context) (err error) {
	if s.options.database != "" {
		s.db, err = storage.OpenPostgreSQL(ctx, s.options.database, time.Now)
		return err
	}
	if s.db, err = storage.OpenSQLite(ctx, filepath.Join(s.options.data, "console.db"), time.Now); err != nil {
		return err
	}
	for _, file := range s.db.Restricted {
		s.logger.Warn("others could read this file of the database until now; its mode is 0600 from now on. "+
			"If others use this machine, change the administrator's password (-reset-admin-password)",
			"file", file)
	}
	return nil
}

// keyNote is the name of the note with the fingerprint of the sealing key. It shows if a replica
// has another key.
const keyNote = "sealing key"

func (s *server) readKeys(ctx context.Context) (list [][]byte, err error) {
	if s.options.keys != "" {
		if list, err = keys.Parse(s.options.keys); err != nil {
			return nil, fmt.Errorf("-keys: %w", err)
		}
	} else if list, err = keys.File(filepath.Join(s.options.data, "keys")); err != nil {
		return nil, err
	}
	known, err := s.db.Note(ctx, keyNote)
	if err != nil {
		return nil, err
	}
	own := keys.Fingerprint(list)
	if known != "" && known != own {
		s.logger.Warn("the first key is not the one that this database was last used with: " +
			"sign-ins fail unless all replicas have the same -keys")
	}
	return list, s.db.SetNote(ctx, keyNote, own)
}

// warnOfProxy warns if the console seems to be behind a proxy without -trust-forwarded-for. The
// console itself speaks http, so an https address needs a proxy.
func (s *server) warnOfProxy() {
	if strings.HasPrefix(s.options.baseURL, "https://") && !s.options.trustForwardedFor {
		s.logger.Warn("-base-url is https, so there is a proxy in front of the console, " +
			"and without -trust-forwarded-for all clients seem to have its address: " +
			"wrong passwords of an attacker slow down the administrator's sign-in in a new browser. " +
			"Set -trust-forwarded-for if the proxy sets X-Forwarded-For")
	}
}

// prepareAdministrator makes the administrator at the first start, sets a new password if that was
// asked for, and ends the sessions of administrators with another name. It returns the text that
// greet prints about the password.
func (s *server) prepareAdministrator(ctx context.Context) (said string, err error) {
	if err := s.db.EndOtherAdministrators(ctx, s.options.admin); err != nil {
		return "", err
	}
	chosen := s.options.password
	said = "as given"
	if chosen == "" {
		chosen = password.New()
		said = chosen
	}
	made, err := s.db.AddAdministrator(ctx, s.options.admin, password.Hash(chosen))
	switch {
	case err != nil:
		return "", err
	case made:
		return said, nil
	case !s.options.resetPassword:
		return "as before (-reset-admin-password sets a new one)", nil
	}
	return said, s.db.SetPassword(ctx, s.options.admin, password.Hash(chosen), "")
}

// install saves the settings of -metadata, and enables them with -enable.
func (s *server) install(ctx context.Context) error {
	if s.options.metadata == "" {
		return nil
	}
	document, err := os.ReadFile(s.options.metadata)
	if err != nil {
		return err
	}
	if err := s.console.Install(ctx, document, s.options.enable); err != nil {
		return fmt.Errorf("-metadata %s: %w", s.options.metadata, err)
	}
	return nil
}

// greet prints the addresses and the password in one piece. It fails if it cannot write, because
// the password is printed only once. said is the text about the password.
func (s *server) greet(w io.Writer, said string) error {
	o := s.options
	var b strings.Builder
	fmt.Fprintf(&b, "Console:            %s/\n", o.baseURL)
	next := fmt.Sprintf("Next: sign in at %s/settings/sso as administrator and follow the page.\n", o.baseURL)
	if home := s.idpHome(); home != "" {
		fmt.Fprintf(&b, "Identity provider:  %s (for trying only: it asks for no password)\n", home)
		next = fmt.Sprintf("Next: sign in at %s/settings/sso as administrator, copy the Redirect URL, "+
			"and register it at %s.\n", o.baseURL, home)
	}
	fmt.Fprintf(&b, "Administrator:      %s\nPassword:           %s\n", o.admin, said)
	fmt.Fprintf(&b, "Redirect URL:       %s\nData:               %s\n\n%s", s.console.RedirectURL(), o.data, next)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("the administrator's password could not be printed, "+
			"start again with -reset-admin-password: %w", err)
	}
	return nil
}

func (s *server) idpHome() string { return s.console.Trial }

// serve serves until ctx ends. Then it finishes the requests that have begun.
func (s *server) serve(ctx context.Context) error {
	defer s.close()
	background, stop := context.WithCancel(ctx)
	defer stop()
	maintained := make(chan struct{})
	go func() {
		defer close(maintained)
		s.console.Maintain(background)
	}()
	defer func() { stop(); <-maintained }()
	failed := make(chan error, len(s.parts))
	for _, p := range s.parts {
		go func() { failed <- p.server.Serve(p.listener) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.console.Drain()
	s.logger.Info("ending")
	time.Sleep(s.options.drain)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	var faults []error
	for _, p := range s.parts {
		faults = append(faults, p.server.Shutdown(end))
	}
	return errors.Join(faults...)
}

func (s *server) close() {
	for _, p := range s.parts {
		p.listener.Close()
	}
	if s.console != nil {
		s.console.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}
