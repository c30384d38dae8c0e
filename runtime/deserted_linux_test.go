package mcpfunc

import (
	"bufio"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// marked returns the processes that have a variable in their environment.
func marked(t *testing.T, variable string) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if env, err := os.ReadFile(file); err == nil && strings.Contains(string(env), variable) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// The host ends without a word, or is killed, and its handlers must not live on.
func TestHandlerAndServersEndWithTheHost(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	mark := "RUNTIME_TEST_MARK=" + rand.Text()
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), "RUNTIME_TEST_HOST=1", "FUNCTIONS_CUSTOMHANDLER_PORT="+port, mark, "GORACE=atexit_sleep_ms=0")
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		var text strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			text.WriteString(lines.Text() + "\n")
		}
		said <- text.String()
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/api/health")
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	connect(t, "http://"+address+"/api/mcp")
	go func() { // a call that nobody will answer
		if resp, err := (&client{t: t, url: "http://" + address + "/api/mcp/deaf"}).post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`); err == nil {
			resp.Body.Close()
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); len(marked(t, mark)) < 4; time.Sleep(10 * time.Millisecond) { // host, handler, two servers
		if time.Now().After(deadline) {
			t.Fatalf("%d processes", len(marked(t, mark)))
		}
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	for left := marked(t, mark); len(left) > 0; left = marked(t, mark) {
		if time.Since(killed) > 10*time.Second {
			t.Fatalf("these live on: %v", left)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("all gone after %v", time.Since(killed))
	_ = host.Wait() // it was killed
	// An app of an earlier test has made this process the one that inherits orphans: those above, and the
	// guard.
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); errors.Is(err, syscall.ECHILD) {
			break
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if text := <-said; testing.Verbose() {
		t.Log(text)
	}
}
