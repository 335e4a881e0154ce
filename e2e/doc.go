// Package e2e has the tests that take more than one program: real browsers at a whole sign-in,
// other people's routers and session libraries around the handler, a real nginx and real databases,
// and several processes of one service. It is a module of its own, so that none of what it needs is a requirement of the
// library. Package idp below it has real identity providers.
//
//	go test ./...
//
// The browsers are those of Debian (packages.txt). A test whose browser is absent is skipped, and
// with SAML_TEST_REQUIRE=all it fails. E2E_OUT names the directory for the tables and screenshots;
// without it they go to a temporary one.
package e2e
