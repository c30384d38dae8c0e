package mcpfunc_test

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// Two Apps in one mux, each below a prefix of its own, with middleware around one of them.
func ExampleOptions() {
	quiet := slog.New(slog.DiscardHandler)
	requestLog := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Println(r.Method, r.URL.Path)
			next.ServeHTTP(w, r)
		})
	}
	team, err := mcpfunc.New(
		&mcpfunc.Config{Servers: []mcpfunc.Server{{Name: "git", Command: "mcp-server-git"}}},
		&mcpfunc.Options{Prefix: "/team", Middleware: []func(http.Handler) http.Handler{requestLog}, Logger: quiet},
	)
	if err != nil {
		log.Fatal(err)
	}
	defer team.Close()
	everybody, err := mcpfunc.New(
		&mcpfunc.Config{Servers: []mcpfunc.Server{{Name: "time", Command: "mcp-server-time"}}},
		&mcpfunc.Options{Prefix: "/everybody", Logger: quiet},
	)
	if err != nil {
		log.Fatal(err)
	}
	defer everybody.Close()

	mux := http.NewServeMux()
	mux.Handle("/team/", team)
	mux.Handle("/everybody/", everybody)
	for _, path := range []string{"/team/health", "/everybody/health", "/api/health"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// GET /team/health
	// /team/health 200
	// /everybody/health 200
	// /api/health 404
}
