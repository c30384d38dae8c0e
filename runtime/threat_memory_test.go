package mcpfunc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// named is an Auth whose tokens are the names of users.
type named struct{}

func (named) Verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	return &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}, nil
}

func (named) Environ(context.Context, string, *auth.TokenInfo) (map[string]string, error) {
	return nil, nil
}

// inMemory is an app whose servers and connections are in memory. It must be made in a bubble.
func inMemory(t *testing.T, cfg *Config, opts Options) (app *App, web *http.Client) {
	t.Helper()
	opts.Logger = slog.New(slog.DiscardHandler)
	opts.Launcher = LauncherFunc(func(context.Context, Server, []string) (Process, error) {
		return mcptest.Run(func(in io.Reader, out io.Writer) error {
			mcptest.Server(in, out, io.Discard, os.Exit)
			return nil
		}), nil
	})
	cfg.Servers = []Server{{Name: "fake", Command: "fake"}}
	app, err := New(cfg, &opts)
	if err != nil {
		t.Fatal(err)
	}
	web, stop := mcptest.Serve(app)
	t.Cleanup(func() {
		app.Close()
		stop()
		time.Sleep(time.Second) // of the bubble: net/http gives a connection that it closes half a second
		if n := app.budget.Used(); n != 0 {
			t.Errorf("%d bytes of large messages were never freed", n)
		}
	})
	return app, web
}

// post is a POST of a user.
func post(ctx context.Context, user, session string, body io.Reader, length int64) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mcp.test/api/mcp", body)
	if err != nil {
		panic(err)
	}
	r.ContentLength = length
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {eitherForm}, "Authorization": {"Bearer " + user}}
	if session != "" {
		r.Header.Set("Mcp-Session-Id", session)
	}
	return r
}

func answerOf(t *testing.T, web *http.Client, r *http.Request) (status int, header http.Header, body string) {
	t.Helper()
	resp, err := web.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil, ""
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, resp.Header, string(data)
}

// stalled gives its bytes and then nothing more, until it is closed.
type stalled struct {
	io.Reader
	end <-chan struct{}
}

func (s stalled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		<-s.end
	}
	return n, err
}

// Bodies that were begun and not ended could hold all the memory of large messages, and everyone's over 64 KiB failed.
func TestT52UnfinishedMessagesOfOneAreNobodyElsesTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const largest = 2 << 20
		app, web := inMemory(t, &Config{MaxRequestBytes: largest, MaxResponseBytes: largest}, Options{Auth: named{}, budget: 2 * largest})
		echo := func(id int, size int) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"%s"}}}`, id, strings.Repeat("x", size))
		}
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		type answer struct {
			status int
			body   string
			after  time.Duration
		}
		answers := make(chan answer, 100)
		began := time.Now()
		for n := range 8 {
			go func() {
				text := echo(n, largest*9/10)
				body := stalled{bytes.NewReader([]byte(text[:len(text)-100])), ctx.Done()}
				r := post(ctx, "mallory", "", body, int64(len(text)))
				resp, err := web.Do(r)
				if err != nil {
					return
				}
				defer resp.Body.Close()
				said, _ := io.ReadAll(resp.Body)
				answers <- answer{resp.StatusCode, string(said), time.Since(began)}
			}()
		}
		synctest.Wait()
		held := app.budget.Used()
		if held == 0 || held > largest {
			t.Errorf("mallory holds %d bytes of %d", held, 2*largest)
		}
		for n := range 5 {
			if status, _, body := answerOf(t, web, post(t.Context(), "alice", "", strings.NewReader(echo(n, largest/4)), -1)); status != http.StatusOK || len(body) < largest/4 {
				t.Errorf("alice: %d %.200s", status, body)
			}
		}
		time.Sleep(message.ProgressTime + budgetWait)
		synctest.Wait()
		if held := app.budget.Used(); held != 0 {
			t.Errorf("%d bytes are still held for bodies that do not come", held)
		}
		time.Sleep(time.Minute) // in which what is left of a body is taken in
		leave()
		synctest.Wait()
		close(answers)
		if len(answers) != 8 {
			t.Errorf("%d answers", len(answers))
		}
		for a := range answers {
			slow := a.status == http.StatusRequestTimeout && strings.Contains(a.body, "less than 64 KiB of the body arrived within 10s")
			full := a.status == http.StatusServiceUnavailable && strings.Contains(a.body, "the large messages of this sender use all the memory that one sender may have")
			if !slow && !full {
				t.Errorf("after %s: %d %s", a.after, a.status, a.body)
			}
		}
	})
}

// Where callers are not told apart, sources are.
func TestT52UnfinishedMessagesOfOneSourceAreNobodyElsesTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const largest = 1 << 20
		app, web := inMemory(t, &Config{MaxRequestBytes: largest, MaxResponseBytes: largest}, Options{budget: 4 * largest, Middleware: []func(http.Handler) http.Handler{
			func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.RemoteAddr = "127.0.0.1:12345" // as that of the Functions host
					next.ServeHTTP(w, r)
				})
			},
		}})
		ctx, leave := context.WithCancel(t.Context())
		text := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"` + strings.Repeat("x", largest*9/10) + `"}}}`
		for range 8 {
			go func() {
				r := post(ctx, "", "", stalled{strings.NewReader(text[:len(text)-9]), ctx.Done()}, int64(len(text)))
				r.Header.Set("Client-Ip", "203.0.113.66:4711")
				if resp, err := web.Do(r); err == nil {
					resp.Body.Close()
				}
			}()
		}
		synctest.Wait()
		r := post(t.Context(), "", "", strings.NewReader(strings.Replace(text, strings.Repeat("x", largest/2), "", 1)), -1)
		r.Header.Set("Client-Ip", "198.51.100.7:4711")
		if status, _, body := answerOf(t, web, r); status != http.StatusOK {
			t.Errorf("%d %.200s, with %d bytes in use", status, body, app.budget.Used())
		}
		leave()
		synctest.Wait()
	})
}

// Twelve thousand requests that a server does not answer once took 114 MiB.
func TestT35RequestsInFlightAreBoundedWithWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, web := inMemory(t, &Config{}, Options{Auth: named{}})
		_, header, _ := answerOf(t, web, post(t.Context(), "mallory", "", strings.NewReader(initialize), -1))
		session := header.Get("Mcp-Session-Id")
		ctx, leave := context.WithCancel(t.Context())
		const limit, more = 512, 88
		refused := make(chan string, limit+more)
		for n := range limit + more {
			go func() {
				text := fmt.Sprintf(`{"jsonrpc":"2.0","id":"r%d","method":"tools/call","params":{"name":"silent"}}`, n)
				resp, err := web.Do(post(ctx, "mallory", session, strings.NewReader(text), -1))
				if err != nil {
					return
				}
				defer resp.Body.Close()
				if resp.StatusCode == http.StatusTooManyRequests {
					body, _ := io.ReadAll(resp.Body)
					refused <- resp.Header.Get("Retry-After") + " " + strings.Replace(string(body), fmt.Sprintf(`"r%d"`, n), "ID", 1)
				}
			}()
		}
		synctest.Wait()
		const want = `1 {"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"too many requests in flight for the session: the maximum is 512",` +
			`"data":{"reason":"too_many_requests","retryable":true,"limit":512,"retry_after":1}}}`
		if len(refused) != more {
			t.Errorf("%d were refused, want %d", len(refused), more)
		}
		for range len(refused) {
			if got := <-refused; got != want {
				t.Errorf("got %s", got)
				break
			}
		}
		if status, _, body := answerOf(t, web, post(t.Context(), "alice", "", strings.NewReader(listTools), -1)); status != http.StatusOK {
			t.Errorf("alice: %d %s", status, body)
		}
		leave()
	})
}

// An answer for which there is no memory is an error of its call that says so, and not one of its size.
func TestT52AnswerWithoutMemoryIsAnErrorThatSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const largest = 2 << 20
		app, web := inMemory(t, &Config{MaxRequestBytes: largest, MaxResponseBytes: largest}, Options{Auth: named{}, budget: 2 * largest})
		for n, size := range []int{largest * 9 / 10, largest / 2} { // the larger first, or there is no room for it
			share := app.budget.Share("other", fmt.Sprint("caller ", n))
			held := message.New(&share)
			held.Append([]byte(`"` + strings.Repeat("x", size)))
			defer held.Free()
			if err := held.NoRoom(); err != nil {
				t.Fatal(err)
			}
		}
		call := fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"big","arguments":{"size":%d}}}`, largest*3/4)
		status, _, body := answerOf(t, web, post(t.Context(), "alice", "", strings.NewReader(call), -1))
		for _, want := range []string{`"id":7`, `"reason":"no_memory"`, `"retryable":true`, "no memory for the server's answer: the large messages of this sender use all"} {
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%d %.300s, want %s", status, body, want)
			}
		}
		call = strings.Replace(call, fmt.Sprint(largest*3/4), "100000", 1)
		if status, _, body := answerOf(t, web, post(t.Context(), "alice", "", strings.NewReader(call), -1)); status != http.StatusOK || len(body) < 100_000 {
			t.Errorf("a smaller one: %d %.300s", status, body)
		}
	})
}
