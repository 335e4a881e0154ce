package saml

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"
)

// TestMessagesInFlight verifies different responses in many goroutines at once, in random order, with
// FinishLogin and a Verifier: each gets the verdict and the identity that it gets alone, also after
// others have used the memory of its trees. The race detector looks on.
func TestMessagesInFlight(t *testing.T) {
	t.Parallel()
	var flights []*flight
	accepted := 0
	for _, v := range readVectors(t) {
		if len(v.Form) > 64<<10 || v.claimed() {
			continue
		}
		verifier, sp, err := v.verifier(t)
		if err != nil {
			continue
		}
		f := &flight{name: v.Name, sp: sp, verifier: verifier, response: v.response(t, sp), options: v.verifyOptions(t, sp)}
		f.login, f.refusal = sp.finish(t.Context(), f.response, unclaimed)
		if f.login != nil {
			accepted++
		}
		flights = append(flights, f)
	}
	if accepted < 50 || len(flights) < accepted+100 {
		t.Fatalf("%d of %d messages are accepted", accepted, len(flights))
	}
	var workers sync.WaitGroup
	for seed := range uint64(6) {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 2))
			for range 60 {
				flights[r.IntN(len(flights))].again(t, r)
			}
		})
	}
	workers.Wait()
}

// unclaimed leaves out the claims: a message comes again and again here.
var unclaimed = checkList{received: allChecks.received, verified: allChecks.verified}

// A flight is a message with the verdict that it got alone.
type flight struct {
	name     string
	sp       *ServiceProvider
	verifier *Verifier
	response FormResponse
	options  VerifyOptions
	login    *Login
	refusal  *Error
}

func (f *flight) again(t *testing.T, r *rand.Rand) {
	login, refusal := f.sp.finish(t.Context(), f.response, unclaimed)
	verified, _ := f.verifier.verify(t.Context(), f.response.SAMLResponse, f.options, allChecks)
	for range r.IntN(3) {
		runtime.Gosched()
	}
	switch {
	case (login == nil) != (f.login == nil) || (verified == nil) != (f.login == nil):
		t.Errorf("%s: got %v, alone %v", f.name, refusal, f.refusal)
	case refusal != nil:
		if refusal.Error() != f.refusal.Error() || refusal.Got != f.refusal.Got || refusal.Hint != f.refusal.Hint {
			t.Errorf("%s: got %v, alone %v", f.name, refusal, f.refusal)
		}
	case !reflect.DeepEqual(login, f.login) || !reflect.DeepEqual(verified.Identity, f.login.Identity) ||
		!reflect.DeepEqual(verified.Assertion, f.login.Assertion):
		t.Errorf("%s: got %+v, alone %+v", f.name, login.Identity, f.login.Identity)
	}
}
