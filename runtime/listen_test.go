package mcpfunc

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// patientPair returns both ends of a connection, the first of them patient.
func patientPair(t *testing.T) (*patientConn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := patientListener{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		far.Close()
		near.Close()
	})
	return near.(*patientConn), far
}

// reading reads a byte in the background.
func reading(c net.Conn) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		done <- err
	}()
	return done
}

func TestReadEndsAtTheLastDeadlineThatWasSet(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(c *patientConn) (at time.Time){
		"the first": func(c *patientConn) time.Time {
			at := time.Now().Add(50 * time.Millisecond)
			c.SetReadDeadline(at)
			return at
		},
		"a later one": func(c *patientConn) time.Time {
			c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			at := time.Now().Add(80 * time.Millisecond)
			c.SetReadDeadline(at)
			return at
		},
		"an earlier one": func(c *patientConn) time.Time {
			c.SetReadDeadline(time.Now().Add(time.Hour))
			at := time.Now().Add(20 * time.Millisecond)
			c.SetReadDeadline(at)
			return at
		},
		"one after none": func(c *patientConn) time.Time {
			c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			c.SetReadDeadline(time.Time{})
			at := time.Now().Add(60 * time.Millisecond)
			c.SetReadDeadline(at)
			return at
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := patientPair(t)
			at := set(c)
			if err := <-reading(c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the read ended with %v", err)
			}
			if early := time.Until(at); early > 0 {
				t.Errorf("the read ended %s early", early)
			}
		})
	}
}

func TestReadOutlivesADeadlineThatWasTakenBack(t *testing.T) {
	t.Parallel()
	c, far := patientPair(t)
	c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	c.SetReadDeadline(time.Time{})
	done := reading(c)
	for c.told.Load() != 0 { // the system's deadline has come, and the read has seen to it
		select {
		case err := <-done:
			t.Fatalf("the read ended with %v", err)
		default:
		}
	}
	far.Write([]byte("x"))
	if err := <-done; err != nil {
		t.Errorf("the read ended with %v", err)
	}
}

func TestReadThatWaitsEndsAtOnceByADeadlineInThePast(t *testing.T) {
	t.Parallel()
	c, _ := patientPair(t)
	c.SetReadDeadline(time.Now().Add(time.Hour))
	done := reading(c)
	c.SetReadDeadline(time.Unix(1, 0)) // as net/http does when the handler has returned
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the read ended with %v", err)
	}
}
