package mcpfunc_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// An App in an http.Server of one's own, beside other handlers. Where clients sign in with OAuth, they look
// for the metadata below /.well-known.
func Example() {
	app, err := mcpfunc.New(&mcpfunc.Config{Servers: []mcpfunc.Server{
		{Name: "time", Command: "uvx", Args: []string{"mcp-server-time"}},
	}}, &mcpfunc.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", app)
	mux.Handle("/.well-known/oauth-protected-resource/", app)
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: mux}
	served := make(chan error)
	go func() { served <- srv.Serve(listener) }()

	for _, path := range []string{"/hello", "/api/health"} {
		resp, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.Status, string(body))
	}

	app.Close() // first: it ends the streams that srv.Shutdown would wait for
	srv.Close()
	<-served
	// Output:
	// 200 OK hello
	// 200 OK {"status":"ok"}
}
