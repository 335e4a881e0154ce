package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// markStatements are the SQL of one dialect for the marks of Records. Their parameters are in
// parentheses; ttl is in milliseconds, mark in seconds since 1970.
type markStatements struct {
	create    []string
	raise     string                 // (rows); ROWS stands for their list
	row       string                 // (ttl, key, mark), each a question mark
	highest   string                 // (keys): null if there is no mark; KEYS stands for their list
	parameter func(index int) string // how the n-th value of a list is written, from 1
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
		raise: `insert into saml_marks (ends, mark, issued) values ROWS
			on conflict (mark) do update set
				issued = case when saml_marks.ends > NOW then max(saml_marks.issued, excluded.issued) else excluded.issued end,
				ends = max(saml_marks.ends, excluded.ends)`,
		row:       `(NOW + ?, ?, ?)`,
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
		raise: `insert into saml_marks (ends, mark, issued) values ROWS
			on conflict (mark) do update set
				issued = case when saml_marks.ends > NOW then greatest(saml_marks.issued, excluded.issued) else excluded.issued end,
				ends = greatest(saml_marks.ends, excluded.ends)`,
		row:       `(NOW + ?::bigint, ?, ?::bigint)`,
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
		raise: `insert into saml_marks (ends, mark, issued) values ROWS
			on duplicate key update
				issued = if(ends > NOW, greatest(issued, values(issued)), values(issued)),
				ends = greatest(ends, values(ends))`,
		row:       `(NOW + ?, ?, ?)`,
		highest:   `select max(issued) from saml_marks where mark in (KEYS) and ends > NOW`,
		parameter: questionMark,
		prune:     `delete from saml_marks where ends <= NOW order by ends limit ?`,
	}),
}

func questionMark(int) string { return "?" }

// marksWithNow replaces NOW in the statements with the expression for the current time.
func marksWithNow(now string, s markStatements) markStatements {
	for _, statement := range []*string{&s.raise, &s.row, &s.highest, &s.prune} {
		*statement = strings.ReplaceAll(*statement, "NOW", now)
	}
	return s
}

// list returns a statement with n items in the place of a word, and with the parameters of the dialect
// in the place of their question marks. No other text has any.
func (s *markStatements) list(statement, word, item string, n int) string {
	items := strings.Split(strings.TrimSuffix(strings.Repeat(item+", ", n), ", "), "?")
	var b strings.Builder
	for i, text := range items {
		if i > 0 {
			b.WriteString(s.parameter(i))
		}
		b.WriteString(text)
	}
	return strings.Replace(statement, word, b.String(), 1)
}

// Raise implements session.Records. All marks are written by one statement, so an error means that none
// is written, or that it is unknown whether all are. Two calls write the keys that they share in the
// same order, so that neither waits for the other.
func (r *Records) Raise(ctx context.Context, keys []string, mark time.Time, lifetime time.Duration) error {
	if len(keys) == 0 {
		return ctx.Err()
	}
	if lifetime <= 0 {
		return fmt.Errorf("sqlstore: the lifetime of the mark is %v, want more than zero", lifetime)
	}
	values := make([]any, 0, 3*len(keys))
	for _, key := range slices.Sorted(slices.Values(keys)) {
		if err := validKey(key); err != nil {
			return err
		}
		values = append(values, milliseconds(lifetime), key, mark.Unix())
	}
	statement := r.marks.list(r.marks.raise, "ROWS", r.marks.row, len(keys))
	if _, err := r.db.ExecContext(ctx, statement, values...); err != nil {
		return fmt.Errorf("sqlstore: the marks cannot be saved in the table saml_marks: "+
			"if there is no such table, call Records.Create at the start of the service: %w", err)
	}
	return nil
}

// Highest implements session.Records.
func (r *Records) Highest(ctx context.Context, keys ...string) (mark time.Time, err error) {
	if len(keys) == 0 {
		return time.Time{}, ctx.Err()
	}
	values := make([]any, len(keys))
	for i, key := range keys {
		if err := validKey(key); err != nil {
			return time.Time{}, err
		}
		values[i] = key
	}
	statement := r.marks.list(r.marks.highest, "KEYS", "?", len(keys))
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
