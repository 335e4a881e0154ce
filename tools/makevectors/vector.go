package main

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/iomete/saml/testdata/vectors"
)

// A vector describes one file: an accepted message (text, or from with a change), or one that must
// be refused (expect).
type vector struct {
	name string
	text string // a whole message that nothing was made from
	from string // the vector that this one is made from; that of a refused vector is its twin

	expect string // the code, "" for accepted
	stage  string // how far it comes, where the code and the check do not tell
	check  string // the check that refuses, "" for parser and signature rules
	nameID string // of an accepted vector, where it is not that of from
	why    string // what was changed, and why it must be refused or accepted

	header  header      // other conditions than those of from; "-" takes one away
	change  edit        // of the message before it is signed
	between edit        // when the assertion is signed and the response is not yet
	encrypt *encryption // of the assertion, when it is signed and the response is not yet
	cipher  edit        // when the assertion is encrypted and the response is not yet signed
	after   edit        // when all is signed
	form    edit        // of the base64

	key         string // that signs, where it is not that of from
	responseKey string // that signs the response, where it is not key
	byHand      *hand  // signs instead of xmlsec1
	judge       judge  // what xmlsec1 says in the end
}

// header holds the conditions under which a vector is read, by name.
type header map[string]string

// usual are the conditions of nearly all vectors.
var usual = header{
	"at": now, "redirect_url": redirectURL, "entity_id": redirectURL, "idp_entity_id": idpEntityID, "request_id": requestID,
	"keys": certificateFile(idpA), "name_id": nameID,
}

// A built is a vector whose message is made and signed.
type built struct {
	header   header
	vector   vector // with what it inherits
	unsigned string // before signing
	clear    string // before it was encrypted, "" if it was not
	form     string // base64
}

// A builder makes the messages of vectors.
type builder struct {
	keys      map[string]testKey
	dir, work string // of the keys; for temporary files
	done      map[string]*built
}

var nameShape = regexp.MustCompile(`^[pc]([0-9]{2})(-[a-z0-9.]+)+$`)

// build makes the message of one vector. The vector that it is made from must have been built
// before.
func (b *builder) build(r vector) error {
	if b.done[r.name] != nil {
		return fmt.Errorf("there are two of this name")
	}
	v := &built{header: header{}, vector: r, unsigned: r.text}
	inherited := usual
	if r.from != "" {
		twin := b.done[r.from]
		if twin == nil || twin.vector.expect != "" {
			return fmt.Errorf("there is no accepted vector %s", r.from)
		}
		inherited, v.unsigned = twin.header, twin.unsigned
		v.vector.inherit(&twin.vector)
	}
	for _, key := range vectors.Keys {
		if value, ok := inherited[key]; ok {
			v.header[key] = value
		}
		if value, ok := r.header[key]; ok {
			v.header[key] = value
		}
		if v.header[key] == "-" {
			delete(v.header, key)
		}
	}
	if err := v.label(r); err != nil {
		return err
	}
	message, err := b.message(v)
	if err != nil {
		return err
	}
	if err := b.verify(v, message); err != nil {
		return err
	}
	v.form = base64.StdEncoding.EncodeToString([]byte(message))
	if v.vector.form != nil {
		if v.form, err = v.vector.form(v.form); err != nil {
			return err
		}
	}
	b.done[r.name] = v
	return nil
}

// inherit fills in how the twin was signed and finished.
func (r *vector) inherit(twin *vector) {
	if r.key == "" {
		r.key, r.responseKey = twin.key, twin.responseKey
	}
	if r.byHand == nil {
		r.byHand = twin.byHand
	}
	if r.encrypt == nil {
		r.encrypt = twin.encrypt
	}
	r.cipher = chain(twin.cipher, r.cipher)
	r.after = chain(twin.after, r.after)
	r.form = chain(twin.form, r.form)
}

func chain(first, second edit) edit {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return all(first, second)
}

// label fills in what the header says about the expectation.
func (v *built) label(r vector) error {
	v.header["comment"] = r.why
	if r.expect == "" {
		v.header["expect"] = "accepted"
		if r.nameID != "" {
			v.header["name_id"] = r.nameID
		}
		return nil
	}
	m := nameShape.FindStringSubmatch(r.name)
	if m == nil {
		return fmt.Errorf("the name does not begin with a rule")
	}
	delete(v.header, "name_id")
	v.header["expect"], v.header["rule"], v.header["check"], v.header["twin"] = r.expect, strings.TrimPrefix(m[1],
		"0"), r.check, r.from
	v.header["stage"] = stageOf(r)
	return nil
}

// stageOf says how far a message comes before it is refused.
func stageOf(r vector) string {
	if r.stage != "" {
		return r.stage
	}
	if r.check != "" {
		return "check"
	}
	switch r.expect {
	case "response_missing", "base64", "encoding", "xml_declaration", "doctype", "comment", "entity", "xml_syntax", "namespace", "duplicate_attribute", "too_large":
		return "parse"
	case "not_a_response", "version", "id_invalid", "schema", "assertion_count", "duplicate_id", "signature_placement":
		return "shape"
	case "decryption":
		return "decryption"
	}
	return "signature"
}

// message signs and finishes the text of a vector.
func (b *builder) message(v *built) (string, error) {
	text := v.unsigned
	var err error
	if v.vector.change != nil {
		if text, err = v.vector.change(text); err != nil {
			return "", err
		}
	}
	v.unsigned = text
	key := v.vector.key
	if key == "" {
		key = idpA
	}
	if text, err = b.sign(text, slotAssertion, key, v.vector.byHand); err != nil {
		return "", err
	}
	if v.vector.between != nil {
		if text, err = v.vector.between(text); err != nil {
			return "", err
		}
	}
	if v.vector.encrypt != nil {
		v.clear = text
		if text, err = b.encrypt(text, *v.vector.encrypt); err != nil {
			return "", err
		}
	}
	if v.vector.cipher != nil {
		if text, err = v.vector.cipher(text); err != nil {
			return "", err
		}
	}
	if v.vector.responseKey != "" {
		key = v.vector.responseKey
	}
	if text, err = b.sign(text, slotResponse, key, v.vector.byHand); err != nil {
		return "", err
	}
	if v.vector.after != nil {
		return v.vector.after(text)
	}
	return text, nil
}

// file is the vector as it is written.
func (v *built) file() []byte {
	var b strings.Builder
	for _, key := range vectors.Keys {
		if value := v.header[key]; value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	b.WriteByte('\n')
	for line := range slices.Chunk([]byte(v.form), 76) {
		b.Write(line)
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
