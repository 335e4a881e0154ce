package xmlenc

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/iomete/saml/internal/allocations"
	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/rsaoaep"
	"github.com/iomete/saml/internal/testfiles"
	"github.com/iomete/saml/internal/xmltree"
)

const plain = `<a:NameID xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">alice@example.com</a:NameID>`

var ours, others = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// A sealed is what a test encrypts, and how it is written.
type sealed struct {
	key                *rsa.PublicKey
	transport, content string // algorithm URIs
	parameters         string // of the transport
	options            rsa.OAEPOptions
	layout             string // what keyInfo, data and key are put into; %[1]s, %[2]s, %[3]s
}

const (
	inside = `<P xmlns="urn:oasis:names:tc:SAML:2.0:assertion">` +
		`<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element">` +
		`%[1]s<d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#">%[3]s</d:KeyInfo>%[2]s</x:EncryptedData></P>`
	beside = `<P xmlns="urn:oasis:names:tc:SAML:2.0:assertion">` +
		`<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#">` +
		`%[1]s<d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#"><d:RetrievalMethod URI="#k"/></d:KeyInfo>` +
		`%[2]s</x:EncryptedData>%[3]s</P>`
	unnamed = `<P xmlns="urn:oasis:names:tc:SAML:2.0:assertion">` +
		`<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#">%[1]s%[2]s</x:EncryptedData>%[3]s</P>`
)

func (s sealed) method() string { return `<x:EncryptionMethod Algorithm="` + s.content + `"/>` }

func cipherData(octets []byte) string {
	text := base64.StdEncoding.EncodeToString(octets)
	return `<x:CipherData><x:CipherValue>` + text + `</x:CipherValue></x:CipherData>`
}

func (s sealed) encryptedKey(wrapped []byte) string {
	return `<x:EncryptedKey xmlns:x="http://www.w3.org/2001/04/xmlenc#" Id="k">` +
		`<x:EncryptionMethod Algorithm="` + s.transport + `">` + s.parameters + `</x:EncryptionMethod>` +
		cipherData(wrapped) + `</x:EncryptedKey>`
}

func (s sealed) wrap(t testing.TB, contentKey []byte) []byte {
	t.Helper()
	seed := make([]byte, s.options.Hash.Size())
	rand.Read(seed) // never fails
	mask := s.options.MGFHash
	if mask == 0 {
		mask = s.options.Hash
	}
	wrapped, err := rsaoaep.Encrypt(s.key, contentKey, s.options.Label, seed, s.options.Hash, mask)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

func (s sealed) write(t testing.TB, contentKey, ciphertext []byte) string {
	t.Helper()
	return fmt.Sprintf(s.layout, s.method(), cipherData(ciphertext), s.encryptedKey(s.wrap(t, contentKey)))
}

// encrypt writes plaintext encrypted under contentKey.
func (s sealed) encrypt(t testing.TB, contentKey []byte, plaintext string) string {
	t.Helper()
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(s.content, "gcm") {
		aead, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		nonce := make([]byte, aead.NonceSize())
		rand.Read(nonce)
		return s.write(t, contentKey, aead.Seal(nonce, nonce, []byte(plaintext), nil))
	}
	n := aes.BlockSize - len(plaintext)%aes.BlockSize
	padding := make([]byte, n)
	rand.Read(padding) // whatever it is, but the last
	padding[n-1] = byte(n)
	return s.write(t, contentKey, cbc(block, append([]byte(plaintext), padding...)))
}

func cbc(block cipher.Block, padded []byte) []byte {
	out := make([]byte, aes.BlockSize+len(padded))
	rand.Read(out[:aes.BlockSize])
	cipher.NewCBCEncrypter(block, out[:aes.BlockSize]).CryptBlocks(out[aes.BlockSize:], padded)
	return out
}

func newSealed() sealed {
	return sealed{key: &ours().PublicKey, transport: uriOAEPMGF1P, content: xmltree.NSXEnc + "aes256-cbc",
		options: rsa.OAEPOptions{Hash: crypto.SHA1}, layout: inside}
}

func randomKey(size int) []byte {
	key := make([]byte, size)
	rand.Read(key)
	return key
}

func parse(t testing.TB, src string) xmltree.Element {
	t.Helper()
	doc, err := xmltree.Parse([]byte(src), xmltree.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return doc.Root()
}

func keysOf(keys ...crypto.Decrypter) *Keys { return ForMessage(keys) }

// TestEveryAlgorithm decrypts each content algorithm with each key transport in each layout.
func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	type transport struct {
		uri, parameters string
		options         rsa.OAEPOptions
	}
	digest := func(uri string) string {
		return `<d:DigestMethod xmlns:d="http://www.w3.org/2000/09/xmldsig#" Algorithm="` + uri + `"/>`
	}
	mask := func(name string) string {
		return `<y:MGF xmlns:y="http://www.w3.org/2009/xmlenc11#" ` +
			`Algorithm="http://www.w3.org/2009/xmlenc11#` + name + `"/>`
	}
	const (
		sha1   = "http://www.w3.org/2000/09/xmldsig#sha1"
		sha256 = "http://www.w3.org/2001/04/xmlenc#sha256"
		sha384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
		sha512 = "http://www.w3.org/2001/04/xmlenc#sha512"
	)
	transports := []transport{
		{uriOAEPMGF1P, "", rsa.OAEPOptions{Hash: crypto.SHA1}},
		{uriOAEPMGF1P, digest(sha1), rsa.OAEPOptions{Hash: crypto.SHA1}},
		{uriOAEPMGF1P, digest(sha256), rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1}},
		{
			uriOAEPMGF1P,
			`<x:OAEPparams>bGFiZWw=</x:OAEPparams>`,
			rsa.OAEPOptions{Hash: crypto.SHA1, Label: []byte("label")},
		},
		{uriOAEPMGF1P, `<x:KeySize>2048</x:KeySize><x:OAEPparams/>`, rsa.OAEPOptions{Hash: crypto.SHA1}},
		{uriOAEP, "", rsa.OAEPOptions{Hash: crypto.SHA1}},
		{uriOAEP, digest(sha256), rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1}},
		{uriOAEP, digest(sha256) + mask("mgf1sha256"), rsa.OAEPOptions{Hash: crypto.SHA256}},
		{uriOAEP, mask("mgf1sha1") + digest(sha384), rsa.OAEPOptions{Hash: crypto.SHA384, MGFHash: crypto.SHA1}},
		{uriOAEP, digest(sha512) + mask("mgf1sha512"), rsa.OAEPOptions{Hash: crypto.SHA512}},
		{uriOAEP, digest(sha1) + mask("mgf1sha384"), rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA384}},
	}
	for content, size := range map[string]int{
		xmltree.NSXEnc + "aes128-cbc": 16, xmltree.NSXEnc + "aes192-cbc": 24, xmltree.NSXEnc + "aes256-cbc": 32,
		xmltree.NSXEnc11 + "aes128-gcm": 16, xmltree.NSXEnc11 + "aes192-gcm": 24, xmltree.NSXEnc11 + "aes256-gcm": 32,
	} {
		for _, tr := range transports {
			for _, layout := range []string{inside, beside, unnamed} {
				s := sealed{&ours().PublicKey, tr.uri, content, tr.parameters, tr.options, layout}
				for _, text := range []string{
					plain, "x", "15 octets: pad1", strings.Repeat("0123456789abcdef", 4), "",
				} {
					got, err := Decrypt(parse(t, s.encrypt(t, randomKey(size), text)), keysOf(others(), ours()))
					if err != nil || string(got) != text {
						t.Errorf("%s by %s %s in\n%s\ngot %q, %v", content, tr.uri, tr.parameters, layout, got, err)
					}
				}
			}
		}
	}
}

// TestXMLSecEncrypts lets xmlsec1 encrypt with each algorithm that it has and we take.
func TestXMLSecEncrypts(t *testing.T) {
	t.Parallel()
	xmlsec, err := exec.LookPath("xmlsec1")
	if err != nil {
		testfiles.Missing(t, "xmlsec1 is missing: install the Debian package xmlsec1")
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKIXPublicKey(ours().Public())
	if err != nil {
		t.Fatal(err)
	}
	public := file("public.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	data := file("plain.xml", plain)
	for uri, session := range map[string]string{
		xmltree.NSXEnc + "aes128-cbc":   "aes-128",
		xmltree.NSXEnc + "aes192-cbc":   "aes-192",
		xmltree.NSXEnc + "aes256-cbc":   "aes-256",
		xmltree.NSXEnc11 + "aes128-gcm": "aes-128",
		xmltree.NSXEnc11 + "aes192-gcm": "aes-192",
		xmltree.NSXEnc11 + "aes256-gcm": "aes-256",
	} {
		template := `<x:EncryptedData xmlns:x="http://www.w3.org/2001/04/xmlenc#" ` +
			`Type="http://www.w3.org/2001/04/xmlenc#Element"><x:EncryptionMethod Algorithm="` + uri + `"/>` +
			`<d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#"><x:EncryptedKey>` +
			`<x:EncryptionMethod Algorithm="` + uriOAEPMGF1P + `"/><d:KeyInfo/>` +
			`<x:CipherData><x:CipherValue/></x:CipherData></x:EncryptedKey></d:KeyInfo>` +
			`<x:CipherData><x:CipherValue/></x:CipherData></x:EncryptedData>`
		var stderr bytes.Buffer
		cmd := exec.Command(xmlsec, "--encrypt", "--pubkey-pem", public, "--session-key", session,
			"--xml-data", data, file("template.xml", template))
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: xmlsec1: %v\n%s", uri, err, stderr.Bytes())
		}
		_, body, _ := strings.Cut(string(out), "?>")
		got, err := Decrypt(parse(t, "<P>"+strings.TrimSpace(body)+"</P>"), keysOf(ours()))
		if err != nil || string(got) != plain {
			t.Errorf("%s: got %q, %v", uri, got, err)
		}
	}
}

// failure returns everything that an error says. If two are equal, nobody can tell them apart.
func failure(err error) string {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return fmt.Sprintf("%v", err)
	}
	return fmt.Sprintf("%+v", *f)
}

// TestOneFailure: every failure that depends on a key looks the same.
func TestOneFailure(t *testing.T) {
	t.Parallel()
	good := newSealed()
	gcm := good
	gcm.content = xmltree.NSXEnc11 + "aes256-gcm"
	key := randomKey(32)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	toOthers := good
	toOthers.key = &others().PublicKey
	otherLabel := good
	otherLabel.options.Label = []byte("another")
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(n byte) []byte { return append(make([]byte, 15), n) }
	wrapped := func(size int) string { // a content key whose ciphertext is zeros
		content := cipherData(cbc(block, with(1)))
		return fmt.Sprintf(inside, good.method(), content, good.encryptedKey(make([]byte, size)))
	}
	want := failure(Failed())
	for name, src := range map[string]string{
		"a key for someone else":          toOthers.encrypt(t, key, plain),
		"another label":                   otherLabel.encrypt(t, key, plain),
		"a content key that is too short": good.write(t, key[:16], cbc(block, with(1))),
		"a content key that is too long":  good.write(t, append(key, 0), cbc(block, with(1))),
		"no content key":                  good.write(t, nil, cbc(block, with(1))),
		"a wrapped key that is too short": wrapped(255),
		"a wrapped key that is too long":  wrapped(257),
		"a wrapped key of zeros":          wrapped(256),
		"CBC without a block":             good.write(t, key, make([]byte, 16)),
		"CBC of half a block":             good.write(t, key, make([]byte, 40)),
		"CBC with a padding of 0":         good.write(t, key, cbc(block, with(0))),
		"CBC with a padding of 17":        good.write(t, key, cbc(block, with(17))),
		"CBC with a padding of 255":       good.write(t, key, cbc(block, with(255))),
		"GCM without a nonce":             gcm.write(t, key, make([]byte, 5)),
		"AES-128 called AES-256":          good.encrypt(t, key[:16], plain),
		"GCM without a tag":               gcm.write(t, key, make([]byte, 27)),
		"GCM with a wrong tag":            gcm.write(t, key, make([]byte, 28)),
	} {
		if got, err := Decrypt(parse(t, src), keysOf(ours())); got != nil || failure(err) != want {
			t.Errorf("%s: got %q, %s, want %s", name, got, failure(err), want)
		}
	}
	for name, keys := range map[string]*Keys{
		"nil":                     nil,
		"no key":                  keysOf(),
		"a key that is not RSA":   keysOf(oracle{elliptic.Public(), key, nil}),
		"an answer with an error": keysOf(oracle{ours().Public(), key, errors.New("no")}),
	} {
		if got, err := Decrypt(parse(t, good.encrypt(t, key, plain)), keys); got != nil || failure(err) != want {
			t.Errorf("%s: got %q, %s, want %s", name, got, failure(err), want)
		}
	}
	content := cipherData(cbc(block, append([]byte("0123456789abcde"), 1)))
	short := fmt.Sprintf(inside, good.method(), content, good.encryptedKey(make([]byte, 255)))
	got, err := Decrypt(parse(t, short), keysOf(oracle{ours().Public(), key, nil}))
	if got != nil || failure(err) != want {
		t.Errorf("a wrapped key that is too short for a module that takes it: got %q, %s, want %s",
			got, failure(err), want)
	}
}

// oracle is a crypto.Decrypter that answers the same to everything, as a broken or another module
// may.
type oracle struct {
	public crypto.PublicKey
	key    []byte
	err    error
}

func (o oracle) Public() crypto.PublicKey { return o.public }
func (o oracle) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return o.key, o.err
}

// counting is a key that counts how often it is used.
type counting struct {
	crypto.Decrypter
	calls *int
}

func (c counting) Decrypt(r io.Reader, message []byte, options crypto.DecrypterOpts) ([]byte, error) {
	*c.calls++
	return c.Decrypter.Decrypt(r, message, options)
}

// TestCallsAreBounded: whatever is encrypted in a message, and for whom, four keys are used ten
// times at most, and with four keys and two recipients an assertion and a NameID in it are
// decrypted within that.
func TestCallsAreBounded(t *testing.T) {
	t.Parallel()
	s := newSealed()
	contentKey := randomKey(32)
	mine, strangers := s.encryptedKey(s.wrap(t, contentKey)), s.encryptedKey(make([]byte, 256))
	src := s.encrypt(t, contentKey, plain)
	src = src[:strings.Index(src, "<x:EncryptedKey")] + strangers + mine + src[strings.Index(src, "</d:KeyInfo>"):]
	bad := strings.Replace(src, mine, strangers, 1)
	var calls int
	count := func(keys ...crypto.Decrypter) *Keys {
		calls = 0
		for i := range keys {
			keys[i] = counting{keys[i], &calls}
		}
		return ForMessage(keys)
	}
	for _, row := range []struct {
		name  string
		keys  *Keys
		in    []string
		calls []int // when each was decrypted
		fails bool  // the last one
	}{
		{"one key", count(ours()), []string{src, src}, []int{2, 4}, false},
		{"one key, for nobody", count(ours()), []string{bad, bad, bad}, []int{2, 4, 4}, true},
		{"the last of two", count(others(), ours()), []string{src, src, src}, []int{4, 6, 6}, true},
		{"the last of four", count(others(), others(), others(), ours()), []string{src, src}, []int{8, 10}, false},
		{"none of four", count(others(), others(), others(), others()), []string{src}, []int{8}, true},
		{"for nobody", count(ours(), others(), ours(), others()), []string{bad, bad, bad}, []int{8, 10, 10}, true},
		{"nothing is left", count(others(), others(), others(), ours()), []string{src, src, src}, []int{8, 10, 10},
			true},
	} {
		calls = 0
		for i, src := range row.in {
			got, err := Decrypt(parse(t, src), row.keys)
			if calls != row.calls[i] {
				t.Errorf("%s: %d calls after %d, want %d", row.name, calls, i+1, row.calls[i])
			}
			if i == len(row.in)-1 && (err != nil) != row.fails || err == nil && string(got) != plain {
				t.Errorf("%s: got %q, %v", row.name, got, err)
			}
			if err != nil && failure(err) != failure(Failed()) {
				t.Errorf("%s: got %v, want the one failure", row.name, err)
			}
		}
	}
}

// TestKeysAreTriedInOrder: the key that fitted comes first for what else is encrypted in the
// message, and the others keep their order.
func TestKeysAreTriedInOrder(t *testing.T) {
	t.Parallel()
	src := newSealed().encrypt(t, randomKey(32), plain)
	a, b, c := others(), newKey(), ours()
	if keysOf(a).None() || !keysOf().None() || !(*Keys)(nil).None() {
		t.Error("None does not say whether there are keys")
	}
	given := []crypto.Decrypter{a, b, c}
	keys := ForMessage(given)
	if _, err := Decrypt(parse(t, src), keys); err != nil {
		t.Fatal(err)
	}
	if want := []crypto.Decrypter{c, a, b}; !slices.Equal(keys.list, want) {
		t.Errorf("got another order than the fitting key and then the others")
	}
	if want := []crypto.Decrypter{a, b, c}; !slices.Equal(given, want) {
		t.Errorf("the keys of all messages were put in another order")
	}
}

// TestRefuseCBC: no key is used for AES-CBC where it is refused, whatever its size, and AES-GCM is
// decrypted as ever.
func TestRefuseCBC(t *testing.T) {
	t.Parallel()
	for uri, row := range map[string]struct {
		size    int
		refused bool
	}{
		xmltree.NSXEnc + "aes128-cbc": {16, true}, xmltree.NSXEnc + "aes192-cbc": {24, true},
		xmltree.NSXEnc + "aes256-cbc": {32, true}, xmltree.NSXEnc11 + "aes128-gcm": {16, false},
		xmltree.NSXEnc11 + "aes192-gcm": {24, false}, xmltree.NSXEnc11 + "aes256-gcm": {32, false},
	} {
		s := newSealed()
		s.content = uri
		parent := parse(t, s.encrypt(t, randomKey(row.size), plain))
		used := 0
		keys := keysOf(counting{ours(), &used})
		keys.RefuseCBC()
		got, err := Decrypt(parent, keys)
		var f *fault.Fault
		refused := errors.As(err, &f) && f.Code == fault.CBCRefused && f.Want != "" && got == nil && used == 0
		if refused != row.refused || !refused && string(got) != plain {
			t.Errorf("%s: got %q, %v after %d uses of the key", uri, got, err, used)
		}
		if got, err := Decrypt(parent, keysOf(ours())); err != nil || string(got) != plain {
			t.Errorf("%s where it is not refused: got %q, %v", uri, got, err)
		}
	}
}

// TestOnly: no key is used for an algorithm that is left out, of the content or of any content key.
func TestOnly(t *testing.T) {
	t.Parallel()
	const cbc, gcm = xmltree.NSXEnc + "aes256-cbc", xmltree.NSXEnc11 + "aes256-gcm"
	for name, row := range map[string]struct {
		contents, transports []string
		refused              bool
	}{
		"no list":                       {nil, nil, false},
		"the content":                   {[]string{cbc, gcm}, nil, false},
		"another content":               {[]string{cbc}, nil, true},
		"the transport":                 {nil, []string{uriOAEPMGF1P, uriOAEP}, false},
		"one of two transports":         {nil, []string{uriOAEPMGF1P}, true},
		"the other one":                 {nil, []string{uriOAEP}, true},
		"content and both transports":   {[]string{gcm}, []string{uriOAEPMGF1P, uriOAEP}, false},
		"content and one transport":     {[]string{gcm}, []string{uriOAEP}, true},
		"transports, and other content": {[]string{cbc}, []string{uriOAEPMGF1P, uriOAEP}, true},
	} {
		s := newSealed()
		s.content = gcm
		text := s.encrypt(t, randomKey(32), plain)
		one := text[strings.Index(text, "<x:EncryptedKey "):strings.Index(text, "</x:EncryptedKey>")] + "</x:EncryptedKey>"
		parent := parse(t, strings.Replace(text, one, one+strings.Replace(one, uriOAEPMGF1P, uriOAEP, 1), 1))
		used := 0
		keys := keysOf(counting{ours(), &used})
		keys.Only(row.contents, row.transports)
		got, err := Decrypt(parent, keys)
		var f *fault.Fault
		if refused := errors.As(err, &f) && strings.Contains(f.Message, "OnlyAlgorithms") && got == nil && used == 0; refused != row.refused ||
			!refused && string(got) != plain {
			t.Errorf("%s: got %q, %v after %d uses of the key", name, got, err, used)
		}
	}
	for uri, kind := range map[string][2]bool{cbc: {true, false}, gcm: {true, false}, uriOAEP: {false, true},
		uriOAEPMGF1P: {false, true}, xmltree.NSXEnc + "rsa-1_5": {false, false}, xmltree.NSXEnc + "tripledes-cbc": {false, false}, "": {false, false}} {
		if got := [2]bool{IsContentMethod(uri), IsTransport(uri)}; got != kind {
			t.Errorf("%q: is a content method and a transport: %v, want %v", uri, got, kind)
		}
	}
}

// TestManyRetrievalMethods: however many there are, and however long an Id is, each Id is read
// once. What is bounded is the memory: to read an Id with references in it is to copy it.
func TestManyRetrievalMethods(t *testing.T) {
	src := func(n int) xmltree.Element {
		s := newSealed()
		const one = `<d:RetrievalMethod URI="#k"/>`
		s.layout = strings.Replace(beside, one, strings.Repeat(one, n), 1)
		text := s.encrypt(t, randomKey(32), plain)
		id := `Id="` + strings.Repeat("&amp;", 1000) + `"`
		long := strings.Replace(s.encryptedKey(make([]byte, 256)), `Id="k"`, id, 1)
		return parse(t, strings.Replace(text, "<x:EncryptedKey", long+"<x:EncryptedKey", 1))
	}
	work := func(e xmltree.Element) float64 {
		return allocations.Fewest(func() {
			if _, err := readEncrypted(e); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := work(src(1)), work(src(1000)); many > few {
		t.Errorf("got %v allocations with 1,000 RetrievalMethods and %v with one", many, few)
	}
}

// TestTooManyKeysAreNotRead: beyond the two that are allowed, no EncryptedKey is looked at, nor
// kept.
func TestTooManyKeysAreNotRead(t *testing.T) {
	s := newSealed()
	another := s.encryptedKey(make([]byte, 256))
	for layout, end := range map[string]string{inside: "</d:KeyInfo>", beside: "</P>"} {
		s.layout = layout
		src := s.encrypt(t, randomKey(32), plain)
		work := func(n int) float64 {
			e := parse(t, strings.Replace(src, end, strings.Repeat(another, n)+end, 1))
			return allocations.Fewest(func() {
				if _, err := readEncrypted(e); err == nil {
					t.Fatal("too many keys are read")
				}
			})
		}
		if few, many := work(2), work(500); many > few {
			t.Errorf("got %v allocations with 500 keys too many and %v with two", many, few)
		}
	}
}

// TestLabelLength: a label as long as is allowed is used, and a longer one is refused before a key
// is.
func TestLabelLength(t *testing.T) {
	t.Parallel()
	for size, accepted := range map[int]bool{maxLabel: true, maxLabel + 1: false} {
		s := newSealed()
		s.options.Label = randomKey(size)
		s.parameters = `<x:OAEPparams>` + base64.StdEncoding.EncodeToString(s.options.Label) + `</x:OAEPparams>`
		calls := 0
		got, err := Decrypt(parse(t, s.encrypt(t, randomKey(32), plain)), keysOf(counting{ours(), &calls}))
		if (err == nil) != accepted || accepted && string(got) != plain || (calls > 0) != accepted {
			t.Errorf("%d bytes: got %q, %v after %d calls", size, got, err, calls)
		}
	}
}

// TestStructure changes one thing in a message that is decrypted otherwise. None of it needs a key
// to be seen.
func TestStructure(t *testing.T) {
	t.Parallel()
	s := newSealed()
	whole := func(layout string) string {
		s := s
		s.layout = layout
		return s.encrypt(t, randomKey(32), plain)
	}
	in, out, bare := whole(inside), whole(beside), whole(unnamed)
	another := s.encryptedKey(s.wrap(t, randomKey(32)))
	const mgf = `<y:MGF xmlns:y="http://www.w3.org/2009/xmlenc11#" ` +
		`Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha1"/>`
	for _, row := range []struct {
		name, src, old, new string
	}{
		{"nothing is encrypted", in, in, `<P/>`},
		{"text beside EncryptedData", in, `<x:EncryptedData`, `t<x:EncryptedData`},
		{"another element beside it", in, `</P>`, `<x:Other xmlns:x="http://www.w3.org/2001/04/xmlenc#"/></P>`},
		{"two EncryptedData", in, `</P>`, in[strings.Index(in, "<x:EncryptedData"):]},
		{"the key before the data", out, `<x:EncryptedData`, another + `<x:EncryptedData`},
		{"another name than EncryptedData", in, in, strings.ReplaceAll(in, "EncryptedData", "EncryptedThing")},
		{"another name than EncryptedKey beside it", out, out,
			strings.ReplaceAll(strings.ReplaceAll(out, "EncryptedKey", "EncryptedThing"), keyInfo(out), "")},
		{"content of an element is encrypted", in, `#Element"`, `#Content"`},
		{"no EncryptionMethod", in, s.method(), ``},
		{"two EncryptionMethods", in, s.method(), s.method() + s.method()},
		{"an empty Algorithm", in, xmltree.NSXEnc + "aes256-cbc", ``},
		{"triple DES", in, "aes256-cbc", `tripledes-cbc`},
		{"a key wrap as content algorithm", in, "aes256-cbc", `kw-aes256`},
		{"GCM in the namespace of CBC", in, "aes256-cbc", `aes256-gcm`},
		{"a parameter of AES", in, s.method(),
			strings.Replace(s.method(), "/>", `><x:OAEPparams/></x:EncryptionMethod>`, 1)},
		{"RSA 1.5", in, "rsa-oaep-mgf1p", `rsa-1_5`},
		{"a symmetric key wrap", in, "rsa-oaep-mgf1p", `kw-aes256`},
		{"no algorithm of the key", in, uriOAEPMGF1P, ``},
		{"a digest that is not allowed", in, `mgf1p">`,
			`mgf1p"><d:DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#md5"/>`},
		{"two digests", in, `mgf1p">`,
			`mgf1p"><d:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/><d:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/>`},
		{"a mask that is not allowed", in, uriOAEPMGF1P + `">`,
			uriOAEP + `"><y:MGF xmlns:y="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1md5"/>`},
		{"a mask where the algorithm fixes it", in, `mgf1p">`,
			`mgf1p"><y:MGF xmlns:y="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha1"/>`},
		{"two masks", in, uriOAEPMGF1P + `">`, uriOAEP + `">` + mgf + mgf},
		{"a mask by another name", in, uriOAEPMGF1P + `">`, uriOAEP + `">` + strings.Replace(mgf, "y:MGF", "y:Mask",
			1)},
		{"an unknown parameter", in, `mgf1p">`, `mgf1p"><x:Other/>`},
		{"a label that is not base64", in, `mgf1p">`, `mgf1p"><x:OAEPparams>!</x:OAEPparams>`},
		{"an element in the label", in, `mgf1p">`, `mgf1p"><x:OAEPparams><x:Other/></x:OAEPparams>`},
		{"two labels", in, `mgf1p">`, `mgf1p"><x:OAEPparams/><x:OAEPparams/>`},
		{"no EncryptedKey", in, in[strings.Index(in, "<x:EncryptedKey"):strings.Index(in, "</d:KeyInfo>")], ``},
		{"three EncryptedKeys", in, `</d:KeyInfo>`, another + another + `</d:KeyInfo>`},
		{"three EncryptedKeys inside and beside", in, `</P>`, another + another + `</P>`},
		{"a RetrievalMethod that names no key", out, `URI="#k"`, `URI="#j"`},
		{"a RetrievalMethod without #", out, `URI="#k"`, `URI="k"`},
		{"a RetrievalMethod without URI", out, `URI="#k"`, ``},
		{"a RetrievalMethod that names the whole document", out, `URI="#k"`, `URI=""`},
		{"a RetrievalMethod to an empty name and a key without one", out, out,
			strings.Replace(strings.Replace(out, ` Id="k"`, ``, 1), `"#k"`, `"#"`, 1)},
		{"a RetrievalMethod with an address", out, `URI="#k"`, `URI="https://example.com/#k"`},
		{"a RetrievalMethod to a key without Id", out, ` Id="k"`, ``},
		{"a CipherReference", in, `<x:CipherData><x:CipherValue>`,
			`<x:CipherData><x:CipherReference URI="https://example.com/"/><x:CipherValue>`},
		{"only a CipherReference", in, cipherValue(in), `<x:CipherReference URI="#k"/>`},
		{"no CipherValue", in, cipherValue(in), ``},
		{"two CipherValues", in, cipherValue(in), cipherValue(in) + cipherValue(in)},
		{"no CipherData", in, `<x:CipherData>` + cipherValue(in) + `</x:CipherData>`, ``},
		{"two CipherData", in, `<x:CipherData>`,
			`<x:CipherData><x:CipherValue>AAAA</x:CipherValue></x:CipherData><x:CipherData>`},
		{"an element in CipherValue", in, `<x:CipherValue>`, `<x:CipherValue><x:Other/>`},
		{"text in CipherData", in, `<x:CipherValue>`, `t<x:CipherValue>`},
		{"text in EncryptedKey", in, `<x:CipherData>`, `t<x:CipherData>`},
		{"a CipherValue that is not base64", in, `<x:CipherValue>`, `<x:CipherValue>!`},
		{"EncryptionMethod behind KeyInfo", in, in, moved(in, s.method(), `</d:KeyInfo>`)},
		{"EncryptionMethod behind CipherData", in, in, moved(in, s.method(), `</x:CipherData>`)},
		{"EncryptionMethod behind CipherData without a KeyInfo", bare, bare,
			strings.Replace(strings.Replace(bare, s.method(), "", 1), "</x:CipherData>", "</x:CipherData>"+s.method(),
				1)},
		{"EncryptionProperties before CipherData", in, s.method(), s.method() + `<x:EncryptionProperties/>`},
		{"two KeyInfos", in, s.method(), s.method() + `<d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#"/>`},
		{"another name than CipherData", in, in, strings.ReplaceAll(in, "CipherData", "CipherThing")},
		{"another name than CipherValue", in, in, strings.ReplaceAll(in, "CipherValue", "CipherThing")},
		{"the only KeyInfo behind CipherData", bare, `</x:EncryptedData>`,
			`<d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#"/></x:EncryptedData>`},
		{"KeyInfo behind CipherData", in, `</x:EncryptedData>`,
			`<d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#"/></x:EncryptedData>`},
		{"a ReferenceList in EncryptedData", in, `</x:EncryptedData>`, `<x:ReferenceList/></x:EncryptedData>`},
		{"EncryptionMethod in another namespace", in, `<x:EncryptionMethod Algorithm="` + s.content,
			`<x:EncryptionMethod xmlns:x="urn:x" Algorithm="` + s.content},
	} {
		if _, err := Decrypt(parse(t, row.src), keysOf(ours())); err != nil {
			t.Fatalf("%s: the twin is refused: %v", row.name, err)
		}
		if strings.Count(row.src, row.old) == 0 {
			t.Fatalf("%s: %q does not occur", row.name, row.old)
		}
		got, err := Decrypt(parse(t, strings.Replace(row.src, row.old, row.new, 1)), keysOf(ours()))
		var f *fault.Fault
		if got != nil || !errors.As(err, &f) || f.Code != fault.Decryption {
			t.Errorf("%s: got %q, %v, want code %s", row.name, got, err, fault.Decryption)
		} else if failure(err) == failure(Failed()) {
			t.Errorf("%s: the error does not say what is wrong", row.name)
		}
	}
}

// keyInfo returns the first KeyInfo.
func keyInfo(src string) string {
	i := strings.Index(src, "<d:KeyInfo")
	return src[i : i+strings.Index(src[i:], "</d:KeyInfo>")+len("</d:KeyInfo>")]
}

// moved returns src with part moved to after the last occurrence of behind.
func moved(src, part, behind string) string {
	src = strings.Replace(src, part, "", 1)
	i := strings.LastIndex(src, behind) + len(behind)
	return src[:i] + part + src[i:]
}

// cipherValue returns the first CipherValue.
func cipherValue(src string) string {
	i := strings.Index(src, "<x:CipherValue>")
	return src[i : i+strings.Index(src[i:], "</x:CipherValue>")+len("</x:CipherValue>")]
}

// TestTolerated decrypts what the schema allows although it does not matter.
func TestTolerated(t *testing.T) {
	t.Parallel()
	s := newSealed()
	in := s.encrypt(t, randomKey(32), plain)
	for _, row := range []struct{ name, old, new string }{
		{"no Type", ` Type="http://www.w3.org/2001/04/xmlenc#Element"`, ``},
		{"other attributes", `<x:EncryptedData`, `<x:EncryptedData Id="d" MimeType="text/xml" Encoding="x"`},
		{"names of the key in KeyInfo", `</d:KeyInfo>`, `<d:KeyName>k</d:KeyName><d:X509Data/></d:KeyInfo>`},
		{"a key for someone else first", `<x:EncryptedKey`, strings.Replace(s.encryptedKey(make([]byte, 512)),
			` Id="k"`, ``, 1) + `<x:EncryptedKey`},
		{"a key for someone else", `</d:KeyInfo>`, s.encryptedKey(make([]byte, 512)) + `</d:KeyInfo>`},
		{"a recipient's KeyInfo and references", `</x:CipherData></x:EncryptedKey>`,
			`</x:CipherData><x:ReferenceList><x:DataReference URI="#d"/></x:ReferenceList><x:CarriedKeyName>n</x:CarriedKeyName></x:EncryptedKey>`},
		{"EncryptionProperties", `</x:EncryptedData>`, `<x:EncryptionProperties/></x:EncryptedData>`},
		{"lines and indentation", `<x:CipherValue>`, "\r\n<x:CipherValue>\n  "},
		{"the size of the key", s.method(),
			strings.Replace(s.method(), "/>", `><x:KeySize>256</x:KeySize></x:EncryptionMethod>`, 1)},
	} {
		src := strings.Replace(in, row.old, row.new, 1)
		if src == in {
			t.Fatalf("%s: %q does not occur", row.name, row.old)
		}
		if got, err := Decrypt(parse(t, src), keysOf(ours())); err != nil || string(got) != plain {
			t.Errorf("%s: got %q, %v", row.name, got, err)
		}
	}
}

// publishedKey returns one of the keys of the vectors.
func publishedKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(testfiles.Key(t, "test-sp-a.key.pem"))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// FuzzDecrypt: no input makes it panic, an error has no result and the one code, and GCM lets
// nothing through that was changed.
func FuzzDecrypt(f *testing.F) {
	key := publishedKey(f) // all processes of the fuzzer need the same key
	for _, content := range []string{xmltree.NSXEnc + "aes128-cbc", xmltree.NSXEnc11 + "aes128-gcm"} {
		for _, layout := range []string{inside, beside, unnamed} {
			s := newSealed()
			s.key, s.content, s.layout = &key.PublicKey, content, layout
			f.Add([]byte(s.encrypt(f, randomKey(16), plain)))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := xmltree.Parse(src, xmltree.Options{})
		if err != nil {
			return
		}
		got, err := Decrypt(doc.Root(), keysOf(key))
		var fail *fault.Fault
		if err != nil && (got != nil || !errors.As(err, &fail) || fail.Code != fault.Decryption) {
			t.Fatalf("got %q and %v", got, err)
		}
		onlyGCM := bytes.Contains(src, []byte("gcm")) && !bytes.Contains(src, []byte("cbc"))
		if err == nil && onlyGCM && string(got) != plain {
			t.Fatalf("got %q", got)
		}
	})
}
