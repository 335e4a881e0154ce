package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// An ending is what became of the login of one request. Several parts learn of it: the handler of
// the Redirect URL, its events, the sessions, the storage. The first word about an ending counts,
// in the metrics and in the log alike, and no other one does.
type ending struct {
	mu      sync.Mutex
	counted bool
	refusal *saml.Error // of an event, if nobody has answered it yet
	stray   bool        // that refusal
	tenant  string      // of that event
	logout  bool        // a message about logout was refused, which is no login
}

type endingKey struct{}

// withEnding prepares a request for its ending, and counts one at its end that only an event told
// of.
func (c *Console) withEnding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &ending{}
		r = r.WithContext(context.WithValue(r.Context(), endingKey{}, e))
		next.ServeHTTP(w, r)
		e.mu.Lock()
		refusal, stray, tenant := e.refusal, e.stray, e.tenant
		e.mu.Unlock()
		if refusal != nil && first(r.Context()) {
			c.countRefusal(r, refusal, strings.HasPrefix(tenant, testTenant), stray)
		}
	})
}

// first reports whether nothing was counted for the request so far, and takes it as counted.
func first(ctx context.Context) bool {
	e, ok := ctx.Value(endingKey{}).(*ending)
	if !ok {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	was := e.counted
	e.counted = true
	return !was
}

// observe counts the beginnings, and keeps refusals for the end of the request. That a response was
// accepted is no end: the session may still fail to begin.
func (c *Console) observe(ctx context.Context, event saml.Event) {
	c.observeLogout(ctx, event)
	switch event.Kind {
	case saml.LoginStarted:
		c.metrics.count(event.Tenant != "", "started", "")
	case saml.LoginSucceeded:
		c.noteKeyUse(ctx, event.Login)
	case saml.LoginRefused:
		if e, ok := ctx.Value(endingKey{}).(*ending); ok {
			e.mu.Lock()
			e.refusal, e.stray, e.tenant = event.Err, isStray(ctx, event.Err), event.Tenant
			e.mu.Unlock()
		}
	}
}

// succeeded counts a login that ended with a session and, with test, a test that passed.
func (c *Console) succeeded(r *http.Request, test bool, line storage.SignIn) {
	if !first(r.Context()) {
		return
	}
	c.metrics.count(test, "succeeded", "")
	if !test {
		c.note(r.Context(), line)
	}
}

// refused counts a login that was refused, a test or a real one, and writes it to the log.
func (c *Console) refused(r *http.Request, err *saml.Error, test bool) {
	if first(r.Context()) {
		c.countRefusal(r, err, test, isStray(r.Context(), err))
	}
}

func (c *Console) countRefusal(r *http.Request, err *saml.Error, test, stray bool) {
	c.metrics.count(test, "refused", string(err.Code))
	if !c.refusals.admits(c.Now(), stray, c.clientAddress(r)) {
		return
	}
	line := storage.SignIn{Code: string(err.Code), Check: err.Check, Message: err.Message, Got: err.Got,
		Want: err.Want, Hint: err.Hint, Reference: err.Reference, Stray: stray}
	if cause := errors.Unwrap(err); cause != nil {
		line.Cause = cause.Error()
	}
	c.note(r.Context(), line)
}

// note adds a line to the log. The sign-in does not depend on it, and nobody waits for a database
// that has just not answered.
func (c *Console) note(ctx context.Context, s storage.SignIn) {
	if c.hangs() {
		c.Logger.Warn("a sign-in is not written to the log, since the database does not answer", "code", s.Code,
			"reference", s.Reference)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	if err := c.DB.AddSignIn(ctx, s); err != nil {
		c.Logger.Warn("a sign-in could not be written to the log", "error", err)
	}
}

// isStray reports whether a refusal answers no sign-in that this browser began: its pending login
// could not be opened, or there was none. Anybody can post such a response.
func isStray(ctx context.Context, err *saml.Error) bool {
	switch err.Code {
	case saml.CodeStateMissing, saml.CodeStateInvalid, saml.CodeUnsolicited:
		return true
	}
	return saml.ProviderFromContext(ctx) == nil // known once there is a pending login
}

// A window bounds how many refusals a minute are written to the log: anybody can post nonsense to
// the Redirect URL. What is stray has its own bounds, so it keeps no other refusal out. Whoever
// begins sign-ins and spoils the answers counts with everybody who is refused: from one address
// that leaves room for the others, from many addresses it can keep refusals of real users out. The
// metrics have all.
type window struct {
	mu    sync.Mutex
	begun time.Time
	count [2]int            // of each kind
	from  [2]map[string]int // of each kind, by address
}

// Refusals that are written, a minute.
const (
	maxRefusals     = 240
	maxRefusalsFrom = 60 // one address: a company's people may share one
	maxStray        = 60
	maxStrayFrom    = 10 // one address
)

// admits reports whether a refusal may be written, and counts it.
func (w *window) admits(now time.Time, stray bool, address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Sub(w.begun) >= time.Minute || w.from[0] == nil {
		w.begun, w.count = now, [2]int{}
		w.from = [2]map[string]int{{}, {}}
	}
	kind, most, mostFrom := 0, maxRefusals, maxRefusalsFrom
	if stray {
		kind, most, mostFrom = 1, maxStray, maxStrayFrom
	}
	if w.count[kind] >= most || w.from[kind][address] >= mostFrom {
		return false
	}
	w.count[kind]++
	w.from[kind][address]++
	return true
}
