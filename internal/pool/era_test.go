package pool

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

func silent(in io.Reader, out, complain io.Writer, exit func(int)) { io.Copy(io.Discard, in) }

// undecided fails the test unless err is an UndecidedError for this reason.
func undecided(t *testing.T, err error, reason string) {
	t.Helper()
	if u, ok := errors.AsType[*UndecidedError](err); !ok || u.Why.Reason != reason {
		t.Errorf("got %v, want an UndecidedError for reason %s", err, reason)
	}
}

func TestServerOfUnknownEraIsAskedOnceAndForAsLongAsAStartMayTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Launch = b.launch(silent)
		start := time.Now()
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := b.share(fmt.Sprint(i))
				undecided(t, err, child.ReasonTimeout)
				if d := time.Since(start); d < b.server.StartTimeout || d > b.server.StartTimeout+killedPatience {
					t.Errorf("client %d was told after %v", i, d)
				}
			})
		}
		all.Wait()
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d processes were asked, want 1", n)
		}
	})
}

// The Functions host may allow less time than a start may take. All who wait are told so.
func TestProbeIsAwaitedForAsLongAsTheHostAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Launch = b.launch(silent)
		const limit = 5 * time.Second
		ctx := child.Until(t.Context(), time.Now().Add(limit), limit)
		defer ctx.Stop()
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				_, err := b.pools.Share(ctx, b.server, Caller{Principal: fmt.Sprint(i)})
				if f, ok := errors.AsType[*child.Failure](err); !ok || f.Reason != child.ReasonSlow {
					t.Errorf("client %d is told %v", i, err)
				}
			})
		}
		all.Wait()
	})
}

// A server may be slow, or crash, for a hundred reasons, none of which says what it speaks.
func TestSilenceAndDeathAreNoVerdict(t *testing.T) {
	dies := func(in io.Reader, out, complain io.Writer, exit func(int)) {
		bufio.NewReader(in).ReadString('\n')
		exit(1)
	}
	for reason, serve := range map[string]func(in io.Reader, out, complain io.Writer, exit func(int)){
		child.ReasonTimeout: silent, child.ReasonExited: dies,
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 0, nil)
				b.server.Launch = b.launch(serve)
				_, err := b.share("u")
				undecided(t, err, reason)
				_, err = b.share("u") // at once
				undecided(t, err, reason)
				if n := len(b.processes()); n != 1 {
					t.Errorf("%d processes at once, want 1", n)
				}
				for range 20 { // the pause grows, and not without end
					time.Sleep(longestPause)
					start := time.Now()
					_, err = b.share("u")
					undecided(t, err, reason)
					if d := time.Since(start); d > laterPatience {
						t.Errorf("told after %v", d)
					}
					time.Sleep(b.server.StartTimeout)
				}
				if n := len(b.processes()); n != 21 {
					t.Errorf("asked %d times, want 21", n)
				}
				b.server.Launch = b.launch(mcptest.Stateless)
				time.Sleep(longestPause)
				if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
					t.Errorf("once it speaks: %v", err)
				}
			})
		})
	}
}

func TestServerThatStartsSlowlyIsOfTheEraThatItSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Launch = b.launch(cold(12*time.Second, mcptest.Stateless))
		if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
			t.Error(err)
		}
	})
}

// What a process printed that was started for one caller is for that caller alone.
func TestOthersAreNotToldWhatAProbePrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		v, _ := b.pools.verdictOf(b.server)
		b.pools.undecided(v, &child.Failure{Text: "it died", Reason: child.ReasonExited, Stderr: []string{"secret"}, Head: "secret"})
		_, err := b.share("u")
		undecided(t, err, child.ReasonExited)
		if u, ok := errors.AsType[*UndecidedError](err); ok && (u.Why.Stderr != nil || u.Why.Head != "") {
			t.Errorf("told %+v", u.Why)
		}
	})
}

// What a package runner downloads takes longer than a client waits. It is not thrown away.
func TestFirstStartGoesOnAfterItsCallerGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Runner = "npx thing"
		b.server.Launch = b.launch(func(in io.Reader, out, complain io.Writer, exit func(int)) {
			r := bufio.NewReader(in)
			ask, _ := r.ReadString('\n') // the pipe holds it while the download goes on
			time.Sleep(time.Minute)
			mcptest.Stateless(io.MultiReader(strings.NewReader(ask), r), out, complain, exit)
		})
		start := time.Now()
		_, err := b.share("u")
		if undecided(t, err, child.ReasonTimeout); time.Since(start) != b.server.StartTimeout {
			t.Errorf("after %v", time.Since(start))
		}
		start = time.Now()
		_, err = b.share("u")
		if undecided(t, err, child.ReasonTimeout); time.Since(start) != laterPatience {
			t.Errorf("the second after %v", time.Since(start))
		}
		time.Sleep(time.Minute)
		if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
			t.Error(err)
		}
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d starts, want 1", n)
		}
	})
}

func TestServerThatIsModernNoMoreIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
			t.Fatal(err)
		}
		b.processes()[0].Exit(errors.New("replaced"))
		synctest.Wait()
		b.server.Launch = b.launch(mcptest.Server)
		for range 2 {
			if _, err := b.share("u"); !errors.Is(err, ErrLegacy) {
				t.Errorf("%v, want ErrLegacy", err)
			}
		}
		if n := len(b.processes()); n != 2 {
			t.Errorf("%d processes, want 2", n)
		}
	})
}

func TestDiscoverIsJSON(t *testing.T) {
	if !json.Valid([]byte(discover)) {
		t.Errorf("%s is not JSON", discover)
	}
}
