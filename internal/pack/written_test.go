package pack

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Servers may write into their packages on the machine of a developer, and nowhere else.
func TestWrittenPackagesAreFound(t *testing.T) {
	t.Parallel()
	if got, err := Written(t.TempDir(), time.Time{}); got != nil || err != nil {
		t.Errorf("a project that was never packed: %v, %v", got, err)
	}
	packed := time.Now().Add(-time.Hour)
	dir := files(t, map[string]string{
		"packed/mcp_packed.json": "{}", "packed/s/server.js": "", "packed/s/cache.db": "", "packed/s/__pycache__/x.pyc": "", "data/cache.db": "",
	})
	for name, at := range map[string]time.Time{"mcp_packed.json": packed, "s/server.js": packed, "s/cache.db": packed.Add(2 * time.Minute)} {
		if err := os.Chtimes(filepath.Join(dir, "packed", filepath.FromSlash(name)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for since, want := range map[time.Time][]string{
		{}:                          {"packed/s/cache.db"}, // since it was packed
		packed.Add(time.Minute):     {"packed/s/cache.db"},
		packed.Add(5 * time.Minute): nil,
	} {
		got, err := Written(dir, since)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("since %v: %v (-want +got):\n%s", since, err, diff)
		}
	}
}
