package packmanifest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dotnetStarter is for a project with a server that runs on the .NET that is packed, and one that brings its own.
func dotnetStarter(t *testing.T) *Starter {
	t.Helper()
	f := &File{
		Format: Format, Platform: runtime.GOOS + "/" + runtime.GOARCH, Dotnet: &Runtime{Path: "packed/_dotnet"},
		Programs: map[string]Program{
			"dates": {Path: "packed/_bin/dates/dates", SHA256: sum, Beside: "packed/dates"},
			"notes": {Path: "packed/_bin/notes/notes", SHA256: sum},
		},
		Servers: map[string]Server{
			"dates": {From: Command{"dnx", []string{"Acme.Dates@1", "--yes", "start", "--version", "1", "now"}}, Start: Start{Program: "dates", Replaces: 2, Skips: []int{3, 4}, Dotnet: &Dotnet{Shared: true, RollForward: true}}},
			"notes": {From: Command{"dnx", []string{"Acme.Notes@1"}}, Start: Start{Program: "notes", Replaces: 1, Dotnet: &Dotnet{OwnICU: true}}},
		},
	}
	data, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if f, err = Parse(data); err != nil {
		t.Fatal(err)
	}
	s := &Starter{File: f, Dir: t.TempDir(), Temp: t.TempDir(), Memory: 1 << 30, Libraries: []string{}}
	for _, path := range []string{"packed/_bin/dates/dates", "packed/_bin/notes/notes", "packed/dates/dates.dll", "packed/dates/de/dates.resources.dll"} {
		path = filepath.Join(s.Dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("test"), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func launch(t *testing.T, s *Starter, name string) Launch {
	t.Helper()
	from := s.File.Servers[name].From
	l, err := s.Launch(name, from, from.Args)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestDotnetServersKnowWhereTheyRun(t *testing.T) {
	t.Parallel()
	s := dotnetStarter(t)
	got := launch(t, s, "dates")
	want := map[string]string{
		"DOTNET_ROOT": filepath.Join(s.Dir, "packed", "_dotnet"), "DOTNET_ROLL_FORWARD": "Major", "DOTNET_gcServer": "0", "DOTNET_EnableDiagnostics": "0",
		"DOTNET_GCHeapHardLimit": "20000000", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "DOTNET_SYSTEM_GLOBALIZATION_PREDEFINED_CULTURES_ONLY": "0",
	}
	if diff := cmp.Diff(want, got.Env); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"start", "now"}, got.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	want = map[string]string{"DOTNET_gcServer": "0", "DOTNET_EnableDiagnostics": "0", "DOTNET_GCHeapHardLimit": "20000000"}
	if diff := cmp.Diff(want, launch(t, s, "notes").Env); diff != "" {
		t.Errorf("with its own runtime and cultures (-want +got):\n%s", diff)
	}
	over := got.Over(map[string]string{"DOTNET_gcServer": "1", "X": "y"})
	if over["DOTNET_gcServer"] != "1" || over["X"] != "y" || over["DOTNET_ROOT"] == "" || got.Env["X"] != "" {
		t.Errorf("with what the configuration sets: %v", over)
	}

	icu := t.TempDir()
	if err := os.WriteFile(filepath.Join(icu, "libicuuc.so.72"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Libraries = []string{t.TempDir(), icu}
	if _, set := launch(t, s, "dates").Env["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"]; set {
		t.Error("cultures are switched off on a machine that has them")
	}
}

// What is in a program's folder is beside its copy too, even after another package was there.
func TestProgramFindsWhatLiesBesideIt(t *testing.T) {
	t.Parallel()
	s := dotnetStarter(t)
	program := launch(t, s, "dates").Command
	info, err := os.Stat(program)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	dir := filepath.Dir(program)
	check := func() {
		t.Helper()
		for _, name := range []string{"dates.dll", "de"} {
			if to, err := os.Readlink(filepath.Join(dir, name)); err != nil || to != filepath.Join(s.Dir, "packed", "dates", name) {
				t.Errorf("%s leads to %s, %v", name, to, err)
			}
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
			t.Errorf("beside the program there are %v, %v", entries, err)
		}
	}
	check()
	if err := os.Remove(filepath.Join(dir, "dates.dll")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dates.dll", "gone.dll"} {
		if err := os.Symlink("/elsewhere", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.copied = nil
	if again := launch(t, s, "dates").Command; again != program {
		t.Errorf("the copy is at %s and then at %s", program, again)
	}
	check()

	other := dotnetStarter(t)
	other.Temp = s.Temp
	if launch(t, other, "dates").Command == program {
		t.Error("two packages share a folder of links")
	}
}

func TestParseRefusesADotnetThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*File, *Server){
		".NET is not packed":        func(f *File, _ *Server) { f.Dotnet = nil },
		"has an interpreter":        func(f *File, s *Server) { f.Python, s.Start.Interpreter, s.Start.Script = "3.12", Python, "x" },
		"the folder ../x of .NET":   func(f *File, _ *Server) { f.Dotnet.Path = "../x" },
		"the folder of the program": func(f *File, _ *Server) { f.Programs["dates"] = Program{"packed/x", sum, "/etc"} },
		"skips backward":            func(_ *File, s *Server) { s.Start.Skips = []int{4, 3} },
		"skips too far":             func(_ *File, s *Server) { s.Start.Skips = []int{6} },
		"skips what is replaced":    func(_ *File, s *Server) { s.Start.Skips = []int{1} },
	} {
		f := dotnetStarter(t).File
		server := f.Servers["dates"]
		change(f, &server)
		f.Servers["dates"] = server
		if _, err := f.Encode(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
