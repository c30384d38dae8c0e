package mcpfunc

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// errDeserted is why ListenAndServe ends when the Functions host has.
var errDeserted = errors.New("the Functions host has exited")

// desertedTime is what servers get to end by themselves once the host is gone.
const desertedTime = 1500 * time.Millisecond

// watchHost returns a channel that is closed when the Functions host has ended without a word, as by
// SIGKILL, which is how it often does. Then no client can reach this process, and nothing ends it. It is nil
// where no host has started us. stop must be called.
func watchHost() (gone <-chan struct{}, stop func()) {
	if os.Getenv(portSetting) == "" {
		return nil, func() {}
	}
	return process.WatchParent()
}

// deserted makes the end a short one: no call is waited for, and the process ends in less than two
// seconds, whatever its servers do. What they leave is the guard's.
func (a *App) deserted() {
	signal.Ignore(syscall.SIGPIPE) // the host read what we log
	time.AfterFunc(desertedTime, func() { os.Exit(1) })
	close(a.hurry)
}
