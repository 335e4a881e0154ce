package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"time"
)

// An Administrator signs in with a local password, so the console can be repaired if single sign-on
// fails.
type Administrator struct {
	Name      string
	Password  string // hash of package password
	ChangedAt time.Time
}

// Administrator returns the administrator of that name. It returns ErrNotFound if there is none.
func (db *DB) Administrator(ctx context.Context, name string) (*Administrator, error) {
	a := Administrator{Name: name}
	var at int64
	err := db.row(ctx, db.sql, []any{&a.Password, &at},
		"SELECT password, changed_at FROM administrator WHERE name = ?", name)
	if err != nil {
		return nil, err
	}
	a.ChangedAt = moment(at)
	return &a, nil
}

// AddAdministrator adds an administrator unless there is one of that name. It reports whether it
// added one. hash is a hash of package password.
func (db *DB) AddAdministrator(ctx context.Context, name, hash string) (bool, error) {
	n, err := db.exec(ctx, db.writer, `INSERT INTO administrator (name, password, changed_at)
		VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING`, name, hash, db.stamp())
	return n == 1, err
}

// SetPassword changes a password and ends all sessions of the administrator except keep, an
// AdminSession.ID. If keep is "", all end. It returns ErrNotFound if there is no such
// administrator.
func (db *DB) SetPassword(ctx context.Context, name, hash, keep string) error {
	return db.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := db.exec(ctx, tx,
			"UPDATE administrator SET password = ?, changed_at = ? WHERE name = ?", hash, db.stamp(), name)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		_, err = db.exec(ctx, tx, "DELETE FROM admin_session WHERE administrator = ? AND id <> ?", name, keep)
		return err
	})
}

// An AdminSession is one administrator in one browser.
type AdminSession struct {
	ID            string // hash of the token in the cookie
	Administrator string
	BegunAt       time.Time
	SeenAt        time.Time
}

const (
	adminLifetime = 12 * time.Hour
	adminIdle     = 2 * time.Hour
	seenPrecision = time.Minute            // of SeenAt, because not every request writes it
	seenLimit     = 250 * time.Millisecond // for writing SeenAt, because a page waits for it
)

// tokenID returns what the database stores of a token. It is a hash, so nobody can use a token read
// from the database.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// BeginAdminSession begins a session and returns the token for the cookie.
func (db *DB) BeginAdminSession(ctx context.Context, name string) (token string, err error) {
	token = rand.Text() + rand.Text()
	_, err = db.exec(ctx, db.writer, `INSERT INTO admin_session (id, administrator, begun_at, seen_at)
		VALUES (?, ?, ?, ?)`, tokenID(token), name, db.stamp(), db.stamp())
	return token, err
}

// AdminSession returns the session of a token. It returns ErrNotFound if there is none, or if it
// has expired: after 2 hours without a request, or after 12 hours.
func (db *DB) AdminSession(ctx context.Context, token string) (*AdminSession, error) {
	s := AdminSession{ID: tokenID(token)}
	var begun, seen int64
	err := db.row(ctx, db.sql, []any{&s.Administrator, &begun, &seen},
		"SELECT administrator, begun_at, seen_at FROM admin_session WHERE id = ?", s.ID)
	if err != nil {
		return nil, err
	}
	s.BegunAt, s.SeenAt = moment(begun), moment(seen)
	now := db.now()
	if now.Sub(s.BegunAt) >= adminLifetime || now.Sub(s.SeenAt) >= adminIdle {
		return nil, ErrNotFound
	}
	if now.Sub(s.SeenAt) >= seenPrecision {
		// A page must not wait long for this, or fail because of it. The next request tries again.
		short, cancel := context.WithTimeout(ctx, seenLimit)
		defer cancel()
		_, _ = db.exec(short, db.writer, "UPDATE admin_session SET seen_at = ? WHERE id = ?", db.stamp(), s.ID)
	}
	return &s, nil
}

// EndAdminSession ends the session of a token.
func (db *DB) EndAdminSession(ctx context.Context, token string) error {
	_, err := db.exec(ctx, db.writer, "DELETE FROM admin_session WHERE id = ?", tokenID(token))
	return err
}

// EndOtherAdministrators ends the sessions of all administrators except the one of that name. It is
// for an administrator who was renamed.
func (db *DB) EndOtherAdministrators(ctx context.Context, name string) error {
	_, err := db.exec(ctx, db.writer, "DELETE FROM admin_session WHERE administrator <> ?", name)
	return err
}
