package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"
)

// An Administrator signs in here with a password, whatever the identity provider does.
type Administrator struct {
	Name      string
	Password  string // hash
	ChangedAt time.Time
}

// Administrator reads one by name.
func (db *DB) Administrator(ctx context.Context, name string) (*Administrator, error) {
	a := Administrator{Name: name}
	var at int64
	if err := db.row(ctx, db.sql, []any{&a.Password, &at}, "SELECT password, changed_at FROM administrator WHERE name = ?", name); err != nil {
		return nil, err
	}
	a.ChangedAt = moment(at)
	return &a, nil
}

// AddAdministrator makes an administrator unless there is one of that name, and reports whether it did.
func (db *DB) AddAdministrator(ctx context.Context, name, hash string) (bool, error) {
	n, err := db.exec(ctx, db.sql, "INSERT INTO administrator (name, password, changed_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING", name, hash, db.stamp())
	return n == 1, err
}

// SetPassword changes a password and ends all sessions of the administrator but keep, an AdminSession.ID; "" ends all.
func (db *DB) SetPassword(ctx context.Context, name, hash, keep string) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		n, err := db.exec(ctx, tx, "UPDATE administrator SET password = ?, changed_at = ? WHERE name = ?", hash, db.stamp(), name)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		if _, err := db.exec(ctx, tx, "DELETE FROM password_attempt WHERE account = ?", name); err != nil {
			return err
		}
		_, err = db.exec(ctx, tx, "DELETE FROM admin_session WHERE administrator = ? AND id <> ?", name, keep)
		return err
	})
}

// An AdminSession is one browser of an administrator.
type AdminSession struct {
	ID            string // hash of the token in the cookie
	Administrator string
	BegunAt       time.Time
	SeenAt        time.Time
}

const (
	adminLifetime = 12 * time.Hour
	adminIdle     = 2 * time.Hour
	seenPrecision = time.Minute // SeenAt is not written with each request
)

// tokenID is what is stored of a token: whoever reads the database cannot use it.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// BeginAdminSession begins a session and gives the token for the cookie.
func (db *DB) BeginAdminSession(ctx context.Context, name string) (token string, err error) {
	token = rand.Text() + rand.Text()
	_, err = db.exec(ctx, db.sql, "INSERT INTO admin_session (id, administrator, begun_at, seen_at) VALUES (?, ?, ?, ?)", tokenID(token), name, db.stamp(), db.stamp())
	return token, err
}

// AdminSession reads the session of a token, ErrNotFound where there is none that lives.
func (db *DB) AdminSession(ctx context.Context, token string) (*AdminSession, error) {
	s := AdminSession{ID: tokenID(token)}
	var begun, seen int64
	err := db.row(ctx, db.sql, []any{&s.Administrator, &begun, &seen}, "SELECT administrator, begun_at, seen_at FROM admin_session WHERE id = ?", s.ID)
	if err != nil {
		return nil, err
	}
	s.BegunAt, s.SeenAt = moment(begun), moment(seen)
	now := db.now()
	if now.Sub(s.BegunAt) >= adminLifetime || now.Sub(s.SeenAt) >= adminIdle {
		return nil, ErrNotFound
	}
	if now.Sub(s.SeenAt) >= seenPrecision {
		if _, err := db.exec(ctx, db.sql, "UPDATE admin_session SET seen_at = ? WHERE id = ?", db.stamp(), s.ID); err != nil {
			return nil, err
		}
	}
	return &s, nil
}

// EndAdminSession ends the session of a token.
func (db *DB) EndAdminSession(ctx context.Context, token string) error {
	_, err := db.exec(ctx, db.sql, "DELETE FROM admin_session WHERE id = ?", tokenID(token))
	return err
}

// Limits of wrong passwords within AttemptWindow. That of an account does not count where the administrator has signed in from the address
// before, so that strangers cannot lock the administrator out by guessing.
const (
	AttemptWindow  = 15 * time.Minute
	maxFromAddress = 10
	maxAtAccount   = 100
	knownFor       = 90 * 24 * time.Hour
)

// ErrTooManyAttempts refuses a password before it is looked at.
var ErrTooManyAttempts = errors.New("storage: too many wrong passwords")

// An Attempt is one try to sign in with a password.
type Attempt struct{ ID, Account, Address string }

// BeginAttempt counts a try before the password is looked at, so that tries at the same time cannot pass the limit together.
func (db *DB) BeginAttempt(ctx context.Context, account, address string) (*Attempt, error) {
	a := &Attempt{rand.Text(), account, address}
	err := db.change(ctx, func(tx *sql.Tx) error {
		if db.postgres { // SQLite has locked already
			if _, err := tx.ExecContext(ctx, "LOCK TABLE password_attempt IN SHARE ROW EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		var fromAddress, atAccount, known int
		err := db.row(ctx, tx, []any{&fromAddress, &atAccount, &known}, `SELECT
			(SELECT COUNT(*) FROM password_attempt WHERE address = ? AND at > ?),
			(SELECT COUNT(*) FROM password_attempt WHERE account = ? AND at > ?),
			(SELECT COUNT(*) FROM known_address WHERE account = ? AND address = ? AND at > ?)`,
			address, db.ago(AttemptWindow), account, db.ago(AttemptWindow), account, address, db.ago(knownFor))
		if err != nil {
			return err
		}
		if fromAddress >= maxFromAddress || known == 0 && atAccount >= maxAtAccount {
			return ErrTooManyAttempts
		}
		_, err = db.exec(ctx, tx, "INSERT INTO password_attempt (id, account, address, at) VALUES (?, ?, ?, ?)", a.ID, account, address, db.stamp())
		return err
	})
	return a, err
}

// PassAttempt takes back a try whose password was right, and remembers where it came from.
func (db *DB) PassAttempt(ctx context.Context, a *Attempt) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if _, err := db.exec(ctx, tx, "DELETE FROM password_attempt WHERE id = ?", a.ID); err != nil {
			return err
		}
		_, err := db.exec(ctx, tx, `INSERT INTO known_address (account, address, at) VALUES (?, ?, ?)
			ON CONFLICT (account, address) DO UPDATE SET at = excluded.at`, a.Account, a.Address, db.stamp())
		return err
	})
}
