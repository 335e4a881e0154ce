package keycall

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"io"
	"time"
)

// A Message is what becomes of the decryption keys while one message is read. It is not safe for
// concurrent use. A nil *Message has no keys.
//
// Who sends a ciphertext must not learn what a key made of it (padding oracle). That a key is out of
// service is no secret, but whether it was asked may be one: the next key is asked only if the key
// before it did not fit. So it counts only if it was found out before any key had answered. Then it
// is true for every ciphertext, and the caller puts it in the place of every other failure of this
// message. After an answer, a key that is out of service is like one that does not fit.
type Message struct {
	keys        []crypto.Decrypter
	answered    bool
	unavailable *Unavailable // before any answer
	hidden      *Unavailable // after one
}

// Message returns keys for one message that is read on behalf of ctx.
func (b *Bounds) Message(ctx context.Context, keys []crypto.Decrypter) *Message {
	m := &Message{}
	for _, key := range keys {
		m.keys = append(m.keys, &messageKey{Decrypter: key, message: m, bounds: b, ctx: ctx, left: b.timeout})
	}
	return m
}

// Keys returns the keys, in their order.
func (m *Message) Keys() []crypto.Decrypter { return m.keys }

// Unavailable returns why a key could not be asked, if that depends on nothing in the message; else
// nil. If it is not nil, it takes the place of every failure that the message may have.
func (m *Message) Unavailable() *Unavailable {
	if m == nil {
		return nil
	}
	return m.unavailable
}

// Hidden returns why a key could not be asked after another one had answered, or nil. It is for the
// log alone: the sender of the message must not learn it.
func (m *Message) Hidden() *Unavailable {
	if m == nil {
		return nil
	}
	return m.hidden
}

// A messageKey is one key for one message.
type messageKey struct {
	crypto.Decrypter
	message *Message
	bounds  *Bounds
	ctx     context.Context
	left    time.Duration // for all calls of this key
	down    error         // it is not asked again
}

func (k *messageKey) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if k.down != nil {
		return nil, k.down
	}
	plaintext, err := k.call(ciphertext, opts)
	var unavailable *Unavailable
	if errors.As(err, &unavailable) {
		k.down = err
		k.message.note(unavailable)
	} else {
		k.message.answered = true
	}
	return plaintext, err
}

func (m *Message) note(e *Unavailable) {
	if m.answered {
		m.hidden = e
	} else {
		m.unavailable = e
	}
}

func (k *messageKey) call(ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if isHere(k.Decrypter) {
		return k.Decrypter.Decrypt(rand.Reader, ciphertext, opts)
	}
	began := time.Now()
	defer func() { k.left -= time.Since(began) }()
	return k.bounds.do(k.ctx, k.left, func(ctx context.Context) ([]byte, error) {
		if key, ok := k.Decrypter.(Decrypter); ok {
			return key.DecryptContext(ctx, ciphertext, opts)
		}
		return k.Decrypter.Decrypt(rand.Reader, ciphertext, opts)
	})
}
