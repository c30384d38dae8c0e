package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

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
	flags.StringVar(&o.URL, "url", localURL, "use this `address` for the app that serves SERVER")
	flags.StringArrayVar(&o.Headers, "header", nil, "send a header (`name:value`); repeatable; $MCPFUNC_KEY is sent as x-functions-key")
	flags.StringVar(&o.Token, "token", "", "send this bearer `token` (default $MCPFUNC_TOKEN, which other users of the machine cannot see)")
	flags.DurationVar(&o.Timeout, "timeout", 2*time.Minute, "stop waiting after this long; a first start with uvx or npx may download for a minute")
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
		err := misusef("invalid URL %q: want an http or https URL", s)
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
			return nil, misusef("invalid header %q: want name:value", line)
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
	if key, ok := env.lookup("MCPFUNC_KEY"); ok && key != "" && h.Get("X-Functions-Key") == "" {
		h.Set("X-Functions-Key", key)
	}
	return h, nil
}

// deadline ends ctx when the time is over.
func (o *clientOptions) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, o.Timeout,
		withHint(fmt.Errorf("no answer within %s", o.Timeout), "--timeout allows more time"))
}

// withSession connects to the server that o names, runs use and ends the session. Notifications
// are shown on standard error while it lasts.
func (o *clientOptions) withSession(ctx context.Context, env *Env, use func(context.Context, *clientSession) error) error {
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

	heard := new(heard)
	door := &door{env: env, host: endpoint.Host, header: header, heard: heard}
	session := &clientSession{heard: heard}
	err = env.during("waiting for "+shown(endpoint), func() (err error) {
		session.ClientSession, err = newClient(env, heard).Connect(ctx, &mcp.StreamableClientTransport{
			Endpoint:   endpoint.String(),
			HTTPClient: &http.Client{Transport: door},
			MaxRetries: -1, // a smoke test that needs a second try has failed
		}, nil)
		return err
	})
	if err == nil {
		err = use(ctx, session)
	}
	if err != nil { // explained before the farewell, which may be refused as well
		err = fmt.Errorf("%s: %w", shown(endpoint), door.explain(ctx, err))
	}
	if session.ClientSession != nil {
		// The answer is in; whether the farewell arrives changes nothing.
		_ = session.Close()
	}
	return err
}

// A clientSession is a session whose notifications are shown in time.
type clientSession struct {
	*mcp.ClientSession
	heard *heard
}

// CallTool calls a tool. When it returns, what the server said before its answer has been shown: the
// SDK passes answers on at once, and notifications when it gets to them.
func (s *clientSession) CallTool(ctx context.Context, params *mcp.CallToolParams) (*mcp.CallToolResult, error) {
	result, err := s.ClientSession.CallTool(ctx, params)
	s.heard.settle(ctx)
	return result, err
}

// shown is u as it may be printed: a query may hold a Functions key (?code=), and a URL a password.
func shown(u *url.URL) string {
	bare := *u
	bare.User, bare.RawQuery, bare.Fragment = nil, "", ""
	return bare.String()
}

// newClient returns a client that shows progress and log messages, and counts them as shown.
func newClient(env *Env, heard *heard) *mcp.Client {
	style := styleFor(env, env.Stderr)
	return mcp.NewClient(&mcp.Implementation{Name: "mcpfunc", Version: buildVersion()}, &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{}, // we have no roots, and nobody to ask
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			p := req.Params
			said := number(p.Progress)
			if p.Total > 0 {
				said += "/" + number(p.Total)
			}
			if p.Message != "" {
				said += " " + oneLine(p.Message)
			}
			env.note("%s %s", style.dim("progress"), said)
			heard.shown()
		},
		LoggingMessageHandler: func(_ context.Context, req *mcp.LoggingMessageRequest) {
			logger := ""
			if req.Params.Logger != "" {
				logger = " " + oneLine(req.Params.Logger)
			}
			env.note("%s %s%s: %s", style.dim("log"), oneLine(string(req.Params.Level)), logger, oneLine(logText(req.Params.Data)))
			heard.shown()
		},
	})
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// logText is the data of a log message as a person reads it: text as it is, anything else as JSON.
func logText(data any) string {
	if text, ok := data.(string); ok {
		return text
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		return fmt.Sprint(data) // not reached: it came as JSON
	}
	return strings.TrimSuffix(text.String(), "\n")
}
