//go:build race

package saml

// RaceDetector is on in tests with the race detector, which makes cryptography ten times slower:
// tests without goroutines of their own then do a part of their work.
const RaceDetector = true
