package ticket

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
)

// What instances keep for each other outside of their memory is sealed with the keys of session ids,
// in records:
//
//	salt 16 | AES-256-GCM( plain ) | tag 16
//
// A Sealer draws one salt and derives one key by it, as an id does; the records that it seals are told
// apart by their numbers, which are their nonces.

const (
	recordPurpose = "mcpfunc record a" // to be changed with the layout
	// Overhead is how many bytes longer a record is than what it carries.
	Overhead = saltSize + tagSize
)

// ErrRecord says that a record is not one that was sealed under these keys, about the same and with
// this number.
var ErrRecord = errors.New("the record is not valid")

// A Sealer seals records. It is used by one goroutine at a time.
type Sealer struct {
	salt [saltSize]byte
	aead cipher.AEAD
}

// Sealer returns a new one, which seals with the first key.
func (k *Keys) Sealer() *Sealer {
	s := new(Sealer)
	rand.Read(s.salt[:])
	s.aead = derive(recordPurpose, k.keys[0], s.salt[:])
	return s
}

// Seal returns the record of plain with this number, which no other record of this Sealer may have.
// What it is about is authenticated and not contained.
func (s *Sealer) Seal(number uint64, plain, about []byte) []byte {
	record := make([]byte, saltSize, len(plain)+Overhead)
	copy(record, s.salt[:])
	return s.aead.Seal(record, recordNonce(number), plain, about)
}

// OpenRecord returns what a record carries that was sealed with this number and about this, under any
// of the keys. It fails with ErrRecord.
func (k *Keys) OpenRecord(number uint64, record, about []byte) ([]byte, error) {
	if len(record) < Overhead {
		return nil, ErrRecord
	}
	plain, ok := k.open(recordPurpose, recordNonce(number), record, about)
	if !ok {
		return nil, ErrRecord
	}
	return plain, nil
}

func recordNonce(number uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, nonceSize-8, nonceSize), number)
}
