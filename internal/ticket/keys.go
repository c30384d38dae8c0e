package ticket

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	keySize = 32
	maxKeys = 8
)

// Keys seal ids and open them. They may be used from any goroutine, and print as nothing.
type Keys struct {
	keys  [][]byte // the first seals, all open
	flate *flates
}

// ParseKeys reads a list of keys with commas between them: 32 bytes each, in base64 of either
// alphabet, padded or not, or in hexadecimal. The first one seals and all of them open, so that a key
// is replaced without ending a session: put the new one last on every instance, then first, then
// leave the old one out when the sessions that it sealed are over. There are eight at most. An error
// says which key is wrong, and nothing of any key.
func ParseKeys(list string) (*Keys, error) {
	if strings.TrimSpace(list) == "" {
		return nil, errors.New("no key")
	}
	k := &Keys{flate: newFlates()}
	parts := strings.Split(list, ",")
	if len(parts) > maxKeys {
		return nil, fmt.Errorf("%d keys, want at most %d", len(parts), maxKeys)
	}
	for i, part := range parts {
		key, err := parseKey(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("key %d of %d %w", i+1, len(parts), err)
		}
		k.keys = append(k.keys, key)
	}
	return k, nil
}

func parseKey(text string) ([]byte, error) {
	decode := base64.RawURLEncoding.DecodeString
	if len(text) == hex.EncodedLen(keySize) {
		decode = hex.DecodeString
	}
	key, err := decode(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "="))
	switch {
	case err != nil: // it may quote the text
		return nil, errors.New("is neither base64 nor hexadecimal")
	case len(key) != keySize:
		return nil, fmt.Errorf("has %d bytes, want %d", len(key), keySize)
	case bytes.Count(key, key[:1]) == keySize:
		return nil, errors.New("is a placeholder: all its bytes are the same")
	}
	return key, nil
}

// RandomKeys returns one new key, which nobody else has: what it seals opens here and nowhere else.
func RandomKeys() *Keys {
	key := make([]byte, keySize)
	rand.Read(key)
	return &Keys{keys: [][]byte{key}, flate: newFlates()}
}

// Name returns what text is called where others may read it: it says nothing of text, and without the first key
// nobody can try what it might be.
func (k *Keys) Name(text string) string { return nameBy(k.keys[0], text) }

// Several reports whether there is more than one key, as while one is replaced.
func (k *Keys) Several() bool { return len(k.keys) > 1 }

// Names returns Name, and what text is called where another of the keys comes first.
func (k *Keys) Names(text string) (names []string) {
	for _, key := range k.keys {
		names = append(names, nameBy(key, text))
	}
	return names
}

func nameBy(key []byte, text string) string {
	mac := hmac.New(sha256.New, deriveKey("mcpfunc name a", key, nil))
	io.WriteString(mac, text)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Format prints that there are keys, for every verb: no log shows what they are.
func (k *Keys) Format(s fmt.State, _ rune) { io.WriteString(s, "session keys") }
