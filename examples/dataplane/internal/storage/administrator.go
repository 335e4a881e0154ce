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

// Limits of wrong passwords within AttemptWindow. That of an account is high, so that a stranger cannot lock the administrator out by a
// few tries; that of an address is low.
const (
	AttemptWindow  = 15 * time.Minute
	maxFromAddress = 10
	maxAtAccount   = 100
)

// ErrTooManyAttempts refuses a password before it is looked at.
var ErrTooManyAttempts = errors.New("storage: too many wrong passwords")

// BeginAttempt counts a try before the password is looked at, so that tries at the same time cannot pass the limit together.
func (db *DB) BeginAttempt(ctx context.Context, account, address string) (id string, err error) {
	id = rand.Text()
	err = db.change(ctx, func(tx *sql.Tx) error {
		if db.postgres { // SQLite has locked already
			if _, err := tx.ExecContext(ctx, "LOCK TABLE password_attempt IN SHARE ROW EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		since := db.now().Add(-AttemptWindow).UnixMilli()
		var fromAddress, atAccount int
		err := db.row(ctx, tx, []any{&fromAddress, &atAccount}, `SELECT COALESCE(SUM(CASE WHEN address = ? THEN 1 ELSE 0 END), 0),
			COALESCE(SUM(CASE WHEN account = ? THEN 1 ELSE 0 END), 0) FROM password_attempt WHERE at > ?`, address, account, since)
		if err != nil {
			return err
		}
		if fromAddress >= maxFromAddress || atAccount >= maxAtAccount {
			return ErrTooManyAttempts
		}
		_, err = db.exec(ctx, tx, "INSERT INTO password_attempt (id, account, address, at) VALUES (?, ?, ?, ?)", id, account, address, db.stamp())
		return err
	})
	return id, err
}

// ForgetAttempt takes back a try whose password was right.
func (db *DB) ForgetAttempt(ctx context.Context, id string) error {
	_, err := db.exec(ctx, db.sql, "DELETE FROM password_attempt WHERE id = ?", id)
	return err
}
