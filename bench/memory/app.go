package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// An app is a handler behind the front, both in one group.
type app struct {
	front, handler *exec.Cmd
	url            string // of the front
}

// start starts the project with a limit of bodies, and waits until the front answers.
func (g *group) start(ctx context.Context, front, project string, limit int64) (*app, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	behind, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(behind)
	if err != nil {
		return nil, err
	}
	if front, err = filepath.Abs(front); err != nil {
		return nil, err
	}
	env := append(os.Environ(), fmt.Sprintf("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=%d", limit), "FUNCTIONS_CUSTOMHANDLER_PORT="+port)
	a := &app{url: "http://" + address}
	a.handler = g.command(env, filepath.Join(project, "handler"))
	a.handler.Dir = project
	a.front = g.command(env, front, "--listen", a.url, "--project", project, "--handler", port)
	for _, cmd := range []*exec.Cmd{a.handler, a.front} {
		if err := cmd.Start(); err != nil {
			a.stop()
			return nil, fmt.Errorf("start %s: %w", cmd.Args[1], err)
		}
	}
	patient, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for patient.Err() == nil {
		if err := ask(patient, a.url+"/api/health"); err == nil {
			return a, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	a.stop()
	return nil, fmt.Errorf("%s and the handler do not answer", front)
}

func ask(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return err
}

func (a *app) stop() {
	for _, cmd := range []*exec.Cmd{a.front, a.handler} {
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		}
	}
}
