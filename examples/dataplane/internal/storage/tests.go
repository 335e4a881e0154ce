package storage

import (
	"context"
	"crypto/rand"
	"time"
)

// A TestRun is one test sign-in with one revision of the settings. An administrator began it in one
// browser.
type TestRun struct {
	ID           string
	Revision     string // Revision.ID
	AdminSession string // AdminSession.ID of the browser that began it
	BegunBy      string // name of the administrator
	BegunAt      time.Time
	FinishedAt   time.Time // zero as long as there is no result
	Passed       bool
	Result       string // JSON of the caller; "" as long as there is no result
}

// TestLifetime is how long a test can wait for its result: as long as a pending login lives.
const TestLifetime = time.Hour

// BeginTest records the beginning of a test and returns its ID.
func (db *DB) BeginTest(ctx context.Context, revision string, s *AdminSession) (id string, err error) {
	id = rand.Text()
	_, err = db.exec(ctx, db.writer, `INSERT INTO test_run
		(id, revision, admin_session, begun_by, begun_at, finished_at, passed, result)
		VALUES (?, ?, ?, ?, ?, 0, 0, '')`, id, revision, s.ID, s.Administrator, db.stamp())
	return id, err
}

// FinishTest records the first result of a test. Later results, such as those of a reloaded page,
// change nothing.
func (db *DB) FinishTest(ctx context.Context, id string, passed bool, result string) error {
	_, err := db.exec(ctx, db.writer, `UPDATE test_run SET finished_at = ?, passed = ?, result = ?
		WHERE id = ? AND finished_at = 0`, db.stamp(), number(passed), result, id)
	return err
}

const testColumns = "SELECT id, revision, admin_session, begun_by, begun_at, finished_at, passed, result FROM test_run "

// Test returns the test with an ID. It returns ErrNotFound if there is none.
func (db *DB) Test(ctx context.Context, id string) (*TestRun, error) {
	return db.test(ctx, "WHERE id = ?", id)
}

// LatestTest returns the last test of a revision. It returns ErrNotFound if the revision was not
// tested.
func (db *DB) LatestTest(ctx context.Context, revision string) (*TestRun, error) {
	return db.test(ctx, "WHERE revision = ? ORDER BY begun_at DESC, id LIMIT 1", revision)
}

// PassedTest returns the last passed test of a revision. It returns ErrNotFound if there is none.
func (db *DB) PassedTest(ctx context.Context, revision string) (*TestRun, error) {
	return db.test(ctx, "WHERE revision = ? AND passed = 1 ORDER BY begun_at DESC, id LIMIT 1", revision)
}

func (db *DB) test(ctx context.Context, where string, args ...any) (*TestRun, error) {
	var t TestRun
	var begun, finished int64
	var passed int
	err := db.row(ctx, db.sql, []any{
		&t.ID,
		&t.Revision,
		&t.AdminSession,
		&t.BegunBy,
		&begun,
		&finished,
		&passed,
		&t.Result,
	}, testColumns+where, args...)
	if err != nil {
		return nil, err
	}
	t.BegunAt = moment(begun)
	t.FinishedAt = moment(finished)
	t.Passed = passed == 1
	return &t, nil
}
