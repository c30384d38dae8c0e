package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
)

// newEntry describes a server by what stands on the command line.
func newEntry(command, environ []string, auth string) (configedit.Entry, error) {
	entry := configedit.Entry{Auth: authFor(config.AuthMethod(auth))}
	if len(command) > 0 {
		entry.Command, entry.Args = command[0], command[1:]
	}
	for _, pair := range environ {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return entry, misusef("--env %q is not of the form NAME=value", name)
		}
		entry.Env = append(entry.Env, configedit.EnvVar{Name: name, Value: value})
	}
	return entry, nil
}

var authMethods = []config.AuthMethod{
	config.AuthNone, config.AuthAzureDefault, config.AuthAzureOBO, config.AuthOAuth2Bearer,
}

func checkAuthMethod(auth string) error {
	if auth != "" && !slices.Contains(authMethods, config.AuthMethod(auth)) {
		return misusef("--auth %q is none of none, azure_default, azure_obo and oauth2_bearer", auth)
	}
	return nil
}

// authFor returns the auth block of a method. What it needs to know comes from app settings: the
// values differ from one deployment to the next, and one of them is a secret.
func authFor(method config.AuthMethod) config.Auth {
	auth := config.Auth{Method: method}
	switch method {
	case config.AuthAzureOBO:
		auth.AzureClientID = "${AZURE_CLIENT_ID}"
		auth.AzureClientSecret = "${AZURE_CLIENT_SECRET}"
		auth.AzureTenantID = "${AZURE_TENANT_ID}"
	case config.AuthOAuth2Bearer:
		auth.OAuth2Issuer = "${OAUTH2_ISSUER}"
		auth.OAuth2Audience = []string{"${OAUTH2_AUDIENCE}"}
	}
	return auth
}

// switchedOff returns entry with "disabled": true before everything else.
func switchedOff(entry configedit.Entry) (configedit.Entry, error) {
	data, err := configedit.New(configedit.NamedEntry{Name: "server", Entry: entry})
	if err != nil {
		return entry, err
	}
	written, err := config.Import(configName, data)
	if err != nil {
		return entry, err
	}
	raw := bytes.Replace(written[0].Raw, []byte("{"), []byte("{\n  \"disabled\": true,"), 1)
	return configedit.Entry{Raw: raw}, nil
}

// importServers adds the servers of the configuration file at path to data, or only the one named.
// Of all servers, those that cannot be served, remote ones mostly, are left out and named.
func importServers(env *Env, data []byte, path, name string) ([]byte, error) {
	servers, err := importable(path)
	if err != nil {
		return nil, err
	}
	added := 0
	var names []string
	for _, s := range servers {
		names = append(names, s.Name)
		switch {
		case name != "" && s.Name != name:
			continue
		case s.Err != nil && name != "":
			return nil, s.Err
		case s.Err != nil:
			env.note("left out: %s", oneLine(s.Err.Error()))
			continue
		}
		if data, err = configedit.AddServer(data, s.Name, configedit.Entry{Raw: s.Raw}); err != nil {
			return nil, err
		}
		added++
	}
	switch {
	case added > 0:
		return data, nil
	case name != "" && len(names) > 0:
		return nil, withHint(fmt.Errorf("%s: there is no server %q", path, name), "there are "+strings.Join(names, ", "))
	default:
		return nil, fmt.Errorf("%s: there is no server that can be served", path)
	}
}

// readLimit is more than a configuration may hold, so that one that is too large is found to be.
const readLimit = 2 << 20

// readFile returns the beginning of a configuration file.
func readFile(path string) ([]byte, error) { return readUpTo(path, readLimit) }

func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return data, nil
}

// unreadable drops the path and the call that the operating system's error repeats.
func unreadable(path string, err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("%s: cannot be read: %w", path, err)
}
