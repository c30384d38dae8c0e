package doctor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func TestVersionsAreFoundInWhatProgramsSay(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"4.0.7317": "4.0.7317",
		"azd version 1.20.2 (commit 1234567890abcdef)":        "1.20.2",
		"uvx 0.9.5 (d5f39331a 2026-10-21)":                    "0.9.5",
		"Docker version 28.2.2, build e6534b4":                "28.2.2",
		`{"azure-cli": "2.77.0", "azure-cli-core": "2.77.1"}`: "2.77.0",
		"no version at all":                                   "",
	} {
		if got := versionIn(said); got != want {
			t.Errorf("the version in %q is %q, want %q", said, got, want)
		}
	}
	for _, pair := range [][2]string{{"4.4.9", "4.5.0"}, {"4.5", "4.5.0"}, {"4.0.7317", "4.5.0"}, {"1.9.0", "1.20.0"}} {
		if !older(pair[0], pair[1]) || older(pair[1], pair[0]) {
			t.Errorf("%s is not before %s alone", pair[0], pair[1])
		}
	}
	if older("4.5.0", "4.5.0") {
		t.Error("a version is older than itself")
	}
}

func TestPlatformIsReadOffTheProgram(t *testing.T) {
	t.Parallel()
	elf := func(machine uint16) []byte {
		head := make([]byte, 64)
		copy(head, "\x7fELF\x02\x01\x01")
		binary.LittleEndian.PutUint16(head[16:], 2) // an executable
		binary.LittleEndian.PutUint16(head[18:], machine)
		binary.LittleEndian.PutUint32(head[20:], 1)
		binary.LittleEndian.PutUint16(head[52:], 64)
		return head
	}
	for _, test := range []struct {
		data []byte
		want string
	}{
		{elf(62), "linux/amd64"},
		{elf(183), "linux on EM_AARCH64"},
		{[]byte("MZ\x90\x00 and more"), "windows"},
		{[]byte{0xcf, 0xfa, 0xed, 0xfe, 0, 0}, "darwin"},
		{[]byte("#!/bin/sh\n"), "no system: it is not a program"},
		{nil, "nothing: it is empty"},
	} {
		if got := platform(bytes.NewReader(test.data)); got != test.want {
			t.Errorf("built for %q, want %q", got, test.want)
		}
	}
}

func TestSessionsNeedWhatTheirServersUsuallyDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		config        string
		sessions, mib int
	}{
		{`{"mcpServers": {"a": {"command": "npx"}}}`, 0, 0}, // by the memory there is
		{`{"mcpServers": {"a": {"command": "npx", "sessions": {"max": 10}}, "b": {"command": "./b", "sessions": {"max": 2}}}}`, 12, 960},
		{`{"mcpServers": {"a": {"command": "npx", "sessions": {"max": 10}}}, "runtime": {"max_sessions": 4}}`, 4, 360},
		{`{"mcpServers": {"a": {"command": "uvx"}}, "runtime": {"max_sessions": 4}}`, 4, 240},
		{`{"mcpServers": {"a": {"command": "uvx", "sessions": {"max": 2}}}, "runtime": {"max_sessions": 4}}`, 2, 120},
	} {
		file, err := config.Parse("f.json", []byte(test.config), nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &Project{File: file}
		if sessions, mib := p.sessions(); sessions != test.sessions || mib != test.mib {
			t.Errorf("%s: %d sessions, %d MiB; want %d, %d", test.config, sessions, mib, test.sessions, test.mib)
		}
	}
}

// What the host takes for the largest body is no session's.
func TestSessionsFitBesideTheHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		memory, sessions int
		fits             bool
	}{{512, 2, true}, {512, 3, false}, {2048, 18, true}, {2048, 19, false}, {4096, 38, true}, {4096, 39, false}} {
		file, err := config.Parse("f.json", fmt.Appendf(nil, `{"mcpServers": {"a": {"command": "npx", "sessions": {"max": %d}}}}`, test.sessions), nil)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "infra"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "infra", "app.bicep"), fmt.Appendf(nil, "param instanceMemoryMB int = %d\n", test.memory), 0o600); err != nil {
			t.Fatal(err)
		}
		p := &Project{Dir: dir, File: file}
		if found := p.size(); (len(found) == 0) != test.fits {
			t.Errorf("%d sessions on %d MB: %v", test.sessions, test.memory, found)
		}
	}
}
