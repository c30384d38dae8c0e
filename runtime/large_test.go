package mcpfunc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

// Clients read a body whose length they know much faster, and some take no event of that size.
func TestLargeAnswerIsOneBodyWithItsLength(t *testing.T) {
	const size = 3 << 20
	_, srv := newApp(t, &Config{Servers: []Server{self("fake")}}, nil)
	c := connect(t, srv.URL+"/api/mcp")
	resp, err := c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"big","arguments":{"size":%d}}}`, size))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: %s", got)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || int64(len(body)) != resp.ContentLength || len(body) < size || !json.Valid(body) {
		t.Errorf("%d bytes of a body that should have %d, %v", len(body), resp.ContentLength, err)
	}
}

// Some clients never end a call whose body is cut off.
func TestDeathInALargeAnswerIsAnErrorAndNoCut(t *testing.T) {
	half := func(in io.Reader, out io.Writer) error {
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.Contains(line, `"initialize"`):
				fmt.Fprintln(out, `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"half","version":"1"}}}`)
			case strings.Contains(line, `"tools/call"`):
				fmt.Fprintf(out, `{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"%s`, strings.Repeat("x", 1<<20))
				return errors.New("half is enough")
			}
		}
		return lines.Err()
	}
	_, srv := newApp(t, &Config{Servers: []Server{{Name: "half", Command: "half"}}}, &Options{
		Launcher: LauncherFunc(func(context.Context, Server, []string) (Process, error) { return mcptest.Run(half), nil }),
	})
	c := connect(t, srv.URL+"/api/mcp")
	resp, err := c.post(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"any"}}`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		ID    int
		Error struct{ Data struct{ Reason string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.ID != 2 || answer.Error.Data.Reason != "exited" {
		t.Errorf("the answer is %+v, %v", answer, err)
	}
}
