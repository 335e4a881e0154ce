package saml

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// TestEndThatFailed: if the session may not have ended, the page at the end says so, whichever way the
// sign-out takes and whatever the identity provider answers. No page says that one is signed out.
func TestEndThatFailed(t *testing.T) {
	t.Parallel()
	answered := func(edits ...func(*sampleLogout)) func(*logoutHouse, *logoutBrowser, logoutAnswer) logoutAnswer {
		return func(s *logoutHouse, b *logoutBrowser, sent logoutAnswer) logoutAnswer {
			return b.bring(s.response(sent.id(s), edits...))
		}
	}
	soap := newSOAPIdP(t)
	for name, row := range map[string]struct {
		services string
		change   func(*Config)
		end      func(*logoutHouse, *logoutBrowser, logoutAnswer) logoutAnswer // nil: at once
		events   string
	}{
		"nobody else is told": {"", nil, nil, "logout_incomplete session"},
		"the key fails": {byRedirect, failingKey, nil,
			"logout_incomplete session, logout_incomplete key_unavailable"},
		"by SOAP": {sloXML("SOAP", soap.URL, ""), nil, nil,
			"logout_incomplete session, logout_started, logout_finished"},
		"by redirect":        {byRedirect, nil, answered(), "logout_finished"},
		"by post":            {byPost, nil, answered((*sampleLogout).asPost), "logout_finished"},
		"an unsigned answer": {byRedirect, nil, answered((*sampleLogout).asUnsigned), "logout_incomplete logout_unsigned"},
		"a refusal":          {byRedirect, nil, answered(status(statusResponder)), "logout_incomplete logout_status"},
		"the session goes on": {byRedirect, nil, func(s *logoutHouse, b *logoutBrowser, sent logoutAnswer) logoutAnswer {
			b.signIn() // as a store does that could not delete it
			return b.bring(s.response(sent.id(s)))
		}, "logout_finished"},
	} {
		var s *logoutHouse
		if name == "by SOAP" {
			s = soapHouse(t, soap.URL, soap, true)
			soap.reply(t, s, status(statusSuccess))
		} else {
			s = newLogoutHouse(t, row.services, func(c *Config, _ *HandlerConfig) {
				if row.change != nil {
					row.change(c)
				}
			})
		}
		s.fails, s.returnTo = errors.New("the records are down"), "/bye"
		b := s.browser()
		answer := b.signOut()
		if row.end != nil {
			if events, _ := s.told(); events != "logout_incomplete session, logout_started" {
				t.Errorf("%s: got the events %s", name, events)
			}
			answer = row.end(s, b, answer)
		}
		answer.wantPage(t, name, textMaySignedIn, "/")
		if events, _ := s.told(); events != row.events {
			t.Errorf("%s: got the events %s, want %s", name, events, row.events)
		}
		if strings.Contains(answer.body, textSignedOut) {
			t.Errorf("%s: got %s", name, answer.body)
		}
	}
}

// TestEndsThatFailedInAFrame: a frame of the identity provider shows no more than that, and other
// identity providers are told.
func TestEndsThatFailedInAFrame(t *testing.T) {
	t.Parallel()
	for answer, by := range map[LogoutAnswer]string{LogoutAnswerPage: "page", LogoutAnswerResponse: "response"} {
		for binding, send := range map[string]func(*sampleLogout){"redirect": asIs, "post": asPost} {
			s := newSampleLogout()
			send(s)
			s.config = func(_ testing.TB, c *Config) { c.LogoutAnswer = answer }
			l := newLogoutSite(t, s, nil)
			l.fails = []error{errors.New("the records are down")}
			a := l.send(s, "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
			if answer == LogoutAnswerResponse {
				a.wantResponse(t, by+" by "+binding, s, statusResponder)
				continue
			}
			a.wantRefusedBy(t, by+" by "+binding, s, http.StatusInternalServerError, CodeLogoutFailed)
			if !strings.Contains(a.body, "please sign out here as well") || strings.Contains(a.body, textSignedOut) {
				t.Errorf("%s by %s: got %s", by, binding, a.body)
			}
		}
	}
}
