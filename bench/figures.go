package main

import (
	"fmt"
	"strings"
)

// A line of the table of all figures.
type line struct {
	title     string
	figure    figure
	form      string
	reference string // whose share is shown; empty for none
	factor    bool   // the share is shown as a multiple
}

// lines are all figures that are shown, in order.
func lines(s scale) []line {
	var all []line
	for _, load := range []string{"1×1", "8×4", "8×4, from the host", "64×1"} {
		all = append(all,
			line{"echo " + load + ", calls/s", figure("echo " + load + " calls/s"), "%.0f", floor, false},
			line{"echo " + load + ", p50 µs", figure("echo " + load + " p50 µs"), "%.0f", floor, true},
			line{"echo " + load + ", p99 µs", figure("echo " + load + " p99 µs"), "%.0f", "", false},
			line{"echo " + load + ", CPU µs per call", figure("echo " + load + " CPU µs"), "%.1f", floor, true})
	}
	for _, what := range []string{"owner's CPU µs", "Redis CPU µs", "Redis bytes"} {
		all = append(all, line{"forwarded, echo 8×4: " + what + " per call", figure("echo 8×4 " + what), "%.0f", "", false})
	}
	for _, load := range []string{"answers 64 KiB", "answers 1 MiB", "answers 1 MiB, JSON in a string", "answers 1 MiB, text in lines", "answers 1 MiB 4×1", "answers 16 MiB", "requests 64 KiB", "requests 1 MiB", "requests 16 MiB"} {
		all = append(all, line{load + ", MB/s", figure(load + " MB/s"), "%.0f", raw, false})
		if strings.Contains(load, "16 MiB") {
			all = append(all, line{load + ", peak MiB", figure(load + " peak MiB"), "%.0f", "", false})
		}
	}
	all = append(all,
		line{"progress, notifications/s", "progress a second", "%.0f", raw, false},
		line{"progress, share lost", "progress lost", "%.2f", "", false},
		line{"progress, out of order", "progress out of order", "%.0f", "", false},
		line{"churn, sessions/s", "churn sessions/s", "%.1f", raw, false},
		line{"churn, four at a time, sessions/s", "churn 4× sessions/s", "%.1f", raw, false},
		line{"initialize → tools/list, ms", "churn to tools/list ms", "%.1f", raw, true},
		line{"list-only sessions: initialize → tools/list, p50 µs", lists + " p50 µs", "%.0f", floor, true},
		line{"list-only sessions: CPU per session, from initialize to DELETE, µs", lists + " CPU µs", "%.0f", floor, true},
		line{"list-only sessions: processes besides the bridge, for ten", lists + " processes", "%.0f", "", false},
		line{"session per call, server in Python: p50 ms", perCall + " p50 ms", "%.0f", "", false},
		line{"session per call, server in Python: CPU ms with the server's", perCall + " CPU ms", "%.0f", "", false},
		line{"initialize → tools/list after a pause, ms", arrivals + " to tools/list ms", "%.1f", raw, true},
		line{"the same, with a server that starts in " + slowStart.String() + ", ms", arrivalsSlow + " to tools/list ms", "%.1f", raw, true})
	for _, n := range s.idle {
		all = append(all, line{fmt.Sprintf("%d idle sessions, KiB each", n), figure(fmt.Sprintf("idle %d KiB", n)), "%.0f", "", false},
			line{fmt.Sprintf("%d idle sessions, KiB each with the server (PSS)", n), figure(fmt.Sprintf("idle %d PSS KiB", n)), "%.0f", "", false})
	}
	for _, n := range []int{few, crowd} {
		all = append(all,
			line{inCrowdName(n) + ": CPU µs per call", figure(inCrowdName(n) + " CPU µs"), "%.1f", "", false},
			line{inCrowdName(n) + ": KiB each", figure(inCrowdName(n) + " KiB"), "%.1f", "", false})
	}
	all = append(all,
		line{"beside 5,000 slow connections: echo 1×1, p50 µs", slowConnections + " p50 µs", "%.0f", floor, true},
		line{"the same: KiB each", slowConnections + " KiB", "%.1f", floor, true})
	return append(all, line{"start to first answer, ms", "start ms", "%.1f", "", false},
		line{"program file, MB, without the runtime that a script needs", "start MB", "%.1f", "", false})
}

// allTable shows every figure of every contender, with its share of the reference and its spread.
func (res *results) allTable(b *strings.Builder) {
	b.WriteString("## All figures\n\nIn parentheses: relative to raw pipes for large messages, progress, and sessions, and to the floor for echo. ")
	b.WriteString("A dash means not measured. [Errors](#errors) lists the measures that failed.\n\n| |")
	rule := "|---|"
	for _, c := range res.contenders {
		if c.absent == "" {
			b.WriteString(" " + c.name + " |")
			rule += "---|"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for _, l := range lines(res.scale) {
		fmt.Fprintf(b, "| %s |", l.title)
		for _, c := range res.contenders {
			if c.absent == "" {
				b.WriteString(" " + res.cell(c.name, l) + " |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (res *results) cell(contender string, l line) string {
	v, ok := res.median(contender, l.figure)
	if !ok {
		return "–"
	}
	text := grouped(fmt.Sprintf(l.form, v))
	if share, ok := ratio(l.figure, l.reference)(res, contender); ok && contender != l.reference {
		if l.factor {
			text += fmt.Sprintf(" (%.1f ×)", share)
		} else {
			text += " (" + part(share) + ")"
		}
	}
	if s := res.spread(contender, l.figure); s >= 0.005 {
		text += fmt.Sprintf(" ±%.0f %%", 100*s)
	}
	return text
}

// part is a share in percent, with a digit more where it is small.
func part(share float64) string {
	if share < 0.1 {
		return fmt.Sprintf("%.1f %%", 100*share)
	}
	return percent(share)
}

// grouped puts a comma between thousands.
func grouped(number string) string {
	whole, rest, point := strings.Cut(number, ".")
	for at := len(whole) - 3; at > 0 && whole[at-1] != '-'; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if point {
		return whole + "." + rest
	}
	return whole
}
