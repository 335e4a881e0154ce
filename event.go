package saml

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// An EventKind says what happened.
type EventKind string

const (
	LoginStarted   EventKind = "login_started"   // a request was made
	LoginSucceeded EventKind = "login_succeeded" // a response was accepted
	LoginRefused   EventKind = "login_refused"   // a login could not begin, or a response was refused

	LogoutAccepted EventKind = "logout_accepted" // sessions that an identity provider named have ended
	LogoutRefused  EventKind = "logout_refused"  // a logout message was refused, or could not be carried out
	LogoutStarted  EventKind = "logout_started"  // a LogoutRequest was made
	LogoutFinished EventKind = "logout_finished" // the identity provider answered that its session has ended
	// LogoutIncomplete: a logout that somebody asked for here did not begin, or the identity provider
	// did not confirm it. Err says why. The session of this service has ended all the same, unless
	// its code is CodeLogoutOrigin, or CodeSession, with which it may go on elsewhere.
	LogoutIncomplete EventKind = "logout_incomplete"

	// SessionUnknown: a page was answered with status 503, because Sessions.Authenticate or
	// HandlerConfig.FormAccount failed. HandlerConfig.Observe gets it.
	SessionUnknown EventKind = "session_unknown"

	// FormRefused: a form that Require had kept over a sign-in was not sent again, because the
	// Store failed.
	FormRefused EventKind = "form_refused"
)

// An Event is something that an operator may want to count or keep.
type Event struct {
	Kind   EventKind
	Time   time.Time // by Config.Now
	Tenant string

	// RequestID is that of the request, so that the begin and the end of a login or logout can be matched.
	// Empty if there was no pending login of ours: for an unsolicited response, and for what anyone
	// can post without having begun a login.
	RequestID string
	Login     *Login  // of a LoginSucceeded; personal data
	Logout    *Logout // of a LogoutAccepted; personal data
	// Metadata says more, for the events of a MetadataSource; else nil.
	Metadata *MetadataEvent
	// Err says why, for a LoginRefused, a LogoutRefused, a LogoutIncomplete, a SessionUnknown, a
	// FormRefused, and what fails of a MetadataSource. Its Got may be personal data, see
	// Code.Personal, and so may be the text of the error that it wraps. A browser can post any number
	// of responses for one login, so a login may be refused several times, and with CodeReplayed after
	// it succeeded.
	Err *Error

	signedIn bool // refused in a browser that is signed in, which troubles nobody
}

const (
	refusalWindow = time.Minute
	// How many refusals of each code are shown in a window: without a pending login, which any post
	// can cause, and with one, which a browser must begin first.
	strayRefusals, pendingRefusals = 10, 60
)

// A refusalLog writes events to a log. Of the refusals of each code it writes some in full and
// counts the others, so that nobody can flood the log to hide what matters. Refusals without a
// pending login do not use up the limit of those with one. Observe gets every refusal.
type refusalLog struct {
	mu     sync.Mutex
	counts map[refusalKind]*refusalCount // as many as there are codes, twice
}

type refusalKind struct {
	code    Code
	pending bool
}

type refusalCount struct {
	since time.Time
	n     int // since then
}

func (l *refusalLog) write(ctx context.Context, to *slog.Logger, e Event) {
	if e.Err == nil {
		e.log(ctx, to)
		return
	}
	kind := refusalKind{e.Err.Code, e.RequestID != ""}
	show, leftOut := l.count(kind, e.Time)
	if leftOut > 0 {
		to.LogAttrs(ctx, slog.LevelWarn, "saml: more refusals, not logged one by one",
			slog.String("code", string(kind.code)), slog.Bool("pending_login", kind.pending),
			slog.String("tenant", e.Tenant), slog.Int("count", leftOut))
	}
	if show {
		e.log(ctx, to)
	}
}

// count counts a refusal. It reports whether to show it and, if it ends a window, how many of that
// window were left out.
func (l *refusalLog) count(kind refusalKind, now time.Time) (show bool, leftOut int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := strayRefusals
	if kind.pending {
		most = pendingRefusals
	}
	c := l.counts[kind]
	if c == nil {
		c = &refusalCount{since: now}
		if l.counts == nil {
			l.counts = map[refusalKind]*refusalCount{}
		}
		l.counts[kind] = c
	}
	if d := now.Sub(c.since); d >= refusalWindow || d < 0 {
		leftOut = max(c.n-most, 0)
		c.since, c.n = now, 0
	}
	c.n++
	return c.n <= most, leftOut
}

// log writes what is not personal. Refusals are warnings for an operator; a success is not, nor is
// a refusal that a signed-in user did not notice.
func (e Event) log(ctx context.Context, l *slog.Logger) {
	if e.Err == nil && !l.Enabled(ctx, slog.LevelDebug) { // most sign-ins: nobody listens
		return
	}
	attrs := []slog.Attr{slog.String("tenant", e.Tenant)}
	if e.RequestID != "" {
		attrs = append(attrs, slog.String("request", e.RequestID))
	}
	if e.Err == nil {
		l.LogAttrs(ctx, slog.LevelDebug, "saml: "+string(e.Kind), attrs...)
		return
	}
	attrs = append(attrs, slog.String("code", string(e.Err.Code)), slog.String("message", e.Err.Message))
	for _, a := range []slog.Attr{slog.String("check", e.Err.Check), slog.String("want", e.Err.Want),
		slog.String("hint", e.Err.Hint), slog.String("reference", e.Err.Reference),
		slog.String("cause", causeInLog(e.Err.cause))} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Err.Got != "" && !e.Err.Code.Personal() {
		attrs = append(attrs, slog.String("got", e.Err.Got))
	}
	level := slog.LevelWarn
	if e.signedIn {
		level = slog.LevelInfo
	}
	l.LogAttrs(ctx, level, "saml: "+string(e.Kind), attrs...)
}

// causeInLog returns what may be logged of an error that is not ours. Its text may name a person (a
// row of a database, an address), so the log gets its type or a known cause instead.
func causeInLog(err error) string {
	var own *Error
	switch {
	case isNil(err):
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection broke off"
	case errors.As(err, &own) && own != nil:
		return string(own.Code) + ": " + own.Message
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Sprintf("%T; Observe gets its text", err)
}
