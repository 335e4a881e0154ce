// Command mutants changes one thing at a time in the code that decides whom we trust, and tells
// which changes no test notices.
//
//	go run ./tools/mutants [-run PATTERN] [-list FILE] [-jobs N] [-results FILE]
//
// All changes are compiled into one test binary a package, each behind a number that an environment
// variable chooses, so that a change costs the time of its tests and no compilation. A change that
// survives has to stand in the list with the reason why it makes no difference; a line of the list
// that no surviving change needs is an error too. What the list explains is only tried with the
// tests that take little time: it may survive. The run takes an hour or two: with -results it may be
// ended, and goes on where it was, as long as the changed file stays the same. To be run in the root of the checkout, on a
// machine that has nothing else to do: a change that makes the tests take several times as long
// counts as noticed.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// targets are the files that are changed, by package.
var targets = map[string][]string{
	"github.com/iomete/saml/internal/xmltree": {"parse.go", "namespaces.go", "uri.go", "chars.go", "c14n.go",
		"inclusive.go", "tree.go", "place.go", "attribute.go", "arena.go"},
	"github.com/iomete/saml/internal/dsig":   {"dsig.go", "structure.go", "algorithms.go", "detached.go"},
	"github.com/iomete/saml/internal/xmlenc": {"xmlenc.go", "algorithms.go"},
	"github.com/iomete/saml/internal/wire":   {"response.go", "encrypted.go", "logout.go", "logout_schema.go", "soap.go"},
	"github.com/iomete/saml":                 {"checks.go", "checks_assertion.go", "checks_logout.go", "logout_message.go"},
}

func main() {
	pattern := flag.String("run", "", "only changes whose line in the list matches this regular expression")
	list := flag.String("list", "tools/mutants/explained.txt", "the list of changes that make no difference")
	results := flag.String("results", "", "a file of results: what it has is not tried again, what is tried is added")
	jobs := flag.Int("jobs", runtime.GOMAXPROCS(0), "test processes at a time")
	flag.Parse()
	if err := run(*pattern, *list, *results, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(pattern, list, results string, jobs int) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	explained, err := readList(list)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	mutants, overlay, err := makeMutants(dir)
	if err != nil {
		return err
	}
	binaries, err := build(dir, overlay)
	if err != nil {
		return err
	}
	defer func(start time.Time) { fmt.Println(time.Since(start).Round(time.Second)) }(time.Now())
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !wanted.MatchString(m.String()) })
	kept, err := openResults(results)
	if err != nil {
		return err
	}
	defer kept.file.Close()
	left := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return kept.noticed[m.key] || kept.survived[m.key] })
	if err := binaries.try(left, explained, kept, jobs); err != nil {
		return err
	}
	survivors := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !kept.survived[m.key] })
	return report(mutants, survivors, explained, pattern == "")
}

// A mutant is one change.
type mutant struct {
	key      string // its file, the hash of that, and its place among the changes of it
	number   int    // what the environment variable says
	pkg      string
	file     string // relative to the root of the module
	line     int
	function string
	change   string // from what to what, in one line
}

// String is the line of the list: without line numbers, which change.
func (m mutant) String() string { return m.file + " " + m.function + ": " + m.change }

// readList reads lines "file function: change  // reason".
func readList(name string) (map[string]string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	explained := map[string]string{}
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		what, why, ok := strings.Cut(line, " // ")
		if !ok || strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("%s:%d: no reason behind //", name, i+1)
		}
		explained[what] = why
	}
	return explained, nil
}

// report tells what survived, and fails when the list and the survivors are not the same.
func report(mutants, survivors []mutant, explained map[string]string, all bool) error {
	slices.SortFunc(survivors, func(a, b mutant) int {
		return cmp.Or(strings.Compare(a.file, b.file), a.line-b.line, a.number-b.number)
	})
	needless := maps.Clone(explained)
	unexplained := 0
	for _, m := range survivors {
		delete(needless, m.String())
		if explained[m.String()] == "" {
			unexplained++
			fmt.Printf("survives: %s (line %d)\n", m, m.line)
		}
	}
	byPackage := map[string][2]int{}
	for _, m := range mutants {
		n := byPackage[m.pkg]
		n[0]++
		byPackage[m.pkg] = n
	}
	for _, m := range survivors {
		n := byPackage[m.pkg]
		n[1]++
		byPackage[m.pkg] = n
	}
	for _, pkg := range slices.Sorted(maps.Keys(byPackage)) {
		fmt.Printf("%s: %d changes, %d noticed, %d make no difference\n", pkg, byPackage[pkg][0],
			byPackage[pkg][0]-byPackage[pkg][1], byPackage[pkg][1])
	}
	if all {
		for what := range needless {
			fmt.Printf("in the list, but noticed or gone: %s\n", what)
		}
	}
	if unexplained > 0 || all && len(needless) > 0 {
		return fmt.Errorf("%d changes survive without a reason, %d reasons without a change", unexplained,
			len(needless))
	}
	return nil
}

// binaries are test programs with all changes in them, by package.
type binaries map[string]string

// quickStages is how many of the stages take little time.
const quickStages = 2

// The stages of trying a change of a file: the cheapest tests first. Left out is what says nothing
// about these files, and what takes long to say what the vectors say.
func (b binaries) stages(pkg, file string) [][]string {
	const root = "github.com/iomete/saml"
	stages := [][]string{{b[root], "-test.run=^(TestVectors|TestRealResponses|TestEachCheckIsNeeded)$"}}
	if strings.Contains(file, "logout") || strings.Contains(file, "soap") {
		stages = slices.Insert(stages, 0, []string{b[root], "-test.run=^(TestLogoutMessages|TestLogoutRequestSaysWhat|TestLogoutOutcomes|" +
			"TestEachLogoutCheckIsNeeded|TestLogoutChecksSayWhat|TestRequestIsNoAnswer|TestKeysOfLogout|TestSOAPFault|TestLogoutBySOAP|TestLogoutBySOAPFails)$"})
	}
	if pkg == root {
		quick := []string{b[root], "-test.run=(Check|Verif|Rule|Claim|NameID|Account|Replay|Edge|Removal|Entrances|EncryptedR|Identity|Signed|Refus)",
			"-test.skip=(Logout|SignOut|NoNetwork|TestHintsOf|AnotherAccount|Metadata|Fetch|Tenant|TestVerifierVectors|TestOtherRefusalsKnowNobody)"}
		about := []string{b[root], "-test.run=(Check|Verif|Rule|Claim|NameID|Account|Replay|Edge|Removal|Entrances|EncryptedR|Identity|Signed|Refus|Logout)",
			"-test.skip=^(TestVerifierVectors|TestHintsOfProducts|TestMetadata.*|TestFetch.*)$"}
		return append(stages, quick, about, []string{b[root],
			"-test.skip=^(TestImports|TestPublicNamesAreOurs|TestSurface|TestRequirements|TestEveryByteCounts|TestEncryptedSignIn|" +
				"TestFilesInLayers|TestLargeFormsAreBounded|TestSlowSenderWithLittleLeft|TestHonestLoginsUnderHostileLoad)$"})
	}
	const judges, slow = "(Libxml2|XMLSec|Hostile)", "(TagsInOnePiece|DocumentsInFlight|PropertiesOfRandom|ParseMutated|TestIsNCName)"
	messages := []string{b[root], // of what the root has, this is about messages and metadata
		"-test.run=(Vector|Refus|Reformat|Metadata|Pinned|Removal|Real|Check|Mutated|EncryptedR|Decrypt|Signature|Signed|Rule|FuzzFinish|Fixture|Form|Logout|SOAP|Unreadable)",
		"-test.skip=^(TestHintsOfProducts|TestWordsAboutMetadata|TestLargeFormsAreBounded|TestRequirements)$"}
	stages = slices.Insert(stages, 0, []string{b[pkg], "-test.skip=" + judges + "|" + slow})
	return append(stages, []string{b[pkg], "-test.run=" + slow}, messages, []string{b[pkg], "-test.run=" + judges})
}

// failures are the lines about tests that fail, without what is logged.
func failures(output string) string {
	lines := strings.Split(output, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, " WARN ") }), "\n")
}

// try adds to results which changes no test notices. Without a change all tests must pass.
func (b binaries) try(mutants []mutant, explained map[string]string, kept *results, jobs int) error {
	times, err := b.unchanged()
	if err != nil {
		return err
	}
	work := make(chan mutant)
	var group sync.WaitGroup
	var lock sync.Mutex
	done := 0
	for range jobs {
		group.Go(func() {
			for m := range work {
				stages := b.stages(m.pkg, m.file)
				if explained[m.String()] != "" {
					stages = stages[:quickStages]
				}
				noticed := slices.ContainsFunc(stages, func(stage []string) bool {
					// what takes longer does not end
					_, ok := test(stage, m.pkg, m.number, 5*time.Second+time.Duration(3*jobs)*times[fmt.Sprint(stage)])
					return !ok
				})
				lock.Lock()
				if failed := kept.add(m.key, noticed); failed != nil {
					err = failed
				}
				if !noticed {
					fmt.Fprintf(os.Stderr, "line %d: %s\n", m.line, m)
				}
				if done++; done%100 == 0 {
					fmt.Fprintf(os.Stderr, "%d of %d\n", done, len(mutants))
				}
				lock.Unlock()
			}
		})
	}
	for _, m := range mutants {
		work <- m
	}
	close(work)
	group.Wait()
	if err != nil {
		return err
	}
	if _, err := b.unchanged(); err != nil {
		return fmt.Errorf("files changed meanwhile, and what was noticed means nothing: %w", err)
	}
	return nil
}

// unchanged runs all tests without a change, and gives the time of each stage.
func (b binaries) unchanged() (times map[string]time.Duration, err error) {
	times = map[string]time.Duration{}
	for _, pkg := range slices.Sorted(maps.Keys(targets)) {
		for _, stage := range slices.Concat(b.stages(pkg, ""), b.stages(pkg, "logout")) {
			if times[fmt.Sprint(stage)] > 0 {
				continue
			}
			start := time.Now()
			if out, ok := test(stage, pkg, 0, 10*time.Minute); !ok {
				return nil, fmt.Errorf("%s fails without a change:\n%s", filepath.Base(stage[0]), failures(out))
			}
			times[fmt.Sprint(stage)] = time.Since(start)
		}
	}
	return times, nil
}
