//go:build linux

// Command flex runs the project in a folder as an instance of Flex Consumption would, once for each
// question on stdin, and writes the answers to stdout. Its own environment is that of the host.
//
//	unshare --net --mount flex -sealed DIR
//
// With -sealed the folder is mounted read-only, and there is no network but loopback: it fails where
// it finds otherwise.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/sys/unix"

	"github.com/mcpfunc/mcpfunc/internal/hostemu"
)

// A question is one call of a tool.
type question struct {
	Server, Tool string
	Args         map[string]any
}

// An answer is what came of it, from a host that was started for it.
type answer struct {
	Server string
	Tools  []string
	Text   string
	Listed time.Duration // from the start of the handler to the list of tools
	Log    string        // of host and handler
}

func main() {
	sealed := flag.Bool("sealed", false, "make the folder read-only, and want no network")
	flag.Parse()
	if err := run(flag.Arg(0), *sealed); err != nil {
		fmt.Fprintln(os.Stderr, "flex:", err)
		os.Exit(1)
	}
}

func run(dir string, sealed bool) error {
	if sealed {
		if err := seal(dir); err != nil {
			return err
		}
	}
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return err
	}
	answers := []answer{}
	for _, q := range questions {
		a, err := ask(dir, q)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", q.Server, err, a.Log)
		}
		answers = append(answers, a)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// seal makes dir read-only for root too, and ensures that loopback is the only network.
func seal(dir string) error {
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	if err := unix.MountSetattr(-1, dir, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("mount %s read-only: %w", dir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "probe"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("%s is not read-only: %v", dir, err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bring loopback up: %w", err)
	}
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return fmt.Errorf("there is a network: %s is up", i.Name)
		}
	}
	return nil
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req)
}

// ask starts a host on dir and asks one question by a client.
func ask(dir string, q question) (a answer, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	a.Server = q.Server
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return a, err
	}
	log := new(bytes.Buffer) // the host writes to it, a line at a time; it is read once the host is closed
	start := time.Now()
	host, err := hostemu.Start(ctx, hostemu.Options{Dir: dir, Listener: listener, Output: log})
	if err != nil {
		return a, err
	}
	defer func() {
		err = errors.Join(err, host.Close())
		a.Log = log.String()
	}()
	if err := host.Ready(ctx); err != nil {
		return a, err
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "flex", Version: "1"}, nil).Connect(ctx,
		&mcp.StreamableClientTransport{Endpoint: host.URL() + "/api/mcp/" + q.Server, MaxRetries: -1}, nil)
	if err != nil {
		return a, err
	}
	defer session.Close()
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			return a, err
		}
		a.Tools = append(a.Tools, tool.Name)
	}
	a.Listed = time.Since(start)
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: q.Tool, Arguments: q.Args})
	if err != nil {
		return a, err
	}
	for _, content := range result.Content {
		if text, ok := content.(*mcp.TextContent); ok {
			a.Text += text.Text
		}
	}
	return a, nil
}
