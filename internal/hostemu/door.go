package hostemu

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// A door is where clients connect while the host is there. A host that has ended is gone: nobody
// listens any more.
type door struct {
	server  *http.Server
	conns   sync.WaitGroup // clients' connections
	serving sync.WaitGroup
}

// open serves clients of l by handler.
func open(l net.Listener, handler http.Handler) *door {
	d := &door{}
	d.server = &http.Server{
		Handler:                      handler,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0), // a client that breaks off is no news
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ConnState: func(conn net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				d.conns.Add(1)
			case http.StateClosed, http.StateHijacked:
				d.conns.Done()
			case http.StateIdle:
				conn.(*mended).next()
			}
		},
	}
	d.serving.Go(func() { _ = d.server.Serve(mending{l}) })
	return d
}

// close ends the listener and every connection, and waits for them.
func (d *door) close() {
	_ = d.server.Close()
	d.serving.Wait()
	d.conns.Wait()
}

// leave lets nobody in any more, and waits for running calls until ctx ends.
func (d *door) leave(ctx context.Context) { _ = d.server.Shutdown(ctx) }
