package saml

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/iomete/saml/internal/page"
	"github.com/iomete/saml/internal/posted"
)

// A visit is who asks: a person who opens a page, or something else, which must begin no login.
type visit int

const (
	unknownVisit visit = iota // a browser without Fetch Metadata, or no browser
	pageVisit
	framedVisit     // a person, in a frame of another page
	backgroundVisit // a script, an image, a worker: nobody would see the identity provider's page
	earlyVisit      // a page that is loaded before anyone wants it (prefetch, prerender)
)

// visitOf reads the headers of W3C Fetch Metadata and of speculative loading. They decide whether a
// login begins, and nothing else.
func visitOf(r *http.Request) visit {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	switch {
	case isEarly(r):
		return earlyVisit
	// script libraries; a WebView of Android sends the name of its app when a person opens a page
	case strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest"):
		return backgroundVisit
	case mode != "" && mode != "navigate":
		return backgroundVisit
	}
	switch dest {
	case "document":
		return pageVisit
	case "iframe", "frame", "fencedframe", "embed", "object":
		return framedVisit
	case "", "empty": // a service worker that passes a page on has a mode, and no destination
		switch {
		case mode == "navigate":
			return pageVisit
		case dest == "":
			return unknownVisit
		}
	}
	return backgroundVisit
}

// isEarly knows the header of the HTML Standard (Sec-Purpose: prefetch, prefetch;prerender) and those
// of older browsers.
func isEarly(r *http.Request) bool {
	if r.Header.Get("Sec-Purpose") != "" {
		return true
	}
	for _, name := range []string{"Purpose", "X-Purpose", "X-Moz"} {
		switch strings.ToLower(r.Header.Get(name)) {
		case "prefetch", "prerender", "preview":
			return true
		}
	}
	return false
}

// keepsInTab reports whether a page of ours can run a script in the tab: a browser with Fetch
// Metadata opens it as a page. Others get redirects, and a cookie keeps the address.
func keepsInTab(r *http.Request) bool {
	return visitOf(r) == pageVisit && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// nobodyIsThere answers a request that no person would see a page of an identity provider for, and
// reports whether it was one.
func (h *Handler) nobodyIsThere(w http.ResponseWriter, r *http.Request) bool {
	switch visitOf(r) {
	case backgroundVisit, earlyVisit:
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, h.language(r).Say(textOwnPage), http.StatusUnauthorized)
		return true
	}
	return false
}

// requireSignIn answers a request that Require found to have no session. A page request goes to the
// Redirect URL and comes back to the same page after the sign-in; a form that was posted does not
// come back. In a frame there is a page with a link that opens a window, because identity providers
// forbid to be framed. Background calls, and pages that a browser loads ahead of time, get status
// 401. A guard on the path of the Redirect URL itself is a mistake in the routes, and a page with
// CodeConfig says so.
//
// It sets no cookie: the Redirect URL is absolute, and the cookies of the login are set there, on
// the right host.
func (h *Handler) requireSignIn(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch visitOf(r) {
	case unknownVisit:
		if r.Method == http.MethodPost && h.guardsRedirectURL(w, r) {
			return
		}
		if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.Error(w, h.language(r).Say(textNotSignedIn), http.StatusUnauthorized)
			return
		}
	case backgroundVisit, earlyVisit:
		http.Error(w, h.language(r).Say(textNotSignedIn), http.StatusUnauthorized)
		return
	}
	at, err := h.loginAddress(r)
	if err != nil {
		h.Fail(w, r, err)
		return
	}
	if h.guardsRedirectURL(w, r) {
		return
	}
	asked := requestedPage(r)
	if r.Method != http.MethodGet {
		asked = ""
	}
	h.toLogin(w, r, at, asked, false)
}

// loginAddress returns where a login for r begins: at the Redirect URL of the provider that r names,
// or on the page that asks who is there.
func (h *Handler) loginAddress(r *http.Request) (string, error) {
	sp, err := h.Provider(r, "")
	switch {
	case err == nil:
		h.noticeHost(r, sp)
		return sp.redirectURL, nil
	case h.asksWho(err):
		return h.config.ChoosePath, nil
	}
	return "", err
}

// guardsRedirectURL answers a request on the path of the Redirect URL or Logout URL that a guard got
// and not the Handler, and reports whether it was one. Otherwise the guard would send the browser around.
func (h *Handler) guardsRedirectURL(w http.ResponseWriter, r *http.Request) bool {
	path, field := h.config.ChoosePath, "HandlerConfig.ChoosePath"
	name, method := "Redirect URL", "RedirectPath"
	sp, err := h.Provider(r, "")
	switch {
	case err == nil && sp.takesLogoutAlone(r):
		path, field = sp.LogoutPath(), "Config.LogoutPath"
		name, method = "Logout URL", "LogoutPath"
	case err == nil:
		path, field = sp.RedirectPath(), "Config.RedirectPath"
	}
	if path == "" || !samePath(requestedPage(r), path) {
		return false
	}
	refusal := refuse(CodeConfig, "a guard answers on the path of the "+name+", where the Handler belongs",
		r.Method+" "+path, "the Handler, for GET and POST").
		advised("Register the Handler for GET and POST on exactly the path of the " + name +
			" (ServiceProvider." + method + "), outside of Require. " +
			"If the Handler is on another path, set " + field + " to that path.")
	h.fail(w, r, sp, refusal)
	return true
}

// toLogin sends a person to an address of the Handler at which a login begins, to come back to the
// page that was asked for.
func (h *Handler) toLogin(w http.ResponseWriter, r *http.Request, at, asked string, fresh bool) {
	begin, fragment := beginLink(at, asked, fresh), fragmentOf(at, asked, fresh)
	var marks []page.Field
	if fromElsewhere(r) { // the form comes from our own page, but nobody has pressed a button on it
		marks = []page.Field{{Name: posted.Elsewhere, Value: "1"}}
	}
	switch {
	case visitOf(r) == framedVisit:
		page.Framed{Language: h.language(r), Link: begin, Room: fragment.Room}.Write(w)
	case begin.Field != "":
		page.Post{Language: h.language(r), Title: textSigningIn, Action: begin.To, Field: begin.Field,
			Fragment: fragment, Marks: marks}.Write(w, []byte(begin.Value))
	default:
		h.redirect(w, r, begin.To)
	}
}

// beginLink returns what begins, at an address of the Handler, a login that ends at asked: an address or, if that is too long for
// proxies, a form.
func beginLink(at, asked string, fresh bool) page.Link {
	to := beginURL(at, fresh)
	if asked == "" {
		return page.Link{To: to}
	}
	if long := addQuery(to, posted.ReturnTo+"="+url.QueryEscape(asked)); len(long) <= lengthOfLocation {
		return page.Link{To: long}
	}
	return page.Link{To: to, Field: posted.ReturnTo, Value: asked}
}

// beginURL returns an address of the Handler as one that begins a login.
func beginURL(at string, fresh bool) string {
	if fresh {
		return at + "?fresh=1"
	}
	return at
}

// fragmentOf returns the form that begins a login at asked with the fragment of the page that posts
// it; none if there is no address, or one that has a fragment.
func fragmentOf(at, asked string, fresh bool) page.Fragment {
	if asked == "" || strings.Contains(asked, "#") {
		return page.Fragment{}
	}
	return page.Fragment{Action: beginURL(at, fresh), Field: posted.ReturnTo, Value: asked, Room: maxReturnTo - len(asked)}
}

// requestedPage returns the path and query that the browser asked for. r.URL may differ:
// http.StripPrefix and similar handlers change it. Two slashes at the beginning, which would name a
// host, are written as the URL Standard writes such a path, with "/." before them.
func requestedPage(r *http.Request) string {
	asked := r.RequestURI
	if !strings.HasPrefix(asked, "/") {
		asked = r.URL.RequestURI() // a request in absolute form (RFC 9112 §3.2.2), or one made by a test
	}
	if strings.HasPrefix(asked, "//") {
		asked = "/." + asked
	}
	return strings.ReplaceAll(asked, `\`, "%5C") // browsers send it as it is in a query
}
