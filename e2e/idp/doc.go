// Package idp runs identity providers that other people wrote against a service built on the
// library: Keycloak, SimpleSAMLphp, LemonLDAP::NG, pysaml2 and Auth0's samlp (products/ has what
// each needs to start). Nothing is simulated. Each product is started on a free port of localhost,
// reads our metadata as ServiceProvider.Metadata writes it, and is used by a browser without a
// screen, which follows redirects, submits forms and types passwords. The service listens on
// 127.0.0.1, so the two are different sites for cookies.
//
//	go test -tags idp -v ./idp
//
// Each test is a table of rows: how an administrator sets the product, how our Config is set, what
// the user does, and what must come of it. The outcome of every row is written to idp.txt in the
// directory that E2E_OUT names. A product that is not installed is skipped, and with
// SAML_TEST_REQUIRE=all it fails; ../packages.txt has the Debian packages.
//
// Keycloak is no Debian package: Maven's client downloads it once (177 MB, only with
// SAML_TEST_REQUIRE=all), and SAML_TEST_CACHE names the folder that keeps it unpacked and built
// (default iomete-saml in the user's folder for caches). Both may be deleted at any time.
package idp
