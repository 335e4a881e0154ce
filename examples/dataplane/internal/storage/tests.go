package storage

import (
	"context"
	"crypto/rand"
	"time"
)

// A TestRun is one test sign-in, with one revision of the settings, begun in one administrator's browser.
type TestRun struct {
	ID           string
	Revision     string
	AdminSession string // AdminSession.ID of the browser that began it
	BegunBy      string
	BegunAt      time.Time
	FinishedAt   time.Time // zero while nothing has come back
	Passed       bool
	Result       string // JSON of the caller's, "" while nothing has come back
}

// TestLifetime is how long a test that was begun can come back: as long as a pending login lives.
const TestLifetime = time.Hour

// BeginTest notes a test.
func (db *DB) BeginTest(ctx context.Context, revision string, s *AdminSession) (id string, err error) {
	id = rand.Text()
	_, err = db.exec(ctx, db.writer, `INSERT INTO test_run (id, revision, admin_session, begun_by, begun_at, finished_at, passed, result)
		VALUES (?, ?, ?, ?, ?, 0, 0, '')`, id, revision, s.ID, s.Administrator, db.stamp())
	return id, err
}

// FinishTest keeps the first result of a test; those that follow (a page that is reloaded) change nothing.
func (db *DB) FinishTest(ctx context.Context, id string, passed bool, result string) error {
	_, err := db.exec(ctx, db.writer, "UPDATE test_run SET finished_at = ?, passed = ?, result = ? WHERE id = ? AND finished_at = 0", db.stamp(), number(passed), result, id)
	return err
}

const testColumns = "SELECT id, revision, admin_session, begun_by, begun_at, finished_at, passed, result FROM test_run "

// Test reads one.
func (db *DB) Test(ctx context.Context, id string) (*TestRun, error) {
	return db.test(ctx, "WHERE id = ?", id)
}

// LatestTest reads the last test of a revision, ErrNotFound where it was not tested.
func (db *DB) LatestTest(ctx context.Context, revision string) (*TestRun, error) {
	return db.test(ctx, "WHERE revision = ? ORDER BY begun_at DESC, id LIMIT 1", revision)
}

// PassedTest reads the last test of a revision that was passed, ErrNotFound where there is none.
func (db *DB) PassedTest(ctx context.Context, revision string) (*TestRun, error) {
	return db.test(ctx, "WHERE revision = ? AND passed = 1 ORDER BY begun_at DESC, id LIMIT 1", revision)
}

func (db *DB) test(ctx context.Context, where string, args ...any) (*TestRun, error) {
	var t TestRun
	var begun, finished int64
	var passed int
	err := db.row(ctx, db.sql, []any{&t.ID, &t.Revision, &t.AdminSession, &t.BegunBy, &begun, &finished, &passed, &t.Result}, testColumns+where, args...)
	if err != nil {
		return nil, err
	}
	t.BegunAt, t.FinishedAt, t.Passed = moment(begun), moment(finished), passed == 1
	return &t, nil
}
