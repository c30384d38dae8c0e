package main

import (
	"fmt"
	"sync"
	"time"
)

// A figure names one number of a contender. A measure may give several.
type figure string

// A meter is one run of a measure with a contender that was started for it.
type meter struct {
	*running
	scale
	measure  string
	rest     int64 // bytes that were resident before anything was asked of it
	figures  map[figure]float64
	complain func(text string)
}

// openTimeout bounds how long the sessions of one measure may take to open.
const openTimeout = time.Minute

// openAll opens sessions, one after another.
func (m *meter) openAll(n int) ([]session, error) {
	var open []session
	end := time.Now().Add(openTimeout)
	for range n {
		if time.Now().After(end) {
			m.closeAll(open)
			return nil, fmt.Errorf("only %d of %d sessions were open after %s", len(open), n, openTimeout)
		}
		s, err := m.open()
		if err != nil {
			m.closeAll(open)
			return nil, fmt.Errorf("open session %d of %d: %w", len(open)+1, n, err)
		}
		open = append(open, s)
	}
	return open, nil
}

// closeAll ends sessions. An error is one of the contender like any other.
func (m *meter) closeAll(open []session) {
	var all sync.WaitGroup
	errs := make([]error, len(open))
	for i, s := range open {
		all.Go(func() { errs[i] = s.close() })
	}
	all.Wait()
	var r record
	for _, err := range errs {
		if err != nil {
			r.failed(err)
		} else {
			r.latencies = append(r.latencies, 0)
		}
	}
	if text := r.complaint(); text != "" {
		m.complain(text)
	}
}

// drive drives all sessions at once.
func (m *meter) drive(open []session, j job, lanes int, d time.Duration) *record {
	until := time.Now().Add(d)
	var all sync.WaitGroup
	records := make([]record, len(open))
	for i, s := range open {
		all.Go(func() { s.drive(j, lanes, fmt.Sprintf("s%d", i), until, &records[i]) })
	}
	all.Wait()
	sum := &record{}
	for i := range records {
		sum.add(&records[i])
	}
	return sum
}

// usage is what the contender's process has used; nothing if it has none.
func (m *meter) usage() (usage, error) {
	if m.proc == nil {
		return usage{}, nil
	}
	return m.proc.usage()
}

func (m *meter) set(measure, what string, value float64) { m.figures[figure(measure+" "+what)] = value }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
