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
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"modernc.org/sqlite"               // driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/iomete/saml/sqlstore"
)

// ErrNotFound is what a look-up returns that finds nothing.
var ErrNotFound = errors.New("storage: not found")

// ErrConflict is what a change returns that was based on an older version of the settings.
var ErrConflict = errors.New("storage: somebody else changed the settings in the meantime")

// Time limits of the database, so that a page is answered although the database hangs. A read that takes longer than readLimit is as good as
// no answer; a write may have to wait for another process, with SQLite for its lock.
const (
	readLimit    = time.Second
	claimedLimit = 700 * time.Millisecond // of Spent.Claimed, whose answer of before counts for minutes
	writeLimit   = 4 * time.Second
)

// A DB is the database of the console. It is safe for concurrent use, by several processes too.
type DB struct {
	// With SQLite these are three pools on one file, with PostgreSQL one and the same. SQLite has one writer at a time, and those that
	// wait for the lock poll for it in ever longer sleeps: with many of them some wait for seconds. One connection hands the turns out in
	// order. Claims have their own, so that no sign-in waits behind other writes, and no read waits behind any.
	sql, writer, claims *sql.DB
	postgres            bool
	now                 func() time.Time

	// Tightened are the files that others could read until OpenSQLite took that right away.
	Tightened []string
}

// OpenSQLite opens a file, and makes it if it is not there. Only its owner may read it: OpenSQLite takes the rights of others away, lists
// such files in DB.Tightened, and fails if it may not do that.
func OpenSQLite(ctx context.Context, file string, now func() time.Time) (*DB, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) // the driver would let others read it
	if err != nil {
		return nil, err
	}
	f.Close()
	tightened, err := closeToOthers(file, file+"-wal", file+"-shm")
	if err != nil {
		return nil, err
	}
	// A transaction takes the write lock when it begins, so that none fails half-way because another one was first.
	options := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}}
	address := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(file), RawQuery: options.Encode()}
	db := &DB{now: now, Tightened: tightened}
	for pool, most := range map[**sql.DB]int{&db.sql: 8, &db.writer: 1, &db.claims: 1} {
		if *pool, err = sql.Open("sqlite", address.String()); err != nil {
			return nil, err // of the address: nothing is open yet
		}
		(*pool).SetMaxOpenConns(most)
	}
	return prepare(ctx, db)
}

// closeToOthers takes the rights of all but the owner away, and returns the files that had given them.
func closeToOthers(files ...string) (tightened []string, err error) {
	for _, file := range files {
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err := os.Chmod(file, 0o600); err != nil {
			return nil, fmt.Errorf("%s has mode %04o, want 0600: others can read the accounts and the hash of the administrator's password, and the mode cannot be changed. Make the file belong to the user that runs the console: %w", file, info.Mode().Perm(), err)
		}
		tightened = append(tightened, file)
	}
	return tightened, nil
}

// OpenPostgreSQL opens a database by its URL, postgres://user:password@host/database.
func OpenPostgreSQL(ctx context.Context, address string, now func() time.Time) (*DB, error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(10)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return prepare(ctx, &DB{sql: db, writer: db, claims: db, postgres: true, now: now})
}

// prepareTime is how long processes that start together wait for each other.
const prepareTime = 10 * time.Second

func prepare(ctx context.Context, db *DB) (*DB, error) {
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	err := db.migrate(ctx)
	for isLocked(err) && ctx.Err() == nil { // by another first start: no busy timeout applies while a new file is switched to WAL
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
			err = db.migrate(ctx)
		}
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("the database cannot be prepared: %w", err)
	}
	return db, nil
}

// isLocked reports whether SQLite refused because another connection has the lock.
func isLocked(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xFF == sqlite3.SQLITE_BUSY
}

// Close closes the database.
func (db *DB) Close() error {
	return errors.Join(db.sql.Close(), db.writer.Close(), db.claims.Close()) // closing one pool again does nothing
}

// Spent is a saml.Store of what was used up, in the same database. It claims by the connection for claims and looks up by those for reading,
// so that a look-up never waits behind a claim.
func (db *DB) Spent() *Spent {
	dialect := sqlstore.SQLite
	if db.postgres {
		dialect = sqlstore.PostgreSQL
	}
	return &Spent{Store: sqlstore.New(db.claims, dialect), reader: sqlstore.New(db.sql, dialect)}
}

// A Spent is what DB.Spent returns.
type Spent struct {
	*sqlstore.Store
	reader *sqlstore.Store
}

// Claimed implements saml.Store.
func (s *Spent) Claimed(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, claimedLimit)
	defer cancel()
	return s.reader.Claimed(ctx, key)
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
func (db *DB) change(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	var options *sql.TxOptions
	if db.postgres { // whatever the server's default is: each statement must see what others committed before it, see lock
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	tx, err := db.writer.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := do(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// lock waits until no other transaction has the lock of this number, and holds it until the transaction ends. With SQLite there is nothing to
// wait for: a transaction has the lock of the whole file from its beginning.
//
// PostgreSQL may take hours to notice that a replica is gone that lost its network in the middle of a transaction, and nobody else would get the
// lock. So it ends a transaction that is silent for longer than any change may take.
func (db *DB) lock(ctx context.Context, tx *sql.Tx, number int64) error {
	if !db.postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT set_config('idle_in_transaction_session_timeout', $1, true), pg_advisory_xact_lock($2)", strconv.FormatInt(writeLimit.Milliseconds(), 10), number)
	return err
}

// exec runs a statement and returns the number of rows that it changed.
func (db *DB) exec(ctx context.Context, h handle, query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	result, err := h.ExecContext(ctx, db.bind(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads one row into dest; ErrNotFound where there is none.
func (db *DB) row(ctx context.Context, h handle, dest []any, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	err := h.QueryRowContext(ctx, db.bind(query), args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// rows calls scan for each row.
func (db *DB) rows(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
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
