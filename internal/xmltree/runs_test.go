package xmltree_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// plainTag matches a tag without attributes, or a CDATA section.
var plainTag = regexp.MustCompile(`(?s)<!\[CDATA\[.*?\]\]>|</?[^\s<>/="'!]+>`)

// loosened puts a blank into each tag without attributes.
func loosened(text string) []byte {
	return []byte(plainTag.ReplaceAllStringFunc(text, func(s string) string {
		if strings.HasPrefix(s, "<!") {
			return s
		}
		return s[:len(s)-1] + " >"
	}))
}

// TestTagsInOnePiece compares documents with the same documents that have a blank in each tag without
// attributes. A blank means nothing, but with it neither the tag nor the canonical form is copied in one
// piece. So both ways must lead to the same.
func TestTagsInOnePiece(t *testing.T) {
	t.Parallel()
	texts := append(oddDocuments(31, 200),
		"<r><a>1</a><a>2</a><a/><a b=''>3</a><a>4</a></r>",
		"<r><a>1</a><ab>2</ab><a>3</a><a></a></r>",
		"<r><a>1</a>text<a>2</a><a><a>3</a><a>4</a></a><a>5</a></r>",
		"<p:r xmlns:p='u:1'><p:a>1</p:a><p:a>2</p:a><q:a xmlns:q='u:2'><p:a>3</p:a><q:a>4</q:a><q:a>5</q:a></q:a><p:a>6</p:a></p:r>",
		"<r xmlns='u:1'><a>1</a><b xmlns='u:2'><a>2</a><a>3</a></b><a>4</a><b xmlns=''><a>5</a></b><a>6</a></r>",
		"<r xmlns:p='u:1'><b><p:a>1</p:a><p:a>2</p:a></b><p:b><p:a>3</p:a></p:b></r>",
		"<r><a>&lt;</a><a>></a><a>\r</a><a>x</a><a><![CDATA[x]]></a><a>x<![CDATA[]]></a><a>x<b/></a><a>x</a ></r>",
		"<r><a>x<!-- --></a><a><!-- -->x</a><a>x<!-- -->y</a></r>",
		"<r><a xmlns='u:1'>1</a><a>2</a></r>", "<r xmlns:p='u:1' xml:lang='en'><a>1</a><a>2</a></r>",
		"<r><a>x<ba>y</ba></a><a >x</a><a>x</a\n></r>",
		"<r><a>1</a><a", "<r><a>1</a><a>", "<r><a>1</a><a></b></r>", "<a>1</a><a>2</a>", "<a><a>1</a></a><a>",
		strings.Repeat("<a>", 64)+"x"+strings.Repeat("</a>", 64),
		strings.Repeat("<a>", 63)+"<b>x</b><b>y</b>"+strings.Repeat("</a>", 63),
		strings.Repeat("<a>", 63)+"<b>x</b><b><b>y</b></b>"+strings.Repeat("</a>", 63),
		"<r>"+strings.Repeat("<a>x</a>", 49_999)+"</r>",
		"<r>"+strings.Repeat("<a>x</a>", 50_000)+"</r>",
	)
	accepted, refused := 0, 0
	for _, text := range texts {
		for _, opt := range []xmltree.Options{messages, {AllowComments: true}} {
			doc, err := xmltree.Parse([]byte(text), opt)
			loose, looseErr := xmltree.Parse(loosened(text), opt)
			if codeOf(err) != codeOf(looseErr) {
				t.Fatalf("%s: got %v, with blanks %v", shorten(text), err, looseErr)
			}
			if err != nil {
				refused++
				continue
			}
			accepted++
			compareLoose(t, doc, loose)
		}
	}
	if accepted < 200 || refused < 200 {
		t.Errorf("%d documents were accepted and %d refused", accepted, refused)
	}
}

// compareLoose compares two documents that differ by blanks in tags, as a whole and from each of the
// first elements on.
func compareLoose(t *testing.T, a, b *xmltree.Document) {
	t.Helper()
	if got, want := xmltree.Describe(a.Root(), xmltree.Element{}), xmltree.Describe(b.Root(), xmltree.Element{}); got != want {
		t.Fatalf("got %s, with blanks %s", shorten(got), shorten(want))
	}
	apexes, others := allElements(a), allElements(b)
	for i := range apexes[:min(len(apexes), 12)] {
		for _, how := range []xmltree.C14N{
			{}, {PrefixList: "#default p q"}, {Method: xmltree.Inclusive}, {Method: xmltree.Inclusive11},
		} {
			got, gotErr := apexes[i].Canonicalize(nil, how)
			want, wantErr := others[i].Canonicalize(nil, how)
			if string(got) != string(want) || codeOf(gotErr) != codeOf(wantErr) {
				t.Fatalf("%+v: got %s (%v), with blanks %s (%v)", how, shorten(string(got)), gotErr, shorten(string(want)), wantErr)
			}
			inner := apexes[len(apexes)-1]
			if got, err := a.Root().Canonicalize(nil, xmltree.C14N{Omit: inner}); err == nil && inner != a.Root() {
				want, _ := b.Root().Canonicalize(nil, xmltree.C14N{Omit: others[len(others)-1]})
				if string(got) != string(want) {
					t.Fatalf("without the last: got %s, with blanks %s", shorten(string(got)), shorten(string(want)))
				}
			}
		}
	}
}
