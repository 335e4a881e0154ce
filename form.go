package saml

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/iomete/saml/internal/posted"
	"github.com/iomete/saml/internal/redirect"
	"github.com/iomete/saml/internal/wire"
)

const (
	maxBody = posted.MaxBody // bytes of the posted form
	// smallBody is the size, in bytes, up to which a body costs nothing of
	// HandlerConfig.BodyMemory. A response of Entra with 150 groups has about 30 KiB.
	smallBody = 64 << 10
	// firstRead is the room for a body whose length nobody announced, in bytes: most responses fit.
	firstRead = 8 << 10
	// mediumBody is more than any honest response needs: 1,000 groups have some 200 KiB.
	mediumBody = 256 << 10
	// bodyTimeout is how long a browser may take to send the form, and to take the page that
	// repeats it.
	bodyTimeout = 30 * time.Second
)

// A postedForm owns the memory of the body and, if it is large, a turn to be verified. release
// returns both; nothing of the response may be used afterwards. end gives back the tree of the response
// too, once its verdict is known: what the application does then may take any time.
type postedForm struct {
	posted.Form
	body body
	// logout is not nil for a form with a LogoutRequest, which is in body.data as it came.
	logout *logoutPlace
	turn   func() // ends the turn; nil: there is none
	// response is not nil between reading and end. Its elements must not be used after end.
	response *wire.Response
}

// end is release with the response. It is not deferred: after a panic the tree is left to the garbage
// collector.
func (f *postedForm) end() {
	f.response.Release()
	f.response = nil
	f.release()
}

func (f *postedForm) release() {
	f.body.release()
	f.Response = nil
	if f.turn != nil {
		f.turn()
		f.turn = nil
	}
}

// readForm reads and checks the form before anything of it is used or repeated. If a middleware has
// parsed the form already, the body is gone, and r.PostForm alone is taken, which has nothing of the
// address: the middleware's own limits of size and time came first, and ours are about what it left.
// The caller must release the form, also after an error.
func (h *Handler) readForm(w http.ResponseWriter, r *http.Request) (*postedForm, *Error) {
	form := &postedForm{body: body{budget: h.bodies}}
	if err := posted.CheckType(r.Header.Get("Content-Type")); err != nil {
		return form, fromFault(err)
	}
	if r.PostForm != nil {
		if form.logout = h.placeOfRequest(r, r.PostForm.Has("SAMLRequest")); form.logout != nil {
			return form, form.body.rebuild(r.PostForm)
		}
		fields, refusal := parsedForm(r.PostForm, &form.body)
		if refusal != nil {
			return form, refusal
		}
		return form, form.take(fields, queryOf(r))
	}
	if refusal := h.wholeBody(w, r, &form.body); refusal != nil {
		return form, refusal
	}
	request, _ := redirect.Carries(form.body.data)
	if form.logout = h.placeOfRequest(r, request); form.logout != nil {
		return form, nil
	}
	fields, err := posted.Parse(form.body.data)
	if err != nil {
		return form, fromFault(err)
	}
	return form, form.take(fields, queryOf(r))
}

// queryOf returns the query of r, nil if there is none: most requests have none.
func queryOf(r *http.Request) url.Values {
	if r.URL.RawQuery == "" {
		return nil
	}
	return r.URL.Query()
}

// placeOfRequest is logoutPlace for a form that has a LogoutRequest, nil for every other one.
func (h *Handler) placeOfRequest(r *http.Request, request bool) *logoutPlace {
	if !request {
		return nil
	}
	return h.logoutPlace(r)
}

// wholeBody is readBody, or says that the body is gone.
func (h *Handler) wholeBody(w http.ResponseWriter, r *http.Request, b *body) *Error {
	if refusal := h.readBody(w, r, b); refusal != nil {
		return refusal
	}
	if r.ContentLength > 0 && len(b.data) == 0 {
		return bodyGone("something read the body before the Handler and did not put it back")
	}
	return nil
}

// rebuild makes a form that net/http parsed into a body again, with the parameters that a logout
// message may have. The signature of a form is inside the message, so the spelling does not count.
func (b *body) rebuild(form url.Values) *Error {
	kept := url.Values{}
	for _, name := range []string{"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature"} {
		if values, present := form[name]; present {
			kept[name] = values
		}
	}
	encoded := kept.Encode()
	if len(encoded) > maxBody {
		return fromFault(posted.TooLarge())
	}
	if !b.hold(len(encoded)) {
		return noMemory()
	}
	b.data = []byte(encoded)
	return nil
}

func noMemory() *Error {
	return refuse(CodeBusy, "other large forms take up all the memory that is set aside for them", "", "")
}

// bodyGone is the refusal of a form that was lost within this service.
func bodyGone(message string) *Error {
	return refuse(CodeForm, message, "", "the whole form").advised("Look for a middleware in front of the Handler that reads the body of requests or limits its size (http.MaxBytesReader; http.Request.ParseForm stops at 10 MB): let it pass the Redirect URL by.")
}

// parsedForm returns the fields of a form that net/http parsed, with the limits of readBody and
// posted.Parse. The names and values count, since nobody knows how long the body was. What is kept is
// a copy: the message is decoded in place, and r.PostForm is not ours. It counts against the budget
// as a body does.
func parsedForm(form url.Values, b *body) ([]posted.Field, *Error) {
	var fields []posted.Field
	bytes := 0
	for name, values := range form {
		for _, value := range values {
			if len(fields) == posted.MaxParameters {
				return nil, fromFault(posted.TooMany())
			}
			bytes += len(name) + len(value)
			if bytes > maxBody {
				return nil, fromFault(posted.TooLarge())
			}
			fields = append(fields, posted.Field{Name: []byte(name)})
			switch name {
			case "SAMLResponse":
				if !b.hold(len(value)) {
					return nil, noMemory()
				}
				fields[len(fields)-1].Value = []byte(value)
			case "RelayState", posted.Tab, posted.ReturnTo, posted.Leg, posted.Address: // one more byte shows that it was too long
				fields[len(fields)-1].Value = []byte(value[:min(len(value), posted.MaxTabText+1)])
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
	if err == nil {
		return nil
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errNoMemory):
		return noMemory()
	case errors.As(err, &tooLarge) && tooLarge.Limit < maxBody:
		return bodyGone(fmt.Sprintf("something in front of the Handler limits the body to %d bytes", tooLarge.Limit))
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		return fromFault(posted.TooLarge())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refusef(CodeForm, "the form did not arrive within %s", h.bodyTimeout)
	}
	return refuse(CodeForm, "the form did not arrive whole", "", "").withCause(err)
}

// take keeps the fields that count.
func (f *postedForm) take(fields []posted.Field, query url.Values) *Error {
	form, err := posted.Read(fields, query)
	if err != nil {
		return fromFault(err)
	}
	f.Form = form
	return nil
}

// shareMemory divides HandlerConfig.BodyMemory. Forms that wait for a sign-in have a part of their
// own, so that nobody can keep out sign-ins with them; and of that part, people who have no session
// here and have not had one lately have the smaller one.
func (h *Handler) shareMemory(bytes int) {
	if h.config.FormAccount != nil {
		forms := bytes / 4
		h.forms, h.strangersForms = newMemoryBudget(forms-forms/3, 0), newMemoryBudget(forms/3, 0)
		bytes -= forms
	}
	h.bodies = newMemoryBudget(bytes, bytes/4)
}

// A memoryBudget is how much memory large bodies of a Handler may hold together. Some of it can be
// kept for bodies of medium size: a few very large ones that arrive slowly must not keep out honest
// ones, which are never that large.
type memoryBudget struct {
	free atomic.Int64
	kept int64
}

func newMemoryBudget(bytes, kept int) *memoryBudget {
	b := &memoryBudget{kept: int64(kept)}
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
	size := firstRead
	switch {
	case length >= smallBody:
		size = smallBody + 1
	case length > 0:
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
	switch n := cap(b.data); { // with room to see the end of one of small or medium size
	case n <= smallBody:
		size = min(size, smallBody+1)
	case n <= mediumBody:
		size = min(size, mediumBody+1)
	}
	if size > smallBody+1 {
		if !b.budget.take(size-b.held, size > mediumBody+1) {
			b.release()
			return errNoMemory
		}
		b.held = size
	}
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
