package saml

import (
	"context"
	"crypto"
	"errors"
	"strconv"
	"time"

	"github.com/iomete/saml/internal/keycall"
	"github.com/iomete/saml/internal/outgoing"
	"github.com/iomete/saml/internal/xmlenc"
)

// A ContextSigner is a Config.SigningKey that is not in this process, such as one in a hardware
// security module (HSM) or a key management service (KMS). If the key has this method,
// SignContext is called and Sign is not. See docs/keys.md.
type ContextSigner interface {
	crypto.Signer
	// SignContext does what Sign does, on behalf of a request. ctx ends with the request, and after
	// Config.KeyTimeout. Any error means that the key cannot be used at the moment
	// (CodeKeyUnavailable).
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// A ContextDecrypter is a DecryptionKey.Key that is not in this process. If the key has this method,
// DecryptContext is called and Decrypt is not. See docs/keys.md.
type ContextDecrypter interface {
	crypto.Decrypter
	// DecryptContext does what Decrypt does, on behalf of a request. ctx ends with the request, and
	// after Config.KeyTimeout. opts is an *rsa.OAEPOptions.
	//
	// An error that wraps ErrKeyUnavailable means that the key is out of service: CodeKeyUnavailable,
	// status 503. Return it only for what does not depend on ciphertext, such as a network error or
	// a quota. Any other error means that the ciphertext is not for this key or not well padded:
	// CodeDecryption, the same for all of these, because an attacker could learn the plaintext from
	// a difference.
	DecryptContext(ctx context.Context, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error)
}

// ErrKeyUnavailable is what a DecryptionKey.Key wraps in its error if it is out of service, with or
// without a context. See ContextDecrypter for when.
var ErrKeyUnavailable error = CodeKeyUnavailable

const (
	defaultKeyTimeout = 5 * time.Second
	maxKeyTimeout     = time.Minute
	defaultKeyCalls   = 64
	maxKeyCalls       = 10_000
)

// keyBounds returns the bounds of keys that are not in this process. The values are valid.
func keyBounds(timeout time.Duration, calls int) *keycall.Bounds {
	if timeout == 0 {
		timeout = defaultKeyTimeout
	}
	if calls == 0 {
		calls = defaultKeyCalls
	}
	return keycall.New(timeout, calls, ErrKeyUnavailable)
}

func (f *faults) keyBounds(timeout time.Duration, calls int) {
	if timeout < 0 || timeout > maxKeyTimeout {
		f.add("KeyTimeout", "is not a time to wait for a key", timeout.String(),
			"more than 0, at most "+maxKeyTimeout.String()+"; or 0 for "+defaultKeyTimeout.String())
	}
	if calls < 0 || calls > maxKeyCalls {
		f.add("KeyCalls", "is not a number of calls", strconv.Itoa(calls),
			"1 to "+strconv.Itoa(maxKeyCalls)+"; or 0 for "+strconv.Itoa(defaultKeyCalls))
	}
}

// signer returns what signs on behalf of ctx, nil if there is no key.
func (sp *ServiceProvider) signer(ctx context.Context) *outgoing.Signer {
	c := &sp.config
	if c.SigningKey == nil {
		return nil
	}
	return &outgoing.Signer{Key: sp.keyBounds.Signer(ctx, c.SigningKey), Certificate: c.SigningCertificate,
		Algorithm: c.signingAlgorithm()}
}

// notSigned is the refusal if something that we send cannot be written or signed.
func notSigned(what string, err error) *Error {
	var unavailable *keycall.Unavailable
	if errors.As(err, &unavailable) {
		return keyUnavailable(what+" cannot be signed", unavailable)
	}
	return refuse(CodeInternal, what+" cannot be written or signed", "", "").withCause(err)
}

func keyUnavailable(what string, why *keycall.Unavailable) *Error {
	return refuse(CodeKeyUnavailable, what+": the key "+why.Why, "", "").withCause(why.Cause)
}

// openKeys gets the decryption keys ready for the one message of this attempt. signed says that the
// message itself has a signature, which is verified before a key is used. It is called each time that
// the message is checked, and the keys are the same: there is one allowance for a message.
func (a *attempt) openKeys(ctx context.Context, signed bool) {
	if a.secret != nil || len(a.policy.decrypters) == 0 {
		return
	}
	a.keys = a.policy.keyBounds.Message(ctx, a.policy.decrypters)
	a.secret = xmlenc.ForMessage(a.keys.Keys())
	if a.policy.refuseCBC && !signed {
		a.secret.RefuseCBC()
	}
	a.secret.Only(a.policy.only.contents, a.policy.only.transports)
}

// orUnavailable returns the refusal err of a message, or another one if err is that of a failed
// decryption and a key could not be used. It does so whatever failed, in the plaintext too: see
// keycall.Message.
func (a *attempt) orUnavailable(err *Error) *Error {
	if err == nil || err.Code != CodeDecryption {
		return err
	}
	if why := a.keys.Unavailable(); why != nil {
		return keyUnavailable("the message cannot be decrypted", why)
	}
	return err
}

// noticeHiddenKey logs that a decryption key was out of service where the refusal must not say so. It
// logs at the rate of refusals, because anyone with a pending login can cause it.
func (sp *ServiceProvider) noticeHiddenKey(ctx context.Context, a *attempt) {
	why := a.keys.Hidden()
	if why == nil {
		return
	}
	kind := refusalKind{CodeKeyUnavailable + " after another key", a.expect.requestID != ""}
	if show, _ := sp.refusals.count(kind, a.now); show {
		message := "saml: a decryption key cannot be used, and the refusal does not say so: the key " + why.Why
		sp.config.Logger.WarnContext(ctx, message, "tenant", sp.config.Tenant, "cause", causeInLog(why.Cause))
	}
}
