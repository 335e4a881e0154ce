package session

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

func keeping(names ...string) func(*Config) {
	return func(c *Config) { c.Keep = names }
}

// opened signs in and returns the session as the next request has it.
func (s *site) opened(login *saml.Login) *Session {
	s.Helper()
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		s.Fatal(err)
	}
	got, ok := s.Manager.open(newRequest("GET", "/", w.Result().Cookies()...))
	if !ok {
		s.Fatal("the cookie is not read")
	}
	return got
}

func TestKeptAttributesAreInTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, keeping("level", "missing", "projects", "empty", "https://example.com/claims/team"))
	login := s.newLogin(samltest.Answer{Attributes: []samltest.Attribute{
		{Name: "projects", Values: []string{"a", "", "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31"}}, {Name: "not kept", Values: []string{"x"}},
		{Name: "https://example.com/claims/team", Values: []string{"Țurcanu"}}, {Name: "level", Values: []string{"7"}},
	}})
	login.Assertion.Attributes = append(login.Assertion.Attributes, saml.Attribute{Name: "empty", NameFormat: "x"})
	got := s.opened(login)
	want := saml.Attributes{{Name: "level", Values: []string{"7"}},
		{Name: "projects", Values: []string{"a", "", "5f0c7a52-94d1-4c1e-8f57-1d0b6e2a9c31"}},
		{Name: "https://example.com/claims/team", Values: []string{"Țurcanu"}}}
	if !reflect.DeepEqual(got.Attributes, want) || got.AttributesTruncated {
		t.Errorf("got %+v, want %+v", got.Attributes, want)
	}
	var claims struct {
		Level    int      `saml:"level"`
		Projects []string `saml:"projects"`
	}
	if err := got.Attributes.Decode(&claims); err != nil || claims.Level != 7 || len(claims.Projects) != 3 {
		t.Errorf("got %+v, %v", claims, err)
	}
	if got := newSite(t).opened(login); got.Attributes != nil {
		t.Errorf("without Keep: got %+v", got.Attributes)
	}
}

// TestKeptAttributesGoLast: attributes that the application chose stay whole as long as they fit
// without groups and roles. What does not fit is left out whole, and the session says so.
func TestKeptAttributesGoLast(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 250)
	for _, row := range []struct {
		name           string
		values         []string // of a, b and c
		want           string   // the attributes that stay
		groups, roles  int
		groupsCut, cut bool
	}{
		{"beside all groups", []string{"1", "2", "3"}, "abc", 3, 1, false, false},
		{"instead of groups", []string{long, "2", "3"}, "abc", 150, 1, true, false},
		{"too long together", []string{"1", long, long}, "ab", 0, 0, false, true},
		{"too long alone", []string{strings.Repeat("x", 5000), "2", "3"}, "", 0, 0, false, true},
		{"too long, with groups", []string{"1", long, long}, "ab", 150, 1, true, true},
	} {
		s := newSite(t, keeping("a", "b", "c"))
		login := s.newLogin(samltest.Answer{})
		login.Identity.Groups, login.Identity.Roles = randomGroups(row.groups), randomGroups(row.roles)
		for i, name := range []string{"a", "b", "c"} {
			login.Assertion.Attributes = append(login.Assertion.Attributes, saml.Attribute{Name: name, Values: row.values[i : i+1]})
		}
		got, names := s.opened(login), ""
		for _, a := range got.Attributes {
			names += a.Name
			if want := row.values[strings.Index("abc", a.Name)]; !slices.Equal(a.Values, []string{want}) {
				t.Errorf("%s: the value of %s was cut", row.name, a.Name)
			}
		}
		if names != row.want || got.AttributesTruncated != row.cut || got.GroupsTruncated != row.groupsCut {
			t.Errorf("%s: got %q, attributes truncated %t, groups truncated %t, want %q, %t, %t", row.name, names,
				got.AttributesTruncated, got.GroupsTruncated, row.want, row.cut, row.groupsCut)
		}
	}
}

// TestKeptAttributesInRecords: with Records nothing is left out.
func TestKeptAttributesInRecords(t *testing.T) {
	t.Parallel()
	s := newRecordsSite(t, keeping("a", "b"))
	login := s.newLogin(samltest.Answer{})
	login.Identity.Groups = randomGroups(150)
	kept := saml.Attributes{{Name: "a", Values: []string{strings.Repeat("x", 5000), "y"}}, {Name: "b", Values: []string{"z"}}}
	login.Assertion.Attributes = append(login.Assertion.Attributes, kept...)
	w := httptest.NewRecorder()
	if err := s.SignIn(w, newRequest("POST", "/"), login); err != nil {
		t.Fatal(err)
	}
	var got *Session
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = FromContext(r.Context()) })
	if answerOf(s.login.Require(page), newRequest("GET", "/", w.Result().Cookies()...)); got == nil {
		t.Fatal("there is no session")
	}
	if !reflect.DeepEqual(got.Attributes, kept) || got.AttributesTruncated || len(got.Identity.Groups) != 150 {
		t.Errorf("got %d attributes, truncated %t, and %d groups", len(got.Attributes), got.AttributesTruncated, len(got.Identity.Groups))
	}
}

// TestKeepThatCannotWork is refused at set-up, and each fault is named.
func TestKeepThatCannotWork(t *testing.T) {
	t.Parallel()
	many := make([]string, 17)
	for i := range many {
		many[i] = string(rune('a' + i))
	}
	for name, row := range map[string]struct {
		keep []string
		want []string
	}{
		"an empty name":    {[]string{"a", ""}, []string{"Keep[1] is empty"}},
		"white space":      {[]string{" a"}, []string{"Keep[0]", `" a"`, "white space"}},
		"not UTF-8":        {[]string{"\xff"}, []string{"Keep[0]", "UTF-8"}},
		"twice":            {[]string{"a", "b", "a"}, []string{"Keep[2] repeats a name", `"a"`}},
		"too many":         {many, []string{"17 names", "at most 16"}},
		"too long":         {[]string{strings.Repeat("x", 1025)}, []string{"1025 bytes", "at most 1024"}},
		"two faults":       {[]string{"", "a "}, []string{"Keep[0]", "Keep[1]"}},
		"all of them good": {append(many[:15:15], strings.Repeat("x", 1024-15)), nil},
	} {
		_, err := New(Config{Keys: [][]byte{testKey}, Store: &fakeStore{}, Logger: quiet, Keep: row.keep})
		if (err == nil) != (row.want == nil) {
			t.Errorf("%s: got %v", name, err)
		}
		for _, want := range row.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q in it", name, err, want)
			}
		}
	}
}

// TestKeepIsCopied: a caller who changes the slice later changes no session.
func TestKeepIsCopied(t *testing.T) {
	t.Parallel()
	names := []string{"a"}
	s := newSite(t, keeping(names...))
	m, err := New(Config{Keys: [][]byte{testKey}, Store: s.store, Now: s.clock.Now, Logger: quiet, Keep: names})
	if err != nil {
		t.Fatal(err)
	}
	names[0] = "b"
	s.Manager = m
	login := s.newLogin(samltest.Answer{Attributes: []samltest.Attribute{{Name: "a", Values: []string{"1"}}, {Name: "b", Values: []string{"2"}}}})
	if got := s.opened(login).Attributes; len(got) != 1 || got[0].Name != "a" {
		t.Errorf("got %+v", got)
	}
}
