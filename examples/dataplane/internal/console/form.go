package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// Limits of the settings form. What is beyond them is read and thrown away as far as maxUpload,
// because a browser that is cut off while it sends shows its own error in place of our page. Only a
// browser in which the administrator is or was signed in gets that far: others are answered after
// maxSmallForm, see takeForm.
const (
	maxFile       = 4 << 20  // bytes, as saml.ParseMetadata has it
	maxDocument   = 6 << 20  // bytes, maxFile in base64
	maxLine       = 16 << 10 // bytes, of a field of one line
	maxKept       = 12 << 20 // bytes, of all fields together: a file and the document of before fit
	maxFields     = 32
	maxUpload     = 64 << 20  // bytes
	largeForm     = 256 << 10 // bytes, from which on a form waits until no other such form is being read
	maxLargeForms = 1
	largeFormWait = 20 * time.Second
)

// A form is what an administrator typed, pasted or uploaded on the settings page. A refused form
// comes back with all of it.
type form struct {
	Version     int64 // of the settings that the page showed
	EntityID    string
	LoginURL    string
	Certificate string // PEM or whatever else was pasted
	MetadataURL string
	Logout      bool // sign out at the identity provider too
	refreshForm
	Pasted      string
	Document    []byte // the metadata that the fields were filled in from, nil where there was none
	AcceptEnded string // endedMark of certificates that have all ended and are meant, "" for none
	file        []byte
	kept        int // bytes of all fields
	problems    problems
}

// DocumentText is the document for the hidden field, byte for byte.
func (f *form) DocumentText() string { return base64.StdEncoding.EncodeToString(f.Document) }

// A problem is what is wrong with one field.
type problem struct{ Message, Hint string }

// problems are kept by the name of the field that they belong to.
type problems map[string][]problem

// Names of the fields.
const (
	fieldSource      = "source" // file and paste box together
	fieldMetadataURL = "metadata_url"
	fieldSignedBy    = "signed_by"
	fieldEntityID    = "entity_id"
	fieldLoginURL    = "login_url"
	fieldCertificate = "certificate"
	fieldForm        = "form" // none in particular
)

func (f *form) refuse(field, message, hint string) {
	if f.problems == nil {
		f.problems = problems{}
	}
	f.problems[field] = append(f.problems[field], problem{sentence(message), hint})
}

// refuseAll sorts errors of package saml to the fields that they are about; others goes to where
// everything else belongs.
func (f *form) refuseAll(err error, others string) {
	for _, e := range saml.Errors(err) {
		field, ok := fieldOf[e.Field]
		if !ok {
			field = others
		}
		message := e.Message
		if e.Got != "" {
			message += ": " + e.Got
		}
		if e.Want != "" {
			message += ". Expected: " + e.Want
		}
		f.refuse(field, message, e.Hint)
	}
}

// fieldOf is where a fault is shown, by Error.Field.
var fieldOf = map[string]string{
	saml.FieldEntityID:    fieldEntityID,
	saml.FieldLoginURL:    fieldLoginURL,
	saml.FieldCertificate: fieldCertificate,
}

// readForm reads the multipart form of the settings page, part by part, so that an upload that is
// too large costs no memory and takes none of the other fields along. most is for all of it
// together, in bytes.
func readForm(w http.ResponseWriter, r *http.Request, most int64) *form {
	f := &form{}
	r.Body = http.MaxBytesReader(w, r.Body, most)
	parts, err := r.MultipartReader()
	if err != nil {
		f.refuse(fieldForm, "the form did not arrive as this page sends it", "Open the page again.")
		return f
	}
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if err == io.EOF {
			return f
		}
		if err != nil || n == maxFields {
			f.refuse(fieldForm, "the form did not arrive whole, or is too large", "Send it again.")
			return f
		}
		f.read(part)
	}
}

// limits are the largest values of the fields that are not of one line.
var limits = map[string]int{"file": maxFile, "pasted": maxFile, "certificate": maxFile, "signed_by": maxFile,
	"document": maxDocument}

func (f *form) read(part *multipart.Part) {
	most, known := limits[part.FormName()]
	if !known {
		most = maxLine
	}
	most = min(most, maxKept-f.kept)
	value, err := io.ReadAll(io.LimitReader(part, int64(most)+1))
	if err != nil {
		return // it comes again with the next part
	}
	if len(value) > most {
		f.tooLarge(part.FormName(), known)
		io.Copy(io.Discard, part) // as above
		return
	}
	f.kept += len(value)
	if part.FormName() == "file" {
		f.file = value
		return
	}
	text := string(value)
	switch part.FormName() {
	case "version":
		f.Version, _ = strconv.ParseInt(text, 10, 64) // what is no number is no version either
	case "entity_id":
		f.EntityID = strings.TrimSpace(text)
	case "login_url":
		f.LoginURL = strings.TrimSpace(text)
	case "certificate":
		f.Certificate = text
	case "metadata_url":
		f.MetadataURL = strings.TrimSpace(text)
	case "pasted":
		f.Pasted = text
	case "document":
		f.Document, _ = base64.StdEncoding.DecodeString(text) // without it the fields count alone
	case "logout":
		f.Logout = text == "yes"
	case "accept_ended":
		f.AcceptEnded = text
	default:
		f.refreshForm.read(part.FormName(), text)
	}
}

func (f *form) tooLarge(field string, document bool) {
	switch {
	case slices.Contains([]string{fieldEntityID, fieldLoginURL, fieldMetadataURL}, field):
		f.refuse(field, "this is too long", "Copy it again.")
		return
	case !document:
		f.refuse(fieldForm, "the form did not arrive as this page sends it", "Open the page again.")
		return
	}
	f.refuse(fieldSource, fmt.Sprintf("this has more than %d MiB, so it is not the metadata of one identity provider",
		maxFile>>20),
		`Download the metadata of your identity provider there ("Federation Metadata XML", "IdP metadata" or "SAML metadata"): that file mostly has less than 100 kB.`)
}

// hasSource reports whether a file was chosen, or a text pasted.
func (f *form) hasSource() bool { return len(f.file) > 0 || strings.TrimSpace(f.Pasted) != "" }

// readSource fills the fields from a chosen file or a pasted text. Every button of the form does it
// first, so that nothing is passed over that the administrator has given.
func (f *form) readSource() {
	if len(f.problems) > 0 || !f.hasSource() {
		return
	}
	text := []byte(f.Pasted)
	switch {
	case len(f.file) == 0:
	case strings.TrimSpace(f.Pasted) == "" || bytes.Equal(bytes.TrimSpace(text), bytes.TrimSpace(f.file)):
		text = f.file
	default:
		f.refuse(fieldSource, "a file was chosen and a text was pasted, and only one of them can count",
			"Empty the box and choose the file again, or press the button once more to read the text.")
		return
	}
	f.fill(text, fieldSource)
}

// fill puts what a file, a paste or an address gave into the fields: metadata into all of them,
// certificates into theirs.
func (f *form) fill(data []byte, field string) {
	start := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\uFEFF")))
	switch {
	case len(start) == 0:
		f.refuse(field, "this is empty", "Choose the file that was downloaded, or paste its text.")
	case bytes.HasPrefix(start, []byte("https://")) || bytes.HasPrefix(start, []byte("http://")):
		f.refuse(field, "this is an address", "Put it into the field Metadata URL and press Fetch.")
	case bytes.Contains(start, []byte("EntityDescriptor")) || bytes.Contains(start, []byte("EntitiesDescriptor")):
		f.fillFromMetadata(data, field) // also behind other text: its certificate alone would be mixed with the old fields
	case start[0] == '<' && bytes.Contains(start, []byte("X509Certificate")):
		f.fillFromCertificate(data, field)
	case start[0] == '<' || bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		f.fillFromMetadata(data, field)
	default:
		f.fillFromCertificate(data, field)
	}
}

func (f *form) fillFromMetadata(document []byte, field string) {
	idp, err := readMetadata(document, f.EntityID)
	for _, e := range saml.Errors(err) {
		if e.Code == saml.CodeMetadataAggregate && strings.HasPrefix(e.Hint, "Name ") { // not if it is there twice
			e.Hint = "Type the entity ID of your identity provider into the field Entity ID, then read the metadata again; or give the metadata of your identity provider alone."
		}
	}
	if err != nil {
		f.refuseAll(err, field)
		return
	}
	f.EntityID, f.LoginURL, f.Certificate, f.Document = idp.EntityID(), idp.LoginURL(), pemOf(idp.Keys()), document
	f.Pasted, f.Fetched, f.LastRead = "", "", ""
	if field == fieldSource { // the address of before has nothing to do with it
		f.MetadataURL = ""
	}
}

// readMetadata reads a document. entityID picks one identity provider of a document that holds
// several; otherwise it does not count.
func readMetadata(document []byte, entityID string) (*saml.IdentityProvider, error) {
	idp, err := saml.ParseMetadata(document)
	if !errors.Is(err, saml.CodeMetadataAggregate) || entityID == "" {
		return idp, err
	}
	if named, otherwise := saml.ParseMetadata(document, saml.ParseMetadataOptions{EntityID: entityID}); otherwise == nil {
		return named, nil
	}
	return nil, err // it lists those that there are
}

func (f *form) fillFromCertificate(data []byte, field string) {
	keys, err := saml.ParseKeys(data)
	if err != nil {
		f.refuseAll(err, field)
		if errors.Is(err, saml.CodePrivateKey) {
			f.Pasted = "" // it has been in too many places already
		}
		return
	}
	f.Certificate, f.Pasted = pemOf(keys), "" // the document may still say how to send requests
}

func pemOf(keys []saml.TrustedKey) string {
	var b strings.Builder
	for _, k := range keys {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: k.DER()}) // a strings.Builder takes everything
	}
	return b.String()
}

// fromSettings is the form that shows what is saved.
func fromSettings(state *storage.State) *form {
	f := &form{Version: state.Version}
	if s := state.Saved; s != nil {
		f.EntityID, f.LoginURL, f.Certificate, f.MetadataURL = s.EntityID, s.LoginURL, s.Certificates, s.MetadataURL
		f.Logout = s.Logout
		if s.Document != "" {
			f.Document = []byte(s.Document)
		}
		if s.Refresh {
			f.Refresh, f.SignedBy, f.Fetched = true, s.SignedBy, s.MetadataURL
		}
	}
	return f
}

// settings gives what the fields say, or says what is wrong with them: everything at once. The
// document counts where the fields are still as it filled them in.
func (c *Console) settings(f *form) (storage.Settings, *saml.IdentityProvider) {
	if f.same != nil {
		return f.same.Settings, f.lastRead
	}
	for field, text := range map[string]string{fieldEntityID: f.EntityID, fieldLoginURL: f.LoginURL,
		fieldMetadataURL: f.MetadataURL} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			f.refuse(field, "this has a character that cannot be shown", "Copy it again.")
		}
	}
	if f.isEmpty() {
		f.refuse(fieldForm, "nothing is filled in yet",
			"Drop the metadata of the identity provider above, or fill in the three fields.")
		return storage.Settings{}, nil
	}
	s := storage.Settings{EntityID: f.EntityID, LoginURL: f.LoginURL, MetadataURL: f.MetadataURL, Logout: f.Logout}
	idp, err := c.readFields(f, &s)
	if err == nil && f.Refresh {
		f.checkRefresh(&s, idp, c.Now())
	}
	if errors.Is(err, saml.CodePrivateKey) {
		f.Certificate = ""
	}
	f.refuseAll(err, fieldForm)
	if len(f.problems) > 0 {
		return storage.Settings{}, nil
	}
	f.Certificate = s.Certificates
	if f.Document = nil; s.Document != "" {
		f.Document = []byte(s.Document)
	}
	return s, idp
}

func (c *Console) readFields(f *form, s *storage.Settings) (*saml.IdentityProvider, error) {
	source := f.Document
	if _, err := saml.ParseMetadata([]byte(f.Certificate)); err == nil {
		source = []byte(f.Certificate) // in the wrong box, and it says what its certificates do not
	}
	idp, kept, err := readSettings(f.EntityID, f.LoginURL, f.Certificate, source, c.ownSide.ParseSettings)
	if err != nil {
		return nil, err
	}
	if kept {
		s.Document = string(source)
	}
	s.Certificates = pemOf(idp.Keys())
	// it would be forgotten
	if again, err := identityProvider(*s); idp.LoginIsPOSTOnly() && (err != nil || !again.LoginIsPOSTOnly()) {
		f.refuse(fieldCertificate, "there is text around the metadata of an identity provider that takes logins by HTTP-POST alone",
			"Paste the metadata without that text, as metadata.")
	}
	if _, err := saml.New(c.providerConfig("", idp, nil)); err != nil {
		return nil, err
	}
	return idp, nil
}

// readSettings makes an identity provider of three fields and of the document that filled them in,
// which may be empty. kept reports whether the document still says something about them, and must be
// saved with the fields then. What it says is true of the fields as they are now: all of it if nothing
// was changed; the keys, of which the document alone says which are those of authorities, if the
// certificates were not; and the details that saml.IdentityProvider.WithDetails has.
func readSettings(entityID, loginURL, certificates string, source []byte,
	parse func(entityID, loginURL, certificates string) (*saml.IdentityProvider, error),
) (idp *saml.IdentityProvider, kept bool, err error) {
	document, err := readMetadata(source, entityID)
	if err != nil {
		document = nil // the fields count alone
	}
	unchanged := document != nil && hasCertificates(document, certificates)
	if unchanged && document.EntityID() == entityID && document.LoginURL() == loginURL {
		return document, true, nil
	}
	if idp, err = parse(entityID, loginURL, certificates); err != nil || document == nil {
		return idp, false, err
	}
	if unchanged {
		if idp, err = saml.NewIdentityProvider(entityID, loginURL, document.Keys()...); err != nil {
			return nil, false, err
		}
	}
	kept = unchanged || document.EntityID() == entityID || document.LoginURL() == loginURL
	return idp.WithDetails(document), kept, nil
}

// hasCertificates reports whether a text of certificates has those of a document, in their order.
func hasCertificates(document *saml.IdentityProvider, text string) bool {
	if text == pemOf(document.Keys()) {
		return true
	}
	keys, err := saml.ParseKeys([]byte(text))
	return err == nil && sameKeys(document.Keys(), keys)
}

func sameKeys(a, b []saml.TrustedKey) bool {
	return slices.EqualFunc(a, b, func(x, y saml.TrustedKey) bool { return bytes.Equal(x.DER(), y.DER()) })
}

// allEnded reports whether no usable certificate is within its dates any more.
func (c *Console) allEnded(idp *saml.IdentityProvider) bool {
	now := c.Now()
	return !slices.ContainsFunc(idp.Keys(),
		func(k saml.TrustedKey) bool { return k.Usable() == nil && now.Before(k.NotAfter()) })
}

// endedMark names the certificates of settings if they have all ended, "" if not. It is the value
// of the tick that says that they are meant: the tick counts for the certificates it was shown with
// and for no others.
func (c *Console) endedMark(idp *saml.IdentityProvider) string {
	if !c.allEnded(idp) {
		return ""
	}
	sums := sha256.New()
	for _, k := range idp.Keys() {
		sums.Write([]byte(k.ThumbprintSHA256()))
	}
	return hex.EncodeToString(sums.Sum(nil))
}

// isEmpty reports whether none of the three fields has anything.
func (f *form) isEmpty() bool {
	return strings.TrimSpace(f.Certificate) == "" && f.EntityID == "" && f.LoginURL == ""
}

// fetch reads metadata from an address into the form.
func (c *Console) fetch(ctx context.Context, f *form) {
	if f.MetadataURL == "" {
		f.refuse(fieldMetadataURL, "the address is missing",
			`It is in the settings of the identity provider, as "Metadata URL", "App Federation Metadata Url" or "IdP metadata URL".`)
		return
	}
	document, err := c.Fetch(ctx, f.MetadataURL)
	if err != nil {
		f.refuseAll(err, fieldMetadataURL)
		return
	}
	if f.fill(document, fieldMetadataURL); len(f.problems) == 0 {
		f.Fetched = f.MetadataURL
	}
}
