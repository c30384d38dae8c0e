//go:build e2e

package e2e

import (
	"os"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

var programs e2etest.Programs

func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }

var (
	mcpfunc           = programs.Go("./cmd/mcpfunc")
	conformanceServer = programs.Go("github.com/modelcontextprotocol/go-sdk/conformance/everything-server")
	eraServer         = programs.Go("./test/e2e/servers/era")
	azureServer       = programs.Go("./test/e2e/servers/azure")
	flex              = programs.Go("./test/e2e/flex")

	node, python = e2etest.Node(), e2etest.Python()
)
