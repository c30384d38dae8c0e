//go:build e2e

package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

var updatePictures = flag.Bool("update", false, "rewrite the screenshots in docs/images")

// It is not parallel: a browser is waited for as a person would wait, and wants the machine.
func TestDevPageInABrowser(t *testing.T) {
	servers, err := filepath.Abs("servers")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{"mcpServers": {
  "notes": {"command": "node", "args": ["notes.mjs"], "cwd": %q, "env": {"PACKAGES": %q}, "description": "notes that one person keeps"},
  "stranger": {"command": "node", "args": ["notes.mjs", "stranger"], "cwd": %[1]q, "env": {"PACKAGES": %[2]q}}
}}`, servers, e2etest.Tool("npm", "package.json"))
	deployed := bridge(t, config) // nobody gave it a key
	dir := scaffold(t, config)

	args := []string{devPage(t, dir), filepath.Join(dir, "mcp_config.json"), mcpfunc(t), deployed.URL}
	if *updatePictures {
		pictures, err := filepath.Abs(filepath.Join("..", "..", "docs", "images"))
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, pictures)
	}
	script{node, filepath.Join("clients", "browser", "devpage.mjs")}.run(t, args...)
}

// devPage runs mcpfunc dev until the test ends, and returns the address of its page.
func devPage(t *testing.T, dir string) string {
	t.Helper()
	port := "0"
	if *updatePictures {
		port = "7071" // as a user sees it
	}
	dev := exec.Command(mcpfunc(t), "dev", dir, "--port", port)
	dev.Env = e2etest.Environ()
	stderr, err := dev.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	said := new(e2etest.Transcript)
	address, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			said.Logf("%s", lines.Text())
			if url, ok := strings.CutPrefix(lines.Text(), "Page: "); ok {
				address <- url
			}
		}
	}()
	t.Cleanup(func() {
		dev.Process.Signal(os.Interrupt)
		<-ended
		if err := dev.Wait(); err != nil {
			t.Errorf("mcpfunc dev ended with %v", err)
		}
		assertGone(t, nil, dir)
		if t.Failed() {
			t.Logf("mcpfunc dev said:\n%s", said)
		}
	})
	select {
	case url := <-address:
		return url
	case <-ended:
	case <-time.After(testlimit.Wait()):
	}
	t.Fatalf("mcpfunc dev printed no page:\n%s", said)
	return ""
}
