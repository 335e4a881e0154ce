//go:build linux

package xmltree_test

import (
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/iomete/saml/internal/xmltree"
)

// TestParsePanicDropsArena lets a document be read into memory that ends early, so that Parse panics
// half-way: the arena must not come back.
func TestParsePanicDropsArena(t *testing.T) {
	t.Parallel()
	page := syscall.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(memory) }()
	if err := syscall.Mprotect(memory[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	var home xmltree.Arena
	home.SetNodes(memory)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	src := entraResponse(28)
	if panicOf(func() { _, _ = xmltree.ParseIn(&home, src, messages) }) == nil {
		t.Fatal("there was no panic")
	}
	if !home.Empty() {
		t.Error("the arena of a panic was given back")
	}
}
