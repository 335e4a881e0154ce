package saml_test

import (
	"errors"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// personal is in everything that the responses of this file say about their user, and nowhere else.
const personal = "zaphod"

func personalUser() samltest.User {
	return samltest.User{Mail: "zaphod@example.com", UserPrincipalName: "zaphod.upn@example.com", DisplayName: "Zaphod B.",
		GivenName: "Zaphod", Surname: "Zaphodson", ObjectID: "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31",
		Groups: []string{"zaphods-group"}, Roles: []string{"zaphods-role"}}
}

// personalRows are refusals whose Got is about a person, each with what Got must show.
var personalRows = []struct {
	name   string
	answer samltest.Answer
	change func(*saml.Config)
	code   saml.Code
	got    []string
}{
	{"another address", samltest.Answer{NameID: "zaphod.two@example.com"}, nil,
		saml.CodeNameIDMismatch, []string{`NameID "zaphod.two@example.com"`, `claim "zaphod@example.com"`}},
	{"a blank in the claim", emailClaim("zaphod@example.com "), nil,
		saml.CodeNameIDMismatch, []string{`NameID "zaphod@example.com"`, `claim "zaphod@example.com "`}},
	{"an empty claim", emailClaim(""), nil, saml.CodeNameIDMismatch, []string{`NameID "zaphod@example.com"`, `claim ""`}},
	{"two normalization forms", withNameID("zaphod\u00e9@example.com", emailClaim("zaphode\u0301@example.com")), international,
		saml.CodeNameIDMismatch, []string{`NameID "zaphod\u00e9@example.com"`, `claim "zaphode\u0301@example.com"`}},
	{"a letter of another script", withNameID("zaphod@example.com", emailClaim("z\u0430phod@example.com zaphod")), international,
		saml.CodeNameIDMismatch, []string{`NameID "zaphod@example.com"`, `claim "z\u0430phod@example.com zaphod"`}},
	{"two long addresses", withNameID("zaphod.a."+strings.Repeat("a", 50)+"@"+strings.Repeat("example.", 20)+"com",
		emailClaim("zaphod.b."+strings.Repeat("b", 300)+"@example.com")), nil,
		saml.CodeNameIDMismatch, []string{`NameID "zaphod.a.aaa`, `claim "zaphod.b.bbb`}},
	{"a name", samltest.Answer{NameID: "zaphod"}, nil, saml.CodeNameIDNotEmail, []string{`"zaphod"`}},
	{"beyond ASCII", samltest.Answer{NameID: "zaphod.ü@example.com"}, nil, saml.CodeNameIDNotEmail, []string{`"zaphod.ü@example.com"`}},
	{"transient", samltest.Answer{NameID: "zaphod", NameIDFormat: samltest.FormatTransient}, nil,
		saml.CodeNameIDNotEmail, []string{`"zaphod"`}},
	{"a guest", samltest.Answer{NameID: "zaphod_x#EXT#@example.com"}, nil, saml.CodeNameIDGuest, []string{"zaphod_x"}},
	{"a no-break space", samltest.Answer{NameID: "zaphod@example.com\u00a0"}, nil, saml.CodeNameID, []string{`zaphod@example.com\u00a0`}},
	{"white space", samltest.Answer{NameID: " zaphod"}, func(c *saml.Config) { c.NameID = saml.AllowAnyNameID },
		saml.CodeNameID, []string{`" zaphod"`}},
	{"too long", samltest.Answer{NameID: "zaphod" + strings.Repeat("x", 260)}, nil, saml.CodeNameID, []string{`"zaphodxxx`}},
	{"markup in a value", samltest.Answer{Attributes: []samltest.Attribute{{Name: "urn:zaphods-claim", Values: []string{"v"}}},
		Edit: func(s string) string { return strings.Replace(s, ">v<", "><Subject/><", 1) }}, nil,
		saml.CodeAttributes, []string{"urn:zaphods-claim"}},
	{"a status", samltest.Answer{Status: statusPrefix + "Responder", StatusMessage: "AADSTS50105: Zaphod@example.com is not assigned."}, nil,
		saml.CodeStatus, []string{"Zaphod@example.com is not assigned"}},
	{"a silent sign-in", samltest.Answer{Status: statusPrefix + "Responder", SubStatus: statusPrefix + "NoPassive",
		StatusMessage: "Zaphod must sign in."}, nil, saml.CodeNoPassive, []string{"Zaphod must sign in"}},
}

const claimEmail = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"

func international(c *saml.Config) { c.AllowInternationalEmail = true }

func emailClaim(value string) samltest.Answer {
	return samltest.Answer{Attributes: []samltest.Attribute{{Name: claimEmail, Values: []string{value}}}}
}

func withNameID(nameID string, a samltest.Answer) samltest.Answer {
	a.NameID = nameID
	return a
}

// TestPersonalDataStaysInGot: whatever a refusal has to show about a person is in Got, in both
// entrances: not in another field, in the text of the error, in the log or on the page.
func TestPersonalDataStaysInGot(t *testing.T) {
	t.Parallel()
	covered := map[saml.Code]bool{}
	usual := newWatched(t, nil)
	for _, row := range personalRows {
		w := usual
		if row.change != nil {
			w = newWatched(t, row.change)
		}
		e := refusedTwice(w, row.name, row.answer)
		if e == nil {
			continue
		}
		covered[e.Code] = true
		if e.Code != row.code || !e.Code.Personal() || len(e.Got) > 200 || e.Want == "" && row.code == saml.CodeNameIDMismatch {
			t.Errorf("%s: got %s, want %s: %+v", row.name, string(e.Code), string(row.code), e)
		}
		for _, want := range row.got {
			if !strings.Contains(e.Got, want) {
				t.Errorf("%s: Got is %s, want %s in it", row.name, e.Got, want)
			}
		}
	}
	for _, check := range saml.Checks() {
		for _, code := range check.Codes {
			if code.Personal() && !covered[code] {
				t.Errorf("%s has no row", string(code))
			}
		}
	}
}

// TestOtherRefusalsKnowNobody: a refusal with any other code shows nothing about the user of the
// response, although its Got is logged.
func TestOtherRefusalsKnowNobody(t *testing.T) {
	t.Parallel()
	seen := map[saml.Code]bool{}
	w := newWatched(t, nil)
	for _, answer := range hintAnswers() {
		if answer.NameID == "" && answer.User.UserPrincipalName == "" && answer.Status == "" {
			if e := refusedTwice(w, "an answer", answer); e != nil {
				seen[e.Code] = true
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d codes: %v", len(seen), slices.Sorted(maps.Keys(seen)))
	}
	for _, err := range saml.VectorRefusals(t) {
		var e *saml.Error
		if !errors.As(err, &e) {
			t.Fatalf("%T", err)
		}
		if text := e.Message + e.Want + e.Hint + e.Error(); strings.Contains(text, "@") {
			t.Errorf("a vector: %+v: %s", e, text)
		}
	}
}

// refusedTwice signs the user in with an answer that is refused, at FinishLogin and at the Handler, and
// holds all that they show against personal. It returns the refusal.
func refusedTwice(w *watched, name string, answer samltest.Answer) *saml.Error {
	t := w.t
	t.Helper()
	w.events = nil
	w.log.Reset()
	answer.User = personalUser()
	if _, err := w.signIn(saml.LoginOptions{}, answer); err == nil {
		t.Errorf("%s: accepted", name)
		return nil
	}
	state, id := w.begin()
	if answer.RequestID == "" {
		answer.RequestID = id
	}
	var e *saml.Error
	page := w.post(w.respond(answer), state)
	for _, event := range w.events {
		if event.Err == nil {
			continue
		}
		e = event.Err
		shown := map[string]string{"Message": e.Message, "Want": e.Want, "Hint": e.Hint, "Check": e.Check, "Error": e.Error(),
			"the log": w.log.String(), "the page": pageText(page), "ReturnTo": e.ReturnTo}
		if !e.Code.Personal() {
			shown["Got, which is logged"] = e.Got
		}
		for _, where := range slices.Sorted(maps.Keys(shown)) {
			if strings.Contains(strings.ToLower(shown[where]), personal) {
				t.Errorf("%s (%s): %s has %q", name, string(e.Code), where, shown[where])
			}
		}
	}
	if e == nil || !strings.Contains(w.log.String(), "code="+string(e.Code)) {
		t.Errorf("%s: no refusal in the events or in the log: %s", name, w.log.String())
	}
	return e
}

func pageText(w *httptest.ResponseRecorder) string {
	text := w.Body.String()
	for name, values := range w.Header() {
		text += "\n" + name + ": " + strings.Join(values, ", ")
	}
	return text
}

// TestHowAddressesAreCompared holds EqualEmail against the table in docs/security.md.
func TestHowAddressesAreCompared(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(document), "| two addresses differ in | same |\n| --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	pairs := map[string][][2]string{
		"ASCII case in the domain":                  {{"ann@example.com", "ann@EXAMPLE.com"}},
		"ASCII case before the @":                   {{"ann@example.com", "Ann@example.com"}},
		"case of other letters (É, é)":              {{"\u00c9lise@example.com", "\u00e9lise@example.com"}},
		"dots or a tag before the @ (`ann+saml@…`)": {{"ann+saml@example.com", "ann@example.com"}, {"a.nn@example.com", "ann@example.com"}},
		"bytes that are not UTF-8":                  {{"ann\xff@example.com", "ann\xfe@example.com"}, {"ann\xff@example.com", "ann\ufffd@example.com"}},
		"blanks inside or around": {{"ann@example.com ", "ann@example.com"}, {"\tann@example.com", "ann@example.com"},
			{"ann @example.com", "ann@example.com"}, {"ann@example.com\u00a0", "ann@example.com"}},
		"U+212A KELVIN SIGN for k, full-width letters, letters of another script": {{"\u212aim@example.com", "kim@example.com"},
			{"\uff4bim@example.com", "kim@example.com"}, {"\u0430nn@example.com", "ann@example.com"}},
		"the normalization form: é as one character, or e with an accent behind it": {{"\u00e9lise@example.com", "e\u0301lise@example.com"}},
		"the form of the domain: Unicode, or `xn--`":                                {{"ann@b\u00fccher.example", "ann@xn--bcher-kva.example"}},
	}
	rows := strings.Split(table, "\n")
	if !found || len(rows) != len(pairs) {
		t.Errorf("the table has %d rows, want %d", len(rows), len(pairs))
	}
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		if len(cells) != 2 || pairs[cells[0]] == nil {
			t.Errorf("no addresses for the row %q", row)
			continue
		}
		for _, pair := range pairs[cells[0]] {
			if saml.EqualEmail(pair[0], pair[1]) != (cells[1] == "yes") {
				t.Errorf("%s: %+q and %+q, want %s", cells[0], pair[0], pair[1], cells[1])
			}
		}
	}
}
