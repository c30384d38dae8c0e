package hostemu

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A worker is one run of the handler's process.
type worker struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone and its output is read
	code  int           // once ended; 128 + n after signal n

	expired chan struct{} // closed by expire
	expire  func()        // says that an invocation exceeded functionTimeout; may be called again

	mu     sync.Mutex
	errors []string // the last lines of stderr
}

// startWorker starts cmd and sends each line it writes to lines. stdin is the host's own, for that
// is how the real host leaves it. The worker must be ended by kill, whatever became of it.
func startWorker(cmd *exec.Cmd, lines chan<- line, drain time.Duration) (*worker, error) {
	w := &worker{cmd: cmd, ended: make(chan struct{}), expired: make(chan struct{})}
	w.expire = sync.OnceFunc(func() { close(w.expired) })
	started := make(chan error)
	go w.run(lines, drain, started)
	if err := <-started; err != nil {
		<-w.ended
		return nil, err
	}
	return w, nil
}

// run stays on one thread from start to end: where the system can end a process with its parent
// (see endWithHost), it means the thread that started it.
func (w *worker) run(lines chan<- line, drain time.Duration, started chan<- error) {
	defer close(w.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	var readers sync.WaitGroup
	var pipes [2]*os.File
	start := func() error {
		var writers [2]*os.File
		for i := range pipes {
			var err error
			if pipes[i], writers[i], err = os.Pipe(); err != nil {
				return err
			}
			defer writers[i].Close()
		}
		w.cmd.Stdin, w.cmd.Stdout, w.cmd.Stderr = os.Stdin, writers[0], writers[1]
		endWithHost(w.cmd)
		return w.cmd.Start()
	}
	defer func() {
		for _, p := range pipes {
			p.Close() // a nil file's Close only says so
		}
	}()
	if err := start(); err != nil {
		started <- err
		return
	}
	readers.Go(func() { eachLine(pipes[0], func(text string) { lines <- fromStdout(text) }) })
	readers.Go(func() { eachLine(pipes[1], func(text string) { w.remember(text); lines <- fromStderr(text) }) })
	started <- nil

	_ = w.cmd.Wait() // the state says more than the error
	w.code = exitCode(w.cmd.ProcessState)
	w.finish(pipes, &readers, drain)
}

// finish reads what the process left in its pipes. A child of it that still holds them may write for
// a moment; then they are closed, as the real host closes them with the process object.
func (w *worker) finish(pipes [2]*os.File, readers *sync.WaitGroup, drain time.Duration) {
	bounded := true
	for _, p := range pipes {
		// Windows has no deadline for pipes: there a reader lives as long as the last writer.
		bounded = p.SetReadDeadline(time.Now().Add(drain)) == nil && bounded
	}
	if bounded {
		readers.Wait()
	}
}

// kill ends the process without a warning and the process only, not its children: so does the real
// host, which sends SIGKILL and waits a second.
func (w *worker) kill(wait time.Duration) {
	_ = w.cmd.Process.Kill() // it may have ended by itself
	select {
	case <-w.ended:
	case <-time.After(wait):
	}
}

func (w *worker) remember(line string) {
	const keep = 3 // as many as the host adds to its message
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.errors = append(w.errors, line); len(w.errors) > keep {
		w.errors = w.errors[1:]
	}
}

// lastWords returns the last lines of stderr as one.
func (w *worker) lastWords() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.errors, " / ")
}

// exitCode is .NET's: a signal counts as 128 and its number.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
