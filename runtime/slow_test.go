package mcpfunc

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// patience is what a server of slowServer has with clients.
const patience = 150 * time.Millisecond

// slowServer serves behind a patientListener, and returns its address. A body must come within
// patience; ended gets the error that reading it ended with.
func slowServer(t *testing.T) (addr string, ended <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 8)
	srv := &http.Server{ReadHeaderTimeout: patience, IdleTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience))
		}
		_, err := io.Copy(io.Discard, r.Body)
		errs <- err
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(patientListener{l}) }()
	t.Cleanup(func() {
		srv.Close()
		<-served
	})
	return l.Addr().String(), errs
}

// trickle says head at once and then a byte of more, over and over, until the server has hung up. It
// returns how long that took.
func trickle(t *testing.T, addr, head, more string) time.Duration {
	t.Helper()
	began := time.Now()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		io.Copy(io.Discard, c)
	}()
	io.WriteString(c, head)
	drop := time.NewTicker(patience / 20)
	defer drop.Stop()
	for late := time.After(testlimit.Wait()); ; {
		select {
		case <-gone:
			return time.Since(began)
		case <-late:
			t.Error("the server still waits for a client that trickles")
			return time.Since(began)
		case <-drop.C:
			io.WriteString(c, more)
		}
	}
}

// The deadline that counts is never the first on its connection, which is of before the request.
const before = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func TestSlowClientsAreHungUpOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ head, more string }{
		"in the first head":     {"GET / HTTP/1.1\r\nHost: a\r\nX: ", "x"},
		"in a later head":       {before + "GET / HTTP/1.1\r\nHost: a\r\nX: ", "x"},
		"in a body":             {before + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", "x"},
		"in a body of chunks":   {before + "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
		"that say nothing":      {"", ""},
		"that say nothing more": {before, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, _ := slowServer(t)
			if took := trickle(t, addr, test.head, test.more); took < patience {
				t.Errorf("the server hung up after %s, before its patience of %s was over", took, patience)
			}
		})
	}
}

// The time that a head has to come is not a limit of what follows.
func TestStreamsOutliveTheDeadlineOfTheirHead(t *testing.T) {
	t.Parallel()
	const patience = time.Second // a client on a slow machine needs some for its head
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	srv := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.SetReadDeadline(time.Now().Add(patience / 2)) // for the body
		io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			over <- errors.New("the client was taken for gone")
		case <-time.After(3 * patience):
			over <- nil
		}
		io.WriteString(w, "here")
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(patientListener{l}) }()
	defer func() {
		srv.Close()
		<-served
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	for range 2 { // on the same connection
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "here" {
			t.Fatalf("the answer is %q, %v", body, err)
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}

func TestBodyThatTricklesEndsWithItsDeadline(t *testing.T) {
	t.Parallel()
	addr, ended := slowServer(t)
	trickle(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", "x")
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading it ended with %v", err)
	}
}
