package devpage

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A snippet is how one client is told of a server.
type snippet struct {
	Client string
	Place  string // file, or where else it goes
	Text   string
}

// snippets are in the form that each client documents. Tokens are never in them: a client asks for
// one, or takes it from the variable TOKEN.
func snippets(s Server, url string) []snippet {
	type object map[string]any
	vscode := object{"servers": object{s.Name: object{"type": "http", "url": url}}}
	bridge := object{"command": "npx", "args": []string{"-y", "mcp-remote", url}}
	cursor := object{"url": url}
	code := []string{"claude mcp add --transport http " + s.Name + " " + url}
	curl := []string{"curl " + url, "-H 'Content-Type: application/json'", "-H 'Accept: application/json, text/event-stream'"}
	if s.Token {
		vscode = object{
			"inputs":  []object{{"type": "promptString", "id": "token", "description": "Token for " + s.Name, "password": true}},
			"servers": object{s.Name: object{"type": "http", "url": url, "headers": object{"Authorization": "Bearer ${input:token}"}}},
		}
		// No blank in the argument: the client's Windows build hands it on without quotes.
		bridge = object{
			"command": "npx", "args": []string{"-y", "mcp-remote", url, "--header", "Authorization:${AUTHORIZATION}"},
			"env": object{"AUTHORIZATION": "Bearer TOKEN"},
		}
		cursor["headers"] = object{"Authorization": "Bearer ${env:TOKEN}"}
		code = append(code, `--header "Authorization: Bearer $TOKEN"`)
		curl = append(curl, `-H "Authorization: Bearer $TOKEN"`)
	}
	curl = append(curl, `-d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`)
	return []snippet{
		{"VS Code", ".vscode/mcp.json", indented(vscode)},
		{"Claude Code", "in a shell", shell(code)},
		{"Claude Desktop", "claude_desktop_config.json", indented(object{"mcpServers": object{s.Name: bridge}})},
		{"Cursor", ".cursor/mcp.json", indented(object{"mcpServers": object{s.Name: cursor}})},
		{"curl", "in a shell", shell(curl)},
	}
}

func shell(parts []string) string { return strings.Join(parts, " \\\n  ") }

func indented(v any) string {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	enc.Encode(v) // plain values
	return strings.TrimSuffix(text.String(), "\n")
}
