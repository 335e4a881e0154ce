package main

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/iomete/saml"
)

const decodeUsage = `samlsp decode [-n NUMBER] [FILE|URL|-]

Shows any SAML message, readable and unverified: AuthnRequest, Response, LogoutRequest, LogoutResponse, metadata. The input is
XML, base64, deflated base64 (HTTP-Redirect binding), a form body, or an address with SAMLRequest= or SAMLResponse= in
its query; or what browsers and their tools save: HAR, SAML-tracer's export, "Copy as cURL", fetch or PowerShell, the page with
the form. Several messages of a recording are listed, and the only response among them is shown; -n shows
another. Such an address is not fetched; another one is, https or on this machine. Without operand standard input is read.

Characters that a terminal would not show as themselves appear as &#x...;.

Exit status: 0 shown, 1 not readable (one line on standard error says why), 2 usage.
`

// maxInflated bounds what a few deflated bytes may become.
const maxInflated = 4 << 20

func (t *tool) decode(args []string) int {
	flags := flag.NewFlagSet("decode", flag.ContinueOnError)
	which := flags.Int("n", 0, "")
	if status, ok := t.parse(flags, decodeUsage, args); !ok {
		return status
	}
	if *which < 0 {
		return t.misused("decode", "-n is the number of a message, from 1")
	}
	if flags.NArg() > 1 {
		return t.misused("decode", "name one file or address, or - for standard input")
	}
	name := "-"
	if flags.NArg() == 1 {
		name = flags.Arg(0)
	}
	if err := t.decodeSource(name, *which); err != nil {
		for _, e := range saml.Errors(err) {
			t.complain("decode", name+": "+line(e))
		}
		return exitRefused
	}
	return exitOK
}

func (t *tool) decodeSource(name string, which int) error {
	data := []byte(name)
	if !isMessageAddress(data) {
		var err error
		if data, err = t.readSource(name, recordingLimit); err != nil {
			return err
		}
	}
	found, list, err := find(data, which)
	if err != nil {
		return err
	}
	io.WriteString(t.stdout, "Unverified: nothing here was checked, and anyone can have written it.\n")
	if list != nil {
		list(t.stdout)
	}
	for _, f := range found {
		if err := f.print(t.stdout); err != nil {
			return err
		}
	}
	return nil
}

// isMessageAddress reports whether data is an address that carries a message. It looks for the bare
// words, so that an address with a message in it is never fetched, however it is written.
func isMessageAddress(data []byte) bool {
	lower := bytes.ToLower(bytes.TrimSpace(data))
	return (bytes.HasPrefix(lower, []byte("https://")) || bytes.HasPrefix(lower, []byte("http://"))) &&
		(bytes.Contains(lower, []byte("samlrequest")) || bytes.Contains(lower, []byte("samlresponse")))
}

// found is one message and what came with it.
type found struct {
	title string // "SAMLRequest, base64 and deflated"
	notes []note
	xml   []byte
}

type note struct{ label, value string }

// find takes the messages out of any form of input: the one with the number which, from 1. For 0 it
// takes all, or of a recording with several the only response: list prints what there is.
func find(data []byte, which int) (some []found, list func(io.Writer), err error) {
	var notes []note
	if isMessageAddress(data) {
		address, query, _ := strings.Cut(string(bytes.TrimSpace(data)), "?")
		query, _, _ = strings.Cut(query, "#")
		notes = []note{{"Address", withoutUser(address)}}
		if data = []byte(query); !formField.Match(data) {
			return nil, nil, refusal(codeForm, "the address has no SAMLRequest or SAMLResponse in its query",
				"Copy all of it, and quote it for the shell.")
		}
	}
	messages, where, err := messagesIn(data)
	if err != nil {
		return nil, nil, err
	}
	if which > len(messages) {
		return nil, nil, noSuchMessage(which, len(messages))
	}
	if len(messages) > 1 || where[0] != "" {
		return findInRecording(messages, where, which)
	}
	some, err = findAlone(messages[0], notes)
	return some, nil, err
}

// findAlone takes the messages out of a file that is no recording.
func findAlone(m message, notes []note) ([]found, error) {
	switch {
	case m.form != nil:
		return findInForm(m.form, notes)
	case m.xml != nil && !looksLikeXML(m.xml):
		return nil, refusal(saml.CodeEncoding, "this is neither XML in UTF-8 nor base64", "")
	case m.xml != nil:
		return []found{{title: "XML", xml: m.xml}}, nil
	}
	xml, how, err := unwrap(m.value)
	if err != nil {
		return nil, err
	}
	return []found{{title: capitalized(how), xml: xml}}, nil
}

// maxMessages bounds the messages of one form: each may inflate to maxInflated.
const maxMessages = 8

// findInRecording takes the message with this number, from 1. For 0 it takes the only one, or the only
// response, and gives the list of several. A message that cannot be read hides no other.
func findInRecording(messages []message, where []string, which int) (some []found, list func(io.Writer), err error) {
	if which == 0 && len(messages) > 1 {
		list = func(w io.Writer) { printList(w, messages, where) }
		responses := signIns(responsesOf(messages, where))
		if len(responses) != 1 {
			return nil, list, nil
		}
		which = responses[0].number
	}
	i := max(which, 1) - 1
	some, err = findInForm(messages[i].form, []note{{"Number", fmt.Sprintf("%d of %d", i+1, len(messages))}, {"Found in", where[i]}})
	return some, list, err
}

func printList(w io.Writer, messages []message, where []string) {
	fmt.Fprintf(w, "The file has %d messages. -n NUMBER shows one of them.\n", len(messages))
	for i, m := range messages {
		for _, name := range []string{"SAMLRequest", "SAMLResponse"} {
			for _, value := range m.form[name] {
				f := factsOf(value)
				fmt.Fprintf(w, "\n%d: %s, %s\n", i+1, name, visible(cmp.Or(f.root, "which cannot be read")))
				f.print(w, where[i])
			}
		}
	}
}

func noSuchMessage(which, number int) error {
	return refusal(codeForm, fmt.Sprintf("there is no message %d in the file, which has %d", which, number), "")
}

func findInForm(form url.Values, notes []note) ([]found, error) {
	if n := len(form["SAMLRequest"]) + len(form["SAMLResponse"]); n > maxMessages {
		return nil, refusal(codeForm, fmt.Sprintf("the form has %d messages, more than %d", n, maxMessages), "")
	}
	for _, name := range []string{"RelayState", "SigAlg", "Signature"} {
		for _, value := range form[name] {
			notes = append(notes, note{name, value})
		}
	}
	var list []found
	for _, name := range []string{"SAMLRequest", "SAMLResponse"} {
		for _, value := range form[name] {
			xml, how, err := unwrap(value)
			if err != nil {
				return nil, err
			}
			list = append(list, found{name + ", " + how, notes, xml})
		}
	}
	return list, nil
}

func capitalized(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// toStandard gives base64 in the standard alphabet without padding and white space.
var toStandard = strings.NewReplacer("-", "+", "_", "/", "=", "", " ", "", "\t", "", "\r", "", "\n", "")

// unwrap undoes base64 and deflate, and says how it was wrapped. It is lenient where FinishLogin is
// not: the URL alphabet and missing padding are read too, for the message is only to be shown.
func unwrap(value string) (xml []byte, how string, err error) {
	if strings.TrimSpace(value) == "" {
		return nil, "", refusal(saml.CodeResponseMissing, "there is no message: nothing stands there", "")
	}
	data, err := base64.RawStdEncoding.DecodeString(toStandard.Replace(value))
	if err != nil {
		return nil, "", refusal(saml.CodeBase64, "this is neither XML nor base64: "+err.Error(),
			"Copy the whole value, without what stands around it.")
	}
	if looksLikeXML(data) {
		return data, "base64", nil
	}
	inflated, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxInflated+1))
	switch {
	case len(inflated) > maxInflated:
		return nil, "", refusal(saml.CodeTooLarge,
			fmt.Sprintf("this inflates to more than %d MiB, so it is no message", maxInflated>>20), "")
	case err != nil || !looksLikeXML(inflated):
		return nil, "", refusal(saml.CodeXMLSyntax, "what is in the base64 is neither XML nor deflated XML",
			"Copy the whole value, without what stands around it.")
	}
	return inflated, "base64 and deflated", nil
}

func looksLikeXML(data []byte) bool {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	return len(text) > 0 && text[0] == '<'
}

func (f found) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s, %d bytes\n", f.title, len(f.xml))
	for _, n := range f.notes {
		row(w, 0, n.label, n.value)
	}
	fmt.Fprintln(w)
	return indent(w, f.xml)
}
