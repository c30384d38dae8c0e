// Package authenv decides which environment a server's process gets: a short list of names from the app's own
// environment, what the configuration sets, and what the auth method grants.
//
// The app's environment holds the keys to everything: the storage account with the host's access keys, the
// managed identity, the secrets of other servers. So no variable passes unless this package or the
// configuration names it, and some do not pass even then.
package authenv

import (
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// passed are the names that every process needs to run at all, or to be downloaded.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP", "TERM",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
	"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING", "PYTHONUTF8", "VIRTUAL_ENV",
	"NODE_PATH", "DOTNET_ROOT", "JAVA_HOME", "GOCOVERDIR",
	// Windows
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "USERPROFILE",
	"HOMEDRIVE", "HOMEPATH", "PROGRAMFILES", "PROGRAMDATA", "PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS",
}

// unlessSecret are names that pass unless they name a secret: locale, and where package runners
// find packages and keep them.
var unlessSecret = []string{"LC_*", "UV_*", "PIP_*", "NPM_CONFIG_*"}

// denied are names that never pass: with any of them a process could act as the app, or as the
// host.
var denied = []string{
	"AZUREWEBJOBS*", "AZUREFUNCTIONSJOBHOST__*", "WEBSITE_*", "FUNCTIONS_*", "APPSETTING_*",
	"*CONNSTR_*", "CONNECTIONSTRINGS__*", "CONNECTIONSTRINGS:*", // of App Service, of whatever kind, and of .NET
	"APPLICATIONINSIGHTS_*", "APPINSIGHTS_*", "MACHINEKEY_*",
	"AZUREWEBENCRYPTIONKEY", "CONTAINER_*KEY*", "*_PROVIDER_AUTHENTICATION_SECRET",
	"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "MCPFUNC_*",
}

// Base returns those entries of environ that a process may see: the short list, and what inherit,
// names or globs, adds. A name that is denied does not pass whatever inherit says.
func Base(environ, inherit []string) []string {
	var base []string
	for _, entry := range environ {
		name, _, ok := strings.Cut(entry, "=")
		if ok && name != "" && passes(name, inherit) {
			base = append(base, entry)
		}
	}
	return base
}

func passes(name string, inherit []string) bool {
	upper := strings.ToUpper(name)
	if Denied(name) {
		return false
	}
	if matchesAny(passed, upper) || matchesAny(unlessSecret, upper) && !secret.Named(name) {
		return true
	}
	return slices.ContainsFunc(inherit, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return err == nil && ok
	})
}

// Denied reports whether a variable of the app never reaches a process.
func Denied(name string) bool { return matchesAny(denied, strings.ToUpper(name)) }

// matchesAny reports whether name is what one of the patterns says.
func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, name) })
}

// matches reports whether name is what pattern says, in which a star stands for anything. path.Match
// takes ten times as long, for every name at every start of a process, and lets no star stand for a "/".
func matches(pattern, name string) bool {
	begin, rest, starred := strings.Cut(pattern, "*")
	if !starred {
		return name == pattern
	}
	name, ok := strings.CutPrefix(name, begin)
	for ok && starred {
		var part string
		if part, rest, starred = strings.Cut(rest, "*"); starred {
			_, name, ok = strings.Cut(name, part)
		} else {
			ok = strings.HasSuffix(name, part)
		}
	}
	return ok
}

// Join returns base with the entries of each layer, in order: the last one to name a variable has
// it. What a process cannot do without is there in any case: on Unix a HOME that can be written to,
// and Python's output unbuffered, without which its answers stay in its buffer.
func Join(base []string, layers ...map[string]string) []string {
	vars := map[string]string{"PYTHONUNBUFFERED": "1"}
	if runtime.GOOS != "windows" {
		base = settle(base, writableDir)
	}
	for _, entry := range base {
		name, value, _ := strings.Cut(entry, "=")
		vars[name] = value
	}
	for _, layer := range layers {
		maps.Copy(vars, layer)
	}
	joined := make([]string, 0, len(vars))
	for name, value := range vars {
		joined = append(joined, name+"="+value)
	}
	slices.Sort(joined)
	return joined
}
