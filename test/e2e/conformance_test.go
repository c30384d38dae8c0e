//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A suite is a run of the official conformance suite: package as tools/package.json names it, and arguments.
type suite struct {
	name, pkg string
	args      []string
}

// suites are those that have to pass in full.
var suites = []suite{
	{"2025-11-25", "conformance-current", []string{"--requirements", "2025-11-25"}},
	{"2025-06-18", "conformance-current", []string{"--spec-version", "2025-06-18", "--suite", "all"}},
	{"2025-03-26", "conformance-current", []string{"--spec-version", "2025-03-26", "--suite", "all"}},
	{"0.1.16", "conformance-latest", []string{"--suite", "all"}},
}

// stateless is the run of the revision without sessions. It has scenarios that do not count (extensions among them), which
// the reference server does not pass over its own HTTP either.
var stateless = suite{"2026-07-28", "conformance-current", []string{"--requirements", "2026-07-28"}}

// The suite runs twice: against the Go SDK's reference server over its own HTTP, and against the same
// server as a stdio child of the bridge. The bridge must not lose a single passed check.
func TestConformanceSuitePassesNoFewerChecksThanOverTheServersOwnHTTP(t *testing.T) {
	child := conformanceServer(t)
	b := bridge(t, fmt.Sprintf(`{"mcpServers": {"everything": {"command": %q}}}`, child))
	own := serveHTTP(t, child, "-stateless=false")

	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "suite\town HTTP passed\tfailed\twarned\tbridge passed\tfailed\twarned")
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			direct := conform(t, own, suite.pkg, suite.args)
			bridged := conform(t, b.Endpoint("everything"), suite.pkg, suite.args)
			d, g := direct.total(), bridged.total()
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", suite.name, d.passed, d.failed, d.warned, g.passed, g.failed, g.warned)
			if d.passed == 0 {
				t.Errorf("no check passed over the server's own HTTP:\n%s", direct.log)
			}
			if g.failed > 0 || bridged.exit != nil {
				t.Errorf("%d checks failed (%v):\n%s", g.failed, bridged.exit, strings.Join(bridged.failures, "\n"))
			}
			if g.passed < d.passed {
				t.Errorf("%d checks passed, %d over the server's own HTTP; they differ in:\n%s",
					g.passed, d.passed, difference(direct.scenarios, bridged.scenarios))
			}
		})
	}
	w.Flush()
	t.Logf("checks of the official suite:\n%s", table.String())
}

type tally struct{ passed, failed, warned int }

// outcome is what the suite wrote into its output directory, a directory with a checks.json a scenario.
type outcome struct {
	scenarios map[string]tally
	failures  []string
	log       string
	exit      error
}

func (o outcome) total() (sum tally) {
	for _, s := range o.scenarios {
		sum.passed += s.passed
		sum.failed += s.failed
		sum.warned += s.warned
	}
	return sum
}

// stamp ends the name of a scenario's directory.
var stamp = regexp.MustCompile(`-\d{4}-\d\d-\d\dT[\d-]+Z$`)

func conform(t *testing.T, url, pkg string, args []string) outcome {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), testlimit.Wait())
	defer cancel()
	suite := e2etest.Tool("npm", "node_modules", pkg, "dist", "index.js")
	cmd := exec.CommandContext(ctx, node, append([]string{suite, "server", "--url", url, "-o", dir}, args...)...)
	log, exit := cmd.CombinedOutput()
	o := outcome{scenarios: make(map[string]tally), log: string(log), exit: exit}

	files, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s %v left no results (%v):\n%s", pkg, args, exit, log)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var checks []struct{ ID, Status, ErrorMessage string }
		if err := json.Unmarshal(raw, &checks); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		scenario := stamp.ReplaceAllString(filepath.Base(filepath.Dir(file)), "")
		s := o.scenarios[scenario]
		for _, check := range checks {
			switch check.Status {
			case "SUCCESS":
				s.passed++
			case "FAILURE":
				s.failed++
				o.failures = append(o.failures, fmt.Sprintf("%s: %s: %s", scenario, check.ID, check.ErrorMessage))
			case "WARNING":
				s.warned++
			}
		}
		o.scenarios[scenario] = s
	}
	return o
}

func difference(direct, bridged map[string]tally) string {
	var lines strings.Builder
	all := maps.Clone(direct)
	maps.Copy(all, bridged)
	for _, scenario := range slices.Sorted(maps.Keys(all)) {
		if d, b := direct[scenario], bridged[scenario]; d != b {
			fmt.Fprintf(&lines, "%s: own HTTP %+v, bridge %+v\n", scenario, d, b)
		}
	}
	return lines.String()
}

// serveHTTP runs the reference server on its own HTTP, with sessions or without.
func serveHTTP(t *testing.T, server, sessions string) (url string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	cmd := exec.Command(server, "-http", address, sessions)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // an error: it was killed
	})
	if !e2etest.Eventually(patience, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}) {
		t.Fatalf("%s does not listen on %s", server, address)
	}
	return "http://" + address + "/mcp"
}
