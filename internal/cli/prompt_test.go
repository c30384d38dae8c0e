//go:build unix

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"github.com/kballard/go-shellquote"
	"golang.org/x/term"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A person sits at the other end of a pseudo-terminal.
type person struct {
	screen *transcript
	keys   *os.File
	tty    *os.File
	idle   term.State // of the terminal while nobody is asked
}

// seat gives env a terminal with a person at it.
func seat(t *testing.T, env *Env) *person {
	t.Helper()
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(keys, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	idle, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	p := &person{screen: newTranscript(), keys: keys, tty: tty, idle: *idle}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		p.watch()
	}()
	t.Cleanup(func() {
		if err := errors.Join(tty.Close(), keys.Close()); err != nil {
			t.Error(err)
		}
		<-watched
	})
	env.Stderr = tty
	env.Prompter = &surveyPrompter{in: keyByKey{tty}, out: tty}
	return p
}

// keyByKey reads a terminal one key at a time. When survey looks for the terminal's answer about the
// cursor it drops what came in the same read, and a sequence that comes in two reads is no arrow to it:
// neither happens at the pace of a hand.
type keyByKey struct{ *os.File }

func (k keyByKey) Read(p []byte) (int, error) {
	n, err := k.File.Read(p[:1])
	if err != nil || p[0] != '\x1b' {
		return n, err
	}
	for n == 1 || p[n-1] == '[' || p[n-1] == ';' || '0' <= p[n-1] && p[n-1] <= '9' {
		if _, err := k.File.Read(p[n : n+1]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// whereAmI is how a program asks a terminal for the place of the cursor.
const whereAmI = "\x1b[6n"

// watch keeps what is shown, and answers whereAmI as terminals do.
func (p *person) watch() {
	var shown strings.Builder
	answered := 0
	buf := make([]byte, 4096)
	for {
		n, err := p.keys.Read(buf)
		if err != nil {
			return
		}
		shown.Write(buf[:n])
		for ; answered < strings.Count(shown.String(), whereAmI); answered++ {
			if _, err := p.keys.WriteString("\x1b[1;1R"); err != nil {
				return
			}
		}
		_, _ = p.screen.Write(buf[:n])
	}
}

// An answer is what a person types at a question.
type answer struct {
	question string
	keys     string
}

// answers types each answer once its question waits for it.
func (p *person) answers(t *testing.T, list ...answer) (done <-chan struct{}) {
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		at := 0
		for _, a := range list {
			var err error
			if at, err = p.waitFor(at, a); err != nil {
				t.Error(err)
				a.keys = ctrlC // lets the command end
			}
			if _, err := p.keys.WriteString(a.keys); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				return
			}
		}
	}()
	return typed
}

// waitFor waits until an answer can be typed, which is when the terminal hands over single keys, and
// returns the offset on the screen behind the question.
func (p *person) waitFor(at int, a answer) (int, error) {
	at, err := p.screen.await(at, a.question)
	if err != nil {
		return 0, err
	}
	deadline := time.After(testlimit.Wait())
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		state, err := term.GetState(int(p.tty.Fd()))
		if err != nil || *state != p.idle {
			return at, err
		}
		select {
		case <-tick.C:
		case <-deadline:
			return 0, fmt.Errorf("%q waits for no answer", a.question)
		}
	}
}

const (
	enter = "\r"
	down  = "\x1b[B"
	ctrlC = "\x03"
)

func TestInitAsksForAServer(t *testing.T) {
	t.Chdir(t.TempDir())
	onPath(t, "uvx", "npx")
	env, stdout, _ := testEnv()
	p := seat(t, env)
	done := p.answers(t,
		answer{"What starts the server?", enter},
		answer{"Package and its arguments", "mcp-server-time '--local-timezone=Europe/Berlin'" + enter},
		answer{"Name of the server:", "clock" + enter},
		answer{"How are callers authenticated?", down + enter},
		answer{"What will the app run on?", down + enter},
		answer{"Which Functions key", down + down + enter},
		answer{"Write the project?", enter},
	)
	if code := run(t.Context(), []string{"init", "app"}, env); code != exitDone {
		t.Fatalf("exit code = %d:\n%s", code, p.screen)
	}
	<-done

	want := `{
  "mcpServers": {
    "clock": {
      "command": "uvx",
      "args": ["mcp-server-time", "--local-timezone=Europe/Berlin"],
      "auth": {
        "method": "azure_default"
      }
    }
  }
}
`
	got, err := os.ReadFile(filepath.Join("app", configName))
	if err != nil || string(got) != want {
		t.Errorf("the configuration is %s, %v", got, err)
	}
	function, err := os.ReadFile(filepath.Join("app", "mcp-clock", "function.json"))
	if err != nil || !strings.Contains(string(function), `"authLevel": "function"`) {
		t.Errorf("the function is %s, %v", function, err)
	}
	if got := stdout.String(); !strings.Contains(got, "create main.go\n") || strings.Contains(got, "\x1b") {
		t.Errorf("the results are %q", got)
	}
	if got := p.screen.String(); !strings.Contains(got, "(time)") {
		t.Errorf("no name was offered:\n%s", got)
	}
	if got := p.screen.String(); !strings.Contains(got, "serves") || !strings.Contains(got, "/api/mcp/clock") {
		t.Errorf("there was no summary before the last question:\n%s", got)
	}
}

func TestInitOffersTheFilesThatAreThere(t *testing.T) {
	t.Chdir(t.TempDir())
	env, _, _ := testEnv()
	env.Home, env.ConfigDir = "home", filepath.Join("home", "settings")
	writeFiles(t, map[string]string{
		".mcp.json":                                       `{"mcpServers": {"here": {"command": "here"}}}`,
		".cursor/mcp.json":                                `{"mcpServers": `,
		"home/.cursor/mcp.json":                           `{"mcpServers": {"cursor": {"command": "cursor"}}}`,
		"home/.codeium/windsurf/mcp_config.json":          `{"mcpServers": {"far": {"serverUrl": "https://example.org"}, "surf": {"command": "surf"}}}`,
		"home/settings/Claude/claude_desktop_config.json": `{"theme": "dark", "mcpServers": {"far": {"type": "http"}, "desk": {"command": "desk"}}}`,
		"home/settings/Code/User/settings.json":           `{"editor.fontSize": 12}`,
		"home/settings/Code/User/mcp.json":                `{"servers": {"a": {"command": "a"}, "b": {"command": "b"}, "c": {"command": "c"}, "d": {"command": "d"}}}`,
	})
	p := seat(t, env)
	done := p.answers(t,
		answer{"Where do the servers come from?", down + down + down + enter},
		answer{"Which Functions key", enter},
		answer{"Write the project?", enter},
	)
	if code := run(t.Context(), []string{"init", "app"}, env); code != exitDone {
		t.Fatalf("exit code = %d:\n%s", code, p.screen)
	}
	<-done
	if _, err := os.Stat(filepath.Join("app", "mcp-desk")); err != nil {
		t.Error(err)
	}
	screen := p.screen.String()
	for _, want := range []string{
		"found here      1 server       .mcp.json                                     here",
		"Cursor          1 server       ~/.cursor/mcp.json                            cursor",
		"Windsurf        1 server of 2  ~/.codeium/windsurf/mcp_config.json           surf",
		"Claude Desktop  1 server of 2  ~/settings/Claude/claude_desktop_config.json  desk",
		"VS Code         4 servers      ~/settings/Code/User/mcp.json                 a, b, c, …",
		"describe a server",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("%q was not offered", want)
		}
	}
	if strings.Contains(screen, filepath.Join("User", "settings.json")) {
		t.Error("settings without servers were offered")
	}
}

// onPath makes a PATH that holds these programs and no others.
func onPath(t *testing.T, programs ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestWhatIsHereIsOfferedFirst(t *testing.T) {
	t.Chdir(t.TempDir())
	onPath(t, "npx")
	env, _, _ := testEnv()
	p := seat(t, env)
	done := p.answers(t, answer{"What starts the server?", enter}, answer{"@modelcontextprotocol/server-everything:", ctrlC})
	if code := run(t.Context(), []string{"init", "app"}, env); code != exitInterrupted {
		t.Errorf("exit code = %d, want %d:\n%s", code, exitInterrupted, p.screen)
	}
	<-done
	p.screen.mustAwait(t, 0, "uvx: a package from PyPI (not on PATH)")
}

// What was answered can be written as flags, and gives the same project.
func TestAnswersAndFlagsGiveTheSameProject(t *testing.T) {
	for _, test := range []struct {
		name    string
		args    []string
		answers []answer
		flags   string // what the summary must offer
	}{
		{
			name: "a described server", args: []string{"--quiet", "--name", "my-app", "--module", "example.com/my-app", "--docker=false"},
			answers: []answer{
				{"What starts the server?", down + enter},
				{"Package and its arguments", "server-time 'two words'" + enter},
				{"Name of the server:", "clock" + enter},
				{"How are callers authenticated?", down + down + enter},
				{"What will the app run on?", enter},
				{"Which Functions key", down + enter},
			},
			flags: "--docker=false --module example.com/my-app --name my-app --server clock --auth azure_obo --hosting flex --auth-level anonymous --yes -- npx -y server-time 'two words'",
		},
		{
			name: "a file of another client",
			answers: []answer{
				{"Where do the servers come from?", enter},
				{"Which Functions key", enter},
			},
			flags: "mcpfunc init app --config home/.cursor/mcp.json --yes",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			onPath(t, "uvx", "npx")
			env, _, _ := testEnv()
			env.Environ = []string{"NO_COLOR=1"}
			if len(test.args) == 0 {
				env.Home = "home"
				writeFiles(t, map[string]string{
					"home/.cursor/mcp.json": `{"mcpServers": {"far": {"url": "https://example.org"}, "near": {"command": "near"}}}`,
				})
			}
			p := seat(t, env)
			done := p.answers(t, append(test.answers, answer{"Write the project?", enter})...)
			if code := run(t.Context(), append([]string{"init", "app"}, test.args...), env); code != exitDone {
				t.Fatalf("exit code = %d:\n%s", code, p.screen)
			}
			<-done
			_, rest, _ := strings.Cut(p.screen.String(), "without questions: mcpfunc ")
			line, _, _ := strings.Cut(rest, "\r\n")
			if !strings.Contains("mcpfunc "+line, test.flags) {
				t.Errorf("the summary offers %q, want %q in it", line, test.flags)
			}
			words, err := shellquote.Split(line)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Rename("app", "asked"); err != nil {
				t.Fatal(err)
			}
			// The session key is random, and the one that is there stays; other settings would be in the way.
			const settings = "local.settings.json"
			writeFiles(t, map[string]string{filepath.Join("app", settings): tree(t, "asked")[settings]})
			silent, _, stderr := testEnv()
			if code := run(t.Context(), words, silent); code != exitDone {
				t.Fatalf("exit code = %d:\n%s", code, stderr)
			}
			if diff := cmp.Diff(tree(t, "asked"), tree(t, "app")); diff != "" {
				t.Errorf("flags give another project (-answers +flags):\n%s", diff)
			}
		})
	}
}

// tree returns the files below dir.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(data)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s, %v", len(files), dir, err)
	}
	return files
}

func TestAnswersCanStopInit(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []answer
		code    int
		said    string
	}{
		{"no", []answer{{"What will the app run on?", enter}, {"Which Functions key", enter}, {"Write the project?", "n" + enter}}, exitFailed, "nothing was written: you answered no"},
		{"interrupt", []answer{{"What will the app run on?", ctrlC}}, exitInterrupted, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			env, _, _ := testEnv()
			p := seat(t, env)
			done := p.answers(t, test.answers...)
			if code := run(t.Context(), []string{"init", "app", "--", "uvx", "thing"}, env); code != test.code {
				t.Errorf("exit code = %d, want %d", code, test.code)
			}
			<-done
			p.screen.mustAwait(t, 0, test.said)
			if _, err := os.Stat("app"); err == nil {
				t.Error("there is a project")
			}
		})
	}
}

func TestYesAnswersAll(t *testing.T) {
	t.Chdir(t.TempDir())
	env, stdout, _ := testEnv()
	p := seat(t, env)
	if code := run(t.Context(), []string{"init", "app", "--yes", "--", "uvx", "thing"}, env); code != exitDone {
		t.Errorf("exit code = %d:\n%s", code, p.screen)
	}
	if got := stdout.String(); !strings.Contains(got, "create main.go\n") {
		t.Errorf("the results are %q", got)
	}
}

func TestAddServerAsksForTheCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	env, _, stderr := testEnv()
	if code := run(t.Context(), []string{"init", ".", "--", "uvx", "thing"}, env); code != exitDone {
		t.Fatal(stderr)
	}
	p := seat(t, env)
	if code := run(t.Context(), []string{"add-server", "other", "--yes"}, env); code != exitMisused {
		t.Errorf("with --yes: exit code = %d:\n%s", code, p.screen)
	}
	done := p.answers(t,
		answer{"What starts the server?", down + down + enter},
		answer{"Command line of the server", "'" + enter}, // refused: the quote is open
		answer{"Command line of the server", "npx -y other" + enter},
	)
	if code := run(t.Context(), []string{"add-server", "other"}, env); code != exitDone {
		t.Errorf("exit code = %d:\n%s", code, p.screen)
	}
	<-done
	data, err := os.ReadFile(configName)
	if err != nil || !strings.Contains(string(data), `"args": ["-y", "other"]`) {
		t.Errorf("the configuration is %s, %v", data, err)
	}
}

func TestColourFollowsTheTerminal(t *testing.T) {
	env, _, _ := testEnv()
	p := seat(t, env)
	run(t.Context(), []string{"inti"}, env)
	p.screen.mustAwait(t, 0, "\x1b[31mmcpfunc: \x1b[0munknown command")

	env.Environ = []string{"NO_COLOR=1"}
	run(t.Context(), []string{"iint"}, env)
	p.screen.mustAwait(t, 0, "mcpfunc: unknown command \"iint\"")
}

func TestALongLineIsCutWhereTheTerminalEnds(t *testing.T) {
	env, _, _ := testEnv()
	p := seat(t, env)
	if err := pty.Setsize(p.keys, &pty.Winsize{Rows: 24, Cols: 20}); err != nil {
		t.Fatal(err)
	}
	s := newScreen(env, p.tty)
	s.draw(painted(strings.Repeat("x", 30) + " \x1b[2m1.0s\x1b[0m"))
	if got, want := string(s.line), strings.Repeat("x", 19); got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
	const short painted = "x \x1b[2m1.0s\x1b[0m"
	if err := pty.Setsize(p.keys, &pty.Winsize{}); err != nil { // as of a terminal that knows no size
		t.Fatal(err)
	}
	if s.draw(short); s.line != short {
		t.Errorf("the line is %q, want %q", s.line, short)
	}
}
