package pack

import (
	"bytes"
	"debug/elf"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// executables returns the files in a server's tree that can only be started by their mode, which is lost on the
// way to Azure: programs for the platform, and where there are some, scripts that are no module of an
// interpreter. They are slash-separated, from the project. Scripts alone do not count: every package with a command
// for a terminal has one, and no server needs it.
func (r *run) executables(j *job) ([]string, error) {
	var programs, scripts []string
	err := filepath.WalkDir(j.treeDir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(j.treeDir, file)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := path.Join(packmanifest.Folder, j.name, filepath.ToSlash(rel))
		is, err := startsWith(file, elf.ELFMAG)
		switch {
		case err != nil:
			return err
		case is:
			if isProgram(file, r.lock.target().machine) {
				programs = append(programs, name)
			}
			return nil
		case info.Mode().Perm()&0o111 != 0 && !slices.Contains([]string{".js", ".cjs", ".mjs", ".ts", ".py"}, filepath.Ext(file)):
			if is, err = startsWith(file, "#!"); is {
				scripts = append(scripts, name)
			}
		}
		return err
	})
	if err != nil || len(programs) == 0 {
		return nil, err
	}
	all := append(programs, scripts...)
	slices.Sort(all)
	return all, nil
}

// mustRun says in words what has to be executable.
func mustRun(files []string) string {
	return andMore(files) + " must be executable"
}

func startsWith(file, magic string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return false, nil
	}
	return err == nil && bytes.Equal(head, []byte(magic)), err
}

// isProgram reports whether an ELF file for a machine is started, and not a library that is loaded: it is at a
// fixed address, asks for a loader, or says that it is position-independent (DF_1_PIE).
func isProgram(file string, machine elf.Machine) bool {
	f, err := elf.Open(file)
	if err != nil || f.Machine != machine {
		return false
	}
	defer f.Close()
	if f.Type != elf.ET_DYN {
		return f.Type == elf.ET_EXEC
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		// Some libraries ask for one too, so that they say their version when they are run, as libc.so.6 does.
		name, err := f.DynString(elf.DT_SONAME)
		return err != nil || len(name) == 0
	}
	flags, err := f.DynValue(elf.DT_FLAGS_1)
	return err == nil && slices.ContainsFunc(flags, func(v uint64) bool { return elf.DynFlag1(v)&elf.DF_1_PIE != 0 })
}
