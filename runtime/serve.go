package mcpfunc

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// Bounds of the HTTP server. There is no bound for a whole request or answer, which would cut
// streams: bodies and streams have bounds of their own.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	headerBytes   = 64 << 10
)

// portSetting is how the Functions host says where it expects a handler, and so that it has started one.
const portSetting = "FUNCTIONS_CUSTOMHANDLER_PORT"

// FunctionsAddr returns the address where the Functions host expects a custom handler: on loopback, at the port
// in FUNCTIONS_CUSTOMHANDLER_PORT, or at 8080 if it is not set.
func FunctionsAddr() string {
	return net.JoinHostPort("127.0.0.1", cmp.Or(os.Getenv(portSetting), "8080"))
}

func listenAndServe(ctx context.Context, addr string, a *App) (err error) {
	defer a.Close()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for the Functions host: %w", err)
	}
	a.supervisor.TakeProcess()
	a.log.Info("listening", "addr", listener.Addr().String(), "isolation", a.supervisor.Isolation())
	idle := &idleTrimmer{free: giveBack}
	defer idle.end()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.ServeHTTP(w, r)
		idle.called()
	})
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ConnContext: withGatherer,
		ErrorLog:    slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	defer tune()()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(patientListener{a.outsiders(listener)}) }()
	gone, stop := watchHost()
	defer stop()
	select {
	case err = <-served:
	case <-ctx.Done():
		err = nil
	case <-gone:
		a.deserted()
		defer func() { err = errDeserted }()
	}
	a.Close() // which ends all streams, so that Shutdown has nothing to wait for
	bound, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if srv.Shutdown(bound) != nil {
		srv.Close()
	}
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	<-served
	return nil
}
