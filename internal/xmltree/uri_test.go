package xmltree_test

import (
	"fmt"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// A namespace name must be an absolute URI by RFC 3986, and not only look like one: libxml2, and
// xmlsec1 with it, refuses to canonicalize a document with another.
func TestParseNamespaceNameIsURI(t *testing.T) {
	t.Parallel()
	declare := func(space string) string { return "<e xmlns:p='" + space + "'/>" }
	var rows []refusal
	for _, c := range `\^{|}[]` + "`" {
		rows = append(rows,
			refusal{fmt.Sprintf("%c in a path", c), declare(fmt.Sprintf("urn:a%cb", c)), "namespace", declare(fmt.Sprintf("urn:a%%%02Xb", c))},
			refusal{fmt.Sprintf("%c in a query", c), declare(fmt.Sprintf("http://a/?%c", c)), "namespace", declare(fmt.Sprintf("http://a/?%%%02X", c))})
	}
	rows = append(rows,
		refusal{"per cent sign alone", declare("urn:%"), "namespace", declare("urn:%25")},
		refusal{"per cent sign and one digit", declare("urn:%4"), "namespace", declare("urn:%41")},
		refusal{"per cent sign and a letter that is no digit", declare("urn:%4g"), "namespace", declare("urn:%4f")},
		refusal{"two fragments", declare("http://a/#b#c"), "namespace", declare("http://a/#b/c")},
		refusal{"port that is no number", declare("http://a:b/"), "namespace", declare("http://a:80/")},
		refusal{"port without digits", declare("http://a:/"), "namespace", declare("http://a/")},
		refusal{"port of six digits", declare("http://a:123456/"), "namespace", declare("http://a:12345/")},
		refusal{"port and no host", declare("http://:80/"), "namespace", declare("http://a:80/")},
		refusal{"slashes and no host", declare("http:///a"), "namespace", declare("http://a/a")},
		refusal{"user and no host", declare("http://a@/"), "namespace", declare("http://a@b/")},
		refusal{"at sign and no user", declare("http://@b/"), "namespace", declare("http://b/")},
		refusal{"scheme with a character beside the letters", declare("a@b:c"), "namespace", declare("azAZ09:c")},
		refusal{"two at signs before the host", declare("http://a@b@c/"), "namespace", declare("http://c/a@b@c")},
	)
	checkRefusals(t, messages, rows)
}

// libxml2 canonicalizes every document whose namespace names we accept. Tried with each printable
// character in each part of a URI, and with random combinations of parts.
func TestNamespaceNamesLikeLibxml2(t *testing.T) {
	t.Parallel()
	var spaces []string
	for c := '!'; c <= '~'; c++ {
		for _, format := range []string{
			"urn:%c", "urn:a%cb", "http://a%cb/c", "http://a/%c", "http://a/?%c", "http://a/#%c", "u:/%c", "u://%c",
			"a%cb:c",
		} {
			spaces = append(spaces, fmt.Sprintf(format, c))
		}
	}
	parts := []string{
		"a", "Z", "0", "-", ".", "_", "~", "!", "$", "(", "*", "+", ",", ";", "=", ":", "@", "/", "//", "?", "#",
		"%41", "%", "%4", "192.0.2.1", "999", "::", ":80", ":123456", "u@", "u:p@",
	}
	g := newGenerator(6)
	for range 4000 {
		space := pick(g, []string{"u:", "http://", "http:", "urn:", "a+b:", "A://", ""})
		for range g.r.IntN(8) {
			space += pick(g, parts)
		}
		spaces = append(spaces, space)
	}
	var questions []question
	for _, space := range spaces {
		src := []byte(`<r xmlns:p="` + space + `"><p:e/></r>`)
		if _, err := xmltree.Parse(src, messages); err == nil {
			questions = append(questions, question{XML: src, Apex: 1, Omit: -1, name: space})
		}
	}
	t.Logf("%d of %d names accepted", len(questions), len(spaces))
	compare(t, questions, messages)
}
