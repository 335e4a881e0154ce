package saml_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

const (
	cloudTenant = "0a1b2c3d-1111-4222-8333-444455556666"
	otherTenant = "ffffffff-1111-4222-8333-444455556666"
)

// trusting returns a service that trusts idp by settings with these two addresses.
func trusting(t *testing.T, idp *samltest.IdentityProvider, entityID, loginURL string) (*house, *saml.IdentityProvider) {
	t.Helper()
	keys, err := saml.ParseKeys(idp.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := saml.NewIdentityProvider(entityID, loginURL, keys...)
	if err != nil {
		t.Fatal(err)
	}
	sp := newProvider(t, idp, func(c *saml.Config) {
		c.IdentityProvider, c.Logger = trusted, slog.New(slog.DiscardHandler)
	})
	return &house{t, idp, sp}, trusted
}

// warningCodes returns the codes of what settings are warned about, or of what they are refused for.
func warningCodes(entityID, loginURL string, certificate []byte) (codes, wants []string) {
	p, err := saml.ParseSettings(entityID, loginURL, string(certificate))
	for _, e := range saml.Errors(err) {
		codes, wants = append(codes, string(e.Code)), append(wants, e.Want)
	}
	if err == nil {
		for _, w := range p.Warnings(time.Now()) {
			codes = append(codes, w.Code)
		}
	}
	return codes, wants
}

// TestCloudsOfEntra: in each cloud a sign-in works without a warning, gives an object key, and is
// refused in the words of Entra; and what people paste into the wrong field is recognized, with the
// addresses of that cloud.
func TestCloudsOfEntra(t *testing.T) {
	t.Parallel()
	const (
		global   = "https://sts.windows.net/<tenant id>/"
		external = `the Microsoft Entra Identifier of the "Set up" card`
	)
	for _, cloud := range []struct {
		name, entityID, loginURL string
		issuerForm, loginForm    string
	}{
		{"global", "https://sts.windows.net/T/", "https://login.microsoftonline.com/T/saml2",
			global, "https://login.microsoftonline.com/<tenant id>/saml2"},
		{"global, old host", "https://sts.windows.net/T/", "https://login.windows.net/T/saml2",
			global, "https://login.microsoftonline.com/<tenant id>/saml2"},
		{"US Government", "https://sts.windows.net/T/", "https://login.microsoftonline.us/T/saml2",
			global, "https://login.microsoftonline.us/<tenant id>/saml2"},
		{"US Government, issuer at the login host", "https://login.microsoftonline.us/T/", "https://login.microsoftonline.us/T/saml2",
			global, "https://login.microsoftonline.us/<tenant id>/saml2"},
		{"US Government, issuer of its own", "https://sts.microsoftonline.us/T/", "https://login.microsoftonline.us/T/saml2",
			global, "https://login.microsoftonline.us/<tenant id>/saml2"},
		{"China", "https://sts.chinacloudapi.cn/T/", "https://login.partner.microsoftonline.cn/T/saml2",
			"https://sts.chinacloudapi.cn/<tenant id>/", "https://login.partner.microsoftonline.cn/<tenant id>/saml2"},
		{"China, old host", "https://sts.chinacloudapi.cn/T/", "https://login.chinacloudapi.cn/T/saml2",
			"https://sts.chinacloudapi.cn/<tenant id>/", "https://login.partner.microsoftonline.cn/<tenant id>/saml2"},
		{"External ID", "https://T.ciamlogin.com/T/", "https://contoso.ciamlogin.com/T/saml2", external, "https://<host>/<tenant id>/saml2"},
		{"External ID, global issuer", "https://sts.windows.net/T/", "https://contoso.ciamlogin.com/T/saml2",
			external, "https://<host>/<tenant id>/saml2"},
		{"External ID, custom domain", "https://login.contoso.com/T/", "https://login.contoso.com/T/saml2",
			external, "https://<host>/<tenant id>/saml2"},
		{"External ID, custom domain, global issuer", "https://sts.windows.net/T/", "https://login.contoso.com/T/saml2",
			external, "https://<host>/<tenant id>/saml2"},
	} {
		t.Run(cloud.name, func(t *testing.T) {
			entityID := strings.ReplaceAll(cloud.entityID, "T", cloudTenant)
			loginURL := strings.ReplaceAll(cloud.loginURL, "T", cloudTenant)
			idp := samltest.MustNew(t, samltest.Options{TenantID: cloudTenant, EntityID: entityID})
			h, trusted := trusting(t, idp, entityID, loginURL)
			if w := trusted.Warnings(time.Now()); len(w) > 0 {
				t.Errorf("warnings: %v", w)
			}
			login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{})
			if err != nil {
				t.Fatal(err)
			}
			if login.Identity.ObjectKey == "" {
				t.Error("no object key")
			}
			for fault, answer := range map[string]samltest.Answer{
				"another audience": {Audience: "https://other.example.com/"},
				"another issuer":   {Issuer: "https://sts.windows.example/" + cloudTenant + "/"},
			} {
				_, err := h.signIn(saml.LoginOptions{}, answer)
				if list := saml.Errors(err); len(list) != 1 || !strings.HasPrefix(list[0].Hint, "In Entra: ") {
					t.Errorf("%s: got %v, not in the words of Entra", fault, list)
				}
			}
			elsewhere := strings.Replace(entityID, "/"+cloudTenant+"/", "/"+otherTenant+"/", 1)
			for _, trap := range []struct{ what, entityID, loginURL, code, want string }{
				{"the login URL as entity ID", loginURL, loginURL, "metadata_entity_id", cloud.issuerForm},
				{"the address of WS-Federation as entity ID", strings.Replace(loginURL, "/saml2", "/wsfed", 1), loginURL,
					"metadata_entity_id", cloud.issuerForm},
				{"the tenant ID alone", cloudTenant, loginURL, "metadata_entity_id", cloud.issuerForm},
				{"no slash", strings.TrimSuffix(entityID, "/"), loginURL, "entity_id_slash", ""},
				{"the address of WS-Federation", entityID, strings.Replace(loginURL, "/saml2", "/wsfed", 1), "metadata_login_url", cloud.loginForm},
				{"another tenant", elsewhere, loginURL, "tenant_mismatch", ""},
			} {
				codes, wants := warningCodes(trap.entityID, trap.loginURL, idp.CertificatePEM())
				if !slices.Equal(codes, []string{trap.code}) || trap.want != "" && !slices.Equal(wants, []string{trap.want}) {
					t.Errorf("%s: got %q with %q, want %s with %q", trap.what, codes, wants, trap.code, trap.want)
				}
			}
		})
	}
}

// TestLoginURLIsTheIdentifier: the Microsoft Entra Identifier in the field of the login URL, also
// where both are at one host.
func TestLoginURLIsTheIdentifier(t *testing.T) {
	t.Parallel()
	certificate := samltest.MustNew(t, samltest.Options{}).CertificatePEM()
	for address, want := range map[string]string{
		"https://sts.windows.net/T/":          "https://login.microsoftonline.com/<tenant id>/saml2",
		"https://sts.chinacloudapi.cn/T/":     "https://login.partner.microsoftonline.cn/<tenant id>/saml2",
		"https://sts.microsoftonline.us/T/":   "https://login.microsoftonline.us/<tenant id>/saml2",
		"https://login.microsoftonline.us/T/": "https://login.microsoftonline.us/<tenant id>/saml2",
		"https://T.ciamlogin.com/T/":          "https://<host>/<tenant id>/saml2",
	} {
		address = strings.ReplaceAll(address, "T", cloudTenant)
		if codes, wants := warningCodes(address, address, certificate); !slices.Equal(codes, []string{"metadata_login_url"}) || wants[0] != want {
			t.Errorf("%s: got %q, want %q", address, wants, want)
		}
	}
}

// TestTenantsOfOtherHosts: an entity ID with a GUID in its path at a host of another product has no
// tenant of Entra, also if the login URL is Entra's.
func TestTenantsOfOtherHosts(t *testing.T) {
	t.Parallel()
	certificate := samltest.MustNew(t, samltest.Options{}).CertificatePEM()
	for _, login := range []string{"https://login.contoso.com/T/saml2", "https://login.microsoftonline.com/T/saml2"} {
		for _, entityID := range []string{"https://id.contoso.com/" + otherTenant, "https://id.contoso.com/" + otherTenant + "/"} {
			if codes, _ := warningCodes(entityID, strings.ReplaceAll(login, "T", cloudTenant), certificate); codes != nil {
				t.Errorf("%s with %s: got %q", entityID, login, codes)
			}
		}
	}
}

// TestMixedClouds: the halves of one tenant's settings from two clouds end at an error page of
// Microsoft. The issuer sts.windows.net is that of two clouds.
func TestMixedClouds(t *testing.T) {
	t.Parallel()
	certificate := samltest.MustNew(t, samltest.Options{}).CertificatePEM()
	issuers := map[string]string{"https://sts.windows.net/T/": "global us external custom",
		"https://login.microsoftonline.us/T/": "us custom", "https://sts.microsoftonline.us/T/": "us custom",
		"https://sts.chinacloudapi.cn/T/": "china custom", "https://T.ciamlogin.com/T/": "global external custom"}
	logins := map[string]string{"global": "https://login.microsoftonline.com/T/saml2", "us": "https://login.microsoftonline.us/T/saml2",
		"china": "https://login.partner.microsoftonline.cn/T/saml2", "external": "https://contoso.ciamlogin.com/T/saml2",
		"custom": "https://login.contoso.com/T/saml2"}
	for issuer, fitting := range issuers {
		for cloud, login := range logins {
			codes, _ := warningCodes(strings.ReplaceAll(issuer, "T", cloudTenant), strings.ReplaceAll(login, "T", cloudTenant), certificate)
			var want []string
			if !slices.Contains(strings.Fields(fitting), cloud) {
				want = []string{"cloud_mismatch"}
			}
			if !slices.Equal(codes, want) {
				t.Errorf("%s with %s: got %q, want %q", issuer, login, codes, want)
			}
		}
	}
	p, err := saml.ParseSettings("https://sts.chinacloudapi.cn/"+cloudTenant+"/", "https://login.microsoftonline.us/"+cloudTenant+"/saml2", string(certificate))
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Warnings(time.Now()); len(w) != 1 || !strings.Contains(w[0].Message, "China") || !strings.Contains(w[0].Message, "US Government") {
		t.Errorf("got %v, want both clouds named", w)
	}
}

// TestApplicationIDInIssuer: the option "Append application ID to issuer" is named in the hint,
// whichever side has the ID; the object key does not depend on it.
func TestApplicationIDInIssuer(t *testing.T) {
	t.Parallel()
	const app, otherApp = "c0ffee00-1111-4222-8333-444444444444", "c0ffee00-1111-4222-8333-555555555555"
	for host, login := range map[string]string{"https://sts.windows.net/": "https://login.microsoftonline.com/",
		"https://login.contoso.com/": "https://login.contoso.com/"} {
		base, loginURL := host+cloudTenant+"/", login+cloudTenant+"/saml2"
		idp := samltest.MustNew(t, samltest.Options{TenantID: cloudTenant, EntityID: base})
		plain, _ := trusting(t, idp, base, loginURL)
		appended, _ := trusting(t, idp, base+app, loginURL)
		for _, row := range []struct {
			name, issuer string
			h            *house
			hint         string
		}{
			{"the issuer has the ID", base + app, plain, "is on: switch it off"},
			{"the issuer has the ID and a slash", base + app + "/", plain, "is on: switch it off"},
			{"the settings have the ID", base, appended, "is off, and our Entity ID has an application ID"},
			{"two applications", base + otherApp, appended, "another enterprise application"},
			{"another tenant", host + otherTenant + "/" + app, plain, "belongs into Entity ID"},
			{"a slash is missing", strings.TrimSuffix(base, "/"), plain, "belongs into Entity ID"},
			{"something else behind it", base + "v2.0", plain, "belongs into Entity ID"},
		} {
			_, err := row.h.signIn(saml.LoginOptions{}, samltest.Answer{Issuer: row.issuer})
			list := saml.Errors(err)
			if len(list) != 1 || list[0].Code != saml.CodeResponseIssuer || !strings.Contains(list[0].Hint, row.hint) {
				t.Errorf("%s, %s: got %v, want %q in the hint", host, row.name, list, row.hint)
			}
			if option := strings.Contains(row.hint, "application") || strings.Contains(row.hint, "switch"); option != strings.Contains(list[0].Hint, "Append application ID to issuer") {
				t.Errorf("%s, %s: got %q", host, row.name, list[0].Hint)
			}
		}
		one, err := plain.signIn(saml.LoginOptions{}, samltest.Answer{})
		if err != nil {
			t.Fatal(err)
		}
		other, err := appended.signIn(saml.LoginOptions{}, samltest.Answer{Issuer: base + app})
		if err != nil {
			t.Fatal(err)
		}
		if one.Identity.ObjectKey != other.Identity.ObjectKey || one.Identity.ObjectKey == "" {
			t.Errorf("the object key changes from %q to %q", one.Identity.ObjectKey, other.Identity.ObjectKey)
		}
	}
}

// TestIssuerOfB2C: Azure AD B2C names its policies in the Issuer, and has no directory there.
func TestIssuerOfB2C(t *testing.T) {
	t.Parallel()
	const entityID = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1A_signup_signin_saml"
	idp := samltest.MustNew(t, samltest.Options{EntityID: entityID})
	h, trusted := trusting(t, idp, entityID, entityID+"/samlp/sso/login")
	if w := trusted.Warnings(time.Now()); len(w) > 0 {
		t.Errorf("warnings: %v", w)
	}
	login, err := h.signIn(saml.LoginOptions{}, samltest.Answer{})
	if err != nil || login.Identity.ObjectKey != "" || login.Identity.NameIDKey == "" {
		t.Errorf("got %+v, %v", login, err)
	}
	_, err = h.signIn(saml.LoginOptions{}, samltest.Answer{Issuer: "https://contoso.b2clogin.com/te/contoso.onmicrosoft.com/b2c_1a_signup_signin_saml"})
	if list := saml.Errors(err); len(list) != 1 || !strings.HasPrefix(list[0].Hint, "In Azure AD B2C: ") || !strings.Contains(list[0].Hint, "IssuerUri") {
		t.Errorf("got %v", list)
	}
}

// TestErrorNumbersOfEntra: a number that a page of ours or the library's own test provider names has
// a hint of its own, on whatever status it arrives.
func TestErrorNumbersOfEntra(t *testing.T) {
	t.Parallel()
	named := map[string]string{}
	find := regexp.MustCompile(`AADSTS[0-9]{5,7}(?:, [0-9]{5,7})*`)
	for _, pattern := range []string{"docs/*.md", "README.md", "*.go", "examples/dataplane/internal/console/templates/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, list := range find.FindAllString(string(text), -1) {
				for number := range strings.SplitSeq(strings.TrimPrefix(list, "AADSTS"), ", ") {
					named["AADSTS"+number] = file
				}
			}
		}
	}
	delete(named, "AADSTS7500529") // an ID that is no NCName: ours always is one
	if len(named) < 20 {
		t.Errorf("found %d numbers: this test no longer reads them", len(named))
	}
	idp := samltest.MustNew(t, samltest.Options{})
	h, _ := trusting(t, idp, idp.EntityID(), "https://login.microsoftonline.com/"+idp.TenantID()+"/saml2")
	hint := func(sub, message string) string {
		_, err := h.signIn(saml.LoginOptions{}, samltest.Answer{Status: statusPrefix + "Responder", SubStatus: sub, StatusMessage: message})
		list := saml.Errors(err)
		if len(list) != 1 {
			t.Fatalf("%s: got %v", message, err)
		}
		return list[0].Hint
	}
	unknown := hint("", "AADSTS99999: x")
	for number, file := range named {
		for _, sub := range []string{"", statusPrefix + "AuthnFailed", statusPrefix + "NoPassive"} {
			if got := hint(sub, number+": Some text that names alice@example.com."); got == "" || got == unknown || got == hint(sub, "x") && sub == "" {
				t.Errorf("%s, which %s names: got the hint %q", number, file, got)
			}
		}
	}
}
