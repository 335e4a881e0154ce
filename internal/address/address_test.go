package address

import (
	"strings"
	"testing"
)

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "console.localhost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.com": false, "notlocalhost": false, "10.0.0.1": false, "0.0.0.0": false, "::": false, "127.0.0.1.example.com": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("%q: got %t, want %t", host, got, want)
		}
	}
}

func TestTrimmed(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"https://host/a b": "https://host/a b", " https://host/ ": "https://host/", "\t\r\nhttps://host/\n": "https://host/",
		"\ufeffhttps://host/\u200b": "https://host/", "\u00a0\u2060 https://host/\u200e\u00ad": "https://host/", "https://ho\u200bst/": "https://ho\u200bst/",
		"https://host/\xff": "https://host/\xff", "": "", " \u200b ": "",
	} {
		if got := Trimmed(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://idp.example.com:8443/saml/metadata.xml": "https://idp.example.com:8443/saml/metadata.xml",
		"https://user:secret@idp.example.com/x":          "https://xxxxx@idp.example.com/x",
		"https://user:secret/@idp.example.com/":          "", // "secret" is no port
		"https://user:1/secret@idp.example.com/":         "https://xxxxx@idp.example.com/",
		"https://a:b@c:secret@host/":                     "https://xxxxx@host/",
		"https://user%3Asecret%40host/":                  "", // no host has a colon
		"https://idp.example.com/?token=secret":          "https://idp.example.com/?…",
		"https://idp.example.com/x#secret":               "https://idp.example.com/x#…",
		"user:secret":                                    "user:…",
		"user:secret@host/path":                          "user:…",
		"//user:secret@host/path":                        "xxxxx@host/path",
		"https://user:secret@ho st/":                     "",
		"metadata.xml":                                   "metadata.xml",
	} {
		if got := Shown(address); got != want || strings.Contains(got, "secret") {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
	if got := WithoutUserInfo("https://user:secret%40host/"); got != "https://xxxxx@host/" {
		t.Errorf("an @ that is escaped: got %q", got)
	}
}

// TestVisible asks for the first and the last character of ASCII that can be seen, and those beside them.
func TestVisible(t *testing.T) {
	t.Parallel()
	for r, want := range map[rune]bool{-1: false, 0: false, '\n': false, 0x1f: false, ' ': true, '~': true, 0x7f: false, 0x80: false,
		0xa0: false, 0xa1: true, 0xad: false, 'é': true, 0x115f: false, 0x200b: false, 0x2800: false, 0xfe0f: false, 0xfeff: false} {
		if Visible(r) != want {
			t.Errorf("%U: got %t, want %t", r, !want, want)
		}
	}
}
