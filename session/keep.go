package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/iomete/saml"
)

// keepFaults reports what is wrong with the names in Config.Keep: what can never be the Name of an
// attribute, and what leaves no room in the cookie.
func keepFaults(names []string, fault func(field, message, got, want, hint string)) {
	total := 0
	for i, name := range names {
		total += len(name)
		switch {
		case name == "":
			fault("Keep", fmt.Sprintf("Keep[%d] is empty", i), "", "the Name of an attribute", hintKeep)
		case strings.TrimSpace(name) != name:
			fault("Keep", fmt.Sprintf("Keep[%d] has white space around it, and names are compared byte for byte", i),
				strconv.Quote(name), strconv.Quote(strings.TrimSpace(name)), hintKeep)
		case !utf8.ValidString(name):
			fault("Keep", fmt.Sprintf("Keep[%d] is not UTF-8, and no attribute has such a name", i), strconv.Quote(name), "UTF-8", hintKeep)
		case slices.Contains(names[:i], name):
			fault("Keep", fmt.Sprintf("Keep[%d] repeats a name", i), strconv.Quote(name), "each name once", hintKeep)
		}
	}
	if len(names) > maxKept {
		fault("Keep", "Keep has too many names", fmt.Sprintf("%d names", len(names)), fmt.Sprintf("at most %d", maxKept),
			"Keep more in the account of the user, which session.Config.Stamp can fill at sign-in.")
	}
	if total > maxKeptBytes {
		fault("Keep", "Keep has names that are too long together", fmt.Sprintf("%d bytes", total), fmt.Sprintf("at most %d bytes", maxKeptBytes),
			"The names are in the cookie beside the values. Keep more in the account of the user, which session.Config.Stamp can fill at sign-in.")
	}
}

const hintKeep = "Copy each Name into session.Config.Keep as the response has it, once, without white space around it."

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
