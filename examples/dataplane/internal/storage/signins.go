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

// The lines of each kind have their own bound. Anybody can cause refusals: somebody who posts nonsense pushes out other nonsense only, and
// somebody who begins sign-ins and posts spoiled answers pushes out other refusals, but never the lines of people who signed in.
const (
	maxSignedIn = 10_000
	maxRefused  = 10_000
	maxStray    = 2_000
)

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
	Stray     bool // a refusal that answers no sign-in that the browser began
}

// AddSignIn adds a line.
func (db *DB) AddSignIn(ctx context.Context, s SignIn) error {
	_, err := db.exec(ctx, db.writer, `INSERT INTO sign_in (id, at, email, code, check_name, message, got, want, hint, cause, reference, stray)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, rand.Text(), db.stamp(), s.Email, s.Code, s.Check, s.Message, s.Got, s.Want, s.Hint, s.Cause, s.Reference, number(s.Stray))
	return err
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// SignIns lists the last days, the newest first, at most limit of them: those that are stray, or the others.
func (db *DB) SignIns(ctx context.Context, stray bool, limit int) ([]SignIn, error) {
	return db.signIns(ctx, "stray = ? ORDER BY at DESC LIMIT ?", number(stray), limit)
}

// Refusal lists the refusals with a reference, which are one at most.
func (db *DB) Refusal(ctx context.Context, reference string) ([]SignIn, error) {
	return db.signIns(ctx, "reference = ? LIMIT 1", reference)
}

func (db *DB) signIns(ctx context.Context, where string, args ...any) ([]SignIn, error) {
	var list []SignIn
	scan := func(rows *sql.Rows) error {
		var s SignIn
		var at int64
		var stray int
		err := rows.Scan(&at, &s.Email, &s.Code, &s.Check, &s.Message, &s.Got, &s.Want, &s.Hint, &s.Cause, &s.Reference, &stray)
		s.At, s.Stray = moment(at), stray == 1
		list = append(list, s)
		return err
	}
	err := db.rows(ctx, scan, "SELECT at, email, code, check_name, message, got, want, hint, cause, reference, stray FROM sign_in WHERE at > ? AND "+where,
		append([]any{db.ago(KeepSignIns)}, args...)...)
	return list, err
}

// oldSignIns deletes all lines of a kind but the newest. The kind is a condition.
func oldSignIns(kind string) string {
	return "DELETE FROM sign_in WHERE " + kind + " AND at < (SELECT MIN(at) FROM (SELECT at FROM sign_in WHERE " + kind + " ORDER BY at DESC LIMIT ?) AS newest)"
}

// Prune deletes what is too old to be of use.
func (db *DB) Prune(ctx context.Context) error {
	for _, s := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM sign_in WHERE at <= ?", []any{db.ago(KeepSignIns)}},
		{oldSignIns("stray = 0 AND code = ''"), []any{maxSignedIn}},
		{oldSignIns("stray = 0 AND code <> ''"), []any{maxRefused}},
		{oldSignIns("stray = 1"), []any{maxStray}},
		{"DELETE FROM admin_session WHERE begun_at <= ? OR seen_at <= ?", []any{db.ago(adminLifetime), db.ago(adminIdle)}},
		{"DELETE FROM test_run WHERE begun_at <= ?", []any{db.ago(KeepSignIns)}},
		// A test that comes back names its revision.
		{"DELETE FROM revision WHERE saved_at <= ? AND id NOT IN (SELECT saved FROM state UNION SELECT live FROM state UNION SELECT revision FROM test_run)", []any{db.ago(TestLifetime)}},
	} {
		if _, err := db.exec(ctx, db.writer, s.query, s.args...); err != nil {
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
	_, err := db.exec(ctx, db.writer, "INSERT INTO note (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}
