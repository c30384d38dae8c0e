// Package remotecheck checks what only a live app can tell: whether the host serves it, what its
// instances have, which credentials each route requires, and whether streams and refusals arrive.
package remotecheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/doctor"
)

// Options say which app is asked, and as whom.
type Options struct {
	App    *url.URL    // scheme and host, and nothing behind them
	Header http.Header // credentials: x-functions-key, Authorization
	Server string      // whose endpoint is tried; empty means the default server's

	// Hold is for how long a silent stream is held open: over 230 seconds it shows whether signs of life get
	// through Azure's load balancer, which cuts silence then. At least one sign is waited for.
	Hold time.Duration
}

// Limits of what is asked.
const (
	requestTime  = 150 * time.Second // the host holds a call for 137 s while the handler starts
	refusedBytes = 8 << 20           // of a call that is refused: more than sockets buffer
	answerBytes  = 1 << 20           // of an answer that is looked at
	looks        = 16                // at the instances
)

// Check asks the app and returns a finding for each question. Credentials go to its host alone, and no
// finding holds them. It opens one session, which it ends, and calls no tool.
func Check(ctx context.Context, opts Options) []doctor.Finding {
	c := &check{ctx: ctx, opts: opts, client: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}, // each to any instance
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	defer c.client.CloseIdleConnections()
	c.started = time.Now()
	if !c.readiness() {
		return c.findings
	}
	c.tools()
	c.about()
	c.levels()
	c.refusals()
	c.streams()
	c.instances()
	return c.findings
}

// A check is one way through all questions. Each method asks one, and adds what it finds.
type check struct {
	ctx      context.Context
	opts     Options
	client   *http.Client
	started  time.Time
	app      *about // nil: it was not told
	findings []doctor.Finding
}

func (c *check) ok(name, format string, args ...any) { c.add(doctor.OK, name, "", format, args...) }

func (c *check) warn(name, hint, format string, args ...any) {
	c.add(doctor.Warn, name, hint, format, args...)
}

func (c *check) fail(name, hint, format string, args ...any) {
	c.add(doctor.Fail, name, hint, format, args...)
}

// missing is a question that could not be asked, and why.
func (c *check) missing(name, hint, format string, args ...any) {
	c.add(doctor.Missing, name, hint, format, args...)
}

func (c *check) add(status doctor.Status, name, hint, format string, args ...any) {
	c.findings = append(c.findings, doctor.Finding{Name: name, Status: status, Detail: fmt.Sprintf(format, args...), Hint: hint})
}

// An answer is what came of one request.
type answer struct {
	status int
	header http.Header
	body   []byte // up to answerBytes
	took   time.Duration
}

// request is an HTTP request to a path of the app.
func (c *check) request(ctx context.Context, method, path string, body io.Reader, credentials bool) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.opts.App.JoinPath(path).String(), body)
	if err != nil {
		return nil, err
	}
	if credentials {
		for name, values := range c.opts.Header {
			r.Header[name] = values
		}
	}
	return r, nil
}

// ask sends a request and reads the answer.
func (c *check) ask(method, path string, body io.Reader, credentials bool, header ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(c.ctx, requestTime)
	defer cancel()
	r, err := c.request(ctx, method, path, body, credentials)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	start := time.Now()
	resp, err := c.client.Do(r)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	return &answer{resp.StatusCode, resp.Header, data, time.Since(start)}, err
}

// bare is err without the URL, in whose query a key may be.
func bare(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// endpoint is the path of the MCP endpoint that is tried.
func (c *check) endpoint() string { return endpointOf(c.opts.Server) }

func endpointOf(server string) string {
	if server == "" {
		return "/api/mcp"
	}
	return "/api/mcp/" + server
}

// readiness asks whether there is an app, which is ours and has room. It reports whether there is more to ask.
func (c *check) readiness() bool {
	const name = "readiness"
	a, err := c.ask(http.MethodGet, "/api/health", nil, true)
	if err != nil {
		c.fail(name, "check the URL, and that the app is started", "%s does not answer: %v", c.opts.App.Host, err)
		return false
	}
	var health struct{ Status, Reason string }
	ours := json.Unmarshal(a.body, &health) == nil && health.Status != ""
	switch {
	case ours && a.status == http.StatusOK:
		c.ok(name, "ready: /api/health answers 200 after %s", round(a.took))
	case ours:
		c.warn(name, "see the app's log", "/api/health answers %d: %s", a.status, health.Reason)
	case a.status == http.StatusNotFound:
		c.fail(name, "publish it; a project with a profile in host.json needs the app setting AzureWebJobsFeatureFlags=EnableMcpCustomHandlerPreview",
			"the host does not have a function at /api/health: nothing is published, or the profile is not honored")
		return false
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		c.fail(name, "let /api/health through: mcpfunc generate writes its function without a key; exclude it in App Service authentication",
			"/api/health answers %d: something in front of the app requires credentials", a.status)
		return false
	case a.status == http.StatusServiceUnavailable:
		c.fail(name, `run "mcpfunc doctor" to find the function.json or host.json that causes this; on the Consumption plan, set the app setting AzureFunctionsJobHost__functionTimeout to 00:10:00, the most that it allows`, "the host itself answers 503: it is in its state Error, or stopped")
		return false
	case a.status >= 500:
		c.fail(name, "see the app's log for why the handler does not run; mcpfunc build compiles it for linux/amd64", "the host answers %d after %s, and the handler does not answer", a.status, round(a.took))
		return false
	default:
		c.fail(name, "check that this is the right app", "/api/health answers %d, but not as an mcpfunc app does", a.status)
		return false
	}
	return true
}

// round is a duration as a person reads it.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
