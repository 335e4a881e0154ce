package xmltree_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// A question is a subtree to canonicalize, for us and for libxml2 (testdata/judge.py explains the
// fields).
type question struct {
	XML      []byte   `json:"xml"`
	Apex     int      `json:"apex"`
	Omit     int      `json:"omit"`
	Prefixes []string `json:"prefixes"`
	name     string
	Method   xmltree.Method `json:"method"`
}

type verdict struct {
	Nodeset []byte `json:"nodeset"`
	LXML    []byte `json:"lxml"`
	Error   string `json:"error"`
}

// ours returns our answer.
func (q question) ours(doc *xmltree.Document) ([]byte, error) {
	elements := allElements(doc)
	how := xmltree.C14N{Method: q.Method, PrefixList: strings.Join(q.Prefixes, " ")}
	if q.Omit >= 0 {
		how.Omit = elements[q.Omit]
	}
	return elements[q.Apex].Canonicalize(nil, how)
}

// askLibxml2 returns the verdict on each question. It asks them all in one process.
func askLibxml2(t testing.TB, questions []question) []verdict {
	t.Helper()
	var in, out, stderr bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, q := range questions {
		if q.Prefixes == nil {
			q.Prefixes = []string{}
		}
		if err := enc.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(needPython(t), "testdata/judge.py")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("judge.py: %v\n%s", err, stderr.Bytes())
	}
	verdicts := make([]verdict, 0, len(questions))
	for dec := json.NewDecoder(&out); dec.More(); {
		var v verdict
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		verdicts = append(verdicts, v)
	}
	if len(verdicts) != len(questions) {
		t.Fatalf("judge.py answered %d of %d questions", len(verdicts), len(questions))
	}
	return verdicts
}

// compare compares our canonical forms with those of libxml2, byte for byte. options is how the
// documents are read.
func compare(t *testing.T, questions []question, options xmltree.Options) {
	t.Helper()
	const enough = 5
	wrong := 0
	for i, v := range askLibxml2(t, questions) {
		q := questions[i]
		if wrong >= enough {
			t.Fatal("and perhaps more")
		}
		doc, err := xmltree.Parse(q.XML, options)
		if err != nil {
			t.Errorf("%s: we refuse the document: %v\n%s", q.name, err, q.XML)
			wrong++
			continue
		}
		got, err := q.ours(doc)
		lxml := v.LXML
		if lxml == nil {
			lxml = v.Nodeset
		}
		if err != nil || v.Error != "" || !bytes.Equal(got, v.Nodeset) || !bytes.Equal(got, lxml) {
			t.Errorf("%s: method %d, apex %d, omit %d, prefixes %q of\n%q\n   we %q (%v)\nlibxml2 %q (%s)\n   lxml %q",
				q.name, q.Method, q.Apex, q.Omit, q.Prefixes, q.XML, got, err, v.Nodeset, v.Error, lxml)
			wrong++
		}
	}
}
