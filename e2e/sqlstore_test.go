package e2e

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/iomete/saml"
	"github.com/iomete/saml/session"
	"github.com/iomete/saml/sqlstore"
	"github.com/iomete/saml/storetest"
)

// A database is one that a test has to itself.
type database struct {
	dialect     sqlstore.Dialect
	driver, dsn string
	connections int     // of each replica, 0 for several
	server      *server // nil for SQLite
}

func (d database) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, d.dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(cmp.Or(d.connections, 8)) // several replicas stay below what a server allows
	t.Cleanup(func() { db.Close() })
	return db
}

// replica is a Store with connections of its own.
func (d database) replica(t *testing.T) *sqlstore.Store {
	t.Helper()
	return sqlstore.New(d.open(t), d.dialect)
}

// records is a Records with connections of its own.
func (d database) records(t *testing.T) *sqlstore.Records {
	t.Helper()
	return sqlstore.NewRecords(d.open(t), d.dialect)
}

// databases are the ways to get one; those with a server need its Debian package.
var databases = []struct {
	name string
	make func(*testing.T) database
}{
	{"SQLite", newSQLite},
	{"SQLite as the documentation wants it, by one connection", func(t *testing.T) database {
		d := newSQLite(t)
		d.connections = 1
		return d
	}},
	{"PostgreSQL", newPostgreSQL},
	{"MariaDB", newMariaDB},
	{"MariaDB that reports the rows found in another time zone", func(t *testing.T) database {
		d := newMariaDB(t)
		// a lost claim must not count as one row there, nor local time as UTC
		d.dsn += "&clientFoundRows=true&time_zone=%27%2B13%3A00%27"
		return d
	}},
}

func newSQLite(t *testing.T) database {
	file := filepath.Join(t.TempDir(), "claims.db")
	return database{dialect: sqlstore.SQLite, driver: "sqlite", dsn: "file:" + file +
		"?_pragma=busy_timeout(20000)&_pragma=journal_mode(wal)"}
}

func newPostgreSQL(t *testing.T) database {
	s := newServer(t)
	bin := postgresPrograms(t)
	s.run(bin("initdb"), "--no-locale", "--encoding=UTF8", "--auth=trust", "--username=saml", "-D", s.data)
	s.command = []string{bin("postgres"), "-D", s.data, "-k", s.dir, "-c", "listen_addresses="}
	return s.serve(database{dialect: sqlstore.PostgreSQL, driver: "pgx", dsn: "user=saml database=postgres host=" +
		s.dir})
}

// postgresPrograms finds what Debian keeps outside PATH, one directory for each release.
func postgresPrograms(t *testing.T) func(string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		require(t, map[string]string{"initdb": "postgresql", "postgres": "postgresql"})
		return func(program string) string { return program }
	}
	return func(program string) string { return filepath.Join(found[len(found)-1], program) }
}

func newMariaDB(t *testing.T) database {
	require(t, map[string]string{"mariadb-install-db": "mariadb-server", "mariadbd": "mariadb-server"})
	s := newServer(t)
	s.run("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
		"--datadir="+s.data)
	socket := filepath.Join(s.dir, "socket")
	s.command = []string{"mariadbd", "--no-defaults", "--datadir=" + s.data, "--socket=" + socket,
		"--skip-networking", "--pid-file=" + filepath.Join(s.dir, "pid"),
		"--innodb-buffer-pool-size=32M"}
	return s.serve(database{dialect: sqlstore.MySQL, driver: "mysql", dsn: "root@unix(" + socket +
		")/mysql?timeout=10s"})
}

// A server is a database server of the test's own, on a socket in a directory that goes away with
// the test.
type server struct {
	*testing.T
	dir, data string
	user      *syscall.Credential // nil where the test is not run by root
	command   []string
	process   *exec.Cmd
	reach     func() error
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{T: t, dir: t.TempDir()}
	s.data = filepath.Join(s.dir, "data")
	if os.Getuid() != 0 {
		return s
	}
	// Both servers refuse to run as root.
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.Atoi(nobody.Uid)
	gid, err2 := strconv.Atoi(nobody.Gid)
	if err := errors.Join(err1, err2, os.Chown(s.dir, uid, gid), os.Chmod(filepath.Dir(s.dir), 0o711)); err != nil {
		t.Fatal(err)
	}
	s.user = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return s
}

func (s *server) cmd(command ...string) *exec.Cmd {
	c := exec.Command(command[0], command[1:]...)
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir, "LC_ALL=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
	return c
}

func (s *server) run(command ...string) {
	s.Helper()
	if output, err := s.cmd(command...).CombinedOutput(); err != nil {
		s.Fatalf("%s: %v\n%s", command[0], err, output)
	}
}

func (s *server) serve(d database) database {
	s.Helper()
	db := d.open(s.T)
	s.reach = func() error { return db.PingContext(s.Context()) }
	s.start()
	d.server = s
	return d
}

// start starts the server and waits until it answers.
func (s *server) start() {
	s.Helper()
	s.process = s.cmd(s.command...)
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		s.Fatal(err)
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if err := startUntilEnd(s.T, s.process); err != nil {
		s.Fatal(err)
	}
	if err := until("the server answers", func() (bool, error) { return true, s.reach() }); err != nil {
		text, _ := os.ReadFile(log.Name()) // without it the error has to do
		s.Fatalf("%v\n%s", err, text)
	}
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	s.Helper()
	// PostgreSQL's children outlive a SIGKILL of their parent for a moment and hold the data;
	// SIGQUIT ends them too and saves nothing.
	signal := os.Kill
	if filepath.Base(s.command[0]) == "postgres" {
		signal = syscall.SIGQUIT
	}
	if err := s.process.Process.Signal(signal); err != nil {
		s.Fatal(err)
	}
	s.process.Wait() // an error says that it was killed
}

func TestSQLStore(t *testing.T) {
	t.Parallel()
	for _, tt := range databases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := tt.make(t)
			t.Run("replicas make the table at once", func(t *testing.T) { testCreate(t, d) })
			t.Run("conformance", func(t *testing.T) {
				storetest.Run(t, storetest.Options{New: func(t *testing.T) saml.Store { return d.replica(t) }})
			})
			t.Run("hundreds of claims on several replicas", func(t *testing.T) { testManyClaims(t, d) })
			t.Run("an ended claim is taken over once", func(t *testing.T) { testTakeOver(t, d) })
			t.Run("an ended claim is taken over at most once while it is pruned",
				func(t *testing.T) { testTakeOverAndPrune(t, d) })
			t.Run("prune deletes what has ended and nothing else", func(t *testing.T) { testPrune(t, d) })
			t.Run("ends is in milliseconds since 1970", func(t *testing.T) { testEnds(t, d) })
			t.Run("keys that a column would change", func(t *testing.T) { testKeys(t, d) })
			t.Run("records", func(t *testing.T) { testRecords(t, d) })
			t.Run("marks", func(t *testing.T) { testMarks(t, d) })
			if d.server != nil {
				t.Run("prune spares what was claimed anew while it waited", func(t *testing.T) { testPruneWaits(t, d) })
				t.Run("the server dies and comes back", func(t *testing.T) { testServerDies(t, d) })
			}
		})
	}
}

// TestCreateWithoutServer: a database that does not answer is not taken for one that refuses.
func TestCreateWithoutServer(t *testing.T) {
	t.Parallel()
	d := database{dialect: sqlstore.PostgreSQL, driver: "pgx", dsn: "user=saml database=postgres host=" + t.TempDir()}
	for name, err := range map[string]error{
		"saml_claims": d.replica(t).Create(t.Context()), "saml_records": d.records(t).Create(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "that the database answers") {
			t.Errorf("got %v, want advice on the connection for the table %s", err, name)
		}
	}
}

func testCreate(t *testing.T, d database) {
	var wg sync.WaitGroup
	for range 8 {
		store := d.replica(t)
		wg.Go(func() {
			if err := store.Create(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	store := d.replica(t)
	key := spentKey()
	if first, err := store.Claim(t.Context(), key, time.Hour); err != nil || !first {
		t.Fatalf("got %t, %v, want the claim", first, err)
	}
	if err := store.Create(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := store.Claimed(t.Context(), key); err != nil || !got {
		t.Errorf("after Create once more: got %t, %v, want the claim kept", got, err)
	}
}

func spentKey() string { return "v1/ast/" + rand.Text() }

// race claims one key often from several replicas at once, and gives how many won and what failed.
func race(t *testing.T, replicas []*sqlstore.Store, key string, claims int) (wins int, failures error) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range claims {
		wg.Go(func() {
			first, err := replicas[i%len(replicas)].Claim(t.Context(), key, time.Hour)
			mu.Lock()
			defer mu.Unlock()
			failures = errors.Join(failures, err)
			if first {
				wins++
			}
		})
	}
	wg.Wait()
	return wins, failures
}

func (d database) replicas(t *testing.T) []*sqlstore.Store {
	t.Helper()
	return []*sqlstore.Store{d.replica(t), d.replica(t), d.replica(t), d.replica(t)}
}

func testManyClaims(t *testing.T, d database) {
	replicas := d.replicas(t)
	for range 3 {
		if wins, err := race(t, replicas, spentKey(), 200); wins != 1 || err != nil {
			t.Errorf("%d of 200 claims won, want 1 and no error: %v", wins, err)
		}
	}
}

// end lets a claim end without waiting: the row is as it will be then.
func end(t *testing.T, db *sql.DB, key string) {
	t.Helper()
	// The key is ours and has nothing to escape; the databases do not agree on how a parameter is
	// written.
	if _, err := db.ExecContext(t.Context(), "update saml_claims set ends = 1 where claim = '"+key+"'"); err != nil {
		t.Fatal(err)
	}
}

func testTakeOver(t *testing.T, d database) {
	replicas, db := d.replicas(t), d.open(t)
	for range 5 {
		key := spentKey()
		if first, err := replicas[0].Claim(t.Context(), key, time.Hour); err != nil || !first {
			t.Fatalf("a free key: got %t, %v, want the claim", first, err)
		}
		end(t, db, key)
		if got, err := replicas[0].Claimed(t.Context(), key); err != nil || got {
			t.Fatalf("an ended claim: got %t, %v, want it free", got, err)
		}
		if wins, err := race(t, replicas, key, 40); wins != 1 || err != nil {
			t.Errorf("%d of 40 claims took an ended one over, want 1 and no error: %v", wins, err)
		}
		if got, err := replicas[1].Claimed(t.Context(), key); err != nil || !got {
			t.Errorf("after the take-over: got %t, %v, want it claimed", got, err)
		}
	}
}

// testTakeOverAndPrune: MySQL ends all but one of those that wait for a row which is then deleted,
// with the error 1213. That is a refusal; two winners would be a break-in.
func testTakeOverAndPrune(t *testing.T, d database) {
	replicas, db := d.replicas(t), d.open(t)
	for range 10 {
		key := spentKey()
		if first, err := replicas[0].Claim(t.Context(), key, time.Hour); err != nil || !first {
			t.Fatalf("a free key: got %t, %v, want the claim", first, err)
		}
		end(t, db, key)
		var pruned error
		var wg sync.WaitGroup
		wg.Go(func() { pruned = replicas[0].Prune(t.Context()) })
		wins, failures := race(t, replicas, key, 40)
		wg.Wait()
		if wins > 1 || wins == 0 && failures == nil {
			t.Errorf("%d of 40 claims won beside Prune, want 1: %v", wins, failures)
		}
		if err := errors.Join(failures, pruned); err != nil && d.dialect != sqlstore.MySQL {
			t.Error(err)
		}
		if got, err := replicas[1].Claimed(t.Context(), key); err != nil || wins == 1 && !got {
			t.Errorf("after %d wins: got claimed %t, %v, want it kept", wins, got, err)
		}
	}
}

func rows(t *testing.T, db *sql.DB, where string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "select count(*) from saml_claims where "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func testPrune(t *testing.T, d database) {
	store, db := d.replica(t), d.open(t)
	live := spentKey()
	if first, err := store.Claim(t.Context(), live, time.Hour); err != nil || !first {
		t.Fatalf("got %t, %v, want the claim", first, err)
	}
	const ended = 2500 // three batches
	values := make([]string, ended)
	for i := range values {
		values[i] = fmt.Sprintf("('v1/req/%d', %d)", i, 1+i)
	}
	if _, err := db.ExecContext(t.Context(), "insert into saml_claims (claim, ends) values "+strings.Join(values,
		", ")); err != nil {
		t.Fatal(err)
	}
	before := rows(t, db, "ends > 1000000")
	if err := store.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, after := rows(t, db, "ends <= 1000000"), rows(t, db, "ends > 1000000"); left != 0 || after > before ||
		after == 0 {
		t.Errorf("%d ended rows are left, and %d of %d others, want 0 and those that live", left, after, before)
	}
	if got, err := store.Claimed(t.Context(), live); err != nil || !got {
		t.Errorf("a live claim after Prune: got %t, %v, want it claimed", got, err)
	}
}

// testEnds: what the documentation says of the column, so that others can read it. The servers have
// this machine's clock.
func testEnds(t *testing.T, d database) {
	store, db := d.replica(t), d.open(t)
	key := spentKey()
	begin := time.Now()
	first, err := store.Claim(t.Context(), key, time.Hour)
	if err != nil || !first {
		t.Fatalf("got %t, %v, want the claim", first, err)
	}
	last := time.Now()
	var ends int64
	if err := db.QueryRowContext(t.Context(),
		"select ends from saml_claims where claim = '"+key+"'").Scan(&ends); err != nil {
		t.Fatal(err)
	}
	const rounding = 10 * time.Millisecond
	if at := time.UnixMilli(ends).Add(-time.Hour); at.Before(begin.Add(-rounding)) || at.After(last.Add(rounding)) {
		t.Errorf("a claim for an hour made between %s and %s ends an hour after %s", begin, last, at)
	}
}

func testKeys(t *testing.T, d database) {
	store := d.replica(t)
	long := strings.Repeat("k", 64)
	if first, err := store.Claim(t.Context(), long, time.Hour); err != nil || !first {
		t.Errorf("64 bytes: got %t, %v, want the claim", first, err)
	}
	for _, key := range []string{"", long + "k", long + "l", "v1/ast/ ", "v1/ast/\x00", "v1/ast/é"} {
		if first, err := store.Claim(t.Context(), key, time.Hour); err == nil || first {
			t.Errorf("Claim of %q: got %t, %v, want an error", key, first, err)
		}
		if got, err := store.Claimed(t.Context(), key); err == nil || got {
			t.Errorf("Claimed of %q: got %t, %v, want an error", key, got, err)
		}
	}
}

// testPruneWaits: Prune selects an ended row, has to wait for somebody who claims it anew, and must
// not delete it then.
func testPruneWaits(t *testing.T, d database) {
	store, db := d.replica(t), d.open(t)
	key := spentKey()
	if first, err := store.Claim(t.Context(), key, time.Hour); err != nil || !first {
		t.Fatalf("got %t, %v, want the claim", first, err)
	}
	end(t, db, key)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // an error says that it was committed
	if _, err := tx.ExecContext(t.Context(),
		"update saml_claims set ends = 99999999999999 where claim = '"+key+"'"); err != nil {
		t.Fatal(err)
	}
	pruned := make(chan error, 1)
	go func() { pruned <- store.Prune(t.Context()) }()
	waiting := map[string]string{
		"pgx": "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'delete from saml_claims%'",
		// innodb_trx is not refreshed for those who look often
		"mysql": "select variable_value from information_schema.global_status where variable_name = 'Innodb_row_lock_current_waits'",
	}[d.driver]
	err = until("Prune waits for the row", func() (bool, error) {
		var n int
		err := db.QueryRowContext(t.Context(), waiting).Scan(&n)
		return n > 0, err
	})
	if err := errors.Join(err, tx.Commit(), <-pruned); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Claimed(t.Context(), key); err != nil || !got {
		t.Errorf("got %t, %v, want the new claim kept", got, err)
	}
}

// testServerDies: whatever was answered before, during and after, no key is won twice, and what was
// won stays won.
func testServerDies(t *testing.T, d database) {
	replicas := d.replicas(t)
	type claim struct {
		key   string
		first bool
		err   error
	}
	claims := make(chan claim)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, store := range replicas {
		for range 4 {
			wg.Go(func() {
				for {
					key := spentKey()
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					first, err := store.Claim(ctx, key, time.Hour)
					cancel()
					select {
					case claims <- claim{key, first, err}:
					case <-stop:
						return
					}
				}
			})
		}
	}
	var won, unknown []string
	killed := false
	for len(won) < 200 || len(unknown) < 50 {
		c := <-claims
		switch {
		case c.err == nil && c.first:
			won = append(won, c.key)
		case c.err == nil:
			t.Errorf("a new key: got false without an error")
		case c.first:
			t.Errorf("got true with the error %v", c.err)
		case !killed:
			t.Fatalf("the server is well: %v", c.err)
		default:
			unknown = append(unknown, c.key)
		}
		if len(won) == 200 && !killed {
			killed = true
			d.server.kill()
		}
	}
	close(stop)
	wg.Wait()
	if got, err := replicas[0].Claimed(t.Context(), won[0]); err == nil || got {
		t.Errorf("Claimed without a server: got %t, %v, want an error", got, err)
	}
	if err := replicas[0].Prune(t.Context()); err == nil {
		t.Error("Prune without a server: want an error")
	}
	d.server.start()
	for i, key := range won {
		if first, err := replicas[i%len(replicas)].Claim(t.Context(), key, time.Hour); err != nil || first {
			t.Fatalf("a key won before the server died: got %t, %v, want it lost", first, err)
		}
	}
	for _, key := range unknown[:5] {
		if wins, err := race(t, replicas, key, 8); wins > 1 || err != nil {
			t.Errorf("a key whose first claim failed was won %d times, want once at most and no error: %v", wins, err)
		}
	}
}

// testRecords: sessions that are too large for a cookie. Replicas make the table at once, and Prune
// deletes what has ended and nothing else.
func testRecords(t *testing.T, d database) {
	if err := d.records(t).Put(t.Context(), "v1/rec/early", []byte("value"), time.Hour); err == nil ||
		!strings.Contains(err.Error(), "call Records.Create") {
		t.Errorf("without a table: got %v, want what to call", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		records := d.records(t)
		wg.Go(func() {
			if err := records.Create(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	storetest.RunRecords(t, storetest.RecordsOptions{New: func(t *testing.T) session.Records { return d.records(t) }})

	records, db := d.records(t), d.open(t)
	for _, key := range []string{"", strings.Repeat("k", 65), "v1/rec/ ", "v1/rec/\x00", "v1/rec/é"} {
		_, found, getErr := records.Get(t.Context(), key)
		if err := records.Put(t.Context(), key, []byte("value"), time.Hour); err == nil || getErr == nil || found ||
			records.Delete(t.Context(), key) == nil {
			t.Errorf("the key %q: got %v and %v, want errors", key, err, getErr)
		}
	}
	const ended = 2500 // three batches
	values := make([]string, ended)
	for i := range values {
		values[i] = fmt.Sprintf("('v1/rec/%d', %d, '')", i, 1+i)
	}
	if _, err := db.ExecContext(t.Context(), "insert into saml_records (record, ends, sealed) values "+
		strings.Join(values, ", ")); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := records.Put(t.Context(), "v1/rec/live", []byte("value"), time.Hour); err != nil {
		t.Fatal(err)
	}
	last := time.Now()
	if err := records.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	var ends int64
	err := db.QueryRowContext(t.Context(), "select count(*) from saml_records where ends <= 1000000").Scan(&left)
	err = errors.Join(err, db.QueryRowContext(t.Context(),
		"select ends from saml_records where record = 'v1/rec/live'").Scan(&ends))
	if err != nil || left != 0 {
		t.Errorf("after Prune %d ended rows are left: %v", left, err)
	}
	const rounding = 10 * time.Millisecond
	if at := time.UnixMilli(ends).Add(-time.Hour); at.Before(begin.Add(-rounding)) || at.After(last.Add(rounding)) {
		t.Errorf("a record for an hour made between %s and %s ends an hour after %s", begin, last, at)
	}
	if value, found, err := records.Get(t.Context(), "v1/rec/live"); err != nil || !found || string(value) != "value" {
		t.Errorf("a live record after Prune: got %q, %t, %v", value, found, err)
	}
	// The column ends alone decides, by the clock of the database.
	if _, err := db.ExecContext(t.Context(), "update saml_records set ends = 1 where record = 'v1/rec/live'"); err != nil {
		t.Fatal(err)
	}
	if value, found, err := records.Get(t.Context(), "v1/rec/live"); err != nil || found {
		t.Errorf("an ended record: got %q, %t, %v, want none", value, found, err)
	}
	if d.server == nil {
		return
	}
	d.server.kill()
	if _, found, err := records.Get(t.Context(), "v1/rec/live"); err == nil || found {
		t.Errorf("without a server: got %t, %v, want an error, or users would be signed out", found, err)
	}
	d.server.start()
}

// testMarks has what the conformance suite cannot see: the rows. testRecords has made the table.
func testMarks(t *testing.T, d database) {
	records, db := d.records(t), d.open(t)
	mark := time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)
	for _, key := range []string{"", strings.Repeat("k", 65), "v1/out/ ", "v1/out/\x00", "v1/out/é"} {
		got, highestErr := records.Highest(t.Context(), "v1/out/live", key)
		if err := records.Raise(t.Context(), []string{"v1/out/live", key}, mark, time.Hour); err == nil || highestErr == nil || !got.IsZero() {
			t.Errorf("the key %q: got %v and %v, want errors", key, err, highestErr)
		}
	}
	const ended = 2500 // three batches
	values := make([]string, ended)
	for i := range values {
		values[i] = fmt.Sprintf("('v1/out/%d', %d, 1)", i, 1+i)
	}
	if _, err := db.ExecContext(t.Context(),
		"insert into saml_marks (mark, ends, issued) values "+strings.Join(values, ", ")); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := records.Raise(t.Context(), []string{"v1/out/live"}, mark, time.Hour); err != nil {
		t.Fatal(err)
	}
	last := time.Now()
	if err := records.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	var ends, issued int64
	err := db.QueryRowContext(t.Context(), "select count(*) from saml_marks where ends <= 1000000").Scan(&left)
	err = errors.Join(err, db.QueryRowContext(t.Context(),
		"select ends, issued from saml_marks where mark = 'v1/out/live'").Scan(&ends, &issued))
	if err != nil || left != 0 || issued != mark.Unix() {
		t.Errorf("after Prune %d ended rows are left, and the mark is %d, want %d: %v", left, issued, mark.Unix(), err)
	}
	const rounding = 10 * time.Millisecond
	if at := time.UnixMilli(ends).Add(-time.Hour); at.Before(begin.Add(-rounding)) || at.After(last.Add(rounding)) {
		t.Errorf("a mark for an hour made between %s and %s ends an hour after %s", begin, last, at)
	}
	// The column ends alone decides, by the clock of the database. What has ended does not come back
	// with its old time.
	if _, err := db.ExecContext(t.Context(), "update saml_marks set ends = 1 where mark = 'v1/out/live'"); err != nil {
		t.Fatal(err)
	}
	if got, err := records.Highest(t.Context(), "v1/out/live"); err != nil || !got.IsZero() {
		t.Errorf("an ended mark: got %v, %v, want none", got, err)
	}
	older := mark.Add(-time.Hour)
	if err := records.Raise(t.Context(), []string{"v1/out/live"}, older, time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, err := records.Highest(t.Context(), "v1/out/live"); err != nil || !got.Equal(older) {
		t.Errorf("a mark in the place of an ended one: got %v, %v, want %v", got, err, older)
	}
	if d.server == nil {
		return
	}
	d.server.kill()
	got, highestErr := records.Highest(t.Context(), "v1/out/live")
	if err := records.Raise(t.Context(), []string{"v1/out/live"}, mark, time.Hour); err == nil || highestErr == nil ||
		!got.IsZero() {
		t.Errorf("without a server: got %v, %v and %v, want errors: nothing may count as ended, or as written", err,
			got, highestErr)
	}
	d.server.start()
	if got, err := records.Highest(t.Context(), "v1/out/live"); err != nil || !got.Equal(older) {
		t.Errorf("after the server died: got %v, %v, want %v", got, err, older)
	}
}
