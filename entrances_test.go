package saml_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestBothEntrancesHaveOneOrder: whatever is wrong with a response, Handler and FinishLogin refuse
// it with the same code. Most inputs have several faults: an unreadable message without a pending
// login, say. The first step that refuses is the same at both.
func TestBothEntrancesHaveOneOrder(t *testing.T) {
	w := newWatched(t, nil)
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	good := func(a samltest.Answer) func(id string) string {
		return func(id string) string {
			a.RequestID = id
			return w.respond(a)
		}
	}
	always := func(s string) func(string) string { return func(string) string { return s } }
	const protocol = ` xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"`
	const other = "https://other.example.com"
	replaced := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	for name, respond := range map[string]func(id string) string{
		"no XML":                    always(encode("ABC")),
		"bad padding":               always("QUJ"),
		"cut off":                   always(encode("<samlp:Response" + protocol)),
		"DOCTYPE":                   always(encode("<!DOCTYPE x><x/>")),
		"a comment":                 always(encode("<!-- --><x/>")),
		"an entity":                 always(encode("<x>&e;</x>")),
		"not UTF-8":                 always(encode("<x>\xff</x>")),
		"two roots":                 always(encode("<x/><y/>")),
		"an undeclared prefix":      always(encode("<samlp:Response/>")),
		"an attribute twice":        always(encode("<x a='' a=''/>")),
		"an XML declaration of 1.1": always(encode("<?xml version='1.1'?><x/>")),
		"too deep":                  always(encode(strings.Repeat("<x>", 65) + strings.Repeat("</x>", 65))),
		"another message":           always(encode("<samlp:LogoutResponse" + protocol + "/>")),
		"no version":                always(encode("<samlp:Response" + protocol + " ID='_r'/>")),
		"no ID":                     always(encode("<samlp:Response" + protocol + " Version='2.0'/>")),
		"no status":                 always(encode("<samlp:Response" + protocol + " Version='2.0' ID='_r'/>")),
		"two assertions": always(encode("<samlp:Response" + protocol +
			" Version='2.0' ID='_r'><Assertion xmlns='urn:oasis:names:tc:SAML:2.0:assertion'/><Assertion xmlns='urn:oasis:names:tc:SAML:2.0:assertion'/></samlp:Response>")),
		"a comment in a good one": good(samltest.Answer{Edit: replaced("</NameID>", "<!-- --></NameID>")}),
		"an unknown element":      good(samltest.Answer{Edit: replaced("<Conditions ", "<Unknown/><Conditions ")}),
		"another audience":        good(samltest.Answer{Audience: other}),
		"another destination":     good(samltest.Answer{Destination: other}),
		"another issuer":          good(samltest.Answer{Issuer: other}),
		"not signed":              good(samltest.Answer{Sign: samltest.SignNothing}),
		"SHA-1":                   good(samltest.Answer{Algorithm: samltest.RSASHA1}),
		"an error":                good(samltest.Answer{Status: "urn:oasis:names:tc:SAML:2.0:status:Responder"}),
		"no e-mail address":       good(samltest.Answer{NameID: "nobody"}),
		"an error for another place": good(samltest.Answer{Status: "urn:oasis:names:tc:SAML:2.0:status:Responder",
			Destination: other}),
		"unsigned for another place": good(samltest.Answer{Sign: samltest.SignNothing, Audience: other,
			Destination: other}),
		"everything is wrong": good(samltest.Answer{Sign: samltest.SignNothing, Audience: other, Issuer: other,
			NameID: "nobody"}),
		"no request is named":      func(string) string { return w.respond(samltest.Answer{}) },
		"unsolicited and unsigned": func(string) string { return w.respond(samltest.Answer{Sign: samltest.SignNothing}) },
	} {
		for _, pending := range []bool{true, false} {
			state, id := w.begin()
			form := respond(id)
			named := strings.Contains(decoded(form), id)
			if named && !pending {
				continue // Handler alone knows that a login is missing, and says state_missing
			}
			r := saml.FormResponse{SAMLResponse: form}
			var cookies []*http.Cookie
			if pending {
				cookies = append(cookies, state)
				// FinishLogin is told of the login that Handler finds
				if named || !strings.Contains(decoded(form), "Assertion") {
					r.RequestID = id
				}
			}
			at := codeOnPage.FindStringSubmatch(w.post(form, cookies...).Body.String())
			_, err := w.sp.FinishLogin(t.Context(), r)
			var refusal *saml.Error
			if !errors.As(err, &refusal) || at == nil || at[1] != string(refusal.Code) {
				t.Errorf("%s, pending login %t: Handler says %q, FinishLogin %v", name, pending, at, err)
			}
		}
	}
}

var codeOnPage = regexp.MustCompile("<code>([a-z_0-9]+)</code>")

func decoded(form string) string {
	b, _ := base64.StdEncoding.DecodeString(form)
	return string(b)
}

// TestUnreadableMessageKnowsTheWayBack: where the user was going comes with the refusal of a
// message that cannot be read.
func TestUnreadableMessageKnowsTheWayBack(t *testing.T) {
	h := newHouse(t, nil)
	request, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{ReturnTo: "/jobs"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: "QUJD", State: request.State})
	var refusal *saml.Error
	if !errors.As(err, &refusal) || refusal.Code != saml.CodeXMLSyntax || refusal.ReturnTo != "/jobs" {
		t.Errorf("got %v, way back %q", err, refusal.ReturnTo)
	}
}
