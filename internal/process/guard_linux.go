package process

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

// The Functions host ends a handler by SIGKILL and nothing else, so a handler cannot clean up after
// itself. Its children die with it (PR_SET_PDEATHSIG), but what they started does not: under npx
// that is the server itself. The guard is a process that learns the process groups over a pipe, and when
// the pipe ends it kills what is left and exits.
//
// It is a shell and not this program once more, since that would have to run the user's main, or be
// ended before it by an init that every program with this package in it would have. It is smaller, too.
type guard struct {
	shell  string // guardShell
	nonce  string
	folder string // of what children had to themselves
	log    *slog.Logger

	mu     sync.Mutex
	may    bool         // be started
	tried  bool         // to start it
	groups map[int]bool // of children that are alive
	cmd    *exec.Cmd
	pipe   *os.File // nil when there is no guard
}

// guardShell is what runs the guard. Without a shell, as in an image without a distribution, there is
// no guard.
const guardShell = "/bin/sh"

// guardScript keeps the groups until its stdin ends, and then kills what is left of them, and whatever carries a
// mark of the app's children (mark_linux.go), until it meets none. At last it removes the folders that were theirs. It
// needs a POSIX shell, grep, rm and sleep. Its arguments are what all marks begin with, and the folder of those.
const guardScript = `
set -f
nonce=$1 folder=$2 groups=' '
while read -r line; do
	group=${line#?}
	case $line in
	+*) groups="$groups$group " ;;
	-*) case $groups in *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;; esac ;;
	esac
done
round=0
while [ $round -lt 100 ]; do
	round=$((round + 1)) met=
	for group in $groups; do
		kill -s KILL -- "-$group" 2>/dev/null && met=1
	done
	for file in $(set +f; grep -ls "^Max realtime timeout *$nonce" /proc/[0-9]*/limits; grep -las "` + markName + `=$nonce" /proc/[0-9]*/environ); do
		dir=${file%/*}
		pid=${dir#/proc/}
		{ read -r stat <"$dir/stat"; } 2>/dev/null
		case ${stat##*)} in ' Z'*) continue ;; esac
		[ "$pid" != $$ ] && kill -s KILL "$pid" 2>/dev/null && met=1
	done
	[ -z "$met" ] && break
	sleep 0.02 2>/dev/null || sleep 1
done
rm -rf -- "$folder" 2>/dev/null || { chmod -R u+rwX -- "$folder"; rm -rf -- "$folder"; } 2>/dev/null
`

// allow says that the process is the app's own, so that a guard may watch it, from the first child on.
func (g *guard) allow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.may = true
	if len(g.groups) > 0 {
		g.startLocked()
	}
}

// allowed reports whether there is a guard, or will be one with the first child.
func (g *guard) allowed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.may && (g.pipe != nil || !g.tried)
}

// begin starts the guard if that is allowed and has not been tried.
func (g *guard) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.startLocked()
}

func (g *guard) startLocked() {
	if !g.may || g.tried {
		return
	}
	g.tried = true
	if err := g.execLocked(); err != nil {
		g.log.Warn("cannot start the guard: processes of servers may survive if the app is killed", "error", err)
		return
	}
	for _, pid := range slices.Sorted(maps.Keys(g.groups)) {
		g.tellLocked('+', pid)
	}
}

func (g *guard) execLocked() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	g.cmd = &exec.Cmd{
		Path: g.shell, Args: []string{"sh", "-c", guardScript, "mcpfunc-guard", g.nonce, g.folder}, Stdin: r, Dir: "/",
		Env:         []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}, // a Ctrl-C is not for it
	}
	if err := g.cmd.Start(); err != nil {
		w.Close()
		return err
	}
	g.pipe = w
	return nil
}

// track says that the group of pid has begun ('+') or ended ('-').
func (g *guard) track(what byte, pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if what == '+' {
		g.groups[pid] = true
	} else {
		delete(g.groups, pid)
	}
	g.tellLocked(what, pid)
}

// tellLocked writes to the guard. A pipe takes so short a line whole or, with a guard that does not
// read, not at all; then the marks still tell.
func (g *guard) tellLocked(what byte, pid int) {
	if g.pipe != nil {
		g.pipe.SetWriteDeadline(time.Now().Add(time.Second))
		fmt.Fprintf(g.pipe, "%c%d\n", what, pid)
	}
}

// dismiss ends the guard, for which there is nothing left to do.
func (g *guard) dismiss() {
	g.mu.Lock()
	pipe := g.pipe
	g.pipe, g.may = nil, false
	g.mu.Unlock()
	if pipe != nil {
		g.cmd.Process.Kill()
		g.cmd.Wait()
		pipe.Close()
	}
}
