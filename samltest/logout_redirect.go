package samltest

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// RedirectForm describes how the query of an HTTP-Redirect is written (SAML Bindings 2.0, section 3.4.4).
// The zero value is Entra's way.
type RedirectForm struct {
	// Escape percent-encodes a value. Default: with small hexadecimal digits (%2f), as Microsoft's
	// products do. url.QueryEscape is the way of most others.
	Escape func(value string) string

	// Order names the parameters in the order in which they are sent. What is not named is left out.
	// Default: message, RelayState, Signature, SigAlg. The message is "SAMLRequest" or "SAMLResponse".
	Order []string

	Compression Compression // of the message

	// Edit changes the query after it was signed. nil: no change.
	Edit func(query string) string
}

// Compression is how the message of an HTTP-Redirect is compressed.
type Compression int

const (
	Deflate      Compression = iota // raw DEFLATE (RFC 1951), as the binding demands
	ZlibDeflate                     // with the frame of zlib (RFC 1950); service providers must refuse it
	Uncompressed                    // bare XML; service providers must refuse it
)

// LogoutRedirect returns the address that carries the message by HTTP-Redirect: LogoutURL with a query,
// which is signed unless l is Unsigned. It fails as LogoutXML does.
func (p *IdentityProvider) LogoutRedirect(l Logout) (address string, err error) {
	document, err := p.logoutDocument(&l, l.SignInside)
	if err != nil {
		return "", err
	}
	message, err := document.WriteToBytes()
	if err != nil {
		return "", err
	}
	escape := l.Redirect.Escape
	if escape == nil {
		escape = escapeLower
	}
	value := base64.StdEncoding.EncodeToString(l.Redirect.Compression.pack(message))
	parameters := map[string]string{l.parameter(): escape(value)}
	if l.hasRelayState() {
		parameters["RelayState"] = escape(l.RelayState)
	}
	if !l.Unsigned {
		if err := p.signQuery(&l, parameters, escape); err != nil {
			return "", err
		}
	}
	order := l.Redirect.Order
	if order == nil {
		order = []string{l.parameter(), "RelayState", "Signature", "SigAlg"}
	}
	query := joinQuery(parameters, order)
	if l.Redirect.Edit != nil {
		query = l.Redirect.Edit(query)
	}
	if strings.Contains(l.LogoutURL, "?") {
		return l.LogoutURL + "&" + query, nil
	}
	return l.LogoutURL + "?" + query, nil
}

// escapeLower is url.QueryEscape with small hexadecimal digits.
func escapeLower(value string) string {
	escaped := []byte(url.QueryEscape(value))
	for i, c := range escaped {
		if c == '%' {
			copy(escaped[i+1:], bytes.ToLower(escaped[i+1:i+3]))
		}
	}
	return string(escaped)
}

func (c Compression) pack(message []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch c {
	case Uncompressed:
		return message
	case ZlibDeflate:
		w = zlib.NewWriter(&b)
	default:
		w, _ = flate.NewWriter(&b, flate.DefaultCompression) // an error is only about the level
	}
	w.Write(message) // a bytes.Buffer does not fail
	w.Close()
	return b.Bytes()
}

// joinQuery writes the parameters that there are, in an order. Their values are escaped already.
func joinQuery(parameters map[string]string, order []string) string {
	var parts []string
	for _, name := range order {
		if value, ok := parameters[name]; ok {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, "&")
}

// signedOrder is the order in which a signature covers the parameters of a message (SAML Bindings 2.0,
// section 3.4.4.1), whatever the order in which they are sent.
func signedOrder(message string) []string { return []string{message, "RelayState", "SigAlg"} }

// signQuery adds SigAlg and Signature to the parameters.
func (p *IdentityProvider) signQuery(l *Logout, parameters map[string]string, escape func(string) string) error {
	key, err := p.key(l.Key)
	if err != nil {
		return err
	}
	algorithm := l.Algorithm
	if algorithm == "" {
		if algorithm, err = defaultAlgorithm(key.signer.Public()); err != nil {
			return err
		}
	}
	parameters["SigAlg"] = escape(string(algorithm))
	signer := key.signer
	if _, ok := signer.Public().(*ecdsa.PublicKey); ok && !l.ASN1Signature {
		signer = rawECDSA{signer}
	}
	how, ok := queryAlgorithms[algorithm]
	if !ok {
		return fmt.Errorf("samltest: Logout.Algorithm is %q, want a constant of type Algorithm", algorithm)
	}
	signature, err := signer.Sign(rand.Reader, how.digest(joinQuery(parameters, signedOrder(l.parameter()))),
		how.options())
	if err != nil {
		return fmt.Errorf("samltest: %w", err)
	}
	parameters["Signature"] = escape(base64.StdEncoding.EncodeToString(signature))
	return nil
}

// A queryAlgorithm is what an algorithm does on the octets of a query.
type queryAlgorithm struct {
	hash crypto.Hash
	pss  bool // RSA-PSS with a salt as long as the hash (RFC 9231, section 2.3.10)
}

var queryAlgorithms = map[Algorithm]queryAlgorithm{
	RSASHA1:      {crypto.SHA1, false},
	RSASHA256:    {crypto.SHA256, false},
	RSASHA384:    {crypto.SHA384, false},
	RSASHA512:    {crypto.SHA512, false},
	RSAPSSSHA256: {crypto.SHA256, true},
	RSAPSSSHA384: {crypto.SHA384, true},
	RSAPSSSHA512: {crypto.SHA512, true},
	ECDSASHA256:  {crypto.SHA256, false},
	ECDSASHA384:  {crypto.SHA384, false},
	ECDSASHA512:  {crypto.SHA512, false},
}

func (a queryAlgorithm) digest(octets string) []byte {
	h := a.hash.New()
	io.WriteString(h, octets)
	return h.Sum(nil)
}

func (a queryAlgorithm) options() crypto.SignerOpts {
	if a.pss {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
	}
	return a.hash
}

// verify reports whether a key made the signature over the octets.
func (a queryAlgorithm) verify(public crypto.PublicKey, octets string, signature []byte) bool {
	sum := a.digest(octets)
	switch public := public.(type) {
	case *rsa.PublicKey:
		if a.pss {
			return rsa.VerifyPSS(public, a.hash, sum, signature, a.options().(*rsa.PSSOptions)) == nil
		}
		return rsa.VerifyPKCS1v15(public, a.hash, sum, signature) == nil
	case *ecdsa.PublicKey:
		encoded, err := asn1ECDSA(public, signature)
		return err == nil && ecdsa.VerifyASN1(public, sum, encoded)
	}
	return false
}

// verifyQuery reports whether a query is signed by a key, over its characters as they were received.
func verifyQuery(rawQuery, message string, public crypto.PublicKey) bool {
	parameters := map[string]string{}
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if _, twice := parameters[name]; twice && slices.Contains(signedOrder(message), name) {
			return false
		}
		parameters[name] = value
	}
	algorithm, err := url.QueryUnescape(parameters["SigAlg"])
	how, known := queryAlgorithms[Algorithm(algorithm)]
	if err != nil || !known {
		return false
	}
	text, err := url.QueryUnescape(parameters["Signature"])
	if err != nil {
		return false
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	return err == nil && how.verify(public, joinQuery(parameters, signedOrder(message)), signature)
}
