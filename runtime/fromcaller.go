package mcpfunc

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// fromCaller is what of a request becomes part of the environment of a server's process.
func (a *App) fromCaller(spec Server) (authenv.FromCaller, error) {
	key := "env_from_headers"
	if len(spec.EnvFromHeaders) == 0 {
		key = "env_from_claims"
	}
	own, err := authenv.NewFromCaller(spec.EnvFromHeaders, spec.EnvFromClaims)
	if err != nil {
		return own, &ConfigError{Key: key, Err: err}
	}
	if len(spec.EnvFromClaims) > 0 && !a.verifies(spec) {
		return own, &ConfigError{Key: "env_from_claims", Err: errors.New("requires callers with a verified token"), Hint: "set auth.method to azure_obo or oauth2_bearer"}
	}
	for _, vars := range []map[string]string{spec.EnvFromHeaders, spec.EnvFromClaims} {
		for name := range vars {
			if _, set := spec.Env[name]; set {
				return own, &ConfigError{Key: key, Err: fmt.Errorf("sets %s, and so does env or envFile", name), Hint: "remove it from one of them"}
			}
		}
	}
	return own, nil
}

// personal reports whether a process of s has something of its caller in its environment, besides what its auth
// method grants.
func (s Server) personal() bool { return len(s.EnvFromHeaders)+len(s.EnvFromClaims) > 0 }

// A personal is what one caller's process has in its environment of that caller alone.
type personal struct {
	vars   map[string]string
	digest string // of vars: who comes with others is another caller

	once    sync.Once
	secrets *secret.Redactor
}

// personalOf takes what s wants of a request. It has answered when it is not ok: 400 where a header is missing,
// 403 where a claim is.
func (s *server) personalOf(w http.ResponseWriter, r *http.Request, caller *authn.Caller) (p *personal, ok bool) {
	if !s.own.Any() {
		return nil, true
	}
	claims := caller.Claims
	if info, custom := claims[infoClaim].(*auth.TokenInfo); custom {
		claims = info.Extra
	}
	vars, digest, err := s.own.Take(r.Header.Values, claims)
	if err == nil {
		return &personal{vars: vars, digest: digest}, true
	}
	refusal := &authn.Error{Status: http.StatusBadRequest, Code: "invalid_header", Message: sentence(err.Error())}
	if missing, is := errors.AsType[*authenv.MissingError](err); is && missing.OfToken {
		refusal.Status, refusal.Code = http.StatusForbidden, "missing_claim"
	}
	refusal.ServeHTTP(w, r)
	return nil, false
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// client is the program by which a caller is known, and what else of a request makes another caller of the same
// user. It is compared, and part of what ids are sealed about, and never written anywhere.
func (p *personal) client(program string) string {
	if p == nil {
		return program
	}
	return program + "\x00" + p.digest
}

// Secrets returns the redactor of this caller's own secrets. It implements child.Secretive.
func (id *identity) Secrets() *secret.Redactor {
	if id.own == nil {
		return nil
	}
	id.own.once.Do(func() { id.own.secrets = secret.New(slices.Collect(maps.Values(id.own.vars))...) })
	return id.own.secrets
}

// has reports whether text holds one of the caller's values.
func (p *personal) has(text string) bool {
	for _, value := range p.vars {
		if len(value) >= 6 && strings.Contains(text, value) {
			return true
		}
	}
	return false
}
