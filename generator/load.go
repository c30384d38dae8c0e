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
var ErrNoProject = errors.New("no mcpfunc project is here")

// Load returns what the project in dir was made with, as far as files of it tell: the module, the
// hosting and the auth level that was asked for. Config, ConfigData and Runtime are the caller's to
// add. An error wraps ErrNoProject where there is none.
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
	p := Project{Module: moduleOf(mod.data), Hosting: HostingCustom}
	p.AuthLevel, err = askedLevel(root)
	return p, err
}

// isProject reports by its error whether root is a project that may be brought in line. A nil root
// is none.
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

func moduleOf(mod []byte) string {
	for line := range strings.Lines(string(mod)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "module" {
			return strings.Trim(fields[1], `"`)
		}
	}
	return ""
}

// askedLevel reads the level that was asked for out of host.json, where it stands as the default of
// customHandler.http.routes. The host reads that for routes in host.json only (HttpWorkerFunctionProvider
// returns early without any), so it decides nothing here but what the next plan does. The levels in
// function.json cannot stand in for it: they say what was right for the servers as they were, and
// taking one of those for a wish would leave a server open whose tokens have been switched off.
func askedLevel(root *os.Root) (AuthLevel, error) {
	e, err := look(root, "host.json")
	if err != nil || e.data == nil {
		return "", err
	}
	var host struct {
		CustomHandler struct {
			HTTP struct {
				DefaultAuthorizationLevel AuthLevel `json:"defaultAuthorizationLevel"`
			} `json:"http"`
		} `json:"customHandler"`
	}
	if err := json.Unmarshal(e.data, &host); err != nil {
		return "", fmt.Errorf("read host.json: %w", err)
	}
	return host.CustomHandler.HTTP.DefaultAuthorizationLevel, nil
}
