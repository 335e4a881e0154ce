package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/iomete/saml"
)

const metadataUsage = `samlsp metadata [-json] [-entity-id ID] [-proxy URL] [-ca FILE] FILE|URL|-

Shows what an identity provider's SAML metadata says (Entra: Federation Metadata XML): entity ID, login URL, logout URL,
certificates with the thumbprints that Entra's portal shows, and what is wrong with it. - is standard input. An address must
be https, or http on this machine; at most 4 MiB are read within 10 seconds.

    -entity-id ID   picks one identity provider from a document that holds several
    -proxy URL      asks an https address through this forward proxy: http://host:port or https://host:port, with
                    user:password@ before the host if it wants that; the proxy of the environment is never used
    -ca FILE        trusts the authorities in this PEM file too, as for a proxy that opens TLS connections
    -json           prints one object: entity_id, login_url, logout_url (that of HTTP-Redirect), logout_services (binding,
                    location, response_location), certificates (sha256 in lower-case hex, subject, not_before,
                    not_after), valid_until (null if it does not say), warnings (code, message, hint)

Exit status: 0 read, 1 not usable as metadata (one line on standard error says why), 2 usage.
`

func (t *tool) metadata(args []string) int {
	flags := flag.NewFlagSet("metadata", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	entityID := flags.String("entity-id", "", "")
	proxy := flags.String("proxy", "", "")
	ca := flags.String("ca", "", "")
	if status, ok := t.parse(flags, metadataUsage, args); !ok {
		return status
	}
	if flags.NArg() != 1 {
		return t.misused("metadata", "name one file or address, or - for standard input")
	}
	name := flags.Arg(0)
	t.fetch.Proxy = *proxy
	if *ca != "" {
		var err error
		if t.fetch.RootCAs, err = authorities(*ca); err != nil {
			return t.misused("metadata", "-ca "+*ca+": "+err.Error())
		}
	}
	document, err := t.readSource(name, metadataLimit)
	var idp *saml.IdentityProvider
	if err == nil {
		idp, err = parseMetadata(document, *entityID, "-entity-id")
	}
	if err != nil {
		for _, e := range saml.Errors(err) {
			if e.Hint == "" {
				e.Hint = "Give the identity provider's metadata as it was downloaded (\"Federation Metadata XML\", \"IdP metadata\" or \"SAML metadata\")."
			}
			t.complain("metadata", name+": "+line(e))
		}
		return exitRefused
	}
	if *asJSON {
		printMetadataJSON(t.stdout, idp, t.now())
	} else {
		printMetadata(t.stdout, idp, t.now())
	}
	return exitOK
}

// parseMetadata reads a document. entityID picks one of several identity providers, and flagName is
// the flag that does so.
func parseMetadata(document []byte, entityID, flagName string) (*saml.IdentityProvider, error) {
	var options saml.ParseMetadataOptions
	if entityID != "" {
		options.EntityID = entityID
	}
	idp, err := saml.ParseMetadata(document, options)
	var e *saml.Error
	if errors.As(err, &e) && e.Code == saml.CodeMetadataAggregate && strings.HasPrefix(e.Hint, "Name ") { // not if it is there twice
		e.Hint = "Name the identity provider by its entity ID: " + flagName + " ID."
	}
	return idp, err
}

func printMetadata(w io.Writer, idp *saml.IdentityProvider, now time.Time) {
	row(w, 0, "Entity ID", idp.EntityID())
	row(w, 0, "Login URL", idp.LoginURL())
	row(w, 0, "Logout URL", idp.LogoutURL())
	for _, s := range idp.LogoutServices() {
		printLogout(w, s)
	}
	row(w, 0, "Valid until", showTime(idp.ValidUntil()))
	for i, k := range idp.Keys() {
		row(w, 0, fmt.Sprintf("Certificate %d", i+1), k.Subject())
		printKey(w, k, now)
	}
	for _, warning := range idp.Warnings(now) {
		row(w, 0, "Warning", warning.String())
	}
}

// printLogout prints what the row of the Logout URL, which is for HTTP-Redirect, does not say.
func printLogout(w io.Writer, s saml.LogoutService) {
	if binding := s.Binding[strings.LastIndexByte(s.Binding, ':')+1:]; binding != "HTTP-Redirect" {
		row(w, 0, "Logout URL, "+binding, s.Location)
	}
	if s.ResponseLocation != "" {
		row(w, 2, "for LogoutResponses", s.ResponseLocation)
	}
}

func printKey(w io.Writer, k saml.TrustedKey, now time.Time) {
	row(w, 2, "Thumbprint SHA-1", k.ThumbprintSHA1())
	row(w, 2, "Thumbprint SHA-256", k.ThumbprintSHA256())
	row(w, 2, "Valid", fmt.Sprintf("%s to %s, %s", showTime(k.NotBefore()), showTime(k.NotAfter()), life(k, now)))
	usable := "yes"
	if err := k.Usable(); err != nil {
		usable = "no: " + line(saml.Errors(err)[0])
	}
	row(w, 2, "Usable", usable)
}

// life says in days how a certificate stands to now.
func life(k saml.TrustedKey, now time.Time) string {
	days := func(from, to time.Time) string { // a time.Duration ends at 292 years, certificates do not
		if n := (to.Unix() - from.Unix()) / (24 * 60 * 60); n != 1 {
			return fmt.Sprintf("%d days", n)
		}
		return "1 day"
	}
	switch {
	case now.Before(k.NotBefore()):
		return "begins in " + days(now, k.NotBefore())
	case now.After(k.NotAfter()):
		return "ended " + days(k.NotAfter(), now) + " ago"
	}
	return days(now, k.NotAfter()) + " left"
}

// showTime gives "" for the zero time.
func showTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

type metadataJSON struct {
	EntityID     string            `json:"entity_id"`
	LoginURL     string            `json:"login_url"`
	LogoutURL    string            `json:"logout_url"` // that of HTTP-Redirect
	Logout       []logoutJSON      `json:"logout_services"`
	Certificates []certificateJSON `json:"certificates"`
	ValidUntil   *time.Time        `json:"valid_until"` // null if the document does not say
	Warnings     []warningJSON     `json:"warnings"`
}

type logoutJSON struct {
	Binding          string `json:"binding"` // URI
	Location         string `json:"location"`
	ResponseLocation string `json:"response_location"` // "" means location
}

type certificateJSON struct {
	SHA256    string    `json:"sha256"` // lower-case hex, as programs write it
	Subject   string    `json:"subject"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

type warningJSON struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func printMetadataJSON(w io.Writer, idp *saml.IdentityProvider, now time.Time) {
	m := metadataJSON{EntityID: idp.EntityID(), LoginURL: idp.LoginURL(), LogoutURL: idp.LogoutURL(),
		Logout: []logoutJSON{}, Certificates: []certificateJSON{}, Warnings: []warningJSON{}}
	for _, s := range idp.LogoutServices() {
		m.Logout = append(m.Logout, logoutJSON(s))
	}
	if until := idp.ValidUntil(); !until.IsZero() {
		m.ValidUntil = &until
	}
	for _, k := range idp.Keys() {
		m.Certificates = append(m.Certificates, certificateJSON{strings.ToLower(k.ThumbprintSHA256()), k.Subject(),
			k.NotBefore(), k.NotAfter()})
	}
	for _, warning := range idp.Warnings(now) {
		m.Warnings = append(m.Warnings, warningJSON(warning))
	}
	writeJSON(w, m)
}

// writeJSON writes v in one line. Its errors are those of the output, which remembers them.
func writeJSON(w io.Writer, v any) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.Encode(v)
}
