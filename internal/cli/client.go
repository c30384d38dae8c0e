package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

// localURL is where dev, demo and the Core Tools serve a project.
const localURL = "http://127.0.0.1:7071"

// clientOptions say which server a client command talks to, and how.
type clientOptions struct {
	Target  string // the URL of an endpoint, or the name of a server of the app at URL
	URL     string
	Headers []string // name:value
	Token   string
	Timeout time.Duration // of the whole command; zero means none
	JSON    bool
}

func (o *clientOptions) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.URL, "url", localURL, "`address` of the app that SERVER is a server of")
	flags.StringArrayVar(&o.Headers, "header", nil, "send this header too (`name:value`); may be repeated")
	flags.StringVar(&o.Token, "token", "", "send this bearer `token` (default $MCPFUNC_TOKEN, which other users of the machine cannot see)")
	flags.DurationVar(&o.Timeout, "timeout", 2*time.Minute, "give up after this long; a first start by uvx or npx may download for a minute")
	flags.BoolVar(&o.JSON, "json", false, "print the server's answer as JSON")
}

// endpoint returns the URL of the MCP endpoint.
func (o *clientOptions) endpoint() (*url.URL, error) {
	if strings.Contains(o.Target, "://") {
		return parseHTTPURL(o.Target)
	}
	base, err := parseHTTPURL(o.URL)
	if err != nil {
		return nil, err
	}
	return base.JoinPath("api", "mcp", o.Target), nil
}

func parseHTTPURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil && strings.Contains(s, "://") {
		return nil, &misuse{err}
	}
	if err != nil {
		u = new(url.URL) // of 127.0.0.1:7071, which looks like a scheme
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		err := misusef("%q is not an http or https URL", s)
		if !strings.Contains(s, "://") {
			return nil, withHint(err, fmt.Sprintf("did you mean %q?", "http://"+s))
		}
		return nil, err
	}
	return u, nil
}

// header returns what every request carries.
func (o *clientOptions) header(env *Env) (http.Header, error) {
	h := http.Header{}
	for _, line := range o.Headers {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, misusef("header %q is not of the form name:value", line)
		}
		h.Add(name, strings.TrimSpace(value))
	}
	token := o.Token
	if token == "" {
		token, _ = env.lookup("MCPFUNC_TOKEN")
	}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return h, nil
}

// deadline ends ctx when the time is over.
func (o *clientOptions) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, o.Timeout,
		withHint(fmt.Errorf("no answer within %s", o.Timeout), "--timeout gives the server longer"))
}

// withSession connects to the server that o names, runs use and ends the session. Notifications
// are shown on standard error while it lasts.
func (o *clientOptions) withSession(ctx context.Context, env *Env, use func(context.Context, *mcp.ClientSession) error) error {
	endpoint, err := o.endpoint()
	if err != nil {
		return err
	}
	header, err := o.header(env)
	if err != nil {
		return err
	}
	ctx, cancel := o.deadline(ctx)
	defer cancel()

	door := &door{env: env, host: endpoint.Host, header: header}
	var session *mcp.ClientSession
	err = env.during("waiting for "+shown(endpoint), func() (err error) {
		session, err = newClient(env).Connect(ctx, &mcp.StreamableClientTransport{
			Endpoint:   endpoint.String(),
			HTTPClient: &http.Client{Transport: door},
			MaxRetries: -1, // a smoke test that needs a second try has failed
		}, nil)
		return err
	})
	if err == nil {
		err = use(ctx, session)
		// The answer is in; whether the farewell arrives changes nothing.
		_ = session.Close()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", shown(endpoint), door.explain(ctx, err))
	}
	return nil
}

// shown is u as it may be printed: a query may hold a Functions key (?code=), and a URL a password.
func shown(u *url.URL) string {
	bare := *u
	bare.User, bare.RawQuery, bare.Fragment = nil, "", ""
	return bare.String()
}

func newClient(env *Env) *mcp.Client {
	style := styleFor(env, env.Stderr)
	return mcp.NewClient(&mcp.Implementation{Name: "mcpfunc", Version: buildVersion()}, &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{}, // we have no roots, and nobody to ask
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			p := req.Params
			of := ""
			if p.Total > 0 {
				of = fmt.Sprintf("/%v", p.Total)
			}
			env.note("%s %v%s %s", style.dim("progress"), p.Progress, of, p.Message)
		},
		LoggingMessageHandler: func(_ context.Context, req *mcp.LoggingMessageRequest) {
			env.note("%s %s: %v", style.dim("log"), req.Params.Level, req.Params.Data)
		},
	})
}

// A door is the HTTP side of a client: it adds the headers, and remembers how the last request was
// refused, which the SDK reports by the status text alone.
type door struct {
	env     *Env
	host    string // the headers hold a credential: no other host, by redirect, sees them
	header  http.Header
	refusal atomic.Pointer[refusal]
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
	start := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		d.env.debug("%s %s: %s after %s", req.Method, shown(req.URL), resp.Status, since(start))
	}
	if err == nil && req.Method == http.MethodPost && resp.StatusCode < 400 {
		// What was refused before was a question that had another answer: a client asks for 2026-07-28
		// first, and initializes where that is refused.
		d.refusal.Store(nil)
	}
	// A server without a GET stream says so by 405; that refuses nothing.
	if err != nil || resp.StatusCode < 400 || resp.StatusCode == http.StatusMethodNotAllowed {
		return resp, err
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return resp, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	d.refusal.Store(&refusal{resp.StatusCode, reasonIn(head)})
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
		return withHint(errors.New("nothing listens there"), `"mcpfunc dev" serves a project`)
	}
	r := d.refusal.Load()
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
		return withHint(said, "the server wants to know who calls: --token TOKEN, or --header x-functions-key:KEY for a Functions key")
	case http.StatusForbidden:
		return withHint(said, "the token is valid but not enough; ask for one with the scopes that are named")
	case http.StatusNotFound:
		return withHint(said, `"mcpfunc list" shows the servers of a project and their paths`)
	default:
		return said
	}
}
