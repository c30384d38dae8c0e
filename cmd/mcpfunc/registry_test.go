package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdRegistry is "registry FILE": a registry with the image tool:1 runs until the scene ends, and its address takes the place
// of the word REGISTRY in FILE.
func cmdRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: registry file")
	}
	digest := func(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }
	const config = `{"os":"linux","architecture":"amd64"}`
	manifest := fmt.Sprintf(`{"schemaVersion":2,"layers":[],"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d}}`,
		digest(config), len(config))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, mediaType := "", "application/octet-stream"
		switch path.Base(r.URL.Path) {
		case "1", digest(manifest):
			answer, mediaType = manifest, "application/vnd.oci.image.manifest.v1+json"
		case digest(config):
			answer = config
		default:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		w.Header().Set("Docker-Content-Digest", digest(answer))
		fmt.Fprint(w, answer)
	}))
	ts.Defer(server.Close)
	file := ts.MkAbs(args[0])
	text, err := os.ReadFile(file)
	ts.Check(err)
	ts.Check(os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "REGISTRY", strings.TrimPrefix(server.URL, "http://"))), 0o644))
}
