// Package storage keeps what the console must remember: the settings of single sign-on, the local administrator, the users seen so far
// and the sign-ins of the last days. It speaks SQL that SQLite and PostgreSQL both understand.
//
// Times are Unix milliseconds, identifiers are random texts, certificates are PEM: nothing depends on the types of one database.
package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"

	"github.com/iomete/saml/sqlstore"
)

// ErrNotFound is what a look-up returns that finds nothing.
var ErrNotFound = errors.New("storage: not found")

// ErrConflict is what a change returns that was based on an older version of the settings.
var ErrConflict = errors.New("storage: somebody else changed the settings in the meantime")

// A DB is the database of the console. It is safe for concurrent use, by several processes too.
type DB struct {
	sql      *sql.DB
	postgres bool
	now      func() time.Time
}

// OpenSQLite opens a file, and makes it, readable for its owner alone, where it is not there.
func OpenSQLite(ctx context.Context, file string, now func() time.Time) (*DB, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) // the driver would let others read it
	if err != nil {
		return nil, err
	}
	f.Close()
	// A transaction takes the write lock when it begins, so that none fails half-way because another one was first.
	options := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}}
	address := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(file), RawQuery: options.Encode()}
	db, err := sql.Open("sqlite", address.String())
	if err != nil {
		return nil, err
	}
	return prepare(ctx, &DB{sql: db, now: now})
}

// OpenPostgreSQL opens a database by its URL, postgres://user:password@host/database.
func OpenPostgreSQL(ctx context.Context, address string, now func() time.Time) (*DB, error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(10)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return prepare(ctx, &DB{sql: db, postgres: true, now: now})
}

func prepare(ctx context.Context, db *DB) (*DB, error) {
	if err := db.migrate(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("the database cannot be prepared: %w", err)
	}
	return db, nil
}

// Close closes the database.
func (db *DB) Close() error { return db.sql.Close() }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.sql.PingContext(ctx) }

// Spent gives the store of what was used up, in the same database.
func (db *DB) Spent() *sqlstore.Store {
	if db.postgres {
		return sqlstore.New(db.sql, sqlstore.PostgreSQL)
	}
	return sqlstore.New(db.sql, sqlstore.SQLite)
}

func (db *DB) stamp() int64 { return db.now().UnixMilli() }

// ago is a time before now, as it is stored.
func (db *DB) ago(d time.Duration) int64 { return db.now().Add(-d).UnixMilli() }

// moment reads a time as it is stored; 0 is the zero time.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// bind writes the placeholders as the database wants them: "?", or "$1", "$2" and so on.
func (db *DB) bind(query string) string {
	if !db.postgres {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// handle is what a query runs on: the database, or one transaction.
type handle interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// change runs do in one transaction: all of it is kept, or nothing.
func (db *DB) change(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// exec runs a statement and gives the number of rows that it changed.
func (db *DB) exec(ctx context.Context, h handle, query string, args ...any) (int64, error) {
	result, err := h.ExecContext(ctx, db.bind(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads one row into dest; ErrNotFound where there is none.
func (db *DB) row(ctx context.Context, h handle, dest []any, query string, args ...any) error {
	err := h.QueryRowContext(ctx, db.bind(query), args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// rows calls scan for each row.
func (db *DB) rows(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := db.sql.QueryContext(ctx, db.bind(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
