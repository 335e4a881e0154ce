package saml

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/iomete/saml/internal/wire"
)

const (
	maxBody       = 2 << 20 // bytes of the posted form
	maxParameters = 8
	// smallBody is the size, in bytes, up to which a body costs nothing of
	// HandlerConfig.BodyMemory. A response of Entra with 150 groups has about 30 KiB.
	smallBody = 64 << 10
	// mediumBody is more than any honest response needs: 1,000 groups have some 200 KiB.
	mediumBody = 256 << 10
	// bodyTimeout is how long a browser may take to send the form, and to take the page that
	// repeats it.
	bodyTimeout = 30 * time.Second
	// legField marks a form that our own page posts. This proves nothing; the cookies that come
	// with it decide.
	legField = "saml_leg"
	// tabField has what the tab kept: the sealed address at which the login ends. Our page of the
	// first leg adds it.
	tabField   = "saml_return"
	maxTabText = 16 << 10 // bytes
	// returnField is that of a form that only begins a login, for addresses that are too long for a
	// header, and in the address of a GET.
	returnField = "return_to"
	// addressField has the e-mail address that a person typed, on the page that asks for it.
	addressField = "saml_address"
	maxAddress   = 320 // bytes; more than mail systems take (RFC 5321 §4.5.3.1)
)

// postedForm is what a form may contain. It owns the memory of the body; release returns it.
type postedForm struct {
	response []byte // base64 by its alphabet, not decoded yet
	leg      string // "" as the identity provider posts it
	tab      string // what our page found in the tab, sealed
	relay    string // RelayState, which anyone may have written; "" if it is too long for an address
	begins   bool   // the form is no response: it begins a login that ends at returnTo
	returnTo string // which anyone may have written
	chooses  bool   // the form is that of the page that asks for an e-mail address, and has returnTo too
	address  string // as it was typed; "" if it is too long for one
	body     body
}

func (f *postedForm) release() { f.body.release() }

// readForm reads and checks the form before anything of it is used or repeated. If a middleware has
// parsed the form already, the body is gone, and r.PostForm alone is taken, which has nothing of the
// address: the middleware's own limits of size and time came first, and ours are about what it left.
// The caller must release the form, also after an error.
func (h *Handler) readForm(w http.ResponseWriter, r *http.Request) (*postedForm, *Error) {
	form := &postedForm{body: body{budget: h.bodies}}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := parameters["charset"]; err != nil || kind != "application/x-www-form-urlencoded" || charset != "" &&
		!strings.EqualFold(charset, "utf-8") {
		return form, refuse(CodeForm, "the request is not a form", r.Header.Get("Content-Type"),
			"application/x-www-form-urlencoded")
	}
	if r.PostForm != nil {
		fields, refusal := parsedForm(r.PostForm, &form.body)
		if refusal != nil {
			return form, refusal
		}
		return form, form.take(fields, r.URL.Query())
	}
	if err := h.readBody(w, r, &form.body); err != nil {
		return form, err
	}
	if r.ContentLength > 0 && len(form.body.data) == 0 {
		return form, bodyGone("something read the body before the Handler and did not put it back")
	}
	fields, refusal := parseForm(form.body.data)
	if refusal != nil {
		return form, refusal
	}
	return form, form.take(fields, r.URL.Query())
}

// bodyGone is the refusal of a form that was lost within this service.
func bodyGone(message string) *Error {
	return refuse(CodeForm, message, "", "the whole form").advised("Look for a middleware in front of the Handler that reads the body of requests or limits its size (http.MaxBytesReader; http.Request.ParseForm stops at 10 MB): let it pass the Redirect URL by.")
}

// parsedForm returns the fields of a form that net/http parsed, with the limits of readBody and
// parseForm. The names and values count, since nobody knows how long the body was. What is kept is
// a copy: the message is decoded in place, and r.PostForm is not ours. It counts against the budget
// as a body does.
func parsedForm(form url.Values, b *body) ([]formField, *Error) {
	var fields []formField
	bytes := 0
	for name, values := range form {
		for _, value := range values {
			if len(fields) == maxParameters {
				return nil, refusef(CodeForm, "the form has more than %d fields", maxParameters)
			}
			bytes += len(name) + len(value)
			if bytes > maxBody {
				return nil, refusef(CodeTooLarge, "the form has more than %d bytes", maxBody)
			}
			fields = append(fields, formField{[]byte(name), nil})
			switch name {
			case "SAMLResponse":
				if !b.hold(len(value)) {
					return nil, refuse(CodeBusy, "other large forms take up all the memory that is set aside for them", "", "")
				}
				fields[len(fields)-1].value = []byte(value)
			case "RelayState", tabField, returnField, legField, addressField: // one more byte shows that it was too long
				fields[len(fields)-1].value = []byte(value[:min(len(value), maxTabText+1)])
			}
		}
	}
	if len(fields) == 0 {
		return nil, bodyGone("a middleware parsed the form before the Handler and found no field in it")
	}
	return fields, nil
}

// readBody reads the body of r within limits of size, memory and time.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, b *body) *Error {
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	restore := readDeadline(w, r, h.bodyTimeout)
	err := errTooLarge
	if r.ContentLength <= maxBody {
		err = b.read(limited, r.ContentLength)
	}
	ended := err == nil
	// read on without keeping it: browsers show no answer before they have sent all
	if errors.Is(err, errNoMemory) || errors.Is(err, errTooLarge) {
		_, rest := io.Copy(io.Discard, limited)
		ended = rest == nil
	}
	// otherwise the server reads on before it answers, and must not wait without end for a sender who has stopped
	if ended {
		restore()
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoMemory):
		return refuse(CodeBusy, "other large forms take up all the memory that is set aside for them", "", "")
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		return refusef(CodeTooLarge, "the form has more than %d bytes", maxBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refusef(CodeForm, "the form did not arrive within %s", h.bodyTimeout)
	}
	return refuse(CodeForm, "the form did not arrive whole", "", "").withCause(err)
}

// A formField is a name and a value of a form, decoded.
type formField struct{ name, value []byte }

var errForm = errors.New("not a form")

// parseForm reads a form as browsers send it (WHATWG URL Standard §5.1), and as strictly as
// net/url: no semicolon, no broken escape. It decodes in place, so that a form is in memory once,
// and stops at the field that is one too many.
func parseForm(body []byte) ([]formField, *Error) {
	var fields []formField
	for len(body) > 0 {
		var pair []byte
		pair, body, _ = bytes.Cut(body, []byte("&"))
		if len(pair) == 0 {
			continue
		}
		if len(fields) == maxParameters {
			return nil, refusef(CodeForm, "the form has more than %d fields", maxParameters)
		}
		semicolon := bytes.IndexByte(pair, ';') >= 0 // looked for before anything is decoded in place
		name, value, _ := bytes.Cut(pair, []byte("="))
		name, nameErr := unescapeForm(name)
		value, valueErr := unescapeForm(value)
		if semicolon || nameErr != nil || valueErr != nil {
			return nil, refuse(CodeForm, "the form cannot be decoded", "", "")
		}
		fields = append(fields, formField{name, value})
	}
	return fields, nil
}

// unescapeForm decodes %XX and + of a form in place.
func unescapeForm(s []byte) ([]byte, error) {
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(s) {
				return nil, errForm
			}
			high, low := fromHex(s[i+1]), fromHex(s[i+2])
			if high < 0 || low < 0 {
				return nil, errForm
			}
			c = byte(high<<4 | low)
			i += 2
		}
		s[n] = c
		n++
	}
	return s[:n], nil
}

func fromHex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// take checks which fields the form and the address have, and keeps those that count.
func (f *postedForm) take(fields []formField, query url.Values) *Error {
	responses, relayStates, legs, tabs, returns, addresses := 0, 0, 0, 0, 0, 0
	for _, field := range fields {
		switch name := string(field.name); name {
		case "SAMLRequest", "SAMLart", "Signature", "SigAlg":
			return refuse(CodeForm, "the form has a field that belongs to another binding", name, "SAMLResponse alone")
		case "SAMLResponse":
			f.response = field.value
			responses++
		case "RelayState":
			if relayStates++; len(field.value) <= maxRelayState {
				f.relay = string(field.value)
			}
		case tabField:
			if tabs++; len(field.value) <= maxTabText {
				f.tab = string(field.value)
			}
		case returnField:
			if returns++; len(field.value) <= maxReturnTo+1 { // one more shows that it was too long
				f.returnTo = string(field.value)
			} else {
				f.returnTo = string(field.value[:maxReturnTo+1])
			}
		case addressField:
			if addresses++; len(field.value) <= maxAddress {
				f.address = string(field.value)
			}
		case legField:
			f.leg = string(field.value[:min(len(field.value), 8)])
			legs++
		}
	}
	for _, name := range []string{"SAMLResponse", "RelayState", legField, tabField, "SAMLRequest", "SAMLart", "Signature",
		"SigAlg"} {
		if query.Has(name) {
			return refuse(CodeForm, "the address has a field that belongs into the form", name, "")
		}
	}
	switch {
	case responses+relayStates+legs+tabs == 0 && returns <= 1 && addresses == 1:
		f.chooses = true
		return nil
	case responses+relayStates+legs+tabs+addresses == 0 && returns == 1:
		f.begins = true
		return nil
	case responses != 1:
		return refusef(CodeForm, "the form has %d fields SAMLResponse, and not one", responses)
	case relayStates > 1:
		return refusef(CodeForm, "the form has %d fields RelayState", relayStates)
	case legs > 1:
		return refusef(CodeForm, "the form has %d fields %s", legs, legField)
	case tabs > 1:
		return refusef(CodeForm, "the form has %d fields %s", tabs, tabField)
	case !looksLikeBase64(f.response):
		return fromFault(wire.NotBase64())
	}
	return nil
}

// looksLikeBase64 only looks at the alphabet. That is cheap, and enough to know that the value can
// be written into a page as it is.
func looksLikeBase64(s []byte) bool {
	for _, c := range s {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c &&
			c <= '9', c == '+', c == '/', c == '=', c == '\r', c == '\n', c == ' ', c == '\t':
		default:
			return false
		}
	}
	return len(s) > 0
}

// A memoryBudget is how much memory all large bodies of a Handler may hold together. A quarter of
// it is reserved for bodies of medium size: a few very large ones that arrive slowly must not keep
// out honest ones, which are never that large.
type memoryBudget struct {
	free atomic.Int64
	kept int64
}

func newMemoryBudget(bytes int) *memoryBudget {
	b := &memoryBudget{kept: int64(bytes / 4)}
	b.free.Store(int64(bytes))
	return b
}

// take reports whether a body may hold n more bytes, and if so counts them. large says that the
// body would then be above medium size.
func (b *memoryBudget) take(n int, large bool) bool {
	least := int64(0)
	if large {
		least = b.kept
	}
	if b.free.Add(-int64(n)) < least {
		b.give(n)
		return false
	}
	return true
}

func (b *memoryBudget) give(n int) { b.free.Add(int64(n)) }

// A body has the bytes of a request, and how much they take of a budget.
type body struct {
	data   []byte
	held   int
	budget *memoryBudget
}

var (
	errNoMemory = errors.New("the budget for large bodies is used up")
	errTooLarge = errors.New("the body is longer than the limit")
)

// read reads all of r. The buffer grows with what has arrived, so that a slow sender holds hardly
// more than it has sent, whatever length it announced. length is that of Content-Length, or
// negative.
func (b *body) read(r io.Reader, length int64) error {
	size := smallBody + 1
	if 0 <= length && length < smallBody {
		size = int(length) + 1 // one byte more, so that the end is seen without growing
	}
	b.data = make([]byte, 0, size)
	for {
		if len(b.data) == cap(b.data) {
			if len(b.data) == maxBody {
				return atEnd(r)
			}
			if err := b.grow(); err != nil {
				return err
			}
		}
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// atEnd returns an error unless r is at its end.
func atEnd(r io.Reader) error {
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return errTooLarge
	case err == io.EOF:
		return nil
	default:
		return err
	}
}

func (b *body) grow() error {
	size := min(2*cap(b.data), maxBody)
	if cap(b.data) <= mediumBody {
		size = min(size, mediumBody+1) // with room to see the end of one of medium size
	}
	if !b.budget.take(size-b.held, size > mediumBody+1) {
		b.release()
		return errNoMemory
	}
	b.held = size
	larger := make([]byte, len(b.data), size)
	copy(larger, b.data)
	b.data = larger
	return nil
}

// hold counts n more bytes that are kept of a form, and reports whether they may be. Small forms
// cost nothing.
func (b *body) hold(n int) bool {
	if n <= smallBody {
		return true
	}
	if !b.budget.take(n, b.held+n > mediumBody) {
		return false
	}
	b.held += n
	return true
}

// release returns the memory to the budget. data must not be used afterwards.
func (b *body) release() {
	b.budget.give(b.held)
	b.data, b.held = nil, 0
}

// readDeadline sets a deadline for the body, unless the server has an earlier one, and returns a
// function that removes it. Without it, a slow sender could hold memory as long as it likes.
func readDeadline(w http.ResponseWriter, r *http.Request, d time.Duration) (restore func()) {
	if s, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && s.ReadTimeout > 0 && s.ReadTimeout <= d {
		return func() {}
	}
	c := http.NewResponseController(w)
	// a ResponseWriter of a middleware or a test that cannot: the server's own time limits count
	if c.SetReadDeadline(time.Now().Add(d)) != nil {
		return func() {}
	}
	return func() { c.SetReadDeadline(time.Time{}) }
}

// writeDeadline is readDeadline for a large answer. The server sets its own deadline anew for each
// request, if it has one.
func writeDeadline(w http.ResponseWriter, r *http.Request, d time.Duration) (restore func()) {
	own := time.Duration(0)
	if s, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		own = s.WriteTimeout
	}
	if own > 0 && own <= d {
		return func() {}
	}
	c := http.NewResponseController(w)
	if c.SetWriteDeadline(time.Now().Add(d)) != nil {
		return func() {}
	}
	return func() {
		end := time.Time{}
		if own > 0 {
			end = time.Now().Add(own)
		}
		c.SetWriteDeadline(end)
	}
}
