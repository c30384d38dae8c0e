package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// A door is the HTTP side of a client: it adds the headers, counts what the server says by itself, and
// remembers how a request was refused, which the SDK reports by the status text alone.
type door struct {
	env     *Env
	host    string // the headers hold a credential: no other host, by redirect, sees them
	header  http.Header
	heard   *heard
	refusal atomic.Pointer[refusal] // of the last POST; nil if it was not refused
	stream  atomic.Pointer[refusal] // of the last GET
}

// A refusal is an HTTP answer of 4xx or 5xx.
type refusal struct {
	status int
	reason string
}

func (d *door) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == d.host {
		req = req.Clone(req.Context())
		for name, values := range d.header {
			req.Header[name] = values
		}
	}
	noted := new(atomic.Pointer[refusal]) // of a DELETE nobody asks
	switch req.Method {
	case http.MethodPost:
		// What was refused before had another answer: a client asks for 2026-07-28 first, and initializes
		// where that is refused.
		noted = &d.refusal
	case http.MethodGet:
		noted = &d.stream
	}
	noted.Store(nil)
	start := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	d.env.debug("%s %s: %s after %s", req.Method, shown(req.URL), resp.Status, since(start))
	// A server without a GET stream says so by 405; that refuses nothing.
	if resp.StatusCode < 400 || resp.StatusCode == http.StatusMethodNotAllowed {
		if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/event-stream" {
			resp.Body = &listener{ReadCloser: resp.Body, heard: d.heard}
		}
		return resp, nil
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return resp, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	noted.Store(&refusal{resp.StatusCode, reasonIn(head)})
	return resp, nil
}

// reasonIn returns the message of the body of a refusal: {"error":{"message":...}} is the form of
// JSON-RPC and of the auth errors alike.
func reasonIn(body []byte) string {
	var doc struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return ""
	}
	return doc.Error.Message
}

// inFull adds to an error of the server what the runtime says of a process that died or did not start:
// the end of its stderr, and the hint.
func inFull(err error) error {
	answer := (*jsonrpc.Error)(nil)
	var data struct {
		Stderr []string `json:"stderr"`
		Hint   string   `json:"hint"`
	}
	if !errors.As(err, &answer) || json.Unmarshal(answer.Data, &data) != nil {
		return err
	}
	if n := len(data.Stderr); n > 0 {
		err = fmt.Errorf("%w; it said: %s", err, strings.Join(data.Stderr[max(0, n-3):], "; "))
	}
	if data.Hint != "" {
		err = withHint(err, data.Hint)
	}
	return err
}

// explain says what err means to a person.
func (d *door) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return withHint(errors.New("nothing is listening there"), `"mcpfunc dev" serves a project`)
	}
	r := d.refusal.Load()
	if answer := (*jsonrpc.Error)(nil); r == nil && !errors.As(err, &answer) {
		r = d.stream.Load()
	}
	if failed := (*url.Error)(nil); r == nil && errors.As(err, &failed) {
		return failed.Err // without the URL, whose query may hold a key
	}
	if r == nil {
		return inFull(err)
	}
	said := fmt.Errorf("%d %s", r.status, http.StatusText(r.status))
	if r.reason != "" {
		said = fmt.Errorf("%w: %s", said, r.reason)
	}
	switch r.status {
	case http.StatusUnauthorized:
		return withHint(said, "the server requires credentials: pass --token TOKEN, or --header x-functions-key:KEY for a Functions key")
	case http.StatusForbidden:
		return withHint(said, "the token is valid but its scopes are insufficient; request one with the scopes that the error names")
	case http.StatusNotFound:
		return withHint(said, `"mcpfunc list" shows the servers of a project and their paths`)
	default:
		return said
	}
}
