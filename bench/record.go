package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// maxErrors is how many errors end a lane: what comes after them says nothing new.
const maxErrors = 20

// A record is what a load observed.
type record struct {
	latencies []time.Duration // of calls that were answered right
	bytes     int64           // of pattern
	progress  int             // notifications that came
	lost      int             // notifications that never came
	disorder  int             // notifications that came before an earlier one
	wrong     map[string]int  // errors by their text
}

// call records one call.
func (r *record) call(c *call, in *inbox, took time.Duration, err error) {
	r.progress += in.progress
	r.disorder += in.disorder
	if in.answered {
		r.lost += max(0, c.count-in.progress)
	}
	if err != nil {
		r.failed(err)
		return
	}
	r.latencies = append(r.latencies, took)
	r.bytes += int64(c.size)
}

func (r *record) failed(err error) {
	if r.wrong == nil {
		r.wrong = map[string]int{}
	}
	r.wrong[err.Error()]++
}

func (r *record) errors() (n int) {
	for _, k := range r.wrong {
		n += k
	}
	return n
}

// add adds what another lane observed.
func (r *record) add(o *record) {
	r.latencies = append(r.latencies, o.latencies...)
	r.bytes += o.bytes
	r.progress += o.progress
	r.lost += o.lost
	r.disorder += o.disorder
	for text, n := range o.wrong {
		if r.wrong == nil {
			r.wrong = map[string]int{}
		}
		r.wrong[text] += n
	}
}

// complaint says what went wrong, or nothing.
func (r *record) complaint() string {
	n := r.errors()
	if n == 0 {
		return ""
	}
	first := slices.MaxFunc(slices.Collect(maps.Keys(r.wrong)), func(a, b string) int { return r.wrong[a] - r.wrong[b] })
	return fmt.Sprintf("%d of %d failed, most with: %s", n, n+len(r.latencies), first)
}

// quantile returns the q-th part of durations in order, or zero of none.
func quantile(durations []time.Duration, q float64) time.Duration {
	if len(durations) == 0 {
		return 0
	}
	ordered := slices.Sorted(slices.Values(durations))
	return ordered[min(len(ordered)-1, int(q*float64(len(ordered))))]
}
