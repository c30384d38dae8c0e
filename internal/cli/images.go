package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/image"
)

// How long registries have to answer: when a new Dockerfile would be better with digests, and when these are what was asked for.
const (
	pinningAside = 5 * time.Second
	pinning      = time.Minute
)

const dockerfile = "Dockerfile"

// pinImages puts the digests of base images into the Dockerfile that the changes of plan will write to dir. Without an
// answer of their registries, names of images stay as they are, with one warning that says how to pin them later.
func pinImages(ctx context.Context, env *Env, dir string, plan *generator.Plan, changes []generator.Change, offline bool) {
	written := withAction(changes, generator.Create, generator.Update)
	for i := range plan.Files {
		file := &plan.Files[i]
		if file.Path != dockerfile || !has(written, dockerfile) {
			continue
		}
		err := errors.New("--offline was given")
		if !offline {
			file.Data, err = askRegistries(ctx, env, pinningAside, file.Data)
		}
		if err != nil {
			style := styleFor(env, env.Stderr)
			env.note("%s %s", style.bold("warning:"), oneLine("base images in the Dockerfile are not pinned by digest: "+inOneLine(err)))
			env.note("%s %s", style.cyan("hint:"), oneLine("run "+commandLine("mcpfunc", append([]string{"generate", "--pin"}, folder(dir)...))+" to pin them later"))
		}
	}
}

// folder is dir as an argument, if it needs to be one.
func folder(dir string) []string {
	if dir == "." {
		return nil
	}
	return []string{dir}
}

func has(changes []generator.Change, path string) bool {
	for _, c := range changes {
		if c.Path == path {
			return true
		}
	}
	return false
}

// repin gives every base image of the Dockerfile in dir the digest that its tag has now. Nothing is written unless
// all registries answer. It returns no change if the Dockerfile has these digests.
func repin(ctx context.Context, env *Env, dir string) ([]generator.Change, error) {
	path := filepath.Join(dir, dockerfile)
	old, err := os.ReadFile(path)
	if err != nil {
		return nil, withHint(bare(err), "mcpfunc generate --docker writes a Dockerfile")
	}
	text, err := askRegistries(ctx, env, pinning, old)
	if err != nil {
		return nil, fmt.Errorf("%s was not changed: %s", path, inOneLine(err))
	}
	if string(text) == string(old) {
		return nil, nil
	}
	return []generator.Change{{Path: dockerfile, Action: generator.Update}}, replaceFile(path, text)
}

func askRegistries(ctx context.Context, env *Env, limit time.Duration, text []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	p := env.begin("asking registries for the digests of base images")
	defer p.end()
	return image.Pin(ctx, nil, text)
}

// inOneLine puts the errors of a join next to each other.
func inOneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
