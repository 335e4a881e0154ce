package sqlstore

import "strings"

// A Dialect is the SQL of one kind of database. There is no default.
type Dialect int

const (
	SQLite     Dialect = iota + 1 // 3.32 or later
	PostgreSQL                    // 9.5 or later, at the isolation level read committed or higher
	MySQL                         // MySQL 5.7 or later, MariaDB 10.3 or later, with InnoDB
)

// statements are the SQL of one dialect. Their parameters are in parentheses; ttl is in
// milliseconds.
type statements struct {
	create  []string
	claim   []string // (ttl, key): tried in this order until one changes a row, which is the claim
	claimed string   // (key): counts the claims of the key that have not ended
	prune   string   // (limit): deletes at most so many rows
}

// Expressions for the current time in milliseconds since 1970, by the clock of the database.
// MySQL's now() is the local time of the session, and one hour of it repeats in autumn, hence
// utc_timestamp. PostgreSQL's clock_timestamp() changes within a statement, so Prune could not use
// the index.
const (
	sqliteNow   = `cast((julianday('now') - 2440587.5) * 86400000 as integer)`
	postgresNow = `(extract(epoch from statement_timestamp()) * 1000)::bigint`
	mysqlNow    = `(timestampdiff(microsecond, '1970-01-01 00:00:00', utc_timestamp(3)) div 1000)`
)

var dialects = map[Dialect]statements{
	SQLite: withNow(sqliteNow, statements{
		create: []string{
			`create table if not exists saml_claims
				(claim text not null primary key, ends integer not null) without rowid`,
			`create index if not exists saml_claims_ends on saml_claims (ends)`,
		},
		claim: []string{`insert into saml_claims (ends, claim) values (NOW + ?, ?)
			on conflict (claim) do update set ends = excluded.ends where saml_claims.ends <= NOW`},
		claimed: `select count(*) from saml_claims where claim = ? and ends > NOW`,
		prune: `delete from saml_claims where claim in
			(select claim from saml_claims where ends <= NOW order by ends limit ?)`,
	}),
	PostgreSQL: withNow(postgresNow, statements{
		// The lock makes replicas take turns: "if not exists" checks and creates in two steps, so
		// one of two at the same time would fail.
		create: []string{`do $$ begin
			perform pg_advisory_xact_lock(hashtext('saml_claims'));
			create table if not exists saml_claims
				(claim varchar(64) collate "C" not null primary key, ends bigint not null);
			create index if not exists saml_claims_ends on saml_claims (ends);
		end $$`},
		// If two claims of one key meet, the second waits until the first has committed. Then it
		// checks the where clause again with the new row.
		claim: []string{`insert into saml_claims (ends, claim) values (NOW + $1::bigint, $2)
			on conflict (claim) do update set ends = excluded.ends where saml_claims.ends <= NOW`},
		claimed: `select count(*) from saml_claims where claim = $1 and ends > NOW`,
		// The outer "ends <= NOW" is needed too: only the outer condition is checked again for a
		// row that was claimed again after the inner select.
		prune: `delete from saml_claims where ends <= NOW and claim in
			(select claim from saml_claims where ends <= NOW order by ends limit $1::bigint)`,
	}),
	MySQL: withNow(mysqlNow, statements{
		create: []string{`create table if not exists saml_claims
			(claim varbinary(64) not null primary key, ends bigint not null, index saml_claims_ends (ends))
			engine=InnoDB`},
		// Not "on duplicate key update": with the driver option clientFoundRows, a lost claim would
		// count as one changed row. The second insert is for a row that ended and was pruned
		// between the first insert and the update. InnoDB may report a deadlock if several claims
		// of one key wait for such a row. That is an error, so the login is refused, which is safe.
		claim: []string{
			mysqlInsert,
			`update saml_claims set ends = NOW + ? where claim = ? and ends <= NOW`,
			mysqlInsert,
		},
		claimed: `select count(*) from saml_claims where claim = ? and ends > NOW`,
		prune:   `delete from saml_claims where ends <= NOW order by ends limit ?`,
	}),
}

const mysqlInsert = `insert ignore into saml_claims (ends, claim) values (NOW + ?, ?)`

// withNow replaces NOW in the statements with the expression for the current time.
func withNow(now string, s statements) statements {
	for i := range s.claim {
		s.claim[i] = strings.ReplaceAll(s.claim[i], "NOW", now)
	}
	s.claimed = strings.ReplaceAll(s.claimed, "NOW", now)
	s.prune = strings.ReplaceAll(s.prune, "NOW", now)
	return s
}
