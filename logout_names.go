package saml

import (
	"slices"

	"github.com/iomete/saml/internal/logoutmark"
)

// LogoutSubject returns what logouts must know about a session that begins with l. Services with
// sessions of their own keep it in the session, for HandlerConfig.EndSession and Logout.Ends. It is made
// to be kept as JSON or gob. Package session does all this itself.
func (l *Login) LogoutSubject() *LogoutSubject {
	a := l.Assertion
	s := &LogoutSubject{
		Tenant:   l.Tenant,
		EntityID: l.EntityID,
		Issuer:   a.Issuer.Value,
		NameID: NameID{Value: a.NameID.Value, Format: a.NameID.Format, NameQualifier: a.NameID.NameQualifier,
			SPNameQualifier: a.NameID.SPNameQualifier},
		AssertionID:  a.ID,
		IssueInstant: a.IssueInstant,
		EmailNameID:  a.NameID.Format == formatEmail || a.NameID.Value == l.Identity.Email,
	}
	for _, statement := range a.Statements {
		if i := statement.SessionIndex; i != "" && !slices.Contains(s.SessionIndexes, i) {
			s.SessionIndexes = append(s.SessionIndexes, i)
		}
	}
	detach(&s.Issuer, &s.NameID.Value, &s.NameID.Format, &s.NameID.NameQualifier, &s.NameID.SPNameQualifier, &s.AssertionID)
	detachList(s.SessionIndexes)
	return s
}

// Ends reports whether the logout ends a session that began with the Login of s (Login.LogoutSubject).
// It is for services with sessions of their own. HandlerConfig.EndSessions writes l to a table that all
// replicas share, where it stays for 25 hours, or as long as a session lasts if that is longer. Then ask
// Ends of the Logouts in the table
//   - in Sessions.SignIn: if one of them ends the session that is about to begin, the response was late,
//     and SignIn returns an Error with CodeSignedOut (SAML Core 2.0 §3.7.3.1),
//   - in Sessions.Authenticate and SignedIn: a session that one of them ends does not count.
//
// To delete the sessions in EndSessions instead is not enough: a late response signs in again, and a
// request that is under way may write its session back.
//
// The session ends if tenant, entity ID and identity provider are the same, its assertion was not issued
// later than the request, in whole seconds, and the request has its NameID with one of its
// SessionIndexes. A part that one side lacks (SessionIndex, NameQualifier, SPNameQualifier) matches,
// Format does not count, nor does ASCII case in an e-mail address. A SessionIndex that is the ID of the
// assertion is enough without the NameID. A request without signature must have both parts exactly.
//
// If there are many Logouts, let the database choose those with the Tenant and Issuer of the session and
// an IssueInstant that is not before its own. Do not compare NameID or SessionIndex there: that finds
// too few.
func (l *Logout) Ends(s *LogoutSubject) bool {
	if l.Tenant != s.Tenant || l.EntityID != s.EntityID || l.Issuer != s.Issuer ||
		!logoutmark.HasEnded(s.IssueInstant, l.IssueInstant) {
		return false
	}
	if l.Unsigned {
		return l.NameID.Value == s.NameID.Value && slices.ContainsFunc(l.SessionIndexes, func(index string) bool {
			return slices.Contains(s.SessionIndexes, index)
		})
	}
	var at logoutmark.Service // it is the same for both
	looked := logoutmark.Session{
		NameID:      s.NameID.inMarks(),
		Email:       s.EmailNameID,
		Indexes:     s.SessionIndexes,
		AssertionID: s.AssertionID,
	}.Keys(at)
	raised := logoutmark.Request{NameID: l.NameID.inMarks(), Indexes: l.SessionIndexes}.Keys(at)
	return slices.ContainsFunc(raised, func(key string) bool { return slices.Contains(looked, key) })
}

func (n NameID) inMarks() logoutmark.NameID {
	return logoutmark.NameID{Value: n.Value, NameQualifier: n.NameQualifier, SPNameQualifier: n.SPNameQualifier}
}
