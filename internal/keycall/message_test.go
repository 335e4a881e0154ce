package keycall

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// ask asks the keys of a message one after the other, as often as it is told to.
func ask(m *Message, times int) (answers []string) {
	for range times {
		for _, k := range m.Keys() {
			out, err := k.Decrypt(rand.Reader, []byte("ciphertext"), nil)
			if err != nil {
				out = []byte("-")
			}
			answers = append(answers, string(out))
		}
	}
	return answers
}

// TestMessage: a key that is out of service counts only if no other key had answered before.
func TestMessage(t *testing.T) {
	down, fits, other := key("", errDown), key("fits", nil), key("", io.ErrUnexpectedEOF)
	for name, row := range map[string]struct {
		keys        []crypto.Decrypter
		answers     string
		unavailable bool
		hidden      bool
	}{
		"none":                           {nil, "", false, false},
		"one that fits":                  {[]crypto.Decrypter{fits}, "fits", false, false},
		"one that does not fit":          {[]crypto.Decrypter{other}, "-", false, false},
		"one that is down":               {[]crypto.Decrypter{down}, "-", true, false},
		"down, then one that fits":       {[]crypto.Decrypter{down, fits}, "- fits", true, false},
		"down, then another":             {[]crypto.Decrypter{down, other}, "- -", true, false},
		"fits, then one that is down":    {[]crypto.Decrypter{fits, down}, "fits -", false, true},
		"another, then one that is down": {[]crypto.Decrypter{other, down}, "- -", false, true},
		"down, another, down":            {[]crypto.Decrypter{down, other, down}, "- - -", true, true},
	} {
		m := New(time.Second, 1, errDown).Message(t.Context(), row.keys)
		if got := strings.Join(ask(m, 1), " "); got != row.answers || (m.Unavailable() != nil) != row.unavailable ||
			(m.Hidden() != nil) != row.hidden {
			t.Errorf("%s: got %q, %v, %v, want %+v", name, got, m.Unavailable(), m.Hidden(), row)
		}
	}
	var none *Message
	if none.Unavailable() != nil || none.Hidden() != nil {
		t.Error("a nil Message has a key")
	}
}

// TestMessageAsksOnce: a key that is out of service is not asked again for the same message.
func TestMessageAsksOnce(t *testing.T) {
	asked := 0
	m := New(time.Second, 1, errDown).Message(t.Context(), []crypto.Decrypter{elsewhere{do: func() ([]byte, error) {
		asked++
		return nil, errDown
	}}})
	if ask(m, 5); asked != 1 || !errors.Is(m.Unavailable(), errDown) {
		t.Errorf("asked %d times, %v", asked, m.Unavailable())
	}
}

// TestMessageTakesItsTime: all calls of one key together take no longer than one may, and each key
// has its own time.
func TestMessageTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) ([]byte, error) {
			time.Sleep(2 * time.Second)
			return []byte("slow"), nil
		}
		m := New(5*time.Second, 4, errDown).Message(t.Context(), []crypto.Decrypter{contextKey(slow), contextKey(slow)})
		began := time.Now()
		got := strings.Join(ask(m, 4), " ")
		if took := time.Since(began); got != "slow slow slow slow - - - -" || took != 10*time.Second {
			t.Errorf("got %q in %v", got, took)
		}
		if why := m.Hidden(); m.Unavailable() != nil || why == nil || why.Why != "has not answered within 5s" {
			t.Errorf("got %v, %v", m.Unavailable(), why)
		}
		time.Sleep(time.Minute)
	})
}

// TestMessageTimeIsUp: a key whose time is up to the last moment is not asked.
func TestMessageTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		m := New(5*time.Second, 1, errDown).Message(t.Context(), []crypto.Decrypter{elsewhere{do: func() ([]byte, error) {
			asked.Add(1)
			time.Sleep(5*time.Second - 1)
			return []byte("slow"), nil
		}}})
		if got := strings.Join(ask(m, 3), " "); got != "slow - -" || asked.Load() != 2 {
			t.Errorf("got %q, asked %d times", got, asked.Load())
		}
		time.Sleep(time.Minute)
	})
}

// TestEndDecidesBeforeTheAnswer: where the request or the time ends at the moment of the answer, the
// answer makes no difference.
func TestEndDecidesBeforeTheAnswer(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	b := New(time.Hour, 1, errDown)
	for what, ctx := range map[string]context.Context{"the request": over, "the time": t.Context()} {
		for _, a := range []answer{{[]byte("output"), nil}, {nil, io.ErrUnexpectedEOF}, {nil, errDown}} {
			out, err := b.outcome(ctx, over, a)
			var unavailable *Unavailable
			if out != nil || !errors.As(err, &unavailable) || unavailable.Cause != b.late(ctx).Cause {
				t.Errorf("%s ends with the answer %+v: got %q, %v", what, a, out, err)
			}
		}
	}
}

// TestOneAfterTheOther: a call has given its place back when its answer is there.
func TestOneAfterTheOther(t *testing.T) {
	b, k := New(time.Hour, 1, errDown), key("output", nil)
	for n := range 20_000 {
		if _, err := b.sign(t.Context(), k); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
}

// TestDecryptHere: a key of this process decrypts while all calls are taken, and its answer counts.
func TestDecryptHere(t *testing.T) {
	here, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, &here.PublicKey, []byte("content key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := New(time.Hour, 0, errDown)
	m := b.Message(t.Context(), []crypto.Decrypter{here, key("", nil)})
	out, err := m.Keys()[0].Decrypt(rand.Reader, ciphertext, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil || string(out) != "content key" {
		t.Errorf("got %q, %v", out, err)
	}
	_, err = m.Keys()[1].Decrypt(rand.Reader, ciphertext, nil)
	if err == nil || m.Hidden() == nil || m.Unavailable() != nil {
		t.Errorf("got %v, %v, %v", err, m.Hidden(), m.Unavailable())
	}
}
