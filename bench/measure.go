package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/bench/internal/wire"
)

// A measure is one thing that is done with every contender.
type measure struct {
	name string
	run  func(*meter) error
	skip []string // contenders for which it makes no sense
	of   []string // the contenders that it is for; nil for all
}

// A scale is how much of everything is done.
type scale struct {
	rounds   int
	warm     time.Duration // how long a load lasts before it counts
	load     time.Duration // and from there on
	sessions int           // that churn opens at most, one after another
	churn    time.Duration // how long churn lasts at most
	arrivals int           // sessions that arrive one at a time
	lists    int           // sessions that list and leave
	idle     []int         // sessions that are left idle
	settle   time.Duration // before memory is read
	within   time.Duration // of which no round is begun that would most likely end later
}

var (
	fullScale  = scale{rounds: 5, warm: 250 * time.Millisecond, load: 900 * time.Millisecond, sessions: 200, churn: 1500 * time.Millisecond, arrivals: 8, lists: 500, idle: []int{50, 200}, settle: 1500 * time.Millisecond}
	quickScale = scale{rounds: 1, warm: 50 * time.Millisecond, load: 250 * time.Millisecond, sessions: 20, churn: time.Second, arrivals: 3, lists: 20, idle: []int{50}, settle: 200 * time.Millisecond}
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// measures are all there are, in the order of the page.
func measures(s scale) []measure {
	all := []measure{
		{name: "start", run: begin, skip: []string{raw, host}},
		load("echo 1×1", job{tool: "echo"}, 1, 1),
		load("echo 8×4", job{tool: "echo"}, 8, 4),
		load("echo 64×1", job{tool: "echo"}, 64, 1),
		{name: fromHost, run: echoFromHost, of: []string{floor, ours, against}},
		{name: "churn", run: churning(1), skip: []string{floor}},
		{name: "churn 4×", run: churning(4), skip: []string{floor}},
		{name: lists, run: listOnly, skip: []string{raw}},
		{name: perCall, run: sessionPerCall, skip: []string{raw, floor}},
		{name: arrivals, run: arrive, of: []string{raw, ours, prewarmed, against}},
		{name: arrivalsSlow, run: arrive, of: []string{raw, ours, prewarmed, against}},
	}
	for _, size := range []struct {
		name  string
		bytes int
	}{{"64 KiB", 64 * kib}, {"1 MiB", mib}, {"16 MiB", 16 * mib}} {
		all = append(all,
			load("answers "+size.name, job{tool: "big", size: size.bytes}, 1, 1),
			load("requests "+size.name, job{tool: "sink", size: size.bytes}, 1, 1))
	}
	for _, n := range []int{few, crowd} {
		all = append(all, measure{name: inCrowdName(n), run: inCrowd(n), of: []string{known}})
	}
	all = append(all,
		measure{name: slowConnections, run: slowly, of: []string{floor, ours, against}},
		load("answers 1 MiB, JSON in a string", job{tool: "big", kind: wire.JSON, size: mib}, 1, 1),
		load("answers 1 MiB, text in lines", job{tool: "big", kind: wire.Lines, size: mib}, 1, 1),
		load("answers 1 MiB 4×1", job{tool: "big", size: mib}, 4, 1),
		load("progress", job{tool: "progress", count: 100}, 1, 1))
	if missing(pythonServer) != "" {
		all = slices.DeleteFunc(all, func(m measure) bool { return m.name == perCall })
	}
	for _, n := range s.idle {
		all = append(all, measure{name: fmt.Sprintf("idle %d", n), skip: []string{raw, floor},
			run: func(m *meter) error { return idle(m, n) }})
	}
	return all
}

// applies reports whether a contender takes part.
func (m measure) applies(c contender) bool {
	return !slices.Contains(m.skip, c.name) && (m.of == nil || slices.Contains(m.of, c.name)) && (c.only == nil || slices.Contains(c.only, m.name))
}

// begin gives the time from exec to the first HTTP answer, and how large the program is.
func begin(m *meter) error {
	m.set("start", "ms", millis(m.ready))
	program, err := os.Stat(m.proc.cmd.Path)
	if err != nil {
		return err
	}
	m.set("start", "MB", float64(program.Size())/1e6)
	return nil
}

// load keeps so many calls in flight in each of so many sessions.
func load(name string, j job, sessions, lanes int) measure {
	return measure{name: name, run: func(m *meter) error {
		open, err := m.openAll(sessions)
		if err != nil {
			return err
		}
		defer m.closeAll(open)
		if r := m.drive(open, j, lanes, m.warm); r.complaint() != "" { // pools and heaps find their size
			return errors.New(r.complaint())
		}
		before, err := m.usage()
		if err != nil {
			return err
		}
		var besides othersUsage
		if m.others != nil {
			if besides, err = m.others.usage(); err != nil {
				return err
			}
		}
		begun := time.Now()
		r := m.drive(open, j, lanes, m.scale.load)
		took := time.Since(begun)
		after, err := m.usage()
		if err != nil {
			return err
		}
		if text := r.complaint(); text != "" {
			m.complain(text)
		}
		if r.lost+r.disorder > 0 {
			m.complain(fmt.Sprintf("of %d notifications %d were lost, and %d were out of order", r.lost+r.progress, r.lost, r.disorder))
		}
		calls := float64(len(r.latencies))
		if calls == 0 {
			return nil
		}
		if m.others != nil {
			if err := m.others.set(m, name, besides, calls); err != nil {
				return err
			}
		}
		m.set(name, "p50 µs", micros(quantile(r.latencies, 0.50)))
		m.set(name, "p99 µs", micros(quantile(r.latencies, 0.99)))
		m.set(name, "calls/s", calls/took.Seconds())
		if m.proc != nil {
			m.set(name, "CPU µs", micros(after.cpu-before.cpu)/calls)
			m.set(name, "peak MiB", float64(after.peak-m.rest)/mib)
		}
		if j.size > 0 {
			m.set(name, "MB/s", float64(r.bytes)/1e6/took.Seconds())
		}
		if j.count > 0 {
			m.set(name, "a second", float64(r.progress)/took.Seconds())
			m.set(name, "lost", float64(r.lost)/float64(r.lost+r.progress))
			m.set(name, "out of order", float64(r.disorder))
		}
		return nil
	}}
}

// fromHost is the echo load as the Functions host sends it, without the host.
const fromHost = "echo 8×4, from the host"

func echoFromHost(m *meter) error {
	m.client.asHost = true
	return load(fromHost, job{tool: "echo"}, 8, 4).run(m)
}

// churning opens and ends sessions, so many at a time, each with the question that clients ask first.
func churning(atOnce int) func(*meter) error {
	return func(m *meter) error {
		records := make([]record, atOnce)
		var all sync.WaitGroup
		begun := time.Now()
		for i := range records {
			all.Go(func() { churn(m, begun, &records[i]) })
		}
		all.Wait()
		took := time.Since(begun)
		r := &record{}
		for i := range records {
			r.add(&records[i])
		}
		return m.churned(r, took)
	}
}

func churn(m *meter, begun time.Time, r *record) {
	for range m.sessions {
		first := time.Now()
		if first.Sub(begun) > m.scale.churn {
			break
		}
		if err := once(m, func() { r.latencies = append(r.latencies, time.Since(first)) }); err != nil {
			if r.failed(err); r.errors() == maxErrors {
				break
			}
		}
	}
}

func (m *meter) churned(r *record, took time.Duration) error {
	if text := r.complaint(); text != "" {
		m.complain(text)
	}
	if len(r.latencies) > 0 {
		m.set(m.measure, "sessions/s", float64(len(r.latencies))/took.Seconds())
		m.set(m.measure, "to tools/list ms", millis(quantile(r.latencies, 0.5)))
	}
	return nil
}

// Sessions that arrive with a pause between them, as those of people do, of the server as it is and of
// one that needs slowStart to start.
const (
	arrivals     = "arrivals"
	arrivalsSlow = "arrivals, slow server"
	slowStart    = 300 * time.Millisecond
	pause        = 250 * time.Millisecond
)

// arrive gives how long a session waits for its tools that finds the machine at rest. With a slow
// server the pause is longer: a process that is started ahead has to have started.
func arrive(m *meter) error {
	between := pause
	if m.measure == arrivalsSlow {
		between += slowStart
	}
	var r record
	for range m.arrivals {
		time.Sleep(between)
		first := time.Now()
		if err := once(m, func() { r.latencies = append(r.latencies, time.Since(first)) }); err != nil {
			if r.failed(err); r.errors() == maxErrors {
				break
			}
		}
	}
	if text := r.complaint(); text != "" {
		m.complain(text)
	}
	if len(r.latencies) > 0 {
		m.set(m.measure, "to tools/list ms", millis(quantile(r.latencies, 0.5)))
	}
	return nil
}

// Sessions that do nothing but list, as most do.
const lists = "list-only sessions"

// listOnly gives how long a session takes from initialize to the list of tools, where that is all it does, one
// after another, and how many processes serve ten of them.
func listOnly(m *meter) error {
	var r record
	before, err := m.usage()
	if err != nil {
		return err
	}
	for begun := time.Now(); len(r.latencies) < m.lists && time.Since(begun) < m.scale.churn; {
		first := time.Now()
		if err := once(m, func() { r.latencies = append(r.latencies, time.Since(first)) }); err != nil {
			if r.failed(err); r.errors() == maxErrors {
				break
			}
		}
	}
	if text := r.complaint(); text != "" {
		m.complain(text)
	}
	if len(r.latencies) == 0 {
		return nil
	}
	m.set(lists, "p50 µs", micros(quantile(r.latencies, 0.5)))
	m.set(lists, "p99 µs", micros(quantile(r.latencies, 0.99)))
	if m.proc != nil {
		after, err := m.usage()
		if err != nil {
			return err
		}
		m.set(lists, "CPU µs", micros(after.cpu-before.cpu)/float64(len(r.latencies)))
	}
	open, err := m.openAll(10)
	if err != nil {
		return err
	}
	defer m.closeAll(open)
	for _, s := range open {
		if err := s.list(); err != nil {
			return err
		}
	}
	time.Sleep(m.settle) // until the processes of ended sessions are gone
	f, err := m.proc.family()
	if err != nil {
		return err
	}
	m.set(lists, "processes", float64(f.processes-1))
	return nil
}

// once opens a session, asks for the tools, and ends it.
func once(m *meter, listed func()) error {
	s, err := m.open()
	if err != nil {
		return err
	}
	if err := s.list(); err != nil {
		s.close()
		return err
	}
	listed()
	return s.close()
}

// idle gives the memory that an idle session costs the contender's own process, and with the server's.
func idle(m *meter, n int) error {
	before, err := m.proc.family()
	if err != nil {
		return err
	}
	open, err := m.openAll(n)
	if err != nil {
		return err
	}
	defer m.closeAll(open)
	for _, s := range open {
		s.rest()
	}
	time.Sleep(m.settle)
	u, err := m.usage()
	if err != nil {
		return err
	}
	after, err := m.proc.family()
	if err != nil {
		return err
	}
	m.set(fmt.Sprintf("idle %d", n), "KiB", float64(u.resident-m.rest)/kib/float64(n))
	m.set(fmt.Sprintf("idle %d", n), "PSS KiB", float64(after.memory-before.memory)/kib/float64(n))
	return nil
}
