package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// applyEdit makes data the configuration of the project in dir and brings the generated files in
// line. Nothing is written unless all of it can be. What was changed is returned.
func applyEdit(env *Env, dir string, data []byte) (*alignment, []generator.Change, error) {
	a, err := align(env, dir, data, false)
	if err != nil {
		return nil, nil, err
	}
	if err := writeConfig(dir, data); err != nil {
		return nil, nil, err
	}
	changes, err := a.write()
	if err != nil {
		return nil, nil, withHint(fmt.Errorf("%s was changed, but the generated files were not: %w", configName, err), `run "mcpfunc generate" to update them`)
	}
	return a, append([]generator.Change{{Path: configName, Action: generator.Update}}, changes...), nil
}

// writeConfig replaces the configuration of the project in dir in one step: a reader, the dev
// server among them, sees the old file or the new one.
func writeConfig(dir string, data []byte) error {
	return replaceFile(filepath.Join(dir, configName), data)
}

// replaceFile changes a file in one step, or makes it.
func replaceFile(path string, data []byte) error {
	// A link keeps pointing where it did; the file behind it is what changes.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, bare(err))
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// inProject names the file in errors of the edits, which know only its bytes.
func inProject(dir string, err error) error {
	if e := (*config.Error)(nil); errors.As(err, &e) && e.Path == "" {
		named := *e
		named.Path = filepath.Join(dir, configName)
		return &named
	}
	return err
}
