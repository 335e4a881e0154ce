package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"slices"
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

	hasObject bool // one of the keys is that of an object ID
}

const accountColumns = `SELECT id, email, name, home, first_at, last_at, ended_at,
	CASE WHEN EXISTS (SELECT 1 FROM account_key WHERE account_key.account = account.id) THEN 1 ELSE 0 END,
	CASE WHEN EXISTS (SELECT 1 FROM account_key WHERE account_key.account = account.id AND id LIKE 'v1/oid/%') THEN 1 ELSE 0 END FROM account `

func scanAccount(scan func(...any) error) (*Account, error) {
	var a Account
	var first, last, ended int64
	var bound, object int
	err := scan(&a.ID, &a.Email, &a.Name, &a.Home, &first, &last, &ended, &bound, &object)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	a.FirstAt, a.LastAt, a.EndedAt, a.IsBound, a.hasObject = moment(first), moment(last), moment(ended), bound == 1, object == 1
	return &a, err
}

// AccountKey is the key by which a session finds its account, "" where there is none: "" is nobody's.
func AccountKey(i *saml.Identity) string {
	key, err := i.AccountKey()
	if err != nil {
		return ""
	}
	return key
}

// FindAccount gives the account that an identity would sign in to, as the README of the library has it: the one with its object key, else the one with
// its NameID key unless that has another object key, else one with its e-mail address that nobody has signed in to. ErrNotFound means that
// there would be a new one. The console has one tenant, and none of these accounts has a privilege. That the identity provider may speak
// for an address is what the administrator says who adds an account with it.
func (db *DB) FindAccount(ctx context.Context, i *saml.Identity) (*Account, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return db.find(ctx, db.sql, i)
}

func (db *DB) find(ctx context.Context, h handle, i *saml.Identity) (*Account, error) {
	if _, err := i.AccountKey(); err != nil {
		return nil, err
	}
	object, nameID := i.ObjectKey, i.NameIDKey
	a, err := db.byKey(ctx, h, object)
	if errors.Is(err, ErrNotFound) {
		if a, err = db.byKey(ctx, h, nameID); err == nil && object != "" && a.hasObject {
			err = ErrNotFound // it is that of somebody who had this NameID before
		}
	}
	if !errors.Is(err, ErrNotFound) {
		return a, err
	}
	waiting, err := db.accounts(ctx, h, "WHERE last_at = 0")
	if err != nil {
		return nil, err
	}
	for _, a := range waiting {
		if saml.EqualEmail(a.Email, i.Email) && i.Email != "" { // not in SQL, which folds more than ASCII
			return &a, nil
		}
	}
	return nil, ErrNotFound
}

func (db *DB) byKey(ctx context.Context, h handle, key string) (*Account, error) {
	if key == "" {
		return nil, ErrNotFound
	}
	return scanAccount(h.QueryRowContext(ctx, db.bind(accountColumns+"WHERE id = (SELECT account FROM account_key WHERE id = ?)"), key).Scan)
}

// SignIn finds the account of an identity, or makes one, and binds it to the identity's keys: an e-mail address can be given to somebody
// else, the object key cannot.
func (db *DB) SignIn(ctx context.Context, i *saml.Identity, home string) error {
	err := db.signIn(ctx, i, home)
	if errors.Is(err, errTaken) { // by a replica of an earlier release, which takes no accountLock
		err = db.signIn(ctx, i, home)
	}
	return err
}

// accountLock makes those who look for an account, and then write to it or make one, take turns. Without it two people with one address would
// both find the account that waits for it, and both would be bound to it. It is any number that nobody else locks in the same database.
const accountLock = 7_130_265_242

var errTaken = errors.New("storage: the key belongs to another account")

func (db *DB) signIn(ctx context.Context, i *saml.Identity, home string) error {
	return db.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := db.lock(ctx, tx, accountLock); err != nil {
			return err
		}
		a, err := db.find(ctx, tx, i)
		switch {
		case errors.Is(err, ErrNotFound):
			a = &Account{ID: rand.Text()}
			_, err = db.exec(ctx, tx, "INSERT INTO account (id, email, name, home, first_at, last_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, 0)",
				a.ID, i.Email, i.Name, home, db.stamp(), db.stamp())
		case err == nil:
			_, err = db.exec(ctx, tx, "UPDATE account SET email = ?, name = ?, home = ?, last_at = ? WHERE id = ?", i.Email, i.Name, home, db.stamp(), a.ID)
		}
		if err != nil {
			return err
		}
		return db.bindKeys(ctx, tx, a.ID, i)
	})
}

// bindKeys adds the key that is missing. A NameID belongs to whom the identity provider gives it now.
func (db *DB) bindKeys(ctx context.Context, tx *sql.Tx, account string, i *saml.Identity) error {
	object, nameID := i.ObjectKey, i.NameIDKey
	if err := db.bindKey(ctx, tx, account, object); err != nil || nameID == "" {
		return err
	}
	_, err := db.exec(ctx, tx, "DELETE FROM account_key WHERE account = ? AND id LIKE 'v1/nid/%' AND id <> ?", account, nameID)
	if err == nil && object != "" { // without an object key find has found the account of the NameID, if there is one
		_, err = db.exec(ctx, tx, "DELETE FROM account_key WHERE id = ? AND account <> ?", nameID, account)
	}
	if err != nil {
		return err
	}
	return db.bindKey(ctx, tx, account, nameID)
}

func (db *DB) bindKey(ctx context.Context, tx *sql.Tx, account, key string) error {
	if key == "" {
		return nil
	}
	n, err := db.exec(ctx, tx, "INSERT INTO account_key (id, account) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", key, account)
	if err != nil || n == 1 {
		return err
	}
	var owner string
	if err := db.row(ctx, tx, []any{&owner}, "SELECT account FROM account_key WHERE id = ?", key); err != nil {
		return err
	}
	if owner != account {
		return errTaken
	}
	return nil
}

// ErrAccountExists is what AddAccount returns where there is an account with the address.
var ErrAccountExists = errors.New("storage: there is an account with this address")

// AddAccount makes an account for somebody who has not signed in yet. The first sign-in with the address binds it.
func (db *DB) AddAccount(ctx context.Context, email string) error {
	return db.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := db.lock(ctx, tx, accountLock); err != nil {
			return err
		}
		if taken, err := db.hasAddress(ctx, tx, email); err != nil {
			return err
		} else if taken {
			return ErrAccountExists
		}
		_, err := db.exec(ctx, tx, "INSERT INTO account (id, email, name, home, first_at, last_at, ended_at) VALUES (?, ?, '', '', ?, 0, 0)", rand.Text(), email, db.stamp())
		return err
	})
}

// Accounts lists at most limit of them: those that are expected first, the newest before the others, then those that signed in last.
func (db *DB) Accounts(ctx context.Context, limit int) ([]Account, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return db.accounts(ctx, db.sql, "ORDER BY CASE WHEN last_at = 0 THEN 0 ELSE 1 END, last_at DESC, first_at DESC, email LIMIT ?", limit)
}

// HasAddress reports whether there is an account with an e-mail address, whoever signs in to it.
func (db *DB) HasAddress(ctx context.Context, email string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return db.hasAddress(ctx, db.sql, email)
}

func (db *DB) hasAddress(ctx context.Context, h handle, email string) (bool, error) {
	all, err := db.accounts(ctx, h, "")
	return slices.ContainsFunc(all, func(a Account) bool { return saml.EqualEmail(a.Email, email) }), err // not in SQL, which folds more than ASCII
}

func (db *DB) accounts(ctx context.Context, h handle, where string, args ...any) ([]Account, error) {
	rows, err := h.QueryContext(ctx, db.bind(accountColumns+where), args...)
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
	n, err := db.exec(ctx, db.writer, "UPDATE account SET ended_at = ?, generation = generation + 1 WHERE id = ?", db.stamp(), id)
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
