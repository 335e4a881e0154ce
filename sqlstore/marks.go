package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// markStatements are the SQL of one dialect for the marks of Records. Their parameters are in
// parentheses; ttl is in milliseconds, mark in seconds since 1970.
type markStatements struct {
	create    []string
	raise     string                 // (ttl, key, mark)
	highest   string                 // (keys): null if there is no mark; KEYS stands for their list
	parameter func(index int) string // how the n-th key is written in the list, from 1
	prune     string                 // (limit): deletes at most so many rows
}

// Raising is one statement, so that no other one comes between reading a mark and writing it. A mark
// whose time has passed counts as none: whether it was pruned before makes no difference.
var markDialects = map[Dialect]markStatements{
	SQLite: marksWithNow(sqliteNow, markStatements{
		create: []string{
			`create table if not exists saml_marks
				(mark text not null primary key, ends integer not null, issued integer not null) without rowid`,
			`create index if not exists saml_marks_ends on saml_marks (ends)`,
		},
		raise: `insert into saml_marks (ends, mark, issued) values (NOW + ?, ?, ?)
			on conflict (mark) do update set
				issued = case when saml_marks.ends > NOW then max(saml_marks.issued, excluded.issued) else excluded.issued end,
				ends = max(saml_marks.ends, excluded.ends)`,
		highest:   `select max(issued) from saml_marks where mark in (KEYS) and ends > NOW`,
		parameter: questionMark,
		prune: `delete from saml_marks where mark in
			(select mark from saml_marks where ends <= NOW order by ends limit ?)`,
	}),
	PostgreSQL: marksWithNow(postgresNow, markStatements{
		// For the lock and the repeated condition of prune, see the statements of Store.
		create: []string{`do $$ begin
			perform pg_advisory_xact_lock(hashtext('saml_marks'));
			create table if not exists saml_marks
				(mark varchar(64) collate "C" not null primary key, ends bigint not null, issued bigint not null);
			create index if not exists saml_marks_ends on saml_marks (ends);
		end $$`},
		raise: `insert into saml_marks (ends, mark, issued) values (NOW + $1::bigint, $2, $3::bigint)
			on conflict (mark) do update set
				issued = case when saml_marks.ends > NOW then greatest(saml_marks.issued, excluded.issued) else excluded.issued end,
				ends = greatest(saml_marks.ends, excluded.ends)`,
		highest:   `select max(issued) from saml_marks where mark in (KEYS) and ends > NOW`,
		parameter: func(index int) string { return fmt.Sprintf("$%d", index) },
		prune: `delete from saml_marks where ends <= NOW and mark in
			(select mark from saml_marks where ends <= NOW order by ends limit $1::bigint)`,
	}),
	MySQL: marksWithNow(mysqlNow, markStatements{
		create: []string{`create table if not exists saml_marks
			(mark varbinary(64) not null primary key, ends bigint not null, issued bigint not null,
			index saml_marks_ends (ends)) engine=InnoDB`},
		// MySQL assigns from left to right, so ends is still the old one where issued reads it.
		raise: `insert into saml_marks (ends, mark, issued) values (NOW + ?, ?, ?)
			on duplicate key update
				issued = if(ends > NOW, greatest(issued, values(issued)), values(issued)),
				ends = greatest(ends, values(ends))`,
		highest:   `select max(issued) from saml_marks where mark in (KEYS) and ends > NOW`,
		parameter: questionMark,
		prune:     `delete from saml_marks where ends <= NOW order by ends limit ?`,
	}),
}

func questionMark(int) string { return "?" }

// marksWithNow replaces NOW in the statements with the expression for the current time.
func marksWithNow(now string, s markStatements) markStatements {
	for _, statement := range []*string{&s.raise, &s.highest, &s.prune} {
		*statement = strings.ReplaceAll(*statement, "NOW", now)
	}
	return s
}

// Raise implements session.Records.
func (r *Records) Raise(ctx context.Context, key string, mark time.Time, lifetime time.Duration) error {
	if err := validKey(key); err != nil {
		return err
	}
	if lifetime <= 0 {
		return fmt.Errorf("sqlstore: the lifetime of the mark is %v, want more than zero", lifetime)
	}
	if _, err := r.db.ExecContext(ctx, r.marks.raise, milliseconds(lifetime), key, mark.Unix()); err != nil {
		return fmt.Errorf("sqlstore: a mark cannot be saved in the table saml_marks: "+
			"if there is no such table, call Records.Create at the start of the service: %w", err)
	}
	return nil
}

// Highest implements session.Records.
func (r *Records) Highest(ctx context.Context, keys ...string) (mark time.Time, err error) {
	if len(keys) == 0 {
		return time.Time{}, ctx.Err()
	}
	list, values := make([]string, len(keys)), make([]any, len(keys))
	for i, key := range keys {
		if err := validKey(key); err != nil {
			return time.Time{}, err
		}
		list[i], values[i] = r.marks.parameter(i+1), key
	}
	statement := strings.Replace(r.marks.highest, "KEYS", strings.Join(list, ", "), 1)
	var seconds sql.NullInt64
	if err := r.db.QueryRowContext(ctx, statement, values...).Scan(&seconds); err != nil {
		return time.Time{}, fmt.Errorf("sqlstore: the marks cannot be read from the table saml_marks: "+
			"if there is no such table, call Records.Create at the start of the service: %w", err)
	}
	if !seconds.Valid {
		return time.Time{}, nil
	}
	return time.Unix(seconds.Int64, 0), nil
}
