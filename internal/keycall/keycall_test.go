package keycall

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("down")

// elsewhere is a key without a context that does what it is told to.
type elsewhere struct {
	crypto.Signer
	do func() ([]byte, error)
}

func (k elsewhere) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return k.do() }
func (k elsewhere) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return k.do()
}

// withContext is one with a context.
type withContext struct {
	elsewhere
	do func(context.Context) ([]byte, error)
}

func (k withContext) SignContext(ctx context.Context, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return k.do(ctx)
}

func (k withContext) DecryptContext(ctx context.Context, _ []byte, _ crypto.DecrypterOpts) ([]byte, error) {
	return k.do(ctx)
}

func key(output string, err error) elsewhere {
	return elsewhere{do: func() ([]byte, error) { return []byte(output), err }}
}

func contextKey(do func(context.Context) ([]byte, error)) withContext { return withContext{do: do} }

// sign signs with a key that is elsewhere.
func (b *Bounds) sign(ctx context.Context, k crypto.Signer) (string, error) {
	out, err := b.Signer(ctx, k).Sign(rand.Reader, []byte("digest"), crypto.SHA256)
	return string(out), err
}

// TestSign: what a key answers, and what becomes of one that does not.
func TestSign(t *testing.T) {
	wait := func(ctx context.Context) ([]byte, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("the connection: %w", ctx.Err())
	}
	timeIsUp, ended := context.DeadlineExceeded, context.Canceled
	late := func() ([]byte, error) { time.Sleep(time.Hour); return []byte("output"), nil }
	panics := func() ([]byte, error) { panic("at the disco") }
	exits := func() ([]byte, error) { runtime.Goexit(); return nil, nil }
	for name, row := range map[string]struct {
		key    crypto.Signer
		why    string // "" for an answer
		cause  error
		cancel bool // the request ends after a second
		after  time.Duration
	}{
		"answers": {key("output", nil), "", nil, false, 0},
		"answers, with a context": {contextKey(func(ctx context.Context) ([]byte, error) {
			if end, ok := ctx.Deadline(); !ok || time.Until(end) != 5*time.Second {
				return nil, errors.New("there is no deadline")
			}
			return []byte("output"), nil
		}), "", nil, false, 0},
		"fails":              {key("", io.ErrUnexpectedEOF), "failed", io.ErrUnexpectedEOF, false, 0},
		"is down":            {key("", fmt.Errorf("x: %w", errDown)), "is out of service", errDown, false, 0},
		"hangs":              {contextKey(wait), "has not answered within 5s", timeIsUp, false, 5 * time.Second},
		"the request ends":   {contextKey(wait), "had not answered when the request ended", ended, true, time.Second},
		"panics":             {elsewhere{do: panics}, "failed", nil, false, 0},
		"ends its goroutine": {elsewhere{do: exits}, "failed", nil, false, 0},
		"answers late":       {elsewhere{do: late}, "has not answered within 5s", timeIsUp, false, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := New(5*time.Second, 1, errDown)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if row.cancel {
				time.AfterFunc(time.Second, cancel)
			}
			began := time.Now()
			out, err := b.sign(ctx, row.key)
			if took := time.Since(began); took != row.after {
				t.Errorf("%s: took %v, want %v", name, took, row.after)
			}
			var unavailable *Unavailable
			switch {
			case row.why == "" && (err != nil || out != "output"):
				t.Errorf("%s: got %q, %v", name, out, err)
			case row.why != "" && (!errors.As(err, &unavailable) || unavailable.Why != row.why || out != "" ||
				row.cause != nil && !errors.Is(err, row.cause)):
				t.Errorf("%s: got %q, %v, want that it %s", name, out, err, row.why)
			}
			time.Sleep(2 * time.Hour) // until the late answer is there
			if out, err := b.sign(t.Context(), key("again", nil)); err != nil || out != "again" {
				t.Errorf("%s, and then another call: got %q, %v", name, out, err)
			}
		})
	}
}

// TestEndedRequest: a request that has ended asks no key.
func TestEndedRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := New(time.Hour, 1, errDown).sign(ctx, elsewhere{do: func() ([]byte, error) {
		t.Error("the key was asked")
		return nil, nil
	}})
	if !errors.As(err, new(*Unavailable)) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestKeysThatHang: they occupy as many goroutines as there may be calls, others are refused at once,
// and all of it is over when the keys answer.
func TestKeysThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 3
		b := New(5*time.Second, calls, errDown)
		var inside atomic.Int32
		release := make(chan struct{})
		hangs := elsewhere{do: func() ([]byte, error) {
			inside.Add(1)
			<-release
			return []byte("late"), nil
		}}
		for n := range 100 {
			_, err := b.sign(t.Context(), hangs)
			want := "has not answered within 5s"
			if n >= calls {
				want = "was not asked, because 3 calls are under way"
			}
			var unavailable *Unavailable
			if !errors.As(err, &unavailable) || unavailable.Why != want {
				t.Fatalf("call %d: got %v, want that it %s", n, err, want)
			}
		}
		synctest.Wait()
		if in := goroutines(); inside.Load() != calls || in != calls {
			t.Errorf("%d calls hang in %d goroutines, want %d", inside.Load(), in, calls)
		}
		here, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		if b.Signer(t.Context(), here) != crypto.Signer(here) {
			t.Error("a key of this process is bounded too")
		}
		close(release)
		synctest.Wait()
		if left := goroutines(); left != 0 {
			t.Errorf("%d goroutines are left", left)
		}
		if out, err := b.sign(t.Context(), key("again", nil)); err != nil || out != "again" {
			t.Errorf("afterwards: got %q, %v", out, err)
		}
	})
}

// goroutines returns how many goroutines this package has running in bubbles of synctest. All others
// of the process come and go.
func goroutines() int {
	all := make([]byte, 1<<20)
	n := 0
	for stack := range bytes.SplitSeq(all[:runtime.Stack(all, true)], []byte("\n\n")) {
		if bytes.Contains(stack, []byte("synctest bubble")) &&
			bytes.Contains(stack, []byte("keycall.(*Bounds)")) {
			n++
		}
	}
	return n
}

// TestHere: keys of the standard library are called as they are.
func TestHere(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if b := New(time.Second, 1, errDown); b.Signer(t.Context(), p256) != crypto.Signer(p256) {
		t.Error("an ECDSA key of this process is bounded too")
	}
}
