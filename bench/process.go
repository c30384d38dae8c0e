package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A proc is a contender's process. Its output goes to a file, of which the end is shown when it
// does not start.
type proc struct {
	cmd  *exec.Cmd
	out  *os.File
	gone chan struct{}
}

// start starts a program in a process group of its own.
func start(dir string, env []string, command string, args ...string) (*proc, error) {
	out, err := os.CreateTemp("", "mcpfunc-bench-*.log")
	if err != nil {
		return nil, err
	}
	os.Remove(out.Name())
	p := &proc{cmd: exec.Command(command, args...), out: out, gone: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, append(os.Environ(), env...), out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		out.Close()
		return nil, err
	}
	started.Store(p.cmd.Process.Pid, true)
	go func() {
		p.cmd.Wait()
		started.Delete(p.cmd.Process.Pid)
		close(p.gone)
	}()
	return p, nil
}

// said is the end of what the process printed.
func (p *proc) said() string {
	info, err := p.out.Stat()
	if err != nil {
		return ""
	}
	tail := make([]byte, min(info.Size(), 400))
	p.out.ReadAt(tail, info.Size()-int64(len(tail)))
	return strings.Join(strings.Fields(string(tail)), " ")
}

// stop ends the process and its group, with a chance to do it itself.
func (p *proc) stop() {
	defer p.out.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(20 * time.Second):
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.gone
}

// await returns when the process answers HTTP at addr, whatever it answers.
func (p *proc) await(addr string) error {
	// A new connection each time: what is measured is the first answer, not the first listen.
	web := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
		select {
		case <-p.gone:
			return fmt.Errorf("it ended (%s): %s", p.cmd.ProcessState, p.said())
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		c.Close()
		answer, err := web.Get("http://" + addr + "/")
		if err == nil {
			answer.Body.Close()
			return nil
		}
	}
	return fmt.Errorf("it did not answer within %s: %s", patience, p.said())
}

// freeAddr is a free address on loopback.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// A usage is what a process has used, without its children.
type usage struct {
	cpu      time.Duration
	resident int64 // bytes
	peak     int64 // bytes, since the last forgetPeak
}

func (p *proc) usage() (u usage, err error) {
	dir := filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	_, after, _ := bytes.Cut(stat, []byte(") ")) // the name may have blanks in it
	fields := strings.Fields(string(after))
	if len(fields) < 13 {
		return u, errors.New("/proc/.../stat is too short")
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime: proc(5) fields 14 and 15
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, err
		}
		ticks += n
	}
	u.cpu = time.Duration(ticks) * time.Second / 100 // USER_HZ
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		var into *int64
		switch name {
		case "VmRSS":
			into = &u.resident
		case "VmHWM":
			into = &u.peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return u, err
		}
		*into = kib << 10
	}
	return u, nil
}

// forgetPeak makes peak begin at what is resident now (proc(5), clear_refs).
func (p *proc) forgetPeak() error {
	return os.WriteFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "clear_refs"), []byte("5"), 0)
}
