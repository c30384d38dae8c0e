package doctor

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// What a process of a server usually takes, in MiB. Servers of Node.js were seen with 70 to 100,
// those of Python with 40 to 80, or 14 to 21 if they are forked, those of .NET with 35 to 60; binaries are mostly small.
const (
	nodeMiB   = 90
	pythonMiB = 60
	forkMiB   = 20
	dotnetMiB = 60
	binaryMiB = 30

	defaultInstanceMB = 2048 // Flex Consumption, where nothing else is asked for
)

// platformMiB is what is no session's, in MiB by the size of the instance: 142 of the host at rest, 14 of the handler,
// 64 that the app keeps free, and six times the largest body that infra/ lets through, which the host reads whole.
var platformMiB = map[int]int{512: 220 + 6*8, 2048: 220 + 6*32, 4096: 220 + 6*64}

// size holds the sessions that the configuration allows against the instance that infra/ asks for.
func (p *Project) size() []Finding {
	infra := p.infra()
	var all []Finding
	if f, bad := infra.workerRuntime(); bad {
		all = append(all, f)
	}
	memory, written := infra.number(instanceMemory)
	if !written {
		memory = defaultInstanceMB
	} else if platformMiB[memory] == 0 {
		all = append(all, failure("memory", "512, 2048 or 4096", "infra/ sets instances of %d MB, a size that Flex Consumption does not have", memory))
	}
	sessions, need := p.sessions()
	if need > 0 && need+platformMiB[memory] > memory {
		all = append(all, warning("memory", "lower sessions.max or runtime.max_sessions, omit them (the app then uses the free memory as its limit), or use a larger instance",
			"%d sessions usually need about %d MiB with their servers, the host and the app keep %d MiB, and an instance has %d MB", sessions, need, platformMiB[memory], memory))
	}
	if limit, ok := infra.number(concurrency); ok && sessions > limit {
		all = append(all, warning("concurrency", "raise perInstanceConcurrency in infra/, or lower runtime.max_sessions",
			"%d sessions may each hold a stream open, but at %d requests the platform starts another instance, which does not know these sessions", sessions, limit))
	}
	return all
}

// sessions returns how many sessions the configuration lets live at a time, and the memory that
// these are likely to need, in MiB; zero where it leaves that to the memory there is.
func (p *Project) sessions() (sessions, mib int) {
	largest := 0
	for _, s := range p.File.Enabled() {
		size := p.usual(s)
		largest = max(largest, size)
		sessions += s.Sessions.Max
		mib += s.Sessions.Max * size
	}
	unbounded := slices.ContainsFunc(p.File.Enabled(), func(s config.Server) bool { return s.Sessions.Max == 0 })
	if limit := p.File.Runtime.MaxSessions; limit > 0 && (unbounded || sessions > limit) {
		return limit, limit * largest
	}
	return sessions, mib
}

// usual is what a process of a server takes, in MiB.
func (p *Project) usual(s config.Server) int {
	if p.forks(s) {
		return forkMiB
	}
	switch generator.StackFor(s) {
	case generator.StackNode:
		return nodeMiB
	case generator.StackPython:
		return pythonMiB
	}
	if nuget.Runs(pack.ProgramName(s.Command)) {
		return dotnetMiB
	}
	return binaryMiB
}

// forks reports whether the processes of a server are forked where the app runs.
func (p *Project) forks(s config.Server) bool {
	file, err := packmanifest.Load(p.Dir)
	if err != nil || s.NoFork || s.Sandbox.ReadOnly {
		return false
	}
	server := file.Servers[s.Name]
	return server.Start.Fork != "" && server.From.Equal(p.written(s.Name))
}

// infra is the text of the project's infra/, by path. It is read as text: Bicep has no parser in Go,
// and what is looked for stands in one line.
type infra map[string]string

var (
	instanceMemory = regexp.MustCompile(`(?i)\binstanceMemory(?:MB)?\b[^\n0-9]*\b(\d{3,5})\b`)
	concurrency    = regexp.MustCompile(`(?i)\bperInstanceConcurrency\b[^\n0-9]*\b(\d{1,4})\b`)
	runtimeSetting = regexp.MustCompile(`(?m)^[^/\n]*\bFUNCTIONS_WORKER_RUNTIME\b`)
	flexPlan       = regexp.MustCompile(`\bFC1\b|FlexConsumption|functionAppConfig`)
)

func (p *Project) infra() infra {
	texts := infra{}
	root := os.DirFS(p.Dir)
	// An unreadable file says nothing, and is for az and azd to complain of.
	_ = fs.WalkDir(root, "infra", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".bicep", ".json", ".bicepparam", ".tf"}, path.Ext(name)) {
			return nil
		}
		if data, err := fs.ReadFile(root, name); err == nil {
			texts[name] = string(data)
		}
		return nil
	})
	return texts
}

// number returns what a setting is, where one file says so.
func (in infra) number(setting *regexp.Regexp) (n int, ok bool) {
	for _, text := range in {
		if m := setting.FindStringSubmatch(text); m != nil {
			n, err := strconv.Atoi(m[1])
			return n, err == nil
		}
	}
	return 0, false
}

// workerRuntime finds the app setting that Flex Consumption refuses: there the runtime stands in
// functionAppConfig.
func (in infra) workerRuntime() (Finding, bool) {
	flex := false
	where := ""
	for name, text := range in {
		flex = flex || flexPlan.MatchString(text)
		if runtimeSetting.MatchString(text) && (where == "" || strings.Compare(name, where) < 0) {
			where = name
		}
	}
	if !flex || where == "" {
		return Finding{}, false
	}
	return failure("hosting", "remove it: functionAppConfig.runtime sets the runtime",
		"%s sets FUNCTIONS_WORKER_RUNTIME, which an app on Flex Consumption refuses", where), true
}
