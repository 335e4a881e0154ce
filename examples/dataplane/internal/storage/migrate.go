package storage

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations are the steps from an empty database to the current one. Never change a released step:
// add another one.
var migrations = [][]string{
	{
		// A revision of the settings never changes, so its ID always stands for the same settings
		// in tests and replicas.
		`CREATE TABLE revision (
			id TEXT PRIMARY KEY,
			entity_id TEXT NOT NULL,
			login_url TEXT NOT NULL,
			certificates TEXT NOT NULL,
			document TEXT NOT NULL,
			metadata_url TEXT NOT NULL,
			saved_at BIGINT NOT NULL,
			saved_by TEXT NOT NULL)`,
		// The single row of this table names the saved revision and the one in use. Empty means
		// none.
		`CREATE TABLE state (
			id INTEGER PRIMARY KEY CHECK (id = 1),
			version BIGINT NOT NULL,
			saved TEXT NOT NULL,
			live TEXT NOT NULL,
			act TEXT NOT NULL,
			changed_at BIGINT NOT NULL,
			changed_by TEXT NOT NULL)`,
		`INSERT INTO state (id, version, saved, live, act, changed_at, changed_by) VALUES (1, 0, '', '', '', 0, '')`,
		`CREATE TABLE test_run (
			id TEXT PRIMARY KEY,
			revision TEXT NOT NULL,
			admin_session TEXT NOT NULL,
			begun_by TEXT NOT NULL,
			begun_at BIGINT NOT NULL,
			finished_at BIGINT NOT NULL,
			passed INTEGER NOT NULL,
			result TEXT NOT NULL)`,
		`CREATE TABLE administrator (
			name TEXT PRIMARY KEY,
			password TEXT NOT NULL,
			changed_at BIGINT NOT NULL)`,
		`CREATE TABLE admin_session (
			id TEXT PRIMARY KEY,
			administrator TEXT NOT NULL,
			begun_at BIGINT NOT NULL,
			seen_at BIGINT NOT NULL)`,
		`CREATE TABLE password_attempt (
			id TEXT PRIMARY KEY,
			account TEXT NOT NULL,
			address TEXT NOT NULL,
			at BIGINT NOT NULL)`,
		// Addresses from which an administrator has signed in. Attackers who guess passwords from
		// other addresses do not lock these out.
		`CREATE TABLE known_address (
			account TEXT NOT NULL,
			address TEXT NOT NULL,
			at BIGINT NOT NULL,
			PRIMARY KEY (account, address))`,
		`CREATE TABLE account (
			id TEXT PRIMARY KEY,
			email TEXT NOT NULL,
			name TEXT NOT NULL,
			home TEXT NOT NULL,
			first_at BIGINT NOT NULL,
			last_at BIGINT NOT NULL,
			ended_at BIGINT NOT NULL)`,
		`CREATE TABLE account_key (
			id TEXT PRIMARY KEY,
			account TEXT NOT NULL REFERENCES account(id))`,
		`CREATE TABLE sign_in (
			id TEXT PRIMARY KEY,
			at BIGINT NOT NULL,
			email TEXT NOT NULL,
			code TEXT NOT NULL,
			check_name TEXT NOT NULL,
			message TEXT NOT NULL,
			got TEXT NOT NULL,
			want TEXT NOT NULL,
			hint TEXT NOT NULL,
			cause TEXT NOT NULL,
			reference TEXT NOT NULL)`,
		`CREATE INDEX sign_in_at ON sign_in (at)`,
		`CREATE TABLE note (
			name TEXT PRIMARY KEY,
			value TEXT NOT NULL)`,
	},
	{
		// The number goes up to end all sessions of an account.
		`ALTER TABLE account ADD COLUMN generation BIGINT NOT NULL DEFAULT 0`,
	},
	{
		// Wrong passwords are now slowed down in memory and write nothing.
		`DROP TABLE password_attempt`,
		`DROP TABLE known_address`,
		// 1 for a refusal that belongs to no sign-in of the browser. Anyone can cause these, so
		// they must not displace other lines.
		`ALTER TABLE sign_in ADD COLUMN stray INTEGER NOT NULL DEFAULT 0`,
	},
	{
		`ALTER TABLE revision ADD COLUMN refresh INTEGER NOT NULL DEFAULT 0`,
		`ALTER TABLE revision ADD COLUMN signed_by TEXT NOT NULL DEFAULT ''`,
		// What was read last from the address of a revision: the new settings of an administrator
		// begin with what the page showed, and not with what an older revision had read.
		`CREATE TABLE metadata (
			revision TEXT PRIMARY KEY,
			cache_key TEXT NOT NULL,
			data TEXT NOT NULL)`,
		`CREATE TABLE metadata_change (
			id TEXT PRIMARY KEY,
			at BIGINT NOT NULL,
			subject TEXT NOT NULL,
			message TEXT NOT NULL,
			dismissed_at BIGINT NOT NULL,
			dismissed_by TEXT NOT NULL)`,
		`CREATE TABLE key_use (
			key_id TEXT PRIMARY KEY,
			at BIGINT NOT NULL)`,
	},
	{
		`ALTER TABLE revision ADD COLUMN logout INTEGER NOT NULL DEFAULT 0`,
	},
}

// migrateLock is an arbitrary number that nothing else locks in the same PostgreSQL database.
const migrateLock = 7_130_265_241

// migrate brings the tables up to date in one transaction. Replicas that start together wait for
// each other. It fails if a newer release has changed the tables, because this one cannot know what
// they mean now.
func (db *DB) migrate(ctx context.Context) error {
	err := db.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := db.lock(ctx, tx, migrateLock); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
		if err != nil {
			return err
		}
		var done int
		err = tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_version").Scan(&done)
		if err != nil {
			return err
		}
		if done > len(migrations) {
			return fmt.Errorf("its tables have version %d, but this program knows versions up to %d: "+
				"a newer release has used this database. Start that release or a newer one, or use another database",
				done, len(migrations))
		}
		for n := done; n < len(migrations); n++ {
			for _, statement := range migrations[n] {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
			if _, err := db.exec(ctx, tx, "INSERT INTO schema_version (version) VALUES (?)", n+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := db.Spent().Create(ctx); err != nil {
		return err
	}
	return db.LargeSessions().Create(ctx)
}
