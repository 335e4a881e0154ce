// Package storage stores the data of the console in SQLite or PostgreSQL: the settings of single
// sign-on, the local administrator, the users seen so far, and the sign-ins of the last days. Its
// SQL works in both databases.
//
// Times are Unix milliseconds, identifiers are random texts, certificates are PEM. Nothing depends
// on the types of one database.
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

// ErrNotFound is the error of a lookup that finds nothing.
var ErrNotFound = errors.New("storage: not found")

// ErrConflict is the error of a change that is based on an older version of the settings.
var ErrConflict = errors.New("storage: someone else has changed the settings: load them again and repeat the change")

// Time limits of the database, so that pages get an answer even if the database hangs. Writes get
// more time, because they may have to wait for another process; with SQLite, for its lock.
const (
	readLimit    = time.Second
	claimedLimit = 700 * time.Millisecond // of Spent.Claimed: package session uses its last answer for minutes
	writeLimit   = 4 * time.Second
)

// A DB is the database of the console. It is safe for concurrent use, by several processes too.
type DB struct {
	// With PostgreSQL these are the same pool. With SQLite they are three pools on one file. SQLite
	// has one writer at a time, and connections that wait for its lock poll with growing pauses:
	// with many of them, some wait for seconds. A pool of one connection serves them in order.
	// Claims have their own pool, so no sign-in waits for other writes, and no read waits for a
	// write.
	sql, writer, claims *sql.DB
	postgres            bool
	now                 func() time.Time

	// Restricted lists the files that others could read until OpenSQLite changed their mode to
	// 0600.
	Restricted []string
}

// OpenSQLite opens a file, and makes it if it does not exist. Only its owner may read it.
// OpenSQLite changes the mode of a file that others can read to 0600 and lists it in DB.Restricted.
// It fails if it cannot change the mode. now is the clock.
func OpenSQLite(ctx context.Context, file string, now func() time.Time) (*DB, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) // the driver would make it readable for others
	if err != nil {
		return nil, err
	}
	f.Close()
	restricted, err := restrict(file, file+"-wal", file+"-shm")
	if err != nil {
		return nil, err
	}
	options := url.Values{
		// A transaction takes the write lock when it begins. Otherwise it could fail later because
		// another transaction has the lock.
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
	}
	address := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(file), RawQuery: options.Encode()}
	db := &DB{now: now, Restricted: restricted}
	for pool, most := range map[**sql.DB]int{&db.sql: 8, &db.writer: 1, &db.claims: 1} {
		if *pool, err = sql.Open("sqlite", address.String()); err != nil {
			return nil, err // only for an invalid address, so no pool is open yet
		}
		(*pool).SetMaxOpenConns(most)
	}
	return prepare(ctx, db)
}

// restrict changes the mode of files that others can read to 0600, and returns these files.
func restrict(files ...string) (restricted []string, err error) {
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
			return nil, fmt.Errorf("%s has mode %04o, want 0600: others can read the accounts "+
				"and the hash of the administrator's password, and the mode cannot be changed. "+
				"Change the owner of the file to the user that runs the console: %w",
				file, info.Mode().Perm(), err)
		}
		restricted = append(restricted, file)
	}
	return restricted, nil
}

// OpenPostgreSQL opens the database with the URL address, postgres://user:password@host/database.
// now is the clock.
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
	// Another process may be making the same file: the busy timeout does not apply while SQLite
	// switches a new file to WAL.
	for isLocked(err) && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
			err = db.migrate(ctx)
		}
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("the tables of the database cannot be prepared: %w", err)
	}
	return db, nil
}

// isLocked reports whether err is SQLite's refusal because another connection has the lock.
func isLocked(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xFF == sqlite3.SQLITE_BUSY
}

// Close closes the database.
func (db *DB) Close() error {
	return errors.Join(db.sql.Close(), db.writer.Close(), db.claims.Close()) // closing the same pool again is harmless
}

// Spent returns a saml.Store in the same database, which stops replay. It claims with the pool for
// claims and looks up with the pool for reads, so that a lookup never waits for a claim.
func (db *DB) Spent() *Spent {
	dialect := sqlstore.SQLite
	if db.postgres {
		dialect = sqlstore.PostgreSQL
	}
	return &Spent{Store: sqlstore.New(db.claims, dialect), reader: sqlstore.New(db.sql, dialect)}
}

// A Spent is the saml.Store of DB.Spent.
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

// LargeSessions returns a session.Records in the same database, for sessions that are too large for
// a cookie. It reads with the pool for reads.
func (db *DB) LargeSessions() *LargeSessions {
	dialect := sqlstore.SQLite
	if db.postgres {
		dialect = sqlstore.PostgreSQL
	}
	return &LargeSessions{Records: sqlstore.NewRecords(db.writer, dialect), reader: sqlstore.NewRecords(db.sql, dialect)}
}

// A LargeSessions is the session.Records of DB.LargeSessions.
type LargeSessions struct {
	*sqlstore.Records
	reader *sqlstore.Records
}

// Get implements session.Records.
func (l *LargeSessions) Get(ctx context.Context, key string) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return l.reader.Get(ctx, key)
}

// Put implements session.Records.
func (l *LargeSessions) Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return l.Records.Put(ctx, key, value, lifetime)
}

// Delete implements session.Records.
func (l *LargeSessions) Delete(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return l.Records.Delete(ctx, key)
}

// Raise implements session.Records.
func (l *LargeSessions) Raise(ctx context.Context, keys []string, mark time.Time, lifetime time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return l.Records.Raise(ctx, keys, mark, lifetime)
}

// Highest implements session.Records.
func (l *LargeSessions) Highest(ctx context.Context, keys ...string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return l.reader.Highest(ctx, keys...)
}

func (db *DB) stamp() int64 { return db.now().UnixMilli() }

// ago returns the time d before now, as the database stores it.
func (db *DB) ago(d time.Duration) int64 { return db.now().Add(-d).UnixMilli() }

// moment returns a time that the database stores as ms; 0 is the zero time.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// bind returns query with the placeholders of the database: "?", or "$1", "$2" and so on for
// PostgreSQL.
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

// change runs do in one transaction. An error undoes all of it.
func (db *DB) change(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	var options *sql.TxOptions
	if db.postgres {
		// Whatever the default of the server is, a statement after lock must see what others have
		// committed.
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

// lock waits until no other transaction has the lock with this number, and holds it until the
// transaction ends. With SQLite it does nothing: a transaction has the lock of the whole file from
// its beginning.
//
// If a replica loses its network in the middle of a transaction, PostgreSQL may take hours to
// notice, and nobody else would get the lock. So lock tells PostgreSQL to end the transaction if it
// is idle for longer than any change may take.
func (db *DB) lock(ctx context.Context, tx *sql.Tx, number int64) error {
	if !db.postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx,
		"SELECT set_config('idle_in_transaction_session_timeout', $1, true), pg_advisory_xact_lock($2)",
		strconv.FormatInt(writeLimit.Milliseconds(), 10), number)
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

// row reads one row into dest. It returns ErrNotFound if there is none.
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
