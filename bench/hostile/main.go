//go:build unix

// Command hostile measures what the most expensive messages cost that the limits let through, from the form value to the answer:
// processor time and memory, garbage included, of messages of half the largest size and of the largest. It ends with status 1 where one
// goes beyond the bounds: 100 ms, 32 MiB, and less than three times the time for twice the size.
//
//	go run ./hostile [-runs 9] [-shape regexp]
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/bench/internal/cputime"
	"github.com/iomete/saml/samltest"
)

const (
	mostTime   = 100 * time.Millisecond
	mostMemory = 32 << 20
	mostGrowth = 3
	largest    = 1 << 20 // bytes of XML
)

func main() {
	runs := flag.Int("runs", 9, "how often each message is verified; the median counts")
	pattern := flag.String("shape", "", "measure only shapes whose name matches this regular expression")
	flag.Parse()
	good, err := run(*runs, *pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

func run(runs int, pattern string) (good bool, err error) {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return false, err
	}
	verifiers, err := newVerifiers()
	if err != nil {
		return false, err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "shape\tKiB\tanswer\thalf, ms\tms\tgrowth\tMiB\t")
	good = true
	for _, s := range shapes {
		if !wanted.MatchString(s.name) {
			continue
		}
		line, within, err := measure(s, verifiers[s.keys], runs)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.name, err)
		}
		good = good && within
		fmt.Fprintln(table, line)
	}
	return good, table.Flush()
}

func measure(s shape, v *verifier, runs int) (line string, within bool, err error) {
	half, err := v.cost(s.fill(largest/2), runs, "", s.code)
	if err != nil {
		return "", false, err
	}
	whole, err := v.cost(s.fill(largest), runs, s.code)
	if err != nil {
		return "", false, err
	}
	growth := float64(whole.time) / float64(half.time)
	verdict := ""
	within = whole.time < mostTime && whole.memory < mostMemory && growth < mostGrowth
	if !within {
		verdict = "BEYOND"
	}
	answer := "accepted"
	if s.code != "" {
		answer = string(s.code)
	}
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return fmt.Sprintf("%s\t%d\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%s", s.name, whole.size>>10, answer, milliseconds(half.time),
		milliseconds(whole.time), growth, float64(whole.memory)/(1<<20), verdict), within, nil
}

// A verifier trusts some keys; the last one signs, or one that is not among them.
type verifier struct {
	sp  *saml.ServiceProvider
	key crypto.Signer
}

func newVerifiers() (map[keyKind]*verifier, error) {
	rsaKeys, err := makeKeys(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	if err != nil {
		return nil, err
	}
	p521, err := makeKeys(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) })
	if err != nil {
		return nil, err
	}
	verifiers := map[keyKind]*verifier{}
	for kind, keys := range map[keyKind]struct {
		trusted []crypto.Signer
		signs   crypto.Signer
	}{
		oneRSA:      {rsaKeys[:1], rsaKeys[0]},
		sixteenRSA:  {rsaKeys[:16], rsaKeys[15]},
		sixteenP521: {p521[:16], p521[15]},
		strangers:   {rsaKeys[:16], rsaKeys[16]},
	} {
		sp, err := newServiceProvider(keys.trusted)
		if err != nil {
			return nil, err
		}
		verifiers[kind] = &verifier{sp, keys.signs}
	}
	return verifiers, nil
}

func makeKeys(generate func() (crypto.Signer, error)) ([]crypto.Signer, error) {
	keys := make([]crypto.Signer, 17)
	for i := range keys {
		var err error
		if keys[i], err = generate(); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func newServiceProvider(keys []crypto.Signer) (*saml.ServiceProvider, error) {
	idp, err := samltest.New(samltest.Options{Keys: keys, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	trusted, err := saml.ParseKeys(slices.Concat(idp.Certificates()...))
	if err != nil {
		return nil, err
	}
	settings, err := saml.NewIdentityProvider(entityID, "https://idp.example.com/login", trusted...)
	if err != nil {
		return nil, err
	}
	return saml.New(saml.Config{BaseURL: baseURL, RedirectPath: path, IdentityProvider: settings, StateKeys: [][]byte{saml.NewStateKey()},
		Store: forgetful{}, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// A forgetful store lets one message be verified again and again.
type forgetful struct{}

func (forgetful) Claim(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (forgetful) Claimed(context.Context, string) (bool, error)              { return false, nil }

type cost struct {
	size   int // bytes of XML
	time   time.Duration
	memory uint64 // allocated in all
}

// cost verifies a message some times. Another answer than those in want is an error.
func (v *verifier) cost(m message, runs int, want ...saml.Code) (cost, error) {
	text, err := m.xml(v.key)
	if err != nil {
		return cost{}, fmt.Errorf("making the message: %w", err)
	}
	if len(text) > largest {
		return cost{}, fmt.Errorf("the message has %d bytes", len(text))
	}
	response := saml.Response{SAMLResponse: base64.StdEncoding.EncodeToString([]byte(text)), RequestID: requestID}
	var times []time.Duration
	var memory []uint64
	for range runs {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := cputime.Used()
		_, err = v.sp.FinishLogin(context.Background(), response)
		times = append(times, cputime.Used()-start)
		runtime.ReadMemStats(&after)
		memory = append(memory, after.TotalAlloc-before.TotalAlloc)
	}
	if got := codeOf(err); !slices.Contains(want, got) {
		return cost{}, fmt.Errorf("got answer %q: %v", string(got), err)
	}
	slices.Sort(times)
	slices.Sort(memory)
	return cost{len(text), times[len(times)/2], memory[len(memory)/2]}, nil
}

// codeOf is the code of a refusal, "" for none.
func codeOf(err error) saml.Code {
	if refusal, ok := errors.AsType[*saml.Error](err); ok {
		return refusal.Code
	}
	return ""
}
