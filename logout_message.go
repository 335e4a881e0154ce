package saml

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"time"

	"github.com/iomete/saml/internal/wire"
	"github.com/iomete/saml/internal/xmltree"
)

// A logoutArrival is a logout message as it came to one of our addresses. Nothing of it is trusted.
type logoutArrival struct {
	message *wire.Logout
	// addresses are the names of the address that it came to: the URL of today first, then former
	// ones. Destination must be one of them.
	addresses []string
	// allowUnsigned takes a LogoutRequest that has no signature of any kind. The caller must make sure
	// that it ends only a session that it names exactly: anybody can send one.
	allowUnsigned bool
	// admit decides about an authentic request in time, before it costs more: a private key, and writing
	// what has ended. done reports that its sessions have ended already. Default nil: it is admitted.
	admit func(*logoutRequest) (done bool, refusal *Error)
}

// A logoutAttempt is everything that the checks of a logout message look at. What it embeds gives it
// the settings, the clock, and the checks that logout shares with a response.
type logoutAttempt struct {
	attempt
	arrival logoutArrival
	root    xmltree.Element // of the signed bytes, from here on
	content *logoutContent
}

// logoutContent is what a logout message says. It is read from the bytes that were signed, but for
// an unsigned LogoutRequest.
type logoutContent struct {
	id            string
	issuer        Issuer
	destination   string
	inResponseTo  string
	times         map[string]string // as written; IssueInstant and NotOnOrAfter
	subject       *Assertion        // only the NameID of a LogoutRequest
	undecryptable error             // why the EncryptedID of a LogoutRequest cannot be read
	indexes       []string
	status        wire.Status
}

// A logoutRequest is a LogoutRequest (SAML Core 2.0 §3.7.1) that the identity provider made for us.
type logoutRequest struct {
	ID           string
	Issuer       string // the configured entity ID
	IssueInstant time.Time
	NameID       NameID
	Indexes      []string // the SessionIndexes; none: all sessions of the NameID (Core 3.7.3.1)
	Unsigned     bool     // only with logoutArrival.allowUnsigned

	// digest stands for all that decides which sessions end: two requests with one ID may name others,
	// and other settings end others. It is half a SHA-256: nobody can make two with the same one.
	digest [16]byte
}

// A logoutVerdict is what becomes of a LogoutRequest.
type logoutVerdict struct {
	// request is nil if the message is not authentic: then nothing is sent to any address.
	request *logoutRequest
	refusal *Error // nil if the sessions that the request names are to end
	done    bool   // they have ended already: it is a repetition, and its NameID was not read
	// status is the URI of the status code to answer an authentic request with, if it is refused.
	status string
}

// A logoutOutcome is what a LogoutResponse says about the other side.
type logoutOutcome int

const (
	logoutDone    logoutOutcome = iota // signed out at the identity provider; not necessarily everywhere
	logoutPartial                      // perhaps not at all services
	logoutFailed                       // perhaps not even at the identity provider
	logoutUnknown                      // an answer that cannot be checked, or none
	logoutLocal                        // the identity provider was not asked
)

const (
	statusRequester     = "urn:oasis:names:tc:SAML:2.0:status:Requester"
	statusResponder     = "urn:oasis:names:tc:SAML:2.0:status:Responder"
	statusPartialLogout = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
)

// judgeLogoutRequest decides about a LogoutRequest: the signature first, then whether the request is
// for us, in time, admitted, and can be carried out. What it says is read from the signed bytes alone.
func (sp *ServiceProvider) judgeLogoutRequest(ctx context.Context, arrival logoutArrival,
	checks logoutCheckList) logoutVerdict {
	a, err := sp.openLogout(ctx, arrival, true)
	if err == nil {
		err = a.run(checks.authentic)
	}
	if err != nil {
		return logoutVerdict{refusal: a.refused("", err)}
	}
	request, err := a.request()
	if err != nil {
		return logoutVerdict{refusal: a.refused("", err.atStep(stepMessage))}
	}
	if status, err := a.runAnswered(checks.timely); err != nil {
		return a.infeasible(request, err, status)
	}
	if arrival.admit != nil {
		if done, err := arrival.admit(request); err != nil {
			return a.infeasible(request, err, statusResponder)
		} else if done {
			return logoutVerdict{request: request, done: true}
		}
	}
	a.readSubject(ctx)
	sp.noticeHiddenKey(ctx, &a.attempt)
	request.NameID = a.content.subject.NameID
	if status, err := a.runAnswered(checks.feasible); err != nil {
		return a.infeasible(request, err, status)
	}
	return logoutVerdict{request: request}
}

// runAnswered makes the checks in order and returns the first refusal, with the status that answers it.
func (a *logoutAttempt) runAnswered(checks []logoutCheck) (status string, refusal *Error) {
	for _, c := range checks {
		if err := a.run([]logoutCheck{c}); err != nil {
			return c.status, err
		}
	}
	return "", nil
}

// infeasible is the verdict on an authentic request that is not carried out. One without a signature
// gets no answer: nobody knows who sent it.
func (a *logoutAttempt) infeasible(request *logoutRequest, err *Error, status string) logoutVerdict {
	v := logoutVerdict{refusal: a.refused("", err)}
	if !request.Unsigned {
		v.request, v.status = request, status
	}
	return v
}

// judgeLogoutResponse decides about the answer to our LogoutRequest with this ID, which must come
// from the sealed state of this browser, or from the connection that the request was sent on. "" is
// no request: then every answer is refused.
func (sp *ServiceProvider) judgeLogoutResponse(ctx context.Context, arrival logoutArrival, requestID string,
	checks []logoutCheck) (logoutOutcome, *Error) {
	arrival.allowUnsigned = false
	a, err := sp.openLogout(ctx, arrival, false)
	if a.expect.requestID = requestID; err == nil {
		err = a.run(checks)
	}
	if err != nil {
		return logoutFailed, a.refused("", err)
	}
	return outcomeOf(a.content.status), nil
}

// outcomeOf reads a status (SAML Core 2.0 §3.2.2.2). PartialLogout belongs below Responder; it is
// also met below Success and at the top.
func outcomeOf(s wire.Status) logoutOutcome {
	switch {
	case s.Code == statusPartialLogout, s.SubCode == statusPartialLogout:
		return logoutPartial
	case s.Code == statusSuccess:
		return logoutDone
	}
	return logoutFailed
}

// openLogout verifies the signature of a LogoutRequest, or of a LogoutResponse if request is false, and
// reads what it covers. The attempt is never nil, for the words of the refusal.
func (sp *ServiceProvider) openLogout(ctx context.Context, arrival logoutArrival, request bool) (*logoutAttempt,
	*Error) {
	a := &logoutAttempt{attempt: attempt{policy: &sp.policy, now: sp.now()}, arrival: arrival}
	var err *Error
	if a.idp, err = sp.configured(ctx); err != nil {
		return a, err
	}
	m := arrival.message
	if m.Request != request {
		return a, refuse(CodeLogoutMessage, "the message is not the expected one about logout", a.name(),
			"").atStep(stepMessage)
	}
	if arrival.allowUnsigned && !m.SOAP && !m.HasSignature() {
		a.root = m.Root
	} else if a.root, err = a.verified(); err != nil {
		return a, err.atStep(stepSignature)
	}
	a.content = readLogoutContent(a.root)
	return a, nil
}

// verified returns the message as a trusted key signed it.
func (a *logoutAttempt) verified() (root xmltree.Element, refusal *Error) {
	if len(a.idp.publicKeys) == 0 {
		return root, refuse(CodeWeakKey, "the identity provider has no usable key", "", "")
	}
	signed, err := a.arrival.message.Verify(a.idp.publicKeys, a.policy.signaturePolicy())
	if err != nil {
		return root, a.strange(fromFault(err))
	}
	a.key = a.idp.usableKeys[signed.Key()]
	doc, err := signed.Parse()
	if err != nil {
		return root, fromFault(err)
	}
	if root = doc.Root(); !root.Is(xmltree.NSProtocol, a.arrival.message.Root.Local()) {
		return root, refuse(CodeLogoutMessage, "what was signed is another message", root.Local(), a.name())
	}
	if err := wire.CheckLogout(root); err != nil {
		return root, fromFault(err)
	}
	return root, nil
}

// strange returns a better reason for a signature of an unknown key, if there is one: the message
// says itself that it is from another identity provider.
func (a *logoutAttempt) strange(err *Error) *Error {
	if err.Code != CodeSignature {
		return err
	}
	if other := a.issuerRefusal(Issuer{Value: trimSpace(a.arrival.message.Issuer())}); other != nil {
		return other
	}
	if err.Want == "" {
		err.Want = a.idp.thumbprints()
	}
	if a.arrival.message.ByRedirect() {
		err.note = noteRewrittenQuery
	}
	return err
}

// noteRewrittenQuery names the most frequent reason: a signature on a redirect covers the characters
// of the query, and decoding and encoding again changes some.
const noteRewrittenQuery = "If the certificate is the right one, a proxy or router in front of this service " +
	"writes the query of the address anew or adds a RelayState: it must pass the query on as it is."

// name is what the message is, for error messages.
func (a *logoutAttempt) name() string { return a.arrival.message.Root.Local() }

// readLogoutContent reads a message that follows the schema, but not whom it names. It leaves all
// decisions to the checks.
func readLogoutContent(root xmltree.Element) *logoutContent {
	c := &logoutContent{times: map[string]string{}}
	c.id, _ = root.Attr("ID")
	c.destination, _ = root.Attr("Destination")
	c.inResponseTo, _ = root.Attr("InResponseTo")
	for _, name := range []string{issueInstant, notOnOrAfter} {
		if text, present := root.Attr(name); present {
			c.times[name] = text
		}
	}
	for e := range root.Children() {
		switch {
		case e.Is(xmltree.NSAssertion, "Issuer"):
			c.issuer = decodeIssuer(e)
		case e.Is(xmltree.NSProtocol, "SessionIndex"):
			index, _ := e.Text()
			c.indexes = append(c.indexes, index)
		}
	}
	c.status = wire.LogoutStatus(root)
	return c
}

// readSubject reads whom a LogoutRequest names. A private key is used only here, for an EncryptedID in
// a message that the identity provider made for us: anybody can encrypt with our public key.
func (a *logoutAttempt) readSubject(ctx context.Context) {
	if a.arrival.message.HasSignature() {
		a.openKeys(ctx, true)
	}
	d := decoder{a: &Assertion{}, secret: a.secret, trimNameID: a.policy.nameID == EmailNameID}
	d.subject(a.root) // a LogoutRequest has the NameID or EncryptedID where a Subject has it
	a.content.subject, a.content.undecryptable = d.a, d.failed
}

// The attributes that are times.
const (
	issueInstant = "IssueInstant"
	notOnOrAfter = "NotOnOrAfter"
)

// request returns the request for those who end sessions, without its NameID. Times and indexes are
// checked afterwards, so that a refusal can be answered.
func (a *logoutAttempt) request() (*logoutRequest, *Error) {
	c := a.content
	at, _ := parseTime(c.times[issueInstant])
	r := &logoutRequest{ID: c.id, Issuer: a.idp.entityID, IssueInstant: at, Indexes: c.indexes,
		Unsigned: !a.arrival.message.HasSignature()}
	all, err := a.root.Canonicalize([]byte(a.policy.entityID+"\x00"+r.Issuer+"\x00"), xmltree.C14N{})
	if err != nil {
		return nil, fromFault(err)
	}
	sum := sha256.Sum256(all)
	copy(r.digest[:], sum[:])
	return r, nil
}

// maxLogoutIndexes is how many SessionIndexes one LogoutRequest may have.
const maxLogoutIndexes = 64

func checkLogoutIndexes(a *logoutAttempt) *Error {
	if n := len(a.content.indexes); n > maxLogoutIndexes {
		return refuse(CodeLogoutSessions, "the LogoutRequest has too many SessionIndexes", strconv.Itoa(n),
			"at most "+strconv.Itoa(maxLogoutIndexes))
	}
	if slices.ContainsFunc(a.content.indexes, func(i string) bool { return trimSpace(i) == "" }) { // it names no session, and the others of the user would go on
		return refuse(CodeLogoutSessions, "the LogoutRequest has an empty SessionIndex", "",
			"the SessionIndex of the sign-in, or none to end all sessions of the user")
	}
	return nil
}

// checkLogoutIndex refuses to end all sessions of a user where that is switched off, and for
// everybody who can write a message without a signature.
func checkLogoutIndex(a *logoutAttempt) *Error {
	if len(a.content.indexes) > 0 || a.arrival.message.HasSignature() && !a.policy.requireLogoutIndex {
		return nil
	}
	return refuse(CodeLogoutSessions,
		"the LogoutRequest has no SessionIndex, so it asks to end all sessions of the user", "", "a SessionIndex")
}
