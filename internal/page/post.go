package page

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// A Post is a page that posts one message. It posts its form at once by script. The button is for
// browsers without scripts. The script disables it, so that nothing is posted twice.
type Post struct {
	Title  string
	Action string  // where to post to: an absolute http or https URL; "" posts to the page's own address
	Field  string  // name of the field that holds the message, such as SAMLResponse
	Marks  []Field // more hidden fields; one whose Value is "" is left out
	// RelayState is one more field, which may be empty; nil: none.
	RelayState *string

	// Keep is a text that the tab keeps for a later page of the same origin (sessionStorage), ""
	// for nothing. Load is the name of a field that gets what the tab has kept, "" for none. Without
	// scripts, or if the browser forbids it, there is no such field.
	Keep, Load string

	// Fragment is posted instead if the address of the page has a fragment.
	Fragment Fragment

	FramedBy []string // see AllowFrames
	Language Language
}

// Write answers with the page, status 200. All values are escaped, the message too, which is written
// between the two parts of the page and without a copy of it: it may have 2 MiB.
//
// Every sign-in takes this page, and a template costs more than all else that the first leg of a
// sign-in does. So the page is put together by hand, from fixed text and appended values. Each value is
// in one of four places, and has the function for that place: text and attributes in double quotes
// (appendText), an address in an attribute (appendURL), a string of the script (appendJS), an integer
// of the script. The message is in an attribute in double quotes, which it could leave with a double
// quote alone: writeMessage writes none. The tests compare every byte with what html/template makes of
// the same page.
func (p Post) Write(w http.ResponseWriter, message []byte) {
	nonce := Headers(w, p.FramedBy...)
	page := make([]byte, 0, pageSize+len(p.Action)+len(p.Keep)+len(p.Fragment.Action)+len(p.Fragment.Value))
	page = p.appendHead(page, nonce)
	at := len(page)
	page = p.appendTail(page, nonce)
	w.Write(page[:at]) // here and below, the only possible error is that the browser went away
	writeMessage(w, message)
	w.Write(page[at:])
}

// pageSize is room for the page with English texts and without long values, in bytes. A longer page
// grows.
const pageSize = 2 << 10

// appendHead appends the page up to the message.
func (p *Post) appendHead(b []byte, nonce string) []byte {
	b = append(b, "<!DOCTYPE html>\n"+`<html lang="`...)
	b = appendText(b, p.Language.Name())
	b = append(b, `"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>`...)
	b = appendText(b, p.Language.Say(p.Title))
	b = append(b, "</title>\n"+`<style nonce="`...)
	b = appendText(b, nonce)
	b = append(b, `">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;text-align:center;margin:20vh 1rem}`+
		`button{font:inherit;padding:.5em 1.5em}</style>`+"\n"+`</head><body><form method="post" action="`...)
	b = appendURL(b, p.Action)
	b = append(b, `">`...)
	for _, mark := range p.Marks {
		if mark.Value != "" {
			b = appendHidden(b, mark.Name, mark.Value)
		}
	}
	if p.RelayState != nil {
		b = appendHidden(b, "RelayState", *p.RelayState)
	}
	b = append(b, `<input type="hidden" name="`...)
	b = appendText(b, p.Field)
	return append(b, `" value="`...)
}

// appendTail appends what follows the message.
func (p *Post) appendTail(b []byte, nonce string) []byte {
	b = append(b, `">`+"\n"+`<noscript><p>`...)
	b = appendText(b, p.Language.Say(textPress))
	b = append(b, `</p></noscript><button type="submit">`...)
	b = appendText(b, p.Language.Say(textContinue))
	b = append(b, `</button></form>`...)
	if p.Fragment.Action != "" {
		b = append(b, `<form id="fragment" method="post" action="`...)
		b = appendURL(b, p.Fragment.Action)
		b = append(b, `">`...)
		b = appendHidden(b, p.Fragment.Field, p.Fragment.Value)
		b = append(b, `</form>`...)
	}
	b = append(b, "\n"+`<script nonce="`...)
	b = appendText(b, nonce)
	b = append(b, `">{const h=location.hash.replace(/\\/g,"%5C"),g=document.getElementById("fragment")`+"\n"+
		`if(g&&h.length>1&&h.length<= `...)
	b = strconv.AppendInt(b, int64(p.Fragment.Room), 10)
	b = append(b, ` ){g.elements[0].value+=h;g.submit()}else{const f=document.forms[0]`...)
	if p.Keep != "" {
		b = append(b, `;try{sessionStorage.setItem("saml-return",`...)
		b = appendJS(b, p.Keep)
		b = append(b, `)}catch(e){}`...)
	}
	if p.Load != "" {
		b = append(b, `;try{const v=sessionStorage.getItem("saml-return");if(v){const i=document.createElement("input");i.type='hidden';i.name=`...)
		b = appendJS(b, p.Load)
		b = append(b, `;i.value=v;f.appendChild(i)}}catch(e){}`...)
	}
	return append(b, "\n"+`f.querySelector("button").disabled=true;f.submit()}}</script>`+"\n</body></html>\n"...)
}

func appendHidden(b []byte, name, value string) []byte {
	b = append(b, `<input type="hidden" name="`...)
	b = appendText(b, name)
	b = append(b, `" value="`...)
	b = appendText(b, value)
	return append(b, `">`...)
}

// appendText appends a value to text, or to an attribute in double quotes: with none of the bytes that
// could end either or begin an element or a character reference.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case 0:
			b = append(b, "\uFFFD"...)
		case '"':
			b = append(b, "&#34;"...)
		case '&':
			b = append(b, "&amp;"...)
		case '\'':
			b = append(b, "&#39;"...)
		case '+':
			b = append(b, "&#43;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendURL appends an address to an attribute in double quotes. One whose scheme a browser could run
// as a script is replaced. What an address cannot have is percent-encoded; escapes stay as they are.
func appendURL(b []byte, s string) []byte {
	if scheme, _, ok := strings.Cut(s, ":"); ok && !strings.Contains(scheme, "/") && !strings.EqualFold(scheme, "http") &&
		!strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "mailto") {
		return append(b, "#ZgotmplZ"...) // as html/template writes it, so that it is found in a search
	}
	const hexDigits = "0123456789abcdef"
	for i := range len(s) {
		switch c := s[i]; {
		case c == '&':
			b = append(b, "&amp;"...)
		case c == '+':
			b = append(b, "&#43;"...)
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$*,/:;=?@[]-._~", c) >= 0,
			c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, c)
		default:
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// appendJS appends a string literal to a script. JSON writes <, > and & as escapes, so that nothing in
// it ends the script, and the two line ends of JavaScript that are none of JSON too.
func appendJS(b []byte, s string) []byte {
	if isPlain(s) { // names of fields, and what is sealed
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	literal, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return append(b, literal...)
}

// isPlain reports whether s has letters, digits, - and _ of ASCII alone.
func isPlain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// writeMessage writes a message to an attribute in double quotes. One with none of the bytes that mean
// something in HTML, such as base64, is written as it is and in one piece. The searches take a
// fraction of what a loop over the bytes takes.
func writeMessage(w http.ResponseWriter, message []byte) {
	for _, special := range []byte{'"', '&', '<', '>', '\'', 0} {
		if bytes.IndexByte(message, special) >= 0 {
			template.HTMLEscape(w, message)
			return
		}
	}
	w.Write(message)
}
