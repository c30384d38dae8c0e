package ticket

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestRecordOpensForWhatItIsAboutOnly(t *testing.T) {
	t.Parallel()
	k := RandomKeys()
	s := k.Sealer()
	plain, about := []byte("what a user was told"), []byte("stream 3")
	record := s.Seal(7, plain, about)
	if got, err := k.OpenRecord(7, record, about); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	if bytes.Contains(record, plain) || len(record) != len(plain)+Overhead {
		t.Errorf("%d bytes: %q", len(record), record)
	}
	changed := bytes.Clone(record)
	changed[len(changed)/2] ^= 1
	for what, try := range map[string]struct {
		k      *Keys
		number uint64
		record []byte
		about  string
	}{
		"another number":  {k, 8, record, "stream 3"},
		"another stream":  {k, 7, record, "stream 4"},
		"other keys":      {RandomKeys(), 7, record, "stream 3"},
		"changed":         {k, 7, changed, "stream 3"},
		"another sealer":  {k, 7, append(bytes.Clone(k.Sealer().salt[:]), record[saltSize:]...), "stream 3"},
		"truncated":       {k, 7, record[:len(record)-1], "stream 3"},
		"as short as can": {k, 7, record[:Overhead-1], "stream 3"},
		"empty":           {k, 7, nil, "stream 3"},
	} {
		if got, err := try.k.OpenRecord(try.number, try.record, []byte(try.about)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

// What one sealer sealed under an old key is read while that key is still known.
func TestRecordsOutliveARotation(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("0a", 16)+strings.Repeat("b1", 16), strings.Repeat("0b", 16)+strings.Repeat("c2", 16)
	keys := func(list string) *Keys {
		k, err := ParseKeys(list)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	record := keys(a).Sealer().Seal(1, []byte("x"), nil)
	for list, want := range map[string]error{a: nil, a + "," + b: nil, b + "," + a: nil, b: ErrRecord} {
		if _, err := keys(list).OpenRecord(1, record, nil); !errors.Is(err, want) {
			t.Errorf("with %d keys: %v, want %v", len(keys(list).keys), err, want)
		}
	}
}

// An id is not a record, although the same keys make both.
func TestIDIsNoRecord(t *testing.T) {
	t.Parallel()
	k := RandomKeys()
	record := k.Sealer().Seal(0, []byte("x"), alice.bytes())
	salt := record[:saltSize]
	id := derive(idPurpose, k.keys[0], salt)
	if _, err := id.Open(nil, make([]byte, nonceSize), record[saltSize:], alice.bytes()); err == nil {
		t.Error("the key of an id opens a record")
	}
}
