package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"

	"github.com/iomete/saml"
)

// A MetadataCache is the saml.MetadataCache of one revision that is refreshed: what one replica
// keeps in it, every replica begins with when it starts.
type MetadataCache struct {
	db       *DB
	revision string
	key      string
	data     []byte // nil: nothing was kept
}

var _ saml.MetadataCache = (*MetadataCache)(nil)

// MetadataCache reads what was kept for a revision. If the database does not answer there is an
// error, and no cache that seems to be empty: a key that was removed meanwhile would be trusted
// again.
func (db *DB) MetadataCache(ctx context.Context, revision string) (*MetadataCache, error) {
	c := &MetadataCache{db: db, revision: revision}
	err := db.row(ctx, db.sql, []any{&c.key, &c.data}, "SELECT cache_key, data FROM metadata WHERE revision = ?", revision)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return c, nil
}

// Load implements saml.MetadataCache. It returns what DB.MetadataCache has read.
func (c *MetadataCache) Load(_ context.Context, key string) ([]byte, error) {
	if key != c.key {
		return nil, nil
	}
	return c.data, nil
}

// Save implements saml.MetadataCache. Of two replicas the last one wins. data is a line of JSON and
// a document of XML: text in UTF-8.
func (c *MetadataCache) Save(ctx context.Context, key string, data []byte) error {
	_, err := c.db.exec(ctx, c.db.writer, `INSERT INTO metadata (revision, cache_key, data) VALUES (?, ?, ?)
		ON CONFLICT (revision) DO UPDATE SET cache_key = excluded.cache_key, data = excluded.data`,
		c.revision, key, string(data))
	return err
}

// KeepChanges is how long changes of refreshed metadata are kept.
const KeepChanges = KeepSignIns

// maxChanges is how many of them Changes returns.
const maxChanges = 100

// A Change is a change of the settings in use that nobody here made: their metadata was read again.
type Change struct {
	ID          string
	At          time.Time
	Subject     string    // what changed, such as the thumbprint of a key
	Message     string    // what is different, one sentence
	DismissedAt time.Time // zero as long as no administrator has dismissed it
	DismissedBy string
}

// changeLock is an arbitrary number that nothing else locks in the same PostgreSQL database.
const changeLock = 7_130_265_243

// AddChange keeps a change with the current time, unless it is the last one that is known of its
// subject: each replica reads the metadata for itself, and all report the same.
func (db *DB) AddChange(ctx context.Context, subject, message string) error {
	return db.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := db.lock(ctx, tx, changeLock); err != nil {
			return err
		}
		var last string
		var dismissed int64 // what was dismissed and comes again is news
		err := db.row(ctx, tx, []any{&last, &dismissed}, `SELECT message, dismissed_at FROM metadata_change
			WHERE subject = ? ORDER BY at DESC, id LIMIT 1`, subject)
		if err != nil && !errors.Is(err, ErrNotFound) || last == message && dismissed == 0 {
			return err
		}
		_, err = db.exec(ctx, tx, `INSERT INTO metadata_change
			(id, at, subject, message, dismissed_at, dismissed_by) VALUES (?, ?, ?, ?, 0, '')`,
			rand.Text(), db.stamp(), subject, message)
		return err
	})
}

// Changes returns the changes of the last days, the newest first.
func (db *DB) Changes(ctx context.Context) ([]Change, error) {
	var list []Change
	scan := func(rows *sql.Rows) error {
		var c Change
		var at, dismissed int64
		err := rows.Scan(&c.ID, &at, &c.Subject, &c.Message, &dismissed, &c.DismissedBy)
		c.At, c.DismissedAt = moment(at), moment(dismissed)
		list = append(list, c)
		return err
	}
	err := db.rows(ctx, scan, `SELECT id, at, subject, message, dismissed_at, dismissed_by
		FROM metadata_change WHERE at > ? ORDER BY at DESC, id LIMIT ?`, db.ago(KeepChanges), maxChanges)
	return list, err
}

// DismissChanges notes that an administrator has seen changes, and wants no banner for them any
// more.
func (db *DB) DismissChanges(ctx context.Context, by string, ids ...string) error {
	return db.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range ids {
			_, err := db.exec(ctx, tx, `UPDATE metadata_change SET dismissed_at = ?, dismissed_by = ?
				WHERE id = ? AND dismissed_at = 0`, db.stamp(), by, id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// KeyUsePrecision is how old a KeyUse may be before it is written again.
const KeyUsePrecision = time.Hour

// NoteKeyUse notes that a key of an identity provider has signed a response that was accepted now.
// It writes only if the last use that is known is KeyUsePrecision old.
func (db *DB) NoteKeyUse(ctx context.Context, key string) error {
	_, err := db.exec(ctx, db.writer, `INSERT INTO key_use (key_id, at) VALUES (?, ?)
		ON CONFLICT (key_id) DO UPDATE SET at = excluded.at WHERE key_use.at <= ?`,
		key, db.stamp(), db.ago(KeyUsePrecision))
	return err
}

// KeyUses returns when each key signed last, up to KeyUsePrecision too early.
func (db *DB) KeyUses(ctx context.Context) (map[string]time.Time, error) {
	uses := map[string]time.Time{}
	scan := func(rows *sql.Rows) error {
		var key string
		var at int64
		err := rows.Scan(&key, &at)
		uses[key] = moment(at)
		return err
	}
	return uses, db.rows(ctx, scan, "SELECT key_id, at FROM key_use")
}
