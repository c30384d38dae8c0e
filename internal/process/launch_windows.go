package process

import (
	"errors"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

func (c *Child) launch(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
	if err := c.sandbox.refused(); err != nil {
		return err
	}
	job, err := newJob()
	if err != nil {
		return err
	}
	if err := c.run(cmd); err != nil {
		windows.CloseHandle(job)
		return err
	}
	c.tree.job = job
	if err := c.tree.take(c.PID()); err != nil {
		c.proc.Kill()
		c.proc.Wait()
		windows.CloseHandle(job)
		return err
	}
	go c.wait()
	return nil
}

// newJob returns a job object whose processes die with its last handle, that is, with the app.
func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		windows.CloseHandle(job)
		return 0, err
	}
	return job, nil
}

// tree is the job object that holds a child and all that it starts.
type tree struct{ job windows.Handle }

func (t *tree) take(pid int) error {
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h)
	return windows.AssignProcessToJobObject(t.job, h)
}

// terminate has no equivalent: a console process has no SIGTERM.
func (t *tree) terminate(*Child) error { return errors.ErrUnsupported }

func (t *tree) kill(c *Child) error {
	select {
	case <-c.gone:
		return nil
	default:
		return windows.TerminateJobObject(t.job, 1)
	}
}

func (t *tree) end(*Child) {
	windows.TerminateJobObject(t.job, 1)
	windows.CloseHandle(t.job)
}

const isolation = "job object"
