package keys

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	text := func(key []byte) string { return base64.StdEncoding.EncodeToString(key) }
	for _, test := range []struct {
		name, text string
		want       [][]byte // nil: refused
	}{
		{"one key", text(first), [][]byte{first}},
		{"two keys, the new one first", text(second) + "," + text(first), [][]byte{second, first}},
		{"two lines of a file", text(second) + "\n" + text(first) + "\n", [][]byte{second, first}},
		{"nothing", " \n", nil},
		{"a short key", text(first[:16]), nil},
		{"a password", "correct horse battery", nil},
		{"a good key and a bad one", text(first) + ",x", nil},
	} {
		got, err := Parse(test.text)
		if (err == nil) != (test.want != nil) || len(got) != len(test.want) {
			t.Errorf("%s: got %d keys and %v, want %d", test.name, len(got), err, len(test.want))
			continue
		}
		for i := range got {
			if !bytes.Equal(got[i], test.want[i]) {
				t.Errorf("%s: key %d is another one", test.name, i)
			}
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "keys")
	made, err := File(name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info.Mode(), err)
	}
	again, err := File(name)
	if err != nil || len(again) != 1 || !bytes.Equal(again[0], made[0]) {
		t.Errorf("read again: got other keys, or %v", err)
	}
	if Fingerprint(made) != Fingerprint(again) {
		t.Error("the same keys have two fingerprints")
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := File(name); err == nil {
		t.Error("a file that the group can read was taken")
	}
	if entries, err := os.ReadDir(filepath.Dir(name)); err != nil || len(entries) != 1 {
		t.Errorf("something is left behind: %v, %v", entries, err)
	}
}

// TestFirstStartsAtOnce: several first starts in one folder, again and again, must all use the one
// key that is kept.
func TestFirstStartsAtOnce(t *testing.T) {
	t.Parallel()
	const rounds, starts = 50, 4
	differ := 0
	for range rounds {
		name := filepath.Join(t.TempDir(), "keys")
		var got [starts]string
		var all sync.WaitGroup
		for i := range starts {
			all.Go(func() {
				list, err := File(name)
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = Fingerprint(list)
			})
		}
		all.Wait()
		kept, err := File(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, own := range got {
			if own != Fingerprint(kept) {
				differ++
				break
			}
		}
		if entries, err := os.ReadDir(filepath.Dir(name)); err != nil || len(entries) != 1 {
			t.Errorf("something is left behind: %v, %v", entries, err)
		}
	}
	if differ > 0 {
		t.Errorf("in %d of %d folders the starts do not agree on one key", differ, rounds)
	}
}
