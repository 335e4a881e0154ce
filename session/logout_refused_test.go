package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestLogoutThatCannotBe: an application that forgot something reads what, and nothing is written.
func TestLogoutThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		config func(*Config)
		logout func(*saml.Logout)
		field  string
		says   string
	}{
		"no Records": {func(c *Config) { c.Records = nil }, nil, "Records", "session.Config.Records is not set"},
		"an unsigned request": {nil, func(l *saml.Logout) { l.Unsigned = true }, "AllowUnsignedLogout",
			"session.Config.AllowUnsignedLogout is not set"},
		"no time": {nil, func(l *saml.Logout) { l.IssueInstant = time.Time{} }, "", "no IssueInstant"},
	} {
		s := newRecordsSite(t, func(c *Config) {
			if row.config != nil {
				row.config(c)
			}
		})
		l := s.logoutOf(s.newLogin(samltest.Answer{}))
		if row.logout != nil {
			row.logout(l)
		}
		var refusal *saml.Error
		if err := s.EndSessions(t.Context(), l); !errors.As(err, &refusal) || refusal.Code != saml.CodeConfig ||
			refusal.Field != row.field || !strings.Contains(refusal.Message, row.says) || refusal.Hint == "" {
			t.Errorf("%s: got %v, want CodeConfig about %q", name, err, row.says)
		}
		if len(s.records.raised) != 0 {
			t.Errorf("%s: there are the marks %q", name, s.records.raised)
		}
	}
	_, err := New(Config{Keys: [][]byte{testKey}, AllowUnsignedLogout: true, Logger: quiet})
	if !errors.Is(err, saml.CodeConfig) ||
		!strings.Contains(fmt.Sprint(err), "AllowUnsignedLogout is set without Records") {
		t.Errorf("AllowUnsignedLogout without Records: got %v", err)
	}
}

// TestUnsignedLogout: it ends the session whose NameID and index it has exactly, and for everything
// else it writes nothing.
func TestUnsignedLogout(t *testing.T) {
	t.Parallel()
	allowed := func(c *Config) { c.AllowUnsignedLogout = true }
	for name, row := range map[string]struct {
		change func(*saml.Logout)
		ends   bool
	}{
		"the pair":                     {nil, true},
		"the pair among others":        {func(l *saml.Logout) { l.SessionIndexes = []string{"0", "1", "2"} }, true},
		"another index":                {func(l *saml.Logout) { l.SessionIndexes = []string{"2"} }, false},
		"no index":                     {func(l *saml.Logout) { l.SessionIndexes = nil }, false},
		"another name":                 {naming("bob@example.com"), false},
		"the name in other case":       {naming(strings.ToUpper(alice)), false},
		"another tenant":               {func(l *saml.Logout) { l.Tenant = "B" }, false},
		"64 indexes that nobody has":   {func(l *saml.Logout) { l.SessionIndexes = numbers(66)[2:] }, false},
		"the pair, before the sign-in": {earlier(time.Hour), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRecordsSite(t, allowed)
			login := indexed(s.newLogin(samltest.Answer{}), "1")
			c := s.begin(login)
			unindexed := s.begin(indexed(s.newLogin(samltest.Answer{}))) // nobody can name it exactly
			if len(s.records.raised) != 1 || s.records.lifetime != 12*time.Hour+10*time.Minute {
				t.Fatalf("the sign-ins write %q, the last for %v", s.records.raised, s.records.lifetime)
			}
			s.records.lookups = 0
			l := s.logoutOf(login)
			l.Unsigned = true
			if row.change != nil {
				row.change(l)
			}
			if err := s.EndSessions(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			marks := len(s.records.raised) - 1
			if named := row.ends || name == "the pair, before the sign-in"; named != (marks == 1) ||
				!named && (marks != 0 || s.records.lookups > 1) {
				t.Errorf("%d marks are written, after %d questions", marks, s.records.lookups)
			}
			if row.ends {
				s.wantOut("the session", c)
				off := s.replica(0)
				if got := s.statusAt(off, c); got != http.StatusSeeOther {
					t.Errorf("where the option is switched off, the session is back: status %d", got)
				}
			} else {
				s.wantIn("the session", c)
			}
			s.wantIn("a session without an index", unindexed)
		})
	}
	s := newRecordsSite(t)
	if s.begin(s.newLogin(samltest.Answer{})); len(s.records.raised) != 0 {
		t.Errorf("without the option, a sign-in writes %q", s.records.raised)
	}
	s = newRecordsSite(t, allowed)
	s.records.failAt = 1
	s.wantIn("a session whose pair could not be written", s.begin(s.newLogin(samltest.Answer{})))
	s.wantLog("it", "unsigned logouts will not reach", 1)
}
