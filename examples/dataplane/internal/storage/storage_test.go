package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/internal/testpg"
	"github.com/iomete/saml/samltest"
)

// A clock stands still unless a test moves it.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(time.Now().UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// eachDatabase runs a test on SQLite and on PostgreSQL. open opens the same database again.
func eachDatabase(t *testing.T, test func(t *testing.T, c *clock, open func() *DB)) {
	opened := func(t *testing.T, db *DB, err error) *DB {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		c, file := newClock(), filepath.Join(t.TempDir(), "console.db")
		test(t, c, func() *DB {
			db, err := OpenSQLite(t.Context(), file, c.now)
			return opened(t, db, err)
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		c, address := newClock(), testpg.New(t)
		test(t, c, func() *DB {
			db, err := OpenPostgreSQL(t.Context(), address, c.now)
			return opened(t, db, err)
		})
	})
}

// TestSettings makes all changes. Each change that is based on an older version must be refused.
func TestSettings(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		db, ctx := open(), t.Context()
		state := func() *State {
			t.Helper()
			s, err := open().State(ctx) // as another process reads it
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		if s := state(); s.Version != 0 || s.Saved != nil || s.Enabled() || s.ChangedBy != "" {
			t.Fatalf("a new database: got %+v", s)
		}
		must(db.Save(ctx, 0, numbered(1), "ann"))
		s := state()
		if s.Version != 1 || s.Saved.Settings != numbered(1) || s.Enabled() || s.Act != Saved ||
			s.ChangedBy != "ann" || s.ChangedAt.UnixMilli() != c.now().UnixMilli() {
			t.Errorf("after Save: got %.200v", s)
		}
		must(db.Enable(ctx, 1, "ben"))
		if s = state(); !s.Enabled() || s.Pending() || s.Live.Settings != numbered(1) || s.Act != Enabled ||
			s.ChangedBy != "ben" {
			t.Errorf("after Enable: got %.200v", s)
		}
		must(db.Save(ctx, 2, numbered(2), "ann"))
		if s = state(); !s.Pending() || s.Live.Settings != numbered(1) || s.Saved.Settings != numbered(2) {
			t.Errorf("after another Save: got %.200v", s)
		}
		for name, change := range map[string]func() error{
			"Save":    func() error { return db.Save(ctx, 2, numbered(3), "eve") },
			"Enable":  func() error { return db.Enable(ctx, 2, "eve") },
			"Disable": func() error { return db.Disable(ctx, 2, "eve") },
			"Discard": func() error { return db.Discard(ctx, 2, "eve") },
			"Delete":  func() error { return db.Delete(ctx, 2, "eve") },
		} {
			if err := change(); !errors.Is(err, ErrConflict) {
				t.Errorf("%s on an older version: got %v, want ErrConflict", name, err)
			}
		}
		if again := state(); !reflect.DeepEqual(again, s) {
			t.Errorf("a refused change changed something: got %.200v", again)
		}
		must(db.Discard(ctx, 3, "ann"))
		if s = state(); s.Pending() || s.Saved.Settings != numbered(1) {
			t.Errorf("after Discard: got %.200v", s)
		}
		must(db.Disable(ctx, 4, "ann"))
		if s = state(); s.Enabled() || s.Saved.Settings != numbered(1) {
			t.Errorf("after Disable: got %.200v", s)
		}
		must(db.Delete(ctx, 5, "ann"))
		if s = state(); s.Enabled() || s.Saved != nil || s.Version != 6 {
			t.Errorf("after Delete: got %.200v", s)
		}
	})
}

// TestConcurrentChanges: many processes save at the same moment. Of the changes based on the same
// version, exactly one is kept.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, _ *clock, open func() *DB) {
		var kept atomic.Int64
		var all sync.WaitGroup
		for n := range 8 {
			db := open()
			all.Go(func() {
				switch err := db.Save(t.Context(), 0, numbered(int64(n)), strconv.Itoa(n)); {
				case err == nil:
					kept.Add(1)
				case !errors.Is(err, ErrConflict):
					t.Errorf("got %v, want ErrConflict", err)
				}
			})
		}
		all.Wait()
		s, err := open().State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.ParseInt(s.ChangedBy, 10, 64)
		if kept.Load() != 1 || s.Version != 1 || s.Saved.Settings != numbered(n) {
			t.Errorf("kept %d, version %d, saved %.40v", kept.Load(), s.Version, s.Saved)
		}
	})
}

// TestConcurrentMigrations: replicas start together on an empty database.
func TestConcurrentMigrations(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { open() })
		}
		all.Wait()
		var version int
		db := open()
		if err := db.row(t.Context(), db.sql, []any{&version}, "SELECT COUNT(*) FROM schema_version"); err != nil ||
			version != len(migrations) {
			t.Errorf("got %d migrations and %v, want %d", version, err, len(migrations))
		}
	})
}

// TestMigrationOfAccounts: an account from a release without generations is kept, and its sessions
// can be ended.
func TestMigrationOfAccounts(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		db := open()
		exec := func(statement string) {
			t.Helper()
			if _, err := db.sql.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		list, cascade := "SELECT name FROM sqlite_master WHERE type = 'table'", ""
		if db.postgres {
			list, cascade = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", " CASCADE"
		}
		var tables []string
		err := db.rows(t.Context(), func(r *sql.Rows) error {
			tables = append(tables, "")
			return r.Scan(&tables[len(tables)-1])
		}, list)
		if err != nil || len(tables) < len(migrations[0])/2 {
			t.Fatalf("got tables %q and %v", tables, err)
		}
		for _, table := range tables {
			exec("DROP TABLE " + table + cascade)
		}
		exec("CREATE TABLE schema_version (version INTEGER NOT NULL)")
		for n, step := range migrations {
			if strings.Contains(strings.Join(step, ";"), "generation") {
				break
			}
			for _, statement := range step {
				exec(statement)
			}
			exec("INSERT INTO schema_version (version) VALUES (" + strconv.Itoa(n+1) + ")")
		}
		exec("INSERT INTO account (id, email, name, home, first_at, last_at, ended_at) VALUES ('a', 'ann@example.com', '', '', 1, 1, 0)")
		exec("INSERT INTO account_key (id, account) VALUES ('key', 'a')")
		if _, err := db.Generation(t.Context(), "key"); err == nil {
			t.Fatal("the old table has a generation")
		}
		db = open()
		for want := range int64(2) {
			if got, err := db.Generation(t.Context(), "key"); err != nil || got != want {
				t.Errorf("got %d, %v, want %d", got, err, want)
			}
			if err := db.EndSessions(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestNewerDatabase: an older release does not start with the database of a newer release.
func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	for name, openAgain := range map[string]func(t *testing.T) (first *DB, again func() (*DB, error)){
		"SQLite": func(t *testing.T) (*DB, func() (*DB, error)) {
			file := filepath.Join(t.TempDir(), "console.db")
			return openSQLite(t, file), func() (*DB, error) { return OpenSQLite(t.Context(), file, time.Now) }
		},
		"PostgreSQL": func(t *testing.T) (*DB, func() (*DB, error)) {
			address := testpg.New(t)
			again := func() (*DB, error) { return OpenPostgreSQL(t.Context(), address, time.Now) }
			first, err := again()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { first.Close() })
			return first, again
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, again := openAgain(t)
			known := len(migrations)
			if _, err := first.exec(t.Context(), first.sql, "INSERT INTO schema_version (version) VALUES (?)",
				known+1); err != nil {
				t.Fatal(err)
			}
			db, err := again()
			if err == nil {
				db.Close()
				t.Fatal("the older program starts")
			}
			for _, part := range []string{
				fmt.Sprint("have version ", known+1),
				fmt.Sprint("up to ", known),
				"newer release",
			} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %q, want %q in it", err, part)
				}
			}
		})
	}
}

// TestTestRuns: the first result is kept. Prune deletes old tests, but not those in use.
func TestTestRuns(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		db, ctx := open(), t.Context()
		if err := errors.Join(
			db.Save(ctx, 0, numbered(1), "ann"),
			db.Enable(ctx, 1, "ann"),
			db.Save(ctx, 2, numbered(2), "ann"),
			db.Save(ctx, 3, numbered(3), "ann"),
		); err != nil {
			t.Fatal(err)
		}
		s, err := db.State(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.LatestTest(ctx, s.Saved.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		id, err := db.BeginTest(ctx, s.Saved.ID, &AdminSession{ID: "session", Administrator: "ann"})
		if err == nil {
			err = errors.Join(db.FinishTest(ctx, id, true, "first"), db.FinishTest(ctx, id, false, "second"))
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.PassedTest(ctx, s.Saved.ID)
		if err != nil || got.ID != id || !got.Passed || got.Result != "first" || got.AdminSession != "session" {
			t.Errorf("got %+v, %v", got, err)
		}
		c.advance(8 * 24 * time.Hour)
		if err := db.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Test(ctx, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("after 8 days: got %v, want ErrNotFound", err)
		}
		var revisions int
		if err := db.row(ctx, db.sql, []any{&revisions}, "SELECT COUNT(*) FROM revision"); err != nil ||
			revisions != 2 {
			t.Errorf("got %d revisions and %v, want the one saved and the one in use", revisions, err)
		}
	})
}

// TestSignIns: the log keeps seven days, and a limited number of lines.
func TestSignIns(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		db, ctx := open(), t.Context()
		add := func(s SignIn) {
			t.Helper()
			if err := db.AddSignIn(ctx, s); err != nil {
				t.Fatal(err)
			}
			c.advance(time.Second)
		}
		add(SignIn{Email: "old@example.com"})
		c.advance(6 * 24 * time.Hour)
		refusal := SignIn{
			Code:      "audience",
			Check:     "audience",
			Message:   "the Assertion is for another service",
			Got:       `"x"`,
			Want:      `"y"`,
			Hint:      "In Entra",
			Cause:     "none",
			Reference: "ABCDEFGHIJ",
		}
		add(refusal)
		add(SignIn{Email: "new@example.com"})
		list, err := db.SignIns(ctx, false, 10)
		if err != nil || len(list) != 3 || list[0].Email != "new@example.com" || list[2].Email != "old@example.com" {
			t.Fatalf("got %+v, %v", list, err)
		}
		list, err = db.Refusal(ctx, refusal.Reference)
		if err != nil || len(list) != 1 {
			t.Fatalf("got %+v, %v", list, err)
		}
		refusal.At = list[0].At
		if list[0] != refusal {
			t.Errorf("got %+v, want %+v", list[0], refusal)
		}
		c.advance(24 * time.Hour)
		if list, err = db.SignIns(ctx, false, 10); err != nil || len(list) != 2 {
			t.Errorf("after seven days: got %+v, %v", list, err)
		}
		if err := db.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		var lines int
		if err := db.row(ctx, db.sql, []any{&lines}, "SELECT COUNT(*) FROM sign_in"); err != nil || lines != 2 {
			t.Errorf("after Prune: got %d lines and %v, want 2", lines, err)
		}
	})
}

// identityOf signs a user in, without a network.
func identityOf(t *testing.T, idp *samltest.IdentityProvider, u samltest.User) *saml.Identity {
	t.Helper()
	return identityIn(t, idp, samltest.Answer{User: u}, saml.Config{})
}

func identityIn(t *testing.T, idp *samltest.IdentityProvider, answer samltest.Answer,
	config saml.Config) *saml.Identity {
	t.Helper()
	metadata, err := idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := saml.ParseMetadata(metadata)
	if err != nil {
		t.Fatal(err)
	}
	config.BaseURL = "https://console.example.com"
	config.IdentityProvider = trusted
	config.StateKeys = [][]byte{saml.NewStateKey()}
	config.Store = saml.NewMemoryStore()
	sp, err := saml.New(config)
	if err != nil {
		t.Fatal(err)
	}
	answer.RequestID, answer.Recipient = "_1", sp.RedirectURL()
	response, err := idp.Respond(answer)
	if err != nil {
		t.Fatal(err)
	}
	login, err := sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: response, RequestID: "_1"})
	if err != nil {
		t.Fatal(err)
	}
	return login.Identity
}

// TestAccountsAtOnce: a new user signs in on several replicas at the same moment and gets one
// account.
func TestAccountsAtOnce(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	identity := identityOf(t, idp, samltest.DefaultUsers()[0])
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		var all sync.WaitGroup
		for range 6 {
			db := open()
			all.Go(func() {
				if err := db.SignIn(context.WithoutCancel(t.Context()), identity, ""); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		db := open()
		list, err := db.Accounts(t.Context(), 1000)
		if err != nil || len(list) != 1 || !list[0].IsBound {
			t.Fatalf("got %+v, %v, want one account", list, err)
		}
		for want := range int64(3) {
			if got, err := db.Generation(t.Context(), AccountKey(identity)); err != nil || got != want {
				t.Errorf("generation: got %d, %v, want %d", got, err, want)
			}
			if err := db.EndSessions(t.Context(), list[0].ID); err != nil {
				t.Fatal(err)
			}
		}
		if list, err = db.Accounts(t.Context(), 1000); err != nil ||
			list[0].EndedAt.UnixMilli() != c.now().UnixMilli() {
			t.Errorf("got %+v, %v, want the moment when the sessions ended", list, err)
		}
		if _, err := db.Generation(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if err := db.EndSessions(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	})
}

// TestOneAddressAtOnce: two sign-ins want the same address at the same moment. A lock on the table
// stops both after they have read it and before they write. Each must see what the other one did.
// SQLite does not let the second one begin.
func TestOneAddressAtOnce(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	const address = "alice@example.com"
	signIn := func(objectID string) func(*DB) error {
		i := identityOf(t, idp, samltest.User{Mail: address, ObjectID: objectID})
		return func(db *DB) error { return db.SignIn(context.WithoutCancel(t.Context()), i, "") }
	}
	alice, heir := signIn("0d4e9c1b-77aa-4f0e-9c55-61c3a9f3b3e0"), signIn("1e5fac2c-88bb-4a1f-8d66-72d4ba04c4f1")
	add := func(db *DB) error {
		if err := db.AddAccount(context.WithoutCancel(t.Context()), address); !errors.Is(err, ErrAccountExists) {
			return err
		}
		return nil
	}
	for _, row := range []struct {
		name     string
		expected bool // an account waits
		both     [2]func(*DB) error
		accounts int
	}{
		{"two people, one expected account", true, [2]func(*DB) error{alice, heir}, 2},
		{"one person is expected twice", false, [2]func(*DB) error{add, add}, 1},
		{"a person signs in and is expected", false, [2]func(*DB) error{alice, add}, 1},
	} {
		for _, isolation := range []string{"read committed", "repeatable read"} { // the default of the server
			t.Run(row.name+", "+isolation, func(t *testing.T) {
				t.Parallel()
				database := testpg.New(t) + "&default_transaction_isolation=" + strings.ReplaceAll(isolation, " ",
					"%20")
				db, err := OpenPostgreSQL(t.Context(), database, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { db.Close() })
				if row.expected {
					if err := db.AddAccount(t.Context(), address); err != nil {
						t.Fatal(err)
					}
				}
				hold, err := db.sql.BeginTx(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer hold.Rollback()
				// This lock stops writers only; others may read.
				if _, err := hold.ExecContext(t.Context(), "LOCK TABLE account IN EXCLUSIVE MODE"); err != nil {
					t.Fatal(err)
				}
				var both sync.WaitGroup
				for _, one := range row.both {
					both.Go(func() {
						if err := one(db); err != nil {
							t.Error(err)
						}
					})
				}
				for waiting := 0; waiting < 2; time.Sleep(5 * time.Millisecond) {
					err := db.row(t.Context(), db.sql, []any{&waiting}, `SELECT COUNT(*) FROM pg_stat_activity
						WHERE datname = current_database() AND wait_event_type = 'Lock'`)
					if err != nil {
						t.Fatal(err)
					}
				}
				if err := hold.Rollback(); err != nil {
					t.Fatal(err)
				}
				both.Wait()
				var accounts, most int
				err = errors.Join(db.row(t.Context(), db.sql, []any{&accounts}, "SELECT COUNT(*) FROM account"),
					db.row(t.Context(), db.sql, []any{&most}, `SELECT COALESCE(MAX(n), 0) FROM
						(SELECT COUNT(*) AS n FROM account_key WHERE id LIKE 'v1/oid/%' GROUP BY account) AS keys`))
				if err != nil || accounts != row.accounts || most > 1 {
					t.Errorf("got %d accounts, one of them with %d object keys, %v, want %d accounts with at most one each",
						accounts, most, err, row.accounts)
				}
			})
		}
	}
}

// TestAccountLookUp changes claims and addresses between sign-ins and checks which account each
// sign-in finds. Accounts are named by their order.
func TestAccountLookUp(t *testing.T) {
	t.Parallel()
	idp := samltest.MustNew(t, samltest.Options{})
	alice := samltest.User{Mail: "alice@example.com", ObjectID: "0d4e9c1b-77aa-4f0e-9c55-61c3a9f3b3e0"}
	bob := samltest.User{Mail: "bob@example.com", ObjectID: "1e5fac2c-88bb-4a1f-8d66-72d4ba04c4f1"}
	renamed, successor := alice, bob
	renamed.Mail, successor.Mail = "alice.married@example.com", alice.Mail
	withClaims := func(u samltest.User) *saml.Identity { return identityOf(t, idp, u) }
	without := func(u samltest.User) *saml.Identity {
		const claims = "http://schemas.microsoft.com/identity/claims/"
		return identityIn(t, idp, samltest.Answer{
			User:       u,
			Attributes: []samltest.Attribute{{Name: claims + "objectidentifier"}, {Name: claims + "tenantid"}},
		}, saml.Config{})
	}
	kelvin := identityIn(t, idp, samltest.Answer{
		User: samltest.User{Mail: "\u212Aim@example.com", ObjectID: alice.ObjectID},
	}, saml.Config{AllowInternationalEmail: true})
	type step struct {
		identity *saml.Identity
		want     int // how many accounts there are then
		same     int // the step that had this account, -1 for none
	}
	for _, test := range []struct {
		name  string
		added string // an account that waits
		steps []step
	}{
		{"an account that waits", "Alice@example.com", []step{
			{withClaims(alice), 1, -1}, {withClaims(renamed), 1, 0}, {withClaims(successor), 2, -1},
		}},
		{"claims appear", "", []step{{without(alice), 1, -1}, {withClaims(alice), 1, 0}, {withClaims(renamed), 1, 0}}},
		{"claims go", "", []step{{withClaims(alice), 1, -1}, {without(alice), 1, 0}}},
		{"the address is given to another user", "", []step{
			{withClaims(alice), 1, -1}, {withClaims(successor), 2, -1},
			{withClaims(renamed), 2, 0}, {without(successor), 2, 1},
		}},
		{"nobody has a NameID of the past", "", []step{
			{withClaims(alice), 1, -1}, {withClaims(renamed), 1, 0}, {without(alice), 2, -1},
		}},
		{"a Kelvin sign", "kim@example.com", []step{{kelvin, 2, -1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, _ *clock, open func() *DB) {
				db := open()
				if test.added != "" {
					if err := db.AddAccount(t.Context(), test.added); err != nil {
						t.Fatal(err)
					}
				}
				var ids []string
				for n, step := range test.steps {
					if err := db.SignIn(t.Context(), step.identity, ""); err != nil {
						t.Fatal(err)
					}
					a, err := db.FindAccount(t.Context(), step.identity)
					if err != nil {
						t.Fatal(err)
					}
					list, err := db.Accounts(t.Context(), 1000)
					if err != nil || len(list) != step.want || step.same >= 0 && ids[step.same] != a.ID ||
						step.same < 0 && slices.Contains(ids, a.ID) {
						t.Fatalf("step %d: got account %s among %d, %v, want that of step %d among %d (before: %q)",
							n, a.ID, len(list), err, step.same, step.want, ids)
					}
					ids = append(ids, a.ID)
				}
			})
		})
	}
	nobody := func(u samltest.User) *saml.Identity {
		return identityIn(t, idp, samltest.Answer{
			User:         u,
			NameIDFormat: samltest.FormatTransient,
		}, saml.Config{NameID: saml.AllowAnyNameID})
	}
	eachDatabase(t, func(t *testing.T, _ *clock, open func() *DB) {
		if err := open().SignIn(t.Context(), nobody(samltest.User{UserPrincipalName: "a"}), ""); !errors.Is(err,
			saml.CodeNoAccountKey) {
			t.Errorf("an identity without a key: got %v, want %s", err, string(saml.CodeNoAccountKey))
		}
	})
}

// TestAdministrators covers their passwords and sessions.
func TestAdministrators(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, c *clock, open func() *DB) {
		db, ctx := open(), t.Context()
		for n, want := range []bool{true, false} {
			if made, err := db.AddAdministrator(ctx, "ann", "hash "+strconv.Itoa(n)); err != nil || made != want {
				t.Fatalf("got %t, %v, want %t", made, err, want)
			}
		}
		if a, err := db.Administrator(ctx, "ann"); err != nil || a.Password != "hash 0" {
			t.Errorf("got %+v, %v", a, err)
		}
		first, err1 := db.BeginAdminSession(ctx, "ann")
		second, err2 := db.BeginAdminSession(ctx, "ann")
		s, err3 := db.AdminSession(ctx, first)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		if err := db.SetPassword(ctx, "ann", "new hash", s.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := db.AdminSession(ctx, first); err != nil {
			t.Errorf("the session to be kept: got %v", err)
		}
		if _, err := db.AdminSession(ctx, second); !errors.Is(err, ErrNotFound) {
			t.Errorf("the other session: got %v, want ErrNotFound", err)
		}
		if err := db.SetPassword(ctx, "nobody", "x", ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if err := db.EndOtherAdministrators(ctx, "ann"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.AdminSession(ctx, first); err != nil {
			t.Errorf("the session of the administrator whose name is kept: got %v", err)
		}
		if err := db.EndOtherAdministrators(ctx, "beate"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.AdminSession(ctx, first); !errors.Is(err, ErrNotFound) {
			t.Errorf("the session of a name that the administrator no longer has: got %v, want ErrNotFound", err)
		}
	})
}

// TestLargeSessions: replicas share the sessions that are too large for a cookie, and Prune deletes
// those that have ended, by the clock of the database.
func TestLargeSessions(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, _ *clock, open func() *DB) {
		db, replica, ctx := open(), open(), t.Context()
		for key, lifetime := range map[string]time.Duration{"v1/rec/long": time.Hour, "v1/rec/short": time.Millisecond} {
			if err := db.LargeSessions().Put(ctx, key, []byte(key), lifetime); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond)
		if err := replica.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		value, found, err := replica.LargeSessions().Get(ctx, "v1/rec/long")
		if err != nil || !found || string(value) != "v1/rec/long" {
			t.Errorf("another replica: got %q, %t, %v", value, found, err)
		}
		var rows int
		if err := db.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM saml_records").Scan(&rows); err != nil || rows != 1 {
			t.Errorf("after Prune: got %d rows, %v, want one", rows, err)
		}
		if err := replica.LargeSessions().Delete(ctx, "v1/rec/long"); err != nil {
			t.Fatal(err)
		}
		if _, found, err := db.LargeSessions().Get(ctx, "v1/rec/long"); err != nil || found {
			t.Errorf("after Delete: got %t, %v", found, err)
		}
	})
}
