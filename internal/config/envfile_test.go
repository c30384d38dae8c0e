package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	os.WriteFile(path, []byte("\ufeff# a comment\nA=1\r\n\nexport B = two words # and why\nC=\"x\\ny # z\"\nD='$raw\"'\nE=\nF=a=b\n"), 0o600)
	got, err := LoadEnvFile(path)
	want := map[string]string{"A": "1", "B": "two words", "C": "x\ny # z", "D": `$raw"`, "E": "", "F": "a=b"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for _, bad := range []string{"A", "=x", "A B=canary", `A="canary`, "A=\x00"} {
		os.WriteFile(path, []byte("OK=1\n"+bad), 0o600)
		if _, err := LoadEnvFile(path); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
