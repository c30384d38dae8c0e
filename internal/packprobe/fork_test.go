package packprobe

import (
	"slices"
	"testing"
)

// What Python says with -v comes in parts of any length, between what the server says.
func TestImportsAreToldFromComplaints(t *testing.T) {
	t.Parallel()
	const said = "import _imp # builtin\nimport _frozen_importlib # frozen\nProcessing user site-packages\nProcessing global site-packages\n" +
		"Adding directory: '/x/site-packages'\nProcessing .pth file: '/x/site-packages/distutils-precedence.pth'\n" +
		"import 'anyio' # <_frozen_importlib_external.SourceFileLoader object at 0x7f>\nready\n" +
		"# /x/anyio/_backends/_asyncio.py matches /x\nimport 'anyio._backends._asyncio' # <loader>\nimport 'me', please\nProcessing files\n# cleanup[2] removing sys\n"
	for size := 1; size <= len(said); size *= 4 {
		var modules []string
		l := importList{modules: &modules}
		var rest []byte
		for part := range slices.Chunk([]byte(said), size) {
			rest = append(rest, l.take(part)...)
		}
		if want := []string{"anyio", "anyio._backends._asyncio"}; !slices.Equal(modules, want) {
			t.Errorf("in parts of %d: %q, want %q", size, modules, want)
		}
		if want := "ready\nimport 'me', please\nProcessing files\n"; string(rest) != want {
			t.Errorf("in parts of %d the server says %q, want %q", size, rest, want)
		}
	}
}
