package config

import "github.com/mcpfunc/mcpfunc/internal/authenv"

// fromCaller reads variables that come from the caller: each with the header, or the claim, that it is.
func fromCaller(vars *map[string]string, at **member, check func(string) error) func(member) error {
	return func(object member) error {
		*at = &object
		members, err := object.members()
		if err != nil {
			return err
		}
		*vars = make(map[string]string, len(members))
		for _, m := range members {
			m.vars = nil // readers of the file must see which header counts
			source, err := m.filled()
			if err != nil {
				return err
			}
			if err := authenv.CheckVariable(m.name); err != nil {
				return m.at.fail("cannot be: %w", err)
			}
			if err := check(source); err != nil {
				return m.fail("cannot be: %w", err)
			}
			(*vars)[m.name] = source
		}
		return nil
	}
}

// checkFromCaller says what of env_from_headers and env_from_claims cannot be, beside the server's other keys.
func (d *draft) checkFromCaller() error {
	if len(d.EnvFromHeaders) == 0 && len(d.EnvFromClaims) == 0 {
		return nil
	}
	m := d.headers
	if len(d.EnvFromClaims) > 0 {
		m = d.claims
		if d.Auth.Method != AuthAzureOBO && d.Auth.Method != AuthOAuth2Bearer {
			return m.fail("needs callers with a verified token, which the method %q does not check", d.Auth.Method).
				hint("set auth.method to %q or %q", AuthAzureOBO, AuthOAuth2Bearer)
		}
	}
	if _, err := authenv.NewFromCaller(d.EnvFromHeaders, d.EnvFromClaims); err != nil {
		return m.fail("cannot be: %w", err)
	}
	for _, vars := range []map[string]string{d.EnvFromHeaders, d.EnvFromClaims} {
		for name := range vars {
			if _, set := d.Env[name]; set {
				return m.fail("sets %s, which env sets too", name).hint("remove it from one of them")
			}
		}
	}
	if d.Sessions.Prewarm > 0 {
		d.parser.warn(m.fail("binds each process to one caller, so that none can be started in advance").hint("remove sessions.prewarm"))
	}
	return nil
}
