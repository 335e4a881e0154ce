package bench

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/iomete/saml/samltest"
	"github.com/iomete/saml/session"
)

// pageRow is a request to a protected page by a user in these groups, from the request to the person
// that the page sees. Request and writer are used again and again, so no figure holds them.
func pageRow(groups []string, records bool) ([]Job, error) {
	f, err := newFixture(1, samltest.Answer{Attributes: claimOf(groups)})
	if err != nil {
		return nil, err
	}
	var kept *memoryRecords
	if records {
		kept = &memoryRecords{MemoryRecords: session.MemoryRecords{Now: clock}}
	}
	ours, cookies, err := oursPage(f, kept)
	if err != nil {
		return nil, err
	}
	floor, err := newPageFloor(cookies, kept)
	if err != nil {
		return nil, err
	}
	jobs := []Job{{Floor, floor.do, floor.do}, ours}
	for _, peer := range []struct {
		name string
		new  func(*fixture) (Job, error)
	}{
		{CrewjamRS256, crewjamPage(CrewjamRS256, func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })},
		{CrewjamES256, crewjamPage(CrewjamES256, newES256)},
		{SecureCookie, secureCookiePage},
		{SCS, scsPage},
	} {
		job, err := peer.new(f)
		if err != nil { // it cannot hold this session
			refuse := func() error { return err }
			job = Job{peer.name, refuse, refuse}
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// pageJob asks for a page with these cookies. page leaves the user in who.
func pageJob(name string, want person, cookies string, page http.Handler, who *person) Job {
	r, w := newRequest(http.MethodGet, "/page", cookies), newResponse()
	return personJob(name, want, func() (person, error) {
		*who = person{}
		w.again()
		page.ServeHTTP(w, r)
		if w.status >= http.StatusMultipleChoices {
			return person{}, fmt.Errorf("the page is answered with status %d", w.status)
		}
		return *who, nil
	})
}

// oursPage signs in, and gives the job and the cookies of the session.
func oursPage(f *fixture, records *memoryRecords) (Job, string, error) {
	site, err := newOursSite(f.idp, records)
	if err != nil {
		return Job{}, "", err
	}
	s := &oursSignIn{site: site, want: f.want}
	if s.pending, err = site.begin(site.acs, f.idp, samltest.Answer{Attributes: claimOf(f.want.groups)}); err != nil {
		return Job{}, "", err
	}
	s.fields.Set("saml_leg", "2")
	s.second = s.fields.Encode()
	w, err := s.finish()
	if err != nil {
		return Job{}, "", err
	}
	return pageJob(Ours, f.want, w.cookies(sessionCookie), site.page, &site.who), w.cookies(sessionCookie), nil
}

func crewjamPage(name string, newKey func() (crypto.Signer, error)) func(*fixture) (Job, error) {
	return func(f *fixture) (Job, error) {
		key, err := newKey()
		if err != nil {
			return Job{}, err
		}
		s, err := signInAtCrewjam(f, key, samltest.Answer{Attributes: claimOf(f.want.groups)})
		if err != nil {
			return Job{}, err
		}
		w, err := s.finish()
		if err != nil {
			return Job{}, err
		}
		return pageJob(name, f.want, w.cookies(crewjamCookie), s.page, &s.who), nil
	}
}

// A pageFloor is what no sealed session can avoid: reading the cookie, base64 and one AES-GCM, over
// a cookie as long as ours. What is kept on the server takes a look-up in memory more, and one
// AES-GCM over a record as long as ours.
type pageFloor struct {
	request *http.Request
	name    string // of the cookie
	cookie  sealed

	mu      sync.Mutex
	records map[string]sealed // nil: no look-up
}

// sealed is a value as long as one of ours.
type sealed struct {
	aead  cipher.AEAD
	bytes []byte // nonce and ciphertext
}

// newSealed makes a value of length bytes.
func newSealed(length int) (s sealed, err error) {
	key, nonce := make([]byte, 32), make([]byte, 12)
	rand.Read(key)
	rand.Read(nonce)
	block, err := aes.NewCipher(key)
	if err != nil {
		return s, err
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		return s, err
	}
	room := length - len(nonce) - s.aead.Overhead()
	if room < 1 {
		return s, fmt.Errorf("%d bytes hold no session", length)
	}
	s.bytes = s.aead.Seal(nonce, nonce, make([]byte, room), nil)
	return s, nil
}

func (s sealed) open(value []byte) error {
	_, err := s.aead.Open(nil, value[:12], value[12:], nil)
	return err
}

const recordKey = "record"

func newPageFloor(cookies string, records *memoryRecords) (*pageFloor, error) {
	name, value, _ := strings.Cut(cookies, "=")
	if strings.Contains(value, ";") {
		return nil, fmt.Errorf("the session is not in one cookie: %s", cookies)
	}
	f := &pageFloor{name: name}
	var err error
	if f.cookie, err = newSealed(base64.RawURLEncoding.DecodedLen(len(value))); err != nil {
		return nil, err
	}
	f.request = newRequest(http.MethodGet, "/page", name+"="+base64.RawURLEncoding.EncodeToString(f.cookie.bytes))
	if records != nil {
		record, err := newSealed(records.length)
		if err != nil {
			return nil, err
		}
		f.records = map[string]sealed{recordKey: record}
	}
	return f, nil
}

func (f *pageFloor) do() error {
	c, err := f.request.Cookie(f.name)
	if err != nil {
		return err
	}
	value, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return err
	}
	if err := f.cookie.open(value); err != nil || f.records == nil {
		return err
	}
	record, found := f.get(recordKey)
	if !found {
		return errWrong
	}
	return record.open(record.bytes)
}

func (f *pageFloor) get(key string) (sealed, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	record, found := f.records[key]
	return record, found
}
