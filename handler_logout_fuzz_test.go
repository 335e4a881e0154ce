package saml

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// FuzzLogout: whatever arrives at the Logout URL or the Redirect URL, nothing panics, nobody signs in,
// no page of ours goes elsewhere, and only what the genuine messages say is ever ended. Others say
// something else, and nobody whom we trust has signed them.
func FuzzLogout(f *testing.F) {
	l := &logoutSite{t: f}
	l.sp = l.provider(newSampleLogout())
	l.sp.config.Observe = nil
	for _, change := range []func(*sampleLogout){asIs, asResponse, unsignedByEve, signedByEve} {
		redirected, post, soap := newSampleLogout(), newSampleLogout(), newSampleLogout()
		change(redirected)
		changes(change, asPost)(post)
		changes(change, asSOAP)(soap)
		for _, path := range []string{l.sp.LogoutPath(), DefaultRedirectPath} {
			f.Add("GET", path, redirected.query(f), "", "")
			f.Add("POST", path, "", formType, post.form(f)+"&saml_leg=2")
			f.Add("POST", path, redirected.query(f), formType, post.form(f))
			f.Add("POST", path, "", "text/xml", soap.soap(f))
		}
	}
	f.Add("POST", l.sp.LogoutPath(), "", formType, signInForm(f, "2"))
	f.Add("POST", l.sp.LogoutPath(), "", formType, "return_to=%2Fjobs")
	f.Add("GET", l.sp.LogoutPath(), "SAMLReques%74=x&SAMLResponse=%zz", "", "")
	f.Add("HEAD", "", "", "", "")
	at, _ := parseTime(newSampleLogout().attributes[issueInstant])
	genuine := &Logout{EntityID: l.sp.EntityID(), Issuer: logoutIssuer,
		NameID:         NameID{Value: "ann@example.com", Format: formatEmail, sent: "ann@example.com"},
		SessionIndexes: []string{"_index"}, IssueInstant: at}
	f.Fuzz(func(t *testing.T, method, path, query, contentType, body string) {
		r, err := http.NewRequest(method, "https://console.example.com/", strings.NewReader(body))
		if err != nil {
			t.Skip() // no HTTP server hands on such a method
		}
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header = http.Header{"Content-Type": {contentType}}
		ended := false
		h, err := NewHandler(HandlerConfig{Provider: l.sp, Sessions: refusesSignIn{t},
			EndSessions: func(_ context.Context, logout *Logout) error {
				if ended = true; !reflect.DeepEqual(logout, genuine) {
					t.Errorf("ended %+v", logout)
				}
				return nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		free, turns := h.bodies.free.Load(), len(h.large)
		if w.Code < 200 || w.Code >= 600 || free != defaultBodyMemory || turns > 0 {
			t.Fatalf("status %d, %d bytes are free, %d turns taken", w.Code, free, turns)
		}
		if to := w.Header().Get("Location"); !ended && strings.HasPrefix(to, logoutAnswerURL) {
			t.Fatalf("nothing has ended, and the browser goes to %q", to)
		}
		frames := logoutReply{Response: w.Result()}.frames()
		if frames != "" && frames != "'none'" && frames != siteFrames {
			t.Fatalf("may be framed by %q", frames)
		}
	})
}

func ofEve(s *sampleLogout) {
	s.subject = strings.ReplaceAll(s.subject, "ann@", "eve@")
}

func unsignedByEve(s *sampleLogout) { ofEve(s); s.asUnsigned() }

func signedByEve(s *sampleLogout) { ofEve(s); s.signer = "test-attacker" }
