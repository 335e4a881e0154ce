package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/iomete/saml/examples/internal/testpg"
)

func openSQLite(t testing.TB, file string) *DB {
	t.Helper()
	db, err := OpenSQLite(t.Context(), file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestOpenMode opens a database that others can read. Afterwards only the owner can, and the caller
// is told.
func TestOpenMode(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "console.db")
	first := openSQLite(t, file)
	if len(first.Restricted) > 0 {
		t.Errorf("a new file: restricted %v", first.Restricted)
	}
	for _, name := range []string{file, file + "-wal"} { // the WAL is there while the first is open
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	second := openSQLite(t, file)
	if want := []string{file, file + "-wal"}; !slices.Equal(second.Restricted, want) {
		t.Errorf("restricted %v, want %v", second.Restricted, want)
	}
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want mode 0600", name, info.Mode(), err)
		}
	}
}

// TestFirstOpensAtOnce: the connections of several processes make one new database at the same
// moment. SQLite refuses some of them without waiting.
func TestFirstOpensAtOnce(t *testing.T) {
	t.Parallel()
	for range 10 {
		file := filepath.Join(t.TempDir(), "console.db")
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				db, err := OpenSQLite(context.WithoutCancel(t.Context()), file, time.Now)
				if err != nil {
					t.Error(err)
					return
				}
				db.Close()
			})
		}
		all.Wait()
	}
}

// claimAtOnce lets many claim at the same moment, each several keys, and returns how long each
// claim took.
func claimAtOnce(t testing.TB, db *DB, writers, each int) (took []time.Duration) {
	store := db.Spent()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				begun := time.Now()
				first, err := store.Claim(context.WithoutCancel(t.Context()), "v1/ast/"+rand.Text(), time.Hour)
				if err != nil || !first {
					t.Errorf("got %t, %v, want the claim", first, err)
				}
				mu.Lock()
				took = append(took, time.Since(begun))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

// TestClaimsHaveTheirOwnConnection: with SQLite, claims wait in order for a single connection that
// nothing else uses.
func TestClaimsHaveTheirOwnConnection(t *testing.T) {
	t.Parallel()
	db := openSQLite(t, filepath.Join(t.TempDir(), "console.db"))
	before := db.claims.Stats().WaitCount
	claimAtOnce(t, db, 32, 5)
	if got := db.claims.Stats(); got.MaxOpenConnections != 1 || got.OpenConnections > 1 || got.WaitCount == before {
		t.Errorf("the pool for claims: got %+v, want one connection with a queue", got)
	}
	if db.claims == db.sql || db.claims == db.writer {
		t.Error("claims share a pool")
	}
	// Neither a slow claim nor another writer stops a read.
	tx, err := db.claims.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if claimed, err := db.Spent().Claimed(t.Context(), "v1/ast/none"); err != nil || claimed {
		t.Errorf("a look-up while a claim is being made: got %t, %v", claimed, err)
	}
	if _, err := db.State(t.Context()); err != nil {
		t.Errorf("a read while a claim is being made: %v", err)
	}
	if _, found, err := db.LargeSessions().Get(t.Context(), "v1/rec/none"); err != nil || found {
		t.Errorf("a large session while a claim is being made: got %t, %v", found, err)
	}
}

// BenchmarkClaims measures one of many claims at the same moment.
func BenchmarkClaims(b *testing.B) {
	var took []time.Duration
	for b.Loop() {
		took = claimAtOnce(b, openSQLite(b, filepath.Join(b.TempDir(), "console.db")), 32, 40)
	}
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}

// TestSessionIsReadWhileSomebodyWrites: while another process has the lock, AdminSession.SeenAt
// cannot be written, and the page must still be served.
func TestSessionIsReadWhileSomebodyWrites(t *testing.T) {
	t.Parallel()
	c, file := newClock(), filepath.Join(t.TempDir(), "console.db")
	db, err := OpenSQLite(t.Context(), file, c.now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	token, err := db.BeginAdminSession(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.advance(10 * time.Minute)
	if _, err := db.AdminSession(t.Context(), token); err != nil {
		t.Errorf("while another process writes: got %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AdminSession(t.Context(), token); err != nil {
		t.Error(err)
	}
	c.advance(adminIdle - time.Minute)
	if _, err := db.AdminSession(t.Context(), token); err != nil {
		t.Errorf("the session was seen a moment ago: got %v", err)
	}
}

// TestHangingDatabase has a server that accepts everything and answers nothing. Each call must end
// by itself, although the caller sets no deadline.
func TestHangingDatabase(t *testing.T) {
	t.Parallel()
	line := testpg.NewLine(t)
	db, err := OpenPostgreSQL(t.Context(), line.Address, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ctx := context.WithoutCancel(t.Context())
	session := &AdminSession{ID: "s", Administrator: "ann"}
	line.Hang(true)
	var all sync.WaitGroup
	for name, call := range map[string]func() error{
		"State":         func() error { _, err := db.State(ctx); return err },
		"LiveID":        func() error { _, err := db.LiveID(ctx); return err },
		"AdminSession":  func() error { _, err := db.AdminSession(ctx, "token"); return err },
		"Accounts":      func() error { _, err := db.Accounts(ctx, 1000); return err },
		"SignIns":       func() error { _, err := db.SignIns(ctx, false, 10); return err },
		"Claimed":       func() error { _, err := db.Spent().Claimed(ctx, "v1/ast/x"); return err },
		"Get":           func() error { _, _, err := db.LargeSessions().Get(ctx, "v1/rec/x"); return err },
		"Put":           func() error { return db.LargeSessions().Put(ctx, "v1/rec/x", nil, time.Hour) },
		"Delete":        func() error { return db.LargeSessions().Delete(ctx, "v1/rec/x") },
		"Save":          func() error { return db.Save(ctx, 0, numbered(1), "ann") },
		"BeginTest":     func() error { _, err := db.BeginTest(ctx, "r", session); return err },
		"AddAccount":    func() error { return db.AddAccount(ctx, "a@example.com") },
		"MetadataCache": func() error { _, err := db.MetadataCache(ctx, "r"); return err },
		"SaveMetadata":  func() error { return (&MetadataCache{db: db, revision: "r"}).Save(ctx, "key", nil) },
		"AddChange":     func() error { return db.AddChange(ctx, "key", "added") },
		"Changes":       func() error { _, err := db.Changes(ctx); return err },
		"Dismiss":       func() error { return db.DismissChanges(ctx, "ann", "id") },
		"NoteKeyUse":    func() error { return db.NoteKeyUse(ctx, "key") },
		"KeyUses":       func() error { _, err := db.KeyUses(ctx); return err },
	} {
		all.Go(func() {
			if err := call(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v, want its own deadline", name, err)
			}
		})
	}
	all.Wait()
	line.Hang(false)
	if _, err := db.State(ctx); err != nil {
		t.Errorf("when the server answers again: got %v", err)
	}
}

// TestSignInsOfEachKind: too many lines of one kind do not displace lines of another kind.
func TestSignInsOfEachKind(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		name string
		line SignIn
		most int
	}{
		{"signed in", SignIn{Email: "ann@example.com"}, maxSignedIn},
		{"refused", SignIn{Code: "signature"}, maxRefused},
		{"stray", SignIn{Code: "base64", Stray: true}, maxStray},
	}
	for _, flood := range kinds {
		t.Run("too many "+flood.name, func(t *testing.T) {
			t.Parallel()
			eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
				db, ctx := open(), t.Context()
				for _, kind := range kinds {
					if err := db.AddSignIn(ctx, kind.line); err != nil {
						t.Fatal(err)
					}
				}
				c.advance(time.Second)
				const more = 50
				const series = "WITH RECURSIVE series(n) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n < ?) "
				const portion = 500 // rows that a slow machine writes within the time for one statement
				for n := 1; n <= flood.most+more; n += portion {
					_, err := db.exec(ctx, db.writer, "INSERT INTO sign_in "+
						"(id, at, email, code, check_name, message, got, want, hint, cause, reference, stray) "+series+
						"SELECT 'line ' || n, CAST(? AS BIGINT) + n, '', CAST(? AS TEXT), "+
						"'', '', '', '', '', '', '', CAST(? AS INTEGER) FROM series",
						n, min(n+portion-1, flood.most+more), db.stamp(), flood.line.Code, number(flood.line.Stray))
					if err != nil {
						t.Fatal(err)
					}
				}
				c.advance(time.Minute)
				if err := db.Prune(ctx); err != nil {
					t.Fatal(err)
				}
				for _, kind := range kinds {
					want := 1
					if kind.name == flood.name {
						want = kind.most
					}
					var got int // counted there: reading them all takes longer than a page may
					query := db.bind("SELECT COUNT(*) FROM sign_in WHERE stray = ? AND code = ?")
					err := db.sql.QueryRowContext(ctx, query, number(kind.line.Stray), kind.line.Code).Scan(&got)
					if err != nil {
						t.Fatal(err)
					}
					if got != want {
						t.Errorf("%s: got %d lines, want %d", kind.name, got, want)
					}
				}
			})
		})
	}
}

// TestLockOfSomebodyGone: a process takes the lock for accounts and then vanishes without closing
// its connection. Others get the lock after some seconds.
func TestLockOfSomebodyGone(t *testing.T) {
	t.Parallel()
	address := testpg.New(t)
	open := func() *DB {
		db, err := OpenPostgreSQL(t.Context(), address, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	gone, db := open(), open()
	tx, err := gone.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := gone.lock(t.Context(), tx, accountLock); err != nil {
		t.Fatal(err)
	}
	for try := 1; ; try++ {
		err := db.AddAccount(t.Context(), "ann@example.com")
		if err == nil {
			return
		}
		if try == 5 { // each waits as long as a change may take
			t.Fatalf("the lock is still held: %v", err)
		}
	}
}
