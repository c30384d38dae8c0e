// Package bufpool pools the pieces of memory that large messages are read into and consist of.
package bufpool

import "sync"

// Size is the size of a Piece in bytes. A message within it lies in one piece.
const Size = 64 << 10

// A Piece is memory to read into. The holder returns it with Put, or hands it to another holder
// that will.
type Piece [Size]byte

var pieces = sync.Pool{New: func() any { return new(Piece) }}

// Get takes a piece from the pool. Its contents are arbitrary: whatever was read into it before.
func Get() *Piece { return pieces.Get().(*Piece) }

// Put gives p back. The caller may not touch it afterwards.
func Put(p *Piece) { pieces.Put(p) }
