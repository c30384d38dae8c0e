package message

import "sync"

// PieceSize is the size of the pieces that large messages are made of, in bytes. A message within
// it lies in one piece.
const PieceSize = 64 << 10

// smallSize is what a message keeps of its own. Most messages fit, and cost no piece.
const smallSize = 1 << 10

// A Piece is memory to read into. Pieces are pooled: whoever took one gives it back with FreePiece
// or hands it to a Message.
type Piece [PieceSize]byte

var pieces = sync.Pool{New: func() any { return new(Piece) }}

// NewPiece takes a piece from the pool. Its contents are arbitrary.
func NewPiece() *Piece { return pieces.Get().(*Piece) }

// FreePiece gives p back.
func FreePiece(p *Piece) { pieces.Put(p) }
