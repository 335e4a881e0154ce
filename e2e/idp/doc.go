// Package idp runs identity providers that other people wrote against a service built on the library: SimpleSAMLphp, LemonLDAP::NG,
// pysaml2 and Auth0's samlp (products/ has what each needs to start). Nothing is simulated. Each product is started on a free port of
// localhost, reads our metadata as ServiceProvider.Metadata writes it, and is used by a browser without a screen, which follows
// redirects, submits forms and types passwords. The service listens on 127.0.0.1, so the two are different sites for cookies.
//
//	go test -v ./idp
//
// Each test is a table of rows: how an administrator sets the product, how our Config is set, what the user does, and what must come
// of it. The outcome of every row is written to idp.txt in the directory that E2E_OUT names. A product that is not installed is
// skipped, and with SAML_TEST_REQUIRE=all it fails; ../packages.txt has the Debian packages.
package idp
