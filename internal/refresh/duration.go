package refresh

import (
	"math"
	"regexp"
	"strconv"
	"time"
)

// A Duration is a length of time as XML writes it (XML Schema Part 2 §3.2.6), not negative. Years
// and months are as long as the calendar makes them.
type Duration struct {
	years, months int
	rest          time.Duration // days and what is shorter
}

// inDuration has one group for each number of a duration, in the order of units.
var inDuration = regexp.MustCompile(
	`^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:(T)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?$`)

// maxYears is longer than any metadata is kept, and short enough to calculate with.
const maxYears = 10_000

// ParseDuration reads an xs:duration such as "PT6H" or "P1Y2M". Parts of a second are left out. A
// duration beyond 10,000 years counts as that long. It reports false for what is no duration, and
// for a negative one.
func ParseDuration(text string) (Duration, bool) {
	m := inDuration.FindStringSubmatch(text)
	if m == nil || !anyOf(m[1:4], m[5:]) || m[4] != "" && !anyOf(m[5:]) {
		return Duration{}, false
	}
	d := Duration{years: int(number(m[1], maxYears)), months: int(number(m[2], 12*maxYears))}
	for i, unit := range map[int]time.Duration{3: 24 * time.Hour, 5: time.Hour, 6: time.Minute, 7: time.Second} {
		d.rest = added(d.rest, time.Duration(number(m[i], math.MaxInt64/int64(unit)))*unit)
	}
	return d, true
}

func anyOf(lists ...[]string) bool {
	for _, list := range lists {
		for _, s := range list {
			if s != "" {
				return true
			}
		}
	}
	return false
}

// number reads digits; none are 0, and more than most are most.
func number(digits string, most int64) int64 {
	if digits == "" {
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return most
	}
	return min(n, most)
}

// added returns the sum, or the longest time.Duration if that is shorter.
func added(d, more time.Duration) time.Duration {
	if d > math.MaxInt64-more {
		return math.MaxInt64
	}
	return d + more
}

// After returns when the duration is over if it begins at t.
func (d Duration) After(t time.Time) time.Time {
	return t.AddDate(d.years, d.months, 0).Add(d.rest)
}
