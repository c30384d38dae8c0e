package cli

import (
	"context"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/doctor"
	"github.com/mcpfunc/mcpfunc/internal/publish"
	"github.com/mcpfunc/mcpfunc/internal/remotecheck"
)

// remoteTime is how long a live app has for all answers, without Hold: it may have to start for the first.
const remoteTime = 5 * time.Minute

// remoteOptions say which live app is asked, and as whom.
type remoteOptions struct {
	Target  string // a function app's name, or its URL; empty: none is asked
	Server  string
	Headers []string
	Token   string
	Hold    time.Duration
}

func (o *remoteOptions) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.Target, "remote", "", "check this live `app`: its name on Azure or its URL")
	flags.StringVar(&o.Server, "server", "", "check the endpoint of this `server` with --remote (default: the default server)")
	flags.StringArrayVar(&o.Headers, "header", nil, "send a header (`name:value`) with --remote; repeatable")
	flags.StringVar(&o.Token, "token", "", "send this bearer `token` with --remote (default $MCPFUNC_TOKEN)")
	flags.DurationVar(&o.Hold, "hold", 0, "hold a silent stream open for this long with --remote; 4m exceeds the limit of Azure's load balancer")
}

// check refuses what does not go together.
func (o *remoteOptions) check(cmd *cobra.Command, args []string) error {
	if o.Target == "" {
		for _, name := range []string{"remote", "server", "header", "token", "hold"} {
			if cmd.Flags().Changed(name) {
				return misusef("--%s needs --remote", name)
			}
		}
		return nil
	}
	if len(args) > 0 || cmd.Flags().Changed("project") {
		return misusef("--remote asks a live app: it takes no project")
	}
	if o.Hold < 0 {
		return misusef("invalid --hold %s: want 0 or more", o.Hold)
	}
	if publish.ValidApp(o.Target) {
		return nil
	}
	_, err := parseHTTPURL(o.Target)
	return err
}

// app returns where the app is.
func (o *remoteOptions) app(ctx context.Context, env *Env) (*url.URL, error) {
	if publish.ValidApp(o.Target) {
		app := &url.URL{Scheme: "https"}
		err := env.during("looking for the app", func() (err error) {
			app.Host, err = publish.Host(ctx, publish.Streams{Environ: env.Environ}, o.Target)
			return err
		})
		return app, err
	}
	u, err := parseHTTPURL(o.Target)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func (o *remoteOptions) ask(ctx context.Context, env *Env) ([]doctor.Finding, error) {
	app, err := o.app(ctx, env)
	if err != nil {
		return nil, err
	}
	client := clientOptions{Headers: o.Headers, Token: o.Token, Timeout: remoteTime + o.Hold}
	header, err := client.header(env)
	if err != nil {
		return nil, err
	}
	ctx, cancel := client.deadline(ctx)
	defer cancel()
	var findings []doctor.Finding
	err = env.during("asking "+app.Host, func() error {
		findings = remotecheck.Check(ctx, remotecheck.Options{App: app, Header: header, Server: o.Server, Hold: o.Hold})
		return nil
	})
	return findings, err
}
