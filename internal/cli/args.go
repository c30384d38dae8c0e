package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// usualArgs checks the number of arguments against the usage line of the command, where NAME is
// required and [NAME] is not, and says which one is missing or too many.
func usualArgs(cmd *cobra.Command, args []string) error {
	places := strings.Fields(cmd.Use)[1:]
	if len(args) > len(places) {
		return withHint(misusef("unexpected argument %q", args[len(places)]), usageHint(cmd))
	}
	for _, place := range places[len(args):] {
		if !strings.HasPrefix(place, "[") {
			return withHint(misusef("missing argument %s", place), usageHint(cmd))
		}
	}
	return nil
}

func usageHint(cmd *cobra.Command) string {
	return "usage: " + strings.TrimSuffix(cmd.UseLine(), " [flags]")
}
