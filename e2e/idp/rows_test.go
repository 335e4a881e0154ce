package idp

import (
	"testing"
)

// keyPhase is a moment of a change of the product's signing keys.
type keyPhase int

const (
	keysOld       keyPhase = iota // the old key signs, and is alone in the metadata
	keysAnnounced                 // the old key signs, and the new one is in the metadata too
	keysNew                       // the new key signs, and is alone in the metadata
)

// A roller is a product whose keys can be changed while it runs.
type roller interface {
	roll(*testing.T, keyPhase)
}
