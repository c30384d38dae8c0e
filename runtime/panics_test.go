package mcpfunc

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

func TestAPanicIsAnAnswer(t *testing.T) {
	var logged journal
	_, srv := newApp(t, &Config{Servers: []Server{self("fake")}}, &Options{
		Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		Middleware: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/before":
					panic("a fault")
				case "/abort":
					panic(http.ErrAbortHandler)
				case "/after":
					_, _ = io.WriteString(w, "begun")
					w.(http.Flusher).Flush()
					panic("a fault")
				}
				next.ServeHTTP(w, r)
			})
		}},
	})
	for _, path := range []string{"/before", "/abort"} {
		for _, method := range []string{"GET", "POST"} {
			size := int64(0)
			if method == "POST" {
				size = 8 << 20
			}
			resp, text := sendAllThenRead(t, srv.URL, method, path, http.Header{}, size, method == "POST")
			if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(text, "internal_error") {
				t.Errorf("%s %s: %s %q", method, path, resp.Status, text)
			}
		}
	}
	resp, err := http.Get(srv.URL + "/after")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("an answer that was cut ends well: %q", text)
	}
	panics := func() int { return strings.Count(logged.String(), "request panicked") }
	if !testlimit.Eventually(func() bool { return panics() == 3 }) {
		t.Errorf("%d panics are logged, want 3: %s", panics(), logged.String())
	}
}
