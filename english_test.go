package mcpfunc

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unidiomatic is what we do not write, and what we write instead. CONTRIBUTING.md has the rules; this
// list keeps what has crept in before from coming back.
var unidiomatic = []struct{ pattern, instead string }{
	{`\banew\b`, "again, or a verb that says so: reinitialize, reload"},
	{`\bbeforehand\b`, "in advance"},
	{`\b(has|have|had) not\b(?: (?:a|an|any|the|one|its|their)\b|[.,;:)]|$)`, "does not have"},
	{`\bis none\b|\bare none\b|\bit is none of\b`, `is not a ..., or "invalid X %q: want ..."`},
	{`\bis none of\b`, `"invalid X %q: want a, b or c"`},
	{`\b[Ww]hoever\b|\b[Ww]homever\b|\b[Ww]hichever\b`, "name the actor: a caller who, anyone who"},
	{`\bmakes? a service of\b`, "runs as a service"},
	{`\b(process|processes|thread|function\.json|record|line|file|budget|limit|id|server|story|MiB|KiB|bytes|requests|sessions) an? (session|server|call|request|child|process|user|caller|instance|second|minute|hour|day|message|era|scaffold)\b`, `per: "one process per session"`},
	{`\b(stands?|stood|lies|lay|lie) (at|under|beside|behind|here|there|on|above|below|in (the|a|an|its|this|that|front|mcp))\b`, "is in, is at, is set"},
	{`\b(makes?|made) way\b`, "is evicted, or name what happens"},
	{`\bof whoever\b|\bby whomever\b`, "name the actor"},
	{`\bthe cure\b|\bits cure\b|\bwith the cure\b`, "hint, fix"},
	{`\bper cent\b`, "percent, or %"},
	{`\bto begin with\b`, "at first"},
	{`\bin the face of\b`, "despite"},
	{`\bsees to it\b|\bsaw to it\b`, "ensures"},
	{`\btakes? along\b|\btaken along\b`, "carries, includes"},
	{`\blaid down\b`, "written to, put into"},
	{`\bcomes? to nothing\b`, "fails"},
}

// A line that must hold such a word says so: a quotation, a test's input.
const quoted = "english:ok"

func TestEnglish(t *testing.T) {
	t.Parallel()
	type rule struct {
		*regexp.Regexp
		instead string
	}
	var rules []rule
	for _, u := range unidiomatic {
		rules = append(rules, rule{regexp.MustCompile(u.pattern), u.instead})
	}
	kinds := map[string]bool{".md": true, ".go": true, ".tmpl": true, ".sh": true, ".txtar": true, ".yml": true, ".yaml": true, ".js": true, ".py": true, "": true}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "dist" || d.Name() == "site" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !kinds[filepath.Ext(path)] || path == "english_test.go" || path == "LICENSE":
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n := 0
		for line := range strings.Lines(string(data)) {
			n++
			if strings.Contains(line, quoted) {
				continue
			}
			for _, r := range rules {
				if found := r.FindString(strings.TrimRight(line, "\n")); found != "" {
					t.Errorf("%s:%d: %q: write %s", path, n, found, r.instead)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
