package saml_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const (
	ringID      = "https://idp.example.test/saml"
	ringSSO     = "https://idp.example.test/sso"
	ringOtherID = "https://other.example.test/saml"
)

// ringKeys are the private keys of all tests of metadata that refreshes. a, b and c sign responses,
// enc is for encryption, fed1 and fed2 sign metadata.
var ringKeys = sync.OnceValue(func() map[string]crypto.Signer {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	keys := map[string]crypto.Signer{"weak": weak}
	for _, name := range append([]string{"fed1", "fed2"}, signers...) {
		if keys[name], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			panic(err)
		}
	}
	return keys
})

// signers are the keys that a test tries, in the order of the identity provider's.
var signers = []string{"a", "b", "c", "enc"}

// ring makes certificates and documents.
type ring struct {
	t    testing.TB
	made map[string][]byte
}

// certificate returns that of a name: a key, and perhaps "-renewed", "-expired" or "-future".
func (r *ring) certificate(name string) []byte {
	r.t.Helper()
	if der := r.made[name]; der != nil {
		return der
	}
	key, kind, _ := strings.Cut(name, "-")
	const day = 24 * time.Hour
	from, until := -100*day, 400*day
	switch kind {
	case "renewed":
		from, until = -day, 1000*day
	case "expired":
		from, until = -400*day, -10*day
	case "future":
		from, until = day, 1000*day
	case "soon":
		until = 20 * day
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(len(r.made) + 1)), Subject: pkix.Name{CommonName: "Test " + name},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until)}
	signer := ringKeys()[key]
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		r.t.Fatal(err)
	}
	r.made[name] = der
	return der
}

// pins returns the keys of certificates, as an administrator pins them.
func (r *ring) pins(names ...string) (keys []saml.TrustedKey) {
	r.t.Helper()
	for _, name := range names {
		more, err := saml.ParseKeys(r.certificate(name))
		if err != nil {
			r.t.Fatal(err)
		}
		keys = append(keys, more...)
	}
	return keys
}

// entity is one EntityDescriptor.
type entity struct {
	id, entityID, sso, logout    string
	validUntil, roleValid, cache string
	created                      string // mdrpi creationInstant
	signing, anyUse, encryption  []string
	wantsSigned, service         bool
	services                     string // further elements of the role, in front of the others
}

func with(change func(*entity)) *entity {
	e := &entity{id: "_1", entityID: ringID, sso: ringSSO, signing: []string{"a"}}
	if change != nil {
		change(e)
	}
	return e
}

// in is a time from now, as metadata writes it.
func in(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }

func attribute(name, value string) string {
	if value == "" {
		return ""
	}
	return " " + name + `="` + value + `"`
}

// xml returns the document of an entity.
func (r *ring) xml(e *entity) string {
	r.t.Helper()
	var keys strings.Builder
	for use, names := range map[string][]string{"signing": e.signing, "": e.anyUse, "encryption": e.encryption} {
		for _, name := range names {
			keys.WriteString(`<KeyDescriptor` + attribute("use", use) + `><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` +
				base64.StdEncoding.EncodeToString(r.certificate(name)) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`)
		}
	}
	role, service := "IDPSSODescriptor", `<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="`+e.sso+`"/>`
	if e.service {
		role, service = "SPSSODescriptor", `<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://sp.example.test/" index="0"/>`
	}
	if e.logout != "" {
		service = `<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="` + e.logout + `"/>` + service
	}
	service = e.services + service
	extensions := ""
	if e.created != "" {
		extensions = `<Extensions><mdrpi:PublicationInfo xmlns:mdrpi="urn:oasis:names:tc:SAML:metadata:rpi" publisher="x" creationInstant="` + e.created + `"/></Extensions>`
	}
	wants := ""
	if e.wantsSigned {
		wants = ` WantAuthnRequestsSigned="true"`
	}
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"` + attribute("ID", e.id) + attribute("entityID", e.entityID) +
		attribute("validUntil", e.validUntil) + attribute("cacheDuration", e.cache) + `>` + extensions +
		`<` + role + wants + attribute("validUntil", e.roleValid) + ` protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
		keys.String() + service + `</` + role + `></EntityDescriptor>`
}

// collection is documents in an EntitiesDescriptor.
func collection(validUntil string, documents ...string) string {
	return `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="_all"` + attribute("validUntil", validUntil) + `>` +
		strings.Join(documents, "") + `</EntitiesDescriptor>`
}

// crowd is so many other identity providers, whose key is c.
func (r *ring) crowd(n int) (documents []string) {
	for i := range n {
		documents = append(documents, r.xml(with(func(e *entity) {
			e.id, e.entityID, e.signing = fmt.Sprintf("_c%d", i), fmt.Sprintf("https://idp%d.example.test/saml", i), []string{"c"}
		})))
	}
	return documents
}

// signed is a document that a key signed.
func (r *ring) signed(by, document string) string {
	r.t.Helper()
	key, _, _ := strings.Cut(by, "-")
	out, err := samltest.SignMetadata([]byte(document), ringKeys()[key], r.certificate(by))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(out)
}

// metadataHouse is a metadata server, a source that reads it, and a service provider that trusts the
// source, on a clock that the test moves.
type metadataHouse struct {
	*ring
	t         *testing.T
	server    *samltest.MetadataServer
	address   string
	idp       *samltest.IdentityProvider
	scheduler *saml.Scheduler
	ctx       context.Context
	end       context.CancelFunc
	jump      atomic.Int64 // how far the wall clock was set, as a time.Duration
	log       strings.Builder
	logging   sync.Mutex

	mu     sync.Mutex
	events []saml.Event
}

// withMetadataHouse runs a test on a clock of its own. The server is outside, so that no time passes
// while it answers.
func withMetadataHouse(t *testing.T, test func(t *testing.T, h *metadataHouse)) {
	t.Helper()
	server := samltest.NewMetadataServer()
	web := httptest.NewServer(server)
	defer web.Close()
	ringKeys()
	synctest.Test(t, func(t *testing.T) {
		h := &metadataHouse{ring: &ring{t, map[string][]byte{}}, t: t, server: server, address: web.URL + "/metadata",
			scheduler: saml.NewScheduler()}
		var keys []crypto.Signer
		for _, name := range signers {
			keys = append(keys, ringKeys()[name])
		}
		h.idp = samltest.MustNew(t, samltest.Options{EntityID: ringID, Keys: keys, Now: h.now})
		h.ctx, h.end = context.WithCancel(t.Context())
		defer func() { // the scheduler has no goroutine then
			h.end()
			time.Sleep(time.Second)
		}()
		test(t, h)
	})
}

func (h *metadataHouse) now() time.Time { return time.Now().Add(time.Duration(h.jump.Load())) }

func (h *metadataHouse) config(change func(*saml.MetadataSourceConfig)) saml.MetadataSourceConfig {
	c := saml.MetadataSourceConfig{Address: h.address, EntityID: ringID, Now: h.now, Logger: slog.New(slog.NewTextHandler(h, nil)),
		Observe: func(_ context.Context, e saml.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		}}
	if change != nil {
		change(&c)
	}
	return c
}

// Write takes the log.
func (h *metadataHouse) Write(b []byte) (int, error) {
	h.logging.Lock()
	defer h.logging.Unlock()
	return h.log.Write(b)
}

// source begins a source and waits for its first look.
func (h *metadataHouse) source(change func(*saml.MetadataSourceConfig)) *saml.MetadataSource {
	h.t.Helper()
	s, err := saml.NewMetadataSourceOn(h.ctx, h.scheduler, h.config(change))
	if err != nil {
		h.t.Fatal(err)
	}
	h.pass(3 * time.Second)
	return s
}

// pass lets time pass, and what is due happen.
func (h *metadataHouse) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// next waits for the next look of a source.
func (h *metadataHouse) next(s *saml.MetadataSource) {
	h.pass(s.Status().NextLook.Sub(h.now()) + time.Second)
}

// told returns the events since the last call.
func (h *metadataHouse) told() []saml.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.events
	h.events = nil
	return events
}

// kinds returns the kinds of events, in one line.
func kinds(events []saml.Event) string {
	var list []string
	for _, e := range events {
		list = append(list, string(e.Kind))
	}
	return strings.Join(list, " ")
}

func (h *metadataHouse) provider(s saml.IdentityProviderSource, change func(*saml.Config)) *saml.ServiceProvider {
	h.t.Helper()
	c := saml.Config{BaseURL: "https://console.example.com", IdentityProvider: s, StateKeys: [][]byte{saml.NewStateKey()},
		Store: saml.NewMemoryStoreWithClock(h.now), Now: h.now, Logger: slog.New(slog.NewTextHandler(h, nil))}
	if change != nil {
		change(&c)
	}
	sp, err := saml.New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return sp
}

// trusts returns the keys with which a response is accepted, in one word, or the code of the refusal
// if there are none for another reason than the signature. No login was begun, so no look is caused.
func (h *metadataHouse) trusts(s saml.IdentityProviderSource, change func(*saml.Config)) string {
	h.t.Helper()
	sp := h.provider(s, change)
	var list []string
	for i, name := range signers {
		form, err := h.idp.Respond(samltest.Answer{RequestID: "_x" + name, Recipient: redirectURL, Key: i})
		if err != nil {
			h.t.Fatal(err)
		}
		_, err = sp.FinishLogin(h.t.Context(), saml.FormResponse{SAMLResponse: form, RequestID: "_x" + name})
		var refusal *saml.Error
		switch {
		case err == nil:
			list = append(list, name)
		case errors.As(err, &refusal) && refusal.Code != saml.CodeSignature:
			return string(refusal.Code)
		}
	}
	return strings.Join(list, ",")
}

// login is a sign-in that this service began, with a response that is signed by a key.
func (h *metadataHouse) login(sp *saml.ServiceProvider, key string) error {
	h.t.Helper()
	request, err := sp.StartLogin(h.t.Context(), saml.LoginOptions{})
	if err != nil {
		return err
	}
	return h.finish(sp, request, key)
}

func (h *metadataHouse) finish(sp *saml.ServiceProvider, request *saml.AuthnRequest, key string) error {
	h.t.Helper()
	i := 0
	for signers[i] != key {
		i++
	}
	form, err := h.idp.Respond(samltest.Answer{RequestID: request.ID, Recipient: redirectURL, Key: i})
	if err != nil {
		h.t.Fatal(err)
	}
	_, err = sp.FinishLogin(h.t.Context(), saml.FormResponse{SAMLResponse: form, State: request.State})
	return err
}

// asked returns how many requests the server got.
func (h *metadataHouse) asked() int { return len(h.server.Requests()) }
