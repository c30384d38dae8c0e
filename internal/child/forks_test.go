package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A fakeFork is a fork server in memory.
type fakeFork struct {
	report  string        // when it is ready
	after   time.Duration // until it is
	gone    chan struct{}
	once    sync.Once
	waited  atomic.Bool // that it is gone
	refuses error       // of Fork

	mu   sync.Mutex
	made []*mcptest.Process
}

func (f *fakeFork) Ready() ([]byte, error) {
	select {
	case <-time.After(f.after):
		return []byte(f.report), nil
	case <-f.gone:
		return nil, errors.New("the fork server has ended")
	}
}

func (f *fakeFork) Fork(process.Spec) (process.Process, error) {
	if f.refuses != nil {
		return nil, f.refuses
	}
	p := mcptest.NewProcess()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made = append(f.made, p)
	return p, nil
}

func (f *fakeFork) Read([]byte) (int, error) { <-f.gone; return 0, io.EOF }
func (f *fakeFork) Stderr() io.Reader        { return strings.NewReader("") }
func (f *fakeFork) Wait() error              { <-f.gone; f.waited.Store(true); return nil }
func (f *fakeFork) Close()                   { f.once.Do(func() { close(f.gone) }) }

func (f *fakeFork) isGone() bool {
	select {
	case <-f.gone:
		return true
	default:
		return false
	}
}

// newForks returns Forks whose fork servers are made by next, and those that were made.
func newForks(t *testing.T, next func(*fakeFork)) (*Forks, *[]*fakeFork) {
	t.Helper()
	s := newStarter(t, Limits{})
	f := s.Forks(nil, ForkPlan{Name: "fake", Command: "python3", Script: "start.py", Patience: 30 * time.Second, Env: []string{"A=1"}})
	var mu sync.Mutex
	all := new([]*fakeFork)
	f.launch = func(process.Spec, [][]byte) (forker, error) {
		p := &fakeFork{report: `{"problem":null,"reads":["A"]}`, after: time.Second, gone: make(chan struct{})}
		if next != nil {
			next(p)
		}
		mu.Lock()
		defer mu.Unlock()
		*all = append(*all, p)
		return p, nil
	}
	return f, all
}

var forkSpec = process.Spec{Command: "python3", Args: []string{"start.py"}, Env: []string{"A=1", "B=2"}}

func TestSessionsShareAForkServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, all := newForks(t, nil)
		var starting sync.WaitGroup
		for range 5 {
			starting.Go(func() {
				if _, err := f.Start(t.Context(), forkSpec); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		if len(*all) != 1 || len((*all)[0].made) != 5 {
			t.Fatalf("%d fork servers for five sessions", len(*all))
		}
		other := forkSpec
		other.Env = []string{"A=2"}
		if _, err := f.Start(t.Context(), other); !errors.Is(err, errForkEnv) {
			t.Errorf("with another value of what was read: %v", err)
		}
		for _, p := range (*all)[0].made {
			p.Exit(nil)
		}
		time.Sleep(2 * forkIdle)
		if _, err := f.Start(t.Context(), other); !errors.Is(err, errForkEnv) || len(*all) != 1 {
			t.Errorf("when it is known what was read: %v, and %d fork servers", err, len(*all))
		}
		other = forkSpec
		other.Args = []string{"start.py", "--more"}
		if _, err := f.Start(t.Context(), other); !errors.Is(err, errForkOther) {
			t.Errorf("with other arguments: %v", err)
		}
	})
}

func TestForkServerEndsWhenNobodyWantsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, all := newForks(t, nil)
		start := func() *fakeFork {
			t.Helper()
			if _, err := f.Start(t.Context(), forkSpec); err != nil {
				t.Fatal(err)
			}
			return (*all)[len(*all)-1]
		}
		first := start()
		time.Sleep(2 * forkIdle)
		if first.isGone() {
			t.Fatal("it has ended with a process alive")
		}
		first.made[0].Exit(nil)
		time.Sleep(forkIdle - time.Second)
		start() // just in time
		time.Sleep(2 * forkIdle)
		if first.isGone() {
			t.Fatal("it has ended with another process alive")
		}
		first.made[1].Exit(nil)
		time.Sleep(forkIdle + time.Second)
		synctest.Wait()
		if !first.isGone() {
			t.Error("it is there, and nobody has wanted it for long")
		}
		second := start()
		if second == first {
			t.Error("there is no other one")
		}
		second.made[0].Exit(nil)
	})
}

func TestForkServersThatDieAreStartedLaterAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, all := newForks(t, nil)
		var pauses []time.Duration
		for range forkDeaths + 1 {
			began := time.Now()
			if _, err := f.Start(t.Context(), forkSpec); err != nil {
				t.Fatalf("after a death or two: %v", err)
			}
			pauses = append(pauses, time.Since(began))
			p := (*all)[len(*all)-1]
			p.Close() // by itself
			p.made[0].Exit(nil)
			synctest.Wait()
		}
		if len(*all) != forkDeaths+1 || pauses[1] >= pauses[2] || pauses[2] >= pauses[3] {
			t.Errorf("%d fork servers, after %v", len(*all), pauses)
		}
		began := time.Now()
		for {
			_, err := f.Start(t.Context(), forkSpec)
			if err == nil {
				break
			}
			if !errors.Is(err, errForkPause) {
				t.Fatalf("after too many: %v", err)
			}
			time.Sleep(time.Second)
		}
		if pause := time.Since(began); pause < exhaustedPause/2-time.Second {
			t.Errorf("after too many deaths there was another one within %v", pause)
		}
		(*all)[len(*all)-1].made[0].Exit(nil)
	})
}

func TestForkServerThatIsNeverReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, all := newForks(t, func(p *fakeFork) { p.after = time.Hour })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Start(ctx, forkSpec); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller that gives up hears %v", err)
		}
		began := time.Now()
		if _, err := f.Start(t.Context(), forkSpec); err == nil || time.Since(began) != f.plan.Patience-time.Second {
			t.Errorf("one that waits hears %v after %v", err, time.Since(began))
		}
		synctest.Wait()
		if !(*all)[0].isGone() {
			t.Error("it is still there")
		}
	})
}

func TestImportsThatCannotBeSharedAreNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, all := newForks(t, func(p *fakeFork) { p.report = `{"problem":"imports start a thread","reads":[]}` })
		for range 3 {
			if _, err := f.Start(t.Context(), forkSpec); err == nil || !strings.Contains(err.Error(), "a thread") {
				t.Errorf("it hears %v", err)
			}
			time.Sleep(2 * exhaustedPause)
		}
		if len(*all) != 1 || !(*all)[0].isGone() {
			t.Errorf("%d fork servers, of which the first is gone: %t", len(*all), (*all)[0].isGone())
		}
	})
}

// Without a wait for its end, a process stays among those of the system, and of the app's figures.
func TestForkServerThatIsOfNoUseIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, report := range []string{`{"problem":"imports start a thread","reads":[]}`, `no JSON`} {
			f, all := newForks(t, func(p *fakeFork) { p.report = report })
			if _, err := f.Start(t.Context(), forkSpec); err == nil {
				t.Errorf("%s: a process was forked", report)
			}
			if synctest.Wait(); !(*all)[0].waited.Load() {
				t.Errorf("%s: its end was not waited for", report)
			}
		}
	})
}

func TestSystemsWithoutForkServersAreAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newForks(t, nil)
		asked := 0
		f.launch = func(process.Spec, [][]byte) (forker, error) {
			asked++
			return nil, fmt.Errorf("descriptors of processes: %w", errors.ErrUnsupported)
		}
		for range 3 {
			if _, err := f.Start(t.Context(), forkSpec); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("it hears %v", err)
			}
			time.Sleep(2 * exhaustedPause)
		}
		if asked != 1 {
			t.Errorf("it was asked %d times", asked)
		}
	})
}

// A fork server that does not fork any more keeps those that it has forked, and another one forks the next.
func TestForkServerThatDoesNotForkIsRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f, all := newForks(t, nil)
		f.log = slog.New(slog.NewTextHandler(&log, nil))
		if _, err := f.Start(t.Context(), forkSpec); err != nil {
			t.Fatal(err)
		}
		first := (*all)[0]
		first.refuses = errors.New("no more processes")
		if _, err := f.Start(t.Context(), forkSpec); !errors.Is(err, first.refuses) {
			t.Errorf("it hears %v", err)
		}
		time.Sleep(time.Second)
		if _, err := f.Start(t.Context(), forkSpec); err != nil || len(*all) != 2 || first.isGone() {
			t.Errorf("the next: %v, with %d fork servers; the first is gone: %t", err, len(*all), first.isGone())
		}
		first.made[0].Exit(nil)
		synctest.Wait()
		if !first.isGone() {
			t.Error("the first is there, without a process")
		}
		if !strings.Contains(log.String(), "no more processes") {
			t.Errorf("the log says %s", &log)
		}
		(*all)[1].made[0].Exit(nil)
	})
}

func TestCloseWaitsForWhatWasForked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, all := newForks(t, nil)
		if _, err := f.Start(t.Context(), forkSpec); err != nil {
			t.Fatal(err)
		}
		closed := make(chan struct{})
		go func() { f.close(); close(closed) }()
		synctest.Wait()
		if (*all)[0].isGone() {
			t.Error("the fork server has taken a process with it that others were to end")
		}
		if _, err := f.Start(t.Context(), forkSpec); !errors.Is(err, errForkOver) {
			t.Errorf("after Close: %v", err)
		}
		(*all)[0].made[0].Exit(nil)
		<-closed
		if !(*all)[0].isGone() {
			t.Error("the fork server is left over")
		}
	})
}
