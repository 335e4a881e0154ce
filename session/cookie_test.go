package session

import (
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestCookiesNamed compares cookiesNamed and cookieValue with net/http, for lines made of parts of cookies.
func TestCookiesNamed(t *testing.T) {
	t.Parallel()
	const name = "s-s"
	parts := []string{name, hostPrefix, name + "=1", hostPrefix + name + "=2", "=", ";", "; ", " ", "\t", "-", "s", "x-" + name + "=3", name + `="4"`,
		`"`, ",", "é", "\\", `="`, "=\n", "\r", "other=" + name, "other=-" + name + "; ", name + name}
	found := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 6))
		request := &http.Request{Header: http.Header{}}
		for range r.IntN(3) {
			var line strings.Builder
			for range r.IntN(8) {
				line.WriteString(parts[r.IntN(len(parts))])
			}
			request.Header.Add("Cookie", line.String())
		}
		for _, name := range []string{name, hostPrefix + name} {
			got, want := cookiesNamed(request, name), request.CookiesNamed(name)
			if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("%q: got %v, want %v", request.Header["Cookie"], got, want)
			}
			found += len(want)
			value, ok := cookieValue(request, name)
			switch {
			case len(want) == 1 && (!ok || value != want[0].Value):
				t.Fatalf("%q: got %q, %t, want %q", request.Header["Cookie"], value, ok, want[0].Value)
			case len(want) != 1 && ok && canOpen(value):
				t.Fatalf("%q: got %q, want no value", request.Header["Cookie"], value)
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d cookies were found", found)
	}
}

// canOpen reports whether a value has only the bytes of a sealed session.
func canOpen(value string) bool {
	return strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}
