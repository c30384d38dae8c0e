package process

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func writes(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("hostile")
	return err
}

// fresh makes a file that is the child's own.
func fresh(w world) string {
	f, err := os.CreateTemp(w.Inside, "own")
	if err != nil {
		panic(err)
	}
	f.Close()
	return f.Name()
}

// ioctlTry is an ioctl(2) that changes a file which is open for reading. Few file systems know it, so that it counts who
// refuses it.
func ioctlTry(number uintptr) func(world) error {
	return func(w world) error {
		return through(w, func(fd int) error {
			err := call(unix.SYS_IOCTL, uintptr(fd), number, 0)
			if err == unix.EPERM || err == unix.EOPNOTSUPP {
				return err
			}
			return nil
		})
	}
}

// through runs f with a descriptor of a file outside that is open for reading.
func through(w world, f func(fd int) error) error {
	fd, err := unix.Open(w.Outside+"/file", unix.O_RDONLY, 0)
	if err != nil {
		return nil // it is readable: nothing was tried
	}
	defer unix.Close(fd)
	return f(fd)
}

// swapped runs f with a path again and again, while what it leads to changes between a file of the child's own and
// one outside.
func swapped(w world, f func(path string) error) error {
	dir, err := os.MkdirTemp(w.Inside, "swap")
	if err != nil {
		panic(err)
	}
	os.Mkdir(dir+"/own", 0o700)
	os.WriteFile(dir+"/own/file", nil, 0o600)
	os.Symlink(dir+"/own", dir+"/a")
	os.Symlink(w.Outside, dir+"/b")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, dir+"/a", unix.AT_FDCWD, dir+"/b", unix.RENAME_EXCHANGE)
			}
		}
	}()
	for range 300 {
		f(dir + "/a/file")
	}
	close(stop)
	<-done
	return unix.EACCES // what came of it shows outside
}

var (
	zeroTimes = []unix.Timespec{{}, {}}
	one       = []byte("1")
)

// fileTries are against "write". None may change what is outside, which is looked at when all have been made.
var fileTries = []try{
	{"a new file", func(w world) error { return writes(w.Outside + "/new") }},
	{"a file that is there", func(w world) error { return writes(w.Outside + "/file") }},
	{"truncate", func(w world) error { return unix.Truncate(w.Outside+"/file", 0) }},
	{"truncate by opening", func(w world) error {
		_, err := unix.Open(w.Outside+"/file", unix.O_RDONLY|unix.O_TRUNC, 0)
		return err
	}},
	{"a file without a name", func(w world) error {
		fd, err := unix.Open(w.Outside, unix.O_TMPFILE|unix.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprint("/proc/self/fd/", fd), unix.AT_FDCWD, w.Outside+"/linked", unix.AT_SYMLINK_FOLLOW)
	}},
	{"rename outside", func(w world) error { return os.Rename(w.Outside+"/file", w.Outside+"/other") }},
	{"rename to outside", func(w world) error { return os.Rename(fresh(w), w.Outside+"/file") }},
	{"rename from outside", func(w world) error { return os.Rename(w.Outside+"/file", w.Inside+"/stolen") }},
	{"exchange with outside", func(w world) error {
		return unix.Renameat2(unix.AT_FDCWD, fresh(w), unix.AT_FDCWD, w.Outside+"/file", unix.RENAME_EXCHANGE)
	}},
	{"hard link to outside", func(w world) error { return os.Link(fresh(w), w.Outside+"/linked") }},
	{"hard link from outside", func(w world) error {
		os.Remove(w.Inside + "/linked")
		if err := os.Link(w.Outside+"/file", w.Inside+"/linked"); err != nil {
			return err
		}
		return writes(w.Inside + "/linked")
	}},
	{"by a symbolic link", func(w world) error {
		os.Remove(w.Inside + "/way")
		if err := os.Symlink(w.Outside+"/file", w.Inside+"/way"); err != nil {
			return err
		}
		return writes(w.Inside + "/way")
	}},
	{"by a link that is swapped", func(w world) error { return swapped(w, writes) }},
	{"unlink", func(w world) error { return os.Remove(w.Outside + "/file") }},
	{"rmdir", func(w world) error { return os.Remove(w.Outside + "/dir") }},
	{"mkdir", func(w world) error { return os.Mkdir(w.Outside+"/made-dir", 0o700) }},
	{"symlink", func(w world) error { return os.Symlink("x", w.Outside+"/made-link") }},
	{"a pipe with a name", func(w world) error { return unix.Mkfifo(w.Outside+"/made-pipe", 0o600) }},
	{"a file by mknod", func(w world) error { return unix.Mknod(w.Outside+"/made", unix.S_IFREG|0o600, 0) }},
	{"a device", func(w world) error {
		return unix.Mknod(w.Inside+"/device", unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0)))
	}},
	{"a socket", func(w world) error {
		l, err := net.Listen("unix", w.Outside+"/made-socket")
		if err == nil {
			l.Close()
		}
		return err
	}},
	{"a descriptor that is opened again", func(w world) error {
		return through(w, func(fd int) error { return writes(fmt.Sprint("/proc/self/fd/", fd)) })
	}},
	{"by /proc/self/root", func(w world) error { return writes("/proc/self/root" + w.Outside + "/file") }},
	{"by the root of the app", func(w world) error { return writes(fmt.Sprint("/proc/", w.App, "/root", w.Outside, "/file")) }},
	{"by a handle", func(w world) error {
		handle, mount, err := unix.NameToHandleAt(unix.AT_FDCWD, w.Outside+"/file", 0)
		if err != nil {
			return err
		}
		_ = mount
		dir, err := unix.Open(w.Outside, unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		_, err = unix.OpenByHandleAt(dir, handle, unix.O_WRONLY)
		return err
	}},
	{"a shared mapping", func(w world) error {
		return through(w, func(fd int) error {
			_, err := unix.Mmap(fd, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		})
	}},
	{"allocation", func(w world) error {
		return through(w, func(fd int) error { return unix.Fallocate(fd, 0, 0, 1<<20) })
	}},
	{"a lease, for which others wait", func(w world) error {
		return through(w, func(fd int) error {
			_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
			return err
		})
	}},
	{"chmod", func(w world) error { return unix.Chmod(w.Outside+"/file", 0o777) }},
	{"fchmod", func(w world) error {
		return through(w, func(fd int) error { return unix.Fchmod(fd, 0o777) })
	}},
	{"fchmodat2", func(w world) error {
		return call(unix.SYS_FCHMODAT2, uintptr(1<<64-100), text(w.Outside+"/file"), 0o777, 0)
	}},
	{"chmod of a descriptor by its path", func(w world) error {
		return through(w, func(fd int) error { return unix.Chmod(fmt.Sprint("/proc/self/fd/", fd), 0o777) })
	}},
	{"chmod from inside", func(w world) error { return unix.Chmod(w.Inside+"/../outside/file", 0o777) }},
	{"chmod by a link", func(w world) error { return unix.Chmod(w.Inside+"/way", 0o777) }},
	{"chmod by a link that is swapped", func(w world) error {
		return swapped(w, func(path string) error { return unix.Chmod(path, 0o777) })
	}},
	{"chmod of a folder with a like name", func(w world) error { return unix.Chmod(w.Inside+"-not", 0o777) }},
	{"setuid in its own folder", func(w world) error {
		file := fresh(w)
		if err := unix.Chmod(file, unix.S_ISUID|0o755); err != nil {
			return err
		}
		if info, err := os.Stat(file); err != nil || info.Mode()&fs.ModeSetuid == 0 {
			return unix.EPERM
		}
		return nil
	}},
	{"chown", func(w world) error { return os.Lchown(w.Outside+"/file", os.Getuid(), os.Getgid()) }},
	{"fchown", func(w world) error {
		return through(w, func(fd int) error { return unix.Fchown(fd, os.Getuid(), os.Getgid()) })
	}},
	{"times", func(w world) error { return unix.UtimesNanoAt(unix.AT_FDCWD, w.Outside+"/file", zeroTimes, 0) }},
	{"times of a descriptor", func(w world) error {
		return through(w, func(fd int) error {
			return call(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&zeroTimes[0])), 0)
		})
	}},
	{"extended attributes", func(w world) error { return unix.Setxattr(w.Outside+"/file", "user.x", one, 0) }},
	{"extended attributes of a descriptor", func(w world) error {
		return through(w, func(fd int) error { return unix.Fsetxattr(fd, "user.x", one, 0) })
	}},
	{"an access list", func(w world) error { return unix.Setxattr(w.Outside+"/file", "system.posix_acl_access", one, 0) }},
	{"flags of a file", func(w world) error {
		return through(w, func(fd int) error { return unix.IoctlSetPointerInt(fd, 0x40086602, 0x80) })
	}},
	{"verity of a file", ioctlTry(0x40806685)},
	{"encryption of a folder", ioctlTry(0x800c6613)},
	{"flags of a file, as a 32-bit program sets them", ioctlTry(0x40046602)},
	{"a project of a file", ioctlTry(0x401c5820)},
	{"a subvolume", ioctlTry(0x5000940e)},
	{"a subvolume, in 64 bits", ioctlTry(1<<32 | 0x5000940e)},
	{"attributes of a file", func(w world) error {
		attr := make([]byte, 24)
		err := call(469, uintptr(1<<64-100), text(w.Outside+"/file"), uintptr(unsafe.Pointer(&attr[0])), 24, 0)
		if err == unix.ENOSYS {
			return unix.EPERM
		}
		return err
	}},
	{"shared memory by name", func(world) error {
		name := "/dev/shm/mcpfunc-hostile-" + strconv.Itoa(os.Getpid())
		defer os.Remove(name)
		return writes(name)
	}},
	{"shared memory of System V", func(world) error { return shared(unix.SYS_SHMGET, unix.SYS_SHMCTL, 4096) }},
	{"a queue of System V", func(world) error { return shared(unix.SYS_MSGGET, unix.SYS_MSGCTL, 0o600) }},
	{"semaphores of System V", func(world) error { return shared(unix.SYS_SEMGET, unix.SYS_SEMCTL, 1) }},
	{"a queue of POSIX", func(world) error {
		defer call(unix.SYS_MQ_UNLINK, text("hostile"))
		return call(unix.SYS_MQ_OPEN, text("hostile"), unix.O_CREAT|unix.O_RDWR, 0o600, 0)
	}},
	{"the keys of its user", func(world) error {
		return call(unix.SYS_ADD_KEY, text("user"), text("hostile"), text("x"), 1, ^uintptr(3))
	}},
	{"the temporary folder of all", func(world) error {
		name := "/tmp/mcpfunc-hostile-" + strconv.Itoa(os.Getpid())
		defer os.Remove(name)
		return writes(name)
	}},
	{"its own memory by /proc", func(world) error {
		_, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
		return err
	}},
	{"a program in memory", func(w world) error {
		fd, err := unix.MemfdCreate("hostile", 0)
		if err != nil {
			return err
		}
		self, err := os.Open("/proc/self/exe")
		if err != nil {
			return err
		}
		defer self.Close()
		if _, err := io.Copy(os.NewFile(uintptr(fd), "memory"), self); err != nil {
			return err
		}
		return exec.Command(fmt.Sprint("/proc/self/fd/", fd), "hostile", "write", w.Outside+"/new").Run()
	}},
	{"the home of another", func(world) error {
		return writes(filepath.Join(os.Getenv("HOME"), "..", "..", "1", "home", "hostile"))
	}},
	{"ptrace", func(w world) error { return unix.PtraceAttach(w.Victim) }},
	{"memory of a sibling", func(w world) error {
		return vmWrite(w.Victim)
	}},
	{"a descriptor of a sibling", func(w world) error { return descriptorOf(w.Victim) }},
	{"a signal to a sibling", func(w world) error { return unix.Kill(w.Victim, unix.SIGCONT) }},
	{"the namespaces of the app", func(w world) error {
		fd, err := unix.PidfdOpen(w.App, 0)
		if err != nil {
			return err
		}
		return unix.Setns(fd, unix.CLONE_NEWNET|unix.CLONE_NEWNS)
	}},
	{"a mount", func(w world) error { return unix.Mount("none", w.Outside+"/dir", "tmpfs", 0, "") }},
	{"a mount onto itself", func(w world) error { return unix.Mount(w.Inside, w.Outside+"/dir", "", unix.MS_BIND, "") }},
	{"a mount without a place", func(world) error {
		fd, err := unix.Fsopen("tmpfs", 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}},
	{"a copy of a mount", func(w world) error {
		fd, err := unix.OpenTree(unix.AT_FDCWD, w.Outside, unix.OPEN_TREE_CLONE)
		if err != nil {
			return err
		}
		return writes(fmt.Sprint("/proc/self/fd/", fd, "/file"))
	}},
	{"what is inherited", func(world) error {
		for fd := 3; fd < 1024; fd++ {
			if path, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd)); err == nil && strings.HasSuffix(path, "leaked") {
				return nil
			}
		}
		return unix.EBADF
	}},
	{"io_uring", netTries[len(netTries)-2].do},
	{"another root", func(w world) error {
		if err := unix.Chroot(w.Outside); err != nil {
			return err
		}
		return writes("/file")
	}},
}
