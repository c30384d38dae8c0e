package mcpfunc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// Every way that we know to a tool that is denied, by its name.
func TestDenied(t *testing.T) {
	for name, try := range map[string]func(*attack){
		"is in no list": func(a *attack) {
			a.want(a.ask("tools/list", `{}`), `"result":{"tools":[`+toolRead+`]}`)
		},
		"is in no list of a client that takes JSON alone": func(a *attack) {
			a.want(a.ask("tools/list", `{}`, "Accept", "application/json"), `"result":{"tools":[`+toolRead+`]}`)
		},
		"is in no list of a client that takes events alone": func(a *attack) {
			a.want(a.ask("tools/list", `{}`, "Accept", "text/event-stream"), `"result":{"tools":[`+toolRead+`]}`)
		},
		"is on no page": func(a *attack) {
			a.server.lists = func(_ *slyProcess, cursor string) string {
				if cursor == "" {
					return `{"nextCursor":"2","tools":[` + toolDrop + `]}`
				}
				return tools(toolRead, toolDrop)
			}
			a.want(a.ask("tools/list", `{}`), `{"nextCursor":"2","tools":[]}`)
			a.want(a.ask("tools/list", `{"cursor":"2"}`), tools(toolRead))
		},
		"is in no list under an escaped name": func(a *attack) {
			a.server.lists = func(*slyProcess, string) string {
				return tools(`{"name":"\u0064rop","description":"CANARY"}`, `{"n\u0061me":"drop","description":"CANARY"}`, toolRead)
			}
			a.want(a.ask("tools/list", `{}`), tools(toolRead))
		},
		"is in no list under the second of two names": func(a *attack) {
			a.server.lists = func(*slyProcess, string) string {
				return tools(`{"name":"read","name":"drop","description":"CANARY"}`, `{"name":"drop","name":"read","description":"CANARY"}`, `{"name":"read","Name":"drop","description":"CANARY"}`)
			}
			a.want(a.ask("tools/list", `{}`), tools())
		},
		"is in no second list": func(a *attack) {
			a.server.lists = func(*slyProcess, string) string {
				return `{"tools":[` + toolRead + `],"tools":[` + toolDrop + `],"TOOLS":[` + toolDrop + `]}`
			}
			a.want(a.ask("tools/list", `{}`), `{"tools":[`+toolRead+`],"tools":[],"TOOLS":[]}`)
		},
		"is in no list of an anonymous session": func(a *attack) {
			_, got := a.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
			a.want(got, tools(toolRead))
		},
		"is not called": func(a *attack) {
			a.want(a.ask("tools/call", `{"name":"read"}`), "called read")
			a.refused(a.ask("tools/call", `{"name":"drop"}`), "drop")
		},
		"is not called before any list, without a session": func(a *attack) {
			_, got := a.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop_all"}}`)
			a.refused(got, "drop_all")
		},
		"is not called for JSON alone": func(a *attack) {
			a.refused(a.ask("tools/call", `{"name":"drop"}`, "Accept", "application/json"), "drop")
		},
		"is not called by an escaped name": func(a *attack) {
			a.refused(a.ask("tools/call", `{"n\u0061me":"\u0064rop"}`), "drop")
		},
		"is not called by an escaped method": func(a *attack) {
			a.open()
			_, got := a.post(`{"jsonrpc":"2.0","id":1,"method":"tools\/c\u0061ll","params":{"name":"drop"}}`)
			a.refused(got, "drop")
		},
		"is not called by the first of two names": func(a *attack) {
			a.want(a.ask("tools/call", `{"name":"drop","name":"read"}`), "repeats a member")
			a.want(a.ask("tools/call", `{"name":"read","name":"drop"}`), "repeats a member")
			a.unheard("drop")
			a.unheard("read")
		},
		"is not called by a name in another case": func(a *attack) {
			a.want(a.ask("tools/call", `{"name":"read","Name":"drop"}`), "another case")
			a.unheard("drop")
		},
		"is not called by second params": func(a *attack) {
			a.open()
			for _, key := range []string{"params", "Params", "p\\u0061rams"} {
				status, _ := a.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"},"` + key + `":{"name":"drop"}}`)
				if status != http.StatusBadRequest {
					a.Errorf("%s: status %d", key, status)
				}
			}
			a.unheard("drop")
		},
		"is not called by a second method": func(a *attack) {
			a.open()
			status, _ := a.post(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"name":"drop"},"METHOD":"tools/call"}`)
			if status != http.StatusBadRequest {
				a.Errorf("status %d", status)
			}
			a.unheard("drop")
		},
		"is not called by params in order": func(a *attack) {
			a.refused(a.ask("tools/call", `["drop"]`), "")
			a.refused(a.ask("tools/call", `{"name":["drop"]}`), "")
			a.unheard("drop")
		},
		"is not called by a method in another case": func(a *attack) {
			a.want(a.ask("Tools/Call", `{"name":"drop"}`), "-32601")
			a.want(a.ask("tools/invoke", `{"name":"drop"}`), "-32601")
			if heard := a.server.heard(); heard != "" {
				a.Errorf("the process heard %s", heard)
			}
		},
		"is not called by a notification": func(a *attack) {
			a.open()
			a.post(`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"drop"}}`)
			a.ask("ping", `{}`)
			a.unheard("drop")
		},
		"is not called as a task": func(a *attack) {
			a.refused(a.ask("tools/call", `{"name":"drop","task":{"ttl":1000}}`), "drop")
		},
		"is not called in a batch": func(a *attack) {
			a.version = "2025-03-26"
			a.open()
			_, got := a.post(`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop"}},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"read"}},` +
				`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"drop"}},{"jsonrpc":"2.0","id":3,"method":"tools/list"}]`)
			a.refused(got, "drop")
			a.want(got, "called read")
			a.want(got, tools(toolRead))
		},
		"is in no answer of a batch of the server": func(a *attack) {
			a.version = "2025-03-26"
			a.server.lists = func(p *slyProcess, _ string) string {
				fmt.Fprintf(p.out, `[{"jsonrpc":"2.0","id":%d,"result":%s}]`+"\n", a.id, tools(toolDrop, toolRead))
				return ""
			}
			a.want(a.ask("tools/list", `{}`), tools(toolRead))
		},
		"is in no answer with an id of another type": func(a *attack) {
			a.server.lists = func(p *slyProcess, _ string) string {
				fmt.Fprintf(p.out, `{"jsonrpc":"2.0","id":"%d","result":%s}`+"\n", a.id, tools(toolDrop, toolRead))
				return ""
			}
			a.want(a.ask("tools/list", `{}`), tools(toolRead))
		},
	} {
		t.Run(name, func(t *testing.T) { serve(t, listing(toolRead, toolDrop), denyDrop, nil, try) })
	}
}

// The same without sessions, by the protocol version 2026-07-28.
func TestDeniedWithoutSessions(t *testing.T) {
	server := listing(toolRead, toolDrop)
	server.modern = true
	serve(t, server, denyDrop, nil, func(a *attack) {
		_, got := a.modernAsk("tools/list", "", "")
		a.want(got, tools(toolRead))
		_, got = a.modernAsk("tools/call", `"name":"read"`, "read")
		a.want(got, "called read")
		status, got := a.modernAsk("tools/call", `"name":"drop"`, "drop")
		a.refused(got, "drop")
		if status != http.StatusBadRequest {
			a.Errorf("status %d", status)
		}
		status, got = a.modernAsk("tools/call", `"n\u0061me":"dr\u006fp"`, "drop")
		a.refused(got, "drop")
		if status, _ := a.modernAsk("tools/call", `"name":"drop","Name":"read"`, "drop"); status != http.StatusBadRequest {
			a.Errorf("status %d", status)
		}
		a.unheard("drop")
	})
}

// The same by HTTP with SSE of 2024-11-05.
func TestDeniedByTwoEndpoints(t *testing.T) {
	serve(t, listing(toolRead, toolDrop), denyDrop, nil, func(a *attack) {
		stream := a.get("/api/mcp/sse")
		defer stream.cancel()
		messages := "http://mcp.test" + stream.next()
		post := func(body string) {
			resp, err := a.http.Post(messages, "application/json", strings.NewReader(body))
			if err != nil {
				a.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				a.Errorf("status %d", resp.StatusCode)
			}
		}
		post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
		stream.next()
		post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		a.want(stream.next(), tools(toolRead))
		post(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"drop"}}`)
		a.refused(stream.next(), "drop")
		post(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read"}}`)
		a.want(stream.next(), "called read")
	})
}

// What a client comes back for is what it would have got.
func TestDeniedIsNotResumed(t *testing.T) {
	server := listing()
	server.lists = func(p *slyProcess, _ string) string {
		io.WriteString(p.out, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"wait"}}`+"\n")
		time.Sleep(time.Minute) // of the bubble's time
		return tools(toolDrop, toolRead)
	}
	serve(t, server, denyDrop, nil, func(a *attack) {
		a.open()
		ctx, cancel := context.WithTimeout(a.Context(), 10*time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://mcp.test/api/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Mcp-Session-Id", a.session)
		resp, err := a.http.Do(r)
		if err != nil {
			a.Fatal(err)
		}
		var last string
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			if id, ok := strings.CutPrefix(in.Text(), "id: "); ok {
				last = id
			}
		}
		if last == "" {
			a.Fatal("no event id")
		}
		time.Sleep(2 * time.Minute)
		stream := a.get("/api/mcp", "Last-Event-Id", last)
		defer stream.cancel()
		a.want(stream.next(), tools(toolRead))
	})
}

// Prompts and resources have rules of their own, and what is denied of them is as if it were not there.
func TestDeniedPromptsAndResources(t *testing.T) {
	access := config.Access{
		Prompts:   config.AccessRules{Allow: []string{"open*"}},
		Resources: config.AccessRules{Deny: []string{"file:///secret*"}},
	}
	server := &sly{other: map[string]string{
		"prompts/list":             `{"prompts":[{"name":"open"},{"name":"hidden","description":"CANARY"}]}`,
		"resources/list":           `{"resources":[{"uri":"file:///secret/x","name":"CANARY"},{"uri":"file:///a","name":"a"}]}`,
		"resources/templates/list": `{"resourceTemplates":[{"uriTemplate":"file:///secret/{x}","name":"CANARY"},{"uriTemplate":"file:///{x}","name":"b"}]}`,
	}}
	serve(t, server, access, nil, func(a *attack) {
		a.want(a.ask("prompts/list", `{}`), `{"prompts":[{"name":"open"}]}`)
		a.want(a.ask("resources/list", `{}`), `{"resources":[{"uri":"file:///a","name":"a"}]}`)
		a.want(a.ask("resources/templates/list", `{}`), `{"resourceTemplates":[{"uriTemplate":"file:///{x}","name":"b"}]}`)
		heard := a.server.heard()
		a.want(a.ask("prompts/get", `{"name":"hidden"}`), `"error":{"code":-32602,"message":"Unknown prompt: hidden"}`)
		for _, method := range []string{"resources/read", "resources/subscribe", "resources/unsubscribe"} {
			a.want(a.ask(method, `{"uri":"file:///%73ecret/x"}`), `"error":{"code":-32002,"message":"Resource not found","data":{"uri":"file:///%73ecret/x"}}`)
		}
		a.want(a.ask("completion/complete", `{"ref":{"type":"ref/prompt","name":"hidden"},"argument":{"name":"x","value":""}}`), "-32602")
		if now := a.server.heard(); now != heard {
			a.Errorf("the process heard %s", now)
		}
		a.ask("prompts/get", `{"name":"open"}`)
		a.ask("resources/read", `{"uri":"file:///a"}`)
		if now := a.server.heard(); now != heard+" prompts/get resources/read" {
			a.Errorf("the process heard %s", now)
		}
	})
}

// What a server says of its own accord of a resource that nobody may know of reaches nobody.
func TestDeniedResourceIsNotAnnounced(t *testing.T) {
	server := listing()
	server.lists = func(p *slyProcess, _ string) string {
		for _, uri := range []string{"file:///secret/CANARY", "file:///a"} {
			fmt.Fprintf(p.out, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":%q}}`+"\n", uri)
		}
		return tools()
	}
	serve(t, server, config.Access{Resources: config.AccessRules{Deny: []string{"file:///secret*"}}}, nil, func(a *attack) {
		a.open()
		stream := a.get("/api/mcp")
		defer stream.cancel()
		a.ask("tools/list", `{}`)
		a.want(stream.next(), `"uri":"file:///a"`)
	})
}
