package saml

import (
	"bytes"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/posted"
)

// FuzzForm: a form is refused, or it is one SAMLResponse in base64 and what may stand beside it,
// none of it from the address.
func FuzzForm(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	for i, v := range readVectors(f) {
		if len(v.Form) < 8<<10 && i%16 == 0 {
			f.Add("", form, []byte(url.Values{"SAMLResponse": {v.Form}, "RelayState": {"x"}, posted.Leg: {"2"}}.Encode()))
		}
	}
	f.Add("SAMLResponse=AAAA", form, []byte("SAMLResponse=AAAA"))
	f.Add("", form, []byte("return_to=%2Fjobs"))
	f.Add("", form, []byte("SAMLResponse=AAAA&saml_leg=2&saml_return=x&return_to=%2F"))
	f.Add("fresh=1", form, []byte("saml_address=ann%40example.com&return_to=%2Fjobs"))
	f.Add("", form, []byte("saml_address=&saml_address=a&saml_leg=2"))
	f.Add("", form+"; charset=UTF-8", []byte("SAMLResponse=AAAA&SAMLResponse=BBBB"))
	f.Add("", form+"; charset=utf-16", []byte("SAMLResponse=%zz;&SAMLart=x"))
	f.Add("a=1", "multipart/form-data; boundary=x", []byte("--x"))
	h := mustProvider(f, nil).Handler(nobody{})
	f.Fuzz(func(t *testing.T, query, contentType string, body []byte) {
		r := httptest.NewRequest("POST", "https://console.example.com/acs", bytes.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		got, refusal := h.readForm(httptest.NewRecorder(), r)
		defer func() {
			got.release()
			if free := h.bodies.free.Load(); free != defaultBodyMemory {
				t.Fatalf("%d bytes of the budget are free when all is released", free)
			}
		}()
		if refusal != nil {
			if refusal.Code == "" || refusal.Code == CodeInternal {
				t.Fatalf("got %v", refusal)
			}
			return
		}
		if got.Chooses && (got.Begins || len(got.Address) > posted.MaxAddress) {
			t.Fatalf("got %+v", got)
		}
		if got.Begins || got.Chooses { // no response, and nothing else is read
			if got.Response != nil || got.Leg != "" || got.Tab != "" {
				t.Fatalf("got %+v", got)
			}
			return
		}
		values, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatalf("accepted, though it is no form: %v", err)
		}
		fields := 0
		for _, list := range values {
			fields += len(list)
		}
		if fields > posted.MaxParameters || len(values["SAMLResponse"]) != 1 ||
			values.Get("SAMLResponse") != string(got.Response) || !strings.HasPrefix(values.Get(posted.Leg), got.Leg) ||
			len(values.Get(posted.Leg)) > 8 && len(got.Leg) < 8 || len(values["RelayState"]) > 1 {
			t.Fatalf("got %+v of %q", got, values)
		}
		for _, name := range []string{"SAMLRequest", "SAMLart", "Signature", "SigAlg"} {
			if values.Has(name) || r.URL.Query().Has(name) {
				t.Fatalf("accepted with %s", name)
			}
		}
		if r.URL.Query().Has("SAMLResponse") || strings.ContainsAny(string(got.Response), `<>"'&`) {
			t.Fatalf("accepted from the address, or what must not be shown again: %q", got.Response)
		}
	})
}

// FuzzPendingLogin: a state opens to what was sealed in it for this tenant and service, or not at
// all.
func FuzzPendingLogin(f *testing.F) {
	sp := mustProvider(f, func(c *Config) { c.Tenant = "acme" })
	var known []pendingLogin
	seal := func(p pendingLogin, other *ServiceProvider) {
		f.Add(p.seal(other.sealer, other.pendingContext()))
		if other == sp {
			known = append(known, p)
		}
	}
	for _, returnTo := range []string{"", "/jobs?a=1&b=<2>", strings.Repeat("/x", 500)} {
		seal(pendingLogin{RequestID: "_1", IssuedMilli: testNow.UnixMilli(), IdentityProvider: testIssuer,
			ReturnTo: returnTo, Purpose: "test", ForceAuthn: true, AuthnContexts: []string{"a"}}, sp)
	}
	for _, change := range []func(*Config){func(c *Config) { c.Tenant = "other" },
		func(c *Config) { c.Tenant = "acme"; c.EntityID = "urn:other" },
		func(c *Config) { c.Tenant = "acme"; c.StateKeys = [][]byte{fixedKey(1)} }} {
		seal(pendingLogin{RequestID: "_2", IssuedMilli: testNow.UnixMilli()}, mustProvider(f, change))
	}
	f.Add("")
	f.Add(".")
	f.Add("YWNtZQ.AAAA")
	f.Fuzz(func(t *testing.T, state string) {
		p, refusal := openPending(sp.sealer, sp.pendingContext(), state, testNow, 0)
		if refusal != nil {
			return
		}
		for _, k := range known {
			if reflect.DeepEqual(p, k) {
				return
			}
		}
		t.Fatalf("opened to %+v, which was never sealed", p)
	})
}
