package saml

import (
	"context"
	"log/slog"
	"time"
)

// An EventKind says what happened.
type EventKind string

const (
	LoginStarted   EventKind = "login_started"   // a request was made
	LoginSucceeded EventKind = "login_succeeded" // a response was accepted
	LoginRefused   EventKind = "login_refused"   // a login could not begin, or a response was refused
)

// An Event is something that an operator may want to count or keep.
type Event struct {
	Kind   EventKind
	Time   time.Time // by Config.Now
	Tenant string

	RequestID string // of a LoginStarted
	Login     *Login // of a LoginSucceeded; personal data
	Err       *Error // of a LoginRefused; Got may be personal data, see Code.Personal
}

func (sp *ServiceProvider) observeStart(ctx context.Context, r *AuthnRequest, err *Error) {
	if err != nil {
		sp.observe(ctx, Event{Kind: LoginRefused, Err: err})
		return
	}
	sp.observe(ctx, Event{Kind: LoginStarted, RequestID: r.ID})
}

func (sp *ServiceProvider) observeFinish(ctx context.Context, login *Login, err *Error) {
	if err != nil {
		sp.observe(ctx, Event{Kind: LoginRefused, Err: err})
		return
	}
	sp.observe(ctx, Event{Kind: LoginSucceeded, Login: login})
}

func (sp *ServiceProvider) observe(ctx context.Context, e Event) {
	e.Time, e.Tenant = sp.config.Now(), sp.config.Tenant
	e.log(ctx, sp.config.Logger)
	if sp.config.Observe != nil {
		sp.config.Observe(ctx, e)
	}
}

// log writes what is not personal. Refusals are for an operator to see; what went well is not.
func (e Event) log(ctx context.Context, l *slog.Logger) {
	if e.Err == nil {
		l.LogAttrs(ctx, slog.LevelDebug, "saml: "+string(e.Kind), slog.String("tenant", e.Tenant))
		return
	}
	attrs := []slog.Attr{slog.String("code", string(e.Err.Code)), slog.String("message", e.Err.Message), slog.String("tenant", e.Tenant)}
	for _, a := range []slog.Attr{slog.String("check", e.Err.Check), slog.String("want", e.Err.Want), slog.String("hint", e.Err.Hint), slog.String("reference", e.Err.Reference)} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Err.Got != "" && !e.Err.Code.Personal() {
		attrs = append(attrs, slog.String("got", e.Err.Got))
	}
	if e.Err.cause != nil {
		attrs = append(attrs, slog.String("cause", e.Err.cause.Error()))
	}
	l.LogAttrs(ctx, slog.LevelWarn, "saml: "+string(e.Kind), attrs...)
}
