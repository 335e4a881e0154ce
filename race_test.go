//go:build race

package saml_test

// raceDetector is on in tests with the race detector, which makes cryptography ten times slower:
// tests without goroutines of their own then do a part of their work.
const raceDetector = true
