package mcpfunc

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// refusePublic returns an error for a server that anybody on the internet could use: on Azure, with
// an auth method that does not ask who is calling, behind a function that asks for no key. It is
// meant only if the configuration says so.
func refusePublic(dir string, s config.Server, getenv func(string) string) error {
	hosted := getenv("WEBSITE_INSTANCE_ID") != "" || getenv("WEBSITE_POD_NAME") != "" || getenv("CONTAINER_NAME") != ""
	if !hosted || getenv("WEBSITE_SITE_NAME") == "" || s.Auth.AllowPublic {
		return nil
	}
	if s.Auth.Method != config.AuthNone && s.Auth.Method != config.AuthAzureDefault {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(dir, "mcp-"+s.Name, "function.json"))
	if err != nil {
		return nil // not the project layout that we write
	}
	var function struct {
		Bindings []struct{ Type, AuthLevel string }
	}
	if json.Unmarshal(data, &function) != nil || !slices.ContainsFunc(function.Bindings, func(b struct{ Type, AuthLevel string }) bool {
		return b.Type == "httpTrigger" && b.AuthLevel == "anonymous"
	}) {
		return nil
	}
	return errors.New("would let anybody in: the function asks for no key, and the method for no token")
}
