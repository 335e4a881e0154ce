package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/iomete/saml"
)

// SignOut ends the session of r on all replicas and deletes the cookie. After an error the cookie
// is deleted, but a copy of it may still work. A request without the cookie changes nothing: a form
// that another site posts comes without it and must not sign anyone out (CSRF). Sign-ins of the
// session's tenant that this browser has begun and not finished end too (saml.ForgetLogins).
func (m *Manager) SignOut(w http.ResponseWriter, r *http.Request) error {
	m.forget(w, r, "")
	forgotten := map[string]bool{}
	for _, s := range append(m.openAll(r), m.lateAll(r)...) {
		if !forgotten[s.Tenant] {
			saml.ForgetLogins(w, r, s.Tenant)
		}
		forgotten[s.Tenant] = true
	}
	return m.endAll(r)
}

// endAll ends the sessions of r. There is one, or one of each key while keys change. A session that
// has just ended by time ends as well, so that no form is kept for it any more.
func (m *Manager) endAll(r *http.Request) error {
	var failed []error
	for _, s := range append(m.openAll(r), m.lateAll(r)...) {
		failed = append(failed, m.end(r.Context(), s))
	}
	return errors.Join(failed...)
}

// SignOutHandler returns a handler that answers POST with SignOut and a redirect to publicPage, a
// path on this host. Require must not guard that page, or the user would be signed in again at once;
// the log warns about it. SignOutHandler panics if publicPage is no such path (saml.IsLocalPath).
func (m *Manager) SignOutHandler(publicPage string) http.Handler {
	if !saml.IsLocalPath(publicPage) {
		panic(fmt.Sprintf("session: SignOutHandler was called with %q, want a path on this host such as %q", publicPage, "/goodbye"))
	}
	m.goodbyes.add(publicPage)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "To sign out, send a POST request.", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if err := m.SignOut(w, r); err != nil {
			m.report(r.Context(), "a session could not be ended for all replicas", err)
			http.Error(w, "You are signed out in this browser, but the service could not record it everywhere. "+
				"Please try again.", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, publicPage, http.StatusSeeOther)
	})
}

// goodbyes are the paths of the pages that SignOutHandler leads to.
type goodbyes struct {
	mu    sync.Mutex
	paths []string
}

func (g *goodbyes) add(page string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if u, err := url.Parse(page); err == nil {
		g.paths = append(g.paths, u.Path)
	}
}

// warnAbout reports whether path is one of them, once for each.
func (g *goodbyes) warnAbout(path string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.paths)
	g.paths = slices.DeleteFunc(g.paths, func(p string) bool { return p == path })
	return len(g.paths) < n
}
