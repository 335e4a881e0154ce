package saml

import (
	"context"
	"net/http"
	"time"
)

// A Logout is a LogoutRequest (SAML Core 2.0 §3.7.1) of an identity provider, checked: it names the
// sessions that are to end. HandlerConfig.EndSessions gets it.
type Logout struct {
	Tenant   string // Config.Tenant of the settings whose key signed the request
	EntityID string // ServiceProvider.EntityID: ours
	Issuer   string // the entity ID of the identity provider
	NameID   NameID // of the user whose sessions end

	// SessionIndexes are the sessions at the identity provider that end, at most 64. Empty means all
	// sessions of the NameID. They need not be unique: some providers repeat them, and SAML recommends
	// small numbers that users share (SAML Core 2.0 §2.7.2).
	SessionIndexes []string

	// IssueInstant is when the identity provider made the request, by its clock. A session whose
	// assertion was issued later, in whole seconds, goes on: its sign-in came after the logout.
	IssueInstant time.Time

	// Unsigned says that anybody can have made the request (Config.AllowUnsignedLogout). It has at least
	// one SessionIndex. End only sessions that have both this NameID, by its value, and one of the
	// SessionIndexes, and write nothing if there are none: so keep with each session what its sign-in
	// said.
	Unsigned bool
}

// A LogoutAnswer is what a browser gets when it has brought a LogoutRequest of the identity provider,
// which often shows it in a frame. An answer by SOAP does not depend on it.
type LogoutAnswer int

const (
	// LogoutAnswerDefault is LogoutAnswerPage if the entity ID of the identity provider is one of
	// Microsoft Entra ID, whose address is reported to take no LogoutResponse, and
	// LogoutAnswerResponse for all others.
	LogoutAnswerDefault LogoutAnswer = iota
	// LogoutAnswerResponse is a LogoutResponse, sent to the logout address of the identity provider
	// with the RelayState of the request; a page if there is no such address.
	LogoutAnswerResponse
	// LogoutAnswerPage is a plain page, with status 200 if the sessions have ended. The identity
	// provider learns nothing from it.
	LogoutAnswerPage
)

// A LogoutSubject is what a logout at the identity provider must know about a session that has ended
// here. HandlerConfig.EndSession returns it, from what the Login had (Login.LogoutSubject).
type LogoutSubject struct {
	Tenant         string   // Login.Tenant
	EntityID       string   // Login.EntityID: ours
	Issuer         string   // the entity ID of the identity provider: Identity.IdentityProvider
	NameID         NameID   // as it was received, with its Format and qualifiers
	SessionIndexes []string // of the AuthnStatements of the assertion

	// For Logout.Ends alone; what HandlerConfig.EndSession returns need not have them.
	AssertionID  string    // some providers have it as SessionIndex too
	IssueInstant time.Time // of the assertion
	EmailNameID  bool      // the NameID is an e-mail address, by its Format or by Config.NameID
}

// An EndSessionFunc ends the session of a browser on all replicas and deletes its cookie. It returns
// what the identity provider must be told, nil if it need not be told: r has no session, or the user
// did not sign in through it. It must not write the answer. After an error the session may go on
// somewhere.
type EndSessionFunc func(w http.ResponseWriter, r *http.Request) (*LogoutSubject, error)

// An EndSessionsFunc ends the sessions that an identity provider names, on all replicas. It returns
// nil only when that is done, also if there are none: then the identity provider is told Success.
// After an error it is told that it did not work, and it or its user may try again. A request that
// comes again after nil gets the same answer, mostly without another call.
type EndSessionsFunc func(ctx context.Context, l *Logout) error
