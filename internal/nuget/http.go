package nuget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	headerPatience = 30 * time.Second // until an answer begins
	bodyPatience   = 60 * time.Second // in which at least something must arrive
	reportEvery    = 2 * time.Second
)

// newHTTP returns a client that follows nothing from TLS to plain text.
func newHTTP() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = headerPatience
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return errors.New("too many redirects")
			}
			if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return errors.New("it redirects to an address without TLS")
			}
			return nil
		},
	}
}

// a statusError is an answer with an error status.
type statusError struct {
	source Source
	host   string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %d %s", e.host, e.status, http.StatusText(e.status))
}

// get asks a source for an address, and again where it may be worth it. use takes the body, and is called
// again for every attempt.
func (c *Client) get(ctx context.Context, s Source, address string, use func(*http.Response) error) error {
	if c.HTTP == nil {
		c.HTTP = newHTTP()
	}
	wait := c.Pause
	if wait == nil {
		wait = pauses
	}
	for attempt := 0; ; attempt++ {
		again, err := c.try(ctx, s, address, use)
		if err == nil || !again || attempt == len(wait) || ctx.Err() != nil {
			return explain(ctx, s, address, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait[attempt]):
		}
	}
}

// try is one attempt; again says whether another may do better.
func (c *Client) try(ctx context.Context, s Source, address string, use func(*http.Response) error) (again bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false, fmt.Errorf("invalid address")
	}
	req.Header.Set("User-Agent", "mcpfunc")
	if s.password != "" && sameHost(s.URL, req.URL) {
		req.SetBasicAuth(s.user, s.password)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return false, ErrAbsent
	case resp.StatusCode != http.StatusOK:
		return resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests, &statusError{s, req.URL.Host, resp.StatusCode}
	}
	// A body that stops arriving ends the request.
	stalled := time.AfterFunc(bodyPatience, func() { cancel(errors.New("it stopped in the middle of an answer")) })
	defer stalled.Stop()
	resp.Body = &watched{resp.Body, stalled}
	err = use(resp)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || isNetwork(err), err
}

// watched puts a timer off with everything that arrives.
type watched struct {
	io.ReadCloser
	timer *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if n > 0 {
		w.timer.Reset(bodyPatience)
	}
	return n, err
}

func sameHost(source string, u *url.URL) bool {
	s, err := url.Parse(source)
	return err == nil && s.Host == u.Host && s.Scheme == u.Scheme
}

func isNetwork(err error) bool {
	var e net.Error
	return errors.As(err, &e)
}

const hintNetwork = "packing needs the network: check the connection, HTTPS_PROXY and the source; or use --offline to pack from earlier downloads"

// explain makes a sentence of what went wrong, without what an address may hold beside its host.
func explain(ctx context.Context, s Source, address string, err error) error {
	var status *statusError
	var known *Error
	switch {
	case err == nil, errors.Is(err, ErrAbsent), errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &status) && (status.status == http.StatusUnauthorized || status.status == http.StatusForbidden):
		if s.password != "" {
			return because(err, "check its credentials in NuGet.Config, or the variable in the source's address", "%s rejects the credentials (%d)", status.host, status.status)
		}
		return because(err, "set them in packageSourceCredentials of NuGet.Config, or pass --source https://USER:${NAME}@... where NAME is a variable",
			"%s requires credentials (%d)", status.host, status.status)
	case errors.As(err, &status):
		return because(err, hintNetwork, "%v", status)
	}
	host := s.shown()
	if u, e := url.Parse(address); e == nil && u.Host != "" {
		host = u.Host
	}
	var inURL *url.Error
	if errors.As(err, &inURL) { // its text has the whole address
		err = inURL.Err
	}
	return because(err, hintNetwork, "cannot reach %s: %v", host, err)
}
