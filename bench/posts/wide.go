//go:build linux

package main

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// wide is a message of many small elements, which costs the reader the most memory: 50,000 elements
// in nearly 1 MiB.
func wide() string {
	const head = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0" IssueInstant="2026-03-01T12:00:00Z"><samlp:Extensions>`
	const tail = `</samlp:Extensions></samlp:Response>`
	message := head + strings.Repeat(`<e xmlns="urn:e" a="">x</e>`, 38_000) + tail
	return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(message)))
}
