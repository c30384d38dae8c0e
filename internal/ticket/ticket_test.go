package ticket

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	alice = Holder{Server: "git", Principal: "tenant\x00alice", Client: "app-1"}
	sent  = time.Unix(1_800_000_000, 0)
)

func ticketOf(params string) Ticket {
	return Ticket{Version: "2025-11-25", Initialize: []byte(params), Result: Digest([]byte("answer")), Created: sent}
}

func seal(t testing.TB, k *Keys, h Holder, ticket Ticket) string {
	t.Helper()
	id, err := k.Seal(h, ticket)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestIDCarriesItsTicket(t *testing.T) {
	t.Parallel()
	k := RandomKeys()
	for _, want := range []Ticket{
		ticketOf(clients()["typescript"]),
		ticketOf(strings.Repeat("a", maxPlain-20)),
		{Created: time.Unix(0, 0)},
		{Version: "2024-11-05", Initialize: []byte("{\r\n \"x\": \"\x00\xff\"}"), Created: time.Unix(1<<40, 0)},
	} {
		got, err := k.Open(alice, seal(t, k, alice, want))
		if err != nil {
			t.Fatal(err)
		}
		if !got.Created.Equal(want.Created) {
			t.Errorf("created %v, want %v", got.Created, want.Created)
		}
		got.Created = want.Created
		if want.Initialize == nil {
			want.Initialize = []byte{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-sealed +opened)\n%s", diff)
		}
	}
}

func TestIDIsVisibleASCIIAndNeverTheSameTwice(t *testing.T) {
	t.Parallel()
	k := RandomKeys()
	seen := map[string]bool{}
	for range 1000 {
		id := seal(t, k, alice, ticketOf(clients()["go-sdk"]))
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
		if !strings.HasPrefix(id, Prefix) || strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
			t.Fatalf("id %q", id)
		}
	}
}

func TestIDOpensForItsHolderOnly(t *testing.T) {
	t.Parallel()
	k := RandomKeys()
	id := seal(t, k, alice, ticketOf(`{}`))
	for _, h := range []Holder{
		{},
		{"git", "tenant\x00bob", "app-1"},
		{"git", "tenant\x00alice", "app-2"},
		{"git", "tenant\x00alice", ""},
		{"files", "tenant\x00alice", "app-1"},
		{"git", "tenant", "\x00aliceapp-1"},
		{"gi", "ttenant\x00alice", "app-1"},
		{"", "git", "tenant\x00alice"},
		{"git", "tenant\x00alicea", "pp-1"},
	} {
		if _, err := k.Open(h, id); !errors.Is(err, ErrInvalid) {
			t.Errorf("opens for %q: %v", h, err)
		}
	}
}

func TestKeysRotateWithoutEndingASession(t *testing.T) {
	t.Parallel()
	a, b, c := strings.Repeat("0a", 16)+strings.Repeat("b1", 16), strings.Repeat("0b", 16)+strings.Repeat("c2", 16), strings.Repeat("0c", 16)+strings.Repeat("d3", 16)
	keys := func(list ...string) *Keys {
		k, err := ParseKeys(strings.Join(list, ","))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	stages := []*Keys{keys(a), keys(a, b), keys(b, a), keys(b, a, c), keys(c, b)}
	for i, sealer := range stages {
		id := seal(t, sealer, alice, ticketOf(`{}`))
		for j, opener := range stages[max(0, i-1):min(len(stages), i+2)] {
			if _, err := opener.Open(alice, id); err != nil {
				t.Errorf("what stage %d sealed does not open in a neighbour (%d): %v", i, j, err)
			}
		}
	}
	if _, err := keys(c, b).Open(alice, seal(t, keys(a), alice, ticketOf(`{}`))); !errors.Is(err, ErrInvalid) {
		t.Errorf("a key that was left out still opens: %v", err)
	}
}

func TestParseKeysTakesWhatPeopleHave(t *testing.T) {
	t.Parallel()
	raw := bytes.Repeat([]byte{0xfb, 0xff, 0x3e, 0x00}, 8) // has both of + and / in it
	id := ""
	for _, list := range []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
		"  " + base64.StdEncoding.EncodeToString(raw) + "\n",
		strings.Repeat("ab", 31) + "00, " + hex.EncodeToString(raw),
	} {
		k, err := ParseKeys(list)
		if err != nil {
			t.Errorf("%q: %v", list, err)
			continue
		}
		if id == "" {
			id = seal(t, k, alice, ticketOf(`{}`))
		}
		if _, err := k.Open(alice, id); err != nil {
			t.Errorf("%q is another key", list)
		}
	}
}

func TestParseKeysSaysWhichIsWrongAndNothingOfIt(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0123456789abcdef", 4)
	for _, tt := range []struct{ list, want string }{
		{"", "no key"},
		{" \n", "no key"},
		{good + ",", "key 2 of 2 has 0 bytes, want 32"},
		{good + ",c2VjcmV0", "key 2 of 2 has 6 bytes, want 32"},
		{"my secret pass phrase", "key 1 of 1 is neither base64 nor hexadecimal"},
		{good[:63] + "x", "key 1 of 1 is neither base64 nor hexadecimal"},
		{strings.Repeat("A", 43) + "=", "key 1 of 1 is a placeholder: all its bytes are the same"},
		{good + strings.Repeat(","+good, 8), "9 keys, want at most 8"},
	} {
		_, err := ParseKeys(tt.list)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: got %v, want %s", tt.list, err, tt.want)
		}
	}
}

func TestKeysPrintAsNothing(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("0123456789abcdef", 4)
	k, err := ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+"\n", k)
		fmt.Fprintf(&out, verb+"\n", struct{ K *Keys }{k})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("keys", "keys", k)
	if err := json.NewEncoder(&out).Encode(k); err != nil { //nolint:staticcheck // that nothing of it is exported is what this shows
		t.Fatal(err)
	}
	raw, _ := hex.DecodeString(key)
	for _, secret := range []string{key[:8], "1 35 69", string(raw[:4]), "0x1, 0x23"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("prints %q in\n%s", secret, &out)
		}
	}
}

func TestSealRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	k := RandomKeys()
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = Digest(fmt.Append(nil, i))[0]
	}
	for _, initialize := range [][]byte{noise, bytes.Repeat([]byte("a"), maxPlain)} {
		if id, err := k.Seal(alice, ticketOf(string(initialize))); !errors.Is(err, ErrTooLong) || id != "" {
			t.Errorf("%d bytes: got an id of %d bytes and %v", len(initialize), len(id), err)
		}
	}
	if _, err := k.Seal(alice, Ticket{Version: "a\x00b"}); !errors.Is(err, ErrTooLong) {
		t.Errorf("a version that would not come back: %v", err)
	}
}

// What decompresses to more than was ever sealed is refused at the bound, although a key sealed it.
func TestOpenBoundsWhatItDecompresses(t *testing.T) {
	t.Parallel()
	f := newFlates()
	bomb, err := f.deflate(nil, make([]byte, 64*maxPlain))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := f.inflate(bomb)
	if !errors.Is(err, ErrTooLong) || len(plain) > maxPlain+1 {
		t.Errorf("%d bytes came of %d, %v", len(plain), len(bomb), err)
	}
}

func TestNamesDifferByKeyAndText(t *testing.T) {
	t.Parallel()
	a, b := RandomKeys(), RandomKeys()
	if a.Name("x") != a.Name("x") || a.Name("x") == a.Name("y") || a.Name("x") == b.Name("x") {
		t.Error("a name is not of its key and its text")
	}
}

// What is remembered of texts is what a compressor makes of them, and no more texts than a bound.
func TestCompressedTextsAreRemembered(t *testing.T) {
	t.Parallel()
	f := newFlates()
	for i := range 3 * maxKnown {
		plain := fmt.Appendf(nil, `2025-11-25%c{"clientInfo":{"name":"c%d"}}`, 0, i)
		want, err := f.compress([]byte("before"), plain)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := f.deflate([]byte("before"), plain); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
		}
		if len(f.known) > maxKnown {
			t.Fatalf("%d texts are remembered", len(f.known))
		}
	}
}
