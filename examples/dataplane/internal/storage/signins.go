package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"
)

// KeepSignIns is how long the log goes back.
const KeepSignIns = 7 * 24 * time.Hour

// maxSignIns bounds the log: whoever posts nonsense to the Redirect URL adds to it.
const maxSignIns = 10_000

// A SignIn is one line of the log: somebody signed in, or was refused.
type SignIn struct {
	At        time.Time
	Email     string // of who signed in, "" for a refusal
	Code      string // of a refusal, "" where somebody signed in
	Check     string
	Message   string
	Got, Want string
	Hint      string
	Cause     string
	Reference string
}

// AddSignIn adds a line.
func (db *DB) AddSignIn(ctx context.Context, s SignIn) error {
	_, err := db.exec(ctx, db.sql, `INSERT INTO sign_in (id, at, email, code, check_name, message, got, want, hint, cause, reference)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, rand.Text(), db.stamp(), s.Email, s.Code, s.Check, s.Message, s.Got, s.Want, s.Hint, s.Cause, s.Reference)
	return err
}

// SignIns lists the last days, the newest first, at most limit of them. With a reference it gives that refusal alone.
func (db *DB) SignIns(ctx context.Context, reference string, limit int) ([]SignIn, error) {
	var list []SignIn
	scan := func(rows *sql.Rows) error {
		var s SignIn
		var at int64
		err := rows.Scan(&at, &s.Email, &s.Code, &s.Check, &s.Message, &s.Got, &s.Want, &s.Hint, &s.Cause, &s.Reference)
		s.At = moment(at)
		list = append(list, s)
		return err
	}
	query := "SELECT at, email, code, check_name, message, got, want, hint, cause, reference FROM sign_in WHERE at > ?"
	args := []any{db.ago(KeepSignIns)}
	if reference != "" {
		query += " AND reference = ?"
		args = append(args, reference)
	}
	err := db.rows(ctx, scan, query+" ORDER BY at DESC LIMIT ?", append(args, limit)...)
	return list, err
}

// Prune deletes what is too old to be of use.
func (db *DB) Prune(ctx context.Context) error {
	for _, s := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM sign_in WHERE at <= ?", []any{db.ago(KeepSignIns)}},
		{"DELETE FROM sign_in WHERE at < (SELECT MIN(at) FROM (SELECT at FROM sign_in ORDER BY at DESC LIMIT ?) AS newest)", []any{maxSignIns}},
		{"DELETE FROM admin_session WHERE begun_at <= ? OR seen_at <= ?", []any{db.ago(adminLifetime), db.ago(adminIdle)}},
		{"DELETE FROM password_attempt WHERE at <= ?", []any{db.ago(AttemptWindow)}},
		{"DELETE FROM known_address WHERE at <= ?", []any{db.ago(knownFor)}},
		{"DELETE FROM test_run WHERE begun_at <= ?", []any{db.ago(KeepSignIns)}},
		// A test that comes back names its revision.
		{"DELETE FROM revision WHERE saved_at <= ? AND id NOT IN (SELECT saved FROM state UNION SELECT live FROM state UNION SELECT revision FROM test_run)", []any{db.ago(TestLifetime)}},
	} {
		if _, err := db.exec(ctx, db.sql, s.query, s.args...); err != nil {
			return err
		}
	}
	return db.Spent().Prune(ctx)
}

// Note reads a value that belongs to no table, "" where there is none.
func (db *DB) Note(ctx context.Context, name string) (value string, err error) {
	err = db.row(ctx, db.sql, []any{&value}, "SELECT value FROM note WHERE name = ?", name)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return value, err
}

// SetNote keeps such a value.
func (db *DB) SetNote(ctx context.Context, name, value string) error {
	_, err := db.exec(ctx, db.sql, "INSERT INTO note (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}
