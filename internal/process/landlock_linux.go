package process

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// landlockABI returns the version of Landlock that the kernel offers, or 0.
func landlockABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// newRuleset returns a descriptor of what a child may do. It may be entered any number of times, each of
// which makes a domain of its own.
//
// The domain itself is the point: a process can only trace, and so read the environment and memory of,
// what is in its own domain or below (landlock(7), "Ptrace restrictions"), and from ABI 6 on only signal
// that. Of files it closes /proc and /sys for writing, where the same user id is all that it takes to change how
// the kernel treats another process (oom_score_adj, autogroup, timerslack_ns, control groups).
//
// Whatever access to files a ruleset handles, it then refuses to move and link files from one folder to
// another, which breaks uv, git and many a server, unless a rule allows that (LANDLOCK_ACCESS_FS_REFER).
// ABI 1 has no such rule, and refuses that whatever is handled: there children have to copy.
func newRuleset(abi int) (fd int, err error) {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_WRITE_FILE}
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_SIGNAL | unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	if fd, err = createRuleset(&attr); err != nil {
		return -1, err
	}
	if err := allowFiles(fd, attr.Handled_access_fs); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func createRuleset(attr *unix.LandlockRulesetAttr) (fd int, err error) {
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(ruleset), nil
}

// allowFiles allows an access to all files but those below /proc and /sys. A file directly in the root folder has
// no folder to be allowed by, and cannot be written.
func allowFiles(ruleset int, access uint64) error {
	if refer := access & unix.LANDLOCK_ACCESS_FS_REFER; refer != 0 {
		if err := allowBelow(ruleset, "/", refer); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := "/" + e.Name()
		info, err := os.Stat(path) // through links
		if err != nil || !info.IsDir() || isKernels(path) {
			continue
		}
		if err := allowBelow(ruleset, path, access); err != nil {
			return err
		}
	}
	return nil
}

// isKernels reports whether a path is a folder in which files are ways to set something of the kernel or of a process.
func isKernels(path string) bool {
	var fs unix.Statfs_t
	err := unix.Statfs(path, &fs)
	return err == nil && (fs.Type == unix.PROC_SUPER_MAGIC || fs.Type == unix.SYSFS_MAGIC || fs.Type == unix.CGROUP_SUPER_MAGIC || fs.Type == unix.CGROUP2_SUPER_MAGIC)
}

// allowBelow adds a rule to a ruleset that allows an access to all files below a folder.
func allowBelow(ruleset int, path string, access uint64) error {
	dir, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(dir)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// enterDomain puts the calling thread, and all that it forks, into a Landlock domain of its own.
func enterDomain(ruleset int) error {
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
