package mcpfunc

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyUnderTheHostAnAppTellsOfItsMachine(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "host.json"), []byte(`{"configurationProfile": "mcp-custom-handler" /* ours */}`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment{"WEBSITE_INSTANCE_ID=id", "AzureWebJobsFeatureFlags=Other, enablemcpcustomhandlerpreview", "FUNCTIONS_WORKER_RUNTIME=python"}
	if h := hostedBy(dir, env); h != nil {
		t.Errorf("without a host: %+v", h)
	}
	h := hostedBy(dir, append(env, "FUNCTIONS_CUSTOMHANDLER_PORT=1"))
	want := &hosting{instance: "a56145270ce6", profile: "mcp-custom-handler", preview: true, stack: "python"}
	if diff := cmp.Diff(want, h, cmp.AllowUnexported(hosting{})); diff != "" {
		t.Error(diff)
	}
	page := func(hosted *hosting) (body map[string]any) {
		t.Run("page", func(t *testing.T) { // an app at a time, so that what it leaves is its own
			broken := self("broken")
			broken.Command = "no-such-program"
			_, srv := newApp(t, &Config{Servers: []Server{self("fake"), broken}, hosting: hosted}, nil)
			resp, err := srv.Client().Get(srv.URL + "/api/session_metrics")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
		})
		return body
	}
	if app := page(nil)["app"]; app != nil {
		t.Errorf("an app without a host tells %v", app)
	}
	app, _ := page(h)["app"].(map[string]any)
	servers, _ := app["servers"].([]any)
	if app["profile"] != "mcp-custom-handler" || app["isolation"] == "" || len(servers) != 2 {
		t.Fatalf("it tells %v", app)
	}
	if s := servers[0].(map[string]any); s["file"] == nil || s["error"] != nil {
		t.Errorf("of a server that is there it tells %v", s)
	}
	if s := servers[1].(map[string]any); s["file"] != nil || s["error"] == nil {
		t.Errorf("of a server that is not there it tells %v", s)
	}
}
