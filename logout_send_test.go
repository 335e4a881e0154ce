package saml

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml/internal/outgoing"
	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/wire"
)

// signsLogout makes a service that signs, and one on the other side that trusts it.
func signsLogout(t *testing.T, key string, algorithm SigningAlgorithm, entityID string) (sender,
	receiver *ServiceProvider,
	certificate *x509.Certificate) {
	t.Helper()
	certificate = vectorCertificate(t, key+".crt.pem")
	sender = mustProvider(t, func(c *Config) {
		c.SigningKey, c.SigningCertificate, c.SigningAlgorithm = vectorKey(t, key+".key.pem"), certificate.Raw,
			algorithm
		c.EntityID = entityID
	})
	keys, err := ParseKeys(testfiles.Key(t, key+".crt.pem"))
	if err != nil {
		t.Fatal(err)
	}
	receiver = mustProvider(t, func(c *Config) {
		idp, err := NewIdentityProvider(entityID, "https://idp.example.com/login", keys...)
		if err != nil {
			t.Fatal(err)
		}
		c.IdentityProvider, c.NameID = idp, AllowAnyNameID
	})
	return sender, receiver, certificate
}

// TestLogoutMessagesThatWeSend: each message, by each binding and with each kind of key, is verified by
// OpenSSL or xmlsec1, and says on the other side what it said here.
func TestLogoutMessagesThatWeSend(t *testing.T) {
	t.Parallel()
	needXmlsec1(t)
	const entityID = "https://console.example.com/a?b=c&d=<\u00E9>"
	const destination = "https://idp.example.com/slo?sls&a=b"
	n := NameID{Value: "a<b>&\"'\u00E9\U0001F511]]>", Format: "urn:x\t\n&\"", NameQualifier: "<q>",
		SPNameQualifier: "'s'"}
	indexes := []string{"<i>\r\n", "2", "]]>"}
	for key, algorithms := range map[string][]SigningAlgorithm{"test-idp-a": {"", RSAWithSHA512, RSAPSSWithSHA256},
		"test-ec-p256": {""}, "test-ec-p384": {""}, "test-ec-p521": {"", ECDSAWithSHA256}} {
		for _, algorithm := range algorithms {
			sender, receiver, certificate := signsLogout(t, key, algorithm, entityID)
			request := sender.newLogoutRequest(destination, n, indexes)
			response := sender.newLogoutResponse(destination, "_request", statusResponder)
			check := func(how string, m *wire.Logout, err error) {
				t.Helper()
				if err != nil {
					t.Errorf("%s %s, %s: %v", key, algorithm, how, err)
					return
				}
				arrival := logoutArrival{message: m, addresses: []string{destination}}
				if !m.Request {
					outcome, refusal := receiver.judgeLogoutResponse(t.Context(), arrival, "_request",
						logoutResponseChecks)
					if refusal != nil || outcome != logoutFailed {
						t.Errorf("%s %s, %s: got %v, %v", key, algorithm, how, outcome, refusal)
					}
					return
				}
				v := receiver.judgeLogoutRequest(t.Context(), arrival, logoutRequestChecks)
				if r := v.request; v.refusal != nil || r.ID != request.ID ||
					!r.IssueInstant.Equal(testNow.Truncate(time.Millisecond)) ||
					r.NameID.Value != n.Value || r.NameID.Format != n.Format ||
					r.NameID.NameQualifier != n.NameQualifier ||
					r.NameID.SPNameQualifier != n.SPNameQualifier || !slices.Equal(r.Indexes, indexes) {
					t.Errorf("%s %s, %s: got %+v, %v", key, algorithm, how, r, v.refusal)
				}
			}
			for _, m := range []logoutDocument{request, response} {
				for _, state := range []*string{nil, new(string), pointerTo("a b/+&=")} {
					address, err := sender.logoutRedirect(t.Context(), destination, m, state)
					query, ok := strings.CutPrefix(address, destination+"&")
					if err != nil || !ok {
						t.Fatalf("got %q, %v", address, err)
					}
					received, parameters, err := wire.LogoutFromQuery("sls&a=b&" + query)
					check("redirect", received, err)
					if err == nil && (parameters.HasRelayState != (state != nil) || state != nil &&
						parameters.RelayState != *state) {
						t.Errorf("got RelayState %q", parameters.RelayState)
					}
					if state != nil && *state != "" { // the longest query
						judgeSentQuery(t, query, certificate)
					}
				}
				name, value, err := sender.logoutForm(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				received, _, err := wire.LogoutFromForm(url.Values{name: {value}}.Encode(), "sls&a=b")
				check("form", received, err)
				envelope, err := sender.logoutEnvelope(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				received, err = wire.LogoutFromSOAP(envelope)
				check("SOAP", received, err)
				if document, err := base64.StdEncoding.DecodeString(value); err == nil &&
					algorithm != RSAPSSWithSHA256 { // xmlsec1 has that from 1.3 on
					judgeSentXML(t, document, key)
					if m == logoutDocument(response) {
						judgeSentXML(t, envelope, key)
					}
				}
			}
		}
	}
}

func pointerTo(s string) *string { return &s }

// judgeSentQuery asks OpenSSL about a query, and about one that was changed.
func judgeSentQuery(t *testing.T, query string, certificate *x509.Certificate) {
	t.Helper()
	octets, signature, _ := strings.Cut(query, "&Signature=")
	text, err := url.QueryUnescape(signature)
	if err != nil {
		t.Fatal(err)
	}
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	_, algorithm, _ := strings.Cut(octets, "&SigAlg=")
	uri, err := url.QueryUnescape(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	if !opensslVerifies(t, octets, value, uri, certificate) {
		t.Errorf("OpenSSL does not verify %s", query)
	}
	if opensslVerifies(t, octets+"&", value, uri, certificate) {
		t.Errorf("OpenSSL verifies another query than %s", query)
	}
}

// judgeSentXML asks xmlsec1 about a document, and about one that was changed.
func judgeSentXML(t *testing.T, document []byte, key string) {
	t.Helper()
	for _, changed := range []bool{false, true} {
		if changed {
			document = []byte(strings.Replace(string(document), "https://idp.example.com/slo",
				"https://evil.example.com", 1))
		}
		file := filepath.Join(t.TempDir(), "message.xml")
		if err := os.WriteFile(file, document, 0o600); err != nil {
			t.Fatal(err)
		}
		output, err := exec.CommandContext(t.Context(), "xmlsec1", "--verify",
			"--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:LogoutRequest", "--id-attr:ID",
			"urn:oasis:names:tc:SAML:2.0:protocol:LogoutResponse",
			"--enabled-key-data", "rsa,ecdsa", "--pubkey-cert-pem", filepath.Join(testfiles.VectorDir(t), "keys",
				key+".crt.pem"), file).CombinedOutput()
		if (err != nil) != changed {
			t.Errorf("xmlsec1, changed %t: %v\n%.500s\n%s", changed, err, output, document)
		}
	}
}

// TestLogoutNeedsAKey: no logout message leaves without a signature.
func TestLogoutNeedsAKey(t *testing.T) {
	t.Parallel()
	sp := mustProvider(t, nil)
	m := sp.newLogoutRequest("https://idp.example.com/slo", NameID{Value: "ann"}, nil)
	address, err := sp.logoutRedirect(t.Context(), "https://idp.example.com/slo", m, nil)
	_, value, formErr := sp.logoutForm(t.Context(), m)
	envelope, soapErr := sp.logoutEnvelope(t.Context(), m)
	if address != "" || value != "" || envelope != nil || !errors.Is(err, errNoLogoutKey) || !errors.Is(formErr,
		errNoLogoutKey) ||
		!errors.Is(soapErr, errNoLogoutKey) {
		t.Errorf("got %q, %q, %q, %v, %v, %v", address, value, envelope, err, formErr, soapErr)
	}
}

// TestSOAPFault: the text of a fault cannot become markup, and a fault is no logout message.
func TestSOAPFault(t *testing.T) {
	t.Parallel()
	fault := string(outgoing.SOAPFault("a<b>&]]>"))
	if !strings.Contains(fault, "<faultstring>a&lt;b&gt;&amp;]]&gt;</faultstring>") {
		t.Errorf("got %s", fault)
	}
	if m, err := wire.LogoutFromSOAP([]byte(fault)); m != nil || fromFault(err).Code != CodeLogoutMessage {
		t.Errorf("got %v, %v", m, err)
	}
}
