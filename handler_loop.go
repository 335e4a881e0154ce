package saml

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Two short-lived cookies notice redirect loops; see docs/architecture.md. They are plain: whoever
// changes one in their own browser gets a page with a button, or a redirect loop. Max-Age measures
// the time, so the clocks of replicas do not matter.
const (
	// mostReturns is how often a browser may come back without a session right after a login has
	// finished. People who sign out and in again do so once or twice.
	mostReturns = 2
	// mostBare is how often the bare Redirect URL may be opened without a session.
	mostBare = 10
	// mostInTwoMinds is how often an address may be asked for whose page has no session while the
	// Redirect URL has one.
	mostInTwoMinds = 5
	// mostVisits is how often one address may be asked for without a session. People have a few tabs
	// with the same page.
	mostVisits = 20

	returnsWithin   = 10 * time.Second // of a finished login
	visitsWithin    = 20 * time.Second // of the last visit
	redirectsWithin = 2 * time.Second  // of the last visit, where nobody but a redirect comes so fast
	loopMaxAge      = time.Minute      // of a login that was begun

	mostCounted  = 12                                         // addresses that are counted at once
	countedSize  = 4                                          // bytes: three of a digest, one count
	countersSize = 30 + 27 + mostCounted*countedSize*4/3 + 24 // of all counters in a request, with that of restarts
)

// A loopCause is the likely reason of a redirect loop: what is logged, and what to change.
type loopCause struct{ message, hint string }

var (
	causeNoSession = loopCause{"this browser comes back without a session after each finished login",
		"The cookie of the session is not kept or not accepted. Look in the browser at the answer to the last POST on the Redirect URL: does it set the cookie, and does the browser keep it (Secure needs https, Domain and Path must fit the page, the name must not be set twice)? Then compare the processes that serve the Redirect URL and the pages: the same session keys, cookie name, entity ID, tenant and Validate."}
	causeTwoMinds = loopCause{"the page has no session, and the Redirect URL has one",
		"The process that serves the page does not accept the session that the Redirect URL accepts. Give all processes the same session.Config.Keys and Cookie, and the same saml.Config.EntityID, Tenant and identity provider."}
	causeNoAnswer = loopCause{"the Redirect URL is opened again and again, and no response arrives with a POST",
		"Something on the way turns the identity provider's POST into a GET: look for a proxy that redirects (http to https, another host, a slash at the end of the path). Compare the Reply URL at the identity provider with the Redirect URL, character by character, and register the Handler for GET and POST on its path."}
	causeUnknown = loopCause{"this browser begins one login after another for the same page",
		"No login of this browser finishes. Look for a page that reloads itself, and for a proxy that answers the POST on the Redirect URL itself."}
)

// loop decides whether the login that r asks for is one round of a redirect loop. signedIn says that
// r has a session here. count sets the counters as they are with this round; after a refusal it
// deletes them, so that the button of the page begins anew.
func (h *Handler) loop(r *http.Request, sp *ServiceProvider, returnTo string, signedIn bool) (count func(http.ResponseWriter),
	refusal *Error) {
	bare := returnTo == "" || samePath(returnTo, sp.RedirectPath())
	asked, most, within := returnTo, mostVisits, visitsWithin
	cause := &causeUnknown
	switch {
	// People open a tile any number of times, and it goes to the start page. If that page comes back
	// here by redirects alone, no page of ours is in between: it must end before the browser's own
	// limit of about 20 redirects, whose page says nothing.
	case signedIn && bare && !fromOurSite(r):
		asked, most, within, cause = "signed in", mostInTwoMinds, redirectsWithin, &causeTwoMinds
	case signedIn:
		asked, most, cause = "signed in "+returnTo, mostInTwoMinds, &causeTwoMinds
	case bare:
		most, cause = mostBare, &causeNoAnswer
	}
	returns := 0
	if !openedByHand(r) { // people sign out and in again, as often as they like
		returns = returnsOf(r, sp)
	}
	visits, counted := 0, ""
	if signedIn || !openedByHand(r) {
		visits, counted = visitsOf(r, sp, asked+sp.loopMark)
	}
	switch {
	case !signedIn && returns > mostReturns:
		cause = &causeNoSession
	case visits <= most:
		return func(w http.ResponseWriter) {
			if counted != "" {
				sp.setCookie(w, visitsCookie, counted, within)
			}
			if !signedIn && returns > 0 {
				sp.setCookie(w, loopCookie, strconv.Itoa(returns)+sp.loopMark, loopMaxAge)
			}
		}, nil
	}
	refusal = refuse(CodeLoginLoop, cause.message, "", "a login that ends on a page")
	refusal.Hint, refusal.ReturnTo = cause.hint, returnTo
	return func(w http.ResponseWriter) {
		sp.deleteCookie(w, r, visitsCookie)
		sp.deleteCookie(w, r, loopCookie)
	}, refusal
}

// openedByHand reports whether the browser says that no other page led here: the user typed the
// address, or opened a bookmark or a restored tab. What an identity provider's page or a page of the
// service leads to is not (W3C Fetch Metadata, Sec-Fetch-Site, which a redirect keeps).
func openedByHand(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && (site == "" || site == "none")
}

// fromOurSite reports whether the browser says that a page of this site led here.
func fromOurSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "same-origin" || site == "same-site"
}

// fromElsewhere reports whether the browser says that a page of another site, or of another host of
// this site, led here.
func fromElsewhere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

// samePath reports whether an address has this path, but for slashes at its end.
func samePath(address, want string) bool {
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	return path.Clean(address) == path.Clean(want)
}

// returnsOf returns how often the browser came back without a session right after a finished login,
// this time included. The cookie is that count, with "f" if a login has finished since, and loopMark.
func returnsOf(r *http.Request, sp *ServiceProvider) int {
	n, finished := loopState(r, sp)
	if finished {
		n++
	}
	return n
}

// noteFinish notes that a login has finished. If the browser keeps this cookie but not that of the
// session, the next request shows it: both are set by the same answer.
func (sp *ServiceProvider) noteFinish(w http.ResponseWriter, r *http.Request) {
	n, _ := loopState(r, sp)
	sp.setCookie(w, loopCookie, strconv.Itoa(n)+"f"+sp.loopMark, returnsWithin)
}

// loopMarkOf tells the counts of services and tenants apart that share a host: ServiceProvider.loopMark.
func loopMarkOf(entityID, tenant string) string {
	sum := sha256.Sum256([]byte(entityID + "\n" + tenant)) // neither has a line break
	return "." + visitsText.EncodeToString(sum[:3])
}

func loopState(r *http.Request, sp *ServiceProvider) (returns int, finished bool) {
	text, ours := strings.CutSuffix(cookie(r, sp.cookieName(loopCookie)), sp.loopMark)
	if !ours {
		return 0, false
	}
	text, finished = strings.CutSuffix(text, "f")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, false
	}
	return min(max(n, 0), 99), finished
}

var visitsText = base64.RawURLEncoding.Strict()

// visitsOf returns how often an address was asked for lately, this time included, and the value of
// the cookie that says so. Only digests of addresses are kept, the latest last.
func visitsOf(r *http.Request, sp *ServiceProvider, address string) (n int, value string) {
	sum := sha256.Sum256([]byte(address))
	entry := [countedSize]byte{sum[0], sum[1], sum[2], 1}
	counted, err := visitsText.DecodeString(cookie(r, sp.cookieName(visitsCookie)))
	if err != nil || len(counted)%countedSize != 0 || len(counted) > mostCounted*countedSize {
		counted = nil
	}
	var others []byte
	for i := 0; i < len(counted); i += countedSize {
		e := counted[i : i+countedSize]
		if string(e[:3]) == string(entry[:3]) {
			entry[3] = min(e[3], 254) + 1
			continue
		}
		others = append(others, e...)
	}
	others = others[max(0, len(others)-(mostCounted-1)*countedSize):]
	return int(entry[3]), visitsText.EncodeToString(append(others, entry[:]...))
}
