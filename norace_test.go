//go:build !race

package saml_test

// raceDetector: see race_test.go.
const raceDetector = false
