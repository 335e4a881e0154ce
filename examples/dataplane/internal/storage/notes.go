package storage

import (
	"context"
	"errors"
)

// Note returns a named value that belongs to no other table. It returns "" if there is none.
func (db *DB) Note(ctx context.Context, name string) (value string, err error) {
	err = db.row(ctx, db.sql, []any{&value}, "SELECT value FROM note WHERE name = ?", name)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return value, err
}

// SetNote stores a value for Note.
func (db *DB) SetNote(ctx context.Context, name, value string) error {
	_, err := db.exec(ctx, db.writer, `INSERT INTO note (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// SigningKeyNote is the name of the note with the sealed signing key, which Delete deletes too.
const SigningKeyNote = "signing key"

// AddNote stores a value for Note unless there is one, and returns the one that is stored: all who
// do this at once get the same.
func (db *DB) AddNote(ctx context.Context, name, value string) (string, error) {
	_, err := db.exec(ctx, db.writer, `INSERT INTO note (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO NOTHING`, name, value)
	if err != nil {
		return "", err
	}
	return db.Note(ctx, name)
}

// ReplaceNote stores another value for Note if old is the one that is stored.
func (db *DB) ReplaceNote(ctx context.Context, name, old, value string) error {
	_, err := db.exec(ctx, db.writer, "UPDATE note SET value = ? WHERE name = ? AND value = ?", value, name, old)
	return err
}
