package generator

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

const (
	// profile is what host.json asks of the host on Flex Consumption: requests are proxied to the
	// handler whatever the app's stack is. What the profile would set by default (proxying, no route
	// prefix, one route for everything) host.json says itself, as one level for everything would guard
	// either too little or what must be open.
	profile = "mcp-custom-handler"

	// featureFlag lets the host know the profile while it is in preview, as the value of the app
	// setting AzureWebJobsFeatureFlags.
	featureFlag = "EnableMcpCustomHandlerPreview"

	// FeatureSetting is that app setting: an app for a project of HostingFlex must have it.
	FeatureSetting = "AzureWebJobsFeatureFlags=" + featureFlag
)

// Profile returns the configurationProfile of host.json, if it is to have one.
func (s scaffold) Profile() string {
	if s.Hosting == HostingFlex {
		return profile
	}
	return ""
}

// FeatureFlag returns what AzureWebJobsFeatureFlags must be where there is a Profile.
func (s scaffold) FeatureFlag() string { return featureFlag }

// Routes returns the routes of host.json: those that the functions would have. Every route says its
// level, so that none depends on a default, and takes every method, which the handler tells apart.
func (s scaffold) Routes() []function {
	if s.Hosting == HostingFlex {
		return s.functions()
	}
	return nil
}

// A Stack is what a Functions app on Linux brings to run programs with.
type Stack string

// The stacks, by the names that functionAppConfig.runtime has for them.
const (
	StackCustom Stack = "custom" // no interpreter
	StackPython Stack = "python"
	StackNode   Stack = "node"
)

// interpreters maps a command, as far as its version does not matter, to the stack that has it or what
// it needs.
var interpreters = map[string]Stack{
	"uv": StackPython, "uvx": StackPython, "python": StackPython, "pip": StackPython, "pipx": StackPython,
	"node": StackNode, "npm": StackNode, "npx": StackNode, "pnpm": StackNode, "yarn": StackNode,
}

var version = regexp.MustCompile(`[0-9.]+$`) // of "python3.12", "node22"

// StackFor returns the stack that a server's command needs: StackCustom for a binary.
func StackFor(s config.Server) Stack {
	if stack, ok := interpreters[version.ReplaceAllString(programName(s), "")]; ok {
		return stack
	}
	return StackCustom
}

// Stacks returns the interpreters that the enabled servers need, Python first.
func Stacks(f *config.File) []Stack {
	var stacks []Stack
	for _, stack := range []Stack{StackPython, StackNode} {
		if slices.ContainsFunc(f.Enabled(), func(s config.Server) bool { return StackFor(s) == stack }) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// stackVersions are what new apps are made with.
var stackVersions = map[Stack]string{StackCustom: "1.0", StackPython: "3.12", StackNode: "22"}

// Stack returns the stack of the app: the first that servers need, where the hosting can have one.
func (s scaffold) Stack() Stack {
	if stacks := Stacks(s.Config); s.Hosting == HostingFlex && len(stacks) > 0 {
		return stacks[0]
	}
	return StackCustom
}

// StackVersion is the version of Stack.
func (s scaffold) StackVersion() string { return stackVersions[s.Stack()] }

// Missing names the interpreters that servers need and Stack does not include.
func (s scaffold) Missing() string {
	words := map[Stack]string{StackPython: "Python", StackNode: "Node"}
	var missing []string
	for _, stack := range Stacks(s.Config) {
		if stack != s.Stack() {
			missing = append(missing, words[stack])
		}
	}
	return strings.Join(missing, " and ")
}

// MissingCure says what to do about what is Missing.
func (s scaffold) MissingCure() string {
	switch {
	case s.Extras.Docker:
		return "publish the image below instead"
	case len(Stacks(s.Config)) > 1 && s.Hosting == HostingFlex:
		return "run `mcpfunc pack --with-node`, which includes Node"
	case len(Stacks(s.Config)) > 1:
		return "run `mcpfunc generate --hosting flex` and `mcpfunc pack --with-node`, or build an image\n(`mcpfunc generate --docker`)"
	}
	return "run `mcpfunc generate --hosting flex`, for an app whose stack includes it"
}

// Packable reports whether a server starts by an interpreter or comes from NuGet, so that `mcpfunc pack` has
// something to include.
func (s scaffold) Packable() bool {
	return len(Stacks(s.Config)) > 0 || slices.ContainsFunc(s.Config.Enabled(), isDotnet)
}

// isDotnet reports whether a server is a tool of .NET, which no stack of custom handlers has and which needs
// none once it is packed.
func isDotnet(s config.Server) bool {
	name := programName(s)
	return name == "dnx" || name == "dotnet"
}

// programName is the name that a server's command is known by, on any system.
func programName(s config.Server) string {
	name := strings.ToLower(path.Base(strings.ReplaceAll(s.Command, `\`, "/")))
	for _, ext := range []string{".exe", ".cmd", ".bat"} {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}
