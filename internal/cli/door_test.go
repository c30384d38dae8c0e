package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// legacy is a server of one answer a method, without sessions' GET. A method that it does not list is
// refused with 400, as server/discover is by servers that do not know it.
func legacy(t *testing.T, answers map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var m struct {
			ID     json.RawMessage
			Method string
		}
		_ = json.Unmarshal(body, &m) // GET and DELETE have none
		switch {
		case r.Method != http.MethodPost:
			m.Method = r.Method
		case m.ID == nil:
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Mcp-Session-Id", "s")
		r.Header.Set("id", string(m.ID))
		if answer := answers[m.Method]; answer != nil {
			answer(w, r)
			return
		}
		if m.Method == "initialize" {
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}`)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"refused: `+m.Method+`"}}`)
	}))
	t.Cleanup(app.Close)
	return app
}

// status answers with a status and a reason.
func status(code int, reason string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error":{"message":"`+reason+`"}}`)
	}
}

// result answers with what follows the id of a response.
func result(rest string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+r.Header.Get("id")+`,`+rest+`}`)
	}
}

func TestTheErrorOfTheCallIsShown(t *testing.T) {
	t.Parallel()
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	dead := `"error":{"code":-32603,"message":"the server exited with code 3","data":{"stderr":["why"],"hint":"install it"}}`
	for _, tt := range []struct {
		name    string
		answers map[string]http.HandlerFunc
		want    string
	}{
		{"and not that of the farewell", map[string]http.HandlerFunc{"tools/call": result(dead), http.MethodDelete: status(404, "session not found")},
			`calling "tools/call": the server exited with code 3; it said: why` + "\nhint: install it\n"},
		{"and not that of the stream", map[string]http.HandlerFunc{"tools/call": result(dead), http.MethodGet: status(503, "no stream")},
			`calling "tools/call": the server exited with code 3; it said: why` + "\nhint: install it\n"},
		{"refused, and the farewell otherwise", map[string]http.HandlerFunc{"tools/call": status(503, "full"), http.MethodDelete: status(404, "session not found")},
			"503 Service Unavailable: full\n"},
		{"and not that of the probe", map[string]http.HandlerFunc{"initialize": hangUp}, "EOF\n"},
		{"of the probe, where that is all", map[string]http.HandlerFunc{"server/discover": status(401, "who?"), "initialize": status(401, "who are you?")},
			"401 Unauthorized: who are you?\nhint: the server requires credentials: pass --token TOKEN, or --header x-functions-key:KEY for a Functions key\n"},
	} {
		app := legacy(t, tt.answers)
		code, _, stderr := mcpfuncRun(t, "", "call", app.URL, "x")
		if diff := cmp.Diff("mcpfunc: call: "+app.URL+": "+tt.want, stderr); code != 1 || diff != "" {
			t.Errorf("%s: code %d, stderr (-want +got):\n%s", tt.name, code, diff)
		}
	}
}

func TestWhatComesBeforeAnAnswerIsShownBeforeIt(t *testing.T) {
	t.Parallel()
	server := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, nil)
	type none struct{}
	mcp.AddTool(server, &mcp.Tool{Name: "talk"}, func(ctx context.Context, req *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		for i := range 200 {
			if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: req.Params.GetProgressToken(), Progress: float64(i+1) * 1e6, Total: 2e8,
			}); err != nil {
				return nil, nil, err
			}
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "the answer"}}}, nil, nil
	})
	app := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	t.Cleanup(app.Close)
	env, stdout, _ := testEnv()
	env.Stderr = stdout // as on a terminal
	if code := run(t.Context(), []string{"call", app.URL, "talk"}, env); code != 0 {
		t.Fatal(code, stdout)
	}
	lines := strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "calling talk") }) // on a slow machine
	if len(lines) != 201 || lines[200] != "the answer" || lines[0] != "progress 1000000/200000000" || lines[199] != "progress 200000000/200000000" {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}

func TestStructuredLogMessagesAreJSON(t *testing.T) {
	t.Parallel()
	app := legacy(t, map[string]http.HandlerFunc{"tools/call": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, data := range []string{`{"to":"<a>","n":1}`, `"plain text"`, `[1,null]`} {
			_, _ = io.WriteString(w, `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"db","data":`+data+"}}\n\n")
		}
		_, _ = io.WriteString(w, `data: {"jsonrpc":"2.0","id":`+r.Header.Get("id")+`,"result":{"content":[]}}`+"\n\n")
	}})
	code, _, stderr := mcpfuncRun(t, "", "call", app.URL, "x")
	want := `log info db: {"n":1,"to":"<a>"}` + "\nlog info db: plain text\nlog info db: [1,null]\n"
	if diff := cmp.Diff(want, stderr); code != 0 || diff != "" {
		t.Errorf("code %d, stderr (-want +got):\n%s", code, diff)
	}
}
