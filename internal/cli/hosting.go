package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A hosting is what the command line says about where a project runs and how it gets there.
type hosting struct {
	Kind   string // empty: chosen, or what the project has
	Extras generator.Extras

	Offline bool // registries are not asked for digests of base images
}

// bind adds the flags; kept says what is taken without --hosting.
func (h *hosting) bind(cmd *cobra.Command, kept string) {
	flags := cmd.Flags()
	flags.StringVar(&h.Kind, "hosting", "", "choose `how` Azure Functions runs the handler: custom, with one function per server, or flex, the MCP profile of Flex Consumption, whose stack includes Python or Node (default: "+kept+")")
	flags.BoolVar(&h.Extras.Docker, "docker", false, "write a Dockerfile for an image with Python, uv and Node, whose base images are pinned by digest")
	flags.BoolVar(&h.Offline, "offline", false, "with --docker, do not ask registries for digests")
	flags.BoolVar(&h.Extras.AZD, "azd", false, "write azure.yaml and infra/ for the Azure Developer CLI")
	flags.BoolVar(&h.Extras.Redis, "redis", false, "add Azure Managed Redis to infra/, so that every instance reaches every session (needs --azd)")
	flags.BoolVar(&h.Extras.GitHub, "github", false, "write a GitHub workflow that deploys")
}

func (h *hosting) check() error {
	if h.Extras.Redis && !h.Extras.AZD {
		return misusef("--redis needs --azd, which writes infra/")
	}
	switch generator.Hosting(h.Kind) {
	case "", generator.HostingCustom:
	case generator.HostingFlex:
		if h.Extras.Docker {
			return misusef("--docker needs --hosting custom: Flex Consumption does not run containers")
		}
	default:
		return misusef("invalid --hosting %q: want custom or flex", h.Kind)
	}
	return nil
}

// choose decides on the hosting of a new project where the command line did not: the one that has what
// the servers are started with. It says why, or asks where it can, and reports whether there was an answer.
func (h *hosting) choose(env *Env, ask bool, file *config.File) (answered bool, err error) {
	if h.Kind != "" {
		return false, nil
	}
	h.Kind = string(generator.HostingCustom)
	if h.Extras.Docker {
		return false, nil // the image has all that servers start with
	}
	stacks := generator.Stacks(file)
	if len(stacks) > 0 {
		h.Kind = string(generator.HostingFlex)
	}
	if len(stacks) != 1 || !ask {
		env.note("%s", advice(file, stacks))
		return false, nil
	}
	pick, err := env.Prompter.Select("What will the app run on?", []string{
		fmt.Sprintf("flex: Flex Consumption with %s, because %s", stackName(stacks[0]), startsWith(file, stacks[0])),
		"custom: any plan, without " + stackName(stacks[0]),
	})
	if pick == 1 {
		h.Kind = string(generator.HostingCustom)
	}
	return true, err
}

// advice is one sentence on the hosting that is taken, and on what else there is.
func advice(file *config.File, stacks []generator.Stack) string {
	switch len(stacks) {
	case 0:
		return "hosting custom, because no server starts with Python or Node"
	case 1:
		return fmt.Sprintf("hosting flex, for an app on Flex Consumption with %s, because %s; for an image for other plans, use --docker",
			stackName(stacks[0]), startsWith(file, stacks[0]))
	}
	return fmt.Sprintf("hosting flex, for an app on Flex Consumption with %s, because %s; %s, so run mcpfunc pack --with-node to include Node; for an image with both for other plans, use --docker",
		stackName(stacks[0]), startsWith(file, stacks[0]), startsWith(file, stacks[1]))
}

// startsWith names the first server that needs the stack, and its command.
func startsWith(file *config.File, stack generator.Stack) string {
	on := file.Enabled()
	i := slices.IndexFunc(on, func(s config.Server) bool { return generator.StackFor(s) == stack })
	return fmt.Sprintf("%s starts with %s", on[i].Name, on[i].Command)
}

func stackName(s generator.Stack) string { return strings.ToUpper(string(s[:1])) + string(s[1:]) }
