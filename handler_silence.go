package saml

import (
	"net/http"
	"sync"
	"time"
)

const (
	// mostUnanswered is how many logins a process begins before it is odd that no response has come.
	mostUnanswered = 3
	// unansweredFor is how long the first of them has had: longer than most people need to sign in.
	unansweredFor = 2 * time.Minute
)

// A silence notices that logins begin and that no response ever arrives. What keeps the identity
// provider's POST away (a middleware in front, a proxy, the page of the identity provider) does so
// before this package sees anything, so that no refusal can say it.
type silence struct {
	mu    sync.Mutex
	first time.Time // when the first login began
	begun int
	over  bool // a response has arrived, or the log says that none has
}

// begin notes a login, and reports whether it is time to speak.
func (s *silence) begin(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	if s.begun++; s.begun == 1 {
		s.first = now
	}
	s.over = s.begun >= mostUnanswered && now.Sub(s.first) >= unansweredFor
	return s.over
}

// end notes that a response has arrived, whatever becomes of it.
func (s *silence) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// noticeSilence warns, once for a Handler, that its logins have no answers. This decides nothing.
func (h *Handler) noticeSilence(r *http.Request, sp *ServiceProvider) {
	if !h.silence.begin(sp.config.Now()) {
		return
	}
	sp.config.Logger.WarnContext(r.Context(), "saml: logins begin, and no response has arrived at the Redirect URL since this process started. This is logged once",
		"redirect_url", sp.redirectURL, "tenant", sp.config.Tenant,
		"hint", "If nobody can sign in, something refuses the identity provider's POST before the Handler gets it. A middleware against CSRF: exempt the path of the Redirect URL "+
			"(http.CrossOriginProtection: AddInsecureBypassPattern). A proxy or a route: let POST through to the Handler. The identity provider itself, with an error on its own page: "+
			"register the Redirect URL there as Reply URL (ACS URL). If people left their sign-ins, or another process gets the responses, ignore this.")
}
