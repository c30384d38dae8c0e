package remotecheck

import (
	"bytes"
	"net/http"
)

// levels asks every route without credentials.
func (c *check) levels() {
	endpoints := []string{endpointOf("")}
	if c.opts.Server != "" {
		endpoints = append(endpoints, c.endpoint())
	}
	if c.app != nil {
		for _, s := range c.app.Servers {
			if s.Name != c.opts.Server {
				endpoints = append(endpoints, endpointOf(s.Name))
			}
		}
	}
	for _, path := range endpoints {
		c.level(http.MethodPost, path)
		c.below(path)
	}
	for _, path := range []string{aboutPath, "/api/metrics", "/"} {
		c.level(http.MethodGet, path)
	}
}

// level says what one route asks for. Nothing that is sent starts a process.
func (c *check) level(method, path string) {
	const name = "routes"
	a, err := c.ask(method, path, bytes.NewReader(nil), false, "Content-Type", "application/json", "Accept", "application/json, text/event-stream")
	private := path == aboutPath || path == "/api/metrics"
	switch {
	case err != nil:
		c.fail(name, "", "%s %s: %v", method, path, err)
	case a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") != "":
		c.ok(name, "%s requires a token", path)
	case a.status == http.StatusUnauthorized:
		c.ok(name, "%s requires a key", path)
	case a.status == http.StatusForbidden:
		c.ok(name, "%s is forbidden without credentials", path)
	case a.status == http.StatusNotFound:
		c.fail(name, "run mcpfunc generate, then publish; a function.json of your own may take precedence: run mcpfunc doctor", "%s answers 404: the host has no route for it", path)
	case a.status >= 500:
		c.fail(name, "see the app's log", "%s answers %d", path, a.status)
	case private:
		c.fail(name, "a function.json or route of your own lets it through: run mcpfunc doctor", "%s is open to anyone, and describes the machine and its use", path)
	case method == http.MethodPost:
		c.warn(name, "set an auth level for the app or an auth method for the server, unless the server is harmless even if anyone can call it", "%s is open to anyone", path)
	default:
		c.ok(name, "%s is open to anyone", path)
	}
}

// below asks for the two endpoints of MCP 2024-11-05 below an endpoint, by a method that opens nothing. They are
// to be guarded by a key where that is; a token is asked for by other methods alone.
func (c *check) below(path string) {
	guard, err := c.ask(http.MethodOptions, path, nil, false)
	if err != nil {
		return // the endpoint itself has said so
	}
	for _, end := range []string{"/sse", "/message"} {
		a, err := c.ask(http.MethodOptions, path+end, nil, false)
		if err == nil && a.status != guard.status {
			c.fail("routes", "run mcpfunc generate, then publish; a function.json of your own may take precedence: run mcpfunc doctor",
				"%s is protected differently from %s: OPTIONS without a key gets %d and %d", path+end, path, a.status, guard.status)
		}
	}
}

// refusals asks whether a refusal of a large call arrives: the host reads no answer before it has sent the
// whole body.
func (c *check) refusals() {
	const name = "large refusals"
	a, err := c.ask(http.MethodPost, c.endpoint(), bytes.NewReader(make([]byte, refusedBytes)), true, "Content-Type", "text/plain")
	switch {
	case err != nil:
		c.fail(name, "run mcpfunc generate, then publish: the app may have a runtime that closes connections too early", "a refused call of %d MiB gets no answer: %v", refusedBytes>>20, err)
	case a.status >= 500:
		c.fail(name, "run mcpfunc generate, then publish: the app may have a runtime that closes connections too early", "a refused call of %d MiB gets %d without a reason", refusedBytes>>20, a.status)
	case a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "":
		c.missing(name, "pass a key to reach the handler", "the host itself refuses a call of %d MiB with %d", refusedBytes>>20, a.status)
	case a.status >= 400:
		c.ok(name, "the refusal of a call of %d MiB arrives, %d after %s", refusedBytes>>20, a.status, round(a.took))
	default:
		c.fail(name, "check that this is the right app", "a call of %d MiB that is not JSON is not refused: %d", refusedBytes>>20, a.status)
	}
}
