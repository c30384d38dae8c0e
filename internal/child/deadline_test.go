package child

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimitedEndsInTime(t *testing.T) {
	outOfTime := func(t *testing.T, ctx context.Context) {
		t.Helper()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("error %v", ctx.Err())
		}
		if f, ok := errors.AsType[*Failure](context.Cause(ctx)); !ok || f.Text != OutOfTime(time.Hour).Text {
			t.Errorf("cause %v", context.Cause(ctx))
		}
	}
	for name, wait := range map[string]func(t *testing.T, ctx context.Context){
		"who waits": func(t *testing.T, ctx context.Context) { <-ctx.Done() },
		"who asks":  func(t *testing.T, ctx context.Context) { time.Sleep(time.Minute) },
		"what came of it": func(t *testing.T, ctx context.Context) {
			below, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-below.Done()
			outOfTime(t, below)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				l := Until(t.Context(), began.Add(time.Minute), time.Hour)
				defer l.Stop()
				if err := l.Err(); err != nil {
					t.Errorf("at first: %v", err)
				}
				wait(t, l)
				outOfTime(t, l)
				if took := time.Since(began); took != time.Minute {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestLimitedEndsWithItsRequest(t *testing.T) {
	gone := errors.New("the client has gone")
	for name, early := range map[string]bool{"before anyone waits": true, "while someone waits": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				l := Until(ctx, time.Now().Add(time.Minute), time.Hour)
				defer l.Stop()
				if early {
					cancel(gone)
				} else {
					time.AfterFunc(time.Second, func() { cancel(gone) })
					<-l.Done()
				}
				if !errors.Is(l.Err(), context.Canceled) || !errors.Is(context.Cause(l), gone) {
					t.Errorf("error %v, cause %v", l.Err(), context.Cause(l))
				}
			})
		})
	}
}

func TestLimitedLimitsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Until(t.Context(), time.Now().Add(time.Minute), time.Hour)
		defer l.Stop()
		for name, want := range map[string]struct {
			ctx        context.Context
			own, limit time.Duration
		}{
			"the host's":         {l, 0, time.Minute},
			"the host's, before": {l, time.Hour, time.Minute},
			"its own":            {l, time.Second, time.Second},
			"none":               {l.Endless(), 0, 0},
			"its own alone":      {l.Endless(), time.Hour, time.Hour},
		} {
			if limit, f := CallLimit(want.ctx, want.own); limit != want.limit || (f == nil) != (limit == 0) {
				t.Errorf("%s: %v, want %v", name, limit, want.limit)
			}
		}
		<-l.Endless().Done() // it is of the request all the same
	})
}
