package posted

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/iomete/saml/internal/fault"
	"github.com/iomete/saml/internal/wire"
)

// bodies are forms with everything that a reading in place and in runs could get wrong.
var bodies = []string{
	"", "&", "&&a=b&&", "=", "=x", "a", "a=", "a=b=c", "a=%3D&b=%26", "a=%", "a=%4", "a=%41", "a=%4g", "a=%g4", "%=a", "%41=a", "a=b%", "a=%41%", "a=%41%4",
	"a=%2B", "a=+", "+=+", "a=%2b+%2B+", "a=+%2", "a=%+1", "a=%25%34%31", "a=%2541", "a=%00", "a=%ff\xff", "a;b=c", "a=b;c", "a=%3B", "a=b&c;d", "a=%zz&b;",
	"a=1&a=2&a=3", "a=%41%42%43", "a=xx%41yy%42zz", "SAMLResponse=PHg%2BPg%3D%3D&RelayState=%22%3C%26", "SAMLResponse=PHg+Pg==", "SAMLResponse=a%0D%0Ab",
	"SAMLResponse=a&SAMLResponse=b", "SAMLResponse=a&RelayState=1&RelayState=2", "SAMLResponse=a&saml_leg=2&saml_leg=2", "SAMLResponse=a&SAMLRequest=b",
	"SAMLResponse=a&Sig%41lg=b", "SAMLResponse=%3C", "SAMLResponse=", "return_to=%2Fa%3Fb%23c", "return_to=/&saml_address=ann%40example.com", "return_to=/&saml_leg=2",
	"saml_address=a&saml_address=b", "return_to=/&return_to=/", "RelayState=x", "saml_elsewhere=1&return_to=/", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8",
	"a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=%", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=%&i=9",
	"SAMLResponse=" + strings.Repeat("QUJD%2B%2F", 500) + "&RelayState=" + strings.Repeat("%C3%A4+", 3000),
}

// readSlowly is Parse and Read by net/url, a field at a time, with the rules written one after the other.
func readSlowly(body string, query url.Values) (Form, *fault.Fault) {
	if len(body) > MaxBody {
		return Form{}, TooLarge()
	}
	all := url.Values{}
	var names, values []string
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if len(names) == MaxParameters {
			return Form{}, TooMany()
		}
		one, err := url.ParseQuery(pair)
		if err != nil {
			return Form{}, refuse("the form cannot be decoded", "", "")
		}
		for name, value := range one {
			names, values = append(names, name), append(values, value[0])
			all.Add(name, value[0])
		}
	}
	for _, name := range names {
		if slices.Contains(otherBindings, name) {
			return Form{}, refuse("the form has a field that belongs to another binding", name, "SAMLResponse alone")
		}
	}
	for _, name := range []string{"SAMLResponse", "RelayState", Leg, Tab, "SAMLRequest", "SAMLart", "Signature", "SigAlg"} {
		if query.Has(name) {
			return Form{}, refuse("the address has a field that belongs into the form", name, "")
		}
	}
	last := func(name string, most, cut int) string {
		for i, v := range slices.Backward(values) {
			if names[i] == name && len(v) <= most {
				return v[:min(len(v), cut)]
			}
		}
		return ""
	}
	const any = MaxBody
	f := Form{Response: []byte(last("SAMLResponse", any, any)), Leg: last(Leg, any, 8), Tab: last(Tab, MaxTabText, any), Relay: last("RelayState", any, MaxRelayState),
		ReturnTo: last(ReturnTo, any, MaxReturnTo+1), Elsewhere: all.Has(Elsewhere), Address: last(Address, MaxAddress, any)}
	n := func(name string) int { return len(all[name]) }
	if n("SAMLResponse")+n("RelayState")+n(Leg)+n(Tab) == 0 {
		f.Chooses = n(Address) == 1 && n(ReturnTo) <= 1
		f.Begins = n(Address) == 0 && n(ReturnTo) == 1
		if f.Chooses || f.Begins {
			return f, nil
		}
	}
	if n("SAMLResponse") != 1 {
		return f, refuse(fmt.Sprintf("the form has %d fields SAMLResponse, and not one", n("SAMLResponse")), "", "")
	}
	for _, name := range []string{"RelayState", Leg, Tab} {
		if n(name) > 1 {
			return f, refuse(fmt.Sprintf("the form has %d fields %s", n(name), name), "", "")
		}
	}
	if response := string(f.Response); response == "" || strings.Trim(response,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n") != "" || strings.ContainsFunc(response, isNotBase64) {
		return f, wire.NotBase64()
	}
	return f, nil
}

func isNotBase64(r rune) bool {
	return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n", r) || r == '\uFFFD'
}

// checkReading compares the reading of a form with that of net/url: the fields, what counts of them and
// each word of a refusal.
func checkReading(t *testing.T, body, address string) {
	t.Helper()
	query, _ := url.ParseQuery(address)
	want, wantErr := readSlowly(body, query)
	fields, err := Parse([]byte(body))
	var got Form
	if err == nil {
		all := url.Values{}
		for _, f := range fields {
			all.Add(string(f.Name), string(f.Value))
		}
		if wanted, refused := url.ParseQuery(body); refused != nil || all.Encode() != wanted.Encode() {
			t.Errorf("%.200q: got %v, want %v, %v", body, all, wanted, refused)
		}
		got, err = Read(fields, query)
	}
	switch {
	case (err == nil) != (wantErr == nil), err != nil && *err != *wantErr:
		t.Errorf("%.200q: got %v, want %v", body, err, wantErr)
	case err != nil:
	case !bytes.Equal(got.Response, want.Response):
		t.Errorf("%.200q: got %.200q, want %.200q", body, got.Response, want.Response)
	default:
		got.Response, want.Response = nil, nil
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("%.200q: got %#v, want %#v", body, got, want)
		}
	}
}

// TestParseReadsLikeNetURL: each body, and each with a byte more or less, is read as by net/url.
func TestParseReadsLikeNetURL(t *testing.T) {
	t.Parallel()
	for _, body := range bodies {
		for _, address := range []string{"", "fresh=1", "SigAlg=x", "saml_leg=2&RelayState=x"} {
			checkReading(t, body, address)
		}
		for i := range min(len(body), 100) {
			checkReading(t, body[:i]+body[i+1:], "")
			for _, c := range []string{"%", "+", ";", "&", "=", "4", "\x80"} {
				checkReading(t, body[:i]+c+body[i:], "")
			}
		}
	}
	for c := range 256 {
		checkReading(t, "SAMLResponse=QUJD"+string([]byte{byte(c)})+"QUJD", "")
		checkReading(t, fmt.Sprintf("SAMLResponse=QUJD%%%02x", c), "")
	}
	for _, row := range []struct {
		name string
		most int
	}{{"RelayState", MaxRelayState}, {Tab, MaxTabText}, {Address, MaxAddress}, {ReturnTo, MaxReturnTo}} {
		for n := row.most - 1; n <= row.most+2; n++ {
			checkReading(t, "SAMLResponse=QUJD&"+row.name+"="+strings.Repeat("x", n), "")
			checkReading(t, row.name+"="+strings.Repeat("%41", n), "")
		}
	}
}

// FuzzParse: whatever the body and the query are, the form is read as by net/url.
func FuzzParse(f *testing.F) {
	for _, body := range bodies {
		f.Add(body, "")
	}
	f.Add("SAMLResponse=QUJD", "SigAlg=x")
	f.Fuzz(func(t *testing.T, body, address string) { checkReading(t, body, address) })
}

// TestParseTakesNoCopy: a form is in memory once.
func TestParseTakesNoCopy(t *testing.T) {
	body := []byte("SAMLResponse=" + strings.Repeat("QUJD%2B%2F", 50_000) + "&RelayState=%2F&saml_leg=2")
	form := make([]byte, len(body))
	most := 2.0 // the fields and the text of RelayState
	if n := testing.AllocsPerRun(10, func() {
		copy(form, body)
		fields, err := Parse(form)
		if err == nil {
			_, err = Read(fields, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}); n > most {
		t.Errorf("got %v allocations, want at most %v", n, most)
	}
}

func BenchmarkParse(b *testing.B) {
	body := []byte("SAMLResponse=" + strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVg%2B", 190) + "&RelayState=%2F")
	form := make([]byte, len(body))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		copy(form, body)
		fields, err := Parse(form)
		if err == nil {
			_, err = Read(fields, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
