// Package keycall calls private keys that are not in this process, such as those of a hardware
// security module (HSM) or a key management service (KMS): in bounded time, and so that a bounded
// number of calls is under way at once. Keys of the standard library are called directly. They
// neither hang nor fail, and under load the CPU is their limit.
package keycall

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Signer is a crypto.Signer that takes a context.
type Signer interface {
	crypto.Signer
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// A Decrypter is a crypto.Decrypter that takes a context.
type Decrypter interface {
	crypto.Decrypter
	DecryptContext(ctx context.Context, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error)
}

// An Unavailable is the error of a call that has no answer of the key.
type Unavailable struct {
	Why   string // what follows on "the key ": "has not answered within 5s"
	Cause error  // of the key, nil if it gave none
}

// Error returns what is wrong, with the text of the cause.
func (e *Unavailable) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("the key %s: %v", e.Why, e.Cause)
	}
	return "the key " + e.Why
}

// Unwrap returns the error of the key, nil if it gave none.
func (e *Unavailable) Unwrap() error { return e.Cause }

// Bounds limits the calls of the keys of one provider. It is safe for concurrent use.
type Bounds struct {
	timeout time.Duration
	slots   chan struct{}
	down    error
}

// New returns Bounds for calls that take at most timeout each, of which calls are under way at once.
// A key wraps down in its error if it is out of service.
func New(timeout time.Duration, calls int, down error) *Bounds {
	return &Bounds{timeout: timeout, slots: make(chan struct{}, calls), down: down}
}

// A call is one operation of a key.
type call func(context.Context) ([]byte, error)

// do makes a call, unless too many are under way, and waits for its answer: for at most limit, and no
// longer than ctx lives. If the call goes on after that, it keeps its slot until it returns, so keys
// that hang occupy at most as many goroutines as there are slots.
func (b *Bounds) do(ctx context.Context, limit time.Duration, c call) ([]byte, error) {
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if inner.Err() != nil {
		return nil, b.late(ctx)
	}
	select {
	case b.slots <- struct{}{}:
	default:
		return nil, &Unavailable{Why: fmt.Sprintf("was not asked, because %d calls are under way", cap(b.slots))}
	}
	answers := make(chan answer, 1)
	go b.run(inner, c, answers)
	var a answer
	select {
	case a = <-answers:
	case <-inner.Done():
	}
	return b.outcome(ctx, inner, a)
}

// outcome returns what becomes of an answer. A context that has ended decides before the answer does:
// otherwise, of answers that come at that very moment, a failure could be told from a success.
func (b *Bounds) outcome(ctx, inner context.Context, a answer) ([]byte, error) {
	switch {
	case inner.Err() != nil:
		return nil, b.late(ctx)
	case errors.Is(a.err, b.down):
		return nil, &Unavailable{"is out of service", a.err}
	}
	return a.output, a.err
}

// late is the error of a call that has no answer in time.
func (b *Bounds) late(ctx context.Context) *Unavailable {
	if err := ctx.Err(); err != nil {
		return &Unavailable{"had not answered when the request ended", err}
	}
	return &Unavailable{fmt.Sprintf("has not answered within %v", b.timeout), context.DeadlineExceeded}
}

type answer struct {
	output []byte
	err    error
}

// run makes a call, frees its slot and hands over its answer. Nobody else would recover a panic here.
func (b *Bounds) run(ctx context.Context, c call, answers chan<- answer) {
	a := answer{err: errors.New("the key ended its goroutine")}
	defer func() {
		if r := recover(); r != nil {
			a.err = fmt.Errorf("the key panicked: %v", r)
		}
		<-b.slots
		answers <- a
	}()
	a.output, a.err = c(ctx)
}

// isHere reports whether a key is in this process.
func isHere(key any) bool {
	switch key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey:
		return true
	}
	return false
}

// A boundSigner is a key for what is signed on behalf of one request.
type boundSigner struct {
	crypto.Signer
	bounds *Bounds
	ctx    context.Context
}

// Signer returns key for what is signed on behalf of ctx. Nothing of an error of a signing key is
// secret, so every error of a key that is elsewhere is an *Unavailable.
func (b *Bounds) Signer(ctx context.Context, key crypto.Signer) crypto.Signer {
	if isHere(key) {
		return key
	}
	return &boundSigner{key, b, ctx}
}

func (s *boundSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := s.bounds.do(s.ctx, s.bounds.timeout, func(ctx context.Context) ([]byte, error) {
		if key, ok := s.Signer.(Signer); ok {
			return key.SignContext(ctx, digest, opts)
		}
		return s.Signer.Sign(rand.Reader, digest, opts)
	})
	if err != nil && !errors.As(err, new(*Unavailable)) {
		err = &Unavailable{"failed", err}
	}
	return signature, err
}
