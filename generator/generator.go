// Package generator turns a project, a value, into a plan of files, and a plan into files on disk.
//
// A generated project has two owners, and each file has one. Your files (main.go,
// mcp_config.json, README.md, and with them go.mod, go.sum, local.settings.json, the lists of ignored
// files and the files that Extras add) are written once and never changed again, except for the one
// value that AddSessionKey adds if it is missing. Generated files (host.json, every function.json, the
// carried runtime) follow from the configuration, and Plan.Write updates them whenever it changes.
//
// Planning does no I/O. Writing is all or nothing: every conflict is found and named before the
// first byte is written, and no name can lead outside the project (os.Root).
package generator

import (
	"io/fs"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A Hosting is how Azure Functions runs the handler.
type Hosting string

// The hostings.
const (
	// HostingCustom has a function.json per route, on the stack "custom", which brings no interpreter.
	HostingCustom Hosting = "custom"

	// HostingFlex has the routes in host.json, under the profile "mcp-custom-handler": an app on Flex
	// Consumption whose stack is Python or Node starts the handler all the same, and the servers find
	// their interpreter. The host refuses to start when it finds a function.json as well.
	HostingFlex Hosting = "flex"
)

// Extras are the parts of a project that not every one has. Their files are all yours: they are
// written when they are asked for and absent, and no later plan touches them.
type Extras struct {
	Docker bool // Dockerfile and .dockerignore, for HostingCustom
	AZD    bool // azure.yaml and infra/, for the Azure Developer CLI
	GitHub bool // .github/workflows/deploy.yml and .github/dependabot.yml
	Redis  bool // Azure Managed Redis in infra/, by which instances reach each other's sessions; with AZD
}

// An AuthLevel is the Functions key gate in front of a function.
type AuthLevel string

// The levels of function.json.
const (
	LevelAnonymous AuthLevel = "anonymous"
	LevelFunction  AuthLevel = "function"
	LevelAdmin     AuthLevel = "admin"
)

// A Project is everything that a scaffold depends on.
type Project struct {
	Name      string // the app's name; the last element of Module unless said otherwise
	Module    string // module path of the generated go.mod; empty: the name, with "-app" where Go has that name itself
	Hosting   Hosting
	Extras    Extras
	OTel      bool      // traces and metrics by OpenTelemetry, of the handler and of the host
	AuthLevel AuthLevel // empty: "function" for none and azure_default, "anonymous" where tokens guard

	Config     *config.File // parsed without a lookup: ${NAME} stays
	ConfigData []byte       // what mcp_config.json will hold, byte for byte

	// SessionKey is what a local.settings.json that is not there yet says is MCPFUNC_SESSION_KEY: a
	// secret, new for every machine. Without one that file is not planned at all: it belongs to one
	// machine, so that a project without it, such as a clone, is in line all the same.
	SessionKey string
	// AddSessionKey also adds the key to a local.settings.json that is there without one. Every other
	// byte of it stays.
	AddSessionKey bool

	// Runtime holds the sources of the module that the project links against; they are laid under
	// third_party/mcpfunc, to which go.mod points by a replace. See the root package's Source.
	Runtime fs.FS
	// RuntimeVersion is the published version of that module which go.mod requires instead, in a project
	// without a copy of the sources. Plan then plans a go.mod that names nothing else and an empty go.sum,
	// for "go mod tidy" to complete. Empty: the sources are copied.
	RuntimeVersion string
}

// An Owner says who may write a file after it has been written once.
type Owner int

// The owners.
const (
	Yours Owner = iota // written when absent, then left alone
	Ours               // written whenever it differs
)

// A File is one planned file.
type File struct {
	Path  string // slash-separated, relative to the project
	Data  []byte
	Mode  fs.FileMode
	Owner Owner
}

// A Plan is what a project should hold. Files are sorted by path.
type Plan struct {
	Files []File
	// Prune lists generated files of ours that may be on disk from an earlier plan and must go
	// when they are (the function.json of a server that was removed). It is filled by Stale.
	Prune []string

	// routesInHost says that host.json holds the routes, so that any function.json beside it would
	// keep the host from starting.
	routesInHost bool

	addedKey string // is added to a local.settings.json without one
}

// An Action is what writing would do to one path.
type Action string

// The actions.
const (
	Create    Action = "create"
	Update    Action = "update"    // ours, and different
	Unchanged Action = "unchanged" // the same bytes are there
	Keep      Action = "keep"      // yours, and there already
	Remove    Action = "remove"    // ours, and no longer planned
	Conflict  Action = "conflict"  // something is there that we may not overwrite
)

// A Change is one line of a dry run.
type Change struct {
	Path   string `json:"path"`
	Action Action `json:"action"`
	Why    string `json:"why,omitempty"` // for a conflict: what is in the way
}
