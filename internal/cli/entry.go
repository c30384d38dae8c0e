package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
	"github.com/mcpfunc/mcpfunc/internal/importer"
)

// newEntry describes a server from the command line.
func newEntry(command, environ []string, auth string) (configedit.Entry, error) {
	entry := configedit.Entry{Auth: authFor(config.AuthMethod(auth))}
	if len(command) > 0 {
		entry.Command, entry.Args = command[0], command[1:]
	}
	for _, pair := range environ {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return entry, misusef("invalid --env %q: want NAME=value", name)
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
		return misusef("invalid --auth %q: want none, azure_default, azure_obo or oauth2_bearer", auth)
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
	// New has written it so: {"mcpServers": {"server": {...}}}, two blanks a level.
	_, body, _ := strings.Cut(string(data), `"server": {`)
	body = strings.TrimSuffix(body, "\n  }\n}\n")
	raw := "{\n  \"disabled\": true," + strings.ReplaceAll(body, "\n    ", "\n")
	return configedit.Entry{Raw: []byte(raw)}, nil
}

// addImported adds the servers of another configuration to data.
func addImported(data []byte, servers []importer.Server) ([]byte, error) {
	for _, s := range servers {
		var err error
		if data, err = configedit.AddServer(data, s.Name, s.Entry); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// readLimit is more than a configuration may hold, so that one that is too large is found to be.
const readLimit = config.MaxSize + 1

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
