package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
)

// A pipeSession is a server process and its pipes, with nothing in between: what a relay cannot be
// faster than.
type pipeSession struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
	buf []byte
	lo  int // buf[lo:hi] is read and not used
	hi  int
}

// openPipe starts a server and introduces itself.
func openPipe(server string, args ...string) (session, error) {
	s := &pipeSession{cmd: exec.Command(server, args...), buf: make([]byte, 64<<10)}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if s.out, err = s.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err = s.ask(introduction); err == nil {
		err = s.write([]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("initialize: %w", err)
	}
	return s, nil
}

// write writes one message, whole.
func (s *pipeSession) write(message []byte) error {
	_, err := s.in.Write(append(message, '\n'))
	return err
}

// message reads one message and hands it to take, part by part.
func (s *pipeSession) message(take func([]byte)) error {
	for {
		if s.lo == s.hi {
			n, err := s.out.Read(s.buf)
			if n == 0 && err != nil {
				return err
			}
			s.lo, s.hi = 0, n
		}
		p, _, ended := bytes.Cut(s.buf[s.lo:s.hi], []byte{'\n'})
		take(p)
		s.lo += len(p)
		if ended {
			s.lo++
			return nil
		}
	}
}

func (s *pipeSession) ask(request string) (answer string, err error) {
	if err := s.write([]byte(request)); err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = s.message(func(p []byte) { text.Write(p) })
	return text.String(), err
}

func (s *pipeSession) list() error {
	answer, err := s.ask(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	if err == nil && !bytes.Contains([]byte(answer), []byte(`"progress"`)) {
		err = errors.New("the answer is " + answer)
	}
	if err != nil {
		return fmt.Errorf("tools/list: %w", err)
	}
	return nil
}

func (s *pipeSession) rest() {}

func (s *pipeSession) close() error {
	s.in.Close()
	return s.cmd.Wait()
}

// drive sends a new call as soon as an answer has come: one goroutine does all, so that nothing has
// to be woken. With several lanes the answers are small ones.
func (s *pipeSession) drive(j job, lanes int, name string, until time.Time, r *record) {
	calls, inboxes, begun := make([]*call, lanes), make([]inbox, lanes), make([]time.Time, lanes)
	send := func(lane int) bool {
		calls[lane].next()
		inboxes[lane].expect(calls[lane])
		begun[lane] = time.Now()
		if err := s.write(calls[lane].body); err != nil {
			r.failed(err)
			return false
		}
		return true
	}
	for i := range lanes {
		calls[i] = newCall(j, i, fmt.Sprintf("%s.%d", name, i))
		calls[i].body = append(calls[i].body, '\n')[:len(calls[i].body)] // room for write
		if !send(i) {
			return
		}
	}
	var whole []byte
	for open := lanes; open > 0; {
		lane := 0
		var err error
		if lanes == 1 {
			err = s.message(inboxes[0].part)
		} else {
			whole = whole[:0]
			err = s.message(func(p []byte) { whole = append(whole, p...) })
			lane = laneOf(wire.Parse(whole).ID, lanes)
			inboxes[lane].part(whole)
		}
		if err != nil {
			r.failed(err)
			return
		}
		in := &inboxes[lane]
		in.end()
		if !in.answered && in.err == nil {
			continue // a notification
		}
		now := time.Now()
		r.call(calls[lane], in, now.Sub(begun[lane]), in.done())
		if now.Before(until) && r.errors() < maxErrors {
			if !send(lane) {
				return
			}
		} else {
			open--
		}
	}
}

// laneOf says which lane an ID belongs to. The inbox reports an unknown one.
func laneOf(id []byte, lanes int) int {
	lane := 0
	for _, c := range id {
		lane = 10*lane + int(c-'0')
	}
	return max(0, min(lane/perLane-1, lanes-1))
}
