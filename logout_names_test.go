package saml_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
)

// loginOfAnn is a sign-in with everything that a logout may name.
func loginOfAnn() *saml.Login {
	return &saml.Login{
		Tenant:   "acme",
		EntityID: "https://console.example.com/acs",
		Identity: &saml.Identity{Email: "ann@example.com"},
		Assertion: &saml.Assertion{
			ID:           "_1",
			Issuer:       saml.Issuer{Value: "https://idp.example.com"},
			IssueInstant: time.Date(2026, 3, 14, 8, 26, 53, 589_000_000, time.UTC),
			NameID: saml.NameID{Value: "ann@example.com", Format: "urn:of:their:own", NameQualifier: "q",
				SPNameQualifier: "s"},
			Statements: []saml.AuthnStatement{{SessionIndex: "7"}, {}, {SessionIndex: "_1"}, {SessionIndex: "7"}},
		},
	}
}

// TestLogoutEnds: each row changes a logout that ends the session in every way, so that one way is left,
// or none. What the session keeps is the same after it was stored.
func TestLogoutEnds(t *testing.T) {
	t.Parallel()
	login := loginOfAnn()
	subject := login.LogoutSubject()
	if want := (&saml.LogoutSubject{Tenant: login.Tenant, EntityID: login.EntityID, Issuer: login.Assertion.Issuer.Value,
		NameID: login.Assertion.NameID, SessionIndexes: []string{"7", "_1"}, AssertionID: "_1",
		IssueInstant: login.Assertion.IssueInstant, EmailNameID: true}); !reflect.DeepEqual(subject, want) {
		t.Fatalf("got %+v\nwant %+v", subject, want)
	}
	for name, row := range map[string]struct {
		change func(*saml.Logout)
		want   bool
	}{
		"as it was":         {func(*saml.Logout) {}, true},
		"other case":        {func(l *saml.Logout) { l.NameID.Value = "ANN@example.com" }, true},
		"no index":          {func(l *saml.Logout) { l.SessionIndexes = nil }, true},
		"no qualifiers":     {func(l *saml.Logout) { l.NameID = saml.NameID{Value: l.NameID.Value} }, true},
		"another qualifier": {func(l *saml.Logout) { l.NameID.NameQualifier = "r" }, false},
		"another name":      {func(l *saml.Logout) { l.NameID.Value = "bob@example.com" }, false},
		"the assertion's index": {func(l *saml.Logout) {
			l.NameID.Value, l.SessionIndexes = "bob", []string{"_1"}
		}, true},
		"another index":      {func(l *saml.Logout) { l.SessionIndexes = []string{"8"} }, false},
		"another tenant":     {func(l *saml.Logout) { l.Tenant = "b" }, false},
		"another entity ID":  {func(l *saml.Logout) { l.EntityID = "b" }, false},
		"another issuer":     {func(l *saml.Logout) { l.Issuer = "b" }, false},
		"in the same second": {func(l *saml.Logout) { l.IssueInstant = l.IssueInstant.Truncate(time.Second) }, true},
		"in the second before": {func(l *saml.Logout) {
			l.IssueInstant = l.IssueInstant.Add(-600 * time.Millisecond)
		}, false},

		"unsigned": {func(l *saml.Logout) { l.Unsigned = true }, true},
		"unsigned, other case": {func(l *saml.Logout) {
			l.Unsigned, l.NameID.Value = true, "ANN@example.com"
		}, false},
		"unsigned, no index":       {func(l *saml.Logout) { l.Unsigned, l.SessionIndexes = true, nil }, false},
		"unsigned, an empty index": {func(l *saml.Logout) { l.Unsigned, l.SessionIndexes = true, []string{""} }, false},
		"unsigned, the assertion's index": {func(l *saml.Logout) {
			l.Unsigned, l.NameID.Value, l.SessionIndexes = true, "bob", []string{"_1"}
		}, false},
	} {
		l := &saml.Logout{Tenant: subject.Tenant, EntityID: subject.EntityID, Issuer: subject.Issuer, NameID: subject.NameID,
			SessionIndexes: []string{"7"}, IssueInstant: subject.IssueInstant}
		row.change(l)
		if got := l.Ends(subject); got != row.want {
			t.Errorf("%s: got %t, want %t", name, got, row.want)
		}
		for encoding, stored := range map[string]func(*saml.LogoutSubject) (*saml.LogoutSubject, error){
			"JSON": asJSON, "gob": asGob} {
			if again, err := stored(subject); err != nil || l.Ends(again) != row.want {
				t.Errorf("%s, stored as %s: got %+v, %v", name, encoding, again, err)
			}
		}
	}
	other := loginOfAnn()
	other.Identity.Email = strings.ToUpper(other.Identity.Email)
	if other.LogoutSubject().EmailNameID {
		t.Error("a NameID that is no e-mail address, by Format or by policy, counts as one")
	}
}

func asJSON(s *saml.LogoutSubject) (*saml.LogoutSubject, error) {
	document, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	again := new(saml.LogoutSubject)
	return again, json.Unmarshal(document, again)
}

func asGob(s *saml.LogoutSubject) (*saml.LogoutSubject, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		return nil, err
	}
	again := new(saml.LogoutSubject)
	return again, gob.NewDecoder(&b).Decode(again)
}
