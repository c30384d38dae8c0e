package configedit

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// sentence is an error as a person sees it, with its hint.
func sentence(t *testing.T, err error) string {
	t.Helper()
	var e *config.Error
	if !errors.As(err, &e) {
		t.Fatalf("%#v is no *config.Error", err)
	}
	if e.Hint == "" {
		return e.Error()
	}
	return e.Error() + " | " + e.Hint
}

// added is the entry that the files of testdata/edit show.
var added = Entry{
	Command: "uvx", Args: []string{"mcp-server-git", "--repo"},
	Env: []EnvVar{{"TOKEN", "${TOKEN}"}, {"A", "<&>"}},
}

// Each file holds a configuration "before", and what it is "added" to, or "without NAME". Each is
// edited as it stands, with CRLF line ends, and behind a byte order mark.
func TestEditLeavesEveryOtherByte(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before := archive.Files[0].Data
		for _, after := range archive.Files[1:] {
			for name, layout := range map[string]func([]byte) []byte{
				"LF":     func(b []byte) []byte { return b },
				"CRLF":   func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
				"BOM":    func(b []byte) []byte { return append([]byte("\ufeff"), b...) },
				"no end": func(b []byte) []byte { return bytes.TrimSuffix(b, []byte("\n")) },
			} {
				if string(before) == "{}\n" && name == "no end" {
					continue // nothing says what ends its lines
				}
				var got []byte
				if gone, ok := strings.CutPrefix(after.Name, "without "); ok {
					got, err = RemoveServer(layout(before), gone)
				} else {
					got, err = AddServer(layout(before), "new", added)
				}
				if err != nil {
					t.Errorf("%s, %s, %s: %v", path, after.Name, name, err)
				} else if diff := cmp.Diff(string(layout(after.Data)), string(got)); diff != "" {
					t.Errorf("%s, %s, %s (-want +got):\n%s", path, after.Name, name, diff)
				}
			}
		}
	}
}

func TestNewFileHoldsItsServersInOrder(t *testing.T) {
	t.Parallel()
	got, err := New(
		NamedEntry{"b", Entry{
			Command: "node", Dir: "srv", Description: "two\nlines",
			Auth: config.Auth{Method: config.AuthAzureOBO, AzureClientID: "${ID}", AzureScopes: []string{"s"}, ForwardUserToken: true},
		}},
		NamedEntry{"a", Entry{Command: "uvx", Auth: config.Auth{Method: config.AuthNone}}},
		NamedEntry{"c", Entry{Command: "uvx", Auth: config.Auth{
			Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://i", OAuth2ScopeImplies: map[string][]string{"w": {"r"}, "a": {"w", "r"}},
		}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "mcpServers": {
    "b": {
      "command": "node",
      "working_dir": "srv",
      "description": "two\nlines",
      "auth": {
        "method": "azure_obo",
        "azure_client_id": "${ID}",
        "azure_scopes": ["s"],
        "forward_user_token": true
      }
    },
    "a": {
      "command": "uvx"
    },
    "c": {
      "command": "uvx",
      "auth": {
        "method": "oauth2_bearer",
        "oauth2_issuer": "https://i",
        "oauth2_scope_implies": {
          "a": ["w", "r"],
          "w": ["r"]
        }
      }
    }
  }
}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEditThatCannotBeMadeIsAnError(t *testing.T) {
	t.Parallel()
	const file = "{\"mcpServers\": {\n\"git\": {\"command\": \"x\"}},\n\"runtime\": {\"default_server\": \"git\"}}"
	x := Entry{Command: "x"}
	add := func(data, name string, e Entry) func() ([]byte, error) {
		return func() ([]byte, error) { return AddServer([]byte(data), name, e) }
	}
	remove := func(data, name string) func() ([]byte, error) {
		return func() ([]byte, error) { return RemoveServer([]byte(data), name) }
	}
	for want, edit := range map[string]func() ([]byte, error){
		`line 2: server "git": already exists in the file | remove it first, or choose another name`:                                                       add(file, "Git", x),
		`line 1: server "a/b": a name must be up to 63 letters, digits, "-" and "_", and begin with a letter or a digit | rename it, for example to "a-b"`: add(file, "a/b", x),
		`line 3: server "new": "command" is missing`:                                                                                            add(file, "new", Entry{}),
		`server "new": the entry contains a string that is not UTF-8`:                                                                           add(file, "new", Entry{Command: "\xff"}),
		`server "new": the entry is not one JSON object`:                                                                                        add(file, "new", Entry{Raw: []byte(`{}, "evil": {}`)}),
		`line 1: server "a": "type" must be "stdio", not "stido" | did you mean "stdio"?`:                                                       add(`{"servers": {"a": {"type": "stido"}}}`, "new", x),
		`line 1: "servers" must be an object, not a list`:                                                                                       add(`{"servers": []}`, "new", x),
		`line 1: server "gti": is not in the file | did you mean "git"?`:                                                                        remove(file, "gti"),
		`line 3: "runtime.default_server" names "git", so that server cannot be removed | change it to another server first`:                    remove(file, "git"),
		`line 1: contains no servers: want "mcpServers", "servers", "mcp.servers" or "mcp.server" | put the servers into {"mcpServers": {...}}`: remove(`{}`, "git"),
	} {
		data, err := edit()
		if got := sentence(t, err); got != want || data != nil {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestBrokenEntryCanBeRemoved(t *testing.T) {
	t.Parallel()
	got, err := RemoveServer([]byte(`{"servers": {"a/b": {"type": "http"}, "c": {"command": "x"}}, "runtime": []}`), "a/b")
	if want := `{"servers": {"c": {"command": "x"}}, "runtime": []}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
