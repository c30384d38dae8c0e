package main

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
)

// serveFloor gives the server's answers over HTTP without a server: what net/http costs, and nothing
// else. It runs until its process is killed.
func serveFloor(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(answerFloor))
}

var answerers = sync.Pool{New: func() any { return new(floorAnswerer) }}

// A floorAnswerer has the memory for one request at a time.
type floorAnswerer struct {
	wire.Answerer
	body []byte
}

func answerFloor(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return
	}
	a := answerers.Get().(*floorAnswerer)
	defer answerers.Put(a)
	if err := a.read(r.Body, r.ContentLength); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m := wire.Parse(a.body)
	h := w.Header()
	if m.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if string(m.Method) == "initialize" {
		h.Set("Mcp-Session-Id", "floor")
	}
	send := func(line []byte) error {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(line)))
		_, err := w.Write(line)
		return err
	}
	if string(m.Tool) == "progress" {
		h.Set("Content-Type", "text/event-stream")
		send = func(line []byte) error {
			io.WriteString(w, "event: message\ndata: ")
			w.Write(line)
			_, err := io.WriteString(w, "\n")
			return err
		}
	}
	a.Answer(a.body, send) // it fails when the client is gone
}

// read reads a body of size bytes.
func (a *floorAnswerer) read(body io.Reader, size int64) error {
	if int64(cap(a.body)) < size {
		a.body = make([]byte, size)
	}
	a.body = a.body[:max(size, 0)]
	_, err := io.ReadFull(body, a.body)
	return err
}
