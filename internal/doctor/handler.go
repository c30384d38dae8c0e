package doctor

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// handler looks at the file that the host starts. Its name must be the one in host.json to the
// letter: Core Tools makes no other file executable.
func (p *Project) handler(executable string) Finding {
	const name, build = "handler", "mcpfunc build"
	if executable == "" || path.IsAbs(executable) || path.Clean(executable) != executable || !fs.ValidPath(executable) {
		return failure(name, "mcpfunc generate",
			"defaultExecutablePath %q is not a relative path inside the project: Core Tools compares it character by character with the files that it makes executable", executable)
	}
	f, err := os.Open(p.path(executable))
	if errors.Is(err, fs.ErrNotExist) {
		return Finding{Name: name, Status: Missing, Detail: executable + " is not built yet", Hint: build}
	}
	if err != nil {
		return failed(name, "", err)
	}
	defer f.Close()
	if file, err := packmanifest.Load(p.Dir); err == nil {
		if built := pack.PlatformOf(f.Name()); built != "" && built != file.Platform {
			return failure(name, "mcpfunc pack --goarch "+path.Base(built)+", or mcpfunc build --goarch "+path.Base(file.Platform),
				"%s is built for %s, and what is packed is for %s", executable, built, file.Platform)
		}
	}
	if built := platform(f); built != azure {
		return warning(name, build+" before publishing", "%s is built for %s, and Azure Functions runs %s", executable, built, azure)
	}
	if hasPage(f) {
		return warning(name, build+" before publishing", "%s was built by mcpfunc dev and includes its page", executable)
	}
	return okay(name, "%s is built for %s", executable, azure)
}

// PageTag is the build tag of handlers that have the page of mcpfunc dev.
const PageTag = "mcpfunc_devpage"

// hasPage reports whether a program was built with PageTag.
func hasPage(f io.ReaderAt) bool {
	info, err := buildinfo.Read(f)
	if err != nil {
		return false // it is no program of Go
	}
	for _, s := range info.Settings {
		if s.Key == "-tags" {
			return slices.Contains(strings.Split(s.Value, ","), PageTag)
		}
	}
	return false
}

// azure is where custom handlers run on Linux plans.
const azure = "linux/amd64"

// platform says what a program was built for, as far as it matters here.
func platform(f io.ReaderAt) string {
	head := make([]byte, 4)
	if _, err := f.ReadAt(head, 0); err != nil {
		return "nothing: it is empty"
	}
	switch {
	case bytes.HasPrefix(head, []byte("MZ")):
		return "windows"
	case bytes.Equal(head, []byte{0xcf, 0xfa, 0xed, 0xfe}):
		return "darwin"
	case !bytes.Equal(head, []byte(elf.ELFMAG)):
		return "no system: it is not a program"
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return fmt.Sprintf("nothing: %v", err)
	}
	defer e.Close()
	if e.Machine != elf.EM_X86_64 {
		return "linux on " + e.Machine.String()
	}
	return azure
}
