// Package sqlstore is a saml.Store in an SQL database that all replicas of a service share. It
// stops replay: if one SAML response is posted twice, exactly one of the posts signs in. That holds
// for any two replicas and across restarts. Records keeps the sessions that are too large for a
// cookie in the same database, and the marks of logouts. The package includes no database driver:
//
//	import _ "github.com/jackc/pgx/v5/stdlib"
//
//	db, err := sql.Open("pgx", "postgres://saml@db.example.com/console")
//	store := sqlstore.New(db, sqlstore.PostgreSQL)
//	records := sqlstore.NewRecords(db, sqlstore.PostgreSQL)
//	err = errors.Join(store.Create(ctx), records.Create(ctx)) // at each start, on every replica
//	sp, err := saml.New(saml.Config{Store: store, ...})
//	sessions, err := session.New(session.Config{Store: store, Records: records, ...})
//	err = errors.Join(store.Prune(ctx), records.Prune(ctx)) // every hour or so, on any replica
//
// # The tables
//
// Create makes the tables. If the schema is managed elsewhere, run this instead of Create:
//
//	-- PostgreSQL
//	create table saml_claims (claim varchar(64) collate "C" not null primary key, ends bigint not null);
//	create index saml_claims_ends on saml_claims (ends);
//	create table saml_records (record varchar(64) collate "C" not null primary key, ends bigint not null, sealed bytea not null);
//	create index saml_records_ends on saml_records (ends);
//	create table saml_marks (mark varchar(64) collate "C" not null primary key, ends bigint not null, issued bigint not null);
//	create index saml_marks_ends on saml_marks (ends);
//	-- MySQL, MariaDB
//	create table saml_claims (claim varbinary(64) not null primary key, ends bigint not null, index saml_claims_ends (ends)) engine=InnoDB;
//	create table saml_records (record varbinary(64) not null primary key, ends bigint not null, sealed mediumblob not null, index saml_records_ends (ends)) engine=InnoDB;
//	create table saml_marks (mark varbinary(64) not null primary key, ends bigint not null, issued bigint not null, index saml_marks_ends (ends)) engine=InnoDB;
//	-- SQLite
//	create table saml_claims (claim text not null primary key, ends integer not null) without rowid;
//	create index saml_claims_ends on saml_claims (ends);
//	create table saml_records (record text not null primary key, ends integer not null, sealed blob not null);
//	create index saml_records_ends on saml_records (ends);
//	create table saml_marks (mark text not null primary key, ends integer not null, issued integer not null) without rowid;
//	create index saml_marks_ends on saml_marks (ends);
//
// The service needs the rights select, insert, update and delete on the tables. A row is one claim,
// one record or one mark. The column ends holds the end of its time to live, in milliseconds since
// 1970 by the clock of the database. The column issued holds the mark itself: a time by the clock of
// the identity provider, in seconds since 1970. Keys are compared byte for byte, which the types and collations ensure.
//
// # What the database must do
//
// The database must commit each statement separately (autocommit, the default everywhere) and
// durably. A replica must see what another replica has written, so all statements must go to the
// primary server, not to a read replica.
//
// With SQLite, all replicas must be processes of one machine. Open the file with a busy timeout, or
// claims at the same moment fail; with modernc.org/sqlite that is
// ?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal). Give the Store its own sql.DB with
// SetMaxOpenConns(1): SQLite has one writer at a time, and waiting connections poll with growing
// pauses, so with 32 of them some wait for more than a second. A single connection serves them in
// order, and reads of other connections do not wait for claims. Give Records an sql.DB with several
// connections, because each request of a large session reads its record.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A Store is a saml.Store in one table of a database. It is safe for concurrent use.
//
// Only the clock of the database decides whether a claim has ended, never the clock of the service.
// Otherwise, replicas with different clocks would end each other's claims: a replica that is 2
// minutes ahead would free an assertion that another replica still accepts. With SQLite it is the
// clock of the machine.
type Store struct {
	db *sql.DB
	s  statements
}

// New returns a Store in db. It does not connect, and the caller closes db. New panics if db is nil
// or if dialect is not SQLite, PostgreSQL or MySQL.
func New(db *sql.DB, dialect Dialect) *Store {
	s, ok := dialects[dialect]
	if db == nil || !ok {
		panic(fmt.Sprintf("sqlstore: New got database %v and dialect %d, "+
			"want a database that is not nil, and SQLite, PostgreSQL or MySQL", db, dialect))
	}
	return &Store{db: db, s: s}
}

// Create makes the table and its index if they do not exist. Replicas may call it at the same time.
func (s *Store) Create(ctx context.Context) error {
	return create(ctx, s.db, "saml_claims", s.s.create)
}

// Claim implements saml.Store. The primary key of the table decides which call is first. After an
// error the claim may still have been recorded.
func (s *Store) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if err := validKey(key); err != nil {
		return false, err
	}
	if ttl <= 0 {
		return false, fmt.Errorf("sqlstore: the time to live is %v, want more than zero", ttl)
	}
	for _, statement := range s.s.claim {
		n, err := change(ctx, s.db, statement, milliseconds(ttl), key)
		if err != nil {
			return false, fmt.Errorf("sqlstore: it is unknown whether the key was used before: %w", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// Claimed implements saml.Store.
func (s *Store) Claimed(ctx context.Context, key string) (bool, error) {
	if err := validKey(key); err != nil {
		return false, err
	}
	var n int
	if err := s.db.QueryRowContext(ctx, s.s.claimed, key).Scan(&n); err != nil {
		return false, fmt.Errorf("sqlstore: it is unknown whether the key was used before: %w", err)
	}
	return n > 0, nil
}

// pruneBatch is how many rows one statement deletes: few enough that a claim never waits for it.
const pruneBatch = 1000

// Prune deletes the rows of ended claims, a thousand with each statement. Without it the table
// grows, but nothing else goes wrong. Replicas may call it at the same time. After an error, some
// rows may remain.
func (s *Store) Prune(ctx context.Context) error {
	if err := prune(ctx, s.db, s.s.prune); err != nil {
		return fmt.Errorf("sqlstore: ended claims cannot be deleted from the table saml_claims: %w", err)
	}
	return nil
}

func prune(ctx context.Context, db *sql.DB, statement string) error {
	for {
		n, err := change(ctx, db, statement, pruneBatch)
		if err != nil || n < pruneBatch {
			return err
		}
	}
}

// change runs one statement and returns the number of rows that it inserted, updated or deleted.
func change(ctx context.Context, db *sql.DB, statement string, args ...any) (int64, error) {
	result, err := db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// validKey refuses keys that saml.Store and session.Records do not allow. It is needed for MySQL: "insert ignore"
// would silently cut a long key, and two keys could become the same claim.
func validKey(key string) error {
	if key == "" || len(key) > 64 {
		return errors.New("sqlstore: the key has " + strconv.Itoa(len(key)) + " bytes, want 1 to 64")
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return errors.New("sqlstore: the key is " + strconv.QuoteToASCII(key) +
				", want printable ASCII without spaces")
		}
	}
	return nil
}

// milliseconds rounds up: a claim never ends early.
func milliseconds(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d%time.Millisecond != 0 {
		ms++
	}
	return ms
}
