package main

import (
	"math"
	"runtime"
	"time"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// The figures of scanMessages, which are of the handler's code and need no process.
const (
	scanTime   figure = "scan µs"
	scanAllocs figure = "scan allocations"
	scanRate   figure = "scan JSON in a string GB/s"
)

// scanMessages gives what it costs to find the members that a relay needs in a request of 200 bytes, and how fast a tool
// result of 1 MiB is scanned whose text is JSON.
func scanMessages() (map[figure]float64, error) {
	request := newCall(job{tool: "echo"}, 0, "scan").body
	const times = 2000
	small, allocs, err := scanOf(request, times)
	if err != nil {
		return nil, err
	}
	result := append([]byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"`), wire.JSON.Append(nil, mib)...)
	large, _, err := scanOf(append(result, `"}]}}`...), 1)
	if err != nil {
		return nil, err
	}
	return map[figure]float64{
		scanTime:   micros(small) / times,
		scanAllocs: float64(allocs / times), // whole ones: other goroutines have a few
		scanRate:   mib / 1e9 / large.Seconds(),
	}, nil
}

// scanOf scans data several times in a batch. It returns the time of the best batch, because the others were
// interrupted, and the allocations of an average one.
func scanOf(data []byte, times int) (best time.Duration, allocs uint64, err error) {
	var s message.Scanner
	scan := func() error {
		for range times {
			s.Reset()
			if err := s.Scan(data); err != nil {
				return err
			}
			if err := s.End(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := scan(); err != nil {
		return 0, 0, err
	}
	const batches = 50
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	best = time.Duration(math.MaxInt64)
	for range batches {
		begun := time.Now()
		if err := scan(); err != nil {
			return 0, 0, err
		}
		best = min(best, time.Since(begun))
	}
	runtime.ReadMemStats(&after)
	return best, (after.Mallocs - before.Mallocs) / batches, nil
}
