package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// profiled are the measures whose profile is on the page.
var profiled = []string{"echo 1×1", "echo 8×4", fromHost, "echo 64×1", "answers 1 MiB", "progress"}

// profileLoad is how long a load lasts that a profile is taken of: there are 100 samples a second of
// processor time.
const profileLoad = 4 * time.Second

// A breakdown is what the handler's processor time goes into in one measure.
type breakdown struct {
	measure string
	causes  map[cause]float64 // of 1
	samples int64
}

// A cause is one thing that processor time goes into.
type cause string

// The causes, in the order of the page.
const (
	toClients   cause = "system calls: writing to clients"
	fromClients cause = "system calls: reading from clients"
	toServers   cause = "system calls: writing to servers, which wakes them"
	fromServers cause = "system calls: reading from servers"
	processes   cause = "starting and ending processes"
	scheduling  cause = "Go's scheduler: waiting and waking"
	memory      cause = "allocating and collecting memory"
	httpItself  cause = "net/http"
	oursItself  cause = "our own code"
	otherwise   cause = "the rest"
)

var causes = []cause{toClients, fromClients, toServers, fromServers, processes, scheduling, memory, httpItself, oursItself, otherwise}

// profiles does the measures that profiles are taken of once more, with ours alone. None of the
// figures on the page is from here, because taking a profile takes time itself.
func profiles(l *lab, s scale, all []measure, progress io.Writer) ([]breakdown, error) {
	s.load, s.churn, s.sessions = profileLoad, profileLoad, 1<<20
	again, err := l.profiled(filepath.Join(l.dir, "profiles"))
	if err != nil {
		return nil, err
	}
	var shares []breakdown
	for _, m := range all {
		if !slices.Contains(profiled, m.name) {
			continue
		}
		fmt.Fprintf(progress, "\rprofile: %s\x1b[K", m.name)
		var res results
		res.scale, res.numbers = s, map[string]map[figure][]float64{}
		for _, c := range ourContenders() {
			if c.name == ours {
				res.once(again, m, c)
			}
		}
		if len(res.complaints) > 0 {
			return nil, fmt.Errorf("profile of %s: %s", m.name, res.complaints[0].text)
		}
		found, err := readProfile(filepath.Join(again.profileOf(m.name), "cpu.pprof"))
		if err != nil {
			return nil, fmt.Errorf("profile of %s: %w", m.name, err)
		}
		found.measure = m.name
		shares = append(shares, found)
	}
	fmt.Fprint(progress, "\r\x1b[K")
	return shares, nil
}

func readProfile(path string) (breakdown, error) {
	f, err := os.Open(path)
	if err != nil {
		return breakdown{}, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return breakdown{}, err
	}
	s := breakdown{causes: map[cause]float64{}}
	for _, sample := range p.Sample {
		s.samples += sample.Value[0]
	}
	for _, sample := range p.Sample {
		s.causes[causeOf(functions(sample))] += float64(sample.Value[0]) / float64(s.samples)
	}
	return s, nil
}

// functions are those of a sample, the one that ran first.
func functions(s *profile.Sample) []string {
	var names []string
	for _, at := range s.Location {
		for _, line := range at.Line {
			names = append(names, line.Function.Name)
		}
	}
	return names
}

// causeOf says what a stack runs for. What the kernel does counts for who asked it.
func causeOf(stack []string) cause {
	called := func(name string) bool {
		return slices.ContainsFunc(stack, func(f string) bool { return strings.Contains(f, name) })
	}
	const module = "github.com/mcpfunc/mcpfunc/"
	switch system := called("syscall.Syscall") || called("syscall.RawSyscall"); {
	case system && called("net.(*conn).Write"):
		return toClients
	case system && called("net.(*conn).Read"):
		return fromClients
	case system && called("process.(*Child).Write"):
		return toServers
	case system && called("process.(*pipe)"):
		return fromServers
	case called("runtime.gcBgMarkWorker"), called("runtime.mallocgc"), called("runtime.bgsweep"), called("runtime.gcStart"), called("runtime.bgscavenge"):
		return memory
	case called(module+"internal/process.") && !called("process.(*Child)") && !called("process.(*pipe)"):
		return processes
	case called("runtime.schedule"), called("runtime.findRunnable"), called("runtime.mcall"), called("runtime.mstart"), called("runtime.goready"), called("runtime.netpoll"):
		return scheduling
	}
	for _, f := range stack { // the innermost that is somebody's
		switch {
		case strings.HasPrefix(f, module):
			return oursItself
		case strings.HasPrefix(f, "net/"), strings.HasPrefix(f, "mime"), strings.HasPrefix(f, "bufio."):
			return httpItself
		}
	}
	return otherwise
}

// profileTable shows the shares.
func (res *results) profileTable(b *strings.Builder) {
	if len(res.profiles) == 0 {
		return
	}
	b.WriteString("## Where the handler's processor time goes\n\nFrom a profile of each load, of " + profileLoad.String() +
		", after the rounds. The kernel's work for a system call counts for that call.\n" +
		"\"From the host\" is the load as the Functions host sends it: with more headers, which net/http parses, and with the body in a segment\n" +
		"of its own, which takes one more read. Neither is code of ours, and answers keep their Content-Length.\n\n| |")
	rule := "|---|"
	for _, s := range res.profiles {
		b.WriteString(" " + s.measure + " |")
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n")
	for _, p := range causes {
		fmt.Fprintf(b, "| %s |", p)
		for _, s := range res.profiles {
			b.WriteString(" " + percent(s.causes[p]) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("| samples |")
	for _, s := range res.profiles {
		fmt.Fprintf(b, " %d |", s.samples)
	}
	b.WriteString("\n\n")
}
