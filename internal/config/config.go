// Package config reads mcp_config.json: the servers, and how each is started, protected and
// limited. It accepts the shapes that MCP clients already write, in JSON with comments and trailing
// commas. Package configedit writes such files.
//
// Reading happens twice in a project's life. The generator parses without a lookup, so that
// ${NAME} stays as it stands and no secret reaches a scaffold; the runtime parses with one, and a
// name that is missing then is an error.
package config

import "time"

// A Shape is the top-level form a file was found in.
type Shape string

// The accepted shapes, in the order in which they are looked for.
const (
	ShapeMCPServers Shape = "mcpServers"  // Claude Desktop, Cursor, most clients
	ShapeServers    Shape = "servers"     // VS Code mcp.json, with inputs and envFile
	ShapeMCPDotMany Shape = "mcp.servers" // VS Code settings.json
	ShapeMCPDotOne  Shape = "mcp.server"  // the reference adapter
)

// A File is one configuration file, checked and with its defaults filled in.
type File struct {
	Path     string // as given to Parse; names the file in errors
	Shape    Shape
	Servers  []Server // in the order of the file, those that are switched off included
	Inputs   []Input  // VS Code's "inputs"
	Runtime  Runtime
	Warnings []Warning

	// Variables are the references of the enabled servers and of "runtime", in the order of the
	// file, whether they were resolved or left as they stand.
	Variables []Variable
}

// Enabled returns the servers that are switched on, in the order of the file.
func (f *File) Enabled() []Server {
	var on []Server
	for _, s := range f.Servers {
		if s.Enabled {
			on = append(on, s)
		}
	}
	return on
}

// Default returns the server behind /api/mcp: Runtime.DefaultServer, else the first one switched
// on. It reports false when none is.
func (f *File) Default() (Server, bool) {
	on := f.Enabled()
	for _, s := range on {
		if s.Name == f.Runtime.DefaultServer {
			return s, true
		}
	}
	if len(on) == 0 {
		return Server{}, false
	}
	return on[0], true
}

// A Server is one entry of the servers object.
type Server struct {
	Name    string // its key: letters, digits, "-" and "_", at most 63
	Line    int    // where the entry begins, from 1
	Command string
	Args    []string
	Env     map[string]string
	EnvFile string // VS Code's envFile; its variables come before Env

	Dir              string        // working_dir or cwd; empty means the app's own
	Timeout          time.Duration // timeout_seconds: to the child's first answer
	RequestTimeout   time.Duration // request_timeout_seconds: one call; zero means none
	RestartOnFailure bool
	MaxRestarts      int
	Framing          Framing
	Era              Era
	Enabled          bool
	Description      string
	Stateless        bool     // its processes remember nothing between calls
	NoFork           bool     // none of its processes is forked from another
	InheritEnv       []string // names or globs that may pass from the app's environment
	Manifest         Manifest
	EnvFromHeaders   map[string]string // variables of a session's process, by the header of its caller that each is
	AuditArguments   []string          // audit.arguments: of tools, that the audit shows
	Trace            Trace
	EnvFromClaims    map[string]string // the same, by the claim of the caller's verified token
	Auth             Auth
	Sessions         Sessions
	Sandbox          Sandbox
	Access           Access // tools, prompts, resources

	Fault *Error // of ParseEach: why it cannot be served; nothing else but Name, Line and Enabled counts then
}

// Framing says how messages are told apart on a child's pipes.
type Framing string

// The framings. FramingAuto writes lines and follows what the child writes.
const (
	FramingAuto          Framing = "auto"
	FramingNewline       Framing = "newline"
	FramingContentLength Framing = "content-length"
)

// Era says which protocol versions a server speaks.
type Era string

// The eras. EraAuto finds out.
const (
	EraAuto   Era = "auto"
	EraLegacy Era = "legacy" // those with sessions, up to 2025-11-25
	EraModern Era = "modern" // those without, from 2026-07-28 on
	EraBoth   Era = "both"
)

// Manifest says whether a server may be answered for from what it was found to say when its app was built.
type Manifest string

// The modes. ManifestAuto does so where no process holds anything of its caller.
const (
	ManifestAuto   Manifest = ""
	ManifestOff    Manifest = "off"
	ManifestShared Manifest = "shared" // even where one does: the answers are the same for all
)

// Sessions bounds the sessions of one server.
type Sessions struct {
	Idle            time.Duration // idle_seconds
	Hibernate       time.Duration // hibernate_seconds; zero means never
	MaxAge          time.Duration // max_age_seconds; zero means no limit
	OnLost          OnLost        // on_lost
	Max             int           // zero means: as many as memory allows
	MaxPerPrincipal int
	Prewarm         int
	RejectClientIDs bool // client_ids: "reject"
	Anonymous       bool // anonymous_session
}

// Access says which of a server's tools, prompts and resources callers see, and what they need to use them.
type Access struct {
	Tools, Prompts, Resources AccessRules
	Pin                       Pin // tools.pin
}

// AccessRules are the rules for tools, prompts or resources.
type AccessRules struct {
	Allow   []string // globs; nil for everything
	Deny    []string // globs
	Require []Requirement
}

// A Requirement is what callers need to use what a glob matches: all of the scopes, one of the roles, and one
// of the groups.
type Requirement struct {
	Glob                  string
	Scopes, Roles, Groups []string
}

// Pin says what becomes of a tool that is not as pack has written it down. The empty one is PinWarn where pack
// has, and PinOff elsewhere.
type Pin string

// What may become of it.
const (
	PinOff     Pin = "off"
	PinWarn    Pin = "warn"    // it is logged
	PinEnforce Pin = "enforce" // it is not served
)

// OnLost says what becomes of a session whose process is gone, or on another instance.
type OnLost string

// What may become of it. OnLostAuto goes by what is known of the server.
const (
	OnLostAuto      OnLost = ""
	OnLostResurrect OnLost = "resurrect"
	OnLostNotify    OnLost = "notify"
	OnLostNotFound  OnLost = "404"
)

// AuthMethod names how callers of a server are known.
type AuthMethod string

// The methods of the reference adapter.
const (
	AuthNone         AuthMethod = "none"
	AuthAzureDefault AuthMethod = "azure_default"
	AuthAzureOBO     AuthMethod = "azure_obo"
	AuthOAuth2Bearer AuthMethod = "oauth2_bearer"
)

// Auth is the auth object of a server. Every key is parsed and checked whatever the method; one
// that does not belong to the method is an error, because a guard that is not read is no guard.
type Auth struct {
	Method           AuthMethod
	Line             int  // where the object begins; zero without an object
	ForwardUserToken bool // false unless written
	AllowPublic      bool // none: serve without keys on Azure

	AzureClientID         string
	AzureClientSecret     string
	AzureTenantID         string
	AzureAllowedTenants   []string
	AzureAllowedClientIDs []string
	AzureRequiredScopes   []string
	AzureScopes           []string
	AzureAuthority        string

	OAuth2Issuer                    string
	OAuth2Audience                  []string
	OAuth2RequiredScopes            []string
	OAuth2JWKSURI                   string
	OAuth2IntrospectionEndpoint     string
	OAuth2IntrospectionClientID     string
	OAuth2IntrospectionClientSecret string
	OAuth2ScopeImplies              map[string][]string
}

// Runtime is the top-level "runtime" object: what is not of one server.
type Runtime struct {
	DefaultServer    string
	PublicURL        string
	AllowedOrigins   []string
	AllowedHosts     []string
	MaxSessions      int           // zero means: as many as memory allows
	MaxRequestBytes  int64         // max_message_bytes.up or a single number; 32 MiB
	MaxResponseBytes int64         // max_message_bytes.down or a single number; 64 MiB
	Keepalive        time.Duration // keepalive_seconds; zero means none
	LogLevel         string        // debug, info, warn, error
	Audit            Audit
}

// Audit says which calls the audit has a line for.
type Audit string

// The audits. AuditAuto is AuditCalls for servers whose callers are known, and AuditOff for others.
const (
	AuditAuto  Audit = ""
	AuditOff   Audit = "off"
	AuditCalls Audit = "calls"
)

// Trace says how a server's process learns of the trace that a request is in.
type Trace string

// The ways. TracePass tells it where the client does; TraceInject tells it always.
const (
	TracePass   Trace = "pass"
	TraceInject Trace = "inject"
)

// An Input is one of VS Code's "inputs": a value that a person is asked for. As the runtime can ask
// nobody, ${input:ID} is read from the environment variable EnvName.
type Input struct {
	ID, Type, Description string
	Password              bool
	EnvName               string // ID in upper case, other characters as "_": api-key → API_KEY
	Default               string // used when EnvName is not set, but never for a Password
}

// A Variable is one ${NAME} of the file: an app setting that the app will ask for.
type Variable struct {
	Name        string // of the environment variable; an input's EnvName
	Server, Key string // who asks, as in an Error
	Line        int
	Optional    bool // has a default, or a value in every app
	Secret      bool // by its name or by where it stands, or an input that is typed unseen
}

// A Warning is something a person should know that stops nothing.
type Warning struct {
	Path, Server, Key string
	Line              int
	Text              string // one sentence, without the place
	Hint              string
}
