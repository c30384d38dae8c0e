package remotecheck

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// silence is after how many seconds without a byte Azure's load balancer cuts a connection.
const silence = 230

// firstByte is how long the first byte of a stream may take that is not held back.
const firstByte = 5 * time.Second

// streams opens the stream of a session on which nothing is said: its first byte must come at once, and signs
// of life after it.
func (c *check) streams() {
	const name, hint = "streaming", `host.json needs "enableProxyingHttpRequest": true, and nothing in front of the app may buffer responses`
	s, err := c.open()
	defer s.close()
	if err != nil {
		c.missing(name, "", "no session, no stream: %v", err)
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	r, err := s.request(ctx, http.MethodGet, nil)
	if err != nil {
		c.fail(name, "", "%v", err)
		return
	}
	r.Header.Set("Accept", "text/event-stream")
	limit := time.AfterFunc(requestTime, cancel)
	start := time.Now()
	resp, err := c.client.Do(r)
	if err != nil {
		c.fail(name, hint, "no response headers of a stream after %s: %v", round(time.Since(start)), bare(err))
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		c.missing(name, "", "%s does not have a stream: it answers GET with %d", c.endpoint(), resp.StatusCode)
		return
	}
	buf := make([]byte, 4096)
	if _, err = resp.Body.Read(buf); err != nil {
		c.fail(name, hint, "a stream ends before its first byte: %v", err)
		return
	}
	limit.Stop()
	if took := time.Since(start); took > firstByte {
		c.fail(name, hint, "the first byte of a stream comes after %s: something holds it back", round(took))
		return
	} else {
		c.ok(name, "the first byte of a stream comes after %s", round(took))
	}
	c.hold(resp.Body, cancel)
}

// hold reads a stream for Options.Hold, and at least until the next sign of life.
func (c *check) hold(body io.Reader, cancel context.CancelFunc) {
	const name, hint = "230 seconds", "set runtime.keepalive_seconds far below 230, or omit it for the default of 20"
	start := time.Now()
	last, longest := start, time.Duration(0)
	limit := time.AfterFunc(max(c.opts.Hold, silence*time.Second), cancel)
	defer limit.Stop()
	buf := make([]byte, 4096)
	for signs := 0; ; {
		_, err := body.Read(buf)
		longest = max(longest, time.Since(last))
		last = time.Now()
		open := time.Since(start)
		switch {
		case c.ctx.Err() != nil:
			c.missing(name, "run it again with a shorter --hold", "the stream was not held long enough: %v", context.Cause(c.ctx))
			return
		case err != nil && !errors.Is(err, context.Canceled):
			c.fail(name, hint, "a silent stream is closed after %s: %v", round(open), err)
			return
		case err != nil:
			c.fail(name, hint, "a stream sends no keep-alive for %s, and Azure's load balancer closes it after %d s", round(longest), silence)
			return
		}
		signs++
		if open < c.opts.Hold {
			continue
		}
		if open > silence*time.Second {
			c.ok(name, "a silent stream stayed open for %s, with a keep-alive every %s", round(open), round(longest))
		} else {
			c.ok(name, "a silent stream sends a keep-alive within %s; use --hold 4m to keep it open for longer than %d s", round(longest), silence)
		}
		return
	}
}
