package saml

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// sloXML is a SingleLogoutService. more are further attributes.
func sloXML(binding, location, more string) string {
	return `<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:` + binding + `" Location="` +
		location + `" ` + more + `/>`
}

// idpWith is an identity provider whose metadata has these logout services.
func idpWith(t testing.TB, services string) *IdentityProvider {
	t.Helper()
	p, err := ParseMetadata([]byte(entityXML(`entityID="`+logoutIssuer+`"`,
		keyXML(` use="signing"`, vectorCertificate(t, "test-idp-a.crt.pem").Raw)+services+
			ssoXML("HTTP-Redirect", "https://idp.example.com/sso"))))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLogoutServices: which address of metadata takes our LogoutRequests and LogoutResponses, and
// which warnings there are.
func TestLogoutServices(t *testing.T) {
	t.Parallel()
	const slo, other, answers = "https://idp.example.com/slo", "https://idp.example.com/other",
		"https://idp.example.com/answers"
	const response = `ResponseLocation="` + answers + `"`
	for _, row := range []struct {
		name, services      string
		request, byRequest  string
		answer, byAnswer    string
		logoutURL, warnings string
	}{
		{name: "none"},
		{"a redirect", sloXML("HTTP-Redirect", slo, ""), slo, "HTTP-Redirect", slo, "HTTP-Redirect", slo, ""},
		{"a post alone", sloXML("HTTP-POST", slo, ""), slo, "HTTP-POST", slo, "HTTP-POST", "", ""},
		{"SOAP alone takes no answers", sloXML("SOAP", slo, ""), slo, "SOAP", "", "", "", ""},
		{"all, the best last", sloXML("SOAP", "https://a.example/", "") + sloXML("HTTP-POST", "https://b.example/", "") +
			sloXML("HTTP-Redirect", slo, ""), slo, "HTTP-Redirect", slo, "HTTP-Redirect", slo, ""},
		{"two of one binding", sloXML("HTTP-Redirect", slo, "") + sloXML("HTTP-Redirect", other, response), slo,
			"HTTP-Redirect", slo, "HTTP-Redirect", slo, ""},
		{"another address for answers", sloXML("HTTP-Redirect", slo, response), slo, "HTTP-Redirect", answers,
			"HTTP-Redirect", slo, ""},
		{"answers at SOAP count for nothing", sloXML("SOAP", slo, response) + sloXML("HTTP-POST", other, ""), other,
			"HTTP-POST", other, "HTTP-POST", "", ""},
		{"AD FS with spaces, and a binding in another case", sloXML("HTTP-REDIRECT", "\n "+slo+" ",
			`ResponseLocation=" `+answers+` "`), slo, "HTTP-Redirect", answers, "HTTP-Redirect", slo, ""},
		{"an unknown binding", sloXML("HTTP-Artifact", slo, ""), "", "", "", "", "", ""},
		{"a script, and a good one", sloXML("HTTP-Redirect", "javascript:alert(1)", "") + sloXML("HTTP-Redirect", slo, ""),
			slo, "HTTP-Redirect", slo, "HTTP-Redirect", slo, "logout_url_unusable"},
		{"a path, and a post", sloXML("HTTP-Redirect", "/slo", "") + sloXML("HTTP-POST", slo, ""), slo, "HTTP-POST",
			slo, "HTTP-POST", "", "logout_url_unusable"},
		{"no address", sloXML("HTTP-Redirect", "", ""), "", "", "", "", "", "logout_url_unusable"},
		{"a user name", sloXML("HTTP-Redirect", "https://user@idp.example.com/", ""), "", "", "", "", "",
			"logout_url_unusable"},
		{"a script for answers", sloXML("HTTP-Redirect", slo, `ResponseLocation="javascript:alert(1)"`), slo,
			"HTTP-Redirect", slo, "HTTP-Redirect", slo, "logout_url_unusable"},
		{"http", sloXML("HTTP-Redirect", "http://idp.example.com/slo", "") + sloXML("HTTP-POST", slo, ""), slo,
			"HTTP-POST", slo, "HTTP-POST", "http://idp.example.com/slo", "logout_url_http"},
		{"http for answers", sloXML("HTTP-Redirect", slo, `ResponseLocation="http://idp.example.com/"`), slo,
			"HTTP-Redirect", slo, "HTTP-Redirect", slo, "logout_url_http"},
		{"http on this machine", sloXML("HTTP-Redirect", "http://127.0.0.1:8080/slo", ""), "http://127.0.0.1:8080/slo",
			"HTTP-Redirect", "http://127.0.0.1:8080/slo", "HTTP-Redirect", "http://127.0.0.1:8080/slo", ""},
		{"our Redirect URL", sloXML("HTTP-Redirect", "https://console.example.com"+DefaultRedirectPath, ""), "", "", "",
			"", "https://console.example.com" + DefaultRedirectPath, ""},
		{"our Logout URL", sloXML("HTTP-Redirect", "https://console.example.com/slo", "") + sloXML("HTTP-POST", slo, ""),
			slo, "HTTP-POST", slo, "HTTP-POST", "https://console.example.com/slo", ""},
		{"in other roles alone, as LemonLDAP::NG lists them too", `</md:IDPSSODescriptor><md:SPSSODescriptor ` +
			`protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + sloXML("HTTP-Redirect", slo, "") +
			`</md:SPSSODescriptor><md:IDPSSODescriptor protocolSupportEnumeration="">`, "", "", "", "", "", ""},
	} {
		services, sso := row.services, ""
		if strings.HasPrefix(services, "</") { // the role must be whole before it ends
			sso = ssoXML("HTTP-Redirect", "https://idp.example.com/sso")
		}
		p := idpWith(t, sso+services)
		sp := mustProvider(t, func(c *Config) { withLogout(t, c) })
		request, byRequest := sp.logoutService(p, false)
		answer, byAnswer := sp.logoutService(p, true)
		const prefix = "urn:oasis:names:tc:SAML:2.0:bindings:"
		got := []string{request, strings.TrimPrefix(byRequest, prefix), answer, strings.TrimPrefix(byAnswer, prefix),
			p.LogoutURL(), strings.Join(codesOf(p.warnings), ",")}
		want := []string{row.request, row.byRequest, row.answer, row.byAnswer, row.logoutURL, row.warnings}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", row.name, got, want)
		}
	}
}

// withLogout gives a service what logout needs.
func withLogout(t testing.TB, c *Config) {
	c.BaseURL, c.LogoutPath = "https://console.example.com", "/slo"
	c.SigningKey = vectorKey(t, "test-idp-b.key.pem")
	c.SigningCertificate = vectorCertificate(t, "test-idp-b.crt.pem").Raw
}

// TestLogoutByHTTP: InsecureAllowHTTP allows for logout what it allows for a login.
func TestLogoutByHTTP(t *testing.T) {
	t.Parallel()
	const slo = "http://idp.example.com/slo"
	p := idpWith(t, sloXML("HTTP-Redirect", slo, ""))
	for allow, want := range map[bool]string{false: "", true: slo} {
		sp := mustProvider(t, func(c *Config) { c.InsecureAllowHTTP = allow })
		if got, _ := sp.logoutService(p, false); got != want {
			t.Errorf("InsecureAllowHTTP %t: got %q, want %q", allow, got, want)
		}
	}
}

// TestOwnLogoutURL: New says that metadata has our own address for logout, which is left out
// without a word otherwise.
func TestOwnLogoutURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"https://console.example.com/slo": true,
		"https://idp.example.com/slo": false} {
		var log bytes.Buffer
		mustProvider(t, func(c *Config) {
			withLogout(t, c)
			c.IdentityProvider = idpWith(t, sloXML("HTTP-Redirect", address, ""))
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		if got := strings.Contains(log.String(), "logout URL is our own"); got != want {
			t.Errorf("%s: got %t: %s", address, got, log.String())
		}
	}
}

// TestLogoutServicesOfSettings: three fields have none, unless metadata of the same identity
// provider comes with them; what the settings have of their own stays.
func TestLogoutServicesOfSettings(t *testing.T) {
	t.Parallel()
	metadata := idpWith(t, sloXML("SOAP", "https://idp.example.com/soap", "")+
		sloXML("HTTP-POST", "https://idp.example.com/slo", `ResponseLocation="https://idp.example.com/answers"`))
	fields, err := NewIdentityProvider(logoutIssuer, "https://idp.example.com/sso", metadata.Keys()...)
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewIdentityProvider("https://other.example.com", "https://idp.example.com/sso", metadata.Keys()...)
	if err != nil {
		t.Fatal(err)
	}
	moved := idpWith(t, sloXML("HTTP-Redirect", "https://idp.example.com/moved", ""))
	for name, row := range map[string]struct {
		p    *IdentityProvider
		want []LogoutService
	}{
		"three fields":                 {fields, nil},
		"with metadata":                {fields.WithDetails(metadata), metadata.LogoutServices()},
		"with metadata of another one": {other.WithDetails(metadata), nil},
		"with services of its own":     {moved.WithDetails(metadata), moved.LogoutServices()},
	} {
		if got := row.p.LogoutServices(); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, row.want)
		}
	}
	if len(metadata.LogoutServices()) != 2 {
		t.Errorf("got %+v, want both services", metadata.LogoutServices())
	}
}
