//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files in testdata/page are the configurations that the reference adapter documents, character
// for character, so their servers are whatever version is newest. Their databases cannot be reached:
// the child's own words must come back.

func page(t *testing.T, name string) string {
	t.Helper()
	config, err := os.ReadFile(filepath.Join("testdata", "page", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(config)
}

func TestDocumentedServersAnswerInTheirOwnWords(t *testing.T) {
	t.Parallel()
	for _, example := range []struct {
		file, tool, args, want string
		env                    []string // which the page leaves to be filled in
	}{
		{"git-tools.json", "git_status", `{"repo_path": "/path/to/your/repo"}`, "/path/to/your/repo", []string{"GIT_REPO_PATH=/path/to/your/repo"}},
		{"mysql.json", "execute_sql", `{"query": "SELECT 1"}`, "Can't connect to MySQL server on 'localhost:3306'",
			[]string{"MYSQL_USER=your_username", "MYSQL_PASSWORD=your_password", "MYSQL_DATABASE=your_database"}},
		{"fabric-rti.json", "kusto_known_services", `{}`, `"isError":false`, nil},
	} {
		t.Run(example.file, func(t *testing.T) {
			t.Parallel()
			b := bridge(t, page(t, example.file), example.env...)
			url := b.URL + "/api/mcp"
			session := post(t, url, "", initialize).Header.Get("Mcp-Session-Id")
			post(t, url, session, initialized)
			if list := post(t, url, session, listTools); !strings.Contains(list.Body, `"`+example.tool+`"`) {
				t.Errorf("tools/list: HTTP %d %s", list.Status, list.Body)
			}
			got := post(t, url, session, callTool(example.tool, example.args))
			if got.Status != http.StatusOK || !strings.Contains(got.Body, example.want) {
				t.Errorf("%s: HTTP %d %s, want %s in it", example.tool, got.Status, got.Body, example.want)
			}
		})
	}
}

// The page's mssql example runs a server.py that a reader has yet to write.
func TestServerThatCannotStartIsQuoted(t *testing.T) {
	t.Parallel()
	b := bridge(t, page(t, "mssql.json"), "MSSQL_SERVER=your_server", "MSSQL_DATABASE=your_database") // which the page leaves to be filled in
	got := post(t, b.URL+"/api/mcp", "", initialize)
	m := got.message(t)
	if m.Error == nil || m.Error.Code != -32603 {
		t.Fatalf("initialize: HTTP %d %s, want the error -32603", got.Status, got.Body)
	}
	said := m.Error.Data
	if said.ExitCode == nil || *said.ExitCode != 2 || !strings.Contains(strings.Join(said.Stderr, "\n"), "server.py") {
		t.Errorf("the child's own error: %s, want exit code 2 and Python's sentence about server.py", got.Body)
	}
}

func TestDocumentedAuthRefusesInTheDocumentedWords(t *testing.T) {
	t.Parallel()
	const want = `{"error":{"code":"authentication_required","message":"Missing or invalid Authorization header"}}`
	b := bridge(t, page(t, "fabric-rti-obo.json"),
		"AZURE_CLIENT_ID=12345678-1234-1234-1234-123456789012", "AZURE_CLIENT_SECRET=your-secret-value",
		"AZURE_TENANT_ID=87654321-4321-4321-4321-210987654321")
	before := len(processesOf(t, b.handler))
	for _, header := range []string{"X-Nothing: at all", "Authorization: Bearer not.a.token"} {
		got := post(t, b.URL+"/api/mcp", "session-12345", listTools, header)
		if got.Status != http.StatusUnauthorized || strings.TrimSpace(got.Body) != want {
			t.Errorf("with %q: HTTP %d %s, want 401 %s", header, got.Status, got.Body, want)
		}
		if challenge := got.Header.Get("Www-Authenticate"); !strings.HasPrefix(challenge, "Bearer ") {
			t.Errorf("with %q: WWW-Authenticate: %q", header, challenge)
		}
	}
	if after := len(processesOf(t, b.handler)); after != before {
		t.Errorf("%d processes before and %d after requests that were refused", before, after)
	}
}
