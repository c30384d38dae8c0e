package generator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

const (
	runtimeModule = "github.com/mcpfunc/mcpfunc"
	carriedDir    = "third_party/mcpfunc"
	sumsPath      = carriedDir + "/SHA256SUMS"
	otelDir       = "runtime/otel" // of the runtime, for projects that ask for it
)

// carried is the runtime as a project takes it along.
type carried struct {
	files     []File
	requires  []string // what its go.mod requires, "module version"
	goVersion string
	sums      []byte // its go.sum: the project needs no more
}

// carry lays src under third_party/mcpfunc, with a list of check sums beside it. The list is in the
// form of sha256sum, so that anybody can check the copy, and it is how a later generate knows the
// files that it may replace or remove from those that somebody has worked on. Of what is for OpenTelemetry
// nothing is written unless otel is set.
func carry(src fs.FS, otel bool) (carried, error) {
	var c carried
	var sums bytes.Buffer
	err := fs.WalkDir(src, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == otelDir && !otel {
			return fs.SkipDir
		}
		name := path
		switch path {
		case "go.mod", "go.sum":
			if otel {
				return nil
			}
		case "go.otel.mod", "go.otel.sum":
			if !otel {
				return nil
			}
			path = "go" + strings.TrimPrefix(name, "go.otel")
		}
		if d.IsDir() {
			return nil
		}
		data, err := fs.ReadFile(src, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum(data), path)
		c.files = append(c.files, File{Path: carriedDir + "/" + path, Data: data, Owner: Ours})
		switch path {
		case "go.mod":
			c.goVersion, c.requires = requirements(data)
		case "go.sum":
			c.sums = data
		}
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("runtime sources: %w", err)
	}
	if c.goVersion == "" {
		return c, errors.New("runtime sources: go.mod names no Go version")
	}
	c.files = append(c.files, File{Path: sumsPath, Data: sums.Bytes(), Owner: Ours})
	return c, nil
}

// requirements reads the two things of a go.mod that a project repeats. The file is one that
// `go mod tidy` has written, so lines are all that needs to be known of its grammar.
func requirements(mod []byte) (goVersion string, requires []string) {
	block := false
	for line := range strings.Lines(string(mod)) {
		line, _, _ = strings.Cut(line, "//")
		switch fields := strings.Fields(line); {
		case len(fields) == 1 && fields[0] == ")":
			block = false
		case len(fields) == 2 && fields[0] == "require" && fields[1] == "(":
			block = true
		case len(fields) == 2 && fields[0] == "go":
			goVersion = fields[1]
		case len(fields) == 2 && block:
			requires = append(requires, fields[0]+" "+fields[1])
		case len(fields) == 3 && fields[0] == "require":
			requires = append(requires, fields[1]+" "+fields[2])
		}
	}
	return goVersion, requires
}

// parseSums reads a SHA256SUMS: project path to sum. Lines that are no such thing are skipped; a
// file that is not listed is not ours.
func parseSums(data []byte) map[string]string {
	sums := map[string]string{}
	for line := range strings.Lines(string(data)) {
		sum, path, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "  ")
		if ok && fs.ValidPath(path) {
			sums[carriedDir+"/"+path] = sum
		}
	}
	return sums
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
