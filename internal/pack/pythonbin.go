package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// binFolder is where uv puts the scripts of packages: beside the packages, as it installs into a folder of its own.
const binFolder = "bin"

// keepPrograms removes from a bin folder everything but programs for the platform, which wheels carry in
// *.data/scripts (packaging.python.org, "Binary distribution format"). The others are scripts that begin with
// the path of this machine's interpreter, and the start script does what they do.
func (r *run) keepPrograms(j *job, bin string) error {
	files, err := os.ReadDir(bin)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		file := filepath.Join(bin, f.Name())
		if isProgram(file, r.lock.target().machine) {
			j.programs = append(j.programs, f.Name())
		} else {
			err = errors.Join(err, os.RemoveAll(file))
		}
	}
	if err == nil && len(j.programs) == 0 {
		err = os.Remove(bin)
	}
	return err
}

// pathLine is the line of a start script that lets a server find the programs of its packages by their names,
// as uvx does.
func pathLine(j *job) string {
	if len(j.programs) == 0 {
		return ""
	}
	return fmt.Sprintf("os.environ[\"PATH\"] = os.pathsep.join(filter(None, [os.path.join(packages, %q), os.environ.get(\"PATH\")]))\n", binFolder)
}
