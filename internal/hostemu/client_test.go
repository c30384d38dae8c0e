package hostemu

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// quick makes the pauses between attempts short.
func quick(_ *Options, p *pace) { p.retry, p.retryMax = time.Millisecond, time.Millisecond }

func TestDroppedCallsAreExecutedAsOftenAsOnTheHost(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", quick).ready()
	for i, test := range []struct {
		head string // after the target
		body string
		want int
	}{
		{"GET", "", 40}, {"HEAD", "", 40}, {"DELETE", "", 40}, {"OPTIONS", "", 40}, {"POST", "", 40}, {"FOO", "", 40},
		{"POST\r\nContent-Length: 0", "", 10}, {"GET\r\nContent-Type: text/plain", "", 10}, {"GET\r\nAllow: GET", "", 10},
		{"POST\r\nContent-Length: 3", "abc", 1}, {"POST\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", 1},
	} {
		method, header, _ := strings.Cut(test.head, "\r\n")
		if header != "" {
			header += "\r\n"
		}
		answer := raw(t, b.URL(), fmt.Sprintf("%s /drop/%d HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n%s", method, i, header, test.body))
		if !strings.HasPrefix(answer, "HTTP/1.1 500 ") {
			t.Errorf("%q: %.60q", test.head, answer)
		}
		if _, got := b.do(http.MethodGet, "/dropped/"+strconv.Itoa(i), ""); got != strconv.Itoa(test.want) {
			t.Errorf("%q was executed %s times, want %d", test.head, got, test.want)
		}
	}
}

// raw sends bytes to the host and returns all that it answers until it closes the connection.
func raw(t *testing.T, url, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn) // a reset is an end too
	return string(answer)
}

func TestPausesBetweenAttemptsTakeAlmostTwoSeconds(t *testing.T) {
	t.Parallel()
	p, total := realPace(), time.Duration(0)
	for attempt, delay := 1, p.retry; attempt < p.attempts; attempt, delay = attempt+1, min(2*delay, p.retryMax) {
		total += delay
	}
	if total != 1850*time.Millisecond {
		t.Errorf("%v", total)
	}
}

func TestAnEarlyAnswerIsLostUnlessTheHandlerTakesTheBodyIn(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", quick).ready()
	const large = 32 << 20 // more than the sockets' buffers hold
	for _, test := range []struct {
		path          string
		size, want    int
		chunked, asks bool
	}{
		{"/refuse", 1 << 10, 401, false, false},
		{"/refuse", large, 500, false, false},
		{"/refuse", large, 500, true, false},
		{"/refuse?drain", large, 401, false, false},
		{"/refuse?drain", large, 401, true, false},
		{"/refuse", large, 401, true, true}, // who asks whether to go on reads the answer first
	} {
		var body io.Reader = io.LimitReader(zeros{}, int64(test.size))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL()+test.path, body)
		if err != nil {
			t.Fatal(err)
		}
		if !test.chunked {
			r.ContentLength = int64(test.size)
		}
		if test.asks {
			r.Header.Set("Expect", "100-continue")
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != test.want || len(text) > 0 {
			t.Errorf("%+v: %s %q", test, resp.Status, text)
		}
	}
}

// rawEach sends requests one after the other on one connection, and returns the answers.
func rawEach(t *testing.T, url string, requests ...string) []string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var answers []string
	read := bufio.NewReader(conn)
	for _, request := range requests {
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(read, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, resp.Status+"\r\n\r\n"+string(body))
	}
	return answers
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestABodyWithALengthIsThereBeforeTheHandlerIsAsked(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = inMemory + 1
	fmt.Fprintf(conn, "POST /exit/200 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size-1))
	if got := b.status("/x"); got != http.StatusOK || len(b.pids()) != 1 {
		t.Errorf("status %d, %d starts: the handler was asked with half a body", got, len(b.pids()))
	}
	conn.Close()
	if _, text := b.do(http.MethodPost, "/x", strings.Repeat("y", size)); decode[seen](t, text).Body != strings.Repeat("y", size) {
		t.Error("the body is not what was sent")
	}
}

func TestConnectionsToTheHandlerAreUsedAgain(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
			go func() {
				read := bufio.NewReader(conn)
				for {
					if _, err := http.ReadRequest(read); err != nil {
						return
					}
					fmt.Fprint(conn, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			}()
		}
	}()
	var c client
	defer c.closeIdle()
	ask := func() {
		t.Helper()
		resp, err := c.send(t.Context(), &exchange{method: http.MethodGet, address: l.Addr().String(), target: "/", header: http.Header{}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || string(text) != "ok" {
			t.Fatalf("%q, %v", text, err)
		}
	}
	ask()
	ask()
	if len(accepted) != 1 {
		t.Errorf("%d connections, want one", len(accepted))
	}
	(<-accepted).Close() // which is noticed before the next request is sent
	until(t, "the end of the connection is seen", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		idle := c.idle[l.Addr().String()]
		return len(idle) == 1 && len(idle[0].gone) == 1
	})
	ask()
	if len(accepted) != 1 {
		t.Errorf("%d connections after the first one ended, want one", len(accepted))
	}
}

// patient makes as many attempts as a start takes on a busy machine.
func patient(_ *Options, p *pace) { p.attempts = 100 }

func TestAGETWhoseHandlerDiesGoesToTheNextOne(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", patient).ready()
	if got := b.status("/exit-once"); got != http.StatusOK {
		t.Errorf("GET: %d", got)
	}
	if got := len(b.pids()); got != 2 {
		t.Errorf("started %d times, want 2", got)
	}
	resp, _ := b.do(http.MethodPost, "/exit/1", "body")
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("POST: %s", resp.Status)
	}
	if got := b.status("/x"); got != http.StatusOK || len(b.pids()) != 3 {
		t.Errorf("status %d after %d starts", got, len(b.pids()))
	}
}

func TestAGETThatKillsEveryHandlerEndsTheHost(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", patient).ready()
	if resp, err := http.Get(b.URL() + "/exit/1"); err == nil {
		resp.Body.Close()
		t.Fatalf("got %s", resp.Status)
	}
	if err := b.Wait(); err == nil || !strings.Contains(err.Error(), "the handler failed 3 times") {
		t.Errorf("got %v", err)
	}
	b.away()
}
