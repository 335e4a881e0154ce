//go:build unix

// Command hostile measures what the most expensive messages cost that the limits let through, from the form value to the answer:
// processor time and memory, garbage included, of messages of half the largest size and of the largest. It ends with status 1 where one
// goes beyond the bounds: 100 ms, 32 MiB, and less than three times the time for twice the size.
//
//	go run ./hostile [-runs 15] [-shape regexp]
package main

import (
	"cmp"
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
	"sync"
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
	runs := flag.Int("runs", 15, "how often each message is verified; the median counts")
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

// measure verifies a message of half the size and one of the full size in turns.
func measure(s shape, v *verifier, runs int) (line string, within bool, err error) {
	half, err := v.prepare(s.fill(largest / 2))
	if err != nil {
		return "", false, err
	}
	whole, err := v.prepare(s.fill(largest))
	if err != nil {
		return "", false, err
	}
	var halfTimes, times []time.Duration
	var growths []float64
	var memory uint64
	for range runs {
		before, err := v.verify(half, "", s.code)
		if err != nil {
			return "", false, err
		}
		after, err := v.verify(whole, s.code)
		if err != nil {
			return "", false, err
		}
		halfTimes, times = append(halfTimes, before.time), append(times, after.time)
		growths = append(growths, float64(after.time)/float64(before.time))
		memory = max(memory, after.memory)
	}
	within = median(times) < mostTime && memory < mostMemory && median(growths) < mostGrowth
	verdict := ""
	if !within {
		verdict = "BEYOND"
	}
	answer := "accepted"
	if s.code != "" {
		answer = string(s.code)
	}
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return fmt.Sprintf("%s\t%d\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%s", s.name, len(whole.SAMLResponse)*3/4>>10, answer, milliseconds(median(halfTimes)),
		milliseconds(median(times)), median(growths), float64(memory)/(1<<20), verdict), within, nil
}

func median[T cmp.Ordered](list []T) T {
	slices.Sort(list)
	return list[len(list)/2]
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
		encrypted:   {rsaKeys[:1], rsaKeys[0]},
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

const maxDecryptionKeys = 4

// decryptionKeys are of the largest size and number that a service provider takes.
var decryptionKeys = sync.OnceValue(func() (keys [maxDecryptionKeys]*rsa.PrivateKey) {
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 4096)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

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
	var decrypt []saml.DecryptionKey
	for _, k := range decryptionKeys() {
		decrypt = append(decrypt, saml.DecryptionKey{Key: k})
	}
	return saml.New(saml.Config{DecryptionKeys: decrypt, BaseURL: baseURL, RedirectPath: path, IdentityProvider: settings, StateKeys: [][]byte{saml.NewStateKey()},
		Store: forgetful{}, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// A forgetful store lets one message be verified again and again.
type forgetful struct{}

func (forgetful) Claim(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (forgetful) Claimed(context.Context, string) (bool, error)              { return false, nil }

// prepare signs a message and makes a form value of it.
func (v *verifier) prepare(m message) (saml.Response, error) {
	text, err := m.xml(v.key)
	if err != nil {
		return saml.Response{}, fmt.Errorf("making the message: %w", err)
	}
	if len(text) > largest {
		return saml.Response{}, fmt.Errorf("the message has %d bytes", len(text))
	}
	return saml.Response{SAMLResponse: base64.StdEncoding.EncodeToString([]byte(text)), RequestID: requestID}, nil
}

type cost struct {
	time   time.Duration
	memory uint64 // allocated in all
}

// verify verifies a message once. Another answer than those in want is an error.
func (v *verifier) verify(r saml.Response, want ...saml.Code) (cost, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cputime.Used()
	_, err := v.sp.FinishLogin(context.Background(), r)
	used := cputime.Used() - start
	runtime.ReadMemStats(&after)
	if got := codeOf(err); !slices.Contains(want, got) {
		return cost{}, fmt.Errorf("got answer %q: %v", string(got), err)
	}
	return cost{used, after.TotalAlloc - before.TotalAlloc}, nil
}

// codeOf is the code of a refusal, "" for none.
func codeOf(err error) saml.Code {
	if refusal, ok := errors.AsType[*saml.Error](err); ok {
		return refusal.Code
	}
	return ""
}
