package dsig

import "testing"

// TestWhatIsAnAlgorithm: the names that a policy can allow, and those of them that need AllowSHA1.
func TestWhatIsAnAlgorithm(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		uri                     string
		signature, digest, sha1 bool
	}{
		{"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", true, false, false},
		{"http://www.w3.org/2001/04/xmlenc#sha256", false, true, false},
		{"http://www.w3.org/2000/09/xmldsig#rsa-sha1", true, false, true},
		{"http://www.w3.org/2000/09/xmldsig#sha1", false, true, true},
		{"http://www.w3.org/2000/09/xmldsig#hmac-sha1", false, false, false},
		{"", false, false, false},
	} {
		if s, d, sha1 := IsSignatureMethod(row.uri), IsDigestMethod(row.uri), IsSHA1(row.uri); s != row.signature ||
			d != row.digest || sha1 != row.sha1 {
			t.Errorf("%q: a signature method %t, a digest method %t, SHA-1 %t", row.uri, s, d, sha1)
		}
	}
}
