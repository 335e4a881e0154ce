package session

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/iomete/saml"
)

// keepFaults returns what is wrong with the names in Config.Keep: what can never be the Name of an
// attribute, and what leaves no room in the cookie.
func keepFaults(names []string) (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("session: Config.Keep"+format, args...))
	}
	total := 0
	for i, name := range names {
		total += len(name)
		switch {
		case name == "":
			fault("[%d] is empty, want the Name of an attribute", i)
		case strings.TrimSpace(name) != name:
			fault("[%d] is %q, want the Name without white space around it: names are compared byte for byte", i, name)
		case !utf8.ValidString(name):
			fault("[%d] is %q, want UTF-8: no attribute has another name", i, name)
		case slices.Contains(names[:i], name):
			fault("[%d] is %q for the second time, want each name once", i, name)
		}
	}
	if len(names) > maxKept {
		fault(" has %d names, want at most %d: keep more in the account, which Config.Stamp can fill at sign-in", len(names), maxKept)
	}
	if total > maxKeptBytes {
		fault(" has names of %d bytes together, want at most %d: the names are in the cookie beside the values", total, maxKeptBytes)
	}
	return faults
}

// kept returns copies of the attributes with these names, in the order of the names. An attribute
// without values is left out.
func kept(attributes saml.Attributes, names []string) (list saml.Attributes) {
	for _, name := range names {
		if values := attributes.Values(name); len(values) > 0 {
			list = append(list, saml.Attribute{Name: name, Values: slices.Clone(values)})
		}
	}
	return list
}
