package storage

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/examples/internal/testpg"
)

// killedFile is the environment variable that makes the test binary a process that saves until it
// is killed.
const killedFile = "DATAPLANE_TEST_SAVE"

func TestMain(m *testing.M) {
	if file := os.Getenv(killedFile); file != "" {
		saveUntilKilled(file)
	}
	status := m.Run()
	testpg.Stop()
	os.Exit(status)
}

// numbered returns settings whose fields all hold the number n. They are large enough to take
// several pages of the database.
func numbered(n int64) Settings {
	return Settings{
		EntityID:     fmt.Sprint("entity ", n),
		LoginURL:     fmt.Sprint("login ", n),
		Certificates: strings.Repeat(fmt.Sprint("certificate ", n, "\n"), 500),
		Document:     strings.Repeat(fmt.Sprint("document ", n, "\n"), 3000),
		MetadataURL:  fmt.Sprint("metadata ", n),
	}
}

// saveUntilKilled saves numbered settings and enables every other one, and prints the version
// before each change.
func saveUntilKilled(file string) {
	err := func() error {
		db, err := OpenSQLite(context.Background(), file, time.Now)
		if err != nil {
			return err
		}
		state, err := db.State(context.Background())
		if err != nil {
			return err
		}
		for version := state.Version; ; version++ {
			fmt.Println(version)
			if version%2 == 0 {
				err = db.Save(context.Background(), version, numbered(version), "child")
			} else {
				err = db.Enable(context.Background(), version, "child")
			}
			if err != nil {
				return err
			}
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKill kills a process at a random moment while it saves, again and again. Afterwards the
// database must hold the old settings or the new ones, complete.
func TestKill(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "console.db")
	for round := range 12 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), killedFile+"="+file)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var begun int64
		for range 1 + rand.IntN(20) {
			if !lines.Scan() {
				t.Fatal("the child ended by itself")
			}
			fmt.Sscan(lines.Text(), &begun)
		}
		for range rand.IntN(2_000_000) { // somewhere within the change
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			fmt.Sscan(lines.Text(), &begun)
		}
		child.Wait() // it was killed

		db, err := OpenSQLite(t.Context(), file, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		state, err := db.State(t.Context())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if state.Version != begun && state.Version != begun+1 {
			t.Errorf("round %d: got version %d, want %d or %d", round, state.Version, begun, begun+1)
		}
		if state.Version == 0 {
			continue
		}
		saved := state.Version - 1 - (state.Version-1)%2 // the last even version from which was changed
		if state.Saved == nil || state.Saved.Settings != numbered(saved) {
			t.Errorf("round %d, version %d: the saved settings are not those of %d: %.60v",
				round, state.Version, saved, state.Saved)
		}
		live := saved
		if state.Version%2 == 1 { // saved, and not enabled yet
			live = saved - 2
		}
		if live >= 0 && (state.Live == nil || state.Live.Settings != numbered(live)) {
			t.Errorf("round %d, version %d: the settings in use are not those of %d", round, state.Version, live)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
