package mcpfunc

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
)

// sendAllThenRead sends a request as the Functions host does, the whole body before it reads a byte of
// the answer, and returns the answer.
func sendAllThenRead(t *testing.T, url, method, path string, header http.Header, size int64, chunked bool) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "%s %s HTTP/1.1\r\nHost: x\r\n", method, path)
	if err := header.Write(w); err != nil {
		t.Fatal(err)
	}
	// A thousand pieces at most, each of them written as it is: the race detector looks at every copy of a byte.
	piece := max(1<<10, size>>10)
	chunk := bytes.Repeat([]byte(" "), int(piece)) // no JSON ends in it, so that the limit is what ends reading
	last := ""
	if chunked {
		fmt.Fprint(w, "Transfer-Encoding: chunked\r\n\r\n")
		chunk, last = fmt.Appendf(nil, "%x\r\n%s\r\n", piece, chunk), "0\r\n\r\n"
	} else {
		fmt.Fprintf(w, "Content-Length: %d\r\n\r\n", size)
	}
	err = w.Flush()
	for range size / piece {
		if err == nil {
			_, err = conn.Write(chunk)
		}
	}
	if err == nil {
		_, err = io.WriteString(conn, last)
	}
	if err != nil {
		return &http.Response{Status: "cut: " + err.Error()}, ""
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return &http.Response{Status: "lost: " + err.Error()}, ""
	}
	text, _ := io.ReadAll(resp.Body)
	return resp, string(text)
}

// The Functions host makes 500 of an answer that comes before the body was read and ends the connection.
func TestARefusalTakesTheBodyIn(t *testing.T) {
	t.Parallel()
	_, srv := newApp(t, &Config{
		Servers:         []Server{self("fake"), {Name: "closed", Command: "none"}, {Name: "busy", Command: "none"}, {Name: "away", Command: "none"}},
		MaxRequestBytes: 1 << 20,
	}, &Options{Auth: refusing{"closed": 401, "busy": 429, "away": 503}})
	json := func(more ...string) http.Header {
		h := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	for _, test := range []struct {
		method, path string
		header       http.Header
		min          int64 // of the sizes
		want         int
	}{
		{"POST", "/api/mcp/closed", json(), 0, http.StatusUnauthorized},
		{"POST", "/api/mcp/busy", json(), 0, http.StatusTooManyRequests},
		{"POST", "/api/mcp/away", json(), 0, http.StatusServiceUnavailable},
		{"POST", "/api/mcp", json("Origin", "https://evil.example"), 0, http.StatusForbidden},
		{"POST", "/api/mcp", json("Accept", "text/html"), 0, http.StatusNotAcceptable},
		{"POST", "/api/mcp", json("Content-Type", "text/plain"), 0, http.StatusUnsupportedMediaType},
		{"POST", "/api/mcp", json(), 2 << 20, http.StatusRequestEntityTooLarge},
		{"POST", "/api/mcp", json(), 0, http.StatusBadRequest}, // no JSON
		{"POST", "/api/mcp", json("Mcp-Protocol-Version", "none"), 0, http.StatusBadRequest},
		{"PUT", "/api/mcp", json(), 0, http.StatusMethodNotAllowed},
		{"POST", "/api/mcp/nowhere", json(), 0, http.StatusNotFound},
		{"POST", "/elsewhere", json(), 0, http.StatusNotFound},
		{"DELETE", "/api/mcp", json("Mcp-Session-Id", "none"), 0, http.StatusNotFound},
		{"GET", "/api/health", json(), 0, http.StatusOK},
	} {
		for _, size := range []int64{1 << 10, 2 << 20, 90 << 20} {
			if size < test.min || test.want == http.StatusBadRequest && test.header.Get("Mcp-Protocol-Version") == "" && size > 1<<20 {
				continue
			}
			for _, chunked := range []bool{false, true} {
				resp, text := sendAllThenRead(t, srv.URL, test.method, test.path, test.header, size, chunked)
				if resp.StatusCode != test.want {
					t.Errorf("%s %s of %d bytes, chunked %v: %s %.100q, want %d", test.method, test.path, size, chunked, resp.Status, text, test.want)
				}
				if test.want == http.StatusUnauthorized && resp.Header.Get("Www-Authenticate") == "" {
					t.Errorf("%d bytes: no challenge", size)
				}
			}
		}
	}
}

// refusing is an Auth that lets nobody in to some servers, and says why by a status.
type refusing map[string]int

func (f refusing) Verify(_ context.Context, _ string, r *http.Request) (*auth.TokenInfo, error) {
	if status := f[path.Base(r.URL.Path)]; status != 0 {
		return nil, &AuthError{status, "refused", "Not you, not now"}
	}
	return &auth.TokenInfo{UserID: "somebody", Expiration: time.Now().Add(time.Hour)}, nil
}

func (refusing) Environ(context.Context, string, *auth.TokenInfo) (map[string]string, error) {
	return nil, nil
}

func TestABodyThatIsThrownAwayTakesNoMemory(t *testing.T) {
	_, srv := newApp(t, &Config{Servers: []Server{{Name: "closed", Command: "none"}}}, &Options{Auth: refusing{"mcp": 401}})
	send := func(size int64) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if resp, _ := sendAllThenRead(t, srv.URL, "POST", "/api/mcp", http.Header{}, size, false); resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%d bytes: %s", size, resp.Status)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if used := send(64 << 20); used > 8<<20 {
		t.Errorf("a body of 64 MiB that is refused took %d bytes of memory", used)
	}
}

// Beyond what the host lets through, and from a sender that stops, the connection is all that ends.
func TestABodyWithoutEndIsNotTakenIn(t *testing.T) {
	done := make(chan time.Duration, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		begin := time.Now()
		takeIn(w, r, begin.Add(200*time.Millisecond), new(io.LimitedReader))
		done <- time.Since(begin)
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
	if took := <-done; took < 200*time.Millisecond || took > 30*time.Second {
		t.Errorf("waited %v for a sender that stopped", took)
	}
}

// After a request that took longer than a body may take, the next one on its connection is as any other.
func TestALongRequestLeavesItsConnectionGood(t *testing.T) {
	ended := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ended <- r.Context().Err()
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		runtime.Gosched() // to net/http, which reads on
		takeIn(w, r, time.Now().Add(-time.Second), new(io.LimitedReader))
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for i := range 20 {
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if err := <-ended; err != nil {
			t.Fatalf("request %d begins with an ended context: %v", i, err)
		}
	}
}
