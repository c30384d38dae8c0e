package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/doctor"
)

// A goBuild compiles the handler of a project. The same sources and Go give the same bytes,
// wherever the project lies: no paths (-trimpath), no build id, no state of a repository.
type goBuild struct {
	Dir    string
	GOOS   string // empty means the platform that Go runs on
	GOARCH string
	Page   bool // the handler gets the page of mcpfunc dev
	Env    []string
	Output io.Writer        // what the compiler says
	Doing  func(now string) // what it is at, and how far; may be nil
}

// run compiles and returns the handler's path, Dir included. A handler that was there, running or
// not, is replaced only by one that compiled.
func (b *goBuild) run(ctx context.Context) (string, error) {
	name, err := handlerPath(b.Dir)
	if err != nil {
		return "", err
	}
	target := filepath.Join(b.Dir, filepath.FromSlash(name))

	tmp, err := os.MkdirTemp(b.Dir, ".mcpfunc-build-")
	if err != nil {
		return "", fmt.Errorf("write into %s: %w", b.Dir, bare(err))
	}
	defer os.RemoveAll(tmp)
	binary, err := filepath.Abs(filepath.Join(tmp, path.Base(name)))
	if err != nil {
		return "", err
	}

	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("build the handler: %w", err)
	}
	// A scaffold carries its own replace; a workspace around it would refuse to build it.
	environ := append(b.Env[:len(b.Env):len(b.Env)], "CGO_ENABLED=0", "GOWORK=off")
	if b.GOOS != "" {
		environ = append(environ, "GOOS="+b.GOOS)
	}
	if b.GOARCH != "" {
		environ = append(environ, "GOARCH="+b.GOARCH)
	}
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", binary}
	tags, err := ownTags(ctx, goTool, b.Dir, environ)
	if err != nil {
		return "", fmt.Errorf("build the handler: %w", err)
	}
	tags = append(tags, withoutHTTP2)
	if b.Page {
		tags = append(tags, doctor.PageTag)
	}
	args = append(args, "-tags="+strings.Join(tags, ","))
	cmd := exec.CommandContext(ctx, goTool, append(args, ".")...)
	cmd.Dir, cmd.Env = b.Dir, environ
	said := &buildOutput{rest: b.Output, doing: b.Doing}
	cmd.Stdout, cmd.Stderr = said, said
	err = cmd.Run()
	said.end()
	if err != nil {
		return "", fmt.Errorf("build the handler: go build: %w", err)
	}

	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(binary, target); err != nil {
		// Windows does not replace a program that runs, but lets it be moved out of the way.
		old := filepath.Join(tmp, "old")
		if os.Rename(target, old) != nil || os.Rename(binary, target) != nil {
			return "", fmt.Errorf("move the handler into place: %w", err)
		}
	}
	return target, nil
}

// withoutHTTP2 leaves HTTP/2 out of net/http: the host speaks HTTP/1.1 to a handler, identity providers take it,
// and it is half a megabyte of what is read at every cold start.
const withoutHTTP2 = "nethttpomithttp2"

// ownTags are the build tags that the user has in GOFLAGS, which a -tags of ours would replace.
func ownTags(ctx context.Context, goTool, dir string, environ []string) (tags []string, err error) {
	cmd := exec.CommandContext(ctx, goTool, "env", "GOFLAGS")
	cmd.Dir, cmd.Env = dir, environ
	flags, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOFLAGS: %w", err)
	}
	for flag := range strings.FieldsSeq(string(flags)) {
		if list, ok := strings.CutPrefix(strings.TrimLeft(flag, "-"), "tags="); ok {
			tags = strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) // of several, the last one counts
		}
	}
	return tags, nil
}

// handlerPath returns where the Functions host looks for the handler of the project in dir:
// customHandler.description.defaultExecutablePath of host.json, slash-separated and relative to
// dir. Only the file at exactly this path is made executable when the project is published.
func handlerPath(dir string) (string, error) {
	file := filepath.Join(dir, "host.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", withHint(fmt.Errorf("%s is not a project: it has no host.json", dir),
			`"mcpfunc init" writes one`)
	}
	if err != nil {
		return "", err
	}
	var host struct {
		CustomHandler struct {
			Description struct {
				DefaultExecutablePath string `json:"defaultExecutablePath"`
			} `json:"description"`
		} `json:"customHandler"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &host); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	name := host.CustomHandler.Description.DefaultExecutablePath
	if name == "." || !fs.ValidPath(name) {
		return "", withHint(
			fmt.Errorf("%s: customHandler.description.defaultExecutablePath %q is not a relative path inside the project", file, name),
			`write it without "./", "..", a drive or a leading "/"`)
	}
	return name, nil
}
