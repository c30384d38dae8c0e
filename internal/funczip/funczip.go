// Package funczip makes the package of a Functions app as Azure Functions Core Tools makes it: of the
// same files, with only the handler executable. So what works when it is published by one tool works
// when it is published by another.
package funczip

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Core Tools leaves these out wherever they are, in any case (FileSystemHelpers.GetLocalFiles).
var (
	neverFolders = []string{".git", ".vscode"}
	neverFiles   = []string{".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}
)

// stages begins the names of folders in a project that mcpfunc pack works in, and of files that are
// about to replace others: of local.settings.json, too. They stay there when mcpfunc is killed.
const stages = ".mcpfunc-"

// Files lists what is published of the project in root, slash-separated, in the order of their names:
// what Core Tools would publish, and in no case what a run of mcpfunc is about or left behind.
// Links are followed as long as they stay within root; another one is an error, and so is one to a
// folder that it lies in.
func Files(root *os.Root) ([]string, error) {
	ignored, err := readIgnore(root)
	if err != nil {
		return nil, err
	}
	w := walker{root: root, ignored: ignored}
	if err := w.folder(".", nil); err != nil {
		return nil, err
	}
	slices.Sort(w.files)
	return w.files, nil
}

// A walker collects the files below a root.
type walker struct {
	root    *os.Root
	ignored func(name string) bool
	files   []string
}

// folder walks name, which is in the folders above.
func (w *walker) folder(name string, above []fs.FileInfo) error {
	info, err := w.root.Stat(name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
		return fmt.Errorf("%s links to a folder that contains it", name)
	}
	above = append(above[:len(above):len(above)], info)
	entries, err := fs.ReadDir(w.root.FS(), name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		child := path.Join(name, e.Name())
		info, err := w.root.Stat(child)
		if err != nil {
			// A link that leads nowhere or out of the project matters only if it would be published.
			if w.ignored(child) || anyCase(neverFolders, e.Name()) || anyCase(neverFiles, e.Name()) {
				continue
			}
			return fmt.Errorf("%s cannot be published: %w", child, cause(err))
		}
		switch {
		case info.IsDir():
			if !anyCase(neverFolders, e.Name()) && !strings.HasPrefix(child, stages) {
				err = w.folder(child, above)
			}
		case anyCase(neverFiles, e.Name()) || strings.HasPrefix(e.Name(), stages) || w.ignored(child):
		case !info.Mode().IsRegular():
			err = fmt.Errorf("%s is not a regular file", child)
		default:
			w.files = append(w.files, child)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func anyCase(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// readIgnore reads .funcignore as Core Tools does (GitIgnoreParser), which is not as git does: a line
// is the beginning of a path from the root, at the end of a word; "*" stands for at least one
// character but "/", "**" for at least one of any. A line with "!" brings back what it matches,
// wherever it stands. Case counts.
func readIgnore(root *os.Root) (ignored func(name string) bool, err error) {
	data, err := root.ReadFile(".funcignore")
	if errors.Is(err, fs.ErrNotExist) {
		return func(string) bool { return false }, nil
	}
	if err != nil {
		return nil, err
	}
	var out, back []string
	for line := range strings.Lines(strings.TrimPrefix(strings.ToValidUTF8(string(data), "\ufffd"), "\ufeff")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		list := &out
		if rest, ok := strings.CutPrefix(line, "!"); ok {
			list, line = &back, rest
		}
		p := regexp.QuoteMeta(strings.TrimPrefix(line, "/"))
		p = strings.ReplaceAll(p, `\*\*`, `.+`)
		*list = append(*list, strings.ReplaceAll(p, `\*`, `[^/]+`))
	}
	left, brought := beginning(out), beginning(back)
	return func(name string) bool { return left(name) && !brought(name) }, nil
}

// beginning returns what reports whether a path begins with one of patterns, at the end of a word.
func beginning(patterns []string) func(string) bool {
	if len(patterns) == 0 {
		return func(string) bool { return false }
	}
	return regexp.MustCompile(`^(?:(?:` + strings.Join(patterns, `)|(?:`) + `))\b`).MatchString
}

// Write writes the package of the project in root to w. executable is the path of the handler, as
// customHandler.description.defaultExecutablePath has it; it must be among the files.
func Write(w io.Writer, root *os.Root, executable string) error {
	files, err := Files(root)
	if err != nil {
		return err
	}
	if !slices.Contains(files, executable) {
		return fmt.Errorf("the handler %q is not among the files that would be published", executable)
	}
	z := zip.NewWriter(w)
	for _, name := range files {
		mode := fs.FileMode(0o644)
		if name == executable {
			mode = 0o755
		}
		if err := add(z, root, name, mode); err != nil {
			return fmt.Errorf("%s: %w", name, cause(err))
		}
	}
	return z.Close()
}

// add writes one file, with its time: Python compares it with what a .pyc says.
func add(z *zip.Writer, root *os.Root, name string, mode fs.FileMode) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: info.ModTime()}
	header.SetMode(mode)
	out, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return err
}

// cause is err without the path, which the caller names better.
func cause(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
