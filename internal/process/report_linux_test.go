//go:build mcpfunc_devpage && (amd64 || arm64)

package process

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What a sandbox refuses is told with what would allow it, and nothing else is.
func TestRefusalsAreReported(t *testing.T) {
	for name, change := range map[string]func(*Sandbox){
		"files and no network": func(b *Sandbox) { b.NoNetwork, b.ReadOnly = true, true },
		"files and ports":      func(b *Sandbox) { b.NoNetwork, b.ReadOnly, b.Ports = true, true, []uint16{1} },
		"ports":                func(b *Sandbox) { b.NoNetwork, b.Ports = true, []uint16{1} },
		"files":                func(b *Sandbox) { b.ReadOnly = true },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var got []Refusal
			box := Sandbox{Env: homeEnv, Report: func(r Refusal) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, r)
			}}
			change(&box)
			needs(t, box)
			s := open(t)
			s.TakeProcess()
			w, unchanged := newWorld(t, s)
			kinds := map[bool][]string{box.NoNetwork: {"net"}}[true]
			if box.ReadOnly {
				box.Write, kinds = []string{w.Inside}, append(kinds, "files")
			}
			if len(box.Ports) > 0 {
				box.Ports = []uint16{uint16(w.Allowed)}
			} else {
				w.Allowed = 0
			}
			if got := escapes(t, s, w, box, strings.Join(kinds, ",")); len(got) > 0 {
				t.Errorf("escapes while it is reported: %q", got)
			}
			if box.ReadOnly {
				unchanged()
			}
			mu.Lock()
			defer mu.Unlock()
			var want []Refusal
			if box.ReadOnly {
				for _, what := range []string{"write " + w.Outside + "/new", "remove " + w.Outside + "/file", "create the folder " + w.Outside + "/made-dir", "move " + w.Outside + "/file", "change the mode of " + w.Outside + "/file"} {
					want = append(want, Refusal{SandboxWrite, what, fmt.Sprintf("add %q to sandbox.write if the server needs it", w.Outside)})
				}
			}
			switch {
			case len(box.Ports) > 0:
				want = append(want, Refusal{SandboxNetwork, "a UDP socket", "if it resolves names, add 53 to sandbox.network: the GNU C library then asks over TCP"}, Refusal{SandboxNetwork, fmt.Sprint("a connection to 127.0.0.1:", w.TCP), fmt.Sprintf("add %d to sandbox.network", w.TCP)},
					Refusal{SandboxNetwork, "a Unix socket", unixHint})
			case box.NoNetwork:
				want = append(want, Refusal{SandboxNetwork, "a TCP socket", `list any port instead of "none": each port that it tries is then reported`})
			}
			for _, refusal := range want {
				if !slices.Contains(got, refusal) {
					t.Errorf("not told: %+v", refusal)
				}
			}
			for _, refusal := range got {
				if strings.Contains(refusal.What, w.Inside+"/") || strings.Contains(refusal.What, fmt.Sprint(":", w.Allowed)) && w.Allowed > 0 || strings.HasSuffix(refusal.What, "/dev/null") {
					t.Errorf("told of what it may: %+v", refusal)
				}
			}
		})
	}
}
