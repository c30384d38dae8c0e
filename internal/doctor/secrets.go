package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// secretAdvice finds secrets that are written out in env and args. Anyone who reads the file, its
// history or the published package has them.
func secretAdvice(file *config.File, s config.Server) []Advice {
	var all []Advice
	found := func(key, variable, what string) {
		all = append(all, advise(RuleSecrets, file, &s, key,
			fmt.Sprintf("write ${%s}, and set %s as an app setting, or as a Key Vault reference; then replace the secret, because this one may have been seen", variable, variable),
			"seems to contain %s", what))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		if what, ok := secret.Looks(name, s.Env[name]); ok {
			found("env."+name, name, what)
		}
	}
	for _, a := range secret.Args(s.Args) {
		if what, ok := secret.Looks(a.Name, a.Value); ok {
			found(fmt.Sprintf("args[%d]", a.Index), cmp.Or(a.Name, secret.Variable(s.Name)+"_SECRET"), what)
		}
	}
	return all
}
