// Package ticket makes session ids that contain their session, as a TLS session ticket does (RFC 5077): sealed,
// so that only the app's instances can make or read one, and complete, so that any of them can serve a session
// that it never opened.
//
// An id is visible ASCII (MCP transports, "Session Management"):
//
//	mcpf- a base64url( salt 16 | AES-256-GCM( created | digest | deflate( version 0 initialize ) ) | tag 16 )
//
// The letter after the prefix is the version of this layout, including the dictionary. Each id is sealed under
// its own key, derived from the app's key and the salt by HKDF (RFC 5869), with a nonce of zeros: instances that
// share a key but no counter would have to draw the same 128 bits twice before a nonce is repeated, whereas
// random nonces of GCM's own 96 bits under one key must be given up after 2^32 ids (NIST SP 800-38D, section
// 8.3). XChaCha20-Poly1305 does the same with one derivation less, but it is not in the standard library, and
// every project would carry it.
//
// The caller, client and server of a session are authenticated but not contained: an id opens for its holder,
// and for anyone else it is as broken as a forged one.
package ticket

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"
)

const (
	// Prefix begins every id.
	Prefix = "mcpf-"
	// MaxLength is the longest id in bytes: it goes with every request, in a head of 32 KiB at most.
	MaxLength = 2 << 10

	layout   = "a" // to be changed with anything that an older instance could not read
	saltSize = 16
	tagSize  = 16
	minSize  = saltSize + 1 + digestSize + tagSize // in bytes before base64
)

var (
	// ErrInvalid says that an id is not one that was sealed under these keys for this holder. It does
	// not say why: one who tries would learn what to try next.
	ErrInvalid = errors.New("the session id is not valid")
	// ErrTooLong says that what a ticket is to carry does not fit into MaxLength. Such a session can
	// still have an id of another kind, that one instance alone knows.
	ErrTooLong = errors.New("the session id is too long")
)

// A Holder is who an id is good for: what a session is found by, apart from the id.
type Holder struct{ Server, Principal, Client string }

// A Ticket is what an id carries: what an instance must know to say the handshake to a fresh process
// in the client's place, and to notice that the process is not the one that the client knows.
type Ticket struct {
	Version    string           // protocol version that the server answered
	Initialize []byte           // params of the client's initialize request: JSON as it was sent
	Result     [digestSize]byte // digest of what the server answered to it
	Created    time.Time        // to the second; before 1970 is 1970
}

// Seal returns a new id of t that opens for h alone. Two ids are never the same, whatever they carry.
// It fails with ErrTooLong.
func (k *Keys) Seal(h Holder, t Ticket) (id string, err error) {
	packed, err := k.pack(t)
	if err != nil {
		return "", err
	}
	sealed := make([]byte, saltSize, saltSize+len(packed)+tagSize)
	rand.Read(sealed)
	sealed = derive(idPurpose, k.keys[0], sealed).Seal(sealed, make([]byte, nonceSize), packed, h.bytes())
	id = Prefix + layout + base64.RawURLEncoding.EncodeToString(sealed)
	if len(id) > MaxLength {
		return "", ErrTooLong
	}
	return id, nil
}

// Open returns what id carries if it was sealed for h under any of the keys, and ErrInvalid if not.
// It does not know how old an id may be.
//
// An id that is not an id by its form is refused at once, which tells nobody more than they sent. Nothing of the
// content is looked at before it is authenticated.
func (k *Keys) Open(h Holder, id string) (Ticket, error) {
	text, ok := strings.CutPrefix(id, Prefix+layout)
	if !ok || len(id) > MaxLength || strings.ContainsAny(text, "\r\n") { // which the decoder skips
		return Ticket{}, ErrInvalid
	}
	// Strict: with the unused bits of the last character free, one session would have several ids,
	// and one that was revoked would live on under another.
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < minSize {
		return Ticket{}, ErrInvalid
	}
	packed, ok := k.open(idPurpose, make([]byte, nonceSize), sealed, h.bytes())
	if !ok {
		return Ticket{}, ErrInvalid
	}
	return k.unpack(packed)
}

const (
	idPurpose = "mcpfunc session id " + layout
	nonceSize = 12 // of GCM
)

// open returns what was sealed for a purpose and about something, under any of the keys: salt and ciphertext. All keys
// are tried, no matter which fits or whether any does.
func (k *Keys) open(purpose string, nonce, sealed, about []byte) (plain []byte, ok bool) {
	for _, key := range k.keys {
		text, err := derive(purpose, key, sealed[:saltSize]).Open(nil, nonce, sealed[saltSize:], about)
		if err == nil {
			plain, ok = text, true
		}
	}
	return plain, ok
}

// derive returns the cipher of what has this salt, and serves this purpose and no other.
func derive(purpose string, key, salt []byte) cipher.AEAD {
	block, err := aes.NewCipher(deriveKey(purpose, key, salt))
	if err != nil {
		panic("ticket: " + err.Error()) // of other sizes than ours
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("ticket: " + err.Error())
	}
	return aead
}

func deriveKey(purpose string, key, salt []byte) []byte {
	sub, err := hkdf.Key(sha256.New, key, salt, purpose, keySize)
	if err != nil {
		panic("ticket: no key can be derived: " + err.Error()) // of other sizes than ours
	}
	return sub
}

// bytes is the holder in one piece, so that no two holders have the same.
func (h Holder) bytes() []byte {
	var b []byte
	for _, part := range []string{h.Server, h.Principal, h.Client} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

// pack writes a ticket as it is sealed. The digest is random bytes to a compressor and stays outside.
func (k *Keys) pack(t Ticket) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(max(0, t.Created.Unix())))
	b = append(b, t.Result[:]...)
	if strings.Contains(t.Version, "\x00") || len(t.Version)+1+len(t.Initialize) > maxPlain {
		return nil, ErrTooLong
	}
	return k.flate.deflate(b, slices.Concat([]byte(t.Version), []byte{0}, t.Initialize))
}

func (k *Keys) unpack(b []byte) (Ticket, error) {
	created, n := binary.Uvarint(b)
	if n <= 0 || len(b) < n+digestSize {
		return Ticket{}, ErrInvalid
	}
	t := Ticket{Created: time.Unix(int64(created), 0), Result: [digestSize]byte(b[n:])}
	plain, err := k.flate.inflate(b[n+digestSize:])
	if err != nil {
		return Ticket{}, ErrInvalid
	}
	version, initialize, ok := strings.Cut(string(plain), "\x00")
	if !ok {
		return Ticket{}, ErrInvalid
	}
	t.Version, t.Initialize = version, []byte(initialize)
	return t, nil
}

const digestSize = 8

// Digest returns what Result holds of an answer: enough to notice a server that has become another,
// not to withstand one that wants to look the same, which could as well be the same.
func Digest(answer []byte) [digestSize]byte {
	sum := sha256.Sum256(answer)
	return [digestSize]byte(sum[:])
}
