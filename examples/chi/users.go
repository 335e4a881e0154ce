package main

import (
	"slices"
	"sync"

	"github.com/iomete/saml"
)

// A user is an account of the service.
type user struct {
	ID            int // counts from 1
	Name, Email   string
	Administrator bool
	disabled      bool
	key           string // what the identity provider never changes: saml.Identity.AccountKey
}

// users stands for a table in a database. The zero value is empty.
type users struct {
	mu   sync.Mutex
	list []user
}

// administratorRole is the role at the identity provider that makes a user an administrator.
const administratorRole = "Administrator"

// signIn returns the account of who signed in, and makes it the first time. It takes over what the
// identity provider says now. A disabled user is told so, with status 403.
func (t *users) signIn(login *saml.Login) (*user, error) {
	key, err := login.Identity.AccountKey() // never the e-mail address: it can be given to somebody else
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.list, func(u user) bool { return u.key == key })
	if i < 0 {
		i = len(t.list)
		t.list = append(t.list, user{ID: i + 1, key: key})
	}
	u := &t.list[i]
	if u.disabled {
		return nil, saml.Denied("Your account is disabled. Please ask your administrator.")
	}
	u.Name, u.Email = login.Identity.Name, login.Identity.Email
	u.Administrator = slices.Contains(login.Identity.Roles, administratorRole)
	found := *u
	return &found, nil
}

// enabled returns a user, nil if there is no such user or the account is disabled.
func (t *users) enabled(id int) *user {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id < 1 || id > len(t.list) || t.list[id-1].disabled {
		return nil
	}
	found := t.list[id-1]
	return &found
}

// disable ends all sessions of a user and refuses new ones. It reports whether there is such a user.
func (t *users) disable(id int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id < 1 || id > len(t.list) {
		return false
	}
	t.list[id-1].disabled = true
	return true
}
