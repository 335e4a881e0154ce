package main

import (
	"bytes"
	"encoding/xml"
	"strings"
	"time"
)

// facts are what a response says of itself. Nobody has checked them.
type facts struct {
	issuer, destination string
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
	inIssuer := false
	for {
		token, err := d.Token()
		if err != nil {
			return f
		}
		switch e := token.(type) {
		case xml.StartElement:
			inIssuer = e.Name.Local == "Issuer" && f.issuer == ""
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
		case xml.EndElement:
			inIssuer = false
		case xml.CharData:
			if inIssuer {
				f.issuer += strings.TrimSpace(string(e))
			}
		}
	}
}
