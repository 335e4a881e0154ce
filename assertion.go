package saml

import (
	"time"
)

// An Assertion is what the identity provider stated and signed (SAML Core 2.0 §2.3.3). One that
// FinishLogin returned has passed every check. A zero time was not sent.
type Assertion struct {
	ID           string // 1 to 256 ASCII letters, digits and . _ - : + = /; unique at the issuer
	Version      string // "2.0"
	Issuer       Issuer
	IssueInstant time.Time

	NameID        NameID
	Confirmations []SubjectConfirmation

	Conditions Conditions
	Statements []AuthnStatement
	Attributes Attributes

	nameIDs        int      // how many NameID elements the subject has
	encryptedID    bool     // the subject is named by an EncryptedID
	hasConditions  bool     //
	badTimes       []string // attributes that are no xs:dateTime with a time zone: names and values
	badAttribute   string   // why the attributes cannot be read, "" if they can
	badAttributeAt string   // the Name of that attribute
}

// An Issuer names who made a message (SAML Core 2.0 §2.2.5).
type Issuer struct {
	Value  string // entity ID, without white space around it
	Format string // format URI, "" if not given

	hasFormat bool
}

// A NameID names the subject (SAML Core 2.0 §2.2.3).
type NameID struct {
	Value           string // as sent; without white space around it where it must be an e-mail address
	Format          string // format URI, "" if not given
	NameQualifier   string
	SPNameQualifier string

	sent               string // Value with the white space around it
	hasSPNameQualifier bool
}

// A SubjectConfirmation says how the bearer of the assertion is known to be its subject (SAML Core
// 2.0 §2.4.1.1).
type SubjectConfirmation struct {
	Method       string // "urn:oasis:names:tc:SAML:2.0:cm:bearer" for web sign-in
	Recipient    string
	InResponseTo string
	NotBefore    time.Time
	NotOnOrAfter time.Time

	hasInResponseTo bool
	hasNotBefore    bool
	hasData         bool
}

// Conditions limit the use of an assertion (SAML Core 2.0 §2.5.1).
type Conditions struct {
	NotBefore    time.Time
	NotOnOrAfter time.Time
	Audiences    [][]string // one list for each AudienceRestriction; without white space around the names
	OneTimeUse   bool

	unknown string // a condition that we do not understand
}

// An AuthnStatement says when and how the subject signed in at the identity provider (SAML Core 2.0
// §2.7.2).
type AuthnStatement struct {
	AuthnInstant        time.Time
	SessionIndex        string // for single logout
	SessionNotOnOrAfter time.Time
	ContextClass        string // AuthnContextClassRef URI
}

// Attributes are the claims about the subject, by Name, in order. FriendlyName is not a key.
type Attributes []Attribute

// An Attribute is one claim (SAML Core 2.0 §2.7.3.1).
type Attribute struct {
	Name       string
	NameFormat string
	Values     []string // text of the values; values with markup are left out

	leftOut bool // there is a value with markup
}

// Values returns all values of the attribute with this name, nil if there is none.
func (a Attributes) Values(name string) []string {
	for i := range a {
		if a[i].Name == name {
			return a[i].Values
		}
	}
	return nil
}

// First returns the first value of the attribute with this name, "" if there is none.
func (a Attributes) First(name string) string {
	if v := a.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

const formatTransient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

// formatEmail is the NameIDFormat of e-mail addresses (SAML Core 2.0 §8.3.2).
const formatEmail = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
