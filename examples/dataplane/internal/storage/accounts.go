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

// An Account is a user who has signed in, or who is expected to.
type Account struct {
	ID      string
	Email   string
	Name    string
	Home    string // home identity provider of a guest; "" for the directory itself
	FirstAt time.Time
	LastAt  time.Time // zero if the user has not signed in yet
	EndedAt time.Time // when all sessions were last ended; for display only, see Generation
	IsBound bool      // to a key of the identity provider

	hasObject bool // one of the keys is saml.Identity.ObjectKey
}

const accountColumns = `SELECT id, email, name, home, first_at, last_at, ended_at,
	CASE WHEN EXISTS (SELECT 1 FROM account_key WHERE account_key.account = account.id) THEN 1 ELSE 0 END,
	CASE WHEN EXISTS (SELECT 1 FROM account_key WHERE account_key.account = account.id AND id LIKE 'v1/oid/%')
		THEN 1 ELSE 0 END FROM account `

func scanAccount(scan func(...any) error) (*Account, error) {
	var a Account
	var first, last, ended int64
	var bound, object int
	err := scan(&a.ID, &a.Email, &a.Name, &a.Home, &first, &last, &ended, &bound, &object)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	a.FirstAt = moment(first)
	a.LastAt = moment(last)
	a.EndedAt = moment(ended)
	a.IsBound = bound == 1
	a.hasObject = object == 1
	return &a, err
}

// AccountKey returns the key that leads from a session to its account. It returns "" if the
// identity has no key; no account has the key "".
func AccountKey(i *saml.Identity) string {
	key, err := i.AccountKey()
	if err != nil {
		return ""
	}
	return key
}

// FindAccount returns the account that an identity would sign in to. The rules are those in the
// README of the library, in this order: the account with the object key of the identity; the
// account with its NameID key, unless that account has another object key; an account with its
// e-mail address that nobody has signed in to. It returns ErrNotFound if the identity would get a
// new account.
//
// The e-mail address is safe here because the console has one tenant and its accounts have no
// privileges. An administrator who adds an account with an address trusts the identity provider
// with that address.
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
			err = ErrNotFound // the account of another user, who had this NameID before
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
		if saml.EqualEmail(a.Email, i.Email) && i.Email != "" { // not in SQL, whose case rules go beyond ASCII
			return &a, nil
		}
	}
	return nil, ErrNotFound
}

func (db *DB) byKey(ctx context.Context, h handle, key string) (*Account, error) {
	if key == "" {
		return nil, ErrNotFound
	}
	query := db.bind(accountColumns + "WHERE id = (SELECT account FROM account_key WHERE id = ?)")
	return scanAccount(h.QueryRowContext(ctx, query, key).Scan)
}

// SignIn finds the account of an identity or makes one, and binds it to the keys of the identity.
// The keys are needed because an e-mail address can be given to another user later, and the object
// key cannot. home is Account.Home.
func (db *DB) SignIn(ctx context.Context, i *saml.Identity, home string) error {
	err := db.signIn(ctx, i, home)
	if errors.Is(err, errTaken) { // by a replica of an earlier release, which does not take accountLock
		err = db.signIn(ctx, i, home)
	}
	return err
}

// accountLock makes sign-ins take turns while they look for an account and write to it. Without it,
// two users with the same address could both find the account that waits for that address, and both
// would be bound to it. It is an arbitrary number that nothing else locks in the same database.
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
			_, err = db.exec(ctx, tx, `INSERT INTO account (id, email, name, home, first_at, last_at, ended_at)
				VALUES (?, ?, ?, ?, ?, ?, 0)`,
				a.ID, i.Email, i.Name, home, db.stamp(), db.stamp())
		case err == nil:
			_, err = db.exec(ctx, tx, "UPDATE account SET email = ?, name = ?, home = ?, last_at = ? WHERE id = ?",
				i.Email, i.Name, home, db.stamp(), a.ID)
		}
		if err != nil {
			return err
		}
		return db.bindKeys(ctx, tx, a.ID, i)
	})
}

// bindKeys binds the account to the keys of the identity. A NameID belongs to the user to whom the
// identity provider gives it now, so its key is taken from another account.
func (db *DB) bindKeys(ctx context.Context, tx *sql.Tx, account string, i *saml.Identity) error {
	object, nameID := i.ObjectKey, i.NameIDKey
	if err := db.bindKey(ctx, tx, account, object); err != nil || nameID == "" {
		return err
	}
	_, err := db.exec(ctx, tx,
		"DELETE FROM account_key WHERE account = ? AND id LIKE 'v1/nid/%' AND id <> ?", account, nameID)
	// Without an object key, find has looked the account up by the NameID, so no other account has
	// it.
	if err == nil && object != "" {
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
	n, err := db.exec(ctx, tx,
		"INSERT INTO account_key (id, account) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", key, account)
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

// ErrAccountExists is the error of AddAccount if there is already an account with the address.
var ErrAccountExists = errors.New("storage: there is an account with this address")

// AddAccount makes an account for a user who has not signed in yet. The first sign-in with the
// address binds the account to that user. It returns ErrAccountExists if there is an account with
// the address.
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
		_, err := db.exec(ctx, tx, `INSERT INTO account (id, email, name, home, first_at, last_at, ended_at)
			VALUES (?, ?, '', '', ?, 0, 0)`, rand.Text(), email, db.stamp())
		return err
	})
}

// Accounts returns at most limit accounts. Accounts that nobody has signed in to come first, the
// newest of them at the front. The others follow, sorted by their last sign-in, the latest first.
func (db *DB) Accounts(ctx context.Context, limit int) ([]Account, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return db.accounts(ctx, db.sql, `ORDER BY CASE WHEN last_at = 0 THEN 0 ELSE 1 END,
		last_at DESC, first_at DESC, email LIMIT ?`, limit)
}

// HasAddress reports whether there is an account with an e-mail address, bound or not.
func (db *DB) HasAddress(ctx context.Context, email string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return db.hasAddress(ctx, db.sql, email)
}

func (db *DB) hasAddress(ctx context.Context, h handle, email string) (bool, error) {
	all, err := db.accounts(ctx, h, "")
	// Not compared in SQL, whose case rules go beyond ASCII.
	return slices.ContainsFunc(all, func(a Account) bool { return saml.EqualEmail(a.Email, email) }), err
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

// EndSessions ends all sessions of an account that have begun so far. New sessions have the next
// generation. It returns ErrNotFound if there is no such account.
func (db *DB) EndSessions(ctx context.Context, id string) error {
	n, err := db.exec(ctx, db.writer,
		"UPDATE account SET ended_at = ?, generation = generation + 1 WHERE id = ?", db.stamp(), id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// Generation returns the session generation of the account with a key: sessions with a smaller
// number have ended. It returns ErrNotFound if there is no such account. The generation is a
// counter and not a time, because the clocks of replicas differ.
func (db *DB) Generation(ctx context.Context, key string) (int64, error) {
	var generation int64
	err := db.row(ctx, db.sql, []any{&generation},
		"SELECT generation FROM account WHERE id = (SELECT account FROM account_key WHERE id = ?)", key)
	return generation, err
}
