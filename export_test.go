package saml

// For the tests of package saml_test.
var NewMemoryStoreWithClock = newMemoryStore
