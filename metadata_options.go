package saml

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	defaultLanguage = "en"
	maxMetadataText = 1 << 10  // bytes of a text or an address
	maxMetadataLogo = 64 << 10 // bytes of the address of a logo, which may hold the picture
)

// contactTypes are those of SAML Metadata 2.0 §2.3.2.2, the default first.
var contactTypes = []string{"technical", "support", "administrative", "billing", "other"}

// languageTag is xs:language (XML Schema Part 2 §3.3.3), which is what the metadata schema demands.
var languageTag = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`)

// metadataTexts reports what is wrong with what people read in our metadata.
func (f *faults) metadataTexts(o MetadataOptions) {
	var displays, organization []string
	for _, d := range o.Displays {
		displays = f.language("Displays", d.Language, displays)
		f.text("Displays", "Name", d.Name, true)
		f.text("Displays", "Description", d.Description, false)
		f.page("Displays", "InformationURL", d.InformationURL, false)
		f.page("Displays", "PrivacyURL", d.PrivacyURL, false)
	}
	for _, l := range o.Logos {
		if l.Language != "" {
			f.language("Logos", l.Language, nil)
		}
		if u, err := url.Parse(l.URL); len(l.URL) > maxMetadataLogo || err != nil || !isText(l.URL) ||
			!(u.Scheme == "https" && u.Host != "") && !strings.HasPrefix(l.URL, "data:image/") {
			f.add("Logos", "has an entry whose URL cannot be shown", l.URL, "https://..., or data:image/..., at most 64 KiB")
		}
		if l.Width <= 0 || l.Height <= 0 {
			f.add("Logos", "has an entry without Width or Height", "", "both, in pixels")
		}
	}
	for _, org := range o.Organization {
		organization = f.language("Organization", org.Language, organization)
		f.text("Organization", "Name", org.Name, true)
		f.text("Organization", "DisplayName", org.DisplayName, false)
		f.page("Organization", "URL", org.URL, true)
	}
	for _, c := range o.Contacts {
		if !slices.Contains(contactTypes, c.Type) {
			f.add("Contacts", "has an entry whose Type is unknown", c.Type, strings.Join(contactTypes, ", ")+", or none")
		}
		f.text("Contacts", "Company", c.Company, false)
		f.text("Contacts", "GivenName", c.GivenName, false)
		f.text("Contacts", "Surname", c.Surname, false)
		f.text("Contacts", "Phone", c.Phone, false)
		if f.text("Contacts", "Email", c.Email, true); c.Email != "" &&
			(!strings.Contains(c.Email, "@") || strings.ContainsAny(c.Email, " :<>\"")) {
			f.add("Contacts", "has an entry whose Email is no e-mail address", c.Email, "name@example.com, without mailto:")
		}
	}
}

// language checks the language of an entry against those of the entries before it, and returns
// these with it. Two entries of one language would leave open which one is shown.
func (f *faults) language(field, tag string, before []string) []string {
	if !languageTag.MatchString(tag) {
		f.add(field, "has an entry whose Language is no tag of a language", tag, `"en", "pt-BR" or another tag of RFC 5646`)
	} else if slices.Contains(before, strings.ToLower(tag)) {
		f.add(field, "has two entries for one Language", tag, "one entry for each language")
	}
	return append(before, strings.ToLower(tag))
}

func (f *faults) text(field, name, text string, required bool) {
	switch {
	case text == "" && required:
		f.add(field, "has an entry without "+name, "", "1 to 1024 bytes")
	case len(text) > maxMetadataText:
		f.add(field, "has an entry whose "+name+" is too long", text, "at most 1024 bytes")
	case !isText(text):
		f.add(field, "has an entry whose "+name+" has a control character", text, "text of one line")
	}
}

// page checks the address of a page for people.
func (f *faults) page(field, name, address string, required bool) {
	if address == "" && !required {
		return
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(address) > maxMetadataText || !isText(address) {
		f.add(field, "has an entry whose "+name+" is not the address of a page", address, "https://... of at most 1024 bytes")
	}
}

// isText reports whether s is text of one line that XML can hold, without noncharacters of Unicode.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || 0xFDD0 <= r && r <= 0xFDEF || r&0xFFFE == 0xFFFE
	})
}
