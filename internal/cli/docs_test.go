package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// pages are what a person reads, commands.md apart, which another test writes.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "packaging/*/*.md", "examples/*/README.md"} {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s, %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[file] = strings.ReplaceAll(string(data), "\r\n", "\n")
		}
	}
	return texts
}

func TestCommandLinesInTheDocsParse(t *testing.T) {
	t.Parallel()
	found := 0
	for file, text := range pages(t) {
		for line := range strings.Lines(text) {
			indented := strings.HasPrefix(line, "    ")
			line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
			if !indented || !strings.HasPrefix(line, "mcpfunc ") {
				continue
			}
			found++
			for _, words := range exampleCalls(t, line) {
				parseExample(t, file+": "+line, words)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d command lines were found", found)
	}
}

func TestTheMainInTheDocsIsTheOneThatIsGenerated(t *testing.T) {
	t.Parallel()
	story, err := txtar.ParseFile(filepath.Join("..", "..", "testdata", "golden", "one-server.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range story.Files {
		if file.Name != "want/main.go" {
			continue
		}
		guide := pages(t)[filepath.Join("..", "..", "docs", "concepts", "project.md")]
		if !strings.Contains(guide, "```go\n"+string(file.Data)+"```\n") {
			t.Errorf("docs/concepts/project.md shows another main.go than:\n%s", file.Data)
		}
		return
	}
	t.Error("the story has no main.go")
}

// A link that leads nowhere is found by who needs it most.
func TestLinksInTheDocsLeadSomewhere(t *testing.T) {
	t.Parallel()
	for file, text := range pages(t) {
		for rest := text; ; {
			_, after, ok := strings.Cut(rest, "](")
			if !ok {
				break
			}
			target, tail, _ := strings.Cut(after, ")")
			rest = tail
			path, anchor, _ := strings.Cut(target, "#")
			if strings.Contains(target, "://") {
				continue
			}
			linked := file
			if path != "" {
				linked = filepath.Join(filepath.Dir(file), filepath.FromSlash(path))
			}
			if _, err := os.Stat(linked); err != nil {
				t.Errorf("%s: %s: %v", file, target, err)
				continue
			}
			if anchor != "" && !hasHeading(t, linked, anchor) {
				t.Errorf("%s: %s has no heading #%s", file, linked, anchor)
			}
		}
	}
}

// hasHeading reports whether a page has the heading that GitHub gives that anchor.
func hasHeading(t *testing.T, file, anchor string) bool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		heading := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r > 127:
				return r
			}
			return -1
		}, heading)
		if slug == anchor {
			return true
		}
	}
	return false
}
