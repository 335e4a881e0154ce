package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"time"
)

// facts are what a message says of itself. Nobody has checked them.
type facts struct {
	root                string // "Response", "AuthnRequest"; "" if it cannot be read
	issuer, destination string
	subject             string    // the NameID, "encrypted", or ""
	requestID           string    // the request that it claims to answer
	issued              time.Time // zero if it says none
}

// factsOf reads a form value leniently: what cannot be read is left out.
func factsOf(value string) (f facts) {
	document, _, err := unwrap(value)
	if err != nil {
		return f
	}
	d := xml.NewDecoder(bytes.NewReader(document))
	d.Strict = false
	var text *string // where the text of the element goes that was begun last
	for {
		token, err := d.Token()
		if err != nil {
			return f
		}
		switch e := token.(type) {
		case xml.StartElement:
			text = f.element(e)
		case xml.EndElement:
			text = nil
		case xml.CharData:
			if text != nil {
				*text += strings.TrimSpace(string(e))
			}
		}
	}
}

// element takes what a start tag says, and returns where its text goes, if anywhere.
func (f *facts) element(e xml.StartElement) (text *string) {
	if f.root == "" {
		f.root = e.Name.Local
	}
	for _, a := range e.Attr {
		switch {
		case a.Name.Local == "InResponseTo" && f.requestID == "":
			f.requestID = a.Value
		case a.Name.Local == "Destination" && f.destination == "":
			f.destination = a.Value
		case a.Name.Local == "IssueInstant" && f.issued.IsZero():
			f.issued, _ = time.Parse(time.RFC3339, a.Value)
		}
	}
	switch {
	case e.Name.Local == "Issuer" && f.issuer == "":
		return &f.issuer
	case e.Name.Local == "NameID" && f.subject == "":
		return &f.subject
	case (e.Name.Local == "EncryptedAssertion" || e.Name.Local == "EncryptedID") && f.subject == "":
		f.subject = "encrypted"
	}
	return nil
}

// print is the entry of a message in a list.
func (f facts) print(w io.Writer, where string) {
	row(w, 2, "Found in", where)
	row(w, 2, "Issued", showTime(f.issued))
	row(w, 2, "Issuer", f.issuer)
	row(w, 2, "Destination", f.destination)
	row(w, 2, "Subject", f.subject)
	row(w, 2, "In response to", f.requestID)
}
