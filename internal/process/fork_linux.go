package process

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A ForkServer is a child that forks others. What it has done before they need not do: an interpreter has
// imported what its server needs, once for all sessions.
//
// It is started as every child is, behind the walls, with one descriptor more, 3, for a socket of messages
// (SOCK_SEQPACKET), over which they go:
//
//	→ what it is to do; with the last comes a descriptor of its Landlock ruleset, if there is one
//	← one message, when it is ready
//	→ "fork", with descriptors: a conversation (SOCK_STREAM), and the stdin, stdout and stderr of a child
//	→ "reap PID", once that child is a zombie
//	← "reaped PID STATUS"
//
// A child that it has forked first does for itself what launch does for others: it leads a session, has a
// parent-death signal, which fork does not hand on, and enters a Landlock domain, below that of the fork server,
// so that it reaches neither that nor its siblings. The filter, the limits and what was dropped for good it has
// inherited. Then it converses:
//
//	← "pid PID\n", or instead, from the fork server, "error TEXT\n"
//	→ "N\n", then N bytes: its mark and its environment, each string ended by a NUL
//	← "ok\n" or "error TEXT\n"
//
// So what is a caller's never passes through the fork server, whose memory all children have a copy of, and
// nothing of the server runs before the child is marked. A ForkServer ends with its last reference to the socket,
// and its children die with it.
type ForkServer struct {
	*Child // must be read, and waited for, as any

	control *net.UnixConn
	greeted chan []byte   // what it said when it was ready; capacity 1
	ended   chan struct{} // closed when it says no more

	mu     sync.Mutex
	reaped map[int]chan syscall.WaitStatus // by process id, for the caller that waits; capacity 1
}

// talkTime bounds a conversation: a child that was forked has nothing to do but to answer.
const talkTime = 30 * time.Second

// controlBytes bounds a message of a fork server.
const controlBytes = 64 << 10

// errOwnFolders says why children of a sandbox are not forked.
var errOwnFolders = errors.New("a sandbox that protects files gives each process folders of its own, which a fork server cannot do")

// StartForkServer starts spec, a program that speaks the protocol of a ForkServer, and sends it hello. Its children
// are in its sandbox, which may not be ReadOnly. Close must be called.
func (s *Supervisor) StartForkServer(spec Spec, hello [][]byte) (*ForkServer, error) {
	if spec.Sandbox.ReadOnly {
		return nil, errOwnFolders
	}
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err != nil {
		return nil, fmt.Errorf("descriptors of processes: %w", err) // by which the end of a child is known
	} else {
		unix.Close(fd)
	}
	ours, theirs, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, err
	}
	f := &ForkServer{
		control: conn.(*net.UnixConn), greeted: make(chan []byte, 1), ended: make(chan struct{}), reaped: map[int]chan syscall.WaitStatus{},
	}
	spec.files = []*os.File{theirs}
	f.Child, err = s.Start(spec)
	theirs.Close()
	if err != nil {
		f.control.Close()
		return nil, err
	}
	go f.listen()
	if err := f.greet(hello); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// socketPair returns a pair of sockets. The first is for us, and does not block.
func socketPair(kind int) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.SetNonblock(fds[0], true)
	return os.NewFile(uintptr(fds[0]), "fork server"), os.NewFile(uintptr(fds[1]), "fork server"), nil
}

// greet sends hello, with a ruleset that is of this fork server alone: a process that holds a descriptor of one can
// add to it.
func (f *ForkServer) greet(hello [][]byte) error {
	var rights []byte
	if abi := f.supervisor.sys.walls.abi; abi > 0 {
		ruleset, err := newRuleset(abi)
		if err != nil {
			return fmt.Errorf("landlock: %w", err)
		}
		defer unix.Close(ruleset)
		rights = unix.UnixRights(ruleset)
	}
	for i, message := range hello {
		var with []byte
		if i == len(hello)-1 {
			with = rights
		}
		if err := f.send(message, with); err != nil {
			return err
		}
	}
	return nil
}

func (f *ForkServer) send(message, rights []byte) error {
	f.control.SetWriteDeadline(time.Now().Add(talkTime))
	_, _, err := f.control.WriteMsgUnix(message, rights, nil)
	return err
}

// listen takes in what the fork server says, until it is gone.
func (f *ForkServer) listen() {
	defer close(f.ended)
	buf := make([]byte, controlBytes)
	for {
		n, err := f.control.Read(buf)
		if err != nil || n == 0 {
			return
		}
		var pid int
		var status uint32
		if _, err := fmt.Sscanf(string(buf[:n]), "reaped %d %d", &pid, &status); err != nil {
			select {
			case f.greeted <- bytes.Clone(buf[:n]):
			default: // it is greeted once
			}
			continue
		}
		f.mu.Lock()
		if waits, ok := f.reaped[pid]; ok {
			waits <- syscall.WaitStatus(status)
			delete(f.reaped, pid)
		}
		f.mu.Unlock()
	}
}

// Ready returns what the fork server says when it is ready, once, or an error when it has ended before.
func (f *ForkServer) Ready() ([]byte, error) {
	select {
	case report := <-f.greeted:
		return report, nil
	case <-f.ended:
		select {
		case report := <-f.greeted:
			return report, nil
		default:
			return nil, errors.New("the fork server has ended")
		}
	}
}

// Close ends the fork server, and its children with it.
func (f *ForkServer) Close() {
	f.Kill()
	f.control.Close()
	<-f.ended
}

// Fork starts a child with the environment of spec, of which nothing else counts. An error says nothing about the
// server: it may start in another way.
func (f *ForkServer) Fork(spec Spec) (*Child, error) {
	return f.supervisor.account(spec, func() (*Child, error) {
		return piped(f.supervisor, Spec{Command: spec.Command}, func(c *Child, ends [3]*os.File) error { return f.launch(c, spec.Env, ends) })
	})
}

func (f *ForkServer) launch(c *Child, env []string, ends [3]*os.File) error {
	sys := &f.supervisor.sys
	c.enclosure = &enclosure{own: -1} // it is in the fork server's
	c.oomKills = sys.recentOOMKills()
	c.mark = sys.starting()
	if err := f.begin(c, env, ends); err != nil {
		sys.marks.drop(c.mark)
		return err
	}
	go c.wait()
	return nil
}

// begin has a child forked, and converses with it until it runs.
func (f *ForkServer) begin(c *Child, env []string, ends [3]*os.File) error {
	talk, theirs, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer talk.Close()
	rights := unix.UnixRights(int(theirs.Fd()), int(ends[0].Fd()), int(ends[1].Fd()), int(ends[2].Fd()))
	err = f.send([]byte("fork"), rights)
	theirs.Close()
	if err != nil {
		return err
	}
	talk.SetDeadline(time.Now().Add(talkTime))
	said := bufio.NewReader(talk)
	number, err := hear(said, "pid ")
	if err != nil {
		return err
	}
	if c.pid, err = strconv.Atoi(number); err != nil {
		return err
	}
	if err = f.take(c); err != nil {
		return err
	}
	sys := &f.supervisor.sys
	sys.guard.track('+', c.pid)
	err = sys.marks.pinTo(c.pid, c.mark)
	if err == nil {
		err = tell(talk, append([]string{c.mark.text, markName + "=" + c.mark.text}, env...))
	}
	if err == nil {
		_, err = hear(said, "ok")
	}
	if err != nil {
		c.Kill()
		c.fork.reap(c)
		sys.guard.track('-', c.pid)
	}
	return err
}

// hear reads a line that begins with want, and returns the rest of it. One that does not end is an error.
func hear(said *bufio.Reader, want string) (string, error) {
	line, err := said.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("the fork server did not answer: %w", err)
	}
	text := strings.TrimSuffix(string(line), "\n")
	rest, ok := strings.CutPrefix(text, want)
	if !ok {
		return "", errors.New(strings.TrimPrefix(text, "error "))
	}
	return rest, nil
}

// tell writes strings.
func tell(talk *os.File, all []string) error {
	var b bytes.Buffer
	for _, s := range all {
		if strings.Contains(s, "\x00") {
			return unix.EINVAL // as execve(2) would have to
		}
		b.WriteString(s)
		b.WriteByte(0)
	}
	_, err := talk.Write(append([]byte(strconv.Itoa(b.Len())+"\n"), b.Bytes()...))
	return err
}

// A forked is what only a child that was forked has.
type forked struct {
	server *ForkServer
	pidfd  *os.File // does not block
}

// take makes c the process with the number that the fork server named. It runs code of others, and could name any: it
// must be that of a child of its own, which leads a process group.
func (f *ForkServer) take(c *Child) (err error) {
	fd, err := unix.PidfdOpen(c.pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	c.fork = &forked{f, os.NewFile(uintptr(fd), "child")}
	if c.proc, err = os.FindProcess(c.pid); err == nil {
		if p, ok := inspect(c.pid, make([]byte, statBytes)); !ok || p.parent != f.PID() || p.group != c.pid {
			err = fmt.Errorf("the fork server returned process %d, which is not its child", c.pid)
		}
	}
	if err != nil {
		c.fork.pidfd.Close()
		if c.proc != nil {
			c.proc.Release()
		}
	}
	return err
}

// released reports whether a fork server has reaped its child before it was told to: the number of the group may be
// another's.
func (c *Child) released() bool { return c.fork != nil && c.proc.Signal(syscall.Signal(0)) != nil }

// reap waits for the child, takes its group with it, and has the fork server reap it. The child of a fork server
// that is gone has been killed; it is ours to wait for, if we are a sub-reaper.
func (k *forked) reap(c *Child) error {
	awaitEnd(k.pidfd)
	c.tree.end(c)
	c.status = syscall.WaitStatus(syscall.SIGKILL)
	f, status := k.server, make(chan syscall.WaitStatus, 1)
	f.mu.Lock()
	f.reaped[c.pid] = status
	f.mu.Unlock()
	late := time.AfterFunc(talkTime, func() { f.Kill() })
	f.send([]byte("reap "+strconv.Itoa(c.pid)), nil) // or it has ended, or is late
	select {
	case c.status = <-status:
	case <-f.ended:
		unix.Waitid(unix.P_PIDFD, int(k.pidfd.Fd()), nil, unix.WEXITED|unix.WNOHANG, nil)
	}
	late.Stop()
	k.pidfd.Close()
	c.proc.Release() // a sweep leaves a process alone that a descriptor refers to
	if c.status == 0 {
		return nil
	}
	return &exit{c.status}
}

// An exit is the Exit of a child that was forked, which has no os.ProcessState.
type exit struct{ status syscall.WaitStatus }

func (e *exit) ExitCode() int { return e.status.ExitStatus() }
func (e *exit) Sys() any      { return e.status }

func (e *exit) Error() string {
	if e.status.Signaled() {
		return "signal: " + e.status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", e.status.ExitStatus())
}
