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

// options are the flags. Each flag has an environment variable, which is used if the flag is not
// given.
type options struct {
	addr, baseURL     string
	data, database    string
	keys              string
	admin, password   string
	resetPassword     bool
	metadata          string
	metadataProxy     string
	metadataCA        string
	enable            bool
	idpAddr           string
	log               string
	metricsAddr       string
	trustForwardedFor bool
	drain             time.Duration
}

const envPrefix = "DATAPLANE_"

// define defines the flags and their defaults.
func (o *options) define(flags *flag.FlagSet) {
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080",
		"`host:port` where the console listens; port 0 means any free port")
	flags.StringVar(&o.baseURL, "base-url", "",
		"public `URL` of the console as browsers see it, https://console.example.com (default http:// and -addr)")
	flags.StringVar(&o.data, "data", "",
		"`directory` for database and keys, made if it does not exist (default: a new one for each start)")
	flags.StringVar(&o.database, "database", "",
		"PostgreSQL `URL`, postgres://user:password@host/database (default: an SQLite file in -data)")
	flags.StringVar(&o.keys, "keys", "",
		"keys of 32 random bytes in `base64`, separated by commas: the first seals, all open "+
			"(default: made and kept in -data)")
	flags.StringVar(&o.admin, "admin", "admin",
		"`name` of the local administrator")
	flags.StringVar(&o.password, "admin-password", "",
		"`password` of the local administrator at the first start; prefer the environment variable "+
			"(default: a random one, printed)")
	flags.BoolVar(&o.resetPassword, "reset-admin-password", false,
		"set the administrator's password to -admin-password or a random one, and end all administrator sessions")
	flags.StringVar(&o.metadata, "metadata", "",
		"`file` with the identity provider's metadata, saved at the start")
	flags.StringVar(&o.metadataProxy, "metadata-proxy", "",
		"`URL` of the forward proxy through which metadata is fetched, http://host:port or https://host:port; "+
			"with user:password@ before the host prefer the environment variable. HTTPS_PROXY is not used")
	flags.StringVar(&o.metadataCA, "metadata-ca", "",
		"PEM `file` with certificate authorities that are trusted too when metadata is fetched")
	flags.BoolVar(&o.enable, "enable", false,
		"enable single sign-on with -metadata at the start, without a test")
	flags.StringVar(&o.idpAddr, "idp-addr", "localhost:8081",
		"`host:port` of this machine where the built-in test identity provider listens; \"\" switches it off. "+
			"It is also off if -base-url, -database or -metadata is given and -idp-addr is not")
	flags.StringVar(&o.log, "log", "text",
		"`format` of the log: text or json")
	flags.StringVar(&o.metricsAddr, "metrics-addr", "",
		"`host:port` that serves /metrics, instead of -addr")
	flags.BoolVar(&o.trustForwardedFor, "trust-forwarded-for", false,
		"use the last entry of X-Forwarded-For as the client's address; only behind a proxy that sets it")
	flags.DurationVar(&o.drain, "drain", 0,
		"how long to go on serving after SIGTERM while /readyz fails, so that a load balancer notices")
}

// readOptions reads the flags from args, and from the environment the flags that args do not have.
// It writes the usage to output if it was asked for or a flag is wrong.
func readOptions(args []string, getenv func(string) string, output io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("dataplane", flag.ContinueOnError)
	flags.SetOutput(output)
	o.define(flags)
	flags.Usage = func() {
		fmt.Fprintf(output, "dataplane serves a console with SAML single sign-on.\n\n"+
			"Each flag has an environment variable: -base-url is %sBASE_URL.\n\n", envPrefix)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag, want only flags: -help lists them", flags.Arg(0))
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

// check returns all faults of the options, joined.
func (o *options) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.enable && o.metadata == "" {
		fault("-enable needs -metadata, the file with the settings to enable")
	}
	if o.log != "text" && o.log != "json" {
		fault("-log is %q, want text or json", o.log)
	}
	isPostgres := strings.HasPrefix(o.database, "postgres://") || strings.HasPrefix(o.database, "postgresql://")
	if o.database != "" && !isPostgres { // the value may hold a password, so the message does not show it
		fault("-database is not a postgres:// URL. To use an SQLite file in -data, do not set -database")
	}
	if o.password != "" && len([]rune(o.password)) < 12 {
		fault("-admin-password has fewer than 12 characters, want at least 12")
	}
	if o.idpAddr != "" {
		host, _, err := net.SplitHostPort(o.idpAddr)
		if err != nil || !isLoopback(host) {
			fault("-idp-addr is %q, want localhost:PORT: anyone who reached it could sign in as any user", o.idpAddr)
		}
	}
	if o.baseURL != "" {
		u, err := url.Parse(o.baseURL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			fault("-base-url is %q, want an absolute URL like https://console.example.com", o.baseURL)
		}
	}
	return errors.Join(faults...)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
