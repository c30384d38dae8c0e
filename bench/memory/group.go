package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// enterGroup names, in the environment of this program, the control group in which it is to start a command.
const enterGroup = "MCPFUNC_MEMORY_GROUP"

// A group is a control group with a limit of memory. Programs that start in it see it as the root, as in a
// container: that is where the handler reads its limit.
type group struct {
	root string // where the kernel shows groups
	dir  string
}

// newGroup makes a group that may use so many bytes.
func newGroup(limit int64) (*group, error) {
	root, file := "/sys/fs/cgroup", "memory.max"
	if _, err := os.Stat(root + "/cgroup.controllers"); err != nil { // version 1
		root, file = root+"/memory", "memory.limit_in_bytes"
	}
	dir, err := os.MkdirTemp(root, "mcpfunc-memory-")
	if err != nil {
		return nil, err
	}
	g := &group{root, dir}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.FormatInt(limit, 10)), 0); err != nil {
		g.remove()
		return nil, fmt.Errorf("limit the memory of a control group: %w", err)
	}
	return g, nil
}

// command is a command that runs in the group.
func (g *group) command(env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", append([]string{name}, args...)...)
	cmd.Env = append(env, enterGroup+"="+g.root+":"+g.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}

// enter moves this process into a group and becomes the command.
func enter(names string, command []string) error {
	root, dir := filepath.SplitList(names)[0], filepath.SplitList(names)[1]
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	if err := syscall.Mount(dir, root, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the control group: %w", err)
	}
	if err := os.Unsetenv(enterGroup); err != nil {
		return err
	}
	return syscall.Exec(command[0], command, os.Environ())
}

// remove ends what is left in the group, and the group.
func (g *group) remove() {
	for range 100 {
		procs, _ := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
		for _, pid := range pids(procs) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if os.Remove(g.dir) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
