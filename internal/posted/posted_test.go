package posted

import (
	"net/url"
	"strings"
	"testing"
)

// TestRead: what counts of a form, and which forms are refused. The Handler's own tests have more.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, body, query string
		want              Form // Response apart
		response          string
		refused           string
	}{
		{"a response", "SAMLResponse=QQ%3D%3D&RelayState=x", "", Form{Relay: "x"}, "QQ==", ""},
		{"our own page", "SAMLResponse=QQ&saml_leg=2&saml_return=tab", "", Form{Leg: "2", Tab: "tab"}, "QQ", ""},
		{"a plus sign", "SAMLResponse=Q+Q", "", Form{}, "Q Q", ""},
		{"a login", "return_to=%2Fjobs%23top", "fresh=1", Form{Begins: true, ReturnTo: "/jobs#top"}, "", ""},
		{"a login with more", "return_to=%2F&RelayState=x", "", Form{}, "", "0 fields SAMLResponse"},
		{"two logins", "return_to=%2F&return_to=%2F", "", Form{}, "", "0 fields SAMLResponse"},
		{"a response in the address", "return_to=%2F", "SAMLResponse=x", Form{}, "", "belongs into the form"},
		{"no base64", "SAMLResponse=%3C", "", Form{}, "", "not base64"},
		{"an empty response", "SAMLResponse=", "", Form{}, "", "not base64"},
		{"half an escape", "SAMLResponse=%4", "", Form{}, "", "cannot be decoded"},
		{"a long RelayState", "SAMLResponse=QQ&RelayState=" + strings.Repeat("x", MaxRelayState+1), "",
			Form{Relay: strings.Repeat("x", MaxRelayState)}, "QQ", ""},
		{"a long text of the tab", "SAMLResponse=QQ&saml_return=" + strings.Repeat("x", MaxTabText+1), "", Form{}, "QQ", ""},
		{"too large", strings.Repeat("a", MaxBody+1), "", Form{}, "", "more than 2097152 bytes"},
	} {
		query, err := url.ParseQuery(row.query)
		if err != nil {
			t.Fatal(err)
		}
		fields, refusal := Parse([]byte(row.body))
		var got Form
		if refusal == nil {
			got, refusal = Read(fields, query)
		}
		if refusal != nil {
			if row.refused == "" || !strings.Contains(refusal.Message, row.refused) {
				t.Errorf("%s: got %v, want %q", row.name, refusal, row.refused)
			}
			continue
		}
		response := string(got.Response)
		got.Response = nil
		if row.refused != "" || response != row.response || got.Leg != row.want.Leg || got.Tab != row.want.Tab ||
			got.Relay != row.want.Relay || got.Begins != row.want.Begins || got.ReturnTo != row.want.ReturnTo {
			t.Errorf("%s: got %.60q and %+v", row.name, response, got)
		}
	}
}
