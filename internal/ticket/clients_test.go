package ticket

import (
	"maps"
	"slices"
	"testing"
)

// clients are the initialize params of clients that people use, as they send them.
func clients() map[string]string {
	return map[string]string{
		"go-sdk":      `{"capabilities":{"roots":{"listChanged":true}},"clientInfo":{"name":"my-client","version":"1.4.2"},"protocolVersion":"2025-11-25"}`,
		"go-sdk full": `{"capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{}}},"clientInfo":{"name":"mcpfunc-e2e-go","version":"1"},"protocolVersion":"2025-11-25"}`,
		"typescript":  `{"protocolVersion":"2025-11-25","capabilities":{"sampling":{},"elicitation":{},"roots":{"listChanged":true}},"clientInfo":{"name":"my-agent","version":"3.0.1"}}`,
		"python":      `{"protocolVersion":"2025-11-25","capabilities":{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}},"clientInfo":{"name":"mcp","version":"0.1.0"}}`,
		"VS Code": `{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}},` +
			`"tasks":{"list":{},"cancel":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}},` +
			`"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}},"clientInfo":{"name":"Visual Studio Code","version":"1.109.2"}}`,
		"claude.ai":   `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"claude-ai","version":"0.1.0"}}`,
		"claude-code": `{"protocolVersion":"2025-11-25","capabilities":{"roots":{},"elicitation":{}},"clientInfo":{"name":"claude-code","title":"Claude Code","version":"2.1.76","websiteUrl":"https://claude.com/claude-code"}}`,
		"cursor":      `{"protocolVersion":"2025-06-18","capabilities":{"tools":true,"prompts":true,"resources":true,"logging":false,"elicitation":{},"roots":{"listChanged":false}},"clientInfo":{"name":"cursor-vscode","version":"1.0.0"}}`,
		"unheard of":  `{"capabilities":{"experimental":{"com.example/streaming-diagnostics":{"level":7,"channels":["a","b"]}}},"clientInfo":{"name":"Führungsassistent","title":"Ein unbekannter Client","version":"17.3-beta+g5f2c"},"protocolVersion":"2025-03-26"}`,
	}
}

// An id is short for the clients that there are: it goes with every request, and some proxies and
// databases keep no more than 255 characters of such a thing.
func TestIDIsShortForKnownClients(t *testing.T) {
	t.Parallel()
	k := RandomKeys()
	all := clients()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		id := seal(t, k, alice, ticketOf(all[name]))
		t.Logf("%-12s %3d bytes of params, an id of %3d", name, len(all[name]), len(id))
		if limit := 255; name != "unheard of" && len(id) > limit {
			t.Errorf("%s has an id of %d bytes, want at most %d", name, len(id), limit)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	k, ticket := RandomKeys(), ticketOf(clients()["typescript"])
	b.ReportAllocs()
	for b.Loop() {
		seal(b, k, alice, ticket)
	}
}

func BenchmarkOpen(b *testing.B) {
	k := RandomKeys()
	id := seal(b, k, alice, ticketOf(clients()["typescript"]))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(alice, id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenForged(b *testing.B) {
	k := RandomKeys()
	id := seal(b, RandomKeys(), alice, ticketOf(clients()["typescript"]))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(alice, id); err == nil {
			b.Fatal("opens under another key")
		}
	}
}
