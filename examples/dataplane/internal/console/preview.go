package console

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/storage"
)

// A preview is what settings mean, in the words of somebody who compares them with Entra's portal.
type preview struct {
	EntityID, LoginURL    string
	ByPOST                bool   // logins are sent by HTTP-POST, otherwise by HTTP-Redirect
	Logout                bool   // a sign-out goes on at the identity provider
	LogoutURL, LogoutBy   string // where, and by which binding; "" if its metadata has no address
	FromMetadata, Refresh bool
	Certificates          []certificate
	Warnings              []problem
	Dropped               []certificate // in use now, and not in these settings
	Ended                 string        // endedMark
}

// A certificate is one row of the table.
type certificate struct {
	Subject    string
	SHA1       string // upper-case hex, as Entra shows it
	SHA256     string
	Begins     string // date
	Ends       string
	DaysLeft   int // negative after its end
	Left       string
	State      string // "good", "soon", "ended", "future" or "unusable"
	Unusable   string // why
	InUse, New bool
	LastSigned time.Time // zero if nothing that was accepted is known
}

// expiryWarning is how long before its end a certificate is warned about, as
// saml.IdentityProvider.Warnings has it.
const expiryWarning = 60

// newPreview shows an identity provider, as settings have it. live is the one in use, nil for none;
// uses are those of storage.DB.KeyUses.
func (c *Console) newPreview(idp, live *saml.IdentityProvider, s storage.Settings, uses map[string]time.Time) *preview {
	p := &preview{EntityID: idp.EntityID(), LoginURL: idp.LoginURL(), Logout: s.Logout,
		ByPOST: idp.LoginIsPOSTOnly(), FromMetadata: isFromMetadata(s), Refresh: s.Refresh, Ended: c.endedMark(idp)}
	if services := idp.LogoutServices(); len(services) > 0 { // the best first
		p.LogoutURL = services[0].Location
		p.LogoutBy = services[0].Binding[strings.LastIndexByte(services[0].Binding, ':')+1:]
	}
	now := c.Now()
	for _, k := range idp.Keys() {
		row := newCertificate(k, now, uses)
		if live != nil {
			row.InUse = has(live, k)
			row.New = !row.InUse
		}
		p.Certificates = append(p.Certificates, row)
	}
	if live != nil {
		for _, k := range live.Keys() {
			if !has(idp, k) {
				p.Dropped = append(p.Dropped, newCertificate(k, now, uses))
			}
		}
		if live.EntityID() != idp.EntityID() {
			p.Warnings = append(p.Warnings,
				problem{"This is another identity provider than the one in use: once it is enabled, everybody who is signed in has to sign in again, and people get new accounts.", ""})
		}
	}
	for _, w := range idp.Warnings(now) {
		if w.Code == "http_endpoint" && c.Trial != "" && strings.HasPrefix(idp.LoginURL(), c.Trial) {
			continue // true, but here nothing leaves the machine
		}
		p.Warnings = append(p.Warnings, problem{sentence(w.Message), w.Hint})
	}
	return p
}

func has(idp *saml.IdentityProvider, k saml.TrustedKey) bool {
	return slices.ContainsFunc(idp.Keys(), func(o saml.TrustedKey) bool { return bytes.Equal(o.DER(), k.DER()) })
}

func newCertificate(k saml.TrustedKey, now time.Time, uses map[string]time.Time) certificate {
	row := certificate{Subject: k.Subject(), SHA1: k.ThumbprintSHA1(), SHA256: k.ThumbprintSHA256(),
		LastSigned: uses[k.ID().String()],
		Begins:     k.NotBefore().Format(time.DateOnly), Ends: k.NotAfter().Format(time.DateOnly), State: "good"}
	row.DaysLeft = daysLeft(k, now)
	row.Left = inDays(row.DaysLeft)
	switch err := k.Usable(); {
	case err != nil:
		row.State, row.Unusable = "unusable", sentence(saml.Errors(err)[0].Message)
	case !now.Before(k.NotAfter()):
		row.State = "ended"
	case now.Before(k.NotBefore()):
		row.State = "future"
	case row.DaysLeft < expiryWarning:
		row.State = "soon"
	}
	return row
}

// daysLeft counts whole days; after the end they are negative.
func daysLeft(k saml.TrustedKey, now time.Time) int {
	left := k.NotAfter().Sub(now)
	if left < 0 {
		return -1 - int(-left/(24*time.Hour))
	}
	return int(left / (24 * time.Hour))
}

func inDays(n int) string {
	switch {
	case n < -1:
		return fmt.Sprintf("ended %d days ago", -n)
	case n == -1:
		return "ended less than a day ago"
	case n == 0:
		return "ends today"
	case n == 1:
		return "1 day left"
	}
	return fmt.Sprintf("%d days left", n)
}

// sentence makes a message of package saml stand alone.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	first := strings.ToUpper(s[:1]) + s[1:]
	if strings.ContainsAny(s[len(s)-1:], ".!?") {
		return first
	}
	return first + "."
}
