package storage

import (
	"testing"
	"time"
)

// TestMetadataCache: what one process keeps for a revision another one reads, as long as there is
// that revision, and under the same key.
func TestMetadataCache(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		db, ctx := open(), t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		load := func(revision, key string) string {
			t.Helper()
			cache, err := open().MetadataCache(ctx, revision)
			must(err)
			data, err := cache.Load(ctx, key)
			must(err)
			return string(data)
		}
		refreshed := numbered(1)
		refreshed.Refresh, refreshed.SignedBy = true, "certificate"
		must(db.Save(ctx, 0, refreshed, "ann"))
		state, err := open().State(ctx)
		must(err)
		if state.Saved.Settings != refreshed {
			t.Errorf("got %.300v, want the settings that were saved", state.Saved)
		}
		id := state.Saved.ID
		if got := load(id, "key"); got != "" {
			t.Errorf("nothing was kept: got %q", got)
		}
		cache, err := db.MetadataCache(ctx, id)
		must(err)
		for _, data := range []string{"{}\n\uFEFF<old/>", "{}\n<EntityDescriptor Name='é'/>"} {
			must(cache.Save(ctx, "key", []byte(data)))
			if got := load(id, "key"); got != data {
				t.Errorf("got %q, want %q", got, data)
			}
		}
		if got := load(id, "other key") + load("other", "key"); got != "" {
			t.Errorf("of another key or revision: got %q", got)
		}
		must(db.Save(ctx, 1, numbered(2), "ann"))
		c.advance(TestLifetime)
		must(db.Prune(ctx))
		if got := load(id, "key"); got != "" {
			t.Errorf("the revision is gone: got %q", got)
		}
	})
}

// TestChanges: replicas report the same change, and it is kept once. What comes back is another
// change.
func TestChanges(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		one, other, ctx := open(), open(), t.Context()
		add := func(subject, message string) {
			t.Helper()
			for _, db := range []*DB{one, other} {
				if err := db.AddChange(ctx, subject, message); err != nil {
					t.Fatal(err)
				}
			}
			c.advance(time.Second)
		}
		list := func() []Change {
			t.Helper()
			list, err := other.Changes(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		add("key 1", "added")
		add("key 2", "added")
		add("key 1", "removed")
		add("key 1", "added")
		all := list()
		if len(all) != 4 || all[0].Subject != "key 1" || all[0].Message != "added" || all[1].Message != "removed" ||
			!all[0].DismissedAt.IsZero() {
			t.Fatalf("got %+v", all)
		}
		if err := one.DismissChanges(ctx, "ann", all[0].ID, all[1].ID); err != nil {
			t.Fatal(err)
		}
		if err := other.DismissChanges(ctx, "ben", all[1].ID); err != nil {
			t.Fatal(err)
		}
		if all = list(); all[1].DismissedBy != "ann" || all[1].DismissedAt.IsZero() || !all[2].DismissedAt.IsZero() {
			t.Errorf("dismissed: got %+v", all)
		}
		c.advance(KeepChanges - 3*time.Second)
		if err := one.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		if all = list(); len(all) != 2 {
			t.Errorf("after 7 days: got %+v, want the last two", all)
		}
		add("key 1", "added") // once more, after somebody saw the one of before
		if all = list(); len(all) != 2 || !all[0].DismissedAt.IsZero() || all[1].DismissedAt.IsZero() {
			t.Errorf("a change that was dismissed and comes again: got %+v", all)
		}
	})
}

// TestKeyUses: the last use is written once an hour.
func TestKeyUses(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		one, other, ctx := open(), open(), t.Context()
		begun := moment(c.now().UnixMilli())
		for _, step := range []struct{ wait, want time.Duration }{{0, 0}, {59 * time.Minute, 0}, {time.Minute, time.Hour}} {
			c.advance(step.wait)
			for _, db := range []*DB{one, other} {
				if err := db.NoteKeyUse(ctx, "key"); err != nil {
					t.Fatal(err)
				}
			}
			uses, err := other.KeyUses(ctx)
			if err != nil || len(uses) != 1 || !uses["key"].Equal(begun.Add(step.want)) {
				t.Errorf("after another %v: got %v, %v, want %v", step.wait, uses, err, begun.Add(step.want))
			}
		}
	})
}
