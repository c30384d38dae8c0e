package main

import (
	"math"
	"runtime"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// The figures of scanEnvelope, which are of the handler's code and need no process.
const (
	scanTime   figure = "scan µs"
	scanAllocs figure = "scan allocations"
)

// scanEnvelope gives what it costs to find the members that a relay needs in a request of 200 bytes.
func scanEnvelope() (map[figure]float64, error) {
	request := newCall(job{tool: "echo"}, 0, "scan").body
	var s message.Scanner
	scan := func(n int) error {
		for range n {
			s.Reset()
			if err := s.Scan(request); err != nil {
				return err
			}
			if err := s.End(); err != nil {
				return err
			}
		}
		return nil
	}
	const batch, batches = 2000, 50
	if err := scan(batch); err != nil {
		return nil, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	best := time.Duration(math.MaxInt64) // the others were interrupted: a batch is a fraction of a time slice
	for range batches {
		begun := time.Now()
		if err := scan(batch); err != nil {
			return nil, err
		}
		best = min(best, time.Since(begun))
	}
	runtime.ReadMemStats(&after)
	return map[figure]float64{
		scanTime:   micros(best) / batch,
		scanAllocs: float64((after.Mallocs - before.Mallocs) / (batch * batches)), // whole ones: other goroutines have a few
	}, nil
}
