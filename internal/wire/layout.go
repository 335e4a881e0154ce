package wire

import (
	"bytes"
	"crypto"

	"github.com/iomete/saml/internal/dsig"
)

// A Layout is what can be told about the white space between the elements of a message whose
// signature does not fit. It explains a refusal; it never leads to an acceptance.
type Layout int

const (
	Plain       Layout = iota // nothing can be told
	Indented                  // there is white space between nearly all elements
	Reformatted               // without the white space between the elements, all signatures fit
)

// maxLayout is the size in bytes up to which a message is looked at: a refusal must not cost much
// more than an acceptance. Messages of people are far below it.
const maxLayout = 256 << 10

// Layout looks at a message whose signature was refused. key is the one that most likely signed it.
// It reads the message once more without the white space between elements, and verifies its
// signatures with this one key. For an encrypted assertion it looks at the signature of the response
// alone.
func (m *Response) Layout(key crypto.PublicKey, policy dsig.Policy) Layout {
	if m.raw == nil || len(m.raw) > maxLayout {
		return Plain
	}
	text, gaps, spaced := withoutIndentation(m.raw)
	if spaced == 0 {
		return Plain
	}
	if other, err := readDocument(text); err == nil {
		if _, err := other.Verify([]crypto.PublicKey{key}, policy, nil); err == nil {
			return Reformatted
		}
	}
	if 10*spaced >= 9*gaps {
		return Indented
	}
	return Plain
}

// withoutIndentation returns a well-formed document without the text that is only white space
// between two tags, but keeps it as the content of an element without children. It also returns how
// many places between tags there are (gaps), and in how many of them white space was.
func withoutIndentation(doc []byte) (text []byte, gaps, spaced int) {
	text = make([]byte, 0, len(doc))
	inElement := false // the last tag was a start tag
	for between := false; len(doc) > 0; between = true {
		at := bytes.IndexByte(doc, '<')
		if at < 0 {
			break
		}
		space, rest := doc[:at], doc[at:]
		if bytes.HasPrefix(rest, []byte("<![CDATA[")) {
			end := bytes.Index(rest, []byte("]]>"))
			if end < 0 {
				break
			}
			end += len("]]>")
			text = append(text, doc[:at+end]...)
			doc, inElement = rest[end:], true // with what follows, it is text
			continue
		}
		size := tagSize(rest)
		closes := bytes.HasPrefix(rest, []byte("</"))
		if between && !(inElement && closes) {
			gaps++
			if len(space) > 0 && len(bytes.Trim(space, " \t\r\n")) == 0 {
				spaced++
				space = nil
			}
		}
		text = append(append(text, space...), rest[:size]...)
		inElement = !closes && !bytes.HasSuffix(rest[:size], []byte("/>")) && !bytes.HasSuffix(rest[:size], []byte("?>"))
		doc = rest[size:]
	}
	return append(text, doc...), gaps, spaced
}

// tagSize returns the length of the tag at the start of doc. > may stand in the value of an
// attribute.
func tagSize(doc []byte) int {
	var quote byte
	for i, c := range doc {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(doc)
}
