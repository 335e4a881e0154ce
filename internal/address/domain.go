package address

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxLabel  = 63  // characters (RFC 1035 §2.3.4)
	maxDomain = 253 // characters: 255 bytes of RFC 1035 §2.3.4, less the length bytes at both ends
)

// Domain returns the domain of e-mail addresses in the one form in which domains are compared: lower
// case, no dot at the end, and labels beyond ASCII as A-labels ("xn--…", RFC 5890 §2.3.2.1). What
// surrounds a name that was copied is left out. Otherwise why says what is wrong with s, as the end
// of a sentence.
//
// Names are not mapped or composed as browsers do it (UTS #46): a letter counts as it is. So two
// names that become one are equal but for their case, and a name that is typed in an unusual way is
// at worst unknown.
func Domain(s string) (domain, why string) {
	s = strings.TrimSuffix(Trimmed(s), ".")
	switch {
	case s == "":
		return "", "is empty"
	case len(s) > maxDomain*utf8.UTFMax:
		return "", "is too long"
	}
	labels := strings.Split(s, ".")
	for i, label := range labels {
		if labels[i], why = asciiLabel(label); why != "" {
			return "", why
		}
	}
	domain = strings.Join(labels, ".")
	switch top := labels[len(labels)-1]; {
	case len(labels) == 1:
		return "", "has no dot"
	case len(domain) > maxDomain:
		return "", "is too long"
	case strings.Trim(top, "0123456789") == "":
		return "", "is no name, but an IP address"
	}
	return domain, ""
}

// asciiLabel returns a label as it is in DNS.
func asciiLabel(label string) (ascii, why string) {
	lower := make([]rune, 0, len(label))
	for _, r := range label {
		l := unicode.ToLower(r)
		switch {
		case r < utf8.RuneSelf && (l == '-' || 'a' <= l && l <= 'z' || '0' <= l && l <= '9'):
		// U+212A KELVIN SIGN is k in lower case
		case l >= utf8.RuneSelf && unicode.In(l, unicode.L, unicode.M, unicode.N):
		default:
			return "", fmt.Sprintf("has a character that is not taken there, %q (U+%04X)", r, r)
		}
		lower = append(lower, l)
	}
	if len(lower) > maxLabel {
		return "", "has a part of more than 63 characters"
	}
	ascii = string(lower)
	if len(ascii) != len(lower) {
		ascii = "xn--" + punycode(lower)
	}
	switch {
	case ascii == "":
		return "", "has an empty part"
	case len(ascii) > maxLabel:
		return "", "has a part of more than 63 characters"
	case ascii[0] == '-' || ascii[len(ascii)-1] == '-':
		return "", "has a part with a hyphen at its start or end"
	}
	return ascii, ""
}

// punycode encodes a label of at most maxLabel characters (RFC 3492 §6.3).
func punycode(label []rune) string {
	var out []byte
	for _, r := range label {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	if basic > 0 {
		out = append(out, '-')
	}
	next, delta, bias := rune(utf8.RuneSelf), 0, 72
	for done := basic; done < len(label); {
		smallest := rune(math.MaxInt32)
		for _, r := range label {
			if r >= next {
				smallest = min(smallest, r)
			}
		}
		delta += int(smallest-next) * (done + 1)
		next = smallest
		for _, r := range label {
			switch {
			case r < next:
				delta++
			case r == next:
				out = appendInteger(out, delta, bias)
				done++
				bias, delta = adapt(delta, done, done == basic+1), 0
			}
		}
		delta++
		next++
	}
	return string(out)
}

const (
	base       = 36 // digits: a to z, 0 to 9
	tmin, tmax = 1, 26
)

// appendInteger writes an integer of variable length (RFC 3492 §3.3).
func appendInteger(out []byte, q, bias int) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	for k := base; ; k += base {
		t := min(max(k-bias, tmin), tmax)
		if q < t {
			return append(out, digits[q])
		}
		out = append(out, digits[t+(q-t)%(base-t)])
		q = (q - t) / (base - t)
	}
}

// adapt returns the next bias (RFC 3492 §6.1).
func adapt(delta, points int, first bool) int {
	if first {
		delta /= 700
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > (base-tmin)*tmax/2; k += base {
		delta /= base - tmin
	}
	return k + (base-tmin+1)*delta/(delta+38)
}
