package doctor

import (
	"regexp"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// A pkg is something that a server's command line has a package runner fetch when it starts.
type pkg struct {
	spec   string // as it is written
	pinned bool
	form   string // how a pinned one is written
}

// packageAdvice finds packages that may change. Their publisher can then run code in
// the app, and a start that worked may not work again.
func packageAdvice(file *config.File, s config.Server) []Advice {
	var all []Advice
	for _, p := range packages(s.Command, s.Args) {
		if p.pinned {
			continue
		}
		all = append(all, advise(RulePackages, file, &s, "args", "pin it: "+p.form,
			"lets %s download the newest version of %q", pack.ProgramName(s.Command), p.spec))
	}
	return all
}

// packages returns what a command line has a package runner fetch.
func packages(command string, args []string) []pkg {
	got := pack.Fetches(packmanifest.Command{Command: command, Args: args})
	if got.Dated {
		return nil // pins everything to a day
	}
	var all []pkg
	for _, spec := range got.Python {
		all = append(all, pkg{spec, pythonPinned(spec), pythonForm(spec)})
	}
	for _, spec := range got.Node {
		all = append(all, pkg{spec, npmPinned(spec), npmName(spec) + "@VERSION"})
	}
	for _, spec := range got.Dotnet {
		id, version, _ := strings.Cut(spec, "@")
		r, err := nuget.ParseRange(version)
		_, exact := r.Exact()
		all = append(all, pkg{spec, err == nil && exact, id + "@VERSION"})
	}
	for _, image := range got.Images { // which only a digest pins: tags move
		all = append(all, pkg{image, strings.Contains(image, "@sha256:"), image + "@sha256:DIGEST"})
	}
	return all
}

var (
	pythonName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?`)
	exactPython   = regexp.MustCompile(`===?\s*(\$\{|v?[0-9])[^*,]*$`)
	exactVersion  = regexp.MustCompile(`@v?[0-9][0-9A-Za-z.+!-]*$`)
	commit        = regexp.MustCompile(`[@#]([0-9a-f]{40}|[0-9a-f]{64})(#|$)`)
	exactNPM      = regexp.MustCompile(`@(\$\{[^}]*\}|[v=]?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]*)?)$`)
	localPath     = regexp.MustCompile(`^(\.|/|~|file:|[A-Za-z]:[\\/])`)
	archiveSuffix = regexp.MustCompile(`\.(whl|tar\.gz|tgz|zip)(#|$)`)
)

// pythonPinned reports whether a requirement (PEP 508), or uv's NAME@VERSION, names one version.
func pythonPinned(spec string) bool {
	switch {
	case localPath.MatchString(spec):
		return true
	case strings.Contains(spec, "://"):
		return commit.MatchString(spec) || archiveSuffix.MatchString(spec)
	}
	return exactPython.MatchString(spec) || exactVersion.MatchString(spec)
}

func pythonForm(spec string) string {
	if strings.Contains(spec, "://") {
		return strings.TrimSuffix(spec, "/") + "@COMMIT"
	}
	return pythonName.FindString(spec) + "==VERSION"
}

// npmPinned reports whether a package specifier of npm names one version; "1.2" and "^1.2.3" do not.
func npmPinned(spec string) bool {
	switch {
	case localPath.MatchString(spec), exactNPM.MatchString(spec), commit.MatchString(spec):
		return true
	case strings.Contains(spec, "://"):
		return archiveSuffix.MatchString(spec)
	}
	return false
}

// npmName is a specifier without its version: the first "@" may be that of a scope.
func npmName(spec string) string {
	if i := strings.LastIndex(spec, "@"); i > 0 {
		return spec[:i]
	}
	return spec
}

func words(s string) []string { return strings.Fields(s) }
