//go:build chaos

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// bother is one way of a server to trouble its neighbours.
type bother struct {
	name  string
	tool  string // empty for a row without a hostile server
	n     int
	pad   int           // bytes of further calls, which nobody reads
	again bool          // is called until it has lasted, as the process dies of it
	tells bool          // its tries, when it has lasted
	lasts time.Duration // at least
	want  string        // reason of the answer, or "" where it does not matter
}

func bothers() []bother {
	generations := scale(4, 3)
	all := []bother{
		{name: "none"},
		{name: "flood of messages", tool: "flood"},
		{name: "flood of questions", tool: "ask"},
		{name: "noise on both pipes", tool: "noise"},
		{name: "a line without end", tool: "endless", want: "runaway_output"},
		{name: "a large answer", tool: "large", n: 2 * maxAnswer, want: "answer_too_large"},
		{name: "memory that it keeps", tool: "hungry", n: scale(512, 128)},
		{name: "memory up to a limit, again and again", tool: "glut", n: scale(512, 128), again: true, want: "exited"},
		{name: "deaf", tool: "deaf", pad: 512 << 10, want: "does_not_read"},
		{name: "ignores signals", tool: "ignore"},
		{name: fmt.Sprintf("fork bomb, %d processes at a time", 2*(1<<(generations+1)-1)), tool: "bomb", n: generations, tells: true},
		{name: "daemons that replace themselves", tool: "daemons", n: 3, tells: true},
		{name: "signals, limits, priorities, processors of all", tool: "reach", tells: true},
		{name: "connections to the app", tool: "connect", tells: true},
	}
	for i := range all {
		all[i].lasts = time.Duration(scale(20, 1)) * time.Second
	}
	return all
}

// maxAnswer is the limit of a message of a server, in bytes.
const maxAnswer = 1 << 20

func TestNeighboursNoticeNothing(t *testing.T) {
	h := startHandler(t, mcpfunc.Config{
		MaxResponseBytes: maxAnswer,
		Servers:          []mcpfunc.Server{fake("neighbour", "server"), fake("bother", "server")},
	})
	counts := newTally("neighbours' errors", "escapes", "processes left", "bothers answered otherwise")
	rows := []string{"| hostile server | calls | lost or wrong | p50 | p99 | tries | escapes |", "|---|--:|--:|--:|--:|--:|--:|"}
	ctx, cancel := context.WithCancel(t.Context())
	var neighbours, ready sync.WaitGroup
	defer func() { // of a handler that was killed, too
		cancel()
		neighbours.Wait()
		t.Log("\n" + table(rows))
		counts.report(t)
	}()
	times := newLatencies()
	for i := range 6 {
		ready.Add(1)
		neighbours.Go(func() { neighbour(ctx, h, fmt.Sprintf("canary-%d", i), ready.Done, times, counts) })
	}
	ready.Wait()
	memory, before := residentKB(h.pid()), played()
	for _, b := range bothers() {
		times.next()
		logged := h.figures(t).LogBytes
		began := time.Now()
		peak, told := b.trouble(t, h, counts)
		calls := times.String()
		told.Escapes = append(told.Escapes, strangers(before)...)
		for _, escape := range told.Escapes {
			counts.add("escapes", b.name, ": ", escape)
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %d | %d |", b.name, calls, told.Tries, len(told.Escapes)))
		t.Logf("%s: handler at most %+d MiB; %d KiB of log/s", b.name,
			(peak-memory)>>10, int((h.figures(t).LogBytes-logged)>>10)/max(1, int(time.Since(began).Seconds())))
	}
	cancel()
	neighbours.Wait()
	settled(h, counts)
}

// strangers returns, after a hostile server is gone, what it has left, and what of the processes before it did not
// outlive it. It looks three times: a parent may die and its child be born behind one look.
func strangers(before []process) (found []string) {
	clean := 0
	eventually(deadline, 50*time.Millisecond, func() bool {
		found = nil
		now := played()
		for _, p := range now {
			if !slices.ContainsFunc(before, func(b process) bool { return b.pid == p.pid }) {
				found = append(found, "left: "+p.String())
			}
		}
		for _, p := range before {
			if !slices.ContainsFunc(now, func(n process) bool { return n.pid == p.pid }) {
				found = append(found, "ended: "+p.String())
			}
		}
		if clean++; len(found) > 0 {
			clean = 0
		}
		return clean == 3
	})
	return found
}

// neighbour calls until ctx ends. It is ready when it has a process, or has failed to get one.
func neighbour(ctx context.Context, h *handler, canary string, ready func(), times *latencies, counts *tally) {
	c := newClient(h, "neighbour")
	defer c.leave()
	s, err := c.open(ctx)
	if err != nil {
		ready()
		counts.add("neighbours' errors", err)
		return
	}
	for n := 0; ctx.Err() == nil; n++ {
		want := fmt.Sprintf("%s/%d", canary, n)
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		began := time.Now()
		text, err := s.say(call, "echo", arguments{Canary: want})
		cancel()
		wrong := err != nil || text != canary+" "+want
		times.add(time.Since(began), wrong)
		if wrong {
			counts.add("neighbours' errors", fmt.Sprintf("%q for %s: %v", text, want, err))
		}
		counts.add("neighbours' calls")
		if n == 0 {
			ready()
		}
		<-time.After(5 * time.Millisecond)
	}
	if err := s.end(context.WithoutCancel(ctx)); err != nil {
		counts.add("neighbours' errors", "DELETE: ", err)
	}
}

// trouble lets two sessions bother, with a listener and without, ends them, and returns the most
// memory that the handler took, in KiB, and what they tried.
func (b bother) trouble(t *testing.T, h *handler, counts *tally) (peakKB int, told tries) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var two sync.WaitGroup
	var mu sync.Mutex // of told
	tell := func(more tries) {
		mu.Lock()
		defer mu.Unlock()
		told.Tries += more.Tries
		told.Escapes = append(told.Escapes, more.Escapes...)
	}
	for i := range 2 {
		if b.tool == "" {
			two.Go(func() { <-time.After(b.lasts) })
			continue
		}
		two.Go(func() {
			c := newClient(h, "bother")
			defer c.leave()
			s, err := c.open(ctx)
			if err != nil {
				counts.add("bothers answered otherwise", b.name, ": ", err)
				return
			}
			var listener sync.WaitGroup
			if i == 0 {
				a, err := s.listen(ctx)
				if err != nil {
					counts.add("bothers answered otherwise", b.name, ": listen: ", err)
					return
				}
				listener.Go(func() {
					for {
						if _, err := a.next(); err != nil {
							return
						}
					}
				})
				defer listener.Wait()
				defer a.close()
			}
			b.once(ctx, s, h.url, tell, counts)
		})
	}
	done := make(chan struct{})
	go func() {
		two.Wait()
		close(done)
	}()
	for watch := time.NewTicker(20 * time.Millisecond); ; {
		peakKB = max(peakKB, residentKB(h.pid()))
		select {
		case <-watch.C:
			continue
		case <-done:
			watch.Stop()
			return peakKB, told
		}
	}
}

// once bothers in one session for as long as it lasts, tells the tries, and ends the session.
func (b bother) once(ctx context.Context, s *session, url string, tell func(tries), counts *tally) {
	patience := b.lasts
	if b.want != "" || b.tells {
		patience += 40 * time.Second // an answer is waited for
	}
	enough, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	args := arguments{N: b.n, Delay: b.lasts, URL: url}
	m, err := s.call(enough, b.tool, args)
	told := tries{Tries: 1}
	for err == nil && m.Error == nil && b.pad > 0 {
		m, err = s.call(enough, "echo", arguments{Pad: strings.Repeat("x", b.pad)})
	}
	for err == nil && b.again && time.Since(began) < b.lasts {
		m, err = s.call(enough, b.tool, args)
		told.Tries++
	}
	reason := fmt.Sprint(err)
	if m.Error != nil {
		reason = m.Error.Data.Reason
	}
	if b.want != "" && reason != b.want {
		counts.add("bothers answered otherwise", fmt.Sprintf("%s: %q, want %q", b.name, reason, b.want))
	}
	if b.tells {
		if err := json.Unmarshal([]byte(m.text()), &told); err != nil || told.Tries == 0 {
			counts.add("bothers answered otherwise", fmt.Sprintf("%s: %q, %s, want tries", b.name, m.text(), reason))
		}
	}
	tell(told)
	if rest := b.lasts - time.Since(began); rest > 0 && ctx.Err() == nil {
		<-time.After(rest)
	}
	if err := s.end(ctx); err != nil && err != errNoSession {
		counts.add("bothers answered otherwise", b.name, ": DELETE: ", err)
	}
}

// latencies are how long calls took, and how many of them were lost or answered wrongly.
type latencies struct {
	mu    sync.Mutex
	all   []time.Duration
	wrong int
}

func newLatencies() *latencies { return &latencies{} }

func (l *latencies) add(d time.Duration, wrong bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
	if wrong {
		l.wrong++
	}
}

// next forgets what was so far.
func (l *latencies) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.wrong = nil, 0
}

// String returns four cells of a table: calls, how many were lost or wrong, p50, p99.
func (l *latencies) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return "0 | 0 | – | –"
	}
	slices.Sort(l.all)
	at := func(percent int) string {
		return fmt.Sprintf("%.1f ms", l.all[(len(l.all)-1)*percent/100].Seconds()*1000)
	}
	return fmt.Sprintf("%d | %d | %s | %s", len(l.all), l.wrong, at(50), at(99))
}

// table aligns the columns of Markdown.
func table(rows []string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range strings.Split(row, "|") {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		cells := strings.Split(row, "|")
		for i, cell := range cells {
			missing := widths[i] - utf8.RuneCountInString(cell)
			switch {
			case strings.HasPrefix(cell, "---"), strings.HasPrefix(cell, "--:"):
				cell = strings.Repeat("-", missing) + cell
			case i == 1:
				cell += strings.Repeat(" ", missing)
			default:
				cell = strings.Repeat(" ", missing) + cell
			}
			cells[i] = cell
		}
		b.WriteString(strings.Join(cells, "|") + "\n")
	}
	return b.String()
}
