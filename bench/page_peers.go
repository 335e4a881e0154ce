package bench

import (
	"crypto/rand"
	"encoding/gob"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/securecookie"
)

// stored is all of a user that the peers without SAML keep. Our sessions hold five times as many
// fields.
type stored struct {
	Email  string
	Groups []string
}

// secureCookiePage reads a cookie of gorilla/securecookie: AES-256 and HMAC-SHA256, with JSON inside,
// which is faster than its default.
func secureCookiePage(f *fixture) (Job, error) {
	const name = "session"
	keys := make([]byte, 64)
	rand.Read(keys)
	codec := securecookie.New(keys[:32], keys[32:])
	codec.SetSerializer(securecookie.JSONEncoder{})
	value, err := codec.Encode(name, stored{f.want.email, f.want.groups})
	if err != nil {
		return Job{}, err
	}
	var who person
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var s stored
		c, err := r.Cookie(name)
		if err == nil {
			err = codec.Decode(name, c.Value, &s)
		}
		if err != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		who = person{s.Email, s.Groups}
	})
	return pageJob(SecureCookie, f.want, name+"="+value, page, &who), nil
}

// scsPage has its session in the memory of the process: the cookie only says which one.
func scsPage(f *fixture) (Job, error) {
	gob.Register([]string{})
	sessions := scs.New()
	sessions.Store = memstore.NewWithCleanupInterval(0) // no goroutine
	signIn := sessions.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "email", f.want.email)
		sessions.Put(r.Context(), "groups", f.want.groups)
	}))
	w := newResponse()
	signIn.ServeHTTP(w, newRequest(http.MethodPost, "/sign-in", ""))
	var who person
	page := sessions.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		groups, _ := sessions.Get(r.Context(), "groups").([]string)
		who = person{sessions.GetString(r.Context(), "email"), groups}
	}))
	return pageJob(SCS, f.want, w.cookies(""), page, &who), nil
}
