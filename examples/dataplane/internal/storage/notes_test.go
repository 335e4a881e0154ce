package storage

import (
	"strconv"
	"sync"
	"testing"
)

// TestAddNote: of all who add the same note at once, each gets the one that is kept. It is replaced
// by who knows it, and one of the signing key goes with the settings.
func TestAddNote(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		got := make([]string, 4)
		var all sync.WaitGroup
		for i := range got {
			db := open()
			all.Go(func() {
				var err error
				if got[i], err = db.AddNote(t.Context(), SigningKeyNote, strconv.Itoa(i)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		db := open()
		for i := range got {
			if got[i] != got[0] || got[i] == "" {
				t.Errorf("%d got %q, and the first one %q", i, got[i], got[0])
			}
		}
		note := func() string {
			t.Helper()
			value, err := db.Note(t.Context(), SigningKeyNote)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
		for _, old := range []string{"another", got[0]} {
			if err := db.ReplaceNote(t.Context(), SigningKeyNote, old, "new"); err != nil {
				t.Fatal(err)
			}
			if value := note(); (value == "new") != (old == got[0]) {
				t.Errorf("after ReplaceNote of %q: got %q", old, value)
			}
		}
		if err := db.Delete(t.Context(), 0, "ann"); err != nil || note() != "" {
			t.Errorf("after Delete: got %q and %v, want no note", note(), err)
		}
	})
}

// TestLogoutIsKept: the switch for logout is part of the settings, and off in those of an older
// release.
func TestLogoutIsKept(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		db := open()
		for version, want := range []bool{true, false} {
			s := numbered(1)
			s.Logout = want
			if err := db.Save(t.Context(), int64(version), s, "ann"); err != nil {
				t.Fatal(err)
			}
			state, err := open().State(t.Context())
			if err != nil || state.Saved.Settings != s {
				t.Errorf("saved with %v: got %+v and %v", want, state, err)
			}
		}
		_, err := db.exec(t.Context(), db.writer, `INSERT INTO revision (id, entity_id, login_url, certificates, document,
			metadata_url, saved_at, saved_by) VALUES ('old', 'e', 'l', 'c', '', '', 1, 'ann')`)
		if err != nil {
			t.Fatal(err)
		}
		if old, err := db.Revision(t.Context(), "old"); err != nil || old.Logout {
			t.Errorf("settings of an older release: got %+v and %v", old, err)
		}
	})
}
