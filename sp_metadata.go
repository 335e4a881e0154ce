package saml

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/iomete/saml/internal/outgoing"
)

// MetadataOptions are what our metadata may have beyond what a sign-in needs. The zero value is
// what a file that an administrator uploads should be: unsigned, and without an end.
type MetadataOptions struct {
	// Sign signs the document with Config.SigningKey (SAML Metadata 2.0 §3), for identity providers
	// and federations that check where metadata comes from.
	Sign bool

	// ValidFor gives the document an end (validUntil, SAML Metadata 2.0 §2.3.2): so long after it
	// is written. At least an hour; 0 means no end. Set it only where the identity provider fetches
	// the metadata again and again: from a file that was uploaded once, it would refuse our
	// requests when ValidFor is over.
	ValidFor time.Duration

	// LogoutSOAP names the Logout URL for SOAP too, which needs no browser: the identity provider's
	// server must reach the Logout URL. If it cannot, as with a service in a private network, leave
	// this off: a round of logouts would stop there. Only SOAP and a post of Keycloak's server tell
	// us when an administrator ends sessions. It needs Config.LogoutPath.
	LogoutSOAP bool

	// OmitLogout leaves the Logout URL out, for a service that cannot end the sessions that an
	// identity provider names: its Handler has no HandlerConfig.EndSessions, or its sessions are
	// remembered by one process alone. Identity providers then do not send it LogoutRequests. A
	// logout that begins here still works, but its answer may not come back.
	OmitLogout bool

	// Displays and Logos are what a page of the identity provider shows about the service.
	Displays []MetadataDisplay // at most one for each language
	Logos    []MetadataLogo

	// Organization says who runs the service: one organization, with an entry for each language.
	Organization []MetadataOrganization

	// Contacts are people or teams to write to.
	Contacts []MetadataContact
}

// A MetadataDisplay is what users read about the service in one language (mdui:UIInfo, SAML
// Metadata Extensions for Login and Discovery User Interface 1.0 §2.1). Texts have at most 1024
// bytes; those that are empty are left out.
type MetadataDisplay struct {
	Language       string // tag of RFC 5646 ("de", "pt-BR"); default "en"
	Name           string // of the service; required
	Description    string // one or two sentences about it
	InformationURL string // http or https: a page about the service
	PrivacyURL     string // http or https: its privacy statement
}

// A MetadataLogo is a picture of the service (mdui:Logo, SAML Metadata Extensions for Login and
// Discovery User Interface 1.0 §2.1.5).
type MetadataLogo struct {
	URL           string // required: https, or data:image/… with the picture itself, at most 64 KiB
	Width, Height int    // pixels; required
	Language      string // tag of RFC 5646 if the picture has words in it; default none
}

// A MetadataOrganization says in one language who runs the service (md:Organization, SAML Metadata
// 2.0 §2.3.2.1). Texts have at most 1024 bytes.
type MetadataOrganization struct {
	Language    string // tag of RFC 5646 ("de", "pt-BR"); default "en"
	Name        string // as it is registered; required
	DisplayName string // as people know it; default Name
	URL         string // http or https: its home page; required
}

// A MetadataContact is a person or team to write to about the service (md:ContactPerson, SAML
// Metadata 2.0 §2.3.2.2). Texts have at most 1024 bytes; those that are empty are left out.
type MetadataContact struct {
	Type      string // "technical", "support", "administrative", "billing" or "other"; default "technical"
	Company   string
	GivenName string
	Surname   string
	Email     string // address, without "mailto:"; required
	Phone     string
}

// Metadata returns our own side of the trust as a SAML metadata document (XML, SAML Metadata 2.0
// §2.4.4), for identity providers that import one. Pass options once, or leave them out. It has:
//
//   - the entity ID and the Redirect URL (AssertionConsumerService, HTTP-POST);
//   - with Config.LogoutPath the Logout URL (SingleLogoutService, HTTP-Redirect and HTTP-POST);
//   - the certificates for signing, that of SigningKey first and then FurtherSigningCertificates,
//     and those of DecryptionKeys, each with its use;
//   - NameIDFormat emailAddress under EmailNameID; under AllowAnyNameID none, so that the identity
//     provider decides;
//   - AuthnRequestsSigned if there is a SigningKey, and WantAssertionsSigned: a signed assertion
//     is accepted under every Config;
//   - what the options add.
//
// An identity provider that fetches the document may keep it for 24 hours, or for ValidFor if that
// is shorter (cacheDuration, SAML Metadata 2.0 §2.3.2). The error is an *Error: CodeConfig for
// options that cannot be used (several faults are joined, see Errors), CodeKeyUnavailable if the
// signing key cannot be used at the moment, CodeInternal if what it signs is not verified by its
// certificate.
func (sp *ServiceProvider) Metadata(options ...MetadataOptions) ([]byte, error) {
	o, err := sp.metadataOptions(options)
	if err != nil {
		return nil, err
	}
	document, refusal := sp.writeMetadata(sp.describe(o, sp.config.Now()), o.Sign)
	if refusal != nil {
		return nil, refusal.completed(nil)
	}
	return document, nil
}

// MetadataHandler returns a handler for an address that identity providers fetch our metadata from:
// what Metadata returns with the same options, as application/samlmetadata+xml, with an ETag. It
// takes GET and HEAD only, and needs no session: everything in the document is public. It panics if
// the options cannot be used; Metadata says why by an error.
//
// Nothing makes it sign more often than the document changes. With ValidFor that is every 24th part
// of ValidFor, so what is served is valid for at least 23 of 24 parts.
func (sp *ServiceProvider) MetadataHandler(options ...MetadataOptions) http.Handler {
	o, err := sp.metadataOptions(options)
	if err != nil {
		panic("saml: ServiceProvider.MetadataHandler: " + err.Error())
	}
	return &metadataHandler{sp: sp, options: o}
}

// A metadataHandler keeps the last document that it signed: anyone can ask for it, and a signature
// takes time, or money if the key is in a service.
type metadataHandler struct {
	sp      *ServiceProvider
	options MetadataOptions

	mu       sync.Mutex
	document []byte
	tag      string        // of document
	until    time.Time     // when document ends, if it says so
	signing  chan struct{} // closed when the attempt that is under way ends, nil if there is none
	failed   *Error        // of the last attempt, nil if it succeeded; that is in the log
	retry    time.Time     // when to sign again after it
}

// How long a request waits for a signature, with and without a document that is still valid.
const (
	signWaitShort = time.Second
	signWait      = 10 * time.Second
)

// signRetry is how long a key that failed is not asked again: each request of anyone would ask it.
const signRetry = 10 * time.Second

func (h *metadataHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "This address serves SAML metadata: use GET.", http.StatusMethodNotAllowed)
		return
	}
	document, tag := h.current(r.Context())
	if document == nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "The metadata cannot be served at this moment.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	w.Header().Set("Cache-Control", "no-cache") // to be kept, and compared by its ETag before each use
	w.Header().Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
}

// current returns the document and its ETag, which is a weak one: each signature by ECDSA or
// RSA-PSS differs, and replicas sign for themselves. If it cannot be signed anew, the one before
// is returned as long as that is valid, then nil.
func (h *metadataHandler) current(ctx context.Context) (document []byte, tag string) {
	now := h.sp.config.Now()
	m := h.sp.describe(h.options, now.Truncate(h.options.ValidFor/24))
	unsigned, err := h.sp.writeMetadata(m, false)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.fail(err, now)
		return nil, ""
	}
	hash := sha256.New()
	hash.Write(unsigned)
	if h.options.Sign { // what is signed otherwise, or not at all, is another document
		io.WriteString(hash, h.sp.config.signingAlgorithm())
	}
	tag = `W/"` + hex.EncodeToString(hash.Sum(nil)[:16]) + `"`
	if !h.options.Sign {
		return unsigned, tag
	}
	valid := h.document != nil && (h.options.ValidFor == 0 || now.Before(h.until))
	if tag != h.tag {
		wait := signWait
		if valid {
			wait = signWaitShort
		}
		h.sign(ctx, m, tag, now, wait)
	}
	if tag == h.tag || valid {
		return h.document, h.tag
	}
	return nil, ""
}

// sign waits until the document is signed or the attempt fails, for at most this long. The lock is
// held before and after, not meanwhile: a key in a service may hang.
func (h *metadataHandler) sign(ctx context.Context, m outgoing.Metadata, tag string, now time.Time, wait time.Duration) {
	if h.signing == nil {
		if h.failed != nil && now.Before(h.retry) {
			return
		}
		h.signing = make(chan struct{})
		go h.attempt(m, tag, now)
	}
	done := h.signing
	h.mu.Unlock()
	defer h.mu.Lock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-ctx.Done():
	case <-timer.C:
		h.mu.Lock()
		if h.signing == done {
			h.fail(refusef(CodeKeyUnavailable, "the metadata is not signed: the key has not answered within %s", wait), now)
		}
		h.mu.Unlock()
	}
}

// attempt signs once.
func (h *metadataHandler) attempt(m outgoing.Metadata, tag string, now time.Time) {
	document, err := h.signed(m)
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.signing)
	h.signing = nil
	if err != nil {
		h.fail(err, now)
		return
	}
	h.document, h.tag, h.until, h.failed = document, tag, now.Add(h.options.ValidFor-h.options.ValidFor/24), nil
}

// signed makes an error of a panic of the key, which no server would recover.
func (h *metadataHandler) signed(m outgoing.Metadata) (document []byte, err *Error) {
	defer func() {
		if r := recover(); r != nil {
			err = refuse(CodeInternal, "the metadata cannot be signed: the key panicked", "", "").withCause(fmt.Errorf("%v", r))
		}
	}()
	return h.sp.writeMetadata(m, true)
}

// fail remembers a failure, and logs the first in a row.
func (h *metadataHandler) fail(err *Error, now time.Time) {
	if h.failed == nil {
		h.sp.config.Logger.Error("saml: "+err.Message, slog.String("tenant", h.sp.config.Tenant),
			slog.String("code", string(err.Code)), slog.String("cause", causeInLog(err.cause)))
	}
	h.failed, h.retry = err, now.Add(signRetry)
}

func (sp *ServiceProvider) writeMetadata(m outgoing.Metadata, sign bool) (document []byte, _ *Error) {
	var err error
	if sign {
		document, err = m.SignedXML(*sp.signer(context.Background()))
	} else {
		document, err = m.XML()
	}
	if err != nil {
		return nil, notSigned("the metadata", err)
	}
	return document, nil
}

// describe returns our metadata as of a time.
func (sp *ServiceProvider) describe(o MetadataOptions, now time.Time) outgoing.Metadata {
	c := &sp.config
	m := outgoing.Metadata{EntityID: sp.entityID, RedirectURL: sp.redirectURL, ValidFor: o.ValidFor, Now: now,
		SignsRequests: c.SigningKey != nil}
	if !o.OmitLogout {
		m.LogoutURL, m.LogoutSOAP = sp.LogoutURL(), o.LogoutSOAP
	}
	if c.NameID == EmailNameID {
		m.NameIDFormat = formatEmail
	}
	if c.SigningKey != nil {
		m.SigningCertificates = [][]byte{c.SigningCertificate}
	}
	for _, der := range c.FurtherSigningCertificates {
		m.SigningCertificates = appendNew(m.SigningCertificates, der)
	}
	for _, k := range c.DecryptionKeys {
		if k.Certificate != nil {
			m.EncryptionCertificates = appendNew(m.EncryptionCertificates, k.Certificate)
		}
	}
	for _, d := range o.Displays {
		m.Displays = append(m.Displays, outgoing.Display(d))
	}
	for _, l := range o.Logos {
		m.Logos = append(m.Logos, outgoing.Logo{Language: l.Language, URL: l.URL, Width: l.Width, Height: l.Height})
	}
	for _, org := range o.Organization {
		m.Organizations = append(m.Organizations, outgoing.Organization(org))
	}
	for _, contact := range o.Contacts {
		m.Contacts = append(m.Contacts, outgoing.Contact(contact))
	}
	return m
}

// appendNew appends a certificate that is not in the list yet.
func appendNew(list [][]byte, der []byte) [][]byte {
	if slices.ContainsFunc(list, func(other []byte) bool { return bytes.Equal(other, der) }) {
		return list
	}
	return append(list, der)
}

// metadataOptions returns the options with their defaults filled in, as a copy, or all their faults.
func (sp *ServiceProvider) metadataOptions(options []MetadataOptions) (MetadataOptions, error) {
	if len(options) == 0 {
		return MetadataOptions{}, nil
	}
	if len(options) > 1 {
		return MetadataOptions{}, refuse(CodeConfig, "Metadata was given several options", strconv.Itoa(len(options)),
			"at most one MetadataOptions").advised("Put all of it into one MetadataOptions.")
	}
	o := options[0].withDefaults()
	f := faults{of: "MetadataOptions"}
	if o.Sign && sp.config.SigningKey == nil {
		f.add("Sign", "is set, but there is no key to sign with", "", "Config.SigningKey and Config.SigningCertificate, or Sign false")
	}
	if o.ValidFor != 0 && o.ValidFor < time.Hour {
		f.add("ValidFor", "is too short", o.ValidFor.String(), "at least "+time.Hour.String()+", or 0 for no end")
	}
	if o.LogoutSOAP && (sp.config.LogoutPath == "" || o.OmitLogout) {
		f.add("LogoutSOAP", "is set, but no Logout URL is published", "", "Config.LogoutPath without OmitLogout, or LogoutSOAP false")
	}
	f.metadataTexts(o)
	return o, completeAll(errors.Join(f.list...), nil)
}

func (o MetadataOptions) withDefaults() MetadataOptions {
	o.Displays, o.Logos = slices.Clone(o.Displays), slices.Clone(o.Logos)
	o.Organization, o.Contacts = slices.Clone(o.Organization), slices.Clone(o.Contacts)
	for i := range o.Displays {
		if o.Displays[i].Language == "" {
			o.Displays[i].Language = defaultLanguage
		}
	}
	for i := range o.Organization {
		if o.Organization[i].Language == "" {
			o.Organization[i].Language = defaultLanguage
		}
	}
	for i := range o.Contacts {
		if o.Contacts[i].Type == "" {
			o.Contacts[i].Type = contactTypes[0]
		}
	}
	return o
}
