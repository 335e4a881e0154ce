package saml

import (
	"context"
	"slices"
	"time"
)

// A logoutCheck is one member of the ordered lists that a logout message must pass.
type logoutCheck struct {
	name    string
	rule    string // what it demands, one sentence
	spec    string
	codes   []Code
	refuses func(*logoutAttempt) *Error
	// status is the URI of the status code that an authentic LogoutRequest is answered with if this
	// check refuses it.
	status string
}

// A logoutCheckList has the checks of a LogoutRequest: those that tell whether the identity provider
// made it for us, whether it comes in time, and whether it can be carried out. What the second and
// third ones refuse gets an answer. Only for the third ones a private key is used.
type logoutCheckList struct{ authentic, timely, feasible []logoutCheck }

// The checks that both messages share.
var (
	logoutCertificateCheck = logoutCheck{name: "logout certificate dates",
		rule: "With RefuseExpiredCertificates the certificate is within its dates.", spec: "RFC 5280 4.1.2.5",
		codes: []Code{CodeCertificateExpired}, refuses: checkLogoutCertificate}
	logoutDestinationCheck = logoutCheck{name: "logout destination",
		rule: "The Destination, required through a browser, is the address that the message came to.",
		spec: "Bindings 3.4.5.2 and 3.5.5.2", codes: []Code{CodeLogoutDestination}, refuses: checkLogoutDestination}
)

// The checks that every LogoutRequest passes, in their order. None can be switched off.
var logoutRequestChecks = logoutCheckList{
	authentic: []logoutCheck{
		logoutCertificateCheck,
		{"logout request issuer", "The Issuer is the identity provider.", "Profiles 4.4.4.1",
			[]Code{CodeResponseIssuer}, checkLogoutRequestIssuer, ""},
		logoutDestinationCheck,
	},
	timely: []logoutCheck{
		{"logout times", "IssueInstant is there and not in the future, and every time has a time zone.",
			"Core 3.2.1 and 3.7.1", []Code{CodeTime, CodeIssueInstant}, checkLogoutTimes, statusRequester},
		{"logout not on or after", "NotOnOrAfter has not come.", "Core 3.7.1", []Code{CodeLogoutTime},
			checkLogoutNotOnOrAfter, statusRequester},
		{"logout age", "The request was issued at most a day ago, and without NotOnOrAfter at most 5 minutes ago.",
			"Core 3.2.1", []Code{CodeLogoutTime}, checkLogoutAge, statusRequester},
	},
	feasible: []logoutCheck{
		{"logout name id", "The request has exactly one NameID that can be read.", "Core 3.7.1",
			[]Code{CodeNameID, CodeDecryption, CodeKeyUnavailable}, checkLogoutNameID, statusResponder},
		{"logout session indexes", "There are at most 64 SessionIndexes, none of them empty.", "Our own limit", []Code{CodeLogoutSessions},
			checkLogoutIndexes, statusResponder},
		{"logout session index",
			"With RequireLogoutSessionIndex, and if the request is not signed, it has a SessionIndex.", "Core 3.7.1",
			[]Code{CodeLogoutSessions}, checkLogoutIndex, statusResponder},
	},
}

// The checks that every LogoutResponse passes, in their order. The status is no check: it says what
// the user is told.
var logoutResponseChecks = []logoutCheck{
	logoutCertificateCheck,
	{"logout response issuer", "The Issuer is the identity provider, or Entra's other name for the same tenant.",
		"Profiles 4.4.4.2", []Code{CodeResponseIssuer}, checkLogoutResponseIssuer, ""},
	logoutDestinationCheck,
	{"logout in response to", "InResponseTo is the LogoutRequest that this browser began.", "Core 3.2.2",
		[]Code{CodeLogoutUnexpected}, checkLogoutInResponseTo, ""},
}

// run makes the checks in order and returns the first refusal.
func (a *logoutAttempt) run(checks []logoutCheck) *Error {
	for _, c := range checks {
		if err := c.refuses(a); err != nil {
			return err.atStep(c.name)
		}
	}
	return nil
}

func checkLogoutCertificate(a *logoutAttempt) *Error {
	if !a.arrival.message.HasSignature() {
		return nil
	}
	return checkCertificateDates(context.Background(), &a.attempt)
}

// issuerRefusal refuses an issuer that is not the identity provider.
func (a *logoutAttempt) issuerRefusal(i Issuer) *Error {
	return a.checkIssuer(i, CodeResponseIssuer, "the "+a.name())
}

func checkLogoutRequestIssuer(a *logoutAttempt) *Error { return a.issuerRefusal(a.content.issuer) }

// checkLogoutResponseIssuer takes the other name that Entra has for a tenant. That is no risk here:
// the answer to a request of this browser ends nothing.
func checkLogoutResponseIssuer(a *logoutAttempt) *Error {
	i := a.content.issuer
	if isOtherEntraIssuer(i.Value, a.idp.entityID) {
		i.Value = a.idp.entityID
	}
	return a.issuerRefusal(i)
}

// checkLogoutDestination compares with the configured addresses, never with the host of the request.
// A server that speaks to us directly (SOAP) need not name the address.
func checkLogoutDestination(a *logoutAttempt) *Error {
	got := a.content.destination
	if slices.Contains(a.arrival.addresses, got) || got == "" && a.arrival.message.SOAP {
		return nil
	}
	e := refuse(CodeLogoutDestination, "the "+a.name()+" is addressed to another URL than the one that it came to", got,
		quote(a.arrival.addresses[0]))
	if got == "" {
		e.Message = "the " + a.name() + " has no Destination, so it could have been made for another service"
		e.Hint = "A logout message that a browser carries must say which address it is for: " +
			"let the identity provider write the address into Destination."
	}
	return e
}

func checkLogoutTimes(a *logoutAttempt) *Error {
	for _, name := range []string{issueInstant, notOnOrAfter} {
		if text, present := a.content.times[name]; present {
			if _, ok := parseTime(text); !ok {
				return refuse(CodeTime, "the "+name+" of the LogoutRequest is not an xs:dateTime with a time zone",
					text, timeForm)
			}
		}
	}
	at, ok := parseTime(a.content.times[issueInstant])
	switch {
	case !ok:
		return refuse(CodeIssueInstant, "the LogoutRequest has no IssueInstant", "", "")
	case a.inFuture(at):
		return refuse(CodeIssueInstant, "the LogoutRequest comes from the future", showTime(at), a.clocks())
	}
	return nil
}

func checkLogoutNotOnOrAfter(a *logoutAttempt) *Error {
	end, ok := parseTime(a.content.times[notOnOrAfter])
	if !ok || !a.over(end) {
		return nil
	}
	return refuse(CodeLogoutTime, "the LogoutRequest is not valid any more", "NotOnOrAfter "+showTime(end), a.clocks())
}

// maxLogoutAge is how old a LogoutRequest without NotOnOrAfter may be. A round through many services
// takes minutes. With NotOnOrAfter, however far ahead that is, it may be as old as an assertion
// (maxAge).
const maxLogoutAge = 5 * time.Minute

func checkLogoutAge(a *logoutAttempt) *Error {
	at, ok := parseTime(a.content.times[issueInstant])
	most, message := maxLogoutAge, "the LogoutRequest has no NotOnOrAfter and is too old"
	if _, limited := a.content.times[notOnOrAfter]; limited {
		most, message = maxAge, "the LogoutRequest is too old, whatever its NotOnOrAfter is"
	}
	if !ok || !a.over(at.Add(most)) {
		return nil
	}
	return refuse(CodeLogoutTime, message, showTime(at), "at most "+most.String()+" ago; "+a.clocks())
}

func checkLogoutNameID(a *logoutAttempt) *Error {
	if err := a.content.undecryptable; err != nil {
		return a.orUnavailable(fromFault(err))
	}
	e := checkNameID(context.Background(), &attempt{assertion: a.content.subject})
	if e != nil {
		e.Hint = "Let the identity provider name the user in its LogoutRequest as it does at the sign-in, by a NameID."
	}
	return e
}

func checkLogoutInResponseTo(a *logoutAttempt) *Error {
	got, want := a.content.inResponseTo, a.expect.requestID
	switch {
	case want == "":
		return refuse(CodeLogoutUnexpected, "the LogoutResponse came to a browser that began no sign-out", got, "")
	case got == "":
		return refuse(CodeLogoutUnexpected, "the LogoutResponse does not say which LogoutRequest it answers", "",
			"InResponseTo "+quote(want))
	case got != want:
		return refuse(CodeLogoutUnexpected, "the LogoutResponse answers another LogoutRequest than this browser's", got,
			quote(want))
	}
	return nil
}
