package mcpfunc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

// statelessApp serves a server of 2026-07-28 in memory, by one process that all share.
func statelessApp(t *testing.T) (client *http.Client, app *App) {
	launch := func(context.Context, Server, []string) (Process, error) {
		var p *mcptest.Process
		p = mcptest.Run(func(in io.Reader, out io.Writer) error {
			mcptest.Stateless(in, out, io.Discard, func(int) { p.Exit(errors.New("crashed")) })
			return nil
		})
		return p, nil
	}
	app, err := New(&Config{Servers: []Server{{Name: "fake", Command: "fake"}}},
		&Options{Logger: slog.New(slog.DiscardHandler), Launcher: LauncherFunc(launch)})
	if err != nil {
		t.Fatal(err)
	}
	app.servers[0].endpoint.Pool.Workers = 1
	client, stop := mcptest.Serve(app)
	t.Cleanup(func() {
		stop()
		app.Close()
	})
	return client, app
}

// statelessCall posts a call of a tool with the id 1 and the token "t".
func statelessCall(ctx context.Context, client *http.Client, tool, text string, count int) (string, error) {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{"text":%q,"count":%d},`+
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":"t"}}}`, tool, text, count)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mcp.test/api/mcp", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
	r.Header.Set("Mcp-Method", "tools/call")
	r.Header.Set("Mcp-Name", tool)
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return string(got), err
}

func TestHTTPClientsWithTheSameIdsDoNotCrossAndHangUpAtRandom(t *testing.T) {
	client, _ := statelessApp(t)
	const clients, calls = 64, 15
	var all sync.WaitGroup
	var hungUp atomic.Int64
	for c := range clients {
		all.Go(func() {
			for i := range calls {
				text := fmt.Sprintf("%d-%d", c, i)
				if (c+i)%7 == 0 {
					ctx, cancel := context.WithCancel(t.Context())
					go cancel()
					if got, err := statelessCall(ctx, client, "late", text, 0); err == nil {
						t.Errorf("who hung up got %s", got)
					}
					hungUp.Add(1)
					continue
				}
				got, err := statelessCall(t.Context(), client, "echo", text, i%3)
				if err != nil || strings.Count(got, `"`+text+`"`) != i%3+1 || strings.Count(got, `"progressToken":"t"`) != i%3 ||
					strings.Count(got, `"id":1,`) != 1 || strings.Count(got, `"jsonrpc"`) != i%3+1 {
					t.Errorf("call %s: %v\n%s", text, err, got)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d calls, %d of them hung up on", clients*calls, hungUp.Load())
}

func TestCrashOfASharedProcessFailsTheCallsOnItAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := statelessApp(t)
		if _, err := statelessCall(t.Context(), client, "echo", "", 0); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				got, err := statelessCall(t.Context(), client, "late", "", 0)
				if err != nil || !strings.Contains(got, `"code":-32603`) || !strings.Contains(got, `"reason":"exited"`) {
					t.Errorf("a call in flight: %s, %v", got, err)
				}
			})
		}
		synctest.Wait() // the process has them
		start := time.Now()
		got, err := statelessCall(t.Context(), client, "crash", "", 0)
		if err != nil || !strings.Contains(got, `"restarts_left":2`) {
			t.Errorf("the call that it died of: %s, %v", got, err)
		}
		all.Wait()
		if d := time.Since(start); d > 0 {
			t.Errorf("they were told after %v", d)
		}
		if got, err := statelessCall(t.Context(), client, "echo", "alive", 0); err != nil || !strings.Contains(got, `"alive"`) {
			t.Errorf("the next call: %s, %v", got, err)
		}
	})
}

func TestStatelessAnswerCarriesNoSession(t *testing.T) {
	client, _ := statelessApp(t)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://mcp.test/api/mcp", bytes.NewReader([]byte(
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
	r.Header.Set("Mcp-Method", "tools/list")
	r.Header.Set("Mcp-Session-Id", "mine")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Values("Mcp-Session-Id"); resp.StatusCode != http.StatusOK || len(got) > 0 {
		t.Errorf("status %d, Mcp-Session-Id %q", resp.StatusCode, got)
	}
}
