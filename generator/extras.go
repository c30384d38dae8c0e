package generator

import (
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// outputs returns the files that the extras add to a project. All are yours.
func (x Extras) outputs(s scaffold) []output {
	var files []output
	if x.Docker {
		files = append(files,
			output{"Dockerfile", "Dockerfile.tmpl", Yours},
			output{".dockerignore", "dockerignore.tmpl", Yours})
	}
	if x.AZD {
		files = append(files,
			output{"azure.yaml", "azure.yaml.tmpl", Yours},
			output{"infra/main.bicep", "main.bicep.tmpl", Yours},
			output{"infra/app.bicep", "app.bicep.tmpl", Yours},
			output{"infra/main.parameters.json", "main.parameters.json.tmpl", Yours})
		if s.Entra() {
			files = append(files,
				output{"infra/entra.bicep", "entra.bicep.tmpl", Yours},
				output{"infra/bicepconfig.json", "bicepconfig.json.tmpl", Yours})
		}
	}
	if x.GitHub {
		files = append(files,
			output{".github/workflows/deploy.yml", "deploy.yml.tmpl", Yours},
			output{".github/dependabot.yml", "dependabot.yml.tmpl", Yours})
	}
	return files
}

// YoursToo names what the extras add to what is yours, as the end of a clause.
func (s scaffold) YoursToo() string {
	var parts []string
	if s.Extras.Docker {
		parts = append(parts, "`Dockerfile`")
	}
	if s.Extras.AZD {
		parts = append(parts, "`azure.yaml` and all of `infra/`")
	}
	if s.Extras.GitHub {
		parts = append(parts, "`.github/`")
	}
	if parts == nil {
		return ""
	}
	return ", and so are " + strings.Join(parts, ", ")
}

// AppName is the name in the form that azd takes: small letters, digits and hyphens, two at least.
func (s scaffold) AppName() string {
	name := strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(s.Name))
	if name = strings.Trim(name, "-"); len(name) < 2 {
		name += "-app"
	}
	return name
}

// Entra reports whether a server asks for users of Entra ID, so that the infrastructure offers to
// register the app there.
func (s scaffold) Entra() bool {
	return slices.ContainsFunc(s.Config.Enabled(), wantsEntra)
}

// OnlyEntra reports whether every server does. App Service authentication guards all of an app: with
// it in front, a server that asks for a key only would ask for a token too.
func (s scaffold) OnlyEntra() bool {
	return !slices.ContainsFunc(s.Config.Enabled(), func(s config.Server) bool { return !wantsEntra(s) })
}

func wantsEntra(s config.Server) bool { return s.Auth.Method == config.AuthAzureOBO }

// Secrets returns those Placeholders whose values are secrets, by what the configuration says of them
// or by their names. Only these are parameters that are secure.
func (s scaffold) Secrets() []string {
	return slices.DeleteFunc(s.Placeholders(), func(name string) bool { return !s.secret(name) })
}

// Settings returns the other Placeholders.
func (s scaffold) Settings() []string { return slices.DeleteFunc(s.Placeholders(), s.secret) }

// AppSettings returns the names of the variables that the app needs, and reports for each whether its value is
// a secret. Only Config is looked at.
func (p Project) AppSettings() map[string]bool {
	s := scaffold{Project: p}
	names := map[string]bool{}
	for _, name := range s.Placeholders() {
		names[name] = s.secret(name)
	}
	return names
}

func (s scaffold) secret(name string) bool {
	said := slices.ContainsFunc(s.Config.Variables, func(v config.Variable) bool { return v.Name == name && v.Secret })
	return said || secret.Setting(name)
}
