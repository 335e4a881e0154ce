package session

import (
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestCookiesNamed compares cookiesNamed with net/http, for lines made of parts of cookies.
func TestCookiesNamed(t *testing.T) {
	t.Parallel()
	const name = "s-s"
	parts := []string{name, hostPrefix, name + "=1", hostPrefix + name + "=2", "=", ";", "; ", " ", "\t", "-", "s", "x-" + name + "=3",
		`"`, ",", "é", "other=" + name, "other=-" + name + "; ", name + name}
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
		}
	}
	if found < 1000 {
		t.Errorf("only %d cookies were found", found)
	}
}
