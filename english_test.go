package mcpfunc

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unidiomatic is what we do not write, and what we write instead. CONTRIBUTING.md has the rules; this
// list keeps what has crept in before from coming back.
var unidiomatic = []struct {
	pattern, instead string
	some             []string // text of which some is in every match: it is quicker to look for
}{
	{`\banew\b`, "again, or a verb that says so: reinitialize, reload", []string{"anew"}},
	{`\bbeforehand\b`, "in advance", []string{"beforehand"}},
	{`\b(has|have|had) not\b(?: (?:a|an|any|the|one|its|their)\b|[.,;:)]|$)`, "does not have", []string{"has not", "have not", "had not"}},
	{`\bis none\b|\bare none\b|\bit is none of\b`, `is not a ..., or "invalid X %q: want ..."`, []string{"is none", "are none"}},
	{`\bis none of\b`, `"invalid X %q: want a, b or c"`, []string{"is none of"}},
	{`\b[Ww]hoever\b|\b[Ww]homever\b|\b[Ww]hichever\b`, "name the actor: a caller who, anyone who", []string{"hoever", "homever", "hichever"}},
	{`\bmakes? a service of\b`, "runs as a service", []string{"a service of"}},
	{`\b(process|processes|thread|function\.json|record|line|file|budget|limit|id|server|story|MiB|KiB|bytes|requests|sessions) an? (session|server|call|request|child|process|user|caller|instance|second|minute|hour|day|message|era|scaffold)\b`, `per: "one process per session"`, []string{" a session", " a server", " a call", " a request", " a child", " a process", " a user", " a caller", " an instance", " a second", " a minute", " an hour", " a day", " a message", " an era", " a scaffold"}},
	{`\b(stands?|stood|lies|lay|lie) (at|under|beside|behind|here|there|on|above|below|in (the|a|an|its|this|that|front|mcp))\b`, "is in, is at, is set", []string{"stand", "stood", "lie", "lay"}},
	{`\b(makes?|made) way\b`, "is evicted, or name what happens", []string{" way"}},
	{`\bof whoever\b|\bby whomever\b`, "name the actor", []string{"whoever", "whomever"}},
	{`\bthe cure\b|\bits cure\b|\bwith the cure\b`, "hint, fix", []string{"cure"}},
	{`\bper cent\b`, "percent, or %", []string{"per cent"}},
	{`\bto begin with\b`, "at first", []string{"to begin with"}},
	{`\bin the face of\b`, "despite", []string{"in the face of"}},
	{`\bsees to it\b|\bsaw to it\b`, "ensures", []string{"sees to it", "saw to it"}},
	{`\btakes? along\b|\btaken along\b`, "carries, includes", []string{" along"}},
	{`\blaid down\b`, "written to, put into", []string{"laid down"}},
	{`\bnil for nobody\b|\bnobody else's\b|\b(is|are|in) nobody's\b`, "nil for none; of no other process, user, or session", []string{"nobody"}},
	{`\bwho has (it|the turn)\b`, "its owner, the caller that has the turn", []string{"who has"}},
	{`\bhardly ever\b`, "rarely", []string{"hardly"}},
	{`\bso many more\b`, "n more", []string{"so many"}},
	{`\bin so many words\b`, "explicitly", []string{"so many"}},
	{`\bso far as to\b`, "never, could not", []string{"so far as"}},
	{`\bnobody (waits|wants|uses)\b`, "name the actor: without a client that waits, idle", []string{"nobody"}},
	{`\bcomes? to nothing\b`, "fails", []string{"to nothing"}},
}

// A line that must hold such a word says so: a quotation, a test's input.
const quoted = "english:ok"

func TestEnglish(t *testing.T) {
	t.Parallel()
	type rule struct {
		*regexp.Regexp
		instead string
		some    []string
	}
	var rules []rule
	for _, u := range unidiomatic {
		rules = append(rules, rule{regexp.MustCompile(u.pattern), u.instead, u.some})
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
				if !slices.ContainsFunc(r.some, func(text string) bool { return strings.Contains(line, text) }) {
					continue
				}
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
