package saml

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// gzipped compresses data.
func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// TestFetchCompressed: the document is the same as without compression, and what counts is its
// length after unpacking.
func TestFetchCompressed(t *testing.T) {
	t.Parallel()
	document := []byte(`<EntityDescriptor entityID="https://idp.example.com/">` + strings.Repeat("<!-- a -->", 1000) + "</EntityDescriptor>")
	good := gzipped(t, document)
	badSum := bytes.Clone(good)
	badSum[len(badSum)-5] ^= 1 // CRC32 and length are the last 8 bytes, RFC 1952 §2.3.1
	badMiddle := bytes.Clone(good)
	badMiddle[12] ^= 0x55
	noise := make([]byte, maxFile) // that gzip cannot make smaller
	for i, x := 0, uint64(1); i < len(noise); i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		noise[i] = byte(x)
	}
	var deflated bytes.Buffer
	w := zlib.NewWriter(&deflated)
	w.Write(document)
	w.Close()
	const broken, notGzip, notAsked, large = "broken or cut off", "but it is not", "not asked for", "more than 4 MiB"
	for _, row := range []struct {
		name, encoding string
		body, want     []byte
		message        string
	}{
		{"not compressed", "", document, document, ""},
		{"called identity", "identity", document, document, ""},
		{"gzip", "gzip", good, document, ""},
		{"gzip by its old name", "x-gzip", good, document, ""},
		{"gzip in capitals", "GZIP", good, document, ""},
		{"gzip in two members", "gzip", append(gzipped(t, document[:99]), gzipped(t, document[99:])...), document, ""},
		{"4 MiB after unpacking", "gzip", gzipped(t, make([]byte, maxFile)), make([]byte, maxFile), ""},
		{"4 MiB that do not get smaller", "gzip", gzipped(t, noise), noise, ""},
		{"a byte more than 4 MiB after unpacking", "gzip", gzipped(t, make([]byte, maxFile+1)), nil, large},
		{"a gzip bomb of 8 MiB", "gzip", gzipped(t, make([]byte, 8<<20)), nil, large},
		{"cut off in the middle", "gzip", good[:len(good)/2], nil, broken},
		{"cut off in the header", "gzip", good[:5], nil, broken},
		{"cut off before the length", "gzip", good[:len(good)-4], nil, broken},
		{"nothing at all", "gzip", nil, nil, broken},
		{"a wrong checksum", "gzip", badSum, nil, broken},
		{"a wrong byte in the middle", "gzip", badMiddle, nil, broken},
		{"something behind the end", "gzip", append(bytes.Clone(good), "<!-- -->"...), nil, broken},
		{"called gzip, and it is not", "gzip", document, nil, notGzip},
		{"deflate", "deflate", deflated.Bytes(), nil, notAsked},
		{"Brotli", "br", document, nil, notAsked},
		{"gzip twice", "gzip, gzip", gzipped(t, good), nil, notAsked},
	} {
		server, options := fetchServer(t, func(w http.ResponseWriter, r *http.Request) {
			if row.encoding != "" {
				w.Header().Set("Content-Encoding", row.encoding)
			}
			w.Write(row.body)
		})
		got, err := FetchMetadata(t.Context(), server.URL, options)
		if row.message == "" {
			if err != nil || !bytes.Equal(got, row.want) {
				t.Errorf("%s: got %d bytes, %v, want %d bytes", row.name, len(got), err, len(row.want))
			}
			continue
		}
		want := CodeMetadataFetch
		if row.message == large {
			want = CodeTooLarge
		}
		if e := onlyFault(t, err); e.Code != want || !strings.Contains(e.Message, row.message) || e.Hint == "" || got != nil {
			t.Errorf("%s: got %d bytes, %v, want %s with %q", row.name, len(got), err, string(want), row.message)
		}
	}
}

// TestFetchErrorPages: of the page of an error nothing is shown but the number that Entra gives.
func TestFetchErrorPages(t *testing.T) {
	t.Parallel()
	const private = "contoso-secret"
	for _, row := range []struct{ name, body, number string }{
		{"an unknown tenant", `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant '` + private + `' not found. Check to make sure"}`, "AADSTS90002"},
		{"an unknown application", `{"error_description":"AADSTS700016: Application with identifier '` + private + `' was not found"}`, "AADSTS700016"},
		{"a number of five digits", private + " AADSTS50105: " + private, "AADSTS50105"},
		{"a number of seven digits in a query", "error_description%3DAADSTS7000112%3A" + private, "AADSTS7000112"},
		{"two numbers", "AADSTS90002: AADSTS50105: " + private, "AADSTS90002"},
		{"behind a long beginning", strings.Repeat(" ", 20<<10) + "AADSTS90002: " + private, "AADSTS90002"},
		{"too few digits", "AADSTS9000: " + private, ""},
		{"too many digits", "AADSTS90002000: " + private, ""},
		{"behind more than is searched", strings.Repeat(" ", 40<<10) + "AADSTS90002: " + private, ""},
		{"the page of a filter", "<html>" + private + ": blocked by policy</html>", ""},
		{"nothing", "", ""},
	} {
		for _, packed := range []bool{false, true} {
			server, options := fetchServer(t, func(w http.ResponseWriter, r *http.Request) {
				body := []byte(row.body)
				if packed {
					w.Header().Set("Content-Encoding", "gzip")
					body = gzipped(t, body)
				}
				w.WriteHeader(http.StatusBadRequest)
				w.Write(body)
			})
			_, err := FetchMetadata(t.Context(), server.URL, options)
			e := onlyFault(t, err)
			want := quote("400 Bad Request")
			if row.number != "" {
				want = quote("400 Bad Request, " + row.number)
			}
			if e.Code != CodeMetadataFetch || e.Got != want || e.Hint == "" {
				t.Errorf("%s, compressed %t: got %s with %s (%s), want %s", row.name, packed, string(e.Code), e.Got, e.Hint, want)
			}
			advice := aadstsHint(row.number, asked{method: true})
			if row.number == "AADSTS90002" || row.number == "AADSTS700016" { // here they are about the address
				advice = "App Federation Metadata Url: copy the address again"
			}
			if !strings.Contains(e.Hint, advice) {
				t.Errorf("%s: the hint is %q, want that of the number, %q", row.name, e.Hint, advice)
			}
			if strings.Contains(fmt.Sprintf("%+v", *e), private) {
				t.Errorf("%s: the page is in %+v", row.name, *e)
			}
		}
	}
	if aadstsHint("AADSTS50105", asked{}) == "" {
		t.Error("no row has a number with a hint")
	}
}

// TestFetchStatusHints: who has the right address is not told to compare it.
func TestFetchStatusHints(t *testing.T) {
	t.Parallel()
	server, options := fetchServer(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
	})
	for status, want := range map[int]string{400: "Compare the address", 401: "to this service", 403: "to this service", 404: "Compare the address", 407: "to this service",
		410: "Compare the address", 429: "try again in a few minutes", 500: "try again in a few minutes", 503: "try again in a few minutes", 204: "Compare the address"} {
		_, err := FetchMetadata(t.Context(), fmt.Sprintf("%s/%d", server.URL, status), options)
		if e := onlyFault(t, err); e.Code != CodeMetadataFetch || !strings.Contains(e.Hint, want) || !strings.Contains(e.Hint, "with a browser") {
			t.Errorf("status %d: got %v (%s), want the hint %q", status, err, e.Hint, want)
		}
	}
}
