package process

import (
	"net"
	"sync"
)

// A PeerListener finds out whose a connection is before the first byte is read. The goroutine that reads does,
// so that other connections do not wait for it, and one that is kept pays once.
type PeerListener struct {
	net.Listener
	Supervisor *Supervisor
	// Admit says whether a connection may be used, with what Supervisor.Peer says of it. leave, unless it is
	// nil, is called when a connection that was admitted is closed. It is called from many goroutines.
	Admit func(child uint64, ours bool) (leave func(), ok bool)
}

// Accept returns the next connection. One that is not admitted fails its first Read with net.ErrClosed.
func (l PeerListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &peerConn{Conn: c, listener: l}, nil
}

type peerConn struct {
	net.Conn
	listener PeerListener
	once     sync.Once
	refused  bool

	mu     sync.Mutex
	closed bool
	leave  func() // nil for nothing to do
}

// NetConn returns the connection below.
func (c *peerConn) NetConn() net.Conn { return c.Conn }

func (c *peerConn) Read(p []byte) (int, error) {
	c.once.Do(func() {
		leave, ok := c.listener.Admit(c.listener.Supervisor.Peer(c.Conn))
		if !ok {
			c.refused = true
			c.Conn.Close()
			return
		}
		c.mu.Lock()
		closed := c.closed
		if !closed {
			c.leave = leave
		}
		c.mu.Unlock()
		if closed && leave != nil {
			leave()
		}
	})
	if c.refused {
		return 0, net.ErrClosed
	}
	return c.Conn.Read(p)
}

func (c *peerConn) Close() error {
	c.mu.Lock()
	leave := c.leave
	c.closed, c.leave = true, nil
	c.mu.Unlock()
	if leave != nil {
		leave()
	}
	return c.Conn.Close()
}
