package process

import (
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

// A Child is a process of the operating system. It implements Process, Terminator, Complainer and
// framing.PieceReader.
type Child struct {
	supervisor *Supervisor
	proc       *os.Process
	pid        int
	status     syscall.WaitStatus // set before gone is closed
	serves     bool               // it is a ForkServer's, and no server's process
	stdin      *os.File
	wideIn     atomic.Bool // stdin has been widened
	stdout     *pipe
	stderr     *pipe
	once       sync.Once     // closes stdin
	gone       chan struct{} // closed when the process has been waited for
	err        error         // of that wait; set before gone is closed
	tree       tree          // its descendants, as far as the system keeps them together
	killed     atomic.Bool   // by us
	wide       int           // pipes that were widened; guarded by supervisor.mu
	sandbox    Sandbox
	systemChild
}

// start runs spec. The caller has made supervisor account for it.
func start(s *Supervisor, spec Spec) (*Child, error) {
	path, err := Find(spec)
	if err != nil {
		return nil, err
	}
	return piped(s, spec, func(c *Child, ends [3]*os.File) error {
		cmd := &exec.Cmd{Path: path, Args: append([]string{spec.Command}, spec.Args...), Dir: spec.Dir, ExtraFiles: spec.files}
		cmd.Env = append([]string{}, spec.Env...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = ends[0], ends[1], ends[2]
		return c.launch(cmd)
	})
}

// piped makes a child of what launch starts with the other ends of its pipes.
func piped(s *Supervisor, spec Spec, launch func(c *Child, ends [3]*os.File) error) (*Child, error) {
	c := &Child{supervisor: s, sandbox: spec.Sandbox, gone: make(chan struct{}), serves: len(spec.files) > 0}
	var ends [3]*os.File // of the child
	defer func() { closeAll(ends[:]) }()
	var ours [3]*os.File
	for i := range ends {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours[:])
			return nil, &CommandError{Command: spec.Command, Err: err}
		}
		ends[i], ours[i] = w, r
		if i == 0 {
			ends[i], ours[i] = r, w
		}
	}
	c.stdin, c.stdout, c.stderr = ours[0], newPipe(ours[1], c.found), newPipe(ours[2], nil)
	if err := launch(c, ends); err != nil {
		closeAll(ours[:])
		return nil, &CommandError{Command: spec.Command, Err: err, Hint: Hint(spec.Command)}
	}
	return c, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// run starts cmd. Nothing of it is kept but the process: its environment is larger than a Child.
func (c *Child) run(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	c.proc, c.pid = cmd.Process, cmd.Process.Pid
	return nil
}

// collect waits for the process as exec.Cmd does.
func (c *Child) collect() error {
	state, err := c.proc.Wait()
	if err != nil {
		return err
	}
	c.status, _ = state.Sys().(syscall.WaitStatus)
	if !state.Success() {
		return &exec.ExitError{ProcessState: state}
	}
	return nil
}

// PID is the process id of the child, which leads a process group of that number.
func (c *Child) PID() int { return c.pid }

// wait blocks until the child is gone, then takes everything else in its group with it. It is
// called once, where the system wants it.
func (c *Child) wait() {
	c.err = c.reap()
	c.stdout.finish()
	c.stderr.finish()
	close(c.gone)
	c.supervisor.ended(c)
}

// Wait returns once the child is gone, with an Exit if it did not exit with 0. Any number of goroutines may
// call it.
func (c *Child) Wait() error {
	<-c.gone
	return c.err
}

// Read reads from the child's stdout. Once the child is gone it returns what is left and then
// io.EOF, even if a process that escaped holds the other end.
func (c *Child) Read(p []byte) (int, error) { return c.stdout.Read(p) }

// ReadPiece is Read with memory that is taken only when there is something to read.
func (c *Child) ReadPiece() (*bufpool.Piece, int, error) { return c.stdout.ReadPiece() }

// Stderr returns the child's stderr, which ends like Read does.
func (c *Child) Stderr() io.Reader { return c.stderr }

// Write writes to the child's stdin. It blocks while the child does not read, until Kill.
func (c *Child) Write(p []byte) (int, error) {
	c.expect(len(p))
	return c.stdin.Write(p)
}

// Close closes the child's stdin.
func (c *Child) Close() (err error) {
	c.once.Do(func() { err = c.stdin.Close() })
	return err
}

// Terminate asks the child and its group to end.
func (c *Child) Terminate() error { return c.tree.terminate(c) }

// Kill ends the child and its group.
func (c *Child) Kill() error {
	c.killed.Store(true)
	err := c.tree.kill(c)
	c.Close() // frees a Write that is blocked
	return err
}
