package backplane

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

func TestEntriesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	keys := ticket.RandomKeys()
	seal := &sealer{keys: keys, from: "a", sent: map[string]uint64{}}
	open := &opener{keys: keys, to: "b", last: map[string]uint64{}, seen: map[string]uint64{}}
	head := (&requestHead{
		session: "s", owner: "b/1", principal: "p\x00q", client: "c", method: "POST", target: "/api/mcp/x?a=%2F", host: "h", remote: "r:1", length: 7,
		header: http.Header{"X": {"1", "2"}, "Authorization": {"Bearer secret"}},
	})
	for n, want := range []*entry{
		{kind: kindRequest, call: 1 << 60, end: true, head: head.bytes(), data: []byte("{}")},
		{kind: kindBody, call: 2, part: 3, data: bytes.Repeat([]byte("x"), pieceSize)},
		{kind: kindCredit, call: 2, more: window},
	} {
		field, value := seal.next("b", want)
		if strings.Contains(string(value), "secret") {
			t.Error("an entry is not sealed")
		}
		from, got, err := open.open(field, value)
		if err != nil || from != "a" {
			t.Fatalf("entry %d: from %q, %v", n, from, err)
		}
		if got.kind != want.kind || got.call != want.call || got.part != want.part || got.more != want.more || got.end != want.end ||
			!bytes.Equal(got.head, want.head) || !bytes.Equal(got.data, want.data) {
			t.Errorf("entry %d is read as %+v", n, got)
		}
		if open.missed(from, got) {
			t.Errorf("before entry %d, one is missing", n)
		}
	}
	if got, ok := parseRequestHead(head.bytes()); !ok || !reflect.DeepEqual(got, head) {
		t.Errorf("head %+v", got)
	}
	status, header, ok := parseAnswerHead(answerHead(404, http.Header{"A": {"b"}}))
	if status != 404 || header.Get("A") != "b" || !ok {
		t.Errorf("head of an answer: %d, %v, %t", status, header, ok)
	}
}

// Anyone who can write to Redis can put anything into a mailbox, and move what others have put there.
func TestForgedAndReplayedEntriesAreNotTaken(t *testing.T) {
	t.Parallel()
	keys := ticket.RandomKeys()
	genuine := &sealer{keys: keys, from: "a", sent: map[string]uint64{}}
	stranger := &sealer{keys: ticket.RandomKeys(), from: "a", sent: map[string]uint64{}}
	open := &opener{keys: keys, to: "b", last: map[string]uint64{}, seen: map[string]uint64{}}
	type box struct {
		field string
		value []byte
	}
	var taken, others []box
	for n := range 50 {
		field, value := genuine.next("b", &entry{kind: kindBody, call: uint64(n), data: []byte("some of a body")})
		if _, _, err := open.open(field, value); err != nil {
			t.Fatal(err)
		}
		taken = append(taken, box{field, value})
		field, value = genuine.next("c", &entry{kind: kindCancel, call: uint64(n)})
		others = append(others, box{field, value})
	}
	random := rand.New(rand.NewPCG(1, 2))
	later := "a-" + "zzzzzz" // a number that was not used
	tried, replayed := 0, 0
	for n := range 100_000 {
		var try box
		switch n % 6 {
		case 0: // the same again
			try = taken[random.IntN(len(taken))]
		case 1: // the same under a later number
			try = box{later, taken[random.IntN(len(taken))].value}
		case 2: // of another
			try = taken[random.IntN(len(taken))]
			try.field = "x" + try.field
		case 3: // for another
			try = others[random.IntN(len(others))]
			if n%12 == 3 {
				try.field = later
			}
		case 4: // with other bits
			try = box{later, bytes.Clone(taken[random.IntN(len(taken))].value)}
			try.value[random.IntN(len(try.value))] ^= byte(1 << random.IntN(8))
		case 5: // under a key that is not ours
			try.field, try.value = stranger.next("b", &entry{kind: kindCancel, call: uint64(n)})
		}
		tried++
		_, e, err := open.open(try.field, try.value)
		if e != nil || err == nil {
			t.Fatalf("kind %d was taken as %+v", n%6, e)
		}
		if errors.Is(err, errReplayed) {
			replayed++
		}
	}
	if replayed == 0 || replayed == tried {
		t.Errorf("%d of %d were found to come again", replayed, tried)
	}
	field, value := genuine.next("b", &entry{kind: kindCancel})
	if _, _, err := open.open(field, value); err != nil {
		t.Errorf("a genuine entry after all that: %v", err)
	}
	if _, _, err := open.open(field, append(value, make([]byte, maxEntry+64)...)); err == nil {
		t.Error("an entry that is too large was taken")
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add((&entry{kind: kindRequest, call: 1, head: []byte("h"), data: []byte("d")}).plain())
	f.Add([]byte("q"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEntry(b)
		if err != nil {
			return
		}
		parseRequestHead(e.head)
		parseAnswerHead(e.head)
		if again, err := parseEntry(e.plain()); err != nil || !bytes.Equal(again.head, e.head) || !bytes.Equal(again.data, e.data) {
			t.Errorf("%x is read as %+v, and that as %+v, %v", b, e, again, err)
		}
	})
}
