package ticket

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// forgeries returns how many ids to forge: enough for a change to be noticed, or as many as the
// environment asks for.
func forgeries(t *testing.T) int {
	t.Helper()
	s := os.Getenv("TICKET_FORGERIES")
	if s == "" {
		return testlimit.Rounds(50_000)
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestForgedIDsAreRefused makes ids up and changes good ones in the ways that someone would who has
// some of his own. TICKET_FORGERIES=1000000 does it more often.
func TestForgedIDsAreRefused(t *testing.T) {
	t.Parallel()
	k, others := RandomKeys(), RandomKeys()
	bob := Holder{alice.Server, "tenant\x00bob", alice.Client}
	var good, foreign []string
	for _, params := range clients() {
		good = append(good, seal(t, k, alice, ticketOf(params)))
		foreign = append(foreign, seal(t, k, bob, ticketOf(params)), seal(t, others, alice, ticketOf(params)))
	}
	for _, id := range good {
		if _, err := k.Open(alice, id); err != nil {
			t.Fatal(err)
		}
	}
	seed := [32]byte{5: 77}
	r := rand.New(rand.NewChaCha8(seed))
	n, same := forgeries(t), 0
	for i := range n {
		id := forge(r, good, foreign)
		if slices.Contains(good, id) {
			same++
			continue
		}
		if ticket, err := k.Open(alice, id); !errors.Is(err, ErrInvalid) {
			t.Fatalf("forgery %d of seed %v opens (%v): %s\n%+v", i, seed, err, id, ticket)
		}
	}
	if same > n/20 {
		t.Errorf("%d of %d forgeries are good ids", same, n)
	}
	t.Logf("%d forged ids, 0 accepted", n-same)
}

// forge returns an id that nobody sealed for alice.
func forge(r *rand.Rand, good, foreign []string) string {
	id := good[r.IntN(len(good))]
	text := strings.TrimPrefix(id, Prefix+layout)
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	again := func(raw []byte) string { return Prefix + layout + base64.RawURLEncoding.EncodeToString(raw) }
	switch r.IntN(11) {
	case 0: // one bit of what is sealed
		raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
		return again(raw)
	case 1: // one character, of any kind
		at := r.IntN(len(id))
		return id[:at] + string(rune(r.IntN(256))) + id[at+1:]
	case 2: // cut off
		return id[:r.IntN(len(id))]
	case 3: // cut off on a byte
		return again(raw[:r.IntN(len(raw))])
	case 4: // longer
		extra := []string{"A", "=", "==", "\n", "\r\n", " ", "\x00", "AAAA", ".", "%3D", strings.Repeat("A", MaxLength)}
		at := len(id)
		if r.IntN(2) == 0 {
			at = r.IntN(len(id))
		}
		return id[:at] + extra[r.IntN(len(extra))] + id[at:]
	case 5: // the beginning of one and the end of another
		other := good[r.IntN(len(good))]
		if r.IntN(2) == 0 {
			other = foreign[r.IntN(len(foreign))]
		}
		return id[:r.IntN(len(id))] + other[r.IntN(len(other)):]
	case 6: // the salt of another
		other, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(foreign[r.IntN(len(foreign))], Prefix+layout))
		return again(slices.Concat(other[:saltSize], raw[saltSize:]))
	case 7: // someone else's, or another app's
		return foreign[r.IntN(len(foreign))]
	case 8: // nothing but noise
		noise := make([]byte, r.IntN(400))
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		return again(noise)
	case 9: // the same bytes in another spelling
		switch last := text[len(text)-1]; r.IntN(4) {
		case 0:
			return Prefix + "b" + text
		case 1:
			return strings.ToUpper(Prefix) + layout + text
		case 2: // unused bits of the last character; a good one without unused bits
			return id[:len(id)-1] + string(rune(last+1))
		default:
			return Prefix + layout + base64.URLEncoding.EncodeToString(append(raw, 0))
		}
	default: // blocks in another order
		i, j := r.IntN(len(raw)), r.IntN(len(raw))
		if raw[i] == raw[j] {
			raw[i]++
		}
		raw[i], raw[j] = raw[j], raw[i]
		return again(raw)
	}
}

// FuzzOpen checks that an id has one spelling and that nothing opens that was not sealed.
func FuzzOpen(f *testing.F) {
	k, err := ParseKeys(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.TrimPrefix(seal(f, k, alice, ticketOf(clients()["VS Code"])), Prefix))
	f.Add("a")
	f.Add("aAAAA")
	f.Add("b")
	good := seal(f, k, alice, ticketOf(`{}`))
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := k.Open(Holder{Server: "another"}, Prefix+text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q opens for a holder that none was sealed for: %v", text, err)
		}
		if id := good + text; text != "" {
			if _, err := k.Open(alice, id); !errors.Is(err, ErrInvalid) {
				t.Errorf("%q opens: %v", id, err)
			}
		}
	})
}

// FuzzUnpack feeds what follows authentication, should that ever fail: it must stay bounded and whole.
func FuzzUnpack(f *testing.F) {
	k := RandomKeys()
	packed, err := k.pack(ticketOf(clients()["go-sdk"]))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, packed []byte) {
		ticket, err := k.unpack(packed)
		if err != nil {
			return
		}
		if len(ticket.Version)+len(ticket.Initialize) > maxPlain {
			t.Errorf("%d bytes came of %d", len(ticket.Initialize), len(packed))
		}
	})
}
