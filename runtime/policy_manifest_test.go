package mcpfunc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// A recorded server is known to answer initialize, or server/discover, and tools/list.
type recorded struct{ list string }

func (recorded) Serves() bool { return true }
func (recorded) Era() string  { return "modern" }
func (recorded) Begun() []byte {
	return []byte(`{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sly","version":"1"}}}`)
}
func (recorded) Knows(m *message.Message) bool {
	return m.Envelope().Method() == "initialize" || m.Envelope().Method() == "tools/list"
}
func (r recorded) Answer(m *message.Message, _ string) *message.Message {
	text := string(r.Begun())
	switch m.Envelope().Method() {
	case "initialize":
	case "tools/list":
		text = `{"jsonrpc":"2.0","id":0,"result":` + r.list + `}`
	default:
		return nil
	}
	answer, err := message.Parse([]byte(strings.Replace(text, `"id":0`, `"id":`+string(m.Envelope().ID()), 1)))
	if err != nil {
		panic(err)
	}
	return answer
}
func (recorded) Pages(string) [][]byte { return nil }
func (recorded) Doubt(string)          {}

// talk is recorded for sessions, and stateless for requests without any: what they compare is not the same.
type talk struct{ *recorded }

func (talk) Check(*message.Message, func(*message.Message) (*message.Message, error)) ([]string, error) {
	return nil, nil
}

type stateless struct{ *recorded }

func (stateless) Check(*message.Message, func(*message.Message) (*message.Message, error)) error {
	return nil
}

// What a server is known to answer without a process is subject to the same rules, and a refusal starts none.
func TestDeniedAndPinnedWithoutAProcess(t *testing.T) {
	changed := strings.Replace(toolRead, "reads a file", "CANARY", 1)
	for name, c := range map[string]struct {
		access config.Access
		pins   map[string]string
		bad    string
	}{
		"denied": {denyDrop, nil, toolDrop},
		"pinned": {enforced(config.Access{}), pinsOf(toolRead, toolWrite), changed},
	} {
		bad := "drop"
		if name == "pinned" {
			bad = "read"
		}
		for _, modern := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, modern %v", name, modern), func(t *testing.T) {
				server := listing(c.bad, toolWrite)
				server.modern = modern
				serve(t, server, c.access, c.pins, func(a *attack) {
					r := &recorded{tools(c.bad, toolWrite)}
					a.app.servers[0].endpoint.Server.Known = func(*message.Message) session.Talk { return talk{r} }
					if modern {
						a.app.servers[0].endpoint.Pool.Known = stateless{r}
					}
					ask := func(method, params, tool string) string {
						if modern {
							_, got := a.modernAsk(method, params, tool)
							return got
						}
						return a.ask(method, "{"+params+"}")
					}
					a.want(ask("tools/list", "", ""), tools(toolWrite))
					if a.server.runs != 0 {
						t.Errorf("%d processes for a list", a.server.runs)
					}
					a.refused(ask("tools/call", `"name":"`+bad+`"`, bad), bad)
					a.want(ask("tools/call", `"name":"write"`, "write"), "called write")
					a.want(ask("tools/list", "", ""), tools(toolWrite))
				})
			})
		}
	}
}
