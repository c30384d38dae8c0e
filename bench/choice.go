package main

import (
	"fmt"
	"strings"
)

// A choice is a figure by which users choose between bridges, in their words.
type choice struct {
	title string
	form  string
	of    []figure // shown in one cell, separated by slashes
	least bool     // less is better
}

func choices() []choice {
	return []choice{
		{"calls/s, 8 sessions with 4 calls in flight each", "%.0f", []figure{"echo 8×4 calls/s"}, false},
		{"latency of a call, one at a time: p50 / p99, µs", "%.0f", []figure{"echo 1×1 p50 µs", "echo 1×1 p99 µs"}, true},
		{"latency of a call, 8×4: p50 / p99, µs", "%.0f", []figure{"echo 8×4 p50 µs", "echo 8×4 p99 µs"}, true},
		{"processor time per call, 8×4, µs", "%.0f", []figure{"echo 8×4 CPU µs"}, true},
		{"1 MiB answers, MB/s", "%.0f", []figure{"answers 1 MiB MB/s"}, false},
		{"progress notifications lost, %", "%.0f", []figure{"progress lost"}, true},
		{"memory per idle session, of 200: bridge, KiB", "%.0f", []figure{"idle 200 KiB"}, true},
		{"memory per idle session, of 200: bridge and server (PSS), KiB", "%.0f", []figure{"idle 200 PSS KiB"}, true},
		{"processes besides the bridge, for 10 sessions", "%.0f", []figure{lists + " processes"}, true},
		{"time from start to first answer, ms", "%.0f", []figure{"start ms"}, true},
		{"new session: `initialize` → `tools/list`, ms", "%.1f", []figure{"churn to tools/list ms"}, true},
		{"session per call, server in Python: p50, ms", "%.0f", []figure{perCall + " p50 ms"}, true},
		{"session per call, server in Python: processor time, ms", "%.0f", []figure{perCall + " CPU ms"}, true},
	}
}

// choiceTable shows our handler beside the peers.
func (res *results) choiceTable(b *strings.Builder) {
	var shown []contender
	for _, c := range res.contenders {
		if c.absent == "" && (c.name == ours || c.peer) {
			shown = append(shown, c)
		}
	}
	b.WriteString("## Compared with other bridges\n\nThe best figure of each row is bold. A dash means that the bridge failed ([Errors](#errors)) or was not measured.\n\n| |")
	rule := "|---|"
	for _, c := range shown {
		name := c.name
		if name == ours {
			name = "mcpfunc"
		}
		b.WriteString(" " + name + " |")
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n")
	for _, row := range choices() {
		best := res.best(row, shown)
		fmt.Fprintf(b, "| %s |", row.title)
		for _, c := range shown {
			cell := res.choiceCell(row, c.name)
			if cell == best {
				cell = "**" + cell + "**"
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n" + `A bridge with one server process for all sessions needs less memory for the servers, but its sessions share the
state of that process. Here, "mcpfunc" is a project without a manifest, prewarmed processes, or packed servers. `)
	for _, option := range []struct {
		contender, text string
		figure          figure
		form            string
	}{
		{known, "With a manifest, a session that only lists tools needs no process and is answered after %s µs.", lists + " p50 µs", "%.0f"},
		{prewarmed, "With `prewarm`, a session that arrives after a pause lists its tools after %s ms.", arrivals + " to tools/list ms", "%.1f"},
		{forked, "With a server in Python that `mcpfunc pack` made forkable, a session per call takes %s ms.", perCall + " p50 ms", "%.0f"},
		{forked, "It takes %s ms of processor time.", perCall + " CPU ms", "%.0f"},
	} {
		if v, ok := res.median(option.contender, option.figure); ok {
			fmt.Fprintf(b, option.text+" ", grouped(fmt.Sprintf(option.form, v)))
		}
	}
	b.WriteString("\n\n")
}

func (res *results) choiceCell(row choice, contender string) string {
	var parts []string
	for _, f := range row.of {
		v, ok := res.median(contender, f)
		if !ok {
			return "–"
		}
		if strings.HasSuffix(row.title, "%") {
			v *= 100
		}
		parts = append(parts, grouped(fmt.Sprintf(row.form, v)))
	}
	return strings.Join(parts, " / ")
}

// best is the cell of the best contender of a row.
func (res *results) best(row choice, shown []contender) (cell string) {
	var top float64
	for _, c := range shown {
		v, ok := res.median(c.name, row.of[0])
		if ok && (cell == "" || v < top == row.least && v != top) {
			top, cell = v, res.choiceCell(row, c.name)
		}
	}
	return cell
}
