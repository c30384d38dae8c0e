package mcpfunc

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// Every way that we know to a tool that is not as it was pinned.
func TestPinned(t *testing.T) {
	with := func(tool, old, to string) string {
		if !strings.Contains(tool, old) {
			panic("no " + old)
		}
		return strings.Replace(tool, old, to, 1)
	}
	// Of each of these servers, the tool read is another than the pinned one.
	changes := map[string]string{
		"another description":               with(toolRead, "reads a file", "CANARY"),
		"a longer description":              with(toolRead, "reads a file", "reads a file. CANARY"),
		"a hidden parameter":                with(toolRead, `"properties":{`, `"properties":{"CANARY":{"type":"string"},`),
		"another type of a parameter":       with(toolRead, `"type":"string"`, `"type":"CANARY"`),
		"a title":                           with(toolRead, `"name"`, `"title":"CANARY","name"`),
		"annotations":                       with(toolRead, `"name"`, `"annotations":{"title":"CANARY"},"name"`),
		"an output schema":                  with(toolRead, `"name"`, `"outputSchema":{"title":"CANARY"},"name"`),
		"a member that nobody knows":        with(toolRead, `"name"`, `"x":"CANARY","name"`),
		"a second description, first":       with(toolRead, `"description"`, `"description":"CANARY","description"`),
		"a second description, last":        with(toolRead, `"inputSchema"`, `"description":"CANARY","inputSchema"`),
		"a description in another case":     with(toolRead, `"inputSchema"`, `"Description":"CANARY","inputSchema"`),
		"a description under an escape":     with(toolRead, `"inputSchema"`, `"descripti\u006fn":"CANARY","inputSchema"`),
		"a second schema":                   with(toolRead, `"inputSchema"`, `"inputSchema":{"title":"CANARY"},"inputSchema"`),
		"a second parameter of one name":    with(toolRead, `"path":{`, `"path":{"title":"CANARY"},"path":{`),
		"invisible characters":              with(toolRead, "reads a file", "reads a file\\u200bCANARY"),
		"a description that is no string":   with(toolRead, `"reads a file"`, `["reads a file","CANARY"]`),
		"meta in another case":              with(toolRead, `"name"`, `"_Meta":{"x":"CANARY"},"name"`),
		"a second name":                     with(toolRead, `"name":"read"`, `"name":"read","title":"CANARY","name":"read"`),
		"a schema that looks like one more": with(toolRead, `"inputSchema"`, `"inputschema":{"title":"CANARY"},"inputSchema"`),
	}
	for name, tool := range changes {
		t.Run(name, func(t *testing.T) {
			serve(t, listing(tool, toolWrite), enforced(config.Access{}), pinsOf(toolRead, toolWrite), func(a *attack) {
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read") // before the client has listed anything
				a.want(a.ask("tools/list", `{}`), tools(toolWrite))
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read")
				a.want(a.ask("tools/call", `{"name":"write"}`), "called write")
				if got := a.app.servers[0].policy.Drifted(); len(got) != 1 || got[0] != "read" {
					a.Errorf("drifted: %v", got)
				}
				a.want(a.log.String(), "tool differs from what was packed: it is not served")
			})
		})
	}
	same := map[string]string{
		"other blanks":            strings.ReplaceAll(toolRead, ":", " :\t"),
		"other order":             `{"inputSchema":{"properties":{"path":{"type":"string"}},"type":"object"},"description":"reads a file","name":"read"}`,
		"escapes":                 with(toolRead, "reads a", `r\u0065ads\u0020a`),
		"meta, icons and tasks":   with(toolRead, `"name"`, `"_meta":{"x":1},"icons":[],"execution":{"taskSupport":"optional"},"name"`),
		"what was pinned, exact ": toolRead,
	}
	for name, tool := range same {
		t.Run("the same: "+name, func(t *testing.T) {
			serve(t, listing(tool), enforced(config.Access{}), pinsOf(toolRead), func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				a.want(a.ask("tools/list", `{}`), tools(tool))
			})
		})
	}
}

// Every way that we know to show one tool and to have another called.
func TestPinnedWhateverTheServerDoes(t *testing.T) {
	changedRead := strings.Replace(toolRead, "reads a file", "CANARY", 1)
	pins := pinsOf(toolRead, toolWrite)
	for name, c := range map[string]struct {
		lists func(p *slyProcess, cursor string) string
		try   func(*attack)
	}{
		"a tool that is new": {
			func(*slyProcess, string) string { return tools(toolRead, toolDrop) },
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools(toolRead))
				a.refused(a.ask("tools/call", `{"name":"drop"}`), "drop")
			},
		},
		"a tool under another name": {
			func(*slyProcess, string) string {
				return tools(strings.Replace(changedRead, `"read"`, `"read2"`, 1), strings.Replace(changedRead, `"read"`, `"write"`, 1))
			},
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools())
				for _, tool := range []string{"read", "read2", "write"} {
					a.refused(a.ask("tools/call", `{"name":"`+tool+`"}`), tool)
				}
			},
		},
		"a name that looks alike": {
			func(*slyProcess, string) string {
				return tools(toolRead, `{"name":"re\u0430d","description":"CANARY"}`, `{"name":"Read","description":"CANARY"}`, `{"name":"read ","description":"CANARY"}`)
			},
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools(toolRead))
				for _, tool := range []string{"re\u0430d", "Read", "read ", "re\u200bad"} {
					a.refused(a.ask("tools/call", `{"name":"`+tool+`"}`), tool)
				}
			},
		},
		"a tool that is not listed": {
			func(*slyProcess, string) string { return tools(toolRead) },
			func(a *attack) { a.refused(a.ask("tools/call", `{"name":"write"}`), "write") },
		},
		"another answer to the second list": {
			func(p *slyProcess, _ string) string {
				if p.lists == 1 {
					return tools(toolRead)
				}
				return tools(changedRead)
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				a.want(a.ask("tools/list", `{}`), tools())
				heard := a.server.heard()
				a.want(a.ask("tools/call", `{"name":"read"}`), "Unknown tool: read")
				if a.server.heard() != heard {
					a.Error("it was called")
				}
			},
		},
		"another answer to us than to the client": {
			func(p *slyProcess, _ string) string {
				if p.lists == 1 {
					return tools(changedRead)
				}
				return tools(toolRead)
			},
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools()) // the client's comes first here
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read")
			},
		},
		"both in one list": {
			func(*slyProcess, string) string { return tools(toolRead, changedRead) },
			func(a *attack) {
				a.want(a.ask("tools/list", `{}`), tools(toolRead))
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read")
			},
		},
		"both on two pages": {
			func(_ *slyProcess, cursor string) string {
				if cursor == "" {
					return `{"tools":[` + toolRead + `],"nextCursor":"2"}`
				}
				return tools(changedRead)
			},
			func(a *attack) { a.refused(a.ask("tools/call", `{"name":"read"}`), "read") },
		},
		"on the last of many pages": {
			func(_ *slyProcess, cursor string) string {
				if len(cursor) < 20 {
					return `{"tools":[],"nextCursor":"` + cursor + `x"}`
				}
				return tools(changedRead, toolWrite)
			},
			func(a *attack) {
				a.refused(a.ask("tools/call", `{"name":"read"}`), "read")
				a.want(a.ask("tools/call", `{"name":"write"}`), "called write")
			},
		},
		"pages that lead in a circle": {
			func(_ *slyProcess, cursor string) string {
				return `{"tools":[` + toolRead + `],"nextCursor":"` + map[string]string{"": "a", "a": "b", "b": "a"}[cursor] + `"}`
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"pages without end": {
			func(p *slyProcess, _ string) string { return fmt.Sprintf(`{"tools":[],"nextCursor":"%d"}`, p.lists) },
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"an error in place of the list": {
			func(*slyProcess, string) string { return `{"code":-32000,"message":"CANARY"}` },
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"silence in place of the list": {
			func(*slyProcess, string) string { return "" },
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"a change that is announced": {
			func(p *slyProcess, _ string) string {
				if p.lists == 1 {
					return tools(toolRead)
				}
				return tools(changedRead)
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				a.ask("change", `{}`)
				synctest.Wait()
				heard := a.server.heard()
				a.want(a.ask("tools/call", `{"name":"read"}`), "Unknown tool: read")
				if a.server.heard() != heard {
					a.Error("it was called")
				}
			},
		},
		"changes without end": {
			func(p *slyProcess, _ string) string {
				p.changed()
				return tools(toolRead)
			},
			func(a *attack) {
				// The notification stands before the list, so that nothing is known of what comes after: each
				// time the list is asked for again, and in the end the call is refused or its list was the last word.
				a.want(a.ask("tools/call", `{"name":"read"}`), "-32603")
				a.unheard("read")
			},
		},
		"another process": {
			func(p *slyProcess, _ string) string {
				if p.number == 1 {
					return tools(toolRead, `{"name":"die"}`)
				}
				return tools(changedRead, toolWrite)
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				a.ask("tools/call", `{"name":"die"}`)
				time.Sleep(time.Minute)
				heard := a.server.heard()
				a.want(a.ask("tools/call", `{"name":"read"}`), "Unknown tool: read")
				if a.server.heard() != heard {
					a.Error("it was called")
				}
				a.want(a.ask("tools/call", `{"name":"write"}`), "called write")
			},
		},
		"a process that takes a session over that slept": {
			func(p *slyProcess, _ string) string {
				if p.number == 1 {
					return tools(toolRead, toolWrite)
				}
				return tools(changedRead, toolWrite)
			},
			func(a *attack) {
				a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
				time.Sleep(30 * time.Minute)
				if s := a.app.Stats(); s.Processes != 0 || s.Hibernated != 1 {
					a.Fatalf("it does not sleep: %+v", s)
				}
				heard := a.server.heard()
				a.want(a.ask("tools/call", `{"name":"read"}`), "Unknown tool: read")
				if a.server.heard() != heard {
					a.Error("it was called")
				}
				a.want(a.ask("tools/call", `{"name":"write"}`), "called write")
			},
		},
		"many calls at once": {
			func(*slyProcess, string) string { return tools(changedRead, toolWrite) },
			func(a *attack) {
				a.open()
				var all sync.WaitGroup
				for i := range 20 {
					all.Go(func() {
						b := &attack{T: a.T, server: a.server, app: a.app, http: a.http, session: a.session}
						_, got := b.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"read"}}`, i))
						a.want(got, "Unknown tool: read")
						_, got = b.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":"%d","method":"tools/call","params":{"name":"write"}}`, i))
						a.want(got, "called write")
					})
				}
				all.Wait()
				a.unheard("read")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := &sly{lists: c.lists}
			pins := pins
			if name == "another process" {
				pins = pinsOf(toolRead, toolWrite, `{"name":"die"}`)
			}
			serve(t, server, enforced(config.Access{}), pins, c.try)
		})
	}
}

// The same without sessions.
func TestPinnedWithoutSessions(t *testing.T) {
	server := listing(strings.Replace(toolRead, "reads a file", "CANARY", 1), toolWrite)
	server.modern = true
	serve(t, server, enforced(config.Access{}), pinsOf(toolRead, toolWrite), func(a *attack) {
		_, got := a.modernAsk("tools/call", `"name":"read"`, "read")
		a.refused(got, "read")
		_, got = a.modernAsk("tools/call", `"name":"write"`, "write")
		a.want(got, "called write")
		_, got = a.modernAsk("tools/list", "", "")
		a.want(got, tools(toolWrite))
		a.unheard("read")
	})
}

// By default a tool that is not the pinned one is served, and told of.
func TestPinsWarn(t *testing.T) {
	changed := strings.Replace(toolRead, "reads a file", "reads all files", 1)
	serve(t, listing(changed, toolWrite), config.Access{}, pinsOf(toolRead), func(a *attack) {
		a.want(a.ask("tools/list", `{}`), tools(changed, toolWrite))
		a.want(a.ask("tools/list", `{}`), tools(changed, toolWrite))
		a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
		log := a.log.String()
		a.want(log, "tool differs from what was packed")
		a.want(log, "tool was not there when the server was packed")
		if n := strings.Count(log, `"tool":"read"`); n != 1 {
			a.Errorf("said %d times", n)
		}
		a.wantNot(log, "is not served")
		for path, want := range map[string]string{
			"/api/metrics": `mcpfunc_tools_drifted{server="sly"} 2`, "/api/session_metrics": `"drifted_tools":{"sly":["read","write"]}`,
		} {
			resp, err := a.http.Get("http://mcp.test" + path)
			if err != nil {
				a.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			a.want(string(body), want)
		}
		if about := fmt.Sprint(a.app.servers[0].aboutCommand()); !strings.Contains(about, "drifted_tools:[read write]") {
			a.Errorf("what doctor is told: %s", about)
		}
	})
	serve(t, listing(changed), config.Access{Pin: config.PinOff}, pinsOf(toolRead), func(a *attack) {
		a.ask("tools/list", `{}`)
		a.wantNot(a.log.String(), "packed")
		if a.app.servers[0].policy != nil {
			a.Error("there is a policy")
		}
	})
}

// What pack has written is what a configuration's servers are held to.
func TestConfigurationIsReadWithItsPins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sum := strings.Repeat("ab", 32)
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("mcp_config.json", `{"mcpServers": {"a": {"command": "x", "tools": {"pin": "enforce"}}, "b": {"command": "y"}}}`)
	write("packed/mcp_tools.json", `{"format":1,"servers":{"a":{"read":"`+sum+`"},"c":{}}}`)
	cfg, err := LoadConfig(filepath.Join(dir, "mcp_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Servers[0]; got.pins["read"] != sum || got.access.Pin != config.PinEnforce {
		t.Errorf("a: %+v", got)
	}
	if got := cfg.Servers[1]; got.pins != nil {
		t.Errorf("b: %+v", got)
	}
	write("packed/mcp_tools.json", `{"format":1,"servers":{"a":{"read":"x"}}}`)
	if _, err := LoadConfig(filepath.Join(dir, "mcp_config.json")); err == nil || !strings.Contains(err.Error(), "mcp_tools.json") {
		t.Errorf("an invalid pin: %v", err)
	}
}

func TestEnforceWithoutPinsIsAnError(t *testing.T) {
	t.Parallel()
	_, err := New(&Config{Servers: []Server{{Name: "a", Command: "a", access: config.Access{Pin: config.PinEnforce}}}}, &Options{Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "tools.pin") {
		t.Errorf("error %v", err)
	}
}
