package xmltree

import (
	"sync"
	"unsafe"
)

// An arena is the memory for what a Document knows about its source. It serves one document after
// the other, because it would be most of the garbage that a message leaves. This is safe:
//
//   - It holds offsets and numbers, and no byte of a message. Its only pointers are the headers of
//     the interned strings, and Release clears them.
//   - It is reached through its Document alone, which is new for each parse. Release takes it away
//     from the Document. An Element of that Document then finds no node and panics; it cannot see
//     what the arena holds for somebody else.
//   - Parse empties every slice (roomFor), appends, and writes each entry as a whole. So nothing
//     depends on what an arena held before.
//   - Only Parse and Release put an arena back, once it is complete. After a panic, and if nobody calls
//     Release, it is garbage like any other memory.
type arena struct {
	nodes            []node // in document order; an element's descendants follow it directly
	attrs            []attribute
	decls            []declaration
	bound            []int32  // of the parser
	prefixes, spaces []string // interned; noPrefix, xmlPrefix, noSpace and xmlSpace are fixed
}

// maxKept is the size in bytes up to which memory is kept for other documents. A message with 10,000
// groups stays below it.
const maxKept = 1 << 20

var arenas = sync.Pool{New: func() any { return new(arena) }}

// takeArena gives d the arena in home.
func (d *Document) takeArena(home *arena) {
	d.arena, *home = *home, arena{}
	d.home.Store(home)
}

// Release gives the memory of d back for other documents. It is the caller's last use of d: every
// method of d and of its Elements panics afterwards, but for Exists and Release. Strings that were
// taken from d stay valid, because they share the memory of the source.
//
// Nobody else may be using d meanwhile. Calling Release is optional, and doing it twice is harmless.
func (d *Document) Release() {
	if home := d.leaveArena(); home != nil {
		arenas.Put(home)
	}
}

// leaveArena puts the arena of d back into its home and returns that, or nil if it was done before.
func (d *Document) leaveArena() *arena {
	home := d.home.Swap(nil) // so that not even two calls at once give one arena back twice
	if home == nil {
		return nil
	}
	a := d.arena
	d.src, d.arena, d.prefixIndex = "", arena{}, nil
	if a.size() <= maxKept { // a larger one is garbage
		clear(a.prefixes)
		clear(a.spaces)
		*home = a
	}
	return home
}

// size returns how much memory the arena takes up, in bytes.
func (a *arena) size() int {
	return sizeOf(a.nodes) + sizeOf(a.attrs) + sizeOf(a.decls) + sizeOf(a.bound) + sizeOf(a.prefixes) + sizeOf(a.spaces)
}

func sizeOf[T any](s []T) int {
	var one T
	return cap(s) * int(unsafe.Sizeof(one))
}

// roomFor returns s without its entries if n fit into it, or else a new slice for n entries.
func roomFor[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}

// released is the panic of an Element whose Document was released. No input leads to it: whoever
// calls Release does so when the message has been judged.
const released = "xmltree: an Element is used after its Document was released"

// stacks are the working memory of one Canonicalize, used again like an arena. They hold numbers of
// nodes, attributes, prefixes and namespaces, and nothing else.
type stacks struct {
	// rendered holds for each prefix the namespace that was last written for it in the open
	// elements. undo restores the previous values when an element ends. open is the stack of the
	// elements that have begun and not ended.
	rendered []int32
	undo     []binding
	open     []openElement

	needed  []binding // the declarations to write
	ordered []int32   // attributes in canonical order, as indices into doc.attrs
}

var stacksPool = sync.Pool{New: func() any { return new(stacks) }}

// takeStacks gives w the stacks in home, empty.
func (w *writer) takeStacks(home *stacks) {
	s := *home
	*home = stacks{}
	w.stacks = stacks{s.rendered[:0], s.undo[:0], s.open[:0], s.needed[:0], s.ordered[:0]}
}

// leaveStacks puts the stacks of w back into their home. w must not be used afterwards.
func (w *writer) leaveStacks(home *stacks) {
	if w.size() <= maxKept { // larger ones are garbage
		*home = w.stacks
	}
}

func (s *stacks) size() int {
	return sizeOf(s.rendered) + sizeOf(s.undo) + sizeOf(s.open) + sizeOf(s.needed) + sizeOf(s.ordered)
}
