package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/iomete/saml"
)

func printRefused(w io.Writer, name string, e *saml.Error) {
	fmt.Fprintf(w, "%s: refused\n", visible(name))
	row(w, 2, "Code", string(e.Code))
	row(w, 2, "Check", e.Check)
	message := e.Message
	if cause := e.Unwrap(); cause != nil {
		message += ": " + cause.Error()
	}
	row(w, 2, "Message", message)
	row(w, 2, "Got", e.Got)
	row(w, 2, "Want", e.Want)
	row(w, 2, "Hint", e.Hint)
}

// printIdentity prints who signed in and all that the assertion says. requestID is what it should
// answer, "" for nothing.
func printIdentity(w io.Writer, i *saml.Identity, a *saml.Assertion, requestID string) {
	object, nameID := i.ObjectKey, i.NameIDKey
	row(w, 2, "NameID", a.NameID.Value)
	row(w, 2, "NameID format", a.NameID.Format)
	row(w, 2, "NameQualifier", a.NameID.NameQualifier)
	row(w, 2, "SPNameQualifier", a.NameID.SPNameQualifier)
	row(w, 2, "E-mail claim", i.EmailClaim)
	row(w, 2, "Username", i.Username)
	row(w, 2, "Name", i.Name)
	row(w, 2, "Given name", i.GivenName)
	row(w, 2, "Surname", i.Surname)
	rows(w, 2, "Groups", i.Groups)
	overage := "no"
	if i.GroupsOverage {
		overage = "yes: the identity provider sends a link, the user is in more groups"
	}
	row(w, 2, "Groups left out", overage)
	rows(w, 2, "Roles", i.Roles)
	row(w, 2, "Object ID", i.ObjectID)
	row(w, 2, "Tenant ID", i.TenantID)
	row(w, 2, "Home identity provider", i.HomeIdentityProvider)
	row(w, 2, "Account key, object", object)
	row(w, 2, "Account key, NameID", nameID)
	row(w, 2, "Issuer", a.Issuer.Value)
	row(w, 2, "Assertion ID", a.ID)
	row(w, 2, "Issued", showTime(a.IssueInstant))
	row(w, 2, "Not before", showTime(a.Conditions.NotBefore))
	row(w, 2, "Not on or after", showTime(a.Conditions.NotOnOrAfter))
	for _, audiences := range a.Conditions.Audiences {
		row(w, 2, "Audience", strings.Join(audiences, " or "))
	}
	row(w, 2, "In response to", answered(a, requestID))
	for _, s := range a.Statements {
		row(w, 2, "Signed in", showTime(s.AuthnInstant))
		row(w, 2, "Signed in by", s.ContextClass)
		row(w, 2, "Session index", s.SessionIndex)
		row(w, 2, "Session ends", showTime(s.SessionNotOnOrAfter))
	}
	fmt.Fprintln(w, "  Attributes")
	for _, attribute := range a.Attributes {
		fmt.Fprintf(w, "    %s\n", visible(attribute.Name))
		for _, value := range attribute.Values {
			fmt.Fprintf(w, "      %s\n", visible(value))
		}
	}
}

type acceptedJSON struct {
	File         string              `json:"file"`
	Accepted     bool                `json:"accepted"`
	NameID       string              `json:"name_id"`
	NameIDFormat string              `json:"name_id_format"`
	Issuer       string              `json:"issuer"`
	SessionIndex string              `json:"session_index"`
	InResponseTo string              `json:"in_response_to"`
	AssertionID  string              `json:"assertion_id"`
	Attributes   map[string][]string `json:"attributes"`
	taken
}

// taken is what came from the message itself, and what its own time hides.
type taken struct {
	Assumed    *string    `json:"assumed_request_id,omitempty"`
	CheckedAt  *time.Time `json:"checked_at,omitempty"`
	RefusedNow saml.Code  `json:"refused_now,omitempty"`
}

func (v verdict) taken() taken {
	j := taken{Assumed: v.assumed, CheckedAt: v.checkedAt}
	if v.now != nil {
		j.RefusedNow = saml.Errors(v.now)[0].Code
	}
	return j
}

type refusedJSON struct {
	File     string    `json:"file"`
	Accepted bool      `json:"accepted"`
	Code     saml.Code `json:"code"`
	Message  string    `json:"message"`
	Hint     string    `json:"hint"`
	taken
}

func printAcceptedJSON(w io.Writer, name string, a *saml.Assertion, requestID string, v verdict) {
	j := acceptedJSON{File: name, Accepted: true, NameID: a.NameID.Value, NameIDFormat: a.NameID.Format,
		Issuer:       a.Issuer.Value,
		SessionIndex: sessionIndex(a), InResponseTo: answered(a,
			requestID), AssertionID: a.ID, Attributes: map[string][]string{}, taken: v.taken()}
	for _, attribute := range a.Attributes {
		j.Attributes[attribute.Name] = append([]string{}, attribute.Values...) // [] rather than null
	}
	writeJSON(w, j)
}

func printRefusedJSON(w io.Writer, name string, e *saml.Error) {
	writeJSON(w, refusedJSON{File: name, Code: e.Code, Message: sentence(e), Hint: e.Hint})
}

// sessionIndex is that of the first AuthnStatement that has one.
func sessionIndex(a *saml.Assertion) string {
	for _, s := range a.Statements {
		if s.SessionIndex != "" {
			return s.SessionIndex
		}
	}
	return ""
}

// answered is the request that the assertion answers: requestID, where a confirmation names it.
// Others that it has did not count.
func answered(a *saml.Assertion, requestID string) string {
	for _, c := range a.Confirmations {
		if c.InResponseTo == requestID {
			return requestID
		}
	}
	return ""
}
