package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"time"
)

// Settings describe an identity provider, as an administrator entered them.
type Settings struct {
	EntityID     string
	LoginURL     string // absolute https URL
	Certificates string // PEM, one after another
	Document     string // the metadata as it was uploaded; "" if the fields were typed in
	MetadataURL  string // the address that Document was fetched from; "" if it was not fetched
	Refresh      bool   // whether MetadataURL is read again and again: what it says later counts too
	SignedBy     string // PEM: with Refresh, one of these keys must have signed Document; "" if none must
	Logout       bool   // whether a sign-out ends the session at the identity provider too, and the other way round
}

// A Revision is one set of saved settings. It never changes.
type Revision struct {
	ID string
	Settings
	SavedAt time.Time
	SavedBy string
}

// A State names the saved settings and the settings in use. They differ while an administrator
// prepares new ones.
type State struct {
	Version   int64     // counts the changes
	Saved     *Revision // nil if no settings are saved
	Live      *Revision // the settings that users sign in with; nil if single sign-on is not enabled
	Act       Act       // the last change
	ChangedAt time.Time
	ChangedBy string
}

// Enabled reports whether users can sign in.
func (s *State) Enabled() bool { return s.Live != nil }

// Pending reports whether the saved settings differ from those in use.
func (s *State) Pending() bool { return s.Live != nil && s.Saved != nil && s.Saved.ID != s.Live.ID }

// An Act is a change of the settings.
type Act string

const (
	Saved     Act = "saved"
	Enabled   Act = "enabled"
	Disabled  Act = "disabled"
	Deleted   Act = "deleted"
	Discarded Act = "discarded" // the saved settings were replaced by those in use
)

// State returns the settings.
func (db *DB) State(ctx context.Context) (*State, error) {
	var s State
	var savedID, liveID string
	var changedAt int64
	err := db.row(ctx, db.sql, []any{&s.Version, &savedID, &liveID, &s.Act, &changedAt, &s.ChangedBy},
		"SELECT version, saved, live, act, changed_at, changed_by FROM state WHERE id = 1")
	if err != nil {
		return nil, err
	}
	s.ChangedAt = moment(changedAt)
	// Revisions do not change, so these may be separate queries.
	if savedID != "" {
		if s.Saved, err = db.Revision(ctx, savedID); err != nil {
			return nil, err
		}
	}
	switch liveID {
	case "":
	case savedID:
		s.Live = s.Saved
	default:
		if s.Live, err = db.Revision(ctx, liveID); err != nil {
			return nil, err
		}
	}
	return &s, nil
}

// LiveID returns the ID of the revision in use, "" if there is none. It is cheap enough to call
// every few seconds.
func (db *DB) LiveID(ctx context.Context) (id string, err error) {
	err = db.row(ctx, db.sql, []any{&id}, "SELECT live FROM state WHERE id = 1")
	return id, err
}

// Revision returns the revision with an ID. It returns ErrNotFound if there is none.
func (db *DB) Revision(ctx context.Context, id string) (*Revision, error) {
	r := Revision{ID: id}
	var at int64
	var refresh, logout int
	err := db.row(ctx, db.sql, []any{
		&r.EntityID,
		&r.LoginURL,
		&r.Certificates,
		&r.Document,
		&r.MetadataURL,
		&refresh,
		&r.SignedBy,
		&logout,
		&at,
		&r.SavedBy,
	}, `SELECT entity_id, login_url, certificates, document, metadata_url, refresh, signed_by, logout,
		saved_at, saved_by FROM revision WHERE id = ?`, id)
	if err != nil {
		return nil, err
	}
	r.SavedAt, r.Refresh, r.Logout = moment(at), refresh == 1, logout == 1
	return &r, nil
}

// Save saves new settings, and leaves those in use unchanged. by is the name of the administrator.
// It returns ErrConflict if version is not the current State.Version.
func (db *DB) Save(ctx context.Context, version int64, s Settings, by string) error {
	return db.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id := rand.Text()
		_, err := db.exec(ctx, tx, `INSERT INTO revision
			(id, entity_id, login_url, certificates, document, metadata_url, refresh, signed_by, logout, saved_at,
			saved_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			id, s.EntityID, s.LoginURL, s.Certificates, s.Document, s.MetadataURL, number(s.Refresh), s.SignedBy,
			number(s.Logout), db.stamp(), by)
		if err != nil {
			return err
		}
		return db.turn(ctx, tx, version, Saved, by, "saved = ?", id)
	})
}

// Enable puts the saved settings into use. It returns ErrConflict if version is not the current
// State.Version.
func (db *DB) Enable(ctx context.Context, version int64, by string) error {
	return db.turn(ctx, db.writer, version, Enabled, by, "live = saved")
}

// Disable takes the settings out of use but keeps those that are saved. It returns ErrConflict if
// version is not the current State.Version.
func (db *DB) Disable(ctx context.Context, version int64, by string) error {
	return db.turn(ctx, db.writer, version, Disabled, by, "live = ''")
}

// Discard replaces the saved settings with those in use. It returns ErrConflict if version is not
// the current State.Version.
func (db *DB) Discard(ctx context.Context, version int64, by string) error {
	return db.turn(ctx, db.writer, version, Discarded, by, "saved = live")
}

// Delete takes the settings out of use and deletes all settings and tests, what was read of their
// metadata, and the signing key. It returns ErrConflict if version is not the current State.Version.
func (db *DB) Delete(ctx context.Context, version int64, by string) error {
	return db.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := db.turn(ctx, tx, version, Deleted, by, "saved = '', live = ''"); err != nil {
			return err
		}
		for _, table := range []string{"test_run", "metadata", "metadata_change", "revision"} {
			if _, err := db.exec(ctx, tx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		_, err := db.exec(ctx, tx, "DELETE FROM note WHERE name = ?", SigningKeyNote)
		return err
	})
}

// turn changes the single row of the state. It returns ErrConflict if the row has another version.
// set is the SQL of the change with the parameters args; it never comes from a request.
func (db *DB) turn(ctx context.Context, h handle, version int64, act Act, by, set string, args ...any) error {
	args = append(args, string(act), db.stamp(), by, version)
	n, err := db.exec(ctx, h, "UPDATE state SET version = version + 1, "+set+
		", act = ?, changed_at = ?, changed_by = ? WHERE id = 1 AND version = ?", args...)
	if err == nil && n == 0 {
		err = ErrConflict
	}
	return err
}
