package refresh

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"PT0S":                              start,
		"PT5H":                              start.Add(5 * time.Hour),
		"PT1H30M2S":                         start.Add(time.Hour + 30*time.Minute + 2*time.Second),
		"PT1.999S":                          start.Add(time.Second),
		"P7D":                               start.AddDate(0, 0, 7),
		"P1M":                               start.AddDate(0, 1, 0),
		"P1Y2M3DT4H":                        start.AddDate(1, 2, 0).Add(76 * time.Hour),
		"P1000Y":                            start.AddDate(1000, 0, 0),
		"P99999999999999999999Y":            start.AddDate(maxYears, 0, 0),
		"P99999999999999999999D":            start.Add(math.MaxInt64 / (24 * time.Hour) * (24 * time.Hour)),
		"P106751DT9999999999999999999999H":  start.Add(math.MaxInt64),
		"PT99999999999999999999999999999M":  start.Add(math.MaxInt64 / time.Minute * time.Minute),
		"PT999999999999999999999999999999S": start.Add(math.MaxInt64 / time.Second * time.Second),
	} {
		d, ok := ParseDuration(text)
		if got := d.After(start); !ok || !got.Equal(want) {
			t.Errorf("%s: got %v, %t, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1DT", "-PT1H", "+PT1H", "86400", "1:00:00", "PT5h", "P1H", "PT1Y", "P1.5D", " PT1H", "PT1H ",
		"P-1D", "PT.5S", "PT5.S", "P1M1Y", "٣"} {
		if d, ok := ParseDuration(text); ok {
			t.Errorf("%q is taken for %v", text, d)
		}
	}
}

// TestWait: the smallest of what there is, never negative.
func TestWait(t *testing.T) {
	t.Parallel()
	minutes := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	cache, _ := ParseDuration("PT30M")
	forever, _ := ParseDuration("P9999Y")
	for name, row := range map[string]struct {
		cache   *Duration
		runsOut time.Time
		want    time.Duration
	}{
		"nothing is said":      {nil, time.Time{}, time.Hour},
		"cacheDuration":        {&cache, time.Time{}, 30 * time.Minute},
		"a long cacheDuration": {&forever, time.Time{}, time.Hour},
		"half of what is left": {&cache, minutes(40), 20 * time.Minute},
		"a far end":            {nil, start.AddDate(7000, 0, 0), time.Hour},
		"over":                 {nil, minutes(-10), 0},
	} {
		if got := Wait(start, time.Hour, row.cache, row.runsOut); got != row.want {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"120": 2 * time.Minute, "": 0, "soon": 0, "-5": 0, "1.5": 0,
		"999999999": 999999999 * time.Second, "99999999999999999": 100 * 365 * 24 * time.Hour, "99999999999999999999999": 0,
		"Sat, 31 Jan 2026 12:05:00 GMT": 5 * time.Minute, "Sat, 31 Jan 2026 11:00:00 GMT": 0} {
		if got := RetryAfter(header, start); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}

func newSchedule() *Schedule {
	s := &Schedule{Interval: time.Hour, Min: 5 * time.Minute}
	s.Start(start, time.Time{}, 0)
	return s
}

// TestScheduleNow: a look that somebody asks for keeps its distance from those by plan, on both sides.
func TestScheduleNow(t *testing.T) {
	t.Parallel()
	s := newSchedule()
	if from := s.Now(false); from.After(start) {
		t.Errorf("before the first look: not before %v", from)
	}
	for kept, apart := range map[bool]time.Duration{true: s.Min, false: FirstRetry} {
		s = newSchedule()
		s.Begin(start)
		if from := s.Now(kept); !from.Equal(start.Add(apart)) {
			t.Errorf("kept %t: after a look by plan not before %v", kept, from)
		}
		now := start.Add(apart)
		s.BeginNow(now, kept) // while the next look by plan is due
		if due, from := s.Due(), s.Now(kept); due.Before(now.Add(apart)) || !from.Equal(now.Add(apart)) {
			t.Errorf("kept %t: the look by plan comes at %v, the next other one at %v", kept, due, from)
		}
	}
	s.Refuse(start, 30*time.Minute)
	if from := s.Now(true); !from.Equal(start.Add(30 * time.Minute)) {
		t.Errorf("the server wants to be left alone: not before %v", from)
	}
}

// TestExtraLookPostponesNothing: whoever causes extra looks does not keep the look by plan away.
func TestExtraLookPostponesNothing(t *testing.T) {
	t.Parallel()
	s := newSchedule()
	s.Begin(start)
	s.Succeeded(start, s.Interval, 0)
	planned := s.Due()
	for now := start; now.Before(planned); now = now.Add(10 * time.Minute) {
		s.Tick(now)
		s.BeginExtra(now)
		if s.ExtraSucceeded(now, s.Interval, 0); s.Due().After(planned) {
			t.Fatalf("an extra look at %v moves the look by plan from %v to %v", now, planned, s.Due())
		}
	}
	s.Begin(planned)
	s.Succeeded(planned, s.Interval, 0)
	soon := planned.Add(s.Min)
	if s.ExtraSucceeded(planned, time.Minute, 0); !s.Due().Equal(soon) { // the document wants a look earlier
		t.Errorf("the next look by plan is at %v, want %v", s.Due(), soon)
	}
}

// TestScheduleBounds: whatever a server and its document say, there is a floor and a ceiling.
func TestScheduleBounds(t *testing.T) {
	t.Parallel()
	for _, jitter := range []float64{0, 0.5, 0.999} {
		s := newSchedule()
		now := start
		for range 50 { // a document that wants to be asked all the time
			s.Begin(now)
			s.Succeeded(now, 0, jitter)
			if wait := s.Due().Sub(now); wait < s.Min || wait > s.Min*11/10 {
				t.Fatalf("the next look comes in %v", wait)
			}
			now = s.Due()
		}
		s.Begin(now)
		s.Succeeded(now, s.Interval, jitter)
		if wait := s.Due().Sub(now); wait > s.Interval || wait < s.Interval*9/10 {
			t.Errorf("the next look comes in %v", wait)
		}
		for n, kept := range map[int]bool{40: true, 39: false} { // a server that is down
			s.Succeeded(now, s.Interval, jitter)
			least := FirstRetry
			if kept {
				least = s.Min
			}
			for i := range n {
				s.Begin(now)
				s.Failed(now, kept, jitter)
				if wait := s.Due().Sub(now); wait < least || wait > s.Interval*11/10 || i > 12 && wait < s.Interval {
					t.Fatalf("failure %d: the next look comes in %v", i, wait)
				}
				now = s.Due()
			}
		}
		s.Refuse(now, 1000*time.Hour)
		if wait := s.Due().Sub(now); wait > s.Interval {
			t.Errorf("a server that wants to be left alone is, for %v", wait)
		}
	}
}

// TestExtraLooks: five minutes after the last one has ended, and none before a Retry-After is over.
func TestExtraLooks(t *testing.T) {
	t.Parallel()
	s := newSchedule()
	if _, ok := s.Extra(start); !ok {
		t.Error("the first one is refused")
	}
	s.BeginExtra(start)
	for _, d := range []time.Duration{0, time.Minute, Apart - 1} {
		if from, ok := s.Extra(start.Add(d)); ok || !from.Equal(start.Add(Apart)) {
			t.Errorf("after %v: %v, %t", d, from, ok)
		}
	}
	if _, ok := s.Extra(start.Add(Apart)); !ok {
		t.Error("the second one is refused")
	}
	s.EndExtra(start.Add(time.Minute))
	if from, ok := s.Extra(start.Add(Apart)); ok || !from.Equal(start.Add(time.Minute+Apart)) {
		t.Errorf("after one that took a minute: %v, %t", from, ok)
	}
	s.Refuse(start, 10*time.Minute)
	if from, ok := s.Extra(start.Add(time.Minute + Apart)); ok || !from.Equal(start.Add(10*time.Minute)) {
		t.Errorf("before Retry-After is over: %v, %t", from, ok)
	}
}

// TestClockSetBack: what is planned stays as far away as it was.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	s := newSchedule()
	s.Begin(start)
	s.Succeeded(start, time.Hour, 0)
	s.BeginExtra(start)
	s.Tick(start.Add(20 * time.Minute))
	yesterday := start.Add(-24 * time.Hour)
	s.Tick(yesterday)
	if wait := s.Due().Sub(yesterday); wait != 40*time.Minute {
		t.Errorf("the next look comes in %v", wait)
	}
	if _, ok := s.Extra(yesterday); !ok {
		t.Error("an extra look 20 minutes after the last one is refused")
	}
	s.Tick(start)
	if s.Due().After(start) {
		t.Error("a look that is a day late is not due")
	}
}

// TestStart: after a restart, what is fresh waits its turn and the rest is spread.
func TestStart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		planned     time.Time
		least, most time.Duration
	}{
		{time.Time{}, 0, Spread},
		{start.Add(30 * time.Minute), 30 * time.Minute, 30 * time.Minute},
		{start.Add(-time.Hour), 0, SpreadKept},
	} {
		for _, jitter := range []float64{0, 0.9} {
			s := &Schedule{Interval: time.Hour, Min: 5 * time.Minute}
			s.Start(start, row.planned, jitter)
			if wait := s.Due().Sub(start); wait < row.least || wait > row.most || jitter > 0 && row.least == 0 && wait == 0 {
				t.Errorf("planned at %v: the first look comes in %v", row.planned, wait)
			}
		}
	}
}

// TestLimiter: a host that does not answer holds up nobody else, and nobody is forgotten.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Limiter{InAll: 5, OfHost: 2}
		var mu sync.Mutex
		running, most, done := map[string]int{}, map[string]int{}, map[string]int{}
		task := func(host string, lasts time.Duration) func() {
			return func() {
				mu.Lock()
				running[host]++
				running["all"]++
				most[host], most["all"] = max(most[host], running[host]), max(most["all"], running["all"])
				mu.Unlock()
				time.Sleep(lasts)
				mu.Lock()
				running[host]--
				running["all"]--
				done[host]++
				mu.Unlock()
			}
		}
		for range 20 {
			l.Submit("dead", task("dead", time.Hour))
			l.Submit("one", task("one", time.Second))
			l.Submit("two", task("two", time.Second))
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		mu.Lock()
		if done["one"] != 20 || done["two"] != 20 || done["dead"] != 0 || most["all"] > 5 || most["dead"] != 2 || most["one"] > 2 {
			t.Errorf("done %v, at once %v", done, most)
		}
		mu.Unlock()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if done["dead"] != 20 || len(l.hosts) != 0 || len(l.turns) != 0 {
			t.Errorf("done %v, %d hosts left", done, len(l.hosts))
		}
	})
}

// counter is a task that is due once a minute.
type counter struct {
	mu   sync.Mutex
	due  time.Time
	runs int
}

func (c *counter) Wait() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Until(c.due)
}

func (c *counter) Run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs++
	c.due = time.Now().Add(time.Hour)
}

// set changes when the task is due, as a wall clock does that is set.
func (c *counter) set(due time.Time) (runs int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = due
	return c.runs
}

// TestScheduler: each task runs when it is due, a clock that was set is noticed within a minute, and
// without tasks there is no goroutine: the bubble would wait for it.
func TestScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewScheduler()
		var removes []func()
		var tasks []*counter
		for i := range 100 {
			c := &counter{due: time.Now().Add(time.Duration(i) * time.Second)}
			tasks, removes = append(tasks, c), append(removes, s.Add("host", c))
		}
		time.Sleep(50*time.Second + 2*shortestSleep - time.Millisecond)
		synctest.Wait()
		for i, c := range tasks {
			if runs := c.set(time.Now().Add(time.Hour)); (runs == 1) != (i <= 50) {
				t.Errorf("task %d ran %d times", i, runs)
			}
		}
		time.Sleep(LongestSleep)
		tasks[7].set(time.Now().Add(-time.Second))
		time.Sleep(LongestSleep + time.Second)
		synctest.Wait()
		if runs := tasks[7].set(time.Now()); runs != 2 {
			t.Errorf("a clock that was set was not noticed: %d runs", runs)
		}
		for _, remove := range removes {
			remove()
			remove()
		}
		if s.Len() != 0 {
			t.Errorf("%d tasks", s.Len())
		}
		time.Sleep(time.Second)
		removes[0]()
		remove := s.Add("host", &counter{due: time.Now()})
		time.Sleep(time.Second)
		remove()
		time.Sleep(time.Second)
	})
}

// TestFiles: written as a whole, for the user alone, never through a link.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	if _, err := ReadFile(dir, "x", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing is there: %v", err)
	}
	for _, content := range []string{"one", "", strings.Repeat("x", 100)} {
		if err := WriteFile(dir, "x", []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadFile(dir, "x", 100); err != nil || string(got) != content {
			t.Errorf("got %q, %v, want %q", got, err, content)
		}
	}
	if _, err := ReadFile(dir, "x", 99); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "x"))
	if err != nil || info.Mode().Perm() != fileMode {
		t.Errorf("got mode %v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(dir); err != nil || info.Mode().Perm() != dirMode {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
}

func TestFilesThatAreLinks(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(other, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "x")
	if err := os.Symlink(other, link); err != nil {
		t.Skip(err)
	}
	if data, err := ReadFile(dir, "x", 100); !errors.Is(err, ErrNotRegular) {
		t.Errorf("read %q through a link, %v", data, err)
	}
	if err := WriteFile(dir, "x", []byte("mine")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != "secret" {
		t.Errorf("written through a link: %q, %v", data, err)
	}
	if data, err := ReadFile(dir, "x", 100); err != nil || string(data) != "mine" {
		t.Errorf("got %q, %v", data, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(dir, "d", 100); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a directory: %v", err)
	}
	if err := WriteFile(dir, "d", []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+temporary+"*")); len(left) != 0 {
		t.Errorf("a failed write left %v", left)
	}
}

// TestLeftovers: what a process left that ended while it wrote is removed, and nothing else.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unique := strings.Repeat("A", randomLen)
	old := time.Now().Add(-2 * leftoverAge)
	for name, at := range map[string]time.Time{"x" + temporary + unique: old, "x" + temporary + "B" + unique[1:]: time.Now(),
		"y" + temporary + unique: old, "x" + temporary + "short": old} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	ReadFile(dir, "x", 100)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "x"+temporary+unique)); err == nil {
		t.Error("the leftover is left")
	}
}

// TestFilesUnderWriters: a reader sees one content or another, never a mixture.
func TestFilesUnderWriters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	contents := [][]byte{bytes.Repeat([]byte("a"), 1<<16), bytes.Repeat([]byte("b"), 1<<17)}
	var writers sync.WaitGroup
	for _, content := range contents {
		writers.Go(func() {
			for range 20 {
				if err := WriteFile(dir, "x", content); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go writers.Wait()
	for range 200 {
		got, err := ReadFile(dir, "x", 1<<18)
		if err == nil && !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
			t.Fatalf("got a mixture of %d bytes", len(got))
		}
	}
	writers.Wait()
}

// BenchmarkScheduler is what a Scheduler does each time that it wakes up, with 10,000 tasks of which
// none is due.
func BenchmarkScheduler(b *testing.B) {
	s := NewScheduler()
	var removes []func()
	for range 10_000 {
		removes = append(removes, s.Add("host", &counter{due: time.Now().Add(time.Hour)}))
	}
	for b.Loop() {
		s.submitDue()
	}
	for _, remove := range removes {
		remove()
	}
}
