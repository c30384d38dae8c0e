package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// parsed is a configuration of one server.
func parsed(t *testing.T, entry string) *config.File {
	t.Helper()
	file, err := config.Parse("c.json", []byte(`{"mcpServers": {"s": {`+entry+`}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPathsThatTheAppWillNotHave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"server.py", "dist/index.js", "bin/tool", "work/in.js"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const of = ", a path of one machine, which does not exist in the app"
	const not = ", which is not in the project"
	for entry, want := range map[string]string{
		// of one machine, whatever its system
		`"command": "node", "args": ["/Users/me/code/srv/dist/index.js"]`:       `"args" names /Users/me/code/srv/dist/index.js` + of,
		`"command": "node", "args": ["C:\\code\\srv\\index.js"]`:                `"args" names C:\code\srv\index.js` + of,
		`"command": "node", "args": ["\\\\host\\share\\index.js"]`:              `"args" names \\host\share\index.js` + of,
		`"command": "node", "args": ["~/srv/index.js"]`:                         `"args" names ~/srv/index.js` + of,
		`"command": "node", "args": ["$HOME/srv/index.js"]`:                     `"args" names $HOME/srv/index.js` + of,
		`"command": "node", "args": ["${HOME}/srv/index.js"]`:                   `"args" names ${HOME}/srv/index.js` + of,
		`"command": "npx", "args": ["-y", "fs@1", "/home/me/docs"]`:             `"args" names /home/me/docs` + of,
		`"command": "npx", "args": ["-y", "fs@1", "--root=/srv/data"]`:          `"args" names /srv/data` + of,
		`"command": "npx", "args": ["-y", "fs@1", "file:///Users/me/x"]`:        `"args" names /Users/me/x` + of,
		`"command": "uv", "args": ["--directory", "/Users/me/srv", "run", "m"]`: `"args" names /Users/me/srv` + of,
		`"command": "bash", "args": ["-c", "cd ~/srv && uv run main.py"]`:       `"args" names ~/srv` + of,
		`"command": "/opt/acme/server"`:                                         `"command" names /opt/acme/server` + of,
		`"command": "C:/tools/acme.exe"`:                                        `"command" names C:/tools/acme.exe` + of,
		`"command": "x", "cwd": "/Users/me/srv"`:                                `"working_dir" names /Users/me/srv` + of,
		`"command": "x", "env": {"DB": "/Users/me/a.db"}`:                       `"env.DB" names /Users/me/a.db` + of,
		`"command": "x", "envFile": "/Users/me/.env"`:                           `"envFile" names /Users/me/.env` + of,
		// relative
		`"command": "node", "args": ["--inspect", "index.js"]`:            `"args" names index.js` + not,
		`"command": "node", "args": ["-r", "./hook.js", "dist/index.js"]`: `"args" names ./hook.js` + not,
		`"command": "python3", "args": ["gone.py"]`:                       `"args" names gone.py` + not,
		`"command": "uv", "args": ["run", "gone.py"]`:                     `"args" names gone.py` + not,
		`"command": "java", "args": ["-Xmx1g", "-jar", "x.jar"]`:          `"args" names x.jar` + not,
		`"command": "deno", "args": ["run", "-A", "main.ts"]`:             `"args" names main.ts` + not,
		`"command": "./bin/gone"`:                                         `"command" names ./bin/gone` + not,
		`"command": "x", "args": ["--config", "./gone.json"]`:             `"args" names ./gone.json` + not,
		`"command": "x", "args": ["../other/a"]`:                          `"args" names ../other/a, which is outside the project`,
		`"command": "node", "args": ["in.js"]`:                            `"args" names in.js` + not,
		// none
		`"command": "node", "args": ["in.js"], "cwd": "work"`:                                           "",
		`"command": "python3", "args": ["-u", "server.py", "--path", "/mcp"]`:                           "",
		`"command": "node", "args": ["dist/index.js"]`:                                                  "",
		`"command": "./bin/tool", "args": ["/tmp/x", "/dev/null", ".", "/var/log/x", "/etc/localtime"]`: "",
		`"command": "npx", "args": ["-y", "@acme/mcp.js@1.0.0", "a/b"]`:                                 "",
		`"command": "npx", "args": ["-y", "x@1", "https://example.com/a.js"]`:                           "",
		`"command": "python", "args": ["-m", "srv"]`:                                                    "",
		`"command": "deno", "args": ["run", "-A", "npm:@acme/x"]`:                                       "",
		`"command": "node", "args": ["-e", "1"]`:                                                        "",
		`"command": "x", "args": ["--semver", "~1.2.3", "/api/v1", "/home/site/wwwroot"]`:               "",
		`"command": "/usr/bin/python3", "args": ["${SCRIPT}"]`:                                          "",
		`"command": "x", "disabled": true, "args": ["/Users/me/x"]`:                                     "",
	} {
		var got []string
		for _, f := range Paths(parsed(t, entry), dir, "") {
			if f.Status != Fail || f.Hint == "" || f.Name != "paths" {
				t.Errorf("{%s}: %+v", entry, f)
			}
			got = append(got, strings.TrimPrefix(f.Detail, `c.json:1: server "s": `))
		}
		if text := strings.Join(got, "; "); text != want {
			t.Errorf("{%s}:\n got %s\nwant %s", entry, text, want)
		}
	}
}

func TestTheHintOfAPathIsTheCommandThatCopies(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	for _, name := range []string{"pkg/package.json", "pkg/lib/deep/index.js"} {
		path := filepath.Join(src, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pkg := filepath.ToSlash(filepath.Join(src, "pkg"))
	for entry, want := range map[string]string{
		`"command": "node", "args": ["/Users/me/code/srv/dist/index.js"]`:         "copy it into the project, cp -R /Users/me/code/srv app/srv, and write srv/dist/index.js",
		`"command": "node", "args": ["/srv/here/echo.js"]`:                        "copy it into the project, cp -R /srv/here app/here, and write here/echo.js",
		`"command": "node", "args": ["~/my srv/index.js"]`:                        "copy it into the project, cp -R ~/'my srv' 'app/my srv', and write my srv/index.js",
		`"command": "node", "args": ["C:\\code\\srv\\dist\\index.js"]`:            "copy it into the project, cp -R C:/code/srv app/srv, and write srv/dist/index.js",
		`"command": "npx", "args": ["x@1", "/Users/me/Documents"]`:                "copy it into the project, cp -R /Users/me/Documents app/Documents, and write Documents",
		`"command": "node", "args": ["` + pkg + `/lib/deep/index.js"], "env": {}`: "",
		`"command": "node", "args": ["dist/index.js"]`:                            "copy it into the project: cp -R repo/dist app/dist",
		`"command": "npx", "args": ["x@1", "/srv/data"]`:                          "copy it into the project, cp -R /srv/data app/data, and write data; for a folder that is mounted on Azure, write ${NAME} and set NAME to its path",
		`"command": "uv", "args": ["run", "/Users/me/server.py"]`:                 "copy it into the project, cp -R /Users/me/server.py app/server.py, and write server.py",
		`"command": "node", "args": ["~/Desktop/server.js"]`:                      "copy it into the project, cp -R ~/Desktop/server.js app/server.js, and write server.js",
		`"command": "npx", "args": ["x@1", "--db", "/Users/me/data/notes.db"]`:    "copy it into the project, cp -R /Users/me/data/notes.db app/notes.db, and write notes.db",
		`"command": "${HOME}/go/bin/acme"`:                                        "copy it into the project, cp -R ~/go/bin/acme app/acme, and write acme",
		`"command": "x", "env": {"GOOGLE_APPLICATION_CREDENTIALS": "C:\\k.json"}`: "do not copy a secret into the project: let the server use the app's identity, or set what the file contains as an app setting",
		`"command": "x", "args": ["--cert=/Users/me/id.pem"]`:                     "do not copy a secret into the project: let the server use the app's identity, or set what the file contains as an app setting",
		`"command": ".venv/bin/python"`:                                           "a virtual environment works only where it was made: start the server with uvx or uv run, or with python and a requirements.txt in the project",
		`"command": "node", "args": ["bundles/acme/server/index.js"]`:             "copy the files of the bundle to app/bundles/acme",
		`"command": "node", "args": ["/path/to/server.js"]`:                       "write the path of a file or folder of the project, and copy it there if it is elsewhere",
		`"command": "x", "args": ["--db", "/Users/me/path/to/x.db"]`:              "write the path of a file or folder of the project, and copy it there if it is elsewhere",
		`"command": "node", "args": ["~"]`:                                        "copy what it names into the project, and write a path that is relative to the project",
	} {
		found := Paths(parsed(t, entry), "app", filepath.Join("repo", ".vscode", "mcp.json"))
		if strings.Contains(entry, pkg) {
			// Where the script's package is, all of it is copied. (Temporary folders are anybody's.)
			if got := packageRoot(pkg + "/lib/deep/index.js"); got != pkg {
				t.Errorf("the package is %s, want %s", got, pkg)
			}
			continue
		}
		if len(found) != 1 || found[0].Hint != want {
			t.Errorf("{%s}:\n got %+v\nwant %s", entry, found, want)
		}
	}
}
