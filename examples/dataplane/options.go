package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// options are the flags. Each has an environment variable, which counts where the flag is not given.
type options struct {
	addr, baseURL     string
	data, database    string
	keys              string
	admin, password   string
	resetPassword     bool
	metadata          string
	enable            bool
	idpAddr           string
	log               string
	metricsAddr       string
	trustForwardedFor bool
	drain             time.Duration
}

const envPrefix = "DATAPLANE_"

func readOptions(args []string, getenv func(string) string, output io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("dataplane", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "where the console listens, `host:port`; port 0 is a free one")
	flags.StringVar(&o.baseURL, "base-url", "", "public `address` of the console as browsers see it, https://console.example.com (default http:// and -addr)")
	flags.StringVar(&o.data, "data", "", "`directory` for database and keys, made if it is not there (default: a fresh one for each start)")
	flags.StringVar(&o.database, "database", "", "postgres://user:password@host/database `URL` (default: an SQLite file in -data)")
	flags.StringVar(&o.keys, "keys", "", "keys of 32 random bytes in `base64`, separated by commas: the first seals, all open (default: made and kept in -data)")
	flags.StringVar(&o.admin, "admin", "admin", "`name` of the local administrator")
	flags.StringVar(&o.password, "admin-password", "", "`password` of the local administrator at the first start; better given by the environment (default: a random one, printed)")
	flags.BoolVar(&o.resetPassword, "reset-admin-password", false, "set the administrator's password to that of -admin-password, or a random one, and end all administrator sessions")
	flags.StringVar(&o.metadata, "metadata", "", "`file` with the identity provider's metadata, saved at the start")
	flags.BoolVar(&o.enable, "enable", false, "enable single sign-on with -metadata at the start, without a test")
	flags.StringVar(&o.idpAddr, "idp-addr", "localhost:8081", "where the built-in identity provider for trying listens, `host:port` of this machine; \"\" switches it off, and so does any sign of a real set-up (-base-url, -database, -metadata) unless it is given")
	flags.StringVar(&o.log, "log", "text", "`format` of the log: text or json")
	flags.StringVar(&o.metricsAddr, "metrics-addr", "", "`host:port` that serves /metrics, in place of -addr")
	flags.BoolVar(&o.trustForwardedFor, "trust-forwarded-for", false, "take the address of clients from the last entry of X-Forwarded-For; only behind a proxy that sets it")
	flags.DurationVar(&o.drain, "drain", 0, "how long to go on serving after SIGTERM while /readyz fails, so that a load balancer notices")
	flags.Usage = func() {
		fmt.Fprintf(output, "dataplane serves a console with single sign-on by SAML.\n\nEach flag has an environment variable: -base-url is %sBASE_URL.\n\n", envPrefix)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var faults []error
	flags.VisitAll(func(f *flag.Flag) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value := getenv(name); value != "" && !given[f.Name] {
			given[f.Name] = true
			if err := f.Value.Set(value); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	if !given["idp-addr"] && (given["base-url"] || given["database"] || given["metadata"]) {
		o.idpAddr = ""
	}
	faults = append(faults, o.check())
	return o, errors.Join(faults...)
}

func (o *options) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.enable && o.metadata == "" {
		fault("-enable needs -metadata: it enables what that file says")
	}
	if o.log != "text" && o.log != "json" {
		fault("-log is text or json, not %q", o.log)
	}
	if o.database != "" && !strings.HasPrefix(o.database, "postgres://") && !strings.HasPrefix(o.database, "postgresql://") {
		fault("-database is a postgres:// URL; without it the console keeps an SQLite file in -data")
	}
	if o.password != "" && len([]rune(o.password)) < 12 {
		fault("-admin-password has fewer than 12 characters")
	}
	if host, _, err := net.SplitHostPort(o.idpAddr); o.idpAddr != "" && (err != nil || !isLoopback(host)) {
		fault("-idp-addr %q is refused, because whoever reached it could sign in as anybody: give localhost:PORT", o.idpAddr)
	}
	if u, err := url.Parse(o.baseURL); o.baseURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		fault("-base-url %q is not an absolute URL like https://console.example.com", o.baseURL)
	}
	return errors.Join(faults...)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
