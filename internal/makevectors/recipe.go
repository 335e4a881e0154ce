package main

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A recipe makes one vector: an accepted message (text, or from with a change), or one that must be refused (expect).
type recipe struct {
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

// headerKeys is the order in which they are written.
var headerKeys = []string{"expect", "stage", "rule", "check", "name_id", "at", "redirect_url", "former_redirect_urls", "entity_id", "former_entity_ids", "idp_entity_id",
	"request_id", "unsolicited", "force_authn_at", "requested_context", "seen_before", "store", "keys", "decryption_keys", "policy", "twin", "comment"}

// usual are the conditions of nearly all vectors.
var usual = header{
	"at": now, "redirect_url": redirectURL, "entity_id": redirectURL, "idp_entity_id": idpEntityID, "request_id": requestID,
	"keys": certificateFile(idpA), "name_id": nameID,
}

// A vector is a recipe that was carried out.
type vector struct {
	header   header
	recipe   recipe // with what it inherits
	unsigned string // before signing
	clear    string // before it was encrypted, "" if it was not
	form     string // base64
}

// kitchen carries out recipes.
type kitchen struct {
	keys      map[string]testKey
	dir, work string // of the keys; for temporary files
	done      map[string]*vector
}

var nameShape = regexp.MustCompile(`^[pc]([0-9]{2})(-[a-z0-9.]+)+$`)

// cook carries out one recipe. What it is made from must have been made before.
func (k *kitchen) cook(r recipe) error {
	if k.done[r.name] != nil {
		return fmt.Errorf("there are two of this name")
	}
	v := &vector{header: header{}, recipe: r, unsigned: r.text}
	inherited := usual
	if r.from != "" {
		twin := k.done[r.from]
		if twin == nil || twin.recipe.expect != "" {
			return fmt.Errorf("there is no accepted vector %s", r.from)
		}
		inherited, v.unsigned = twin.header, twin.unsigned
		v.recipe.inherit(&twin.recipe)
	}
	for _, key := range headerKeys {
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
	message, err := k.message(v)
	if err != nil {
		return err
	}
	if err := k.verify(v, message); err != nil {
		return err
	}
	v.form = base64.StdEncoding.EncodeToString([]byte(message))
	if v.recipe.form != nil {
		if v.form, err = v.recipe.form(v.form); err != nil {
			return err
		}
	}
	k.done[r.name] = v
	return nil
}

// inherit fills in how the twin was signed and finished.
func (r *recipe) inherit(twin *recipe) {
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
func (v *vector) label(r recipe) error {
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
	v.header["expect"], v.header["rule"], v.header["check"], v.header["twin"] = r.expect, strings.TrimPrefix(m[1], "0"), r.check, r.from
	v.header["stage"] = stageOf(r)
	return nil
}

// stageOf says how far a message comes before it is refused.
func stageOf(r recipe) string {
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
func (k *kitchen) message(v *vector) (string, error) {
	text := v.unsigned
	var err error
	if v.recipe.change != nil {
		if text, err = v.recipe.change(text); err != nil {
			return "", err
		}
	}
	v.unsigned = text
	key := v.recipe.key
	if key == "" {
		key = idpA
	}
	if text, err = k.sign(text, slotAssertion, key, v.recipe.byHand); err != nil {
		return "", err
	}
	if v.recipe.between != nil {
		if text, err = v.recipe.between(text); err != nil {
			return "", err
		}
	}
	if v.recipe.encrypt != nil {
		v.clear = text
		if text, err = k.encrypt(text, *v.recipe.encrypt); err != nil {
			return "", err
		}
	}
	if v.recipe.cipher != nil {
		if text, err = v.recipe.cipher(text); err != nil {
			return "", err
		}
	}
	if v.recipe.responseKey != "" {
		key = v.recipe.responseKey
	}
	if text, err = k.sign(text, slotResponse, key, v.recipe.byHand); err != nil {
		return "", err
	}
	if v.recipe.after != nil {
		return v.recipe.after(text)
	}
	return text, nil
}

// file is the vector as it is written.
func (v *vector) file() []byte {
	var b strings.Builder
	for _, key := range headerKeys {
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
