package generator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// ErrNoProject says that a directory holds no project of ours: it has no go.mod that needs the
// runtime.
var ErrNoProject = errors.New("this is not an mcpfunc project")

// Load returns what the project in dir was made with, as far as files of it tell: the module, the
// hosting, the version of the runtime if it is not copied, and the auth level that was asked for. Config, ConfigData and Runtime are the caller's to
// add. Extras stay empty: their files are yours, there or not, so no later plan asks for them by
// itself. The error wraps ErrNoProject if dir is not a project.
func Load(dir string) (Project, error) {
	root, err := openRoot(dir)
	if err != nil {
		return Project{}, err
	}
	if root != nil {
		defer root.Close()
	}
	if err := isProject(root); err != nil {
		return Project{}, err
	}
	mod, err := look(root, "go.mod")
	if err != nil {
		return Project{}, err
	}
	p := Project{Module: moduleOf(mod.data), Hosting: HostingCustom, RuntimeVersion: publishedRuntime(mod.data)}
	main, err := look(root, "main.go")
	if err != nil {
		return Project{}, err
	}
	p.OTel = strings.Contains(string(main.data), `"`+runtimeModule+"/"+otelDir+`"`)
	host, err := readHost(root)
	if err != nil {
		return Project{}, err
	}
	if strings.EqualFold(host.ConfigurationProfile, profile) {
		p.Hosting = HostingFlex
	}
	p.AuthLevel = host.CustomHandler.HTTP.DefaultAuthorizationLevel
	return p, nil
}

// isProject reports by its error whether root is a project that may be updated. A nil root
// is not a project.
func isProject(root *os.Root) error {
	if root == nil {
		return ErrNoProject
	}
	mod, err := look(root, "go.mod")
	if err != nil {
		return err
	}
	_, requires := requirements(mod.data)
	ours := func(r string) bool { return strings.HasPrefix(r, runtimeModule+" ") }
	if !slices.ContainsFunc(requires, ours) {
		return fmt.Errorf("%w: go.mod does not require %s", ErrNoProject, runtimeModule)
	}
	return nil
}

// publishedRuntime returns the version of the runtime that go.mod requires, or nothing where it replaces
// the module, as a project with a copy of the sources does.
func publishedRuntime(mod []byte) string {
	for line := range strings.Lines(string(mod)) {
		if of, _, replaces := strings.Cut(line, "=>"); replaces && slices.Contains(strings.Fields(of), runtimeModule) {
			return ""
		}
	}
	_, requires := requirements(mod)
	for _, r := range requires {
		if version, ours := strings.CutPrefix(r, runtimeModule+" "); ours {
			return version
		}
	}
	return ""
}

func moduleOf(mod []byte) string {
	for line := range strings.Lines(string(mod)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "module" {
			return strings.Trim(fields[1], `"`)
		}
	}
	return ""
}

// A hostFile is what of host.json says how a project was made.
//
// The level that was asked for stands as the default of customHandler.http.routes. With a
// function.json the host does not look at it (HttpWorkerFunctionProvider returns early without any
// routes), and where there are routes each has its own, so it decides nothing here but what the next
// plan does. The levels of functions and routes cannot stand in for it: they say what was right for
// the servers as they were, and taking one of those for a wish would leave a server open whose tokens
// have been switched off.
type hostFile struct {
	ConfigurationProfile string `json:"configurationProfile"`
	CustomHandler        struct {
		HTTP struct {
			DefaultAuthorizationLevel AuthLevel `json:"defaultAuthorizationLevel"`
		} `json:"http"`
	} `json:"customHandler"`
}

// A HostError is a host.json that does not say how the project was made, as it cannot be read.
type HostError struct{ Err error }

func (e *HostError) Error() string { return "read host.json: " + e.Err.Error() }

// Unwrap returns what is wrong with the JSON.
func (e *HostError) Unwrap() error { return e.Err }

// readHost reads host.json; one that is not there says nothing.
func readHost(root *os.Root) (hostFile, error) {
	var host hostFile
	e, err := look(root, "host.json")
	if err != nil || e.data == nil {
		return host, err
	}
	if err := json.Unmarshal(e.data, &host); err != nil {
		return host, &HostError{err}
	}
	return host, nil
}
