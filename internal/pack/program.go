package pack

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// programFolder holds the programs. No server's name begins so.
const programFolder = "_bin"

// checkProgram says why a file does not run on the platform by itself.
func (l *Lock) checkProgram(file string) error {
	f, err := elf.Open(file)
	if format := (*elf.FormatError)(nil); errors.As(err, &format) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse("build it for "+l.Platform+"; start a script with its interpreter, as in python3 server.py", "%s is not a program for Linux", filepath.Base(file))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Machine != l.target().machine || f.Class != elf.ELFCLASS64 {
		return refuse("build it for "+l.Platform, "%s is a program for %s", filepath.Base(file), f.Machine)
	}
	return nil
}

// needs returns the C library's loader that a program asks for, or "" for one that needs nothing.
func needs(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "the C library of the system"
		}
	}
	return ""
}

// installProgram copies a server that runs by itself.
func (r *run) installProgram(j *job) (packmanifest.Start, error) {
	if lib := needs(j.program); lib != "" {
		r.note(j.name, "%s needs %s, which must not be newer here than where it will run", filepath.Base(j.program), lib)
	}
	if info, err := os.Stat(j.program); err == nil {
		j.report.Bytes, j.report.Files = info.Size(), 1
	}
	return packmanifest.Start{Program: j.name}, r.addProgram(j.name, j.program)
}

// addProgram puts a file among the programs.
func (r *run) addProgram(name, file string) error {
	sum, err := packmanifest.Sum(file)
	if err != nil {
		return err
	}
	where := path.Join(packmanifest.Folder, programFolder, name, filepath.Base(file))
	r.file.Programs[name] = packmanifest.Program{Path: where, SHA256: sum}
	return copyFile(filepath.Join(r.stage, filepath.FromSlash(where)), file, 0o755)
}

// vendorNode takes node itself along, where that was asked for and a server needs it.
func (r *run) vendorNode(ctx context.Context) error {
	needed := false
	for _, j := range r.jobs {
		needed = needed || j.recipe.Kind == KindNode
	}
	if r.lock.Node == "" || !needed {
		return nil
	}
	dir := filepath.Join(r.stage, LockFolder, nodeFolder)
	old := filepath.Join(r.opts.Dir, LockFolder, nodeFolder)
	_, err := os.Stat(filepath.Join(old, packageLockName))
	if err == nil && r.old != nil && r.old.Node == r.lock.Node && (r.opts.Upgrade == nil || !r.opts.Upgrade(nodeFolder)) {
		err = copyTree(dir, old)
	} else if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = r.lockNode(ctx, dir, []string{r.lock.target().node + "@" + r.lock.Node}, nil)
	}
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	work := filepath.Join(r.work, nodeFolder)
	if err := copyTree(work, dir); err != nil {
		return err
	}
	if err := r.installModules(ctx, &job{plan: &plan{}}, work, nil); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if err := r.addProgram(nodeFolder, filepath.Join(work, "node_modules", r.lock.target().node, "bin", "node")); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	r.note("", "node %s is included", r.lock.Node)
	return nil
}
