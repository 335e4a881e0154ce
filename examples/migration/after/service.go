// Package after is the service of package before with this library.
package after

import (
	"crypto/rsa"
	"crypto/tls"
	"net/http"
	"slices"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/migration/pages"
	"github.com/iomete/saml/session"
)

// New returns the service at root. pair is the key that the service had before, which decrypts
// assertions, and its certificate. keys seal the cookies.
func New(root string, metadata []byte, pair tls.Certificate, keys [][]byte) (http.Handler, error) {
	idp, err := saml.ParseMetadata(metadata)
	if err != nil {
		return nil, err
	}
	store := saml.NewMemoryStore() // for a single process, as Records below; several share sqlstore's
	sp, err := saml.New(saml.Config{
		BaseURL:          root,
		RedirectPath:     "/saml/acs",             // as before, so nothing changes
		EntityID:         root + "/saml/metadata", // at the identity provider
		IdentityProvider: idp,
		StateKeys:        keys,
		Store:            store,
		DecryptionKeys: []saml.DecryptionKey{
			{Key: pair.PrivateKey.(*rsa.PrivateKey), Certificate: pair.Certificate[0]},
		},
		Unsolicited: saml.RestartUnsolicited,
	})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New(session.Config{
		Keys:     keys,
		Store:    store,
		Records:  new(session.MemoryRecords),
		Lifetime: time.Hour, // as before
	})
	if err != nil {
		return nil, err
	}
	login := sp.Handler(sessions)
	mux := http.NewServeMux()
	mux.Handle(sp.RedirectPath(), login)
	mux.Handle("/saml/metadata", sp.MetadataHandler())
	mux.Handle("POST /sign-out", sessions.SignOutHandler("/goodbye"))
	mux.HandleFunc("GET /goodbye", pages.Goodbye)
	mux.Handle("/", login.Require(http.HandlerFunc(home)))
	mux.Handle("/admin/", login.RequireFunc(isAdministrator)(http.HandlerFunc(home)))
	return mux, nil
}

func isAdministrator(r *http.Request) bool {
	return slices.Contains(session.FromContext(r.Context()).Identity.Roles, pages.Administrator)
}

func home(w http.ResponseWriter, r *http.Request) {
	who := session.FromContext(r.Context()).Identity
	pages.Home(w, r, pages.User{Email: who.Email, Name: who.Name, Groups: who.Groups})
}
