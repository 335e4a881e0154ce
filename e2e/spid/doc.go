// Package spid runs Italy's official checks for service providers, spid-sp-test, against a small
// service built on the library: our metadata, our request, and more than a hundred responses, most
// of which must be refused.
//
// The suite knows more rules than SAML has, since Italy's public identity system (SPID) sets its
// own. checks.tsv lists each check of metadata and request that fails, and responses.tsv what
// becomes of each response; both give the reason where we differ from the suite. A new difference
// fails the test, and so does one that is gone.
//
// The test installs the suite into SAML_TEST_CACHE (default iomete-saml in the user's folder for
// caches), at the versions and hashes in requirements.txt. That folder may be deleted at any time.
package spid
