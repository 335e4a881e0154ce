package console_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// strangersForm is a settings form with two fields of a size, as somebody can post it who is signed
// in nowhere.
func strangersForm(tb testing.TB, size int) (body []byte, contentType string) {
	tb.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, name := range []string{"certificate", "pasted"} {
		if err := m.WriteField(name, strings.Repeat("<", size)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes(), m.FormDataContentType()
}

// BenchmarkStrangersForm says what one post of a stranger costs: B/op is what it allocates.
func BenchmarkStrangersForm(b *testing.B) {
	w := newWorld(b)
	body, contentType := strangersForm(b, 4<<20-4096)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, w.server.URL+"/settings/sso/save", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		w.console.ServeHTTP(httptest.NewRecorder(), r)
	}
}
