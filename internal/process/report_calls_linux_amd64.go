//go:build mcpfunc_devpage

package process

import "golang.org/x/sys/unix"

// legacyNames are callNames of calls that newer architectures do not have.
var legacyNames = map[int32][]named{
	unix.SYS_OPEN:    {{"write", here, 0, false}},
	unix.SYS_CREAT:   {{"write", here, 0, false}},
	unix.SYS_MKDIR:   {{"create the folder", here, 0, true}},
	unix.SYS_MKNOD:   {{"make", here, 0, true}},
	unix.SYS_UNLINK:  {{"remove", here, 0, true}},
	unix.SYS_RMDIR:   {{"remove", here, 0, true}},
	unix.SYS_SYMLINK: {{"create the link", here, 1, true}},
	unix.SYS_RENAME:  {{"move", here, 0, true}, {"move to", here, 1, true}},
	unix.SYS_LINK:    {{"link", here, 0, true}, {"link to", here, 1, true}},
	unix.SYS_CHMOD:   {{"change the mode of", here, 0, false}},
	unix.SYS_CHOWN:   {{"change the owner of", here, 0, false}},
	unix.SYS_LCHOWN:  {{"change the owner of", here, 0, false}},
}
