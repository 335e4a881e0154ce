package samltest

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Session is a sign-in of a user at an application that ServeHTTP has answered and that has not ended.
type Session struct {
	Application          string // Application.Identifier
	User                 User
	NameID, NameIDFormat string // of the answer
	SessionIndex         string // of the answer; as in Entra, it is the ID of the assertion
}

// Sessions returns the sessions at all applications, oldest first: at most the last 1,000.
func (p *IdentityProvider) Sessions() []Session {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Clone(p.sessions)
}

const maxKept = 1000 // sessions, and messages

// keep appends to a list that keeps the last maxKept.
func keep[T any](list []T, item T) []T {
	list = append(list, item)
	return list[max(0, len(list)-maxKept):]
}

func (p *IdentityProvider) addSession(s Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = keep(p.sessions, s)
}

// endSessions ends what a user has at all applications, and the sign-in of SignInAs. As a
// simplification, it makes no difference in which browser the sessions began.
func (p *IdentityProvider) endSessions(user User) (ended []Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.signedIn.name() == user.name() {
		p.signedIn = User{}
	}
	var left []Session
	for _, s := range p.sessions {
		if s.User.name() == user.name() {
			ended = append(ended, s)
		} else {
			left = append(left, s)
		}
	}
	p.sessions = left
	return ended
}

// SignOutURL returns the address of a page that signs out the user of the home page or of SignInAs. Like
// Entra's, it loads the Logout URL of each application that the user has a session at in a frame.
func (p *IdentityProvider) SignOutURL() string { return p.address("oauth2/v2.0/logout") }

// serveSignOut signs the user of this browser out, here and at the applications.
func (p *IdentityProvider) serveSignOut(w http.ResponseWriter, r *http.Request) {
	var ended []Session
	if user := p.browserUser(r); !user.isZero() {
		ended = p.endSessions(user)
	}
	p.signOut(w)
	frames, err := p.logoutFrames(ended)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case len(frames) == 0:
		http.Redirect(w, r, p.homePath(), http.StatusSeeOther)
	default:
		show(w, page{SignedOut: true, Frames: frames})
	}
}

// A frame loads the Logout URL of an application with a LogoutRequest.
type frame struct{ Application, Address string }

// logoutFrames returns a frame for each session at an application that has a Logout URL.
func (p *IdentityProvider) logoutFrames(ended []Session) (frames []frame, err error) {
	for _, s := range ended {
		app, ok := p.application(s.Application)
		if !ok || app.LogoutURL == "" {
			continue
		}
		address, err := p.LogoutRedirect(app.logout(Logout{Session: s}))
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame{s.Application, address})
	}
	return frames, nil
}

// logout returns a message for the application, as its ChangeLogout wants it.
func (app Application) logout(l Logout) Logout {
	l.LogoutURL = app.LogoutURL
	if app.ChangeLogout != nil {
		app.ChangeLogout(&l)
	}
	return l
}

// serveLogout answers a logout message of any binding. As in Entra, what is wrong ends here with a page,
// and the service provider is not told.
func (p *IdentityProvider) serveLogout(w http.ResponseWriter, r *http.Request) {
	arrival, err := readLogout(r)
	if err == nil {
		err = p.judgeLogout(&arrival)
	}
	switch {
	case err != nil && isSOAP(r):
		soapFault(w, err)
	case err != nil:
		showError(w, err)
	case !arrival.Request:
		show(w, page{Answered: &arrival.LogoutMessage})
	default:
		p.answerLogout(w, r, arrival.LogoutMessage)
	}
}

// judgeLogout checks a message like Entra, and remembers it. Entra does not look at the value of the
// NameID, and needs no signature unless it has a certificate of the application.
func (p *IdentityProvider) judgeLogout(a *logoutArrival) error {
	app, ok := p.application(a.Application)
	if !ok {
		return aadsts(700016, "no application has the Identifier %q in the directory %s", a.Application, p.tenant)
	}
	if app.SigningCertificate != nil {
		certificate, err := x509.ParseCertificate(app.SigningCertificate)
		if err != nil {
			return fmt.Errorf("samltest: Application.SigningCertificate cannot be read, want X.509 in DER: %w", err)
		}
		if !a.signed(certificate) {
			return aadsts(76021, "the message is not signed by the certificate of the application %q", a.Application)
		}
		a.Verified = true
	}
	if a.Request && a.NameID == "" {
		return aadsts(7500530, "the request has no NameID")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = keep(p.heard, a.LogoutMessage)
	return nil
}

// answerLogout ends the sessions of the user whom a request names, and answers. A request that names
// nobody is answered, too.
func (p *IdentityProvider) answerLogout(w http.ResponseWriter, r *http.Request, request LogoutMessage) {
	app, _ := p.application(request.Application) // judgeLogout found it
	var ended []Session
	if s, ok := p.sessionOf(request); ok {
		ended = p.endSessions(s.User)
		http.SetCookie(w, p.userCookie("", -1))
	}
	isOther := func(s Session) bool { return s.Application != app.Identifier }
	frames, err := p.logoutFrames(slices.DeleteFunc(ended, func(s Session) bool { return !isOther(s) }))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := Logout{InResponseTo: request.ID, RelayState: request.RelayState,
		EmptyRelayState: request.RelayState == "" && r.Form.Has("RelayState")}
	if request.Binding == SOAP {
		if len(frames) > 0 { // no browser can load them
			answer.SubStatus = StatusPartialLogout
		}
		p.answerBySOAP(w, app.logout(answer))
		return
	}
	if app.LogoutURL == "" { // as in Entra, nothing comes back
		show(w, page{SignedOut: true, Frames: frames})
		return
	}
	p.answerByBrowser(w, r, app, app.logout(answer), frames)
}

// sessionOf returns the session that a request of an application names: by a SessionIndex, or by the
// NameID if there is none.
func (p *IdentityProvider) sessionOf(request LogoutMessage) (Session, bool) {
	sessions := p.Sessions()
	i := slices.IndexFunc(sessions, func(s Session) bool {
		if s.Application != request.Application {
			return false
		}
		if len(request.SessionIndexes) == 0 {
			return s.NameID == request.NameID
		}
		return slices.Contains(request.SessionIndexes, s.SessionIndex)
	})
	if i < 0 {
		return Session{}, false
	}
	return sessions[i], true
}

// answerByBrowser sends the answer once the other applications have been told.
func (p *IdentityProvider) answerByBrowser(w http.ResponseWriter, r *http.Request, app Application, answer Logout,
	frames []frame) {
	if app.LogoutBinding == HTTPPost {
		form, err := p.LogoutForm(answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		show(w, page{Action: form.Action, SAMLResponse: form.Values.Get("SAMLResponse"),
			RelayState: answer.RelayState, Frames: frames})
		return
	}
	address, err := p.LogoutRedirect(answer)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case len(frames) == 0:
		http.Redirect(w, r, address, http.StatusSeeOther)
	default:
		show(w, page{SignedOut: true, Frames: frames, Next: address})
	}
}

func (p *IdentityProvider) answerBySOAP(w http.ResponseWriter, answer Logout) {
	answer.LogoutURL = cmp.Or(answer.LogoutURL, "https://service.invalid") // nothing is sent to an address
	answer.Destination = cmp.Or(answer.Destination, Absent)
	envelope, err := p.LogoutEnvelope(answer)
	if err != nil {
		soapFault(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Write(envelope)
}

// soapFault answers a SOAP call that failed (SOAP 1.1, section 4.4).
func soapFault(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, `<S:Envelope xmlns:S="%s"><S:Body><S:Fault><faultcode>S:Client</faultcode>`+
		`<faultstring>%s</faultstring></S:Fault></S:Body></S:Envelope>`, nsSOAP, escape(err.Error()))
}

// LogoutBySOAP sends a request to the Logout URL of the service provider, as the provider's own server
// would, and returns the answer. It fails if the service answers with anything but a LogoutResponse,
// such as a SOAP fault, or if Application.SigningCertificate is not that of the answer's signature.
func (p *IdentityProvider) LogoutBySOAP(client *http.Client, l Logout) (LogoutMessage, error) {
	if err := p.fillInLogout(&l); err != nil {
		return LogoutMessage{}, err
	}
	envelope, err := p.LogoutEnvelope(l)
	if err != nil {
		return LogoutMessage{}, err
	}
	response, err := client.Post(l.LogoutURL, "text/xml; charset=utf-8", bytes.NewReader(envelope))
	if err != nil {
		return LogoutMessage{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return LogoutMessage{}, fmt.Errorf("samltest: the Logout URL answered the SOAP request with HTTP status %s",
			response.Status)
	}
	arrival, err := readLogoutEnvelope(response.Body)
	if err == nil {
		err = p.judgeLogout(&arrival)
	}
	if err == nil && (arrival.Request || arrival.InResponseTo != l.ID) {
		err = errors.New("samltest: the Logout URL did not answer the SOAP request with a LogoutResponse to it")
	}
	return arrival.LogoutMessage, err
}
