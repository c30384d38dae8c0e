package mcpfunc

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestArchitectureNamesWhatIsThere holds ARCHITECTURE.md to the tree: what it names as a path exists,
// every package has a place on the map, and a POST takes ten steps, each of which names a file.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	text := string(read(t, "ARCHITECTURE.md"))
	var named []string
	for _, m := range regexp.MustCompile("`([^`\\s]+)`").FindAllStringSubmatch(text, -1) {
		name := m[1]
		folder, file := strings.HasSuffix(name, "/"), strings.HasSuffix(name, ".go") && name != "main.go" // which is a project's
		if !folder && !file {
			continue
		}
		named = append(named, strings.TrimSuffix(name, "/"))
		if info, err := os.Stat(filepath.FromSlash(name)); err != nil || info.IsDir() != folder {
			t.Errorf("it names %s, which is not there", name)
		}
	}

	for _, pattern := range []string{"internal/*", "cmd/*", "test/*"} {
		rooms, err := filepath.Glob(pattern)
		if err != nil || len(rooms) == 0 {
			t.Fatalf("%s: %q, %v", pattern, rooms, err)
		}
		for _, room := range rooms {
			sources, _ := filepath.Glob(filepath.Join(room, "*.go")) // fails on bad patterns only
			if len(sources) > 0 && !slices.Contains(named, filepath.ToSlash(room)) {
				t.Errorf("%s is on no map", room)
			}
		}
	}

	_, way, _ := strings.Cut(text, "## The way of one POST\n")
	way, _, _ = strings.Cut(way, "\n## ")
	steps := regexp.MustCompile(`(?m)^(\d+)\. (.*(?:\n .*)*)`).FindAllStringSubmatch(way, -1)
	if len(steps) != 10 {
		t.Errorf("a POST takes %d steps, want 10", len(steps))
	}
	for _, step := range steps {
		if !strings.Contains(step[2], ".go`") {
			t.Errorf("step %s names no file", step[1])
		}
	}

	if !strings.Contains(string(read(t, "README.md")), "(ARCHITECTURE.md)") {
		t.Error("README.md does not link it")
	}
}
