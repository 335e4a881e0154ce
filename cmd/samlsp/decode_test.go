package main

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const logoutRequest = `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="2.0">` +
	`<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">grace@example.com</saml:NameID></samlp:LogoutRequest>`

const shownLogoutRequest = `
<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="2.0">
  <saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">grace@example.com</saml:NameID>
</samlp:LogoutRequest>
`

func deflated(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func TestDecodeForms(t *testing.T) {
	t.Parallel()
	plain := base64.StdEncoding.EncodeToString([]byte(logoutRequest))
	redirect := base64.StdEncoding.EncodeToString(deflated(t, []byte(logoutRequest)))
	query := url.Values{"SAMLRequest": {redirect}, "RelayState": {"a b"},
		"SigAlg": {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"}, "Signature": {"AAAA"}}.Encode()
	for _, c := range []struct {
		what, data string
		words      []string
	}{
		{"XML", logoutRequest, []string{"\nXML, 211 bytes\n"}},
		{"XML with a byte order mark and a declaration", "\uFEFF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" +
			logoutRequest, []string{`<?xml version="1.0" encoding="UTF-8"?>`}},
		{"base64", plain, []string{"\nBase64, 211 bytes\n"}},
		{"base64 with a line end", plain + "\r\n", nil},
		{"base64 of the URL alphabet without padding", base64.RawURLEncoding.EncodeToString([]byte(logoutRequest)),
			nil},
		{"deflated base64", redirect, []string{"\nBase64 and deflated, 211 bytes\n"}},
		{"deflated base64, escaped", url.QueryEscape(redirect), []string{"deflated"}},
		{"a form body with a request", "SAMLRequest=" + url.QueryEscape(plain) + "&RelayState=%2Fjobs",
			[]string{"\nSAMLRequest, base64, 211 bytes\n", "RelayState ", " /jobs\n"}},
		{"a form body with a response", "RelayState=x&SAMLResponse=" + url.QueryEscape(plain),
			[]string{"\nSAMLResponse, base64, "}},
		{"a query", "?" + query, []string{"SAMLRequest, base64 and deflated", "a b\n", "#rsa-sha256\n", "Signature "}},
		{"an address", "https://idp.invalid/slo?x=1&" + query + "#top",
			[]string{"Address ", "https://idp.invalid/slo\n", "a b\n"}},
		{"two messages", "SAMLResponse=" + url.QueryEscape(plain) + "&SAMLRequest=" + url.QueryEscape(plain),
			[]string{"SAMLRequest, base64", "SAMLResponse, base64"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{{"decode"}, {"decode", "-"},
				{"decode", tempFile(t, "message", []byte(c.data))}} {
				r := samlspWith(t, strings.NewReader(c.data), args...)
				if r.code != exitOK || r.stderr != "" || !strings.HasPrefix(r.stdout, "Unverified: ") {
					t.Fatalf("%v: got %+v", args, r)
				}
				contains(t, r.stdout, append(c.words, shownLogoutRequest[1:])...)
			}
		})
	}
}

// TestDecodeAddresses: an address that carries a message is read, never fetched; another one is
// fetched.
func TestDecodeAddresses(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/message", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(logoutRequest)) })
	mux.HandleFunc("/never", func(w http.ResponseWriter, r *http.Request) { t.Errorf("%s was fetched", r.URL) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	r := samlsp(t, "decode", server.URL+"/message")
	if r.code != exitOK || !strings.Contains(r.stdout, shownLogoutRequest) {
		t.Errorf("got %+v", r)
	}
	idp := newIDP(t, samltest.Options{BaseURL: server.URL + "/never"})
	request, err := newServiceProvider(t, idp).StartLogin(t.Context(), saml.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r = samlsp(t, "decode", request.URL)
	if r.code != exitOK {
		t.Errorf("got %+v", r)
	}
	contains(t, r.stdout, `ID="`+request.ID+`"`, redirectURL, "AuthnRequest")
	hasRow(t, r.stdout, "Address", idp.LoginURL())

	for _, query := range []string{"?SAMLRequest=%zz", "?samlrequest=AAAA", "#SAMLRequest=AAAA",
		"?a=SAMLResponse%3DAAAA", "?SAMLRequest"} {
		samlsp(t, "decode", server.URL+"/never"+query).failed(t, exitRefused, "samlsp decode: ")
	}
}

func TestDecodeThatIsNone(t *testing.T) {
	t.Parallel()
	bomb := base64.StdEncoding.EncodeToString(deflated(t, bytes.Repeat([]byte("<a>"), 8<<20)))
	for _, c := range []struct {
		what, data string
		words      []string
	}{
		{"nothing", "", []string{"nothing stands there"}},
		{"white space", " \n", []string{"nothing stands there"}},
		{"a sentence", "lorem ipsum, dolor", []string{"neither XML nor base64", "Copy the whole value"}},
		{"binary", "\xff\xfe\x00", []string{"neither XML in UTF-8 nor base64"}},
		{"base64 of a sentence", base64.StdEncoding.EncodeToString([]byte("lorem ipsum")),
			[]string{"neither XML nor deflated XML"}},
		{"deflated base64 of a sentence", base64.StdEncoding.EncodeToString(deflated(t, []byte("lorem ipsum"))),
			[]string{"neither XML nor deflated XML"}},
		{"what inflates to 24 MB", bomb, []string{"inflates to more than 4 MiB"}},
		{"an empty form field", "SAMLRequest=&RelayState=x", []string{"nothing stands there"}},
		{"a form with many messages", strings.Repeat("SAMLRequest=PGEvPg&", 9), []string{"9 messages, more than 8"}},
		{"a damaged form", "SAMLRequest=%zz", []string{"form body cannot be read"}},
		{"a file of 8 MB", strings.Repeat("A", 8<<20+1), []string{"more than 8 MiB"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			samlspWith(t, strings.NewReader(c.data), "decode").failed(t, exitRefused, c.words...)
		})
	}
}

func TestIndent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, xml, want string }{
		{"an element", `<a/>`, "<a/>\n"},
		{"white space between elements", "<a>\n\t<b> </b>\n</a>", "<a>\n  <b> </b>\n</a>\n"},
		{"white space of an element alone", "<a>\n</a>", "<a/>\n"},
		{"text in several lines", "<a>\nAAAA\nBBBB\n</a>", "<a>\n  AAAA\n  BBBB\n</a>\n"},
		{"text beside elements", "<a>one<b/>two</a>", "<a>\n  one\n  <b/>\n  two\n</a>\n"},
		{"a comment within text", "<a>x@example.com<!--y-->.example.org</a>",
			"<a>\n  x@example.com\n  <!--y-->\n  .example.org\n</a>\n"},
		{"prefixes and declarations as written", `<p:a xmlns:p="urn:p" p:b='"'/>`,
			"<p:a xmlns:p=\"urn:p\" p:b=\"&quot;\"/>\n"},
		{"escapes", "<a b='&lt;&#10;'>&lt;&amp;<![CDATA[<b>]]></a>", "<a b=\"&lt;&#xA;\">&lt;&amp;&lt;b&gt;</a>\n"},
		{"characters for the terminal", "<a b='\u009b'>\u202e\u200b</a>", "<a b=\"&#x9B;\">&#x202E;&#x200B;</a>\n"},
		{"a processing instruction and a DOCTYPE", "<?p i?><!DOCTYPE a>\n<a/>", "<?p i?>\n<!DOCTYPE a>\n<a/>\n"},
		{"text that looks like a line of this tool", "<a>\nUnverified\nSigned in</a>",
			"<a>\n  Unverified\n  Signed in\n</a>\n"},
		{"long attributes", `<a b="` + strings.Repeat("x", 120) + `" c="d"><e/></a>`,
			"<a\n    b=\"" + strings.Repeat("x", 120) + "\"\n    c=\"d\">\n  <e/>\n</a>\n"},
	} {
		var got strings.Builder
		if err := indent(&got, []byte(c.xml)); err != nil || got.String() != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.what, got.String(), err, c.want)
		}
	}
}

// TestIndentBrokenXML: what comes before the fault is shown, the fault is named.
func TestIndentBrokenXML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, xml, shown, word string }{
		{"a wrong end tag", "<a><b></a>", "<a>\n  <b>\n", "</a> ends no element"},
		{"an end tag too many", "<a/></a>", "<a/>\n", "</a> ends no element"},
		{"no end tag", "<a>\n<b>x", "<a>\n  <b>\n    x\n", "ends inside <b>"},
		{"an unknown entity", "<a>\n&lol;</a>", "<a>\n", "line 2: invalid character entity &lol;"},
		{"a forbidden character", "<a>\x1b</a>", "<a>\n", "illegal character"},
		{"another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, "", `"ISO-8859-1" is not UTF-8`},
		{"no element", "<!-- a -->", "<!-- a -->\n", "no element"},
		{"bytes that are no UTF-8", "<a>\xff</a>", "<a>\n", "invalid UTF-8"},
	} {
		var got strings.Builder
		err := indent(&got, []byte(c.xml))
		if err == nil || got.String() != c.shown || !strings.Contains(sentence(saml.Errors(err)[0]), c.word) {
			t.Errorf("%s: got %q, %v; want %q and %q", c.what, got.String(), err, c.shown, c.word)
		}
	}
	r := samlspWith(t, strings.NewReader("<a><b></a>"), "decode")
	if r.code != exitRefused || !strings.Contains(r.stdout, "<b>") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("got %+v", r)
	}
}

// TestIndentDepth: deep nesting does not print a page that is large beyond proportion.
func TestIndentDepth(t *testing.T) {
	t.Parallel()
	const depth = 100_000
	var got strings.Builder
	if err := indent(&got, []byte(strings.Repeat("<a>", depth)+strings.Repeat("</a>", depth))); err != nil {
		t.Fatal(err)
	}
	if most := 2 * depth * (len("</a>\n") + 2*maxIndent); got.Len() > most {
		t.Errorf("%d bytes, want at most %d", got.Len(), most)
	}
}

// FuzzDecode: whatever comes, what is printed is fit for a terminal.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{logoutRequest, "<a>&#x9b;<!--\u202e--></a>", "SAMLRequest=PGEvPg%3D%3D", "PGEvPg==",
		"<a b='\n'>x\ny</a>", "<?p \u009b?><!D \u200b><a></b>"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"decode"}, bytes.NewReader(data), &stdout, &stderr)
		if (code == exitOK) != (stderr.Len() == 0) {
			t.Errorf("status %d, %q", code, stderr.String())
		}
		for _, r := range stdout.String() + stderr.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U was printed for %q", r, data)
			}
		}
	})
}

// TestDecodeRealMessages: every real message that is XML is shown to its end.
func TestDecodeRealMessages(t *testing.T) {
	t.Parallel()
	shown := 0
	for _, pattern := range []string{"responses/*.xml", "metadata/*.xml"} {
		names, err := filepath.Glob(fixture(t, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			r := samlsp(t, "decode", name)
			switch filepath.Base(name) {
			case "xxe-1.xml", "oktadev-16.xml", "simplesamlphp-2.xml": // no XML
				if r.code != exitRefused {
					t.Errorf("%s: got %+v", name, r)
				}
			default:
				shown++
				if r.code != exitOK {
					t.Errorf("%s: %s", name, r.stderr)
				}
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := strings.Count(r.stdout, "\n"), bytes.Count(data, []byte("</")); got < want {
					t.Errorf("%s: %d lines for %d elements with content", name, got, want)
				}
			}
		}
	}
	if shown == 0 {
		t.Error("nothing was shown")
	}
}
