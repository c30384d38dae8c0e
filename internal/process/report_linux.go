//go:build mcpfunc_devpage && (amd64 || arm64)

package process

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A reporter tells a developer what a sandbox refuses, so that they learn what to list. The kernel does not tell
// without privileges. So what a sandbox may refuse is passed on to the attendant of the child (attributes_linux.go):
// it looks, tells, and lets the kernel go on, which refuses or does not. Sockets alone it refuses by itself, in place
// of a filter, which would not pass on what it refuses.
//
// It is in builds for mcpfunc dev alone: every file that a child writes costs a turn.
type reporter struct{ box Sandbox }

func newReporter(box Sandbox) *reporter {
	if box.Report == nil {
		return nil
	}
	return &reporter{box: box}
}

var reportFilter = filter("report")

func (r *reporter) filter() Filter { return reportFilter }

// look says whether a call goes on to the kernel, or else with what error it ends. With neither it is one of those that
// an attendant does itself.
func (r *reporter) look(a *attendant, n *notification) (goesOn bool, err error) {
	if r == nil {
		return false, nil
	}
	switch n.number {
	case unix.SYS_SOCKET:
		if r.box.NoNetwork {
			return r.socket(int(int32(n.args[0])), int(int32(n.args[1])), int(int32(n.args[2])))
		}
		return true, nil
	case unix.SYS_CONNECT:
		if r.box.NoNetwork {
			r.connect(n)
		}
		return true, nil
	}
	if !r.box.ReadOnly {
		return true, nil
	}
	for _, name := range namesOf(n) {
		if path, ok := name.resolve(n); ok && !slices.Contains(sinks, path) && !a.writable(path) {
			r.box.Report(Refusal{SandboxWrite, name.verb + " " + path, fmt.Sprintf("add %q to sandbox.write if the server needs it", filepath.Dir(path))})
		}
	}
	return !slices.Contains(attended, n.number), nil
}

// attended are the calls that an attendant does itself.
var attended = []int32{
	sysChmod, unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_UTIMENSAT, sysChown, sysLchown, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT,
}

const (
	allHint  = `only "all" allows it`
	unixHint = `ignore it if it is the GNU C library's first attempt to resolve a name (nscd); otherwise only "all" allows it`
)

// socket refuses what noSocketsFilter and portsFilter do.
func (r *reporter) socket(family, kind, protocol int) (goesOn bool, err error) {
	stream := kind&^(unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC) == unix.SOCK_STREAM
	internet := family == unix.AF_INET || family == unix.AF_INET6
	switch {
	case family == unix.AF_NETLINK && protocol == 0:
		return true, nil
	case internet && stream && (protocol == 0 || protocol == unix.IPPROTO_TCP):
		if len(r.box.Ports) > 0 {
			return true, nil
		}
		r.box.Report(Refusal{SandboxNetwork, "a TCP socket", `list any port instead of "none": each port that it tries is then reported`})
	case internet && kind&0xf == unix.SOCK_DGRAM:
		refusal := Refusal{SandboxNetwork, "a UDP socket", "if it resolves names, add 53 to sandbox.network: the GNU C library then asks over TCP"}
		if slices.Contains(r.box.Ports, 53) {
			refusal.Hint = allHint
		}
		r.box.Report(refusal)
	case family == unix.AF_UNIX:
		r.box.Report(Refusal{SandboxNetwork, "a Unix socket", unixHint})
	default:
		r.box.Report(Refusal{SandboxNetwork, fmt.Sprintf("a socket of family %d, type %d, protocol %d", family, kind&0xf, protocol), allHint})
	}
	return false, unix.EACCES
}

// connect tells of a port that is not listed.
func (r *reporter) connect(n *notification) {
	t := target{pid: int(n.pid)}
	data := make([]byte, min(n.args[2], 28)) // struct sockaddr_in6
	if len(data) < 8 || t.read(n.args[1], data) != nil {
		return
	}
	var addr netip.Addr
	switch family := binary.NativeEndian.Uint16(data); {
	case family == unix.AF_INET:
		addr, _ = netip.AddrFromSlice(data[4:8])
	case family == unix.AF_INET6 && len(data) >= 24:
		addr, _ = netip.AddrFromSlice(data[8:24])
	default:
		return
	}
	port := binary.BigEndian.Uint16(data[2:])
	if !slices.Contains(r.box.Ports, port) {
		r.box.Report(Refusal{SandboxNetwork, "a connection to " + netip.AddrPortFrom(addr.Unmap(), port).String(), fmt.Sprintf("add %d to sandbox.network", port)})
	}
}

// A named is a file that a call would change.
type named struct {
	verb   string
	dir    int  // which argument of the call is a descriptor of the folder that path starts from, or here
	path   int  // which argument is the path
	parent bool // the folder that it is in is what changes: a link is not followed
}

// here says that a path starts from the working directory.
const here = -1

// resolve returns the real path of a file. It reports false for one that a sandbox does not decide on, or that cannot
// be looked for.
func (f named) resolve(n *notification) (string, bool) {
	path, err := (&target{pid: int(n.pid), path: n.args[f.path]}).text()
	if err != nil {
		return "", false
	}
	if !filepath.IsAbs(path) {
		from := "/proc/" + strconv.Itoa(int(n.pid)) + "/cwd"
		if f.dir != here && int32(n.args[f.dir]) != unix.AT_FDCWD {
			from = "/proc/" + strconv.Itoa(int(n.pid)) + "/fd/" + strconv.Itoa(int(int32(n.args[f.dir])))
		}
		dir, err := os.Readlink(from)
		if err != nil || !filepath.IsAbs(dir) {
			return "", false
		}
		path = filepath.Join(dir, path)
	}
	for _, other := range []string{"/proc/", "/dev/fd/", "/dev/std", "/dev/tty", "/dev/pts/"} {
		if strings.HasPrefix(path, other) {
			return "", false
		}
	}
	if !f.parent {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real, true
		}
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err == nil
}

// namesOf returns the files that a call would change.
func namesOf(n *notification) []named {
	if n.number == unix.SYS_OPENAT2 {
		t := target{pid: int(n.pid)}
		var flags [8]byte
		if t.read(n.args[2], flags[:]) != nil || binary.NativeEndian.Uint64(flags[:])&(unix.O_WRONLY|unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC) == 0 {
			return nil
		}
	}
	if names, ok := callNames[n.number]; ok {
		return names
	}
	return legacyNames[n.number]
}

// callNames are the files that calls would change, by the numbers of the calls.
var callNames = map[int32][]named{
	unix.SYS_OPENAT:    {{"write", 0, 1, false}},
	unix.SYS_OPENAT2:   {{"write", 0, 1, false}},
	unix.SYS_TRUNCATE:  {{"truncate", here, 0, false}},
	unix.SYS_MKDIRAT:   {{"create the folder", 0, 1, true}},
	unix.SYS_MKNODAT:   {{"make", 0, 1, true}},
	unix.SYS_UNLINKAT:  {{"remove", 0, 1, true}},
	unix.SYS_SYMLINKAT: {{"create the link", 1, 2, true}},
	unix.SYS_RENAMEAT:  {{"move", 0, 1, true}, {"move to", 2, 3, true}},
	unix.SYS_RENAMEAT2: {{"move", 0, 1, true}, {"move to", 2, 3, true}},
	unix.SYS_LINKAT:    {{"link", 0, 1, true}, {"link to", 2, 3, true}},
	unix.SYS_FCHMODAT:  {{"change the mode of", 0, 1, false}},
	unix.SYS_FCHMODAT2: {{"change the mode of", 0, 1, false}},
	unix.SYS_UTIMENSAT: {{"change the times of", 0, 1, false}},
	unix.SYS_FCHOWNAT:  {{"change the owner of", 0, 1, false}},
}
