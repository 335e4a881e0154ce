package saml

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/posted"
)

// A FormAccount is the account that a browser's form belongs to: that of its session, or of a
// session that has just ended.
type FormAccount struct {
	Tenant string // Login.Tenant of the session
	Key    string // Identity.AccountKey, or another short text that names one account for good; never ""

	// Ended says that the session has ended by its lifetime or because nobody used it. It is no
	// session any more; a form that it posts waits for the sign-in.
	Ended bool
}

// A FormAccountFunc returns the account of the session of r, or of one that ended by time at most
// an hour ago. It returns nil if there is neither, also if the session was ended in another way
// (the user signed out, the account was locked), or if the account has no key. An error means that
// this is not known at the moment: the answer is status 503, and the browser still has the form.
//
// It is called for forms that Require gets, and r has come through Require: SessionProvider works.
type FormAccountFunc func(r *http.Request) (*FormAccount, error)

const (
	// maxKeptForm is how long a form may be that is kept, in bytes.
	maxKeptForm = 64 << 10
	// keptFormCost is how many times the size of its sealed text a form takes in memory: as it arrived,
	// sealed or opened, and in the page on which it waits.
	keptFormCost = 6
)

// A formFate is why a form is not passed on now.
type formFate struct {
	status   int
	sentence string
	waits    bool // the user can still send it
	signIn   bool // after a sign-in
	fresh    bool // at which the identity provider must ask anew who it is
}

var (
	formWaits      = &formFate{status: 401, sentence: textFormWaits, waits: true, signIn: true}
	formOther      = &formFate{status: 403, sentence: textFormOther, waits: true, signIn: true, fresh: true}
	formUnsure     = &formFate{status: 503, sentence: textFormUnsure, waits: true}
	formUsed       = &formFate{status: 409, sentence: textFormUsed}
	formTooOld     = &formFate{status: 410, sentence: textFormTooOld}
	formUnreadable = &formFate{status: 400, sentence: textFormUnreadable}
)

// formOverSignIn answers a form that waits for a sign-in, and reports whether it has answered.
// Otherwise it returns the request to serve: served, or one with the form that has waited; nil if r
// has no session.
func (h *Handler) formOverSignIn(w http.ResponseWriter, r, served *http.Request) (*http.Request, bool) {
	if h.config.FormAccount == nil || r.Method != http.MethodPost {
		return served, false
	}
	signedIn := served != nil
	if signedIn {
		r = served
	}
	r, again := sentAgain(r.WithContext(h.known(r.Context())))
	switch {
	case again:
		return h.takeForm(w, r, signedIn)
	case signedIn:
		return r, false
	}
	return nil, h.keepForm(w, r)
}

// sentAgain reports whether "Send again" on our page posted r. It returns r with its whole body: of
// a form it has read no more than the name of our field.
func sentAgain(r *http.Request) (*http.Request, bool) {
	if r.PostForm != nil { // a middleware has parsed the form
		return r, r.PostForm.Has(posted.Kept)
	}
	if r.Body == nil || posted.CheckType(r.Header.Get("Content-Type")) != nil {
		return r, false
	}
	body := bufio.NewReaderSize(r.Body, len(posted.Kept)+1)
	start, _ := body.Peek(len(posted.Kept) + 1) // whoever reads the body gets the error again
	whole := r.WithContext(r.Context())
	whole.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	return whole, string(start) == posted.Kept+"="
}

// keepForm answers a form whose session has just ended with a page on which it waits, and reports
// whether it has answered. r has no session.
func (h *Handler) keepForm(w http.ResponseWriter, r *http.Request) bool {
	if !isPersonsForm(r) {
		return false
	}
	account, sp, err := h.formAccount(r)
	switch {
	case !isNil(err):
		h.sessionUnknown(w, r, "HandlerConfig.FormAccount", err)
		return true
	case account == nil || !account.Ended || account.Key == "" || !fromOwnOrigin(r, sp):
		return false
	}
	if _, err := h.loginAddress(r); err != nil {
		return false // requireSignIn says why nobody can sign in
	}
	if h.guardsRedirectURL(w, r) {
		return true
	}
	form := body{budget: h.forms}
	defer form.release()
	switch err := h.readKept(w, r, &form); {
	case err == errNoMemory:
		h.fail(w, r, sp, manyForms())
		return true
	case err != nil:
		return false
	}
	sealed := sp.sealForm(r, account.Key, form.data)
	if sealedText.EncodedLen(len(sealed)) > maxSealedForm {
		return false // a very long key
	}
	h.showForm(w, r, sp, sealedText.EncodeToString(sealed), formWaits)
	return true
}

// takeForm returns the request with the form that has waited, or answers. Strangers get no further
// than the headers let them, and then share little memory: they only need the page again.
func (h *Handler) takeForm(w http.ResponseWriter, r *http.Request, signedIn bool) (*http.Request, bool) {
	account, sp, err := h.formAccount(r)
	switch {
	case !isNil(err):
		h.sessionUnknown(w, r, "HandlerConfig.FormAccount", err)
		return nil, true
	case !isPersonsForm(r) || !fromOwnOrigin(r, sp):
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, h.language(r).Say(textFormElsewhere), http.StatusForbidden)
		return nil, true
	}
	sent := body{budget: h.forms}
	if account == nil && !signedIn {
		sent.budget = h.strangersForms
	}
	defer sent.release()
	text, err := h.sentForm(w, r, &sent)
	if err == errNoMemory {
		h.fail(w, r, sp, manyForms())
		return nil, true
	}
	sealed, fate := unpackSealed(text), formWaits
	switch {
	case sealed == nil:
		fate = formUnreadable
	case signedIn && account == nil: // one without a key, so it is not that of the form
		fate = formOther
	case signedIn && !account.Ended:
		var form *keptForm
		if form, fate = sp.takeForm(r, account.Key, sealed); fate == nil {
			return form.sentWith(r), false
		}
	}
	h.showForm(w, r, sp, string(text), fate)
	return nil, true
}

// formAccount returns the account of r and the provider of its tenant, if there is one. Without an
// account it is the provider that r itself names, nil if it names none.
func (h *Handler) formAccount(r *http.Request) (*FormAccount, *ServiceProvider, error) {
	account, err := h.config.FormAccount(r)
	if !isNil(err) {
		return nil, nil, err
	}
	if account == nil {
		sp, err := h.Provider(r, "")
		if err != nil {
			return nil, nil, nil
		}
		return nil, sp, nil
	}
	sp, err := h.Provider(r, account.Tenant)
	if err != nil {
		return nil, nil, err
	}
	return account, sp, nil
}

// manyForms is the refusal of a form that the browser still has: it posts it again when the user
// reloads.
func manyForms() *Error {
	return refuse(CodeBusy, "other forms take up all the memory that is set aside for them", "", "")
}

// isPersonsForm reports whether a person posted r from a page in a window of the browser: no
// script, no frame, and no program, which may repeat what it has sent. Authorization says that r
// has another way to be signed in than a session.
func isPersonsForm(r *http.Request) bool {
	if len(r.Header.Values("Authorization")) > 0 {
		return false
	}
	switch visitOf(r) {
	case pageVisit:
		return true
	case unknownVisit:
		return strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	return false
}

// fromOwnOrigin reports whether the browser says that a page of the origin of sp posted r: by
// Sec-Fetch-Site, or by Origin if that is not sent. If both are, both must say so. sp may be nil if
// it is not known; then Origin says nothing.
func fromOwnOrigin(r *http.Request, sp *ServiceProvider) bool {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	named := origin != "" && origin != "null" // a Referrer-Policy of the page hides it
	if named && sp != nil && !isOpenedAt(r, sp.redirectURL) {
		return false
	}
	return site == "same-origin" || site == "" && named && sp != nil
}

// errNotKept means that the body is no form that can be kept, or did not arrive whole.
var errNotKept = errors.New("no form that can be kept")

// readKept reads the body of r if it is a form that can be kept. The error is errNoMemory if only
// room is missing.
func (h *Handler) readKept(w http.ResponseWriter, r *http.Request, b *body) error {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(r.Header.Get("Content-Type")) > maxKeptType || r.Header.Get("Content-Encoding") != "" {
		return errNotKept
	}
	isForm := kind == "application/x-www-form-urlencoded"
	switch {
	case isForm && r.PostForm != nil:
		err = b.keepParsed(r)
	case isForm || kind == "multipart/form-data":
		err = h.readWhole(w, r, b, maxKeptForm)
	default:
		return errNotKept
	}
	switch {
	case err != nil:
		return err
	case !isForm && !hasNoFile(b.data, parameters["boundary"]):
		return errNotKept
	}
	return b.holdForm(sealedText.EncodedLen(len(b.data)))
}

// keepParsed is readKept for a form that a middleware has parsed: fields keep their values in order.
func (b *body) keepParsed(r *http.Request) error {
	least := 0 // escapes make it longer
	for name, values := range r.PostForm {
		for _, value := range values {
			least += len(name) + len(value)
		}
	}
	if least > maxKeptForm {
		return errNotKept
	}
	b.data = []byte(r.PostForm.Encode())
	if len(b.data) > maxKeptForm || len(b.data) == 0 && r.ContentLength != 0 {
		return errNotKept
	}
	return nil
}

// readWhole reads a form of at most most bytes. A slow sender holds hardly more than it has sent: the
// memory that is needed with the form is taken when all of it is there.
func (h *Handler) readWhole(w http.ResponseWriter, r *http.Request, b *body, most int64) error {
	if r.Body == nil || r.ContentLength > most {
		return errNotKept
	}
	restore := readDeadline(w, r, h.bodyTimeout)
	if err := b.read(io.LimitReader(r.Body, most+1), r.ContentLength); err != nil {
		return err
	}
	restore()
	size := int64(len(b.data))
	if size > most || r.ContentLength >= 0 && r.ContentLength != size {
		return errNotKept
	}
	return nil
}

// holdForm counts what a form takes that has arrived. size is that of its sealed text.
func (b *body) holdForm(size int) error {
	if !b.hold(keptFormCost*size - b.held) {
		return errNoMemory
	}
	return nil
}

// hasNoFile reports whether a body is multipart/form-data (RFC 7578) with fields alone. A field for
// a file that the user has left empty has no name of a file and no content.
func hasNoFile(body []byte, boundary string) bool {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		_, parameters, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil {
			return false
		}
		content, err := io.ReadAll(part)
		file, isFile := parameters["filename"]
		if err != nil || isFile && (file != "" || len(content) > 0) {
			return false
		}
	}
}

// sentForm reads what our page posts: the text of a sealed form and nothing else. The error is
// errNoMemory if only room is missing.
func (h *Handler) sentForm(w http.ResponseWriter, r *http.Request, b *body) ([]byte, error) {
	if r.PostForm != nil {
		text := r.PostForm.Get(posted.Kept)
		if len(text) > maxSealedForm {
			return nil, errNotKept
		}
		b.data = []byte(text)
	} else if err := h.readWhole(w, r, b, int64(len(posted.Kept)+1+maxSealedForm)); err != nil {
		return nil, err
	}
	return bytes.TrimPrefix(b.data, []byte(posted.Kept+"=")), b.holdForm(len(b.data))
}

// showForm says what becomes of a form. If it can still be sent, the page has the text of the sealed
// form and leads to the sign-in, which ends on the page of tellToSend.
func (h *Handler) showForm(w http.ResponseWriter, r *http.Request, sp *ServiceProvider, sealed string, fate *formFate) {
	if !fate.waits {
		page.Notice{Language: h.language(r), Status: fate.status, Title: textFormKept, Sentence: fate.sentence,
			Link: page.Link{To: h.config.Home}, Button: textStartPage}.Write(w)
		return
	}
	waiting := page.Waiting{Language: h.language(r), Title: textFormKept, Sentence: fate.sentence,
		Form: page.Field{Name: posted.Kept, Value: sealed}}
	if fate.signIn {
		at, err := h.loginAddress(r)
		if err != nil {
			h.Fail(w, r, err)
			return
		}
		end := h.config.ChoosePath
		if sp != nil && at == sp.redirectURL {
			end = sp.RedirectPath()
		}
		waiting.Link = beginLink(at, end+"?"+posted.Kept+"=1", fate.fresh)
	}
	defer writeDeadline(w, r, h.bodyTimeout)()
	waiting.Write(w, fate.status)
}

// tellToSend is the page on which the sign-in of a form that waits ends, in a window of its own.
func (h *Handler) tellToSend(w http.ResponseWriter, r *http.Request) {
	page.Notice{Language: h.language(r), Title: textSignedIn, Sentence: textFormSignedIn,
		Link: page.Link{To: h.config.Home}, Button: textStartPage}.Write(w)
}
