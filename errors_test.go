package saml_test

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// TestErrorsTakesApart: every fault is in the list, in order and once, however it was wrapped.
func TestErrorsTakesApart(t *testing.T) {
	t.Parallel()
	_, cause := saml.ParseKeys(nil)
	a, b, c := &saml.Error{Code: saml.CodeKey, Message: "a"}, &saml.Error{Code: saml.CodeKey,
		Message: "a"}, &saml.Error{Code: saml.CodeConfig, Message: "c"}
	sp, err := saml.New(saml.Config{BaseURL: "https://x.example", StateKeys: [][]byte{saml.NewStateKey()},
		IdentityProvider: &flakySource{err: cause}})
	if err != nil {
		t.Fatal(err)
	}
	outer := sp.Health(t.Context())
	for _, row := range []struct {
		name string
		err  error
		want []string
	}{
		{"nil", nil, nil},
		{"one", a, []string{"key: a"}},
		{"a nil *Error", (*saml.Error)(nil), nil},
		{"joined", errors.Join(a, c, b), []string{"key: a", "config: c", "key: a"}},
		{"the same twice", errors.Join(a, a, c, a), []string{"key: a", "config: c"}},
		{"joined and joined again", errors.Join(c, errors.Join(a, errors.Join(b))),
			[]string{"config: c", "key: a", "key: a"}},
		{"wrapped", fmt.Errorf("settings: %w", a), []string{"key: a"}},
		{"wrapped twice around joined ones", fmt.Errorf("x: %w", fmt.Errorf("y: %w", errors.Join(a, c))),
			[]string{"key: a", "config: c"}},
		{"two wrapped in one text", fmt.Errorf("%w and %w", a, c), []string{"key: a", "config: c"}},
		{"another error", io.EOF, []string{"internal: EOF"}},
		{"another error that wraps a third", fmt.Errorf("x: %w", io.EOF), []string{"internal: x: EOF"}},
		{"another error among them", errors.Join(a, io.EOF, c), []string{"key: a", "internal: EOF", "config: c"}},
		{"a cause is part of its refusal", outer,
			[]string{"identity_provider: the settings of the identity provider cannot be read"}},
	} {
		var got []string
		for _, e := range saml.Errors(row.err) {
			got = append(got, string(e.Code)+": "+e.Message)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
	if list := saml.Errors(errors.Join(b, a)); list[0] != b || list[1] != a {
		t.Error("the errors are copies")
	}
	if !errors.Is(outer, saml.CodeKey) {
		t.Errorf("the cause is not in the tree, so this test shows nothing: %v", outer)
	}
}

// fieldsOf lists "field code" of each fault.
func fieldsOf(err error) (list []string) {
	for _, e := range saml.Errors(err) {
		list = append(list, e.Field+" "+string(e.Code))
	}
	return list
}

// TestPastedFieldsTogether: all faults of the three fields come at once, and each names its field.
func TestPastedFieldsTogether(t *testing.T) {
	t.Parallel()
	const issuer, login = "https://sts.windows.net/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/", "https://login.microsoftonline.com/7f1f0a52-7a3c-4d8e-9d1b-5c0f5e2a9b11/saml2"
	const entityID, loginURL, certificate = saml.FieldEntityID, saml.FieldLoginURL, saml.FieldCertificate
	idp := samltest.MustNew(t, samltest.Options{})
	good := string(idp.CertificatePEM())
	keys, err := saml.ParseKeys([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name                    string
		entity, login, pasted   string
		want                    []string
		onlyForServiceProviders []string
	}{
		{name: "good", entity: " " + issuer + "\n", login: "\t" + login, pasted: good},
		{name: "nothing", want: []string{entityID + " metadata_entity_id", loginURL + " metadata_login_url",
			certificate + " key"}},
		{name: "all three wrong", entity: "a\u200bb", login: "ftp://x", pasted: "x",
			want: []string{entityID + " metadata_entity_id", loginURL + " metadata_login_url", certificate + " key"}},
		{name: "both addresses swapped, and a private key", entity: login, login: issuer,
			pasted: "-----BEGIN PRIVATE KEY-----",
			want: []string{entityID + " metadata_entity_id", loginURL + " metadata_login_url",
				certificate + " private_key"}},
		{name: "the metadata's address in both", entity: "https://x/federationmetadata/2007-06/f.xml",
			login: "https://x/federationmetadata/2007-06/f.xml", pasted: good,
			want: []string{entityID + " metadata_entity_id", loginURL + " metadata_login_url"}},
		{name: "a placeholder", entity: "https://sts.windows.net/{tenantid}/", login: login, pasted: good,
			want: []string{entityID + " metadata_tenant"}},
		{name: "only the login URL", entity: issuer, pasted: good, want: []string{loginURL + " metadata_login_url"}},
		{name: "only the certificate", entity: issuer, login: login, pasted: "-----BEGIN CERTIFICATE-----",
			want: []string{certificate + " key"}},
		{name: "a service's metadata as certificate", entity: issuer, login: login,
			pasted: metadataText(` entityID="x"`, ``), want: []string{certificate + " metadata_role"}},
		{name: "too large", entity: issuer, login: login, pasted: strings.Repeat("x", 4<<20+1),
			want: []string{certificate + " too_large"}},
		{name: "our own address in both", entity: redirectURL, login: redirectURL, pasted: good,
			onlyForServiceProviders: []string{entityID + " metadata_entity_id", loginURL + " metadata_login_url"}},
		{name: "our own name, and no certificate", entity: redirectURL, login: login,
			want: []string{certificate + " key"}, onlyForServiceProviders: []string{entityID + " metadata_entity_id"}},
		{name: "http, and no certificate", entity: issuer, login: "http://idp.example.com/login",
			want: []string{certificate + " key"}, onlyForServiceProviders: []string{loginURL + " metadata_login_url"}},
		{name: "a weak key and http", entity: issuer, login: "http://idp.example.com/login",
			pasted:                  string(pemOf(weakCertificate(t))),
			onlyForServiceProviders: []string{loginURL + " metadata_login_url", certificate + " weak_key"}},
	} {
		got, err := saml.ParseSettings(row.entity, row.login, row.pasted)
		if fields := fieldsOf(err); !slices.Equal(fields, row.want) || (got == nil) != (err != nil) {
			t.Errorf("%s: got %q, want %q", row.name, fields, row.want)
		}
		if err == nil && len(row.onlyForServiceProviders) == 0 &&
			(got.EntityID() != issuer || got.LoginURL() != login || len(got.Keys()) != 1) {
			t.Errorf("%s: got %q, %q and %d keys", row.name, got.EntityID(), got.LoginURL(), len(got.Keys()))
		}
		sp := newProvider(t, idp, nil)
		got, err = sp.ParseSettings(row.entity, row.login, row.pasted)
		want := slices.Concat(row.want, row.onlyForServiceProviders)
		if fields := fieldsOf(err); !slices.Equal(fields, want) || (got == nil) != (err != nil) {
			t.Errorf("%s, for a service provider: got %q, want %q", row.name, fields, want)
		}
		if len(row.want) == 0 { // New says the same of what ParseSettings lets through
			settings, err := saml.ParseSettings(row.entity, row.login, row.pasted)
			if err != nil {
				t.Fatal(err)
			}
			_, err = saml.New(saml.Config{BaseURL: "https://console.example.com",
				StateKeys: [][]byte{saml.NewStateKey()}, Store: saml.NewMemoryStore(), IdentityProvider: settings})
			fields := fieldsOf(err)
			slices.Sort(fields)
			if slices.Sort(want); !slices.Equal(fields, want) {
				t.Errorf("%s: New says %q, want %q", row.name, fields, want)
			}
		}
		for _, e := range saml.Errors(err) {
			if e.Hint == "" && e.Code != saml.CodeTooLarge {
				t.Errorf("%s: no hint for %s", row.name, e.Field)
			}
		}
		if row.pasted == good { // the same of keys that were read
			if _, err := saml.NewIdentityProvider(row.entity, row.login, keys...); !slices.Equal(fieldsOf(err),
				row.want) {
				t.Errorf("%s: NewIdentityProvider says %q, want %q", row.name, fieldsOf(err), row.want)
			}
		}
	}
	if _, err := saml.NewIdentityProvider("", ""); !slices.Equal(fieldsOf(err),
		[]string{entityID + " metadata_entity_id", loginURL + " metadata_login_url", certificate + " metadata_keys"}) {
		t.Errorf("no fields and no keys: got %q", fieldsOf(err))
	}
}

// TestFieldsOfConfigurations: each fault of a configuration names its field, and no field of ours
// is taken for one of the identity provider.
func TestFieldsOfConfigurations(t *testing.T) {
	t.Parallel()
	_, err := saml.New(saml.Config{BaseURL: "x", RedirectPath: "x", EntityID: "\n", StateKeys: [][]byte{{}}})
	if got, want := fieldsOf(err), []string{"BaseURL config", "RedirectPath config", "EntityID config",
		"IdentityProvider config", "StateKeys config"}; !slices.Equal(got, want) {
		t.Errorf("New: got %q, want %q", got, want)
	}
	for _, e := range saml.Errors(err) {
		if !strings.Contains(e.Message, "Config."+e.Field) {
			t.Errorf("the message %q is not about %s", e.Message, e.Field)
		}
	}
	resolve := func(*http.Request, string) (*saml.ServiceProvider, error) { return nil, nil }
	for field, c := range map[string]saml.HandlerConfig{"Resolve": {Sessions: &switchSessions{}}, "Sessions": {Resolve: resolve},
		"Home":       {Resolve: resolve, Sessions: &switchSessions{}, Home: "x"},
		"BodyMemory": {Resolve: resolve, Sessions: &switchSessions{}, BodyMemory: 1}} {
		if _, err := saml.NewHandler(c); !slices.Equal(fieldsOf(err), []string{field + " config"}) {
			t.Errorf("NewHandler: got %q, want %s", fieldsOf(err), field)
		}
	}
	h := newHouse(t, func(c *saml.Config) { c.Trial = true })
	for field, o := range map[string]saml.LoginOptions{"ReturnTo": {ReturnTo: "//x", Purpose: "p"}, "Purpose": {}} {
		if _, err := h.sp.StartLogin(t.Context(), o); !slices.Equal(fieldsOf(err), []string{field + " config"}) {
			t.Errorf("StartLogin: got %q, want %s", fieldsOf(err), field)
		}
	}
	if _, err := saml.ParseKeys(nil); saml.Errors(err)[0].Field != "" {
		t.Errorf("ParseKeys does not know from which field its text is, and says %q", saml.Errors(err)[0].Field)
	}
}

// TestSharedRefusalsStayAsTheyAre: the fault of a key is one value for all who hold the key, and
// nobody's use of it may show elsewhere.
func TestSharedRefusalsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	keys, err := saml.ParseKeys(weakCertificate(t))
	if err != nil {
		t.Fatal(err)
	}
	first := saml.Errors(keys[0].Usable())[0]
	first.Message = "changed by the caller"
	idp, err := saml.NewIdentityProvider("https://idp.example.com/", "https://idp.example.com/login", keys...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = saml.New(saml.Config{BaseURL: "https://console.example.com", StateKeys: [][]byte{saml.NewStateKey()},
		Store: saml.NewMemoryStore(), IdentityProvider: idp})
	if got := saml.Errors(err); len(got) != 1 || got[0].Field != saml.FieldCertificate ||
		got[0].Message == first.Message || got[0].Hint == "" {
		t.Errorf("New: got %+v", got)
	}
	if second := saml.Errors(keys[0].Usable())[0]; second.Field != "" || second.Message == first.Message ||
		second.Hint == "" {
		t.Errorf("after New, Usable says %+v", second)
	}
}

// TestHandlerShowsThePage: what the Handler writes is what Page returns, and nothing else of the
// error.
func TestHandlerShowsThePage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	handler := h.sp.Handler(&switchSessions{})
	for _, code := range []saml.Code{saml.CodeForm, saml.CodeStatus, saml.CodeNameID, saml.CodeBusy,
		saml.CodeAccountEnded, saml.CodeSignature, saml.CodeInternal, "of_the_application"} {
		err := &saml.Error{Code: code, Message: "secret message", Got: "secret value", Want: "secret wish",
			Hint: "secret hint", Field: "secret field"}
		page := err.Page()
		w := httptest.NewRecorder()
		handler.Fail(w, httptest.NewRequest("GET", redirectURL, nil), err)
		text := html.UnescapeString(w.Body.String())
		if w.Code != page.Status || !strings.Contains(text, "<h1>"+page.Title+"</h1>") ||
			!strings.Contains(text, "<p>"+page.Sentence) || strings.Contains(text, "secret") {
			t.Errorf("%s: status %d, want %+v:\n%s", string(code), w.Code, page, text)
		}
		if asks := strings.Contains(text,
			"Your administrator can look up the reference below."); asks != page.AskAdministrator {
			t.Errorf("%s: the page sends the user to the administrator: %t, want %t", string(code), asks,
				page.AskAdministrator)
		}
		if retry := w.Header().Get("Retry-After") != ""; retry != (page.Status == http.StatusServiceUnavailable) {
			t.Errorf("%s: status %d, Retry-After %t", string(code), page.Status, retry)
		}
	}
}

// TestIsLocalPath: what the application may redirect to is what LoginOptions.ReturnTo may be.
func TestIsLocalPath(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	for path, want := range map[string]bool{"/": true, "/a?b=c": true, "/" + strings.Repeat("a", 8191): true, "/a#b": true,
		"": false, "a": false, "//evil.example": false, `/\evil.example`: false,
		"https://evil.example": false, "/a#\\b": false, "/a\nb": false, "/" + strings.Repeat("a", 8192): false} {
		_, err := h.sp.StartLogin(t.Context(), saml.LoginOptions{ReturnTo: path})
		if got := saml.IsLocalPath(path); got != want || path != "" && got != (err == nil) {
			t.Errorf("%q: got %t, want %t; StartLogin says %v", path, got, want, err)
		}
	}
}
