package session

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// quick is a server that costs as little as one can: it answers every line that has an id with the
// same result, and knows nothing of JSON but where that id stands.
func quick(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return err
		}
		m, err := message.Parse(line)
		if err != nil {
			return err
		}
		if m.Kind() == message.Request {
			_, err = fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}`+"\n", m.Envelope().ID())
		}
		m.Free()
		if err != nil {
			return err
		}
	}
}

// quickTable returns a table, and a server whose processes are quick.
func quickTable(b *testing.B) (*Table, *Server) {
	t := newTable(b, limits{}, Sharing{Keys: ticket.RandomKeys()})
	return t, &Server{Idle: time.Hour, Spec: &child.Spec{
		Name: "quick", Framing: framing.Lines, MaxMessage: 1 << 20, StartTimeout: time.Minute,
		Launch: func(context.Context, any) (process.Process, error) { return mcptest.Run(quick), nil },
	}}
}

// ask sends a request and waits for its answer.
func ask(b *testing.B, s *Session, request []byte) {
	m, err := message.Parse(request)
	if err != nil {
		b.Fatal(err)
	}
	r, err := s.Send(b.Context(), []*message.Message{m}, OnStream)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Leave()
	for {
		e, state := r.Take()
		switch state {
		case stream.Taken:
			e.Free()
			if e.Last {
				return
			}
		case stream.Waiting:
			<-r.Ready()
		default:
			b.Fatalf("state %d", state)
		}
	}
}

// BenchmarkExchange is one request to a process in memory and its answer.
func BenchmarkExchange(b *testing.B) {
	t, server := quickTable(b)
	s, err := t.Open(b.Context(), Opening{Server: server, Version: "2025-11-25"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Leave()
	request := []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`)
	ask(b, s, request)
	b.ReportAllocs()
	for b.Loop() {
		ask(b, s, request)
	}
}

// BenchmarkOpen opens a session with a process in memory, asks one thing and ends it.
func BenchmarkOpen(b *testing.B) {
	t, server := quickTable(b)
	request := []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	b.ReportAllocs()
	for b.Loop() {
		s, err := t.Open(b.Context(), Opening{Server: server, Version: "2025-11-25"})
		if err != nil {
			b.Fatal(err)
		}
		ask(b, s, request)
		s.Close("the benchmark is done with it")
		s.Leave()
	}
}

// One allocation per call has to stay in its size class.
func TestPostFitsItsSizeClass(t *testing.T) {
	const class = 320 // bytes
	if size := reflect.TypeFor[newPost]().Size(); size > class {
		t.Errorf("a POST takes %d bytes, want at most %d", size, class)
	}
}
