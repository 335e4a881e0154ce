package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/iomete/saml"
)

// visible escapes what a terminal would not show as itself: control characters, line breaks,
// invisible and direction characters, bytes that are no UTF-8. Much of what this tool prints was
// written by strangers.
func visible(s string) string {
	return escape(s, func(r rune) string {
		quoted := strconv.QuoteRuneToASCII(r)
		return quoted[1 : len(quoted)-1]
	})
}

// escape replaces each character that is not printable by what replace gives, and each stray byte
// by \x and its value.
func escape(s string, replace func(rune) string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(replace(r))
		}
		s = s[size:]
	}
	return b.String()
}

// row prints a label and a value, "-" for none.
func row(w io.Writer, indent int, label, value string) {
	if value == "" {
		value = "-"
	}
	fmt.Fprintf(w, "%*s%-*s %s\n", indent, "", 26-indent, label, visible(value))
}

// rows prints a label and values, each on its line.
func rows(w io.Writer, indent int, label string, values []string) {
	if len(values) == 0 {
		row(w, indent, label, "")
	}
	for _, v := range values {
		row(w, indent, label, v)
		label = ""
	}
}

// refusal makes an error of this tool look like one of the library.
func refusal(code saml.Code, message, hint string) *saml.Error {
	return &saml.Error{Code: code, Message: message, Hint: hint}
}

// sentence says what is wrong, with what was got and wanted. Personal data is shown: who runs this
// tool has the message.
func sentence(e *saml.Error) string {
	s := e.Message
	if e.Got != "" {
		s += ", got " + e.Got
	}
	if e.Want != "" {
		s += ", want " + e.Want
	}
	if cause := e.Unwrap(); cause != nil {
		s += ": " + cause.Error()
	}
	return s
}

// line is the sentence and what to do.
func line(e *saml.Error) string {
	if e.Hint == "" {
		return sentence(e)
	}
	return sentence(e) + ". " + e.Hint
}
