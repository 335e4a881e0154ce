package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"

	"github.com/iomete/saml"
)

// An Account is a person who has signed in, or is expected to.
type Account struct {
	ID      string
	Email   string
	Name    string
	Home    string // where a guest comes from, "" for the directory itself
	FirstAt time.Time
	LastAt  time.Time // zero where the person has not signed in yet
	EndedAt time.Time // when all sessions were ended last, to be shown; what ends them is the generation
	IsBound bool      // to a key of the identity provider
}

const accountColumns = `SELECT id, email, name, home, first_at, last_at, ended_at,
	CASE WHEN EXISTS (SELECT 1 FROM account_key WHERE account_key.account = account.id) THEN 1 ELSE 0 END FROM account `

func scanAccount(scan func(...any) error) (*Account, error) {
	var a Account
	var first, last, ended int64
	var bound int
	err := scan(&a.ID, &a.Email, &a.Name, &a.Home, &first, &last, &ended, &bound)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	a.FirstAt, a.LastAt, a.EndedAt, a.IsBound = moment(first), moment(last), moment(ended), bound == 1
	return &a, err
}

// AccountKey is the key that an account is bound to: that of the object, else that of the NameID.
func AccountKey(i *saml.Identity) string {
	object, nameID := i.Keys()
	if object != "" {
		return object
	}
	return nameID
}

// FindAccount gives the account that an identity would sign in to: the one with its key, else one with its e-mail address that has no key
// yet. ErrNotFound means that there would be a new one.
func (db *DB) FindAccount(ctx context.Context, i *saml.Identity) (*Account, error) {
	return db.find(ctx, db.sql, i)
}

func (db *DB) find(ctx context.Context, h handle, i *saml.Identity) (*Account, error) {
	a, err := scanAccount(h.QueryRowContext(ctx, db.bind(accountColumns+"WHERE id = (SELECT account FROM account_key WHERE id = ?)"), AccountKey(i)).Scan)
	if !errors.Is(err, ErrNotFound) {
		return a, err
	}
	unbound, err := db.accounts(ctx, h, "WHERE NOT EXISTS (SELECT 1 FROM account_key WHERE account_key.account = account.id)")
	if err != nil {
		return nil, err
	}
	for _, a := range unbound {
		if saml.EqualEmail(a.Email, i.Email) {
			return &a, nil
		}
	}
	return nil, ErrNotFound
}

// SignIn finds the account of an identity, or makes one, and binds it to the identity's key: an e-mail address can be given to somebody
// else, the key cannot.
func (db *DB) SignIn(ctx context.Context, i *saml.Identity, home string) error {
	err := db.signIn(ctx, i, home)
	if errors.Is(err, errTaken) { // by a sign-in of the same person at the same time, which has made the account
		err = db.signIn(ctx, i, home)
	}
	return err
}

var errTaken = errors.New("storage: the key belongs to another account")

func (db *DB) signIn(ctx context.Context, i *saml.Identity, home string) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		a, err := db.find(ctx, tx, i)
		switch {
		case errors.Is(err, ErrNotFound):
			a = &Account{ID: rand.Text()}
			_, err = db.exec(ctx, tx, "INSERT INTO account (id, email, name, home, first_at, last_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, 0)",
				a.ID, i.Email, i.Name, home, db.stamp(), db.stamp())
		case err == nil:
			_, err = db.exec(ctx, tx, "UPDATE account SET email = ?, name = ?, home = ?, last_at = ? WHERE id = ?", i.Email, i.Name, home, db.stamp(), a.ID)
		}
		if err != nil || a.IsBound {
			return err
		}
		n, err := db.exec(ctx, tx, "INSERT INTO account_key (id, account) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", AccountKey(i), a.ID)
		if err == nil && n == 0 {
			err = errTaken
		}
		return err
	})
}

// ErrAccountExists is what AddAccount returns where there is an account with the address.
var ErrAccountExists = errors.New("storage: there is an account with this address")

// AddAccount makes an account for somebody who has not signed in yet. The first sign-in with the address binds it.
func (db *DB) AddAccount(ctx context.Context, email string) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		all, err := db.accounts(ctx, tx, "")
		if err != nil {
			return err
		}
		for _, a := range all {
			if saml.EqualEmail(a.Email, email) {
				return ErrAccountExists
			}
		}
		_, err = db.exec(ctx, tx, "INSERT INTO account (id, email, name, home, first_at, last_at, ended_at) VALUES (?, ?, '', '', ?, 0, 0)", rand.Text(), email, db.stamp())
		return err
	})
}

// Accounts lists all, the last one who signed in first.
func (db *DB) Accounts(ctx context.Context) ([]Account, error) {
	return db.accounts(ctx, db.sql, "ORDER BY last_at DESC, email LIMIT 1000")
}

func (db *DB) accounts(ctx context.Context, h handle, where string) ([]Account, error) {
	rows, err := h.QueryContext(ctx, accountColumns+where)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Account
	for rows.Next() {
		a, err := scanAccount(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, *a)
	}
	return list, rows.Err()
}

// EndSessions ends all sessions of an account that have begun until now: those that begin from now on are of another generation.
func (db *DB) EndSessions(ctx context.Context, id string) error {
	n, err := db.exec(ctx, db.sql, "UPDATE account SET ended_at = ?, generation = generation + 1 WHERE id = ?", db.stamp(), id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// Generation returns that of the sessions of a key's account: a session of an earlier one has ended. ErrNotFound if there is no such
// account. It is a number and no time, since the clocks of replicas differ.
func (db *DB) Generation(ctx context.Context, key string) (int64, error) {
	var generation int64
	err := db.row(ctx, db.sql, []any{&generation}, "SELECT generation FROM account WHERE id = (SELECT account FROM account_key WHERE id = ?)", key)
	return generation, err
}
