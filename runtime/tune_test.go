package mcpfunc

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryIsGivenBackWhenNobodyCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var freed atomic.Int32
		l := &idleTrimmer{free: func() { freed.Add(1) }}
		defer l.end()
		for range 10 {
			l.called()
			time.Sleep(trimAfter / 2)
		}
		if freed.Load() != 0 {
			t.Errorf("memory was given back %d times between calls", freed.Load())
		}
		time.Sleep(time.Minute)
		if freed.Load() != 1 {
			t.Errorf("memory was given back %d times after the last call, want once", freed.Load())
		}
	})
}

func TestMemoryIsGivenBackSeldomWhenThatIsDear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var freed atomic.Int32
		l := &idleTrimmer{free: func() {
			freed.Add(1)
			time.Sleep(300 * time.Millisecond)
		}}
		defer l.end()
		for range 600 { // ten minutes of one call a second
			l.called()
			time.Sleep(time.Second)
		}
		if freed := freed.Load(); freed > 20 || freed < 10 {
			t.Errorf("memory was given back %d times in ten minutes, want once in 30 s", freed)
		}
	})
}

func TestNothingIsGivenBackAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var freed atomic.Int32
		l := &idleTrimmer{free: func() { freed.Add(1) }}
		l.called()
		l.end()
		l.called() // by a request that outlived the server
		time.Sleep(time.Minute)
		if freed.Load() != 0 {
			t.Errorf("memory was given back %d times", freed.Load())
		}
	})
}

// It is the process's setting: not parallel.
func TestProcessorsAreTheProcesssAgainAfterServing(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	runtime.GOMAXPROCS(5)
	back, other := tune(), tune() // of two apps
	if got := runtime.GOMAXPROCS(0); got != 3 {
		t.Errorf("%d processors of 5 are used, want 3", got)
	}
	back()
	if got := runtime.GOMAXPROCS(0); got != 3 {
		t.Errorf("%d processors of 5 are used by the second app, want 3", got)
	}
	other()
	if got := runtime.GOMAXPROCS(0); got != 5 {
		t.Errorf("%d processors are used afterwards, want 5", got)
	}
	t.Setenv("GOMAXPROCS", "4")
	defer tune()()
	if got := runtime.GOMAXPROCS(0); got != 5 {
		t.Errorf("%d processors are used against what the environment says", got)
	}
}
