// Package before is a service with the middleware samlsp of github.com/crewjam/saml.
package before

import (
	"crypto/rsa"
	"crypto/tls"
	"net/http"
	"net/url"

	"github.com/crewjam/saml/samlsp"

	"github.com/iomete/saml/examples/migration/pages"
)

// The names of the attributes that the service reads.
const (
	emailAttribute = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
	nameAttribute  = "http://schemas.microsoft.com/identity/claims/displayname"
	groupAttribute = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
	roleAttribute  = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
)

// New returns the service at root. pair is its RSA key, which signs the cookies and decrypts
// assertions, and the certificate, which its metadata shows.
func New(root string, metadata []byte, pair tls.Certificate) (http.Handler, error) {
	rootURL, err := url.Parse(root)
	if err != nil {
		return nil, err
	}
	idp, err := samlsp.ParseMetadata(metadata)
	if err != nil {
		return nil, err
	}
	middleware, err := samlsp.New(samlsp.Options{
		URL:               *rootURL,
		Key:               pair.PrivateKey.(*rsa.PrivateKey),
		Certificate:       pair.Leaf,
		IDPMetadata:       idp,
		AllowIDPInitiated: true,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/saml/", middleware)
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := middleware.Session.DeleteSession(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/goodbye", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /goodbye", pages.Goodbye)
	mux.Handle("/", middleware.RequireAccount(http.HandlerFunc(home)))
	administrators := samlsp.RequireAttribute(roleAttribute, pages.Administrator)
	mux.Handle("/admin/", middleware.RequireAccount(administrators(http.HandlerFunc(home))))
	return mux, nil
}

func home(w http.ResponseWriter, r *http.Request) {
	var groups []string
	if s, ok := samlsp.SessionFromContext(r.Context()).(samlsp.SessionWithAttributes); ok {
		groups = s.GetAttributes()[groupAttribute]
	}
	pages.Home(w, r, pages.User{
		Email:  samlsp.AttributeFromContext(r.Context(), emailAttribute),
		Name:   samlsp.AttributeFromContext(r.Context(), nameAttribute),
		Groups: groups,
	})
}
