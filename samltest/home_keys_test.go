package samltest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestHomePageOfKeys rolls the signing key over by the forms of the page.
func TestHomePageOfKeys(t *testing.T) {
	t.Parallel()
	idp := serve(t, Options{Keys: testKeys.rsa()[:1]})
	browser := newClient(t)
	old := idp.homeKeys()[0].Thumbprint
	browser.submit(idp, "keys/add", nil)
	keys := idp.homeKeys()
	if len(keys) != 2 || keys[0].Thumbprint != old || !keys[0].Active || keys[1].Active {
		t.Fatalf("after a key was added: %+v", keys)
	}
	fresh := keys[1].Thumbprint
	page := body(t, browser.get(idp.HomeURL()))
	for _, want := range []string{`<code class="key">` + old + `</code> signs`,
		`<code class="key">` + fresh + `</code></p>`, `name="key" value="` + fresh + `"`} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %s in %s", want, page)
		}
	}
	browser.submit(idp, "keys/activate", url.Values{"key": {fresh}})
	browser.submit(idp, "keys/remove", url.Values{"key": {old}})
	if keys = idp.homeKeys(); len(keys) != 1 || keys[0].Thumbprint != fresh {
		t.Errorf("at the end: %+v, want %s alone", keys, fresh)
	}
	for form, key := range map[string]string{"keys/activate": old, "keys/remove": fresh} { // gone, and active
		r := post(t, idp.address(form), url.Values{"key": {key}})
		if page := body(t, r); r.StatusCode != http.StatusBadRequest || !strings.Contains(page, `id="error"`) {
			t.Errorf("%s: got %s, %s", form, r.Status, page)
		}
	}
}
