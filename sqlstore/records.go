package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Records is a session.Records in the tables saml_records and saml_marks of a database. It is safe
// for concurrent use. As with Store, only the clock of the database decides whether a lifetime has
// passed.
//
// The values are sealed, and the keys are hashes of what only the users' cookies hold: whoever reads
// or changes the table cannot sign in with it. Deleting rows of saml_records signs users out;
// deleting rows of saml_marks brings sessions back that the identity provider has ended.
type Records struct {
	db    *sql.DB
	s     recordStatements
	marks markStatements
}

// recordStatements are the SQL of one dialect for Records. Their parameters are in parentheses; ttl
// is in milliseconds.
type recordStatements struct {
	create []string
	put    string // (ttl, key, value)
	get    string // (key): no row if there is no value
	delete string // (key)
	prune  string // (limit): deletes at most so many rows
}

var recordDialects = map[Dialect]recordStatements{
	SQLite: recordsWithNow(sqliteNow, recordStatements{
		create: []string{
			`create table if not exists saml_records
				(record text not null primary key, ends integer not null, sealed blob not null)`,
			`create index if not exists saml_records_ends on saml_records (ends)`,
		},
		put: `insert into saml_records (ends, record, sealed) values (NOW + ?, ?, ?)
			on conflict (record) do update set ends = excluded.ends, sealed = excluded.sealed`,
		get:    `select sealed from saml_records where record = ? and ends > NOW`,
		delete: `delete from saml_records where record = ?`,
		prune: `delete from saml_records where record in
			(select record from saml_records where ends <= NOW order by ends limit ?)`,
	}),
	PostgreSQL: recordsWithNow(postgresNow, recordStatements{
		// For the lock and the repeated condition of prune, see the statements of Store.
		create: []string{`do $$ begin
			perform pg_advisory_xact_lock(hashtext('saml_records'));
			create table if not exists saml_records
				(record varchar(64) collate "C" not null primary key, ends bigint not null, sealed bytea not null);
			create index if not exists saml_records_ends on saml_records (ends);
		end $$`},
		put: `insert into saml_records (ends, record, sealed) values (NOW + $1::bigint, $2, $3)
			on conflict (record) do update set ends = excluded.ends, sealed = excluded.sealed`,
		get:    `select sealed from saml_records where record = $1 and ends > NOW`,
		delete: `delete from saml_records where record = $1`,
		prune: `delete from saml_records where ends <= NOW and record in
			(select record from saml_records where ends <= NOW order by ends limit $1::bigint)`,
	}),
	MySQL: recordsWithNow(mysqlNow, recordStatements{
		// A mediumblob takes 16 MiB.
		create: []string{`create table if not exists saml_records
			(record varbinary(64) not null primary key, ends bigint not null, sealed mediumblob not null,
			index saml_records_ends (ends)) engine=InnoDB`},
		put:    `replace into saml_records (ends, record, sealed) values (NOW + ?, ?, ?)`,
		get:    `select sealed from saml_records where record = ? and ends > NOW`,
		delete: `delete from saml_records where record = ?`,
		prune:  `delete from saml_records where ends <= NOW order by ends limit ?`,
	}),
}

// recordsWithNow replaces NOW in the statements with the expression for the current time.
func recordsWithNow(now string, s recordStatements) recordStatements {
	for _, statement := range []*string{&s.put, &s.get, &s.prune} {
		*statement = strings.ReplaceAll(*statement, "NOW", now)
	}
	return s
}

// NewRecords returns Records in db. It does not connect, and the caller closes db. NewRecords panics
// if db is nil or if dialect is not SQLite, PostgreSQL or MySQL.
func NewRecords(db *sql.DB, dialect Dialect) *Records {
	s, ok := recordDialects[dialect]
	if db == nil || !ok {
		panic(fmt.Sprintf("sqlstore: NewRecords got database %v and dialect %d, "+
			"want a database that is not nil, and SQLite, PostgreSQL or MySQL", db, dialect))
	}
	return &Records{db: db, s: s, marks: markDialects[dialect]}
}

// Create makes the two tables and their indexes if they do not exist. Replicas may call it at the
// same time.
func (r *Records) Create(ctx context.Context) error {
	if err := create(ctx, r.db, "saml_records", r.s.create); err != nil {
		return err
	}
	return create(ctx, r.db, "saml_marks", r.marks.create)
}

func create(ctx context.Context, db *sql.DB, table string, statements []string) error {
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("sqlstore: the table %s cannot be made, "+
				"check that the database answers, and that its user may create tables: %w", table, err)
		}
	}
	return nil
}

// Put implements session.Records.
func (r *Records) Put(ctx context.Context, key string, value []byte, lifetime time.Duration) error {
	if err := validKey(key); err != nil {
		return err
	}
	if lifetime <= 0 {
		return fmt.Errorf("sqlstore: the lifetime of the record is %v, want more than zero", lifetime)
	}
	if value == nil {
		value = []byte{} // drivers write nil as null
	}
	if _, err := r.db.ExecContext(ctx, r.s.put, milliseconds(lifetime), key, value); err != nil {
		return fmt.Errorf("sqlstore: a record cannot be saved in the table saml_records: "+
			"if there is no such table, call Records.Create at the start of the service: %w", err)
	}
	return nil
}

// Get implements session.Records.
func (r *Records) Get(ctx context.Context, key string) (value []byte, found bool, err error) {
	if err := validKey(key); err != nil {
		return nil, false, err
	}
	err = r.db.QueryRowContext(ctx, r.s.get, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("sqlstore: a record cannot be read from the table saml_records: %w", err)
	}
	return value, true, nil
}

// Delete implements session.Records.
func (r *Records) Delete(ctx context.Context, key string) error {
	if err := validKey(key); err != nil {
		return err
	}
	if _, err := r.db.ExecContext(ctx, r.s.delete, key); err != nil {
		return fmt.Errorf("sqlstore: a record cannot be deleted from the table saml_records: %w", err)
	}
	return nil
}

// Prune deletes the rows of both tables whose lifetime has passed, a thousand with each statement.
// Without it the tables grow, but nothing else goes wrong. Replicas may call it at the same time.
// After an error, some rows may remain.
func (r *Records) Prune(ctx context.Context) error {
	if err := prune(ctx, r.db, r.s.prune); err != nil {
		return fmt.Errorf("sqlstore: ended records cannot be deleted from the table saml_records: %w", err)
	}
	if err := prune(ctx, r.db, r.marks.prune); err != nil {
		return fmt.Errorf("sqlstore: ended marks cannot be deleted from the table saml_marks: %w", err)
	}
	return nil
}
