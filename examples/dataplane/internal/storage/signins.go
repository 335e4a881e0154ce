package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"time"
)

// KeepSignIns is how long the log keeps its lines.
const KeepSignIns = 7 * 24 * time.Hour

// Maximum number of lines of each kind. Anyone can cause refusals. A client that posts nonsense
// only displaces other stray lines. A client that begins sign-ins and posts invalid responses only
// displaces other refusals. Neither displaces the lines of users who signed in.
const (
	maxSignedIn = 10_000
	maxRefused  = 10_000
	maxStray    = 2_000
)

// A SignIn is one line of the log: a user signed in, or was refused. The fields from Code to Hint
// are those of saml.Error.
type SignIn struct {
	At        time.Time
	Email     string // of the user who signed in; "" for a refusal
	Code      string // of the refusal; "" if the user signed in
	Check     string
	Message   string
	Got, Want string
	Hint      string
	Cause     string
	Reference string // also shown on the user's page
	Stray     bool   // a refusal of a message that belongs to no sign-in that this browser began
}

// AddSignIn adds a line with the current time.
func (db *DB) AddSignIn(ctx context.Context, s SignIn) error {
	_, err := db.exec(ctx, db.writer, `INSERT INTO sign_in
		(id, at, email, code, check_name, message, got, want, hint, cause, reference, stray)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		rand.Text(), db.stamp(), s.Email, s.Code, s.Check, s.Message, s.Got, s.Want,
		s.Hint, s.Cause, s.Reference, number(s.Stray))
	return err
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// SignIns returns the lines of the last days, the newest first, at most limit of them. stray
// selects the stray refusals; otherwise it returns all other lines.
func (db *DB) SignIns(ctx context.Context, stray bool, limit int) ([]SignIn, error) {
	return db.signIns(ctx, "stray = ? ORDER BY at DESC LIMIT ?", number(stray), limit)
}

// Refusal returns the refusals with a reference: one or none.
func (db *DB) Refusal(ctx context.Context, reference string) ([]SignIn, error) {
	return db.signIns(ctx, "reference = ? LIMIT 1", reference)
}

func (db *DB) signIns(ctx context.Context, where string, args ...any) ([]SignIn, error) {
	var list []SignIn
	scan := func(rows *sql.Rows) error {
		var s SignIn
		var at int64
		var stray int
		err := rows.Scan(
			&at,
			&s.Email,
			&s.Code,
			&s.Check,
			&s.Message,
			&s.Got,
			&s.Want,
			&s.Hint,
			&s.Cause,
			&s.Reference,
			&stray,
		)
		s.At = moment(at)
		s.Stray = stray == 1
		list = append(list, s)
		return err
	}
	err := db.rows(ctx, scan, `SELECT at, email, code, check_name, message, got, want, hint, cause, reference, stray
		FROM sign_in WHERE at > ? AND `+where, append([]any{db.ago(KeepSignIns)}, args...)...)
	return list, err
}

// oldSignIns returns the SQL that deletes all but the newest lines of a kind. The kind is an SQL
// condition; the parameter is how many lines stay.
func oldSignIns(kind string) string {
	newest := "SELECT at FROM sign_in WHERE " + kind + " ORDER BY at DESC LIMIT ?"
	return "DELETE FROM sign_in WHERE " + kind + " AND at < (SELECT MIN(at) FROM (" + newest + ") AS newest)"
}

// Prune deletes expired data: old lines of the log, ended sessions, old tests, unused revisions with
// their metadata, old changes of metadata, ended claims and ended records of sessions.
func (db *DB) Prune(ctx context.Context) error {
	for _, s := range []struct {
		query string
		args  []any
	}{
		{"DELETE FROM sign_in WHERE at <= ?", []any{db.ago(KeepSignIns)}},
		{oldSignIns("stray = 0 AND code = ''"), []any{maxSignedIn}},
		{oldSignIns("stray = 0 AND code <> ''"), []any{maxRefused}},
		{oldSignIns("stray = 1"), []any{maxStray}},
		{
			"DELETE FROM admin_session WHERE begun_at <= ? OR seen_at <= ?",
			[]any{db.ago(adminLifetime), db.ago(adminIdle)},
		},
		{"DELETE FROM test_run WHERE begun_at <= ?", []any{db.ago(KeepSignIns)}},
		{
			// A test still needs its revision when its result arrives.
			`DELETE FROM revision WHERE saved_at <= ? AND id NOT IN
				(SELECT saved FROM state UNION SELECT live FROM state UNION SELECT revision FROM test_run)`,
			[]any{db.ago(TestLifetime)},
		},
		{"DELETE FROM metadata WHERE revision NOT IN (SELECT id FROM revision)", nil},
		{"DELETE FROM metadata_change WHERE at <= ?", []any{db.ago(KeepChanges)}},
	} {
		if _, err := db.exec(ctx, db.writer, s.query, s.args...); err != nil {
			return err
		}
	}
	if err := db.Spent().Prune(ctx); err != nil {
		return err
	}
	return db.LargeSessions().Prune(ctx)
}
