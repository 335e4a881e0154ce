package main

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/iomete/saml"
)

// indent prints XML for reading, one element a line. What it prints is not the message: white space
// between elements and the borders of CDATA are gone. Where the XML is broken it prints all up to
// there and gives an error.
func indent(w io.Writer, document []byte) error {
	buffered := bufio.NewWriter(w)
	defer buffered.Flush() // what fails is remembered by w
	p := xmlPrinter{w: buffered}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(document, []byte("\uFEFF"))))
	d.CharsetReader = func(label string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("the encoding %q is not UTF-8", label)
	}
	for {
		token, err := d.RawToken() // raw: prefixes and declarations as they were written
		if err == io.EOF {
			err = p.end()
			if err == nil {
				return nil
			}
		} else if err == nil {
			err = p.print(token)
		}
		if err != nil {
			p.finishStart()
			line, _ := d.InputPos()
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) {
				err = errors.New(syntax.Msg)
			}
			return refusal(saml.CodeXMLSyntax, fmt.Sprintf("the XML is broken in line %d: %v", line, err), "")
		}
	}
}

const (
	maxIndent = 16  // levels; deeper ones are not indented further, so that a small message cannot print a large page
	maxColumn = 120 // beyond, each attribute has a line of its own
)

// xmlPrinter prints tokens. An element that holds nothing but text stands on one line, so the text
// is kept until it is known what follows.
type xmlPrinter struct {
	w        *bufio.Writer
	open     []string // names of the elements around, and of the one that began
	began    bool     // the last thing printed is a start tag without its ">"
	text     strings.Builder
	elements int
}

func (p *xmlPrinter) print(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		p.finishStart()
		p.elements++
		p.startElement(t)
	case xml.EndElement:
		return p.endElement(qualified(t.Name))
	case xml.CharData:
		p.text.Write(t)
		if !p.began {
			p.printText()
		}
	case xml.Comment:
		p.other("<!--" + string(t) + "-->")
	case xml.ProcInst:
		p.other("<?" + t.Target + " " + string(t.Inst) + "?>")
	case xml.Directive:
		p.other("<!" + string(t) + ">")
	}
	return nil
}

// end is called at the end of the document.
func (p *xmlPrinter) end() error {
	if n := len(p.open); n > 0 {
		return fmt.Errorf("it ends inside <%s>", p.open[n-1])
	}
	if p.elements == 0 {
		return errors.New("it has no element")
	}
	return nil
}

func (p *xmlPrinter) startElement(t xml.StartElement) {
	name := qualified(t.Name)
	tag := "<" + reference(name)
	var attributes []string
	columns := len(tag) + 2*len(p.open)
	for _, a := range t.Attr {
		attribute := qualified(a.Name) + `="` + strings.ReplaceAll(markup(a.Value), `"`, "&quot;") + `"`
		attributes = append(attributes, attribute)
		columns += len(attribute) + 1
	}
	between := " "
	if columns > maxColumn {
		between = "\n" + p.margin(len(p.open)+2)
	}
	p.w.WriteString(p.margin(len(p.open)) + tag)
	for _, a := range attributes {
		p.w.WriteString(between + a)
	}
	p.open = append(p.open, name)
	p.began = true
}

func (p *xmlPrinter) endElement(name string) error {
	n := len(p.open)
	if n == 0 || p.open[n-1] != name {
		return fmt.Errorf("</%s> ends no element that is open", name)
	}
	text := p.text.String()
	switch {
	case p.began && strings.TrimSpace(text) == "" && (text == "" || strings.Contains(text, "\n")):
		p.w.WriteString("/>\n")
	case p.began && !strings.Contains(text, "\n"):
		p.w.WriteString(">" + markup(text) + "</" + reference(name) + ">\n")
	default:
		p.finishStart()
		p.w.WriteString(p.margin(n-1) + "</" + reference(name) + ">\n")
	}
	p.text.Reset()
	p.open, p.began = p.open[:n-1], false
	return nil
}

// finishStart ends a start tag that something other than its end tag follows.
func (p *xmlPrinter) finishStart() {
	if !p.began {
		return
	}
	p.began = false
	p.w.WriteString(">\n")
	p.printText()
}

// printText prints text beside elements or of several lines, each on a line that is indented: it
// cannot look like a line of this tool.
func (p *xmlPrinter) printText() {
	for line := range strings.Lines(p.text.String()) {
		if line = strings.TrimSpace(line); line != "" {
			p.w.WriteString(p.margin(max(len(p.open), 1)) + markup(line) + "\n")
		}
	}
	p.text.Reset()
}

// other prints what is no element and no text.
func (p *xmlPrinter) other(s string) {
	p.finishStart()
	p.w.WriteString(p.margin(len(p.open)) + reference(s) + "\n")
}

func (p *xmlPrinter) margin(level int) string { return strings.Repeat("  ", min(level, maxIndent)) }

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

var markupEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// markup escapes text as XML does, and what a terminal would not show as itself.
func markup(s string) string {
	return reference(markupEscapes.Replace(s))
}

// reference writes what a terminal would not show as itself as a character reference.
func reference(s string) string {
	return escape(s, func(r rune) string { return fmt.Sprintf("&#x%X;", r) })
}
