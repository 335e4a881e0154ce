package saml

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the list of rules in docs/security.md anew")

// rules are those of the parser, the signature profile, decryption and the checks, by the number
// that the vectors have.
var rules = []struct {
	number       int
	text, source string
}{
	{7, "The form value is base64 in the standard alphabet with padding, white space skipped, and nothing is inflated.", "SAML Bindings 2.0 §3.5.4; RFC 4648 §4"},
	{8, "The XML is UTF-8 without characters that XML forbids or that mean nothing.", "XML 1.0 §2.2; Unicode §23.7"},
	{9, "An XML declaration, if present, is at the very start and says version 1.0 and UTF-8.", "XML 1.0 §2.8"},
	{10, "There is no DOCTYPE and no other directive.", "Stricter than XML 1.0 §2.8; SOAP 1.2 Part 1 §5 does likewise"},
	{11, "There is no comment and no processing instruction.", "Stricter than XML 1.0 §2.5 and §2.6"},
	{12, "There are no entity references but the five predefined ones and those to legal characters.",
		"XML 1.0 §4.1 and §4.6"},
	{13, "There is one well-formed root.", "XML 1.0 §2.1"},
	{14, "Names have at most one colon, every prefix is declared, and xml and xmlns keep their fixed meaning.",
		"Namespaces in XML 1.0 §3 to §5"},
	{15, "Namespace names are absolute URIs in printable ASCII of at most 256 bytes.",
		"RFC 3986 §4.3; stricter than Namespaces in XML 1.0 §2.2"},
	{16, "No element has an attribute twice, neither by its name nor by its expanded name.",
		"XML 1.0 §3.1; Namespaces in XML 1.0 §6.3"},
	{17, "The limits on size, depth and number are kept.", "Our own; SAML Core 2.0 sets none"},
	{19, "The root is a Response of SAML 2.0 with IssueInstant and an ID of 1 to 256 ASCII letters, digits and . _ - : + = /.",
		"SAML Core 2.0 §3.2.2 and §3.3.3; looser than the NCName of §1.3.4"},
	{20, "The elements are those of the SAML schemas, in the number and order that these allow. An AttributeStatement may be empty.",
		"SAML 2.0 schemas: saml-schema-protocol-2.0.xsd, saml-schema-assertion-2.0.xsd"},
	{21, "There is one assertion, directly in the response, and none hidden elsewhere.",
		"SAML Profiles 2.0 §4.1.4.2, narrowed to one"},
	{22, "No ID occurs twice.", "SAML Core 2.0 §1.3.4"},
	{23, "The status is success.", "SAML Core 2.0 §3.2.2.2"},
	{24, "The response's issuer, if named, is the identity provider, without Format or with the Format entity. White space around it is left out.", "SAML Profiles 2.0 §4.1.4.2"},
	{26, "The assertion is covered by at least one good signature.", "SAML Profiles 2.0 §4.1.4.3 and §4.1.4.5"},
	{27, "Every signature is directly in the response or the assertion, and verifies.", "SAML Core 2.0 §5.4.1"},
	{28, "A signature has SignedInfo with one reference, SignatureValue, optionally KeyInfo, and nothing else.",
		"XML Signature 1.1 §4; SAML Core 2.0 §5.4.2"},
	{29, "The reference is # and the ID of the element that contains the signature, byte for byte.", "SAML Core 2.0 §5.4.2"},
	{30, "The transforms are the enveloped signature, then one canonicalization or none.",
		"SAML Core 2.0 §5.4.3 and §5.4.4; XML Signature 1.1 §4.4.3.2"},
	{31, "The algorithms are on the allow-list. The key fits them and is long enough.",
		"RFC 9231 §2; NIST SP 800-131A"},
	{32, "KeyInfo proves nothing.", "XML Signature 1.1 §4.5"},
	{33, "Canonicalization succeeds, and the digest has the length of its hash.",
		"Exclusive XML Canonicalization 1.0 §3; Canonical XML 1.0 and 1.1 §2; XML Signature 1.1 §4.4.3.6"},
	{37, "There is one EncryptedData, and at most two EncryptedKeys in it or beside it.",
		"SAML Core 2.0 §2.2.4 and §6.1; XML Encryption 1.1 §3"},
	{38, "The key is encrypted by RSA-OAEP, the content by AES with GCM or CBC.", "XML Encryption 1.1 §5.2 and §5.5.2"},
	{39, "Lengths, paddings and keys are right. Every fault in them looks the same.",
		"XML Encryption 1.1 §6.1.2 and §6.3"},
	{40, "What is decrypted is one saml:Assertion that meets all the other rules.", "SAML Core 2.0 §2.3.4"},
	{41, "The assertion is of SAML 2.0, has an ID as in rule 19, comes from the identity provider (issuer as in rule 24), and is at most 24 hours old.",
		"SAML Core 2.0 §2.3.3; SAML Profiles 2.0 §4.1.4.2"},
	{42, "There are Conditions, and their time window includes now.", "SAML Core 2.0 §2.5.1.2"},
	{43, "Each audience restriction names us, white space around the name left out, and there is at least one.", "SAML Core 2.0 §2.5.1.4"},
	{44, "There is no condition that is unknown here.", "SAML Core 2.0 §2.5.1"},
	{45, "A bearer confirmation is for our Redirect URL, itself names our request, has no NotBefore, and has not expired.",
		"SAML Profiles 2.0 §4.1.4.2"},
	{46, "The response is addressed to our Redirect URL.", "SAML Bindings 2.0 §3.5.5.2"},
	{47, "The response answers a request of this browser, and that request was not answered before.",
		"SAML Profiles 2.0 §4.1.4.3"},
	{48, "An unsolicited response is refused unless that is configured, and answers no request.",
		"SAML Profiles 2.0 §4.1.5"},
	{49, "The assertion was not used before.", "SAML Profiles 2.0 §4.1.4.5"},
	{50, "The user signed in, not in the future, and anew if the request asked for that (ForceAuthn). The session has not ended.", "SAML Core 2.0 §2.7.2 and §3.4.1"},
	{51, "The authentication context is one that the request asked for.", "SAML Core 2.0 §3.3.2.2.1"},
	{52, "Times are xs:dateTime with a time zone.", "SAML Core 2.0 §1.3.3; XML Schema 1.0 Part 2 §3.2.7"},
	{53, "There is exactly one readable NameID. White space around it is left out where it must be an e-mail address, else refused.", "SAML Core 2.0 §2.2.3 and §2.4.1"},
	{54, "The NameID is an e-mail address. If the service demands an object ID, there is one.",
		"SAML Core 2.0 §8.3.2; Microsoft Entra ID, SAML token claims reference"},
	{55, "The NameID was issued for us: SPNameQualifier, if present, is our entity ID.", "SAML Core 2.0 §2.2.2"},
	{56, "Attributes have names, and no SAML or signature elements in their values.", "SAML Core 2.0 §2.7.3.1"},
}

// TestSecurityListsTheRules checks that docs/security.md lists the rules above with the codes and
// the names of their vectors.
func TestSecurityListsTheRules(t *testing.T) {
	wantBetween(t, "docs/security.md", "rules", rulesPage(t))
}

// wantBetween checks that a page has want between its two markers. With -update it writes it there.
func wantBetween(t *testing.T, name, marker, want string) {
	t.Helper()
	begin, end := "<!-- "+marker+" -->\n", "<!-- /"+marker+" -->"
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(page), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the %s", name, marker)
	}
	if *update {
		if err := os.WriteFile(name, []byte(before+begin+want+end+after), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("the %s in %s are not those of the code and the vectors: run go test -run %s -update .", marker,
			name, t.Name())
	}
}

// rulesPage returns the list as the page must have it.
func rulesPage(t *testing.T) string {
	t.Helper()
	codes, names := map[int][]string{}, map[int][]string{}
	for _, v := range readVectors(t) {
		if v.Accepted() {
			continue
		}
		n, err := strconv.Atoi(v.Header["rule"])
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if code := "`" + v.Header["expect"] + "`"; !slices.Contains(codes[n], code) {
			codes[n] = append(codes[n], code)
		}
		names[n] = append(names[n], v.Name)
	}
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "**%d. %s** %s.\nRefuses with %s. Vectors (%d): %s.\n\n",
			r.number,
			r.text,
			r.source,
			strings.Join(codes[r.number], ", "),
			len(names[r.number]),
			strings.Join(names[r.number], ", "))
		delete(names, r.number)
	}
	for n := range names {
		t.Errorf("there are vectors of rule %d, which is not in the list", n)
	}
	return b.String()
}

// TestGuideForEntra checks that the codes in docs/entra.md exist, and so do its pictures.
func TestGuideForEntra(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/entra.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[Code]bool{}
	for _, code := range declaredCodes(t) {
		known[code] = true
	}
	_, table, _ := strings.Cut(string(page), "### By code")
	table, _, _ = strings.Cut(table, "### By AADSTS")
	explained := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || !strings.Contains(cells[1], "`") {
			continue
		}
		for code := range strings.SplitSeq(cells[1], ",") {
			explained++
			if code = strings.Trim(code, " `"); !known[Code(code)] {
				t.Errorf("there is no code %s", code)
			}
		}
	}
	if explained < 20 {
		t.Errorf("%d codes are explained: this test cannot read the table any more", explained)
	}
	for _, link := range regexp.MustCompile(`\((images/[^)]+)\)`).FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat("docs/" + link[1]); err != nil {
			t.Error(err)
		}
	}
}
