package packmanifest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // of "test"

// packedFile is a file with a server of each kind.
func packedFile() *File {
	return &File{
		Format: Format, Platform: runtime.GOOS + "/" + runtime.GOARCH, Python: "3.12",
		Programs: map[string]Program{"_node": {Path: "packed/_bin/_node/node", SHA256: sum}, "git": {Path: "packed/_bin/git/git-server", SHA256: sum}},
		Servers: map[string]Server{
			"time": {From: Command{"uvx", []string{"--from", "x", "time", "--zone", "${ZONE}"}}, Start: Start{Interpreter: Python, Flags: []string{"-s"}, Script: "packed/time/start.py", Replaces: 3, Fork: "packed/time/fork.txt"}, Tree: sum},
			"fs":   {From: Command{"npx", []string{"-y", "fs", "/data"}}, Start: Start{Interpreter: Node, Program: "_node", Script: "packed/fs/index.js", Replaces: 2}},
			"git":  {From: Command{"./bin/git-server", []string{"-v"}}, Start: Start{Program: "git"}},
		},
	}
}

// starter is for a project that holds what packedFile names.
func starter(t *testing.T, programs ...string) *Starter {
	t.Helper()
	s := &Starter{File: packedFile(), Dir: t.TempDir(), Temp: t.TempDir(), LookPath: func(name string) (string, error) {
		for _, p := range programs {
			if p == name {
				return "/usr/bin/" + p, nil
			}
		}
		return "", exec.ErrNotFound
	}}
	for _, path := range []string{"packed/time/start.py", "packed/fs/index.js", "packed/_bin/_node/node", "packed/_bin/git/git-server"} {
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

func TestFileComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	data, err := packedFile().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(packedFile(), got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestParseRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*File){
		"has format 2":                         func(f *File) { f.Format = 2 },
		"want system":                          func(f *File) { f.Platform = "linux" },
		"want 3.minor":                         func(f *File) { f.Python = "3.12; rm" },
		"does not name a version":              func(f *File) { f.Python = "" },
		"its path must be in the project":      func(f *File) { f.Programs["git"] = Program{Path: "../git", SHA256: sum} },
		"sha256 must be 64 hexadecimal digits": func(f *File) { f.Programs["git"] = Program{Path: "git", SHA256: "../x"} },
		"is not among the programs":            func(f *File) { delete(f.Programs, "git") },
		"is not in the project": func(f *File) {
			s := f.Servers["fs"]
			s.Start.Script = "/etc/passwd"
			f.Servers["fs"] = s
		},
		"replaces 9 of 3": func(f *File) {
			s := f.Servers["fs"]
			s.Start.Replaces = 9
			f.Servers["fs"] = s
		},
		`the list "packed/fs/fork.txt" is not among the files of a Python server`: func(f *File) {
			s := f.Servers["fs"]
			s.Start.Fork, s.Tree = "packed/fs/fork.txt", sum
			f.Servers["fs"] = s
		},
		`the list "packed/fs/fork.txt" is`: func(f *File) {
			s := f.Servers["time"]
			s.Start.Fork = "packed/fs/fork.txt"
			f.Servers["time"] = s
		},
		"invalid interpreter": func(f *File) {
			s := f.Servers["fs"]
			s.Start.Interpreter = "sh"
			f.Servers["fs"] = s
		},
	} {
		f := packedFile()
		change(f)
		if _, err := f.Encode(); name != "has format 2" && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("want an error with %q, got %v", name, err)
		}
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q, got %v", name, err)
		}
	}
	for _, text := range []string{"", "[]", `{"format": 1}`, `{"format": 1, "platform": "a/b", "more": 1}`, `{"format": 1, "platform": "a/b"} {}`} {
		if f, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is read as %+v", text, f)
		}
	}
}

func TestLaunchKeepsTheServersOwnArguments(t *testing.T) {
	t.Parallel()
	s := starter(t, "python3", "python3.12", "node")
	got, err := s.Launch("time", s.File.Servers["time"].From, []string{"--from", "x", "time", "--zone", "Asia/Tokyo"})
	if err != nil {
		t.Fatal(err)
	}
	want := Launch{Command: "python3.12", Args: []string{"-s", filepath.Join(s.Dir, "packed", "time", "start.py"), "--zone", "Asia/Tokyo"}, Flags: 1, Fork: filepath.Join(s.Dir, "packed", "time", "fork.txt")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s = starter(t, "python3")
	if got, err = s.Launch("time", s.File.Servers["time"].From, s.File.Servers["time"].From.Args); err != nil || got.Command != "python3" {
		t.Errorf("without python3.12: %+v, %v", got, err)
	}
}

func TestAnEditedCommandIsStale(t *testing.T) {
	t.Parallel()
	s := starter(t, "node")
	was := s.File.Servers["fs"].From
	for _, now := range []Command{
		{"npx", []string{"-y", "fs@2", "/data"}}, {"bunx", was.Args}, {"npx", was.Args[:2]}, {"npx", append(was.Args[:3:3], "/more")},
	} {
		if _, err := s.Launch("fs", now, now.Args); !errors.Is(err, ErrStale) {
			t.Errorf("%v: %v, want ErrStale", now, err)
		}
	}
	if _, err := s.Launch("new", was, was.Args); !errors.Is(err, ErrStale) {
		t.Errorf("a server that was never packed: %v, want ErrStale", err)
	}
	if err := os.Remove(filepath.Join(s.Dir, "packed", "fs", "index.js")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Launch("fs", was, was.Args); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("without its script: %v", err)
	}
}

func TestProgramsRunFromACopyThatNobodyElseCanWrite(t *testing.T) {
	t.Parallel()
	s := starter(t)
	launch := func(s *Starter) string {
		t.Helper()
		got, err := s.Launch("git", s.File.Servers["git"].From, []string{"-v"})
		if err != nil {
			t.Fatal(err)
		}
		return got.Command
	}
	path := launch(s)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(path, s.Temp) || filepath.Base(path) != "git-server" || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%s has mode %v", path, info.Mode())
	}
	if node, err := s.Launch("fs", s.File.Servers["fs"].From, s.File.Servers["fs"].From.Args); err != nil || filepath.Base(node.Command) != "node" || len(node.Args) != 2 {
		t.Errorf("a script of the node that came along: %+v, %v", node, err)
	}

	again := *s
	again.copied = nil
	if launch(&again) != path && runtime.GOOS != "windows" {
		t.Error("a second start made another copy")
	}
	if err := os.WriteFile(path, []byte("evil"), 0o700); err != nil {
		t.Fatal(err)
	}
	again.copied = nil
	path = launch(&again)
	if data, err := os.ReadFile(path); err != nil || string(data) != "test" {
		t.Errorf("a copy that somebody changed is started: %q, %v", data, err)
	}
	source := filepath.Join(s.Dir, "packed", "_bin", "git", "git-server")
	if err := errors.Join(os.Chmod(source, 0o644), os.WriteFile(source, []byte("else"), 0o644), os.RemoveAll(filepath.Dir(path))); err != nil {
		t.Fatal(err)
	}
	again.copied = nil
	if _, err := again.Launch("git", s.File.Servers["git"].From, []string{"-v"}); err == nil || !strings.Contains(err.Error(), " was packed") {
		t.Errorf("a program that has changed since it was packed: %v", err)
	}
}

// The host kills an app whenever it likes, and /tmp is small.
func TestHalfACopyIsClearedUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	half, whole := filepath.Join(dir, ".copy-123"), filepath.Join(dir, "node")
	for _, path := range []string{half, whole} {
		if err := os.WriteFile(path, []byte("x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	there := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	if dropHalves(dir, time.Now()); !there(half) {
		t.Error("a copy that is being made was removed")
	}
	if dropHalves(dir, time.Now().Add(2*copyTime)); there(half) || !there(whole) {
		t.Errorf("the half is there: %t, the program: %t", there(half), there(whole))
	}
}

// Anyone who may write to /tmp may have made our folder first.
func TestAFolderThatOthersCanWriteIsNotUsed(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	first, err := privateDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(first, 0o777); err != nil {
		t.Fatal(err)
	}
	second, err := privateDir(temp)
	if err != nil || second == first {
		t.Errorf("%s is used although everybody can write there, %v", second, err)
	}
}

func TestAProjectThatWasNeverPackedIsNoError(t *testing.T) {
	t.Parallel()
	if _, err := Load(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
}

// Whatever is in the file, what comes out of it is in the project.
func FuzzParse(f *testing.F) {
	data, err := packedFile().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1,"platform":"linux/amd64","servers":{"a":{"start":{"interpreter":"node","script":"x"}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		for name, s := range file.Servers {
			if s.Start.Interpreter != "" && !filepath.IsLocal(filepath.FromSlash(s.Start.Script)) {
				t.Fatalf("%s runs %q", name, s.Start.Script)
			}
			if s.Start.Replaces > len(s.From.Args) {
				t.Fatalf("%s replaces %d of %d", name, s.Start.Replaces, len(s.From.Args))
			}
		}
		for name, p := range file.Programs {
			if !filepath.IsLocal(filepath.FromSlash(p.Path)) {
				t.Fatalf("%s is %q", name, p.Path)
			}
		}
		again, err := file.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}
