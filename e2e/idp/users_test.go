//go:build idp

package idp

import (
	"fmt"
	"slices"
	"testing"

	"github.com/iomete/saml"
)

// A user is somebody whom every product knows. The password is the name with "pass" behind it.
type user struct {
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Given   string   `json:"given"`
	Surname string   `json:"surname"`
	Groups  []string `json:"groups"`
}

func (u user) display() string { return u.Given + " " + u.Surname }

// users are known to every product. Their names have what goes wrong when text is escaped too
// little, too often or in the wrong encoding. "nomail" has no e-mail address.
var users = []user{
	{"alice", "alice@example.com", "Alice", "Example", []string{"data-admins", "data-users"}},
	{"umlaut", "j.o'neill+tag@example.com", `Jürgen "Ü"`, "O'Neil & Söhne <GmbH>", []string{"Ärzte & Co", "d'Or"}},
	{"kanji", "tanaka@example.com", "太郎", "田中 Ελληνικά العربية 🦊", []string{"データ"}},
	{"nomail", "", "No", "Address", []string{"data-users"}},
	{"many", "many@example.com", "Many", "Groups", groups(300)},
}

func userNamed(name string) user {
	return users[slices.IndexFunc(users, func(u user) bool { return u.Name == name })]
}

func groups(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("data-team-%04d", i))
	}
	return list
}

// sameUser expects every name and group of a user, character by character.
func sameUser(name string) func(*testing.T, *saml.Login) {
	return func(t *testing.T, login *saml.Login) {
		t.Helper()
		u, i := userNamed(name), login.Identity
		if i.GivenName != u.Given || i.Surname != u.Surname || i.Name != u.display() {
			t.Errorf("got names %q, %q, %q, want %q, %q, %q", i.GivenName, i.Surname, i.Name, u.Given, u.Surname,
				u.display())
		}
		if got, want := slices.Sorted(slices.Values(i.Groups)), slices.Sorted(slices.Values(u.Groups)); !slices.Equal(got, want) {
			t.Errorf("got %d groups %.200q, want %d %.200q", len(got), got, len(want), want)
		}
	}
}
