package doctor

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	return []byte(strings.TrimPrefix(string(data), "\ufeff")), err
}

const settingsName = "local.settings.json"

// settingsFile finds secrets in local.settings.json that git keeps, or would with the next "git add".
// Outside of a repository, and without git, there is nothing to find.
func (p *Project) settingsFile(ctx context.Context) []Finding {
	const name = settingsName
	if !p.has(name) || !p.secretSettings() {
		return nil
	}
	git, err := process.Find(process.Spec{Command: "git", Env: p.Environ})
	if err != nil {
		return nil
	}
	if _, err := ask(ctx, p.Dir, p.Environ, git, "rev-parse", "--is-inside-work-tree"); err != nil {
		return nil
	}
	if tracked, err := ask(ctx, p.Dir, p.Environ, git, "ls-files", "--", name); err == nil && tracked != "" {
		return []Finding{warning(name, "git rm --cached "+name+", add /"+name+" to .gitignore, and replace the secrets, because they are in the history",
			"contains secrets, and git tracks it")}
	}
	exit := (*exec.ExitError)(nil)
	if _, err := ask(ctx, p.Dir, p.Environ, git, "check-ignore", "--quiet", "--", name); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return []Finding{warning(name, "add /"+name+" to .gitignore", "contains secrets, and .gitignore does not exclude it")}
	}
	return []Finding{okay(name, "contains secrets, and git ignores it")}
}

// secretSettings reports whether local.settings.json holds a value that looks like a secret.
func (p *Project) secretSettings() bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(p.Settings)), func(name string) bool {
		_, looks := secret.Looks(name, p.Settings[name])
		return looks
	})
}
