// Package testpg starts a PostgreSQL server for tests, and can make its connections hang.
package testpg

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

const missing = "no PostgreSQL server: install the Debian package postgresql"

// New returns the URL of an empty database. All tests of a package share one server. If PostgreSQL
// is not installed, New skips the test, or fails it if SAML_TEST_REQUIRE is "all".
func New(t testing.TB) string {
	t.Helper()
	return url(newDatabase(t), directory)
}

func newDatabase(t testing.TB) (name string) {
	t.Helper()
	err := server()
	if errors.Is(err, errMissing) {
		if os.Getenv("SAML_TEST_REQUIRE") == "all" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	name = "t" + strconv.FormatInt(databases.Add(1), 10)
	db, err := sql.Open("pgx", url("postgres", directory))
	if err == nil {
		_, err = db.ExecContext(t.Context(), "CREATE DATABASE "+name)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Stop ends the server if it runs. Call it at the end of TestMain.
func Stop() { stop() }

var (
	databases  atomic.Int64
	errMissing = errors.New("no PostgreSQL")
	stop       = func() {}
)

const socket = ".s.PGSQL.5432"

var directory string

// server starts the server once, with a socket in a temporary directory.
var server = sync.OnceValue(func() error {
	bin, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bin) == 0 {
		return errMissing
	}
	dir, err := os.MkdirTemp("", "pg") // a short name, because the path of a socket has a limit of about 100 bytes
	if err != nil {
		return err
	}
	stop = func() { os.RemoveAll(dir) }
	attributes, err := unprivileged(dir)
	if err != nil {
		return err
	}
	run := func(args ...string) error {
		command := exec.Command(filepath.Join(bin[len(bin)-1], args[0]), args[1:]...)
		command.SysProcAttr, command.Dir = attributes, dir
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", args[0], err, out)
		}
		return nil
	}
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"); err != nil {
		return err
	}
	options := "-c listen_addresses='' -c fsync=off -k " + dir
	if err := run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		return err
	}
	stop = func() {
		run("pg_ctl", "-D", data, "-m", "immediate", "stop") // immediate, because the data is deleted
		os.RemoveAll(dir)
	}
	directory = dir
	return nil
})

func url(name, dir string) string { return "postgres:///" + name + "?user=postgres&host=" + dir }

// unprivileged returns attributes that let a program run as the user postgres if this process is
// root, because PostgreSQL refuses to run as root. It gives that user dir.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, errMissing
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2, os.Chown(dir, uid, gid)); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// A Line connects to an empty database of a real server, and can be made to hang.
type Line struct {
	Address string // URL of the database

	dir     string
	hanging sync.RWMutex // write-locked while the line hangs
	hangs   bool
	at      sync.Mutex // guards hangs
}

// NewLine opens a line, which is closed when the test ends.
func NewLine(t testing.TB) *Line {
	t.Helper()
	name := newDatabase(t)
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{Address: url(name, dir), dir: dir}
	t.Cleanup(func() {
		l.Hang(false)
		listener.Close()
		os.RemoveAll(dir)
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go l.connect(client)
		}
	}()
	return l
}

// Hang makes the line hang if on is true: it accepts connections and bytes but passes nothing on,
// like a network that loses packets. If on is false, the line works again.
func (l *Line) Hang(on bool) {
	l.at.Lock()
	defer l.at.Unlock()
	switch {
	case on && !l.hangs:
		l.hanging.Lock()
	case !on && l.hangs:
		l.hanging.Unlock()
	}
	l.hangs = on
}

func (l *Line) connect(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", filepath.Join(directory, socket))
	if err != nil {
		return
	}
	defer server.Close()
	go l.pass(server, client)
	l.pass(client, server)
}

func (l *Line) pass(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.hanging.RLock()
		_, err2 := to.Write(buffer[:n])
		l.hanging.RUnlock()
		if err != nil || err2 != nil {
			return
		}
	}
}
