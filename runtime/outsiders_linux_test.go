package mcpfunc

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
)

// The host alone checks keys, so that anyone who reaches the port is believed: a server must not.
func TestAServerIsNoCaller(t *testing.T) {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := probe.Addr().String()
	probe.Close()
	s := self("fake")
	app, err := New(&Config{Servers: []Server{s}}, &Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- listenAndServe(ctx, addr, app) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	url := "http://" + addr
	for {
		resp, err := http.Get(url + "/api/health")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("an outsider gets %s", resp.Status)
			}
			break
		}
	}
	c := connect(t, url+"/api/mcp")
	if said, err := c.tool("get", fmt.Sprintf(`"text":%q`, url+"/api/health")); err != nil || said != "no answer" {
		t.Errorf("a server that calls the app gets %q, %v", said, err)
	}
}
