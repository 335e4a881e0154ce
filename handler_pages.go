package saml

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml/internal/seal"
)

const (
	// pagesPlain is the length of the cookie of addresses before it is sealed. It is always the
	// same: what is compressed together would otherwise tell its content by its length.
	pagesPlain = 352
	// pagesSize is what the cookie takes in a request: "__Host-saml-pages=", base64url, "; ".
	pagesSize = 20 + (pagesPlain+41+2)/3*4
	// maxPages and maxPagesText bound the work for one request.
	maxPages     = 40
	maxPagesText = 24 << 10
	pageKeySize  = 4
	// pagesAfter is how long the addresses stay after a login has finished, for a page that is shown
	// again and for tabs that are late.
	pagesAfter = 10 * time.Minute
)

// A pageEntry is where one login ends. Its key is a digest of the request ID.
type pageEntry struct{ key, address string }

func pageKey(requestID string) string {
	sum := sha256.Sum256([]byte(requestID))
	return string(sum[:pageKeySize])
}

func (sp *ServiceProvider) pagesContext() seal.Context {
	return seal.Context{Purpose: "saml return addresses", Name: pagesCookie, Tenant: sp.config.Tenant,
		EntityID: sp.entityID}
}

// rememberPage puts the address into the cookie, which is for browsers without scripts and for
// logins that end in another tab. The oldest addresses make room. An address that does not fit even
// alone is left out: the tab has it. It reports whether the cookie has the address.
func (sp *ServiceProvider) rememberPage(w http.ResponseWriter, r *http.Request, requestID, address string) bool {
	entries := []pageEntry{{pageKey(requestID), address}}
	if _, ok := packPages(entries); !ok {
		return false
	}
	entries = append(sp.pages(r), entries...)
	entries = entries[max(0, len(entries)-maxPages):]
	for {
		if plaintext, ok := packPages(entries); ok {
			sp.setCookie(w, pagesCookie, sp.sealer.Seal(sp.pagesContext(), plaintext), loginMaxAge)
			return true
		}
		entries = entries[1:] // the last one fits, as seen above
	}
}

// pages returns the addresses of the cookie, the oldest first.
func (sp *ServiceProvider) pages(r *http.Request) []pageEntry {
	sealed := cookie(r, sp.cookieName(pagesCookie))
	if sealed == "" {
		return nil
	}
	plaintext, ok := sp.sealer.Open(sp.pagesContext(), sealed)
	if !ok {
		return nil
	}
	return unpackPages(plaintext)
}

// rememberedPage returns the address that a login was begun with, "" if the cookie does not have it.
func (sp *ServiceProvider) rememberedPage(r *http.Request, requestID string) string {
	entries := sp.pages(r)
	if len(entries) == 0 {
		return ""
	}
	key := pageKey(requestID)
	for _, e := range entries {
		if e.key == key && localPath(e.address) {
			return e.address
		}
	}
	return ""
}

// packPages compresses the entries and fills up to pagesPlain bytes: the length of what is
// compressed in two bytes, that itself, zeros. It reports whether they fit. Addresses of one service
// are much alike, so that many of them do.
func packPages(entries []pageEntry) ([]byte, bool) {
	var all bytes.Buffer
	for _, e := range entries {
		all.WriteString(e.key)
		all.WriteString(e.address)
		all.WriteByte('\n') // no address has one
	}
	if all.Len() > maxPagesText {
		return nil, false
	}
	b := bytes.NewBuffer(make([]byte, 2, pagesPlain))
	deflate(b, all.Bytes())
	if b.Len() > pagesPlain {
		return nil, false
	}
	binary.BigEndian.PutUint16(b.Bytes(), uint16(b.Len()-2))
	return append(b.Bytes(), make([]byte, pagesPlain-b.Len())...), true
}

// unpackPages reads what packPages made; it was sealed in between.
func unpackPages(plaintext []byte) (entries []pageEntry) {
	if len(plaintext) != pagesPlain {
		return nil
	}
	n := int(binary.BigEndian.Uint16(plaintext))
	if n > pagesPlain-2 {
		return nil
	}
	all, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(plaintext[2:2+n])), maxPagesText))
	if err != nil {
		return nil
	}
	for len(all) > pageKeySize {
		end := slices.Index(all[pageKeySize:], '\n')
		if end < 0 {
			return entries
		}
		entries = append(entries, pageEntry{string(all[:pageKeySize]), string(all[pageKeySize : pageKeySize+end])})
		all = all[pageKeySize+end+1:]
	}
	return entries
}

// lengthOfLocation is how long a Location may be. Proxies allow some KiB for all headers of an
// answer (nginx: 4 KiB), so a longer address goes into a page.
const lengthOfLocation = 2 << 10

// pageOf returns the address at which a login ends: that of the tab, or of the cookie.
func (sp *ServiceProvider) pageOf(r *http.Request, requestID, tab string) string {
	if address := sp.openAddress(requestID, tab); address != "" {
		return address
	}
	return sp.rememberedPage(r, requestID)
}

// keptPage returns the page that a request asks for, as a local path, "" if it is none of the service
// at base. lost says that it is one whose address cannot be kept.
func keptPage(returnTo, base string) (kept string, lost bool) {
	return localPart(returnTo, base), strings.HasPrefix(returnTo, "/") && len(withoutLongFragment(returnTo)) > maxReturnTo
}
