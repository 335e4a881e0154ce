package refresh

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	temporary    = ".tmp-"   // between the name of a file and what makes a temporary one unique
	leftoverAge  = time.Hour // a temporary file that is older was left by a process that ended
	openAttempts = 10
	dirMode      = fs.FileMode(0o700)
	fileMode     = fs.FileMode(0o600)
	randomLen    = 26 // of rand.Text
)

// ErrNotRegular is the error for a file that is a symbolic link, a directory or a device.
var ErrNotRegular = errors.New("it is not a regular file")

// ErrTooLong is the error for a file that is longer than what is read.
var ErrTooLong = errors.New("it is too long")

// ReadFile returns the content of a file in dir, at most so many bytes. No symbolic link is
// followed in the place of the file. The error is fs.ErrNotExist if there is none. Temporary files
// that an earlier process left are removed.
func ReadFile(dir, name string, maxBytes int) ([]byte, error) {
	removeLeftovers(dir, name)
	path := filepath.Join(dir, name)
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(maxBytes)+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxBytes:
		return nil, &fs.PathError{Op: "read", Path: path, Err: ErrTooLong}
	}
	return data, nil
}

// openRegular opens a file that is none but a regular one. Between the look at it and the opening, it
// may be replaced by another process that writes: then it looks again.
func openRegular(path string) (*os.File, error) {
	for range openAttempts {
		before, err := os.Lstat(path)
		if err != nil {
			return nil, err
		}
		if !before.Mode().IsRegular() {
			break
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		if opened, err := f.Stat(); err == nil && os.SameFile(before, opened) {
			return f, nil
		}
		f.Close()
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
}

// WriteFile replaces the content of a file in dir as a whole: whoever reads it, also after the
// machine has lost its power, gets all of the old or all of the new content. Only the user of the
// process may read it. A symbolic link in its place is replaced. A directory that is missing is
// made.
func WriteFile(dir, name string, data []byte) (err error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	unique := path + temporary + rand.Text()
	// with O_EXCL neither a file nor a link of this name is written through
	f, err := os.OpenFile(unique, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(unique))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(unique, path); err != nil {
		return err
	}
	syncDir(dir)
	return nil
}

// syncDir makes a rename last. Not every system can do that, and without it the old content is
// found after a loss of power.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}

// removeLeftovers removes old temporary files of one name. Younger ones may be those of a process
// that is writing.
func removeLeftovers(dir, name string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		unique, ok := strings.CutPrefix(e.Name(), name+temporary)
		if !ok || len(unique) != randomLen {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > leftoverAge {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
