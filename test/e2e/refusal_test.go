//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// The host reads no answer before it has sent the whole body: a refusal that does not wait for it would
// reach the client as 500 with no body.
func TestARefusalOfALargeRequestReachesTheClient(t *testing.T) {
	t.Parallel()
	b := bridge(t, `{"mcpServers": {"time": {"command": "`+e2etest.Python()+`", "args": ["-m", "mcp_server_time"]}}}`)
	for _, test := range []struct {
		header, value string
		size          int64
		want          int
	}{
		{"Content-Type", "text/plain", 1 << 10, http.StatusUnsupportedMediaType},
		{"Content-Type", "text/plain", 90 << 20, http.StatusUnsupportedMediaType},
		{"Accept", "text/html", 90 << 20, http.StatusNotAcceptable},
		{"Origin", "https://evil.example", 90 << 20, http.StatusForbidden},
		{"X-Large", "yes", 90 << 20, http.StatusRequestEntityTooLarge},
	} {
		for _, chunked := range []bool{false, true} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.Endpoint("time"), io.LimitReader(blanks{}, test.size))
			if err != nil {
				t.Fatal(err)
			}
			if !chunked {
				r.ContentLength = test.size
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			r.Header.Set(test.header, test.value)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Errorf("%s: %s, %d bytes, chunked %v: %v", test.header, test.value, test.size, chunked, err)
				continue
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != test.want || strings.TrimSpace(string(text)) == "" {
				t.Errorf("%s: %s, %d bytes, chunked %v: %s %.100q, want %d", test.header, test.value, test.size, chunked, resp.Status, text, test.want)
			}
		}
	}
}

type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
