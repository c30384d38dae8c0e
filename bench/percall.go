package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// perCall is the measure of clients that open a session for each call, as LangChain and "fastmcp run" do. Its server is
// a usual one in Python, because the start of such a server is what these sessions cost.
const perCall = "session per call"

// forked is our handler with that server packed, so that its processes are forked.
const forked = "forked"

var forkedContender = contender{
	name: forked, about: "the same handler with a server in Python packed by `mcpfunc pack`: its processes are forked from one that has imported its dependencies",
	only: []string{perCall}, absent: missing("packed/packed"), start: func(l *lab, measure string) (*running, error) {
		return l.serveIn(installed("packed"), measure, "/api/mcp", func(string) []string { return []string{l.handler} })
	},
}

// pythonServer is that server as pip installs it, for everyone else.
const pythonServer = "time/bin/mcp-server-time"

// The calls of a client in perCall: at most so many, and none that begins later.
const (
	perCallMost   = 25
	perCallWithin = 6 * time.Second
)

const askTime = `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"get_current_time","arguments":{"timezone":"UTC"}}}`

// callOnce opens a session, lists the tools, calls one, and ends the session.
func callOnce(m *meter) error {
	opened, err := m.open()
	if err != nil {
		return err
	}
	s := opened.(*httpSession)
	for _, body := range []string{`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`, askTime} {
		answer, _, err := s.ask(s.post, body)
		if err == nil && !strings.Contains(answer, "get_current_time") && !strings.Contains(answer, "datetime") {
			err = fmt.Errorf("the answer is %.200q", answer)
		}
		if err != nil {
			s.close()
			return err
		}
	}
	return s.close()
}

// sessionPerCall gives how long such a call takes, and the processor time of the bridge and its servers. The first
// call is not counted, because bridges find out then what later calls use.
func sessionPerCall(m *meter) error {
	if err := callOnce(m); err != nil {
		return err
	}
	time.Sleep(m.settle)
	before, err := m.proc.family()
	if err != nil {
		return err
	}
	var r record
	for begun := time.Now(); len(r.latencies) < perCallMost && time.Since(begun) < perCallWithin; {
		first := time.Now()
		if err := callOnce(m); err != nil {
			return err
		}
		r.latencies = append(r.latencies, time.Since(first))
	}
	time.Sleep(m.settle) // until the last servers have ended
	after, err := m.proc.family()
	if err != nil {
		return err
	}
	m.set(perCall, "p50 ms", millis(quantile(r.latencies, 0.5)))
	m.set(perCall, "CPU ms", millis(after.cpu-before.cpu)/float64(len(r.latencies)))
	return nil
}

// missing says that a file is not in the directory of install.sh, or nothing if it is.
func missing(path string) string {
	if found, _ := filepath.Glob(installed(path)); found != nil {
		return ""
	}
	return absence("packed server")
}
