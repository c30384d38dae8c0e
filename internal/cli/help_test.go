package cli

import (
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
)

// everyCommand returns the commands below root, without those that Cobra adds.
func everyCommand(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" && cmd.Name() != "completion" {
			all = append(append(all, cmd), everyCommand(cmd)...)
		}
	}
	return all
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv()
	for _, cmd := range everyCommand(newRootCommand(env)) {
		name := cmd.CommandPath()
		if cmd.Short == "" || cmd.Long == "" {
			t.Errorf("%s has no description", name)
		}
		if strings.HasSuffix(cmd.Short, ".") || strings.ToUpper(cmd.Short[:1]) != cmd.Short[:1] {
			t.Errorf("%s: %q is not written as the others", name, cmd.Short)
		}
		if !strings.Contains(cmd.Example, name) {
			t.Errorf("%s has no example of its own", name)
		}
		for line := range strings.Lines(cmd.Long) {
			if len(strings.TrimSpace(line)) > helpWidth {
				t.Errorf("%s: a line of its help is too long for a terminal: %s", name, line)
			}
		}
	}
}

func TestExamplesAreCommandLinesThatParse(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv()
	root := newRootCommand(env)
	for _, cmd := range append(everyCommand(root), root) {
		for line := range strings.Lines(cmd.Example) {
			for _, words := range exampleCalls(t, line) {
				parseExample(t, line, words)
			}
		}
	}
}

// exampleCalls returns the words after each mcpfunc of a line of a shell. A remark follows two spaces.
func exampleCalls(t *testing.T, line string) (calls [][]string) {
	t.Helper()
	line, _, _ = strings.Cut(strings.TrimSpace(line), "  ")
	words, err := shellquote.Split(line)
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	var call []string
	for _, word := range append(words, "&&") {
		switch {
		case word == "&&" || word == "|":
			if len(call) > 0 && call[0] == "mcpfunc" {
				calls = append(calls, call[1:])
			}
			call = nil
		default:
			call = append(call, word)
		}
	}
	if len(calls) == 0 {
		t.Errorf("%q is no example of mcpfunc", line)
	}
	return calls
}

func parseExample(t *testing.T, line string, words []string) {
	t.Helper()
	env, _, _ := testEnv()
	cmd, rest, err := newRootCommand(env).Find(words)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		t.Errorf("%s: %v", strings.TrimSpace(line), err)
	}
}

func TestShellsCompleteServersAndValues(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFiles(t, map[string]string{
		configName:          `{"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}, "tides": {"command": "t", "description": "High and low"}, "git": {"command": "g"}}}`,
		"app/" + configName: `{"mcpServers": {"there": {"command": "t"}}}`,
		"bad/" + configName: `{`,
	})
	for line, want := range map[string]string{
		"tools ti":                          "time\tuvx mcp-server-time\ntides\tHigh and low\n:4\n",
		"call g":                            "git\tg\n:4\n",
		"call git ":                         ":4\n",
		"doctor auth g":                     "git\tg\n:4\n",
		"remove-server --project app ":      "there\tt\n:4\n",
		"remove-server --project bad ":      ":4\n",
		"add-server t":                      ":4\n",
		"add-server new --auth azure_":      "none\nazure_default\nazure_obo\noauth2_bearer\n:4\n",
		"init --auth-level a":               "anonymous\nfunction\nadmin\n:4\n",
		"init --hosting ":                   "custom\nflex\n:4\n",
		"init --config ":                    "json\njsonc\ntoml\nyaml\nyml\nmcpb\ndxt\n:8\n",
		"init ":                             ":16\n",
		"publish my-app ":                   ":16\n",
		"publish ":                          ":4\n",
		"list --project ":                   ":16\n",
		"build --goarch ":                   "amd64\narm64\n:4\n",
		"generate --ch":                     "--check\twrite nothing; fail if a generated file is out of date\n:4\n",
		"init --name ":                      ":4\n",
		"tools git --url ":                  localURL + "\n:4\n",
		"remove-server --project nowhere t": ":4\n",
	} {
		env, stdout, _ := testEnv()
		words := append([]string{cobra.ShellCompRequestCmd}, strings.Split(line, " ")...)
		if code := run(t.Context(), words, env); code != exitDone || stdout.String() != want {
			t.Errorf("%q: code %d, completed by %q, want %q", line, code, stdout, want)
		}
	}
}
