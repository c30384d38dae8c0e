package nuget

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
)

// What a package may hold. The runtime of .NET has 80 MB in 190 files; the largest tools have some thousand.
const (
	filesLimit = 20_000
	bytesLimit = 2 << 30 // of all files, as they are written out
	fileLimit  = 1 << 30
	textLimit  = 4 << 20 // of a file that is read into memory

	directoryLimit = 8 << 20 // of the zip's list of files
)

// A Package is an open nupkg. Its methods are called by one goroutine.
type Package struct {
	ID       string
	Version  Version
	Types    []string // of packages: DotnetTool, McpServer; none is a library
	License  string   // an SPDX expression; empty where the package has a file or an address of one
	closer   io.Closer
	contents []member // by name
}

// A member is a file of a package.
type member struct {
	name string // slash-separated
	file *zip.File
}

// Open opens a package. One that holds anything which no package should is an error, whole: names that
// lead out of it, that two files share, or that some system has a meaning for; links and devices; more than
// the limits.
func Open(file string) (*Package, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p, err := Read(f, info.Size())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p.closer = f
	return p, nil
}

// Close closes the file of a package.
func (p *Package) Close() error {
	if p.closer == nil {
		return nil
	}
	return p.closer.Close()
}

// Read is Open for a package that is read from r, which is used as long as the package is.
func Read(r io.ReaderAt, size int64) (*Package, error) {
	if err := checkDirectory(r, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("is not a package: %w", err)
	}
	p := &Package{}
	if err := p.list(z); err != nil {
		return nil, err
	}
	return p, p.readNuspec()
}

// checkDirectory looks at where the list of files of a zip begins, before all of it is read into memory: its end
// record says so (APPNOTE.TXT 4.3.16), and a reader goes on until something is no entry.
func checkDirectory(r io.ReaderAt, size int64) error {
	const length, comment = 22, 1<<16 - 1
	tail := make([]byte, min(size, length+comment))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	at := bytes.LastIndex(tail[:max(0, len(tail)-length+4)], []byte("PK\x05\x06"))
	if at < 0 {
		return errors.New("is not a package: it is not a zip file")
	}
	bytesOf, begin := int64(binary.LittleEndian.Uint32(tail[at+12:])), int64(binary.LittleEndian.Uint32(tail[at+16:]))
	if bytesOf > directoryLimit || size-begin > directoryLimit+comment {
		return fmt.Errorf("has a list of files of more than %d MB", directoryLimit>>20)
	}
	return nil
}

// list takes in the names of a zip.
func (p *Package) list(z *zip.Reader) error {
	if len(z.File) > filesLimit {
		return fmt.Errorf("has %d files, more than %d", len(z.File), filesLimit)
	}
	folders, seen := map[string]bool{}, map[string]bool{}
	var total uint64
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") && f.UncompressedSize64 == 0 {
			continue // a folder; those of files are made anyway
		}
		name, err := memberName(f)
		if err != nil {
			return err
		}
		folded := strings.ToLower(name)
		if seen[folded] {
			return fmt.Errorf("has two files named %q", name)
		}
		seen[folded] = true
		for dir := path.Dir(folded); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
		if total += f.UncompressedSize64; f.UncompressedSize64 > fileLimit || total > bytesLimit {
			return fmt.Errorf("has more than %d MB", bytesLimit>>20)
		}
		p.contents = append(p.contents, member{name, f})
	}
	for _, m := range p.contents {
		if folders[strings.ToLower(m.name)] {
			return fmt.Errorf("has a file and a folder named %q", m.name)
		}
	}
	slices.SortFunc(p.contents, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return nil
}

// memberName returns the name of a file in a zip, which may be percent-encoded as a part of an OPC package
// is (ECMA-376 part 2).
func memberName(f *zip.File) (string, error) {
	name := f.Name
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	name = strings.TrimPrefix(name, "/")
	switch {
	case !f.Mode().IsRegular():
		return "", fmt.Errorf("has %q, which is neither a file nor a folder", name)
	case f.Flags&1 != 0:
		return "", fmt.Errorf("has %q, which is encrypted", name)
	case !fs.ValidPath(name) || name == "." || strings.ContainsFunc(name, forbidden):
		return "", fmt.Errorf("has a file named %q, which is not a relative path inside it", name)
	}
	return name, nil
}

// forbidden reports whether a character means something in the names of files of some system.
func forbidden(r rune) bool {
	return r < ' ' || r == 0x7f || r == 0xfffd || strings.ContainsRune(`\:*?"<>|`, r)
}

// Names lists the files below a folder of the package, or of all of it for "", in order.
func (p *Package) Names(dir string) []string {
	var list []string
	for _, m := range p.contents {
		if dir == "" || strings.HasPrefix(m.name, dir+"/") {
			list = append(list, m.name)
		}
	}
	return list
}

// Has reports whether the package has a file.
func (p *Package) Has(name string) bool { return p.find(name) != nil }

func (p *Package) find(name string) *zip.File {
	i := slices.IndexFunc(p.contents, func(m member) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return p.contents[i].file
}

// ReadFile returns a small file.
func (p *Package) ReadFile(name string) ([]byte, error) {
	f := p.find(name)
	if f == nil {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if f.UncompressedSize64 > textLimit {
		return nil, fmt.Errorf("%s has more than %d MB", name, textLimit>>20)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, textLimit+1))
	if err == nil && len(data) > textLimit {
		err = fmt.Errorf("has more than %d MB", textLimit>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// Extract writes files below dir, which is made, each where to says, slash-separated; "" leaves one out. A
// file that is there already is an error. Modes are those of plain files: a package has none that count.
func (p *Package) Extract(dir string, to func(name string) string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, m := range p.contents {
		target := to(m.name)
		if target == "" {
			continue
		}
		if err := root.MkdirAll(path.Dir(target), 0o755); err != nil {
			return err
		}
		if err := write(root, target, m.file); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// write writes one file, and no more of it than the package says that it has.
func write(root *os.Root, name string, from *zip.File) (err error) {
	r, err := from.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(r, int64(from.UncompressedSize64)+1))
	if err == nil && uint64(n) > from.UncompressedSize64 {
		err = errors.New("is larger than the package says")
	}
	return err
}

// readNuspec reads what a package says of itself (learn.microsoft.com/nuget/reference/nuspec).
func (p *Package) readNuspec() error {
	var name string
	for _, m := range p.contents {
		if !strings.Contains(m.name, "/") && strings.HasSuffix(strings.ToLower(m.name), ".nuspec") {
			if name != "" {
				return errors.New("has two nuspecs")
			}
			name = m.name
		}
	}
	if name == "" {
		return errors.New("is not a package: it has no nuspec")
	}
	data, err := p.ReadFile(name)
	if err != nil {
		return err
	}
	var spec struct {
		Metadata struct {
			ID      string `xml:"id"`
			Version string `xml:"version"`
			License struct {
				Type string `xml:"type,attr"`
				Text string `xml:",chardata"`
			} `xml:"license"`
			Types []struct {
				Name string `xml:"name,attr"`
			} `xml:"packageTypes>packageType"`
		} `xml:"metadata"`
	}
	if err := xml.Unmarshal(trimBOM(data), &spec); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if p.ID = strings.TrimSpace(spec.Metadata.ID); !ValidID(p.ID) {
		return fmt.Errorf("%s: invalid id %q", name, p.ID)
	}
	if p.Version, err = ParseVersion(spec.Metadata.Version); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, t := range spec.Metadata.Types {
		p.Types = append(p.Types, t.Name)
	}
	if spec.Metadata.License.Type == "expression" {
		p.License = strings.TrimSpace(spec.Metadata.License.Text)
	}
	return nil
}

// Is says why an open package is not that version of id.
func (p *Package) Is(id string, v Version) error {
	if !strings.EqualFold(p.ID, id) || p.Version.Compare(v) != 0 {
		return failure("report it to the operator of the feed", "the download of %s %s is %s %s", id, v, p.ID, p.Version)
	}
	return nil
}

// HasType reports whether the package says that it is of a type.
func (p *Package) HasType(name string) bool {
	return slices.ContainsFunc(p.Types, func(t string) bool { return strings.EqualFold(t, name) })
}
