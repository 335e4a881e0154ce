package page

import (
	"bytes"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// postTemplate is the page of Post as html/template writes it, which knows the rules of each place.
// The message is where the nonce is the value of a field.
var postTemplate = template.Must(template.New("post").Parse(`<!DOCTYPE html>
<html lang="{{.Language.Name}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title>
<style nonce="{{.Nonce}}">body{font:1rem/1.5 system-ui,sans-serif;color-scheme:light dark;text-align:center;margin:20vh 1rem}button{font:inherit;padding:.5em 1.5em}</style>
</head><body><form method="post" action="{{.Action}}">{{range .Marks}}{{if .Value}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}{{end}}
{{- with .RelayState}}<input type="hidden" name="RelayState" value="{{.}}">{{end}}<input type="hidden" name="{{.Field}}" value="{{.Nonce}}">
<noscript><p>{{.Press}}</p></noscript><button type="submit">{{.Continue}}</button></form>` + fragmentForm + `
<script nonce="{{.Nonce}}">{` + fragmentScript + `const f=document.forms[0]
{{- if .Keep}};try{sessionStorage.setItem("saml-return",{{.Keep}})}catch(e){}{{end}}
{{- if .Load}};try{const v=sessionStorage.getItem("saml-return");if(v){const i=document.createElement("input");i.type='hidden';i.name={{.Load}};i.value=v;f.appendChild(i)}}catch(e){}{{end}}
f.querySelector("button").disabled=true;f.submit()}}</script>
</body></html>
`))

// byTemplate returns the page with a given nonce as html/template makes it.
func byTemplate(t testing.TB, p Post, nonce string, message []byte) string {
	t.Helper()
	var page strings.Builder
	p.Title = p.Language.Say(p.Title)
	err := postTemplate.Execute(&page, struct {
		Post
		Press, Continue, Nonce string
	}{p, p.Language.Say(textPress), p.Language.Say(textContinue), nonce})
	if err != nil {
		t.Fatal(err)
	}
	var escaped bytes.Buffer
	template.HTMLEscape(&escaped, message)
	head, tail, found := strings.Cut(page.String(), ` value="`+nonce+`"`)
	if !found {
		t.Fatal("the template has no place for the message")
	}
	return head + ` value="` + escaped.String() + `"` + tail
}

// checkPost compares a page with that of the template, and returns it.
func checkPost(t testing.TB, p Post, message []byte) string {
	t.Helper()
	w := httptest.NewRecorder()
	p.Write(w, message)
	_, nonce, _ := strings.Cut(w.Header().Get("Content-Security-Policy"), "'nonce-")
	nonce, _, _ = strings.Cut(nonce, "'")
	got, want := w.Body.String(), byTemplate(t, p, nonce, message)
	if got != want {
		i := 0
		for i < len(got) && i < len(want) && got[i] == want[i] {
			i++
		}
		t.Errorf("%+v differs from the template at %d: got %q, want %q", p, i, got[i:min(i+80, len(got))], want[i:min(i+80, len(want))])
	}
	return got
}

// TestPostIsThatOfTheTemplate: each byte that a value may have, in each place, alone and beside
// others, with and without each part.
func TestPostIsThatOfTheTemplate(t *testing.T) {
	t.Parallel()
	values := []string{"", "x", `a"b`, "a&b<c>d'e+f", "\x00", "\xff\xfe", "a\u2028b\u2029c", "\ufffd\uffff\ufdd0", "ä€😀", "%", "%4", "%41%zz%",
		"</script><!--", "javascript:alert(1)", "https://a.example/b?c=d&e=f+g#h", "HTTP://x/(y)'z'", "mailto:a@b", "a/b:c", "a b\tc\r\nd", `\`, "`"}
	for c := range 256 {
		values = append(values, string([]byte{byte(c)}), "https://a/"+string([]byte{byte(c), '4', '1'}))
	}
	for _, v := range values {
		checkPost(t, Post{Title: v, Action: v, Field: v, Marks: []Field{{v, v}, {v, ""}, {"saml_leg", "2"}}, RelayState: &v, Keep: v, Load: v,
			Fragment: Fragment{v, v, v, len(v)}}, []byte(v))
		checkPost(t, Post{Title: v, Action: v, Field: "SAMLResponse",
			Language: Language{Tag: v, Translate: func(english string) string { return english + v }}}, []byte("PHg+"))
		checkPost(t, Post{Marks: []Field{{"RelayState", v}}, Load: "saml_return", FramedBy: []string{"https://a.example.com"}}, bytes.Repeat([]byte("QUJD+/=\r\n\t "), 1000))
	}
	checkPost(t, Post{Fragment: Fragment{Room: -1}}, nil)
}

// FuzzPost: whatever the values are, the page is that of the template, and the message is in its
// attribute: the page has the double quotes, and beginnings of elements, of a page without values.
func FuzzPost(f *testing.F) {
	f.Add("Signing in", "https://a.example/acs", "SAMLResponse", "2", "/x", "tab", "saml_return", 10, []byte("PHg+"))
	f.Add(`"`, "javascript:", "<", "&", "\xff", "\u2028", "'", -1, []byte(`"><script>`))
	f.Fuzz(func(t *testing.T, title, action, field, mark, relay, keep, load string, room int, message []byte) {
		p := Post{Title: title, Action: action, Field: field, Marks: []Field{{mark, mark}}, RelayState: &relay, Keep: keep, Load: load,
			Fragment: Fragment{action, field, mark, room}}
		got := checkPost(t, p, message)
		bare := func(s string) string {
			if s == "" {
				return ""
			}
			return "x"
		}
		none := "x"
		p = Post{Title: "x", Action: "x", Field: "x", Marks: []Field{{"x", bare(mark)}}, RelayState: &none,
			Fragment: Fragment{bare(action), "x", "x", 1}}
		without := checkPost(t, p, nil)
		form, _, _ := strings.Cut(got, "<script nonce")
		want, _, _ := strings.Cut(without, "<script nonce")
		for _, special := range []string{`"`, "<", ">"} {
			if strings.Count(form, special) != strings.Count(want, special) {
				t.Errorf("got %d of %s, want %d: %s", strings.Count(form, special), special, strings.Count(want, special), form)
			}
		}
	})
}

// TestPostTakesOneBuffer: a message is written without a copy, whatever its length.
func TestPostTakesOneBuffer(t *testing.T) {
	message := bytes.Repeat([]byte("QUJD"), 1<<19)
	p := Post{Title: "Signing in", Action: "https://a.example.com/acs", Field: "SAMLResponse", Load: "saml_return", Marks: []Field{{"saml_leg", "2"}}}
	w := headersOnly{}
	if n := testing.AllocsPerRun(100, func() { p.Write(w, message) }); n > 8 {
		t.Errorf("got %v allocations, want at most 8", n)
	}
}

// headersOnly keeps no body.
type headersOnly http.Header

func (w headersOnly) Header() http.Header         { return http.Header(w) }
func (w headersOnly) Write(b []byte) (int, error) { return len(b), nil }
func (w headersOnly) WriteHeader(int)             {}
