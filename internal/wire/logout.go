package wire

import (
	"crypto"

	"github.com/iomete/saml/internal/dsig"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/redirect"
	"github.com/iomete/saml/internal/xmltree"
)

// A Logout is a samlp:LogoutRequest or samlp:LogoutResponse as it was received (SAML Core 2.0 §3.7).
// It follows the schema, but it is not trusted: only what Verify returns is.
type Logout struct {
	Root    xmltree.Element
	Request bool // it is a LogoutRequest, not a LogoutResponse

	// Signature is the enveloped one, the zero Signature if there is none.
	Signature dsig.Signature
	// SOAP says that it came in a SOAP envelope: from a server, not through a browser.
	SOAP bool

	query *redirect.Message // of the HTTP-Redirect binding, else nil
}

// maxRedirected is the maximum size, in bytes, of a message on a redirect when it is unpacked. No honest
// one comes near it in an address; a kilobyte of a dishonest one could unpack to a megabyte, which
// would have to be read before anything of it is known.
const maxRedirected = 64 << 10

// LogoutFromQuery reads the raw query of the HTTP-Redirect binding (SAML Bindings 2.0 §3.4), and
// returns what else is in it too.
func LogoutFromQuery(raw string) (*Logout, *redirect.Message, error) {
	parameters, err := redirect.ParseQuery(raw, maxRedirected)
	if err != nil {
		return nil, nil, err
	}
	m, err := readLogout(parameters)
	if err != nil {
		return nil, nil, err
	}
	m.query = parameters
	return m, parameters, nil
}

// AnswersLogout reports whether the message in the raw query of the HTTP-Redirect binding is a
// LogoutResponse by its root, whatever else is wrong with it.
func AnswersLogout(raw string) bool {
	parameters, err := redirect.ParseQuery(raw, maxRedirected)
	if err != nil {
		return false
	}
	doc, err := xmltree.Parse(parameters.XML, xmltree.Options{})
	return err == nil && doc.Root().Is(xmltree.NSProtocol, "LogoutResponse")
}

// LogoutFromForm reads the raw body of the HTTP-POST binding (SAML Bindings 2.0 §3.5). query is the
// raw query of the address that it was posted to.
func LogoutFromForm(body, query string) (*Logout, *redirect.Message, error) {
	parameters, err := redirect.ParseForm(body, query)
	if err != nil {
		return nil, nil, err
	}
	m, err := readLogout(parameters)
	if err != nil {
		return nil, nil, err
	}
	return m, parameters, nil
}

// LogoutFromSOAP reads the body of a request by the SOAP binding, or of the answer to one of ours
// (SAML Bindings 2.0 §3.2).
func LogoutFromSOAP(body []byte) (*Logout, error) {
	doc, err := xmltree.Parse(body, xmltree.Options{})
	if err != nil {
		return nil, err
	}
	message, err := messageInEnvelope(doc.Root())
	if err != nil {
		return nil, err
	}
	m, err := logoutAt(message, doc.Root())
	if err != nil {
		return nil, err
	}
	m.SOAP = true
	return m, nil
}

// readLogout reads the message of a query or a form. What the parameter says that it is must be true.
func readLogout(parameters *redirect.Message) (*Logout, error) {
	doc, err := xmltree.Parse(parameters.XML, xmltree.Options{})
	if err != nil {
		return nil, err
	}
	m, err := logoutAt(doc.Root(), doc.Root())
	if err != nil {
		return nil, err
	}
	if m.Request != parameters.Request {
		return nil, &fault.Fault{Code: fault.LogoutMessage,
			Message: "a LogoutRequest is in SAMLResponse, or a LogoutResponse in SAMLRequest", Got: m.Root.Local(),
			Want: "a LogoutRequest in SAMLRequest, a LogoutResponse in SAMLResponse"}
	}
	return m, nil
}

// logoutAt checks that an element is a logout message by the schema, and finds its signature. document
// is the root of the document, in which no two elements may have the same ID.
func logoutAt(root, document xmltree.Element) (*Logout, error) {
	m := &Logout{Root: root, Request: root.Is(xmltree.NSProtocol, "LogoutRequest")}
	if !m.Request && !root.Is(xmltree.NSProtocol, "LogoutResponse") {
		return nil, &fault.Fault{Code: fault.LogoutMessage, Message: "the message is not one about logout",
			Got: inNamespace(root), Want: "LogoutRequest or LogoutResponse in " + xmltree.NSProtocol}
	}
	if err := checkVersionAndID(root); err != nil {
		return nil, err
	}
	if err := checkUniqueIDs(document); err != nil {
		return nil, err
	}
	if err := CheckLogout(root); err != nil {
		return nil, err
	}
	var err error
	if m.Signature, _, err = dsig.Find(root, xmltree.Element{}); err != nil {
		return nil, err
	}
	return m, nil
}

// Issuer returns the issuer that the message claims, as it is written, and "" if it has none. It is
// good for choosing whose keys are tried, and for an error message.
func (m *Logout) Issuer() string {
	for c := range m.Root.Children() {
		if c.Is(xmltree.NSAssertion, "Issuer") {
			text, _ := c.Text()
			return text
		}
	}
	return ""
}

// HasSignature reports whether there is a signature of any kind, good or bad.
func (m *Logout) HasSignature() bool { return m.Signature.Exists() || m.hasQuerySignature() }

// ByRedirect reports whether it came by the HTTP-Redirect binding.
func (m *Logout) ByRedirect() bool { return m.query != nil }

func (m *Logout) hasQuerySignature() bool { return m.query != nil && len(m.query.Signature) > 0 }

// Verify verifies every signature of the message with the trusted keys, and returns what is signed in
// the way of its binding: by HTTP-Redirect the message that the query encodes, else the element with
// the enveloped signature. Without such a signature it returns the fault LogoutUnsigned.
func (m *Logout) Verify(keys []crypto.PublicKey, policy dsig.Policy) (signed dsig.Signed, err error) {
	if err := m.checkSigned(); err != nil {
		return dsig.Signed{}, err
	}
	if m.Signature.Exists() {
		if signed, err = verifySignature(m.Signature, keys, policy); err != nil {
			return dsig.Signed{}, err
		}
		policy.TryFirst = signed.Key()
	}
	if m.query == nil {
		return signed, nil
	}
	d := dsig.Detached{Algorithm: m.query.Algorithm, Octets: m.query.Octets, Value: m.query.Signature}
	return d.Verify(keys, policy, func(octets []byte) ([]byte, error) {
		return redirect.Open(octets, maxRedirected)
	})
}

func (m *Logout) checkSigned() error {
	switch {
	case m.query == nil && m.Signature.Exists(), m.hasQuerySignature():
		return nil
	case m.Signature.Exists():
		return &fault.Fault{Code: fault.LogoutUnsigned,
			Message: "the message came on a redirect and is signed inside the XML alone, where nothing covers the query",
			Want:    "SigAlg and Signature in the query (SAML Bindings 2.0 §3.4.4.1)"}
	}
	return fault.New(fault.LogoutUnsigned, "the "+m.Root.Local()+" is not signed")
}
