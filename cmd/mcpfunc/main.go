// Command mcpfunc runs stdio MCP servers as a service on Azure Functions.
package main

import (
	"os"

	"github.com/mcpfunc/mcpfunc/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.System())) }
