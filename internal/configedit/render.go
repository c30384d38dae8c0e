package configedit

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// An Entry is a server as it is written into a file. Its strings may hold ${NAME}.
type Entry struct {
	Command     string
	Args        []string
	Env         []EnvVar
	Dir         string // working_dir
	Description string
	Auth        config.Auth // written if its method is another than none, or it allows the public

	// Raw is the entry's object as text, with or without comments, and takes the place of all the
	// above. Its first line has no indentation, and the others have theirs relative to it.
	Raw []byte
}

// An EnvVar is one variable of "env".
type EnvVar struct{ Name, Value string }

// A NamedEntry is an Entry and its place in the servers object.
type NamedEntry struct {
	Name string
	Entry
}

// New returns a new configuration with these servers, indented by two blanks.
func New(entries ...NamedEntry) ([]byte, error) {
	data := []byte("{\n  \"mcpServers\": {}\n}\n")
	for _, e := range entries {
		var err error
		if data, err = AddServer(data, e.Name, e.Entry); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// A value is what can be written: string, []string, bool, pairs, or raw.
type value any

type pairs []pair

type pair struct {
	name string
	value
}

// raw is JSON as it stands; see Entry.Raw.
type raw []byte

// value returns the entry as it will be written, less what is empty.
func (e Entry) value(name string) (value, error) {
	if e.Raw != nil {
		v, err := hujson.Parse(e.Raw)
		if err != nil || v.Value.Kind() != '{' || v.BeforeExtra != nil || v.AfterExtra != nil {
			return nil, &config.Error{Server: name, Err: errors.New("the entry is not one JSON object")}
		}
		return raw(e.Raw), nil
	}
	var env pairs
	for _, v := range e.Env {
		env = append(env, pair{v.Name, v.Value})
	}
	body := pairs{
		{"command", e.Command}, {"args", e.Args}, {"env", env}, {"working_dir", e.Dir},
		{"description", e.Description}, {"auth", authBlock(e.Auth)},
	}.filled()
	if !body.valid() {
		return nil, &config.Error{Server: name, Err: errors.New("the entry contains a string that is not UTF-8")}
	}
	return body, nil
}

// authBlock returns the auth object, empty for the default.
func authBlock(a config.Auth) pairs {
	if (a.Method == config.AuthNone || a.Method == "") && !a.AllowPublic {
		return nil
	}
	var implies pairs
	for scope, held := range a.OAuth2ScopeImplies {
		implies = append(implies, pair{scope, held})
	}
	slices.SortFunc(implies, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	return pairs{
		{"method", string(a.Method)},
		{"allow_public", a.AllowPublic},
		{"azure_client_id", a.AzureClientID},
		{"azure_client_secret", a.AzureClientSecret},
		{"azure_tenant_id", a.AzureTenantID},
		{"azure_allowed_tenants", a.AzureAllowedTenants},
		{"azure_allowed_client_ids", a.AzureAllowedClientIDs},
		{"azure_required_scopes", a.AzureRequiredScopes},
		{"azure_scopes", a.AzureScopes},
		{"azure_authority", a.AzureAuthority},
		{"oauth2_issuer", a.OAuth2Issuer},
		{"oauth2_audience", a.OAuth2Audience},
		{"oauth2_required_scopes", a.OAuth2RequiredScopes},
		{"oauth2_jwks_uri", a.OAuth2JWKSURI},
		{"oauth2_introspection_endpoint", a.OAuth2IntrospectionEndpoint},
		{"oauth2_introspection_client_id", a.OAuth2IntrospectionClientID},
		{"oauth2_introspection_client_secret", a.OAuth2IntrospectionClientSecret},
		{"oauth2_scope_implies", implies},
		{"forward_user_token", a.ForwardUserToken},
	}.filled()
}

// filled drops what is empty: all of it is optional, or missed by config.Parse.
func (p pairs) filled() pairs {
	return slices.DeleteFunc(p, func(m pair) bool {
		switch v := m.value.(type) {
		case string:
			return v == ""
		case []string:
			return len(v) == 0
		case pairs:
			return len(v) == 0
		case bool:
			return !v
		}
		return false
	})
}

// valid reports whether every string is UTF-8.
func (p pairs) valid() bool {
	for _, m := range p {
		ok := utf8.ValidString(m.name)
		switch v := m.value.(type) {
		case string:
			ok = ok && utf8.ValidString(v)
		case []string:
			ok = ok && !slices.ContainsFunc(v, func(s string) bool { return !utf8.ValidString(s) })
		case pairs:
			ok = ok && v.valid()
		}
		if !ok {
			return false
		}
	}
	return true
}

// A style is how a file is laid out.
type style struct {
	newline string
	unit    string // of indentation
	space   string // behind a colon, and behind a comma on one line
	flat    bool   // objects are on one line
}

// style reads the layout off the file, and falls back to two blanks.
func (d document) style() style {
	st := style{newline: "\n", unit: "  ", space: " "}
	if i := bytes.IndexByte(d.Text, '\n'); i > 0 && d.Text[i-1] == '\r' {
		st.newline = "\r\n"
	}
	members := d.Root.Value.(*hujson.Object).Members
	if len(members) == 0 {
		return st
	}
	if first := members[0].Name.StartOffset; beginsLine(d.Text, first) {
		unit, ok := strings.CutPrefix(indentOf(d.Text, first), indentOf(d.Text, d.Root.StartOffset))
		if ok && unit != "" {
			st.unit = unit
		}
	}
	if len(members[0].Value.BeforeExtra) == 0 {
		st.space = ""
	}
	return st
}

// spread reports whether the file has members on lines of their own.
func (d document) spread() bool {
	members := d.Root.Value.(*hujson.Object).Members
	return len(members) == 0 || beginsLine(d.Text, members[0].Name.StartOffset)
}

// member renders a name and its value.
func (st style) member(name string, v value, indent string) string {
	return string(hujson.String(name)) + ":" + st.space + st.render(v, indent)
}

// render renders a value whose first line is indented already. Lists stay on one line.
func (st style) render(v value, indent string) string {
	switch v := v.(type) {
	case string:
		return string(hujson.String(v))
	case bool:
		return string(hujson.Bool(v))
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = string(hujson.String(s))
		}
		return "[" + strings.Join(quoted, ","+st.space) + "]"
	case raw:
		lines := strings.Split(strings.ReplaceAll(string(v), "\r\n", "\n"), "\n")
		for i, line := range lines {
			if i > 0 && line != "" {
				lines[i] = indent + line
			}
		}
		return strings.Join(lines, st.newline)
	}
	members := v.(pairs)
	lines := make([]string, len(members))
	inner := indent + st.unit
	for i, m := range members {
		lines[i] = st.member(m.name, m.value, inner)
	}
	if st.flat {
		return "{" + strings.Join(lines, ","+st.space) + "}"
	}
	separator := st.newline + inner
	return "{" + separator + strings.Join(lines, ","+separator) + st.newline + indent + "}"
}
