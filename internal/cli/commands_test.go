package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "rewrite docs/reference/commands.md")

func TestTheDocumentedCommandsAreTheCommands(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "reference", "commands.md")
	want := commandsPage()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/reference/commands.md is not what the commands say; go test ./internal/cli -run Documented -update writes it (-commands +page):\n%s", diff)
	}
}

// commandsPage is the help of every command, in the order of the root's own help.
func commandsPage() string {
	env := &Env{}
	root := newRootCommand(env)
	root.InitDefaultHelpFlag()
	var page strings.Builder
	fmt.Fprint(&page, "# Commands\n\n",
		"Written from the commands' own help by `go test ./internal/cli -run Documented -update`. Results go to standard\n",
		"output, everything else to standard error. The exit code is 0 when it is done, 1 when it failed, 2 when it was\n",
		"misused and 130 when it was interrupted. `mcpfunc completion SHELL` prints completions for bash, zsh, fish and\n",
		"PowerShell, servers' names included.\n\nEvery command takes:\n\n```\n",
		root.PersistentFlags().FlagUsagesWrapped(helpWidth), "```\n")
	for _, group := range root.Groups() {
		fmt.Fprintf(&page, "\n## %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, cmd := range root.Commands() {
			if cmd.GroupID != group.ID {
				continue
			}
			for _, c := range append([]*cobra.Command{cmd}, everyCommand(cmd)...) {
				writeCommand(&page, c)
			}
		}
	}
	return page.String()
}

func writeCommand(page *strings.Builder, cmd *cobra.Command) {
	fmt.Fprintf(page, "\n### %s\n\n%s.\n\n```\n%s\n```\n\n%s\n\n```\n%s\n```\n",
		cmd.CommandPath(), cmd.Short, strings.TrimSuffix(cmd.UseLine(), " [flags]"), escaped(cmd.Long), unindented(cmd.Example))
	if cmd.HasAvailableLocalFlags() {
		fmt.Fprintf(page, "\n```\n%s```\n", cmd.LocalNonPersistentFlags().FlagUsagesWrapped(helpWidth))
	}
}

// escaped keeps Markdown from reading <, * and _ of a help text as its own.
func escaped(text string) string {
	return strings.NewReplacer("<", `\<`, "*", `\*`, "_", `\_`, "[", `\[`).Replace(text)
}

func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}
