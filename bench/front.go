package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// front is the handler behind the HTTP path of the Functions host, made of the host's own parts.
const front = "front"

// frontProgram is that path, where it is: no registry has it.
var frontProgram = filepath.Join("..", "shared", "tools", "front", "front")

func frontContender() contender {
	c := contender{
		name: front, about: "the same handler behind the Functions host's own HTTP path (Kestrel, its router, YARP); CPU and memory are the handler's",
		only: []string{"echo 1×1", "echo 8×4", "answers 1 MiB"}, start: startFront,
	}
	if _, err := os.Stat(frontProgram); err != nil {
		c.absent = "there is no `" + filepath.ToSlash(frontProgram) + "`; `-front` names another file"
	}
	return c
}

func startFront(l *lab, measure string) (*running, error) {
	handler, err := l.serve(measure, "/api/mcp", func(string) []string { return []string{l.handler} })
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		handler.stop()
		return nil, err
	}
	_, port, _ := net.SplitHostPort(handler.client.addr)
	cmd := exec.Command(frontProgram, "--listen", "http://"+addr, "--project", l.dirOf(measure), "--handler", port)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		handler.stop()
		return nil, err
	}
	said := make(chan struct{})
	stop := func() {
		cmd.Process.Kill()
		<-said
		cmd.Wait()
		handler.stop()
	}
	ready := make(chan bool, 1)
	go func() {
		defer close(said)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "front: ready") {
				ready <- true
			}
		}
		ready <- false
		io.Copy(io.Discard, stderr)
	}()
	if !<-ready {
		stop()
		return nil, fmt.Errorf("%s ended before it was ready", frontProgram)
	}
	c := &client{addr: addr, path: "/api/mcp"}
	return &running{open: c.open, client: c, proc: handler.proc, ready: handler.ready, stop: stop}, nil
}
