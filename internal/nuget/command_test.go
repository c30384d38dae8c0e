package nuget

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite testdata/commands.txtar")

// told is what a command line was read as, in words.
func told(words []string) string {
	var b strings.Builder
	c, err := ParseCommand(words[0], words[1:])
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
		if e := (*Error)(nil); errors.As(err, &e) && e.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", e.Hint)
		}
		return b.String()
	}
	if c.Tool != "" {
		fmt.Fprintf(&b, "tool %s\n", c.Tool)
	} else {
		version := c.Range.String()
		if !c.Versioned() {
			version = "newest"
		}
		fmt.Fprintf(&b, "package %s version %s\n", c.Package, version)
	}
	for what, list := range map[string][]string{"sources": c.Sources} {
		if len(list) > 0 {
			fmt.Fprintf(&b, "%s %s\n", what, strings.Join(list, " "))
		}
	}
	if len(c.AddSources) > 0 {
		fmt.Fprintf(&b, "add sources %s\n", strings.Join(c.AddSources, " "))
	}
	if c.ConfigFile != "" {
		fmt.Fprintf(&b, "config file %s\n", c.ConfigFile)
	}
	if c.IgnoreFailed {
		b.WriteString("ignore failed\n")
	}
	if c.RollForward {
		b.WriteString("roll forward\n")
	}
	var own []string
	for _, i := range c.Own {
		own = append(own, words[1+i])
	}
	fmt.Fprintf(&b, "own [%s]\n", strings.Join(own, " "))
	return b.String()
}

func TestCommandLinesAreReadAsDnxDoes(t *testing.T) {
	t.Parallel()
	const file = "testdata/commands.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range archive.Files {
		lines, want := archive.Files[i], &archive.Files[min(i+1, len(archive.Files)-1)]
		if strings.HasSuffix(lines.Name, ".want") {
			continue
		}
		if want.Name != lines.Name+".want" {
			t.Fatalf("%s is not followed by what is wanted of it", lines.Name)
		}
		got := told(strings.Split(strings.TrimSuffix(string(lines.Data), "\n"), "\n"))
		if *update {
			want.Data = []byte(got)
		} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", lines.Name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What CommandLine writes, ParseCommand reads.
func TestCommandLineComesBack(t *testing.T) {
	t.Parallel()
	own := []string{"--yes", "--version", "x", "--", "-v"}
	for _, c := range []struct {
		version string
		runtime []string
	}{{"1.2.0", nil}, {"", []string{"--prerelease"}}, {"1.0", []string{"-y", "--source", "./x"}}} {
		command, args := CommandLine("Acme.Dates.Mcp", c.version, c.runtime, own)
		got, err := ParseCommand(command, args)
		if err != nil {
			t.Errorf("%s %q: %v", command, args, err)
			continue
		}
		var words []string
		for _, i := range got.Own {
			words = append(words, args[i])
		}
		if diff := cmp.Diff(own, words); diff != "" || got.Package != "Acme.Dates.Mcp" || c.version != "" && got.Range.String() != c.version {
			t.Errorf("%s %q is read as %+v\n%s", command, args, got, diff)
		}
	}
}

// Reading ends, and never takes a word for both: the server's and the runner's.
func FuzzParseCommand(f *testing.F) {
	for _, text := range []string{"dnx A.B@1.0 --yes -- x", "dotnet tool exec A --version 1.* y", "dotnet tool run a b", "dotnet -d dnx --source=x A", "dnx -- A"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Split(text, " ")
		c, err := ParseCommand(words[0], words[1:])
		if err != nil {
			return
		}
		if c.Tool == "" && !ValidID(c.Package) {
			t.Fatalf("%q: package %q", words, c.Package)
		}
		last := -1
		for _, i := range c.Own {
			if i <= last || i >= len(words)-1 {
				t.Fatalf("%q: own %v", words, c.Own)
			}
			last = i
		}
	})
}
