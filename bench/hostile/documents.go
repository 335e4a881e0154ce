//go:build unix

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/internal/xmltree"
)

// A document is a family of what is uploaded or pasted to set up trust: metadata or certificates,
// of people who may be strangers to the service, like the administrators of its tenants.
type document struct {
	name    string
	answers []saml.Code // with which it may be answered, "" for accepted
	read    func([]byte) error
	fill    func(size int) []byte
}

func (d document) family() family {
	return family{d.name, ofDocuments, d.answers, func(size int) (input, error) {
		data := d.fill(size)
		if len(data) > size {
			return input{}, fmt.Errorf("the document has %d bytes, more than %d", len(data), size)
		}
		return input{len(data), func() error { return d.read(data) }}, nil
	}}
}

func readMetadata(data []byte) error {
	p, err := saml.ParseMetadata(data)
	if err == nil {
		p.Warnings(now)
	}
	return err
}

func readNamedMetadata(data []byte) error {
	_, err := saml.ParseMetadata(data, saml.ParseMetadataOptions{EntityID: entityID})
	return err
}

func readPasted(data []byte) error {
	keys, err := saml.ParseKeys(data)
	if err == nil {
		_, err = saml.NewIdentityProvider(entityID, "https://idp.example.com/login", keys...)
	}
	return err
}

// readOneByOne takes certificates that an application kept one by one.
func readOneByOne(data []byte) error {
	var keys []saml.TrustedKey
	for rest := data; len(rest) > 0; {
		var raw asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &raw); err != nil {
			return err
		}
		more, err := saml.ParseKeys(raw.FullBytes)
		if err != nil {
			return err
		}
		keys = append(keys, more...)
	}
	_, err := saml.NewIdentityProvider(entityID, "https://idp.example.com/login", keys...)
	return err
}

// metadata is that of an identity provider with these elements in its IDPSSODescriptor, before its
// KeyDescriptor, and this signature.
func metadata(signature, keys string) []byte {
	return []byte(`<EntityDescriptor xmlns="` + xmltree.NSMetadata + `" ID="_m" entityID="` + entityID + `">` +
		signature + role(keys) + `</EntityDescriptor>`)
}

func role(keys string) string {
	return `<IDPSSODescriptor protocolSupportEnumeration="` + xmltree.NSProtocol + `">` + keys +
		keyDescriptor(someCertificate()) +
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/login"/></IDPSSODescriptor>`
}

func keyDescriptor(der []byte) string {
	return `<KeyDescriptor use="signing">` + keyInfo(der) + `</KeyDescriptor>`
}

func keyInfo(der []byte) string {
	return `<d:KeyInfo xmlns:d="` + xmltree.NSDSig + `"><d:X509Data><d:X509Certificate>` +
		base64.StdEncoding.EncodeToString(der) + `</d:X509Certificate></d:X509Data></d:KeyInfo>`
}

// brokenSignature has the right form, and a value of that many bytes.
func brokenSignature(value int, keyInfo string) string {
	m := message{keyInfo: keyInfo}
	return strings.NewReplacer(placeDigest+"_m", base64.StdEncoding.EncodeToString(make([]byte, 32)),
		placeValue+"_m", base64.StdEncoding.EncodeToString(append([]byte{0},
			random(value-1)...))).Replace(m.signature("_m"))
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// huge is an odd number of that many bytes.
func huge(bytes int) *big.Int {
	n := new(big.Int).SetBytes(random(bytes))
	return n.SetBit(n, 8*bytes-1, 1).SetBit(n, 0, 1)
}

var issuer = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// certificate is one of public; subject, DER, may be nil.
func certificate(public crypto.PublicKey, subject []byte) []byte {
	template := &x509.Certificate{SerialNumber: huge(8), Subject: pkix.Name{CommonName: "x"}, RawSubject: subject,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template,
		&x509.Certificate{Subject: pkix.Name{CommonName: "issuer"}}, public, issuer())
	if err != nil {
		panic(err)
	}
	return der
}

var someCertificate = sync.OnceValue(func() []byte { return certificate(issuer().Public(), nil) })

// different are certificates that differ in their serial numbers; each asks for the first few anew.
var different = sync.OnceValue(func() (list [][]byte) {
	for size := 0; size < ofDocuments.largest; size += len(list[len(list)-1]) {
		list = append(list, certificate(issuer().Public(), nil))
	}
	return list
})

// filled joins what unit makes of different certificates, up to size.
func filled(size int, unit func(der []byte) string) string {
	certificates := different()
	return many(size, len(certificates), func(i int) string { return unit(certificates[i]) })
}

// longSubject is a certificate whose subject has as many names as fit.
func longSubject(size int) []byte {
	var name pkix.RDNSequence
	for range size / 16 {
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "x"}})
	}
	subject, err := asn1.Marshal(name)
	if err != nil {
		panic(err)
	}
	return certificate(issuer().Public(), subject)
}

// privateKey is a PKCS #1 private key of huge numbers that fill size bytes (RFC 8017 A.1.2). Its
// primes are none, but their product is the modulus.
func privateKey(size int) []byte {
	part := size / 9
	p, q := huge(part), huge(part)
	der, err := asn1.Marshal(struct {
		Version               int
		N                     *big.Int
		E                     int
		D, P, Q, DP, DQ, QInv *big.Int
	}{0, new(big.Int).Mul(p, q), 65537, huge(2 * part), p, q, huge(part), huge(part), huge(part)})
	if err != nil {
		panic(err)
	}
	return der
}

// wrapped is a PKCS #1 key in PKCS #8 (RFC 5958).
func wrapped(pkcs1 []byte) []byte {
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1},
		Parameters: asn1.NullRawValue}, pkcs1})
	if err != nil {
		panic(err)
	}
	return der
}

func armored(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// documents are made only when they are asked for, since some take long to make.
func documents() []document {
	accepted := []saml.Code{""}
	refusedKey := []saml.Code{saml.CodeKey, saml.CodePrivateKey, saml.CodeMetadataKeys, saml.CodeTooLarge}
	tooMany := []saml.Code{saml.CodeKey, saml.CodeMetadataKeys, saml.CodeTooLarge}
	either := []saml.Code{"", saml.CodeKey, saml.CodeTooLarge}
	weak := []saml.Code{"", saml.CodeKey, saml.CodeMetadataKeys, saml.CodeWeakKey, saml.CodeTooLarge}
	inBase64 := func(size int) int { return (size - 2*frame) / 4 * 3 }
	hugeKey := func(bytes int) []byte { return certificate(&rsa.PublicKey{N: huge(bytes), E: 1<<31 - 1}, nil) }
	return []document{
		{"metadata, broken signature by its own huge key", either, readMetadata, func(size int) []byte {
			half := inBase64(size) / 2
			return metadata(brokenSignature(half, keyInfo(hugeKey(half-frame))), "")
		}},
		{"metadata, broken signature, as long as the value of its huge key", either, readMetadata,
			func(size int) []byte {
				half := inBase64(size)/2 - frame
				return metadata(brokenSignature(half, keyInfo(hugeKey(half))), "")
			}},
		{"metadata, broken signature by the first of many certificates", either, readMetadata, func(size int) []byte {
			return metadata(brokenSignature(256, `<d:KeyInfo xmlns:d="`+xmltree.NSDSig+`">`+filled(size-frame,
				keyInfo)+`</d:KeyInfo>`), "")
		}},
		{"metadata, broken signature, many certificates in one element", either, readMetadata, func(size int) []byte {
			return metadata(brokenSignature(256,
				keyInfo([]byte(filled(inBase64(size), func(der []byte) string { return string(der) })))), "")
		}},
		{"metadata with a huge key", weak, readMetadata,
			func(size int) []byte { return metadata("", keyDescriptor(hugeKey(inBase64(size)-frame))) }},
		{"metadata with a huge private key", weak, readMetadata,
			func(size int) []byte { return metadata("", keyDescriptor(privateKey(inBase64(size)))) }},
		{"metadata with a huge private key in PKCS #8", weak, readMetadata, func(size int) []byte {
			return metadata("", keyDescriptor(wrapped(privateKey(inBase64(size)))))
		}},
		{"metadata with many certificates", tooMany, readMetadata,
			func(size int) []byte { return metadata("", filled(size, keyDescriptor)) }},
		{"metadata with one certificate many times", either, readMetadata, func(size int) []byte {
			return metadata("", many(size, mostElements/4-8, same(keyDescriptor(someCertificate()))))
		}},
		{"metadata with one certificate many times, each beside one that cannot be read", either, readMetadata, func(size int) []byte {
			return metadata("", many(size, mostElements/5-8, same(strings.Replace(keyDescriptor(someCertificate()),
				"</d:X509Certificate>", "</d:X509Certificate><d:X509Certificate>x</d:X509Certificate>", 1))))
		}},
		{"metadata with many certificates in one element", append(tooMany, ""), readMetadata, func(size int) []byte {
			return metadata("", keyDescriptor([]byte(filled(inBase64(size),
				func(der []byte) string { return string(der) }))))
		}},
		{"metadata with a certificate of a long subject", either, readMetadata,
			func(size int) []byte { return metadata("", keyDescriptor(longSubject(inBase64(size)))) }},
		{"metadata of thousands of services, none named", []saml.Code{saml.CodeMetadataAggregate}, readMetadata,
			func(size int) []byte { return aggregate(size, entityID) }},
		{"metadata of thousands of services, one named", accepted, readNamedMetadata,
			func(size int) []byte { return aggregate(size, entityID) }},
		{"metadata of thousands of services, none of the name", []saml.Code{saml.CodeMetadataAggregate},
			readNamedMetadata, func(size int) []byte { return aggregate(size, "x") }},
		{"metadata with many sign-on services", accepted, readMetadata, func(size int) []byte {
			return metadata("", many(size, mostElements,
				same(`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="http://%zz"/>`)))
		}},
		{"metadata with many protocols", accepted, readMetadata, func(size int) []byte {
			return []byte(strings.Replace(string(metadata("", "")), `Enumeration="`,
				`Enumeration="`+many(size, 1<<30, same("x ")), 1))
		}},
		{"metadata of comments", accepted, readMetadata,
			func(size int) []byte { return metadata("", many(size, 1<<30, same("<!---->"))) }},
		{"metadata, a certificate in pieces between comments", accepted, readMetadata, func(size int) []byte {
			return []byte(strings.Replace(string(metadata("", "")), "Certificate>",
				"Certificate>"+many(size, 1<<30, same(" <!---->")), 1))
		}},
		{"metadata of elements", accepted, readMetadata, func(size int) []byte {
			return metadata("", many(size, mostElements,
				same(`<Extensions xmlns="u:e">`+strings.Repeat("x", 40)+`</Extensions>`)))
		}},
		{"metadata with a long validUntil", accepted, readMetadata, func(size int) []byte {
			return []byte(strings.Replace(string(metadata("", "")), ` ID=`,
				` validUntil="`+many(size, 1<<30, same("&amp;"))+`" ID=`, 1))
		}},
		{"pasted: a huge key", weak, readPasted, func(size int) []byte { return hugeKey(size - frame) }},
		{"pasted: a huge private key", refusedKey, readPasted,
			func(size int) []byte { return privateKey(size - frame) }},
		{"pasted: a huge private key in PKCS #8", refusedKey, readPasted,
			func(size int) []byte { return wrapped(privateKey(size - frame)) }},
		{"pasted: a huge private key in base64", refusedKey, readPasted,
			func(size int) []byte { return []byte(base64.StdEncoding.EncodeToString(privateKey(inBase64(size)))) }},
		{"pasted: a huge private key as a certificate in PEM", refusedKey, readPasted,
			func(size int) []byte { return []byte(armored(privateKey(inBase64(size) / 66 * 64))) }},
		{"pasted: many certificates in PEM", tooMany, readPasted,
			func(size int) []byte { return []byte(filled(size, armored)) }},
		{"pasted: one certificate many times in PEM", either, readPasted,
			func(size int) []byte { return []byte(many(size, 1<<30, same(armored(someCertificate())))) }},
		{"pasted: many certificates in DER", tooMany, readPasted,
			func(size int) []byte { return []byte(filled(size, func(der []byte) string { return string(der) })) }},
		{"pasted: many certificates, one by one", tooMany, readOneByOne,
			func(size int) []byte { return []byte(filled(size, func(der []byte) string { return string(der) })) }},
		{"pasted: a certificate of a long subject", either, readPasted,
			func(size int) []byte { return longSubject(size - frame) }},
		{"pasted: BEGIN lines", tooMany, readPasted,
			func(size int) []byte { return []byte(many(size, 1<<30, same("-----BEGIN CERTIFICATE-----"))) }},
		{"pasted: BEGIN lines with a letter", tooMany, readPasted,
			func(size int) []byte { return []byte(many(size, 1<<30, same("-----BEGIN CERTIFICATE-----A"))) }},
		{"pasted: END lines before BEGIN lines", tooMany, readPasted, func(size int) []byte {
			return []byte(many(size, 1<<30, same("-----END CERTIFICATE----------BEGIN CERTIFICATE-----")))
		}},
		{"pasted: blanks", []saml.Code{saml.CodeKey}, readPasted,
			func(size int) []byte { return bytes.Repeat([]byte(" "), size) }},
		{"pasted: base64 with blanks", []saml.Code{saml.CodeKey}, readPasted,
			func(size int) []byte { return []byte(many(size, 1<<30, same("A "))) }},
		{"pasted: a thumbprint that does not end", []saml.Code{saml.CodeKey}, readPasted,
			func(size int) []byte { return []byte(many(size, 1<<30, same("AB:"))) }},
	}
}

// aggregate is metadata of as many identity providers as fit; the last one has this entity ID.
func aggregate(size int, last string) []byte {
	return []byte(`<EntitiesDescriptor xmlns="` + xmltree.NSMetadata + `">` + many(size-frame, mostElements/2-20,
		func(i int) string {
			return fmt.Sprintf(`<EntityDescriptor entityID="https://idp%d.example.com/"><IDPSSODescriptor protocolSupportEnumeration="%s"/></EntityDescriptor>`, i, xmltree.NSProtocol)
		}) + strings.Replace(string(metadata("", "")), entityID, last, 1) + `</EntitiesDescriptor>`)
}
