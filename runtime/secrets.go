package mcpfunc

import (
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// redactor returns the redactor of the app's secrets: of its settings, of values that replaced ${NAME},
// of its servers, and of environ, of which a server may be given anything by inherit_env.
func (c *Config) redactor(environ []string) *secret.Redactor {
	var v secret.Values
	v.Know(strings.Split(c.sessionKeys, ",")...)
	v.Know(c.redisURL, c.devKey)
	v.Read(c.resolved...)
	for _, s := range c.Servers {
		for name, value := range s.Env {
			v.Setting(name, value)
		}
		v.Args(s.Args)
		v.Know(s.method.AzureClientSecret, s.method.OAuth2IntrospectionClientSecret)
	}
	v.Environ(environ)
	return v.Redactor()
}
