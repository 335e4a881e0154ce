// Package sqlstore keeps what was used up in a database that all replicas of a service share, so that of two posts of one SAML response
// exactly one signs in, whichever replicas they reach and whatever was restarted between them. It brings no driver along:
//
//	db, err := sql.Open("pgx", "postgres://saml@db.example.com/console") // with _ "github.com/jackc/pgx/v5/stdlib"
//	store := sqlstore.New(db, sqlstore.PostgreSQL)
//	err = store.Create(ctx)                                  // once at the start; any number of replicas at once
//	sp, err := saml.New(saml.Config{Store: store, ...})      // and session.Config{Store: store, ...}
//	err = store.Prune(ctx)                                   // every hour or so, on any replica
//
// # The table
//
// Create makes it. Where the schema is managed elsewhere, leave Create out and run this instead:
//
//	-- PostgreSQL
//	create table saml_claims (claim varchar(64) collate "C" not null primary key, ends bigint not null);
//	create index saml_claims_ends on saml_claims (ends);
//	-- MySQL, MariaDB
//	create table saml_claims (claim varbinary(64) not null primary key, ends bigint not null, index saml_claims_ends (ends)) engine=InnoDB;
//	-- SQLite
//	create table saml_claims (claim text not null primary key, ends integer not null) without rowid;
//	create index saml_claims_ends on saml_claims (ends);
//
// The service needs select, insert, update and delete on it. A row is one claim; ends is when its time to live has passed, in milliseconds
// since 1970 by the clock of the database. Claims are told apart byte for byte, hence the types and collations.
//
// # What the database must do
//
// Commit each statement by itself (autocommit, the default everywhere) and durably, and give a replica what another has written: all
// statements go to the primary server, not to one that follows it.
//
// With SQLite all replicas are processes of one machine. Open it with a busy timeout (modernc.org/sqlite:
// ?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)), or claims at the same moment fail. Give the Store a sql.DB of its own with
// SetMaxOpenConns(1): SQLite has one writer at a time, and connections that wait for it poll in ever longer sleeps, so that with 32 at once
// some wait for more than a second. One connection hands out turns in order, and nobody who reads waits behind a claim.
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
// Whether a claim has ended is decided by the clock of the database, never by that of the service. Replicas whose clocks differ would
// otherwise end each other's claims: the one whose clock is 2 minutes ahead would free an assertion that another still accepts. With SQLite
// it is the clock of the machine, which all its processes share.
type Store struct {
	db *sql.DB
	s  statements
}

// New makes a Store of db, which stays the caller's to close. It connects to nothing, and panics where db is nil or the dialect is none of
// SQLite, PostgreSQL and MySQL.
func New(db *sql.DB, dialect Dialect) *Store {
	s, ok := dialects[dialect]
	if db == nil || !ok {
		panic(fmt.Sprintf("sqlstore: New needs a database and one of the three dialects, and got %v and dialect %d", db, dialect))
	}
	return &Store{db: db, s: s}
}

// Create makes the table where it does not exist. Replicas may call it at the same time.
func (s *Store) Create(ctx context.Context) error {
	for _, statement := range s.s.create {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("sqlstore: the table cannot be made: %w", err)
		}
	}
	return nil
}

// Claim implements saml.Store. The unique key of the table decides who is first. After an error the claim may stand all the same.
func (s *Store) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if err := validKey(key); err != nil {
		return false, err
	}
	if ttl <= 0 {
		return false, errors.New("sqlstore: a claim needs a time to live above zero")
	}
	for _, statement := range s.s.claim {
		n, err := s.change(ctx, statement, milliseconds(ttl), key)
		if err != nil {
			return false, fmt.Errorf("sqlstore: it is unknown whether this was used before: %w", err)
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
		return false, fmt.Errorf("sqlstore: it is unknown whether this was used before: %w", err)
	}
	return n > 0, nil
}

// pruneBatch is how many rows one statement deletes: few enough that a claim never waits for it.
const pruneBatch = 1000

// Prune deletes the rows that have ended, a thousand with each statement. Without it the table grows and nothing else goes wrong. Replicas
// may call it at the same time. After an error some rows have been deleted and others not.
func (s *Store) Prune(ctx context.Context) error {
	for {
		n, err := s.change(ctx, s.s.prune, pruneBatch)
		if err != nil {
			return fmt.Errorf("sqlstore: ended claims cannot be deleted: %w", err)
		}
		if n < pruneBatch {
			return nil
		}
	}
}

// change runs one statement and gives the number of rows that it inserted, updated or deleted.
func (s *Store) change(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// validKey refuses what saml.Store does not promise of keys. MySQL's "insert ignore" would cut a long one short instead, and the claims of
// two keys would be one.
func validKey(key string) error {
	if key == "" || len(key) > 64 {
		return errors.New("sqlstore: a key has 1 to 64 bytes, this one has " + strconv.Itoa(len(key)))
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return errors.New("sqlstore: a key is printable ASCII, this one is " + strconv.QuoteToASCII(key))
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
