package saml_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/refresh"
	"github.com/iomete/saml/samltest"
)

// cutOver makes the identity provider publish one key alone.
func (h *metadataHouse) cutOver(key string) {
	h.server.Serve([]byte(h.xml(with(func(e *entity) { e.signing = []string{key} }))))
}

// TestHardCutOver: the identity provider publishes only the key that it signs with. The first response
// with the new key succeeds. One with the old key, made a moment before, says what happened.
func TestHardCutOver(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		s := h.source(nil)
		sp := h.provider(s, nil)
		late, err := sp.StartLogin(t.Context(), saml.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		h.cutOver("b")
		h.server.Forget()
		if err := h.login(sp, "b"); err != nil {
			t.Errorf("the first response with the new key: %v", err)
		}
		if asked := h.server.Requests(); len(asked) != 1 || asked[0].IfNoneMatch != "" || asked[0].CacheControl != "no-cache" {
			t.Errorf("asked %+v, want one request without conditions", asked)
		}
		if got := kinds(h.told()); got != "metadata_key_added metadata_key_removed" {
			t.Errorf("events %q", got)
		}
		err = h.finish(sp, late, "a")
		var refusal *saml.Error
		if !errors.As(err, &refusal) || refusal.Code != saml.CodeKeyRemoved || refusal.Page().Button == "" {
			t.Errorf("a response with the old key: %v", err)
		}
		h.pass(30 * time.Minute)
		if err := h.login(sp, "a"); !errors.Is(err, saml.CodeKeyRemoved) {
			t.Errorf("half an hour later: %v", err)
		}
		h.pass(90 * time.Minute)
		if err := h.login(sp, "a"); !errors.Is(err, saml.CodeSignature) {
			t.Errorf("hours later: %v", err)
		}
		if err := h.login(sp, "b"); err != nil {
			t.Error(err)
		}
	})
}

// TestWhatCausesNoReread: only an unknown key in the answer to a login that this service began does.
func TestWhatCausesNoReread(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		sp := h.provider(h.source(nil), func(c *saml.Config) { c.Unsolicited = saml.AllowUnsolicited })
		h.server.Forget()
		answer := func(id, state string, a samltest.Answer) error {
			a.RequestID, a.Recipient = id, redirectURL
			form, err := h.idp.Respond(a)
			if err != nil {
				t.Fatal(err)
			}
			r := saml.FormResponse{SAMLResponse: form, State: state}
			if state == "" {
				r.RequestID = id
			}
			_, err = sp.FinishLogin(t.Context(), r)
			return err
		}
		begun := func(a samltest.Answer) error {
			request, err := sp.StartLogin(t.Context(), saml.LoginOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return answer(request.ID, request.State, a)
		}
		flip := func(s string) string { return strings.Replace(s, "ioana", "mihai", 1) }
		for name, err := range map[string]error{
			"a good one":                   begun(samltest.Answer{}),
			"no pending login":             answer("_x", "", samltest.Answer{Key: 2}),
			"an unsolicited response":      answer("", "", samltest.Answer{Key: 2}),
			"a state that is not ours":     answer("_x", "nonsense", samltest.Answer{Key: 2}),
			"not signed":                   begun(samltest.Answer{Sign: samltest.SignNothing}),
			"a wrong audience":             begun(samltest.Answer{Audience: "https://other.example.com"}),
			"an error of the other side":   begun(samltest.Answer{Status: "urn:oasis:names:tc:SAML:2.0:status:Responder"}),
			"another identity provider":    begun(samltest.Answer{Issuer: ringOtherID, Key: 2}),
			"too old, with an unknown key": begun(samltest.Answer{ClockOffset: -48 * time.Hour, Destination: "https://x.example/", Key: 2}),
			"changed on its way":           h.changed(sp, flip),
		} {
			if (err == nil) != (name == "a good one") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := h.asked(); n != 0 {
			t.Errorf("%d requests", n)
		}
		if err := begun(samltest.Answer{Key: 2}); !errors.Is(err, saml.CodeSignature) || h.asked() != 1 {
			t.Errorf("an unknown key: %v, %d requests", err, h.asked())
		}
	})
}

// changed is a login whose response names a trusted key that did not sign it.
func (h *metadataHouse) changed(sp *saml.ServiceProvider, change func(string) string) error {
	h.t.Helper()
	request, err := sp.StartLogin(h.t.Context(), saml.LoginOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	document, err := h.idp.RespondXML(samltest.Answer{RequestID: request.ID, Recipient: redirectURL})
	if err != nil {
		h.t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(document), "<SignatureValue>")
	value, _, _ = strings.Cut(value, "</SignatureValue>")
	spoiled := strings.Replace(string(document), value, strings.Repeat("A", len(value)-4)+value[len(value)-4:], 1)
	_, err = sp.FinishLogin(h.t.Context(), saml.FormResponse{SAMLResponse: base64.StdEncoding.EncodeToString([]byte(spoiled)), State: request.State})
	if !errors.Is(err, saml.CodeSignature) {
		h.t.Errorf("a spoiled signature of a trusted key: %v", err)
	}
	return err
}

// TestFloodOfUnknownKeys: hundreds of responses with unknown keys cause one fetch in five minutes. At
// most half of 100 wait for it; the others are refused at once.
func TestFloodOfUnknownKeys(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		s := h.source(nil)
		sp := h.provider(s, nil)
		var most atomic.Int32
		document := []byte(h.xml(with(nil)))
		h.server.Fail(func(w http.ResponseWriter, r *http.Request, _ []byte) {
			for range 100 { // until so many wait, or no more come
				most.Store(max(most.Load(), int32(h.scheduler.Waiting.Taken())))
				time.Sleep(time.Millisecond)
			}
			w.Write(document)
		})
		h.server.Forget()
		var logins sync.WaitGroup
		var refused atomic.Int32
		for range 200 {
			logins.Go(func() {
				if err := h.login(sp, "c"); errors.Is(err, saml.CodeSignature) {
					refused.Add(1)
				}
			})
		}
		logins.Wait()
		if n := h.asked(); n != 1 || refused.Load() != 200 || most.Load() > 50 {
			t.Errorf("%d requests, %d refused, %d waited", n, refused.Load(), most.Load())
		}
		err := h.login(sp, "c")
		var refusal *saml.Error
		if !errors.As(err, &refusal) || h.asked() != 1 || !strings.Contains(refusal.Hint, "last read at 2000-01-01T") ||
			!strings.Contains(refusal.Hint, "next look for a new key may be at 2000-01-01T") {
			t.Errorf("in the five minutes: %v, hint %q, %d requests", err, refusal.Hint, h.asked())
		}
		h.pass(5 * time.Minute)
		h.server.Fail(nil)
		h.login(sp, "c")
		h.login(sp, "c")
		if n := h.asked(); n != 2 {
			t.Errorf("%d requests after five minutes, want one more", n)
		}
	})
}

// TestMostThatWait: when 100 wait in the process, nobody else does, of whatever source.
func TestMostThatWait(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		sp := h.provider(h.source(nil), nil)
		for range h.scheduler.Waiting.InAll {
			if !h.scheduler.Waiting.Enter(new(refresh.Queue)) {
				t.Fatal("there is no place")
			}
		}
		h.server.Forget()
		before := h.now()
		if err := h.login(sp, "c"); !errors.Is(err, saml.CodeSignature) || h.asked() != 0 || !h.now().Equal(before) {
			t.Errorf("got %v after %v, %d requests", err, h.now().Sub(before), h.asked())
		}
	})
}

// TestRetryAfterHoldsForAll: a server that wants to be left alone is, also if a key is unknown.
func TestRetryAfterHoldsForAll(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		s := h.source(nil)
		sp := h.provider(s, nil)
		h.server.Fail(samltest.FaultStatus(http.StatusServiceUnavailable, "1800"))
		h.next(s)
		h.server.Fail(nil)
		h.cutOver("b")
		h.server.Forget()
		h.pass(25 * time.Minute)
		if err := h.login(sp, "b"); !errors.Is(err, saml.CodeSignature) || h.asked() != 0 {
			t.Errorf("before: %v, %d requests", err, h.asked())
		}
		h.pass(5 * time.Minute)
		if err := h.login(sp, "b"); err != nil {
			t.Errorf("after: %v", err)
		}
	})
}

// TestRereadOutlivesItsFirstWaiter: the look goes on when the response that caused it has gone, and the
// next response succeeds.
func TestRereadOutlivesItsFirstWaiter(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		s := h.source(nil)
		sp := h.provider(s, nil)
		h.cutOver("b")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		idp, err := s.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Reread(ctx, idp); err == nil {
			t.Log("the look was faster than the end of its context")
		}
		h.pass(time.Second)
		if err := h.login(sp, "b"); err != nil {
			t.Error(err)
		}
		if err := s.Reread(ctx, idp); err != nil {
			t.Errorf("there is something newer, and Reread says %v", err)
		}
	})
}

// TestRereadOfAnEncryptedResponse: the new key is inside what is encrypted, so every failure to decrypt
// may be one. It is refused with the one error that there is for all of them.
func TestRereadOfAnEncryptedResponse(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		key := testRSA(t)
		s := h.source(nil)
		sp := h.provider(s, func(c *saml.Config) { c.DecryptionKeys = []saml.DecryptionKey{{Key: key}} })
		encrypted := func(signer int) error {
			request, err := sp.StartLogin(t.Context(), saml.LoginOptions{})
			if err != nil {
				t.Fatal(err)
			}
			form, err := h.idp.Respond(samltest.Answer{RequestID: request.ID, Recipient: redirectURL, Key: signer,
				Encrypt: &samltest.Encryption{Certificates: [][]byte{certificateOf(t, key)}}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = sp.FinishLogin(t.Context(), saml.FormResponse{SAMLResponse: form, State: request.State})
			return err
		}
		if err := encrypted(0); err != nil {
			t.Fatal(err)
		}
		h.cutOver("b")
		if err := encrypted(1); err != nil {
			t.Errorf("after the cut-over: %v", err)
		}
		if err := encrypted(0); !errors.Is(err, saml.CodeDecryption) {
			t.Errorf("with the old key: %v", err)
		}
	})
}

// TestReplicas: each replica finds the new key by itself.
func TestReplicas(t *testing.T) {
	withMetadataHouse(t, func(t *testing.T, h *metadataHouse) {
		h.cutOver("a")
		one, two := h.provider(h.source(nil), nil), h.provider(h.source(nil), nil)
		h.cutOver("b")
		for _, sp := range []*saml.ServiceProvider{one, two} {
			if err := h.login(sp, "b"); err != nil {
				t.Error(err)
			}
		}
	})
}
