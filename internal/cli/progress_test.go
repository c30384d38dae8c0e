package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatTakesLongIsSaidAtItsStartAndEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		took time.Duration
		err  error
		env  Env
		want string
	}{
		{name: "short", took: slow / 2},
		{name: "long", took: 2500 * time.Millisecond, want: "working\nworking: done after 2.5s\n"},
		{name: "failed", took: 2 * time.Second, err: errors.New("no"), want: "working\n"},
		{name: "quiet", took: 2 * time.Second, env: Env{quiet: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := newTranscript()
				env := test.env
				env.Stderr = newScreen(&env, out)
				err := env.during("working", func() error {
					time.Sleep(test.took)
					return test.err
				})
				if !errors.Is(err, test.err) {
					t.Errorf("the error is %v, want %v", err, test.err)
				}
				if diff := cmp.Diff(test.want, out.String()); diff != "" {
					t.Errorf("what was said (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestALineIsRedrawnBelowWhatElseIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := newTranscript()
		env := &Env{Environ: []string{"NO_COLOR=1"}}
		env.Stderr = &screen{out: out, tty: true, live: true}
		err := env.during("working", func() error {
			time.Sleep(slow + redrawing/2)
			env.note("a line")
			fmt.Fprint(env.Stderr, "half of ")
			time.Sleep(2 * redrawing)
			fmt.Fprintln(env.Stderr, "another")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Join([]string{
			erase + "working 1.0s",
			erase + "a line\nworking 1.0s",
			erase + "half of ", // what is half written is not drawn over
			"another\nworking 1.2s",
			erase,
			"working: done after 1.2s\n",
		}, "")
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("what was shown (-want +got):\n%s", diff)
		}
	})
}
