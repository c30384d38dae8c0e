package packmanifest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPinsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := LoadPins(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	sum := strings.Repeat("0a", 32)
	pins := Pins{"time": {"now": sum, "Zeit \u200b": sum}, "empty": {}}
	data, err := pins.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write := func(data string) {
		os.MkdirAll(filepath.Join(dir, Folder), 0o755)
		if err := os.WriteFile(filepath.Join(dir, Folder, PinsName), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(string(data))
	got, err := LoadPins(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pins, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, bad := range []string{
		"", "{}", `{"format":2,"servers":{}}`, `{"format":1,"servers":{},"more":1}`, `{"format":1,"servers":{}} {}`,
		`{"format":1,"servers":{"a":{"b":"short"}}}`, `{"format":1,"servers":{"a":{"b":null}}}`, `{"format":1,"servers":["a"]}`,
	} {
		write(bad)
		if _, err := LoadPins(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}
