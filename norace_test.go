//go:build !race

package saml

// RaceDetector: see race_test.go.
const RaceDetector = false
