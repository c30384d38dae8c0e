package pack

import (
	"errors"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// dnx is "dnx", "dotnet dnx" and "dotnet tool exec" or "run". Sources may hold variables: what opens a feed
// is nothing to write down.
func (r *Recipe) dnx(c packmanifest.Command) error {
	r.Kind = KindDotnet
	command, err := nuget.ParseCommand(c.Command, c.Args)
	if err != nil {
		for _, word := range c.Args {
			if strings.Contains(word, "${") && strings.Contains(err.Error(), "${") {
				return refuse("write it without variables; arguments of the server itself and sources may hold variables",
					"%q determines what to install, but is known only when the app starts", word)
			}
		}
		return asRecipeError(err)
	}
	r.dotnet = command
	if command.Tool == "" {
		r.Requires = []string{dotnetRequirement(command)}
	}
	for _, v := range command.Sources {
		r.Options = append(r.Options, "--source="+v)
	}
	for _, v := range command.AddSources {
		r.Options = append(r.Options, "--add-source="+v)
	}
	if command.ConfigFile != "" {
		r.Options = append(r.Options, "--configfile="+command.ConfigFile)
	}
	if command.RollForward {
		r.Options = append(r.Options, "--allow-roll-forward")
	}
	r.Replaces = len(c.Args)
	if len(command.Own) > 0 {
		r.Replaces = command.Own[0]
	}
	for i := r.Replaces; i < len(c.Args); i++ {
		if !slices.Contains(command.Own, i) {
			r.Skips = append(r.Skips, i)
		}
	}
	return nil
}

// dotnetRequirement is ID@VERSION, or ID for the newest.
func dotnetRequirement(c *nuget.Command) string {
	if !c.Versioned() {
		return c.Package
	}
	return c.Package + "@" + c.Range.String()
}

// asRecipeError makes a RecipeError of what package nuget says of a command line or of a package.
func asRecipeError(err error) error {
	if e := (*nuget.Error)(nil); errors.As(err, &e) {
		return &RecipeError{Text: err.Error(), Hint: e.Hint}
	}
	return err
}
