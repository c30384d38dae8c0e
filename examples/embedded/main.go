// Command embedded is a web program of its own that also serves MCP servers, to callers with keys of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	config := flag.String("config", "mcp_config.json", "the MCP servers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *config)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "embedded:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, config string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg, err := mcpfunc.LoadConfig(config)
	if err != nil {
		return err
	}
	app, err := mcpfunc.New(cfg, &mcpfunc.Options{Prefix: "/tools", Auth: keys{os.Getenv("EMBEDDED_KEY"): "alice"}, Logger: log})
	if err != nil {
		return err
	}
	defer app.Close()

	mux := http.NewServeMux()
	mux.Handle("/tools/", app)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "a program with %d MCP sessions in it\n", app.Stats().Sessions)
	})
	srv := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		app.Close() // ends the streams, for which Shutdown would wait
		srv.Shutdown(context.Background())
	}()
	log.Info("listening", "addr", addr)
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// keys knows one user per key.
type keys map[string]string

func (k keys) Verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	user, ok := k[token]
	if !ok || token == "" {
		return nil, &mcpfunc.AuthError{Status: http.StatusUnauthorized, Code: "authentication_required", Message: "This needs a key"}
	}
	return &auth.TokenInfo{UserID: user}, nil
}

func (keys) Environ(_ context.Context, _ string, caller *auth.TokenInfo) (map[string]string, error) {
	return map[string]string{"EMBEDDED_USER": caller.UserID}, nil
}
