package process

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSandboxWithoutNetwork(t *testing.T) {
	box := Sandbox{NoNetwork: true}
	needs(t, box)
	s := open(t)
	s.TakeProcess()
	w, _ := newWorld(t, s)
	if got := escapes(t, s, w, box, "net"); len(got) > 0 {
		t.Errorf("escapes: %q", got)
	}
}

func TestSandboxWithPorts(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	box := Sandbox{NoNetwork: true, Ports: []uint16{1}, ReadOnly: true, Env: homeEnv}
	needs(t, box)
	w, unchanged := newWorld(t, s)
	box.Ports, box.Write = []uint16{uint16(w.Allowed)}, []string{w.Inside}
	if got := escapes(t, s, w, box, "net,files"); len(got) > 0 {
		t.Errorf("escapes: %q", got)
	}
	unchanged()
}

func TestSandboxOfFiles(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	leak, err := unix.Open("leaked", unix.O_CREAT|unix.O_RDWR, 0o600) // as a program that embeds an App may
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove("leaked")
	defer unix.Close(leak)
	box := Sandbox{ReadOnly: true, Env: homeEnv}
	needs(t, box)
	w, unchanged := newWorld(t, s)
	w.Allowed = 0
	box.Write = []string{w.Inside}
	if got := escapes(t, s, w, box, "files"); len(got) > 0 {
		t.Errorf("escapes: %q", got)
	}
	unchanged()
}

// The tries are worth something: without a sandbox most of them succeed.
func TestTriesSucceedWithoutASandbox(t *testing.T) {
	box := Sandbox{ReadOnly: true, NoNetwork: true, Env: homeEnv}
	needs(t, box)
	s := open(t)
	w, _ := newWorld(t, s)
	got := escapes(t, s, w, Sandbox{}, "net,files")
	for _, name := range []string{
		"TCP to a port that is not listed", "TCP to IPv4 by an IPv6 socket", "TCP fast open by sendto", "a port of its own", "UDP", "netlink of sockets", "a Unix socket by path",
		"a datagram from a pair to a path", "a new file", "truncate", "chmod", "times", "symlink", "a pipe with a name", "a socket",
	} {
		if !slices.Contains(got, name) {
			t.Errorf("without a sandbox this fails as well: %s", name)
		}
	}
	t.Logf("%d tries on the network and %d on files, of which %d succeed without a sandbox", len(netTries), len(fileTries), len(got))
}

func TestSandboxIsRefusedByKernelsThatCannotKeepIt(t *testing.T) {
	none, ports, write := Sandbox{NoNetwork: true}, Sandbox{NoNetwork: true, Ports: []uint16{443}}, Sandbox{ReadOnly: true}
	for _, tt := range []struct {
		means means
		box   Sandbox
		want  string // empty for nothing
	}{
		{means{0, false}, none, "sandbox.network: it needs seccomp filters"},
		{means{6, false}, ports, "sandbox.network: it needs seccomp filters"},
		{means{6, false}, write, "sandbox.write: it needs seccomp filters"},
		{means{0, true}, none, ""},
		{means{3, true}, ports, "sandbox.network: a list of ports needs Landlock ABI 4 (Linux 6.7), but this kernel has 3"},
		{means{4, true}, ports, ""},
		{means{2, true}, write, "sandbox.write: it needs Landlock ABI 3 (Linux 6.2), but this kernel has 2"},
		{means{3, true}, write, ""},
		{means{0, false}, Sandbox{}, ""},
	} {
		faults := tt.box.faults(tt.means)
		got := fmt.Sprint(errors.Join(faults...))
		if tt.want == "" && len(faults) > 0 || tt.want != "" && (len(faults) != 1 || !strings.Contains(got, tt.want)) {
			t.Errorf("%+v with %+v: %s, want %q", tt.box, tt.means, got, tt.want)
		}
		for _, fault := range faults {
			if e := (*SandboxError)(nil); !errors.As(fault, &e) || e.Hint == "" {
				t.Errorf("%v has no hint", fault)
			}
		}
	}
}

func TestFolderThatIsNotThereIsAnError(t *testing.T) {
	box := Sandbox{ReadOnly: true, Write: []string{"/no/such/folder"}, Optional: true, Env: homeEnv}
	needs(t, box)
	_, err := open(t).Start(Spec{Command: "/bin/true", Sandbox: box})
	if e := (*SandboxError)(nil); !errors.As(err, &e) || e.Key != SandboxWrite || !strings.Contains(e.Text, "/no/such/folder") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// BenchmarkStart is what a sandbox adds to the start of a process.
func BenchmarkStart(b *testing.B) {
	for name, box := range map[string]Sandbox{
		"without": {},
		"none":    {NoNetwork: true},
		"ports":   {NoNetwork: true, Ports: []uint16{443, 53}},
		"write":   {ReadOnly: true, Write: []string{os.TempDir()}, Env: homeEnv},
		"all":     {NoNetwork: true, Ports: []uint16{443, 53}, ReadOnly: true, Write: []string{os.TempDir()}, Env: homeEnv},
	} {
		b.Run(name, func(b *testing.B) {
			if faults := box.Check(); len(faults) > 0 {
				b.Skip(faults)
			}
			s := Open(slog.New(slog.DiscardHandler))
			defer s.Close()
			for b.Loop() {
				c, err := s.Start(Spec{Command: "/bin/true", Sandbox: box})
				if err != nil {
					b.Fatal(err)
				}
				c.Wait()
			}
		})
	}
}
