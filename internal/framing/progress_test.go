package framing

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A server that stops in the middle of a large message held its memory for ever.
func TestT45UnfinishedMessageOfAServerYieldsItsMemory(t *testing.T) {
	for _, how := range []struct {
		name    string
		crowded bool
		before  time.Duration // between the bytes of the second half
		headers bool
	}{
		{"without a use", false, 20 * time.Minute, false},
		{"others want it", true, 20 * time.Minute, false},
		{"a byte now and then", true, 3 * time.Second, false},
		{"with headers", true, 20 * time.Minute, true},
	} {
		t.Run(how.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				budget := message.NewBudget(32*bufpool.Size, time.Second)
				mine, others := budget.Share("s", "hostile"), budget.Share("s", "others")
				in, out := io.Pipe()
				s := New(in, io.Discard, Auto, 64*bufpool.Size, &mine, func([]byte, int64) {})
				half := strings.Repeat("x", 4*bufpool.Size)
				slow := "slowly"
				body := `{"jsonrpc":"2.0","id":7,"result":"` + half + slow + half + `"}`
				head := ""
				if how.headers {
					head = fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
				}
				if how.crowded {
					held := message.New(&others)
					defer held.Free()
					held.Append([]byte(`"` + strings.Repeat("y", 14*bufpool.Size)))
				}
				go func() {
					begin := head + body[:len(body)-len(half)-len(slow)-2]
					io.WriteString(out, begin)
					for _, c := range []byte(slow) {
						time.Sleep(how.before)
						out.Write([]byte{c})
					}
					io.WriteString(out, half+`"}`)
					if !how.headers {
						io.WriteString(out, "\n")
					}
					out.Close()
				}()
				defer in.Close()
				var m *message.Message
				var err error
				read := make(chan struct{})
				go func() {
					defer close(read)
					m, err = s.Read()
				}()
				synctest.Wait()
				before := budget.Used()
				time.Sleep(2*message.ProgressTime - time.Second)
				if now := budget.Used(); how.crowded != (now < before) {
					t.Errorf("%d bytes are held, %d before", now, before)
				}
				<-read
				if !how.crowded {
					if err != nil || m.Len() != len(body) {
						t.Fatalf("got %v", err)
					}
					m.Free()
					return
				}
				if how.headers && err != nil && m == nil { // what has headers and is not stored is reported
					return
				}
				if !errors.Is(err, message.ErrNoMemory) || string(m.Envelope().ID()) != "7" {
					t.Fatalf("got %v", err)
				}
				m.Free()
			})
		})
	}
}
