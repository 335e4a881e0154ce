package saml

import "testing"

// For the tests of package saml_test.
var NewMemoryStoreWithClock = newMemoryStore

// VectorRefusals returns how the vectors are refused. Their identity provider is Microsoft Entra
// ID.
func VectorRefusals(t testing.TB) (refusals []error) {
	for _, v := range readVectors(t) {
		if _, err := v.finish(t, allChecks); err != nil {
			refusals = append(refusals, err)
		}
	}
	return refusals
}
