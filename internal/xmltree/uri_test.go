package xmltree_test

import (
	"fmt"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// A namespace name must be an absolute URI by RFC 3986, and not only look like one: libxml2, and xmlsec1 with it, refuses to
// canonicalise a document with another.
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
		refusal{"two at signs before the host", declare("http://a@b@c/"), "namespace", declare("http://c/a@b@c")},
	)
	checkRefusals(t, messages, rows)
}

// Whatever namespace name we accept libxml2 canonicalises.
func TestNamespaceNamesLikeLibxml2(t *testing.T) {
	t.Parallel()
	var questions []question
	for c := '!'; c <= '~'; c++ {
		for _, format := range []string{"urn:%c", "urn:a%cb", "http://a%cb/c", "http://a/%c", "http://a/?%c", "http://a/#%c", "u:/%c", "u://%c", "a%cb:c"} {
			space := fmt.Sprintf(format, c)
			src := []byte(`<r xmlns:p="` + space + `"><p:e/></r>`)
			if _, err := xmltree.Parse(src, messages); err == nil {
				questions = append(questions, question{src, 1, -1, nil, space})
			}
		}
	}
	t.Logf("%d names", len(questions))
	compare(t, questions, messages)
}
