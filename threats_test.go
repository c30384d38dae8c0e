package mcpfunc

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestThreatsAreAttacked holds THREATS.md to the tree: every test that it names exists, every threat has one, and no
// number of the catalogue is left out.
func TestThreatsAreAttacked(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(data, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	text := string(read(t, "THREATS.md"))
	numbers := map[string]bool{}
	rows := 0
	for line := range strings.Lines(text) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) < 4 || cells[1] == "threat" {
			continue
		}
		rows++
		number := strings.TrimPrefix(cells[0], "| ")
		if number != "–" && numbers[number] {
			t.Errorf("%s is written twice", number)
		}
		numbers[number] = true
		tests := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(cells[3], -1)
		if len(tests) == 0 {
			t.Errorf("no test attacks %s: %s", number, cells[1])
		}
		for _, name := range tests {
			if !there[name[1]] {
				t.Errorf("%s, %s: there is no %s", number, cells[1], name[1])
			}
		}
	}
	if rows < 50 {
		t.Errorf("only %d threats were found", rows)
	}
	for _, group := range [][2]int{{1, 15}, {20, 24}, {30, 35}, {40, 55}, {60, 64}} {
		for n := group[0]; n <= group[1]; n++ {
			if number := fmt.Sprintf("T%02d", n); !numbers[number] {
				t.Errorf("%s is left out", number)
			}
		}
	}
	for _, page := range []string{"README.md", "ARCHITECTURE.md"} {
		if !strings.Contains(string(read(t, page)), "(THREATS.md)") {
			t.Errorf("%s does not link it", page)
		}
	}
}
