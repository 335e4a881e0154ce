//go:build unix

// Command hostile measures what the most expensive inputs cost that the limits let through:
// messages, from the form value to the answer, and what an administrator uploads or a tenant
// publishes: metadata and certificates. It measures processor time and memory, garbage included, of
// inputs of half the largest size and of the largest. It ends with status 1 if one goes beyond the
// bounds: 100 ms and 32 MiB for a message, 1 s and 128 MiB for 4 MiB of metadata or certificates,
// and less than three times the time for twice the size.
//
// With -at-once it posts the messages through the Handler, first one by one, then that many at the
// same moment, beside people who sign in. Then the bounds are those of a single message for each
// alone; for all together a peak of the heap, a longest answer and a sum of processor time, which it
// prints.
//
//	go run ./hostile [-runs 15] [-shape regexp]
//	go run ./hostile -at-once 200 [-shape regexp]
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
	"math/big"
	"os"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/bench/internal/cputime"
)

// bounds are what one kind of input may cost.
type bounds struct {
	largest int // bytes
	time    time.Duration
	memory  uint64 // bytes, allocated in all
}

var (
	ofMessages  = bounds{largest, 100 * time.Millisecond, 32 << 20}
	ofDocuments = bounds{4 << 20, time.Second, 128 << 20}
)

const (
	mostGrowth = 3
	noise      = 20      // a time of less than this part of the bound says nothing about growth
	largest    = 1 << 20 // bytes of a message in XML
)

func main() {
	runs := flag.Int("runs", 15, "how often each input is read; the median counts")
	pattern := flag.String("shape", "", "measure only shapes whose name matches this regular expression")
	many := flag.Int("at-once", 0, "post this many messages at the same moment through the Handler instead")
	flag.Parse()
	measure := func() (bool, error) { return run(*runs, *pattern) }
	if *many > 0 {
		measure = func() (bool, error) { return atOnce(*many, *pattern) }
	}
	good, err := measure()
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
	families, err := allFamilies()
	if err != nil {
		return false, err
	}
	fmt.Printf(row, "shape", "KiB", "answer", "half, ms", "ms", "growth", "MiB", "")
	good = true
	for _, f := range families {
		if !wanted.MatchString(f.name) {
			continue
		}
		line, within, err := f.measure(runs)
		if err != nil { // the other shapes are measured all the same
			line, within = fmt.Sprintf(row, f.name, "", "", "", "", "", "", "FAULT: "+err.Error()), false
		}
		good = good && within
		fmt.Print(line)
	}
	return good, nil
}

// row is a line of the table.
const row = "%-66s %5v  %-18s %8v %8v %6v %6v  %s\n"

// A family is a shape of any kind, ready to be measured.
type family struct {
	name    string
	bounds  bounds
	answers []saml.Code // with which an input of the full size may be answered, "" for accepted
	prepare func(size int) (input, error)
}

// An input is read by read, again and again with the same result.
type input struct {
	size int
	read func() error
}

func allFamilies() (list []family, err error) {
	verifiers, err := newVerifiers()
	if err != nil {
		return nil, err
	}
	for _, s := range shapes {
		list = append(list, verifiers[s.keys].family(s))
	}
	for _, d := range documents() {
		list = append(list, d.family())
	}
	return list, nil
}

// measure reads an input of half the size and one of the full size in turns. It comes to them from
// small ones, since what has no bound takes hours at full size.
func (f family) measure(runs int) (line string, within bool, err error) {
	for size := f.bounds.largest / 128; size < f.bounds.largest; size *= 2 {
		small, err := f.prepare(size)
		if err != nil {
			return "", false, err
		}
		if used, _ := small.cost(); used.time > 2*f.bounds.time {
			return fmt.Sprintf(row, f.name, small.size>>10, "no more was tried", "", milliseconds(used.time), "",
				mebibytes(used.memory), "BEYOND"), false, nil
		}
	}
	half, err := f.prepare(f.bounds.largest / 2)
	if err != nil {
		return "", false, err
	}
	whole, err := f.prepare(f.bounds.largest)
	if err != nil {
		return "", false, err
	}
	var halfTimes, times []time.Duration
	var growths []float64
	var memory uint64
	var answer saml.Code
	for range runs {
		before, _ := half.cost()
		after, err := whole.cost()
		if answer = codeOf(err); !slices.Contains(f.answers, answer) {
			return "", false, fmt.Errorf("got answer %q: %v", string(answer), err)
		}
		halfTimes, times = append(halfTimes, before.time), append(times, after.time)
		growths = append(growths, float64(after.time)/float64(max(before.time, 1)))
		memory = max(memory, after.memory)
		if after.time > 4*f.bounds.time { // as sure as it can be
			break
		}
	}
	// What is more than linear shows in both of these; what else happens on the machine, often in
	// one only.
	growth := min(median(growths), float64(slices.Min(times))/float64(max(slices.Min(halfTimes), 1)))
	grows := growth >= mostGrowth && median(times) > f.bounds.time/noise
	within = median(times) < f.bounds.time && memory < f.bounds.memory && !grows
	verdict := ""
	if !within {
		verdict = "BEYOND"
	}
	said := "accepted"
	if answer != "" {
		said = string(answer)
	}
	return fmt.Sprintf(row, f.name, whole.size>>10, said, milliseconds(median(halfTimes)),
		milliseconds(median(times)), tenths(growth),
		mebibytes(memory), verdict), within, nil
}

func milliseconds(d time.Duration) string { return tenths(float64(d) / float64(time.Millisecond)) }

func mebibytes(n uint64) string { return tenths(float64(n) / (1 << 20)) }

func tenths(f float64) string { return fmt.Sprintf("%.1f", f) }

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
	rsaKeys, err := makeKeys(func(int) (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	if err != nil {
		return nil, err
	}
	curves, err := makeKeys(func(i int) (crypto.Signer, error) {
		if i >= trusted-maxSlow {
			return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		}
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	})
	if err != nil {
		return nil, err
	}
	long, err := longKeys()
	if err != nil {
		return nil, err
	}
	verifiers := map[keyKind]*verifier{}
	for kind, keys := range map[keyKind]struct {
		trusted []crypto.Signer
		signs   crypto.Signer
	}{
		oneRSA:        {rsaKeys[:1], rsaKeys[0]},
		sixteenRSA:    {rsaKeys[:trusted], rsaKeys[trusted-1]},
		sixteenCurves: {curves[:trusted], curves[trusted-1]},
		sixteenLong:   {long, long[trusted-1]},
		strangers:     {rsaKeys[:trusted], rsaKeys[trusted]},
		encrypted:     {rsaKeys[:1], rsaKeys[0]},
	} {
		sp, err := newServiceProvider(keys.trusted)
		if err != nil {
			return nil, err
		}
		verifiers[kind] = &verifier{sp, keys.signs}
	}
	return verifiers, nil
}

// As many keys as a service provider takes, and as many of them may take long to verify with.
const trusted, maxSlow = 16, 8

// makeKeys makes one key more than may be trusted.
func makeKeys(generate func(i int) (crypto.Signer, error)) ([]crypto.Signer, error) {
	keys := make([]crypto.Signer, trusted+1)
	for i := range keys {
		var err error
		if keys[i], err = generate(i); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// longKeys are RSA keys as long as may be trusted together: half of 4096 bits, half of 8192. All
// but the last verify nothing and need no primes; the last one is of many primes, because two take
// minutes to find.
func longKeys() ([]crypto.Signer, error) {
	const longest = 8192
	keys := make([]crypto.Signer, trusted)
	for i := range keys {
		bits := longest
		if i < trusted-maxSlow {
			bits /= 2
		}
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits)))
		if err != nil {
			return nil, err
		}
		keys[i] = publicOnly{&rsa.PublicKey{N: n.SetBit(n, bits-1, 1).SetBit(n, 0, 1), E: 1<<31 - 1}}
	}
	//lint:ignore SA1019 what is measured is the verification, and the key protects nothing
	last, err := rsa.GenerateMultiPrimeKey(rand.Reader, 16, longest)
	if err != nil {
		return nil, err
	}
	keys[trusted-1] = last
	return keys, nil
}

// publicOnly is a key that signs nothing.
type publicOnly struct{ crypto.PublicKey }

func (k publicOnly) Public() crypto.PublicKey { return k.PublicKey }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the private key is not known")
}

const maxDecryptionKeys = 2

// decryptionKeys are of the largest size that a service provider takes, and as many as it takes of
// these.
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
	var trusted []saml.TrustedKey
	for _, k := range keys {
		more, err := saml.ParseKeys(certificate(k.Public(), nil))
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, more...)
	}
	settings, err := saml.NewIdentityProvider(entityID, "https://idp.example.com/login", trusted...)
	if err != nil {
		return nil, err
	}
	var decrypt []saml.DecryptionKey
	for _, k := range decryptionKeys() {
		decrypt = append(decrypt, saml.DecryptionKey{Key: k})
	}
	return saml.New(saml.Config{DecryptionKeys: decrypt, BaseURL: baseURL, RedirectPath: path,
		IdentityProvider: settings, StateKeys: [][]byte{saml.NewStateKey()},
		Store: forgetful{}, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(io.Discard,
			nil))})
}

// A forgetful store lets one message be verified again and again.
type forgetful struct{}

func (forgetful) Claim(context.Context, string, time.Duration) (bool, error) { return true, nil }
func (forgetful) Claimed(context.Context, string) (bool, error)              { return false, nil }

// family is a shape of messages for the keys of v.
func (v *verifier) family(s shape) family {
	return family{s.name, ofMessages, []saml.Code{s.code}, func(size int) (input, error) {
		r, n, err := v.prepare(s.fill(size))
		return input{n, func() error {
			_, err := v.sp.FinishLogin(context.Background(), r)
			return err
		}}, err
	}}
}

// prepare signs a message and makes a form value of it.
func (v *verifier) prepare(m message) (r saml.FormResponse, size int, err error) {
	text, err := m.xml(v.key)
	if err != nil {
		return r, 0, fmt.Errorf("making the message: %w", err)
	}
	if len(text) > largest {
		return r, 0, fmt.Errorf("the message has %d bytes", len(text))
	}
	form := base64.StdEncoding.EncodeToString([]byte(text))
	if m.form != nil {
		form = m.form(form)
	}
	return saml.FormResponse{SAMLResponse: form, RequestID: requestID}, len(text), nil
}

type cost struct {
	time   time.Duration
	memory uint64 // allocated in all
}

// cost reads an input once. The error is the answer.
func (in input) cost() (cost, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cputime.Used()
	err := in.read()
	used := cputime.Used() - start
	runtime.ReadMemStats(&after)
	return cost{used, after.TotalAlloc - before.TotalAlloc}, err
}

// codeOf is the code of a refusal, "" for none.
func codeOf(err error) saml.Code {
	if refusal, ok := errors.AsType[*saml.Error](err); ok {
		return refusal.Code
	}
	return ""
}
