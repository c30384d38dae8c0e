package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What of Landlock a sandbox needs: truncate(2) is asked about from ABI 3 on, TCP from ABI 4.
const (
	filesABI = 3
	portsABI = 4
)

// means are those that a system has for a sandbox.
type means struct {
	landlock int  // its ABI; 0 for none
	filters  bool // of system calls
}

func sandboxMeans() means { return means{landlockABI(), childFilter != nil && filtersSystemCalls()} }

const sandboxHint = `use a newer kernel, or set "required": false to serve without it`

// faults returns what of a sandbox a system with these means cannot keep up.
func (s *Sandbox) faults(m means) (faults []error) {
	not := func(key, format string, args ...any) {
		faults = append(faults, &SandboxError{key, fmt.Sprintf(format, args...), sandboxHint})
	}
	const noFilters = "it needs seccomp filters, which this system does not support (Linux on amd64 or arm64 does)"
	switch {
	case !s.NoNetwork:
	case !m.filters:
		not(SandboxNetwork, noFilters)
	case len(s.Ports) > 0 && m.landlock < portsABI:
		not(SandboxNetwork, "a list of ports needs Landlock ABI %d (Linux 6.7), but this kernel has %d", portsABI, m.landlock)
	}
	switch {
	case !s.ReadOnly:
	case !m.filters:
		not(SandboxWrite, noFilters)
	case m.landlock < filesABI:
		not(SandboxWrite, "it needs Landlock ABI %d (Linux 6.2), but this kernel has %d", filesABI, m.landlock)
	}
	return faults
}

// Rights to files that a sandbox handles: all that change something. None to devices is given.
const (
	changes = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REFER |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK
	devices = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
)

// sinks are the devices that programs write to and that keep nothing.
var sinks = []string{"/dev/null", "/dev/zero", "/dev/full"}

// An enclosure is what one process of a server enters before it runs anything of that: the walls of every
// child, and those of its sandbox.
type enclosure struct {
	rulesets []int    // descriptors of Landlock rulesets, to be entered in this order
	filters  []Filter // seccomp programs, to be entered after those
	home     string   // with Temp the child's own folders; empty without ReadOnly
	temp     string
	drop     []uintptr // capabilities to take out of the bounding set

	folder    string // of home and temp
	folders   *folders
	own       int        // descriptor of rulesets that is closed with it; -1 for none
	attending *attendant // answers for the last filter of enter, if ReadOnly
	attended  Filter
	reporter  *reporter // nil for none
	write     []string  // real paths of what may be changed, if ReadOnly
}

// enclose returns what the process of a sandbox enters. close must be called when all that came of the process is
// gone. A wish that the system cannot fulfil is a *SandboxError, or is left out if Optional.
func (s *system) enclose(box Sandbox) (_ *enclosure, err error) {
	if err := box.refused(); err != nil {
		return nil, err
	}
	for _, fault := range box.Check() {
		if fault.(*SandboxError).Key == SandboxNetwork {
			box.NoNetwork = false
		} else {
			box.ReadOnly = false
		}
	}
	e := &enclosure{own: -1, folders: &s.folders}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if s.walls.abi > 0 {
		ruleset, err := s.walls.landlock()
		if err != nil {
			return nil, err
		}
		e.rulesets, e.drop = []int{ruleset}, reaching
	}
	if s.walls.filter != nil {
		e.filters = []Filter{s.walls.filter}
	}
	if !box.asks() {
		return e, nil
	}
	e.drop = allButOverride()
	e.filters = append(e.filters, sandboxFilter)
	if box.ReadOnly {
		e.filters = append(e.filters, attributesFilter)
		if err := e.confineFiles(box.Write); err != nil {
			return nil, err
		}
	}
	if e.reporter = newReporter(box); e.reporter != nil {
		e.attended = e.reporter.filter()
	}
	if box.NoNetwork {
		e.filters = append(e.filters, networkFilter)
		switch {
		case e.reporter != nil: // which refuses itself, or it would not hear of it
		case len(box.Ports) == 0:
			e.filters = append(e.filters, noSocketsFilter)
		default:
			e.filters = append(e.filters, portsFilter)
		}
	}
	if box.ReadOnly || box.NoNetwork && len(box.Ports) > 0 {
		if e.own, err = box.ruleset(s.walls.abi, e.write); err != nil {
			return nil, fmt.Errorf("landlock: %w", err)
		}
		e.rulesets = append(e.rulesets, e.own)
	}
	return e, nil
}

// confineFiles makes the child's own folders and finds out what write really names.
func (e *enclosure) confineFiles(write []string) (err error) {
	if e.folder, err = e.folders.add(); err != nil {
		return fmt.Errorf("create a home folder: %w", err)
	}
	e.home, e.temp, e.attended = filepath.Join(e.folder, "home"), filepath.Join(e.folder, "tmp"), attendedFilter
	for _, dir := range append([]string{e.folder}, write...) {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			var info fs.FileInfo
			if info, err = os.Stat(real); err == nil && !info.IsDir() {
				err = unix.ENOTDIR
			}
		}
		if err != nil {
			if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
				err = pe.Err
			}
			return &SandboxError{SandboxWrite, fmt.Sprintf("the folder %s: %v", dir, err), "create it before the app starts"}
		}
		e.write = append(e.write, real)
	}
	return nil
}

// landlockPort is struct landlock_net_port_attr, which has a type of rule of its own.
type landlockPort struct{ access, port uint64 }

const ruleNetPort = 2

// ruleset returns a ruleset of what a sandbox asks for. No port can be bound: a server of MCP over stdio listens
// to no one.
func (s *Sandbox) ruleset(abi int, write []string) (fd int, err error) {
	var attr unix.LandlockRulesetAttr
	if s.ReadOnly {
		attr.Handled_access_fs = changes | devices
		if abi >= 5 {
			attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
		}
	}
	if s.NoNetwork && abi >= portsABI {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if fd, err = createRuleset(&attr); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	for _, dir := range write {
		if err := allowBelow(fd, dir, changes); err != nil {
			return -1, fmt.Errorf("%s: %w", dir, err)
		}
	}
	for _, file := range sinks {
		const sink = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
		if err := allowBelow(fd, file, sink&attr.Handled_access_fs); s.ReadOnly && err != nil && err != unix.ENOENT {
			return -1, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, port := range s.Ports {
		if !s.NoNetwork {
			break
		}
		rule := landlockPort{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, uint64(port)}
		if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(fd), ruleNetPort, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
			return -1, errno
		}
	}
	return fd, nil
}

// enter puts the calling thread, and all that it forks, behind the walls, which it cannot leave again.
func (e *enclosure) enter() error {
	if len(e.rulesets) == 0 && len(e.filters) == 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	for _, ruleset := range e.rulesets {
		if err := enterDomain(ruleset); err != nil {
			return fmt.Errorf("landlock: %w", err)
		}
	}
	for _, capability := range e.drop {
		unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0) // who may not does not have it
	}
	for _, filter := range e.filters {
		if err := enterFilter(filter); err != nil {
			return fmt.Errorf("seccomp: %w", err)
		}
	}
	if e.attended != nil {
		var err error
		if e.attending, err = attend(e.attended, e.write, e.reporter); err != nil {
			return fmt.Errorf("seccomp: %w", err)
		}
	}
	return nil
}

// close gives back what the enclosure holds. Its folders are removed with the next sweep, when what the process
// has left behind is gone.
func (e *enclosure) close() {
	if e.own >= 0 {
		unix.Close(e.own)
		e.own = -1
	}
	if e.attending != nil {
		e.attending.close()
		e.attending = nil
	}
	if e.folder != "" {
		e.folders.drop(e.folder)
		e.folder = ""
	}
}

// reaching are capabilities that under root would let a child past its domain; no server has a use for them.
// CAP_SYS_NICE and CAP_SYS_RESOURCE reach other processes and limits, CAP_CHECKPOINT_RESTORE chooses the number of a new
// process, and the last three reach the kernel itself.
var reaching = []uintptr{
	unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE, unix.CAP_PERFMON, unix.CAP_SYS_NICE, unix.CAP_SYS_RESOURCE, unix.CAP_CHECKPOINT_RESTORE,
	unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_BPF,
}

// allButOverride are the capabilities that a sandbox takes away. With the one that it leaves, root reads files
// whatever their mode; Landlock decides what it writes.
func allButOverride() (all []uintptr) {
	for c := uintptr(0); c < 64; c++ {
		if c != unix.CAP_DAC_OVERRIDE {
			all = append(all, c)
		}
	}
	return all
}
