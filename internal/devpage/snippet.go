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

// A credential is a header that every request carries.
type credential struct {
	header   string
	scheme   string // before the value; empty for none
	id       string // of VS Code's input
	variable string // that clients take the value from
}

func credentials(s Server) []credential {
	var all []credential
	if s.Token {
		all = append(all, credential{"Authorization", "Bearer ", "token", "TOKEN"})
	}
	for _, header := range s.Headers {
		all = append(all, credential{header: header, id: strings.ToLower(header), variable: strings.ToUpper(strings.Map(wordly, header))})
	}
	return all
}

// wordly is a character of a header's name as a variable's name has it.
func wordly(c rune) rune {
	if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
		return c
	}
	return '_'
}

// snippets are in the form that each client documents. Tokens and secrets are never in them: a client asks for
// one, or takes it from a variable as TOKEN.
func snippets(s Server, url string) []snippet {
	type object map[string]any
	entry := object{"type": "http", "url": url}
	vscode := object{"servers": object{s.Name: entry}}
	args := []string{"-y", "mcp-remote", url}
	bridge := object{"command": "npx"}
	cursor := object{"url": url}
	code := []string{"claude mcp add --transport http " + s.Name + " " + url}
	curl := []string{"curl " + url, "-H 'Content-Type: application/json'", "-H 'Accept: application/json, text/event-stream'"}
	if all := credentials(s); all != nil {
		env := object{}
		typed, taken := object{}, object{}
		var inputs []object
		for _, c := range all {
			what := c.header
			if c.id == "token" {
				what = "Token"
			}
			inputs = append(inputs, object{"type": "promptString", "id": c.id, "description": what + " for " + s.Name, "password": true})
			typed[c.header], taken[c.header] = c.scheme+"${input:"+c.id+"}", c.scheme+"${env:"+c.variable+"}"
			// No blank in the argument: the client's Windows build hands it on without quotes.
			variable := strings.ToUpper(strings.Map(wordly, c.header))
			args = append(args, "--header", c.header+":${"+variable+"}")
			env[variable] = c.scheme + c.variable
			code = append(code, `--header "`+c.header+": "+c.scheme+"$"+c.variable+`"`)
			curl = append(curl, `-H "`+c.header+": "+c.scheme+"$"+c.variable+`"`)
		}
		vscode["inputs"] = inputs
		entry["headers"], cursor["headers"], bridge["env"] = typed, taken, env
	}
	bridge["args"] = args
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
