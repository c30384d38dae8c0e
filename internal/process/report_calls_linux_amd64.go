//go:build mcpfunc_devpage

package process

import "golang.org/x/sys/unix"

// legacyNames are namesOf for calls that newer architectures do not have.
func legacyNames(n *notification) []named {
	a := &n.args
	switch n.number {
	case unix.SYS_OPEN, unix.SYS_CREAT:
		return []named{here("write", a[0], false)}
	case unix.SYS_MKDIR:
		return []named{here("create the folder", a[0], true)}
	case unix.SYS_MKNOD:
		return []named{here("make", a[0], true)}
	case unix.SYS_UNLINK, unix.SYS_RMDIR:
		return []named{here("remove", a[0], true)}
	case unix.SYS_SYMLINK:
		return []named{here("create the link", a[1], true)}
	case unix.SYS_RENAME:
		return []named{here("move", a[0], true), here("move to", a[1], true)}
	case unix.SYS_LINK:
		return []named{here("link", a[0], true), here("link to", a[1], true)}
	case unix.SYS_CHMOD:
		return []named{here("change the mode of", a[0], false)}
	case unix.SYS_CHOWN, unix.SYS_LCHOWN:
		return []named{here("change the owner of", a[0], false)}
	}
	return nil
}
