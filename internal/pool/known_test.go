package pool

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// remembered is a Known that a test says.
type remembered struct {
	era     string
	page    string
	checked int
	doubted []string
	lists   string // that the process answered when it was compared
}

func (r *remembered) Era() string { return r.era }
func (r *remembered) Answer(m *message.Message, _ string) *message.Message {
	return nil
}
func (r *remembered) Doubt(why string)      { r.doubted = append(r.doubted, why) }
func (r *remembered) Pages(string) [][]byte { return [][]byte{[]byte(r.page)} }
func (r *remembered) Check(discovered *message.Message, ask func(*message.Message) (*message.Message, error)) error {
	r.checked++
	m, err := message.Parse([]byte(`{"jsonrpc":"2.0","id":"k","method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`))
	if err != nil {
		return err
	}
	answer, err := ask(m)
	if err != nil {
		return err
	}
	r.lists = string(answer.Bytes())
	answer.Free()
	return nil
}

// What is known of a server's era spares the process that would be asked.
func TestKnownEraNeedsNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Known = &remembered{era: "legacy"}
		if _, err := b.share("u"); !errors.Is(err, ErrLegacy) {
			t.Errorf("a server that is known to speak sessions alone: %v", err)
		}
		if n := len(b.processes()); n != 0 {
			t.Errorf("%d processes to find that out, want none", n)
		}
	})
}

// Every process is compared before it gets a call, and knows the headers of tools that were listed without it.
func TestProcessIsComparedWithWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		known := &remembered{era: "modern", page: `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo","inputSchema":` +
			`{"type":"object","properties":{"text":{"type":"string","x-mcp-header":"Text"}}}}]}}`}
		b.server.Known = known
		w, err := b.share("u")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Leave()
		if known.checked != 1 || !strings.Contains(known.lists, `"id":"k"`) || len(known.doubted) > 0 {
			t.Errorf("it was compared %d times, its lists are %s, and doubted: %q", known.checked, known.lists, known.doubted)
		}
		if got, err := w.ParamHeaders("echo"); err != nil || len(got) != 1 || got[0].Name != "Text" {
			t.Errorf("the headers of a tool that was listed without a process are %v", got)
		}
	})
}

// What is known of a server that does not start, or is of the other era, is doubted.
func TestProcessThatDoesNotStartIsDoubted(t *testing.T) {
	for name, serve := range map[string]func(in io.Reader, out, complain io.Writer, exit func(int)){
		"dies": func(_ io.Reader, _, _ io.Writer, exit func(int)) { exit(1) },
		"legacy": func(in io.Reader, out, _ io.Writer, _ func(int)) {
			buf := make([]byte, 4096)
			if _, err := in.Read(buf); err == nil {
				io.WriteString(out, `{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no"}}`+"\n")
			}
			io.Copy(io.Discard, in)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, 0, nil)
			b.server.Launch = b.launch(serve)
			known := &remembered{era: "modern"}
			b.server.Known = known
			if w, err := b.share("u"); err == nil {
				w.Leave()
				t.Errorf("%s: there is a process", name)
			}
			synctest.Wait()
			if len(known.doubted) == 0 || known.checked != 0 {
				t.Errorf("%s: doubted %q, compared %d times", name, known.doubted, known.checked)
			}
		})
	}
}
