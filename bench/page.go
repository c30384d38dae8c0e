package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// page is the results as Markdown. command is what made them.
func (res *results) page(svg, command string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Performance\n\nMade by `%s`; not edited by hand.\n\n%s\n", command, res.setting())
	if svg != "" {
		fmt.Fprintf(&b, "![Our handler and its peers, each as a part of raw pipes or of bare net/http](%s)\n\n", svg)
	}
	res.holdTable(&b)
	res.allTable(&b)
	res.profileTable(&b)
	res.contenderList(&b)
	res.complaintList(&b)
	return b.String()
}

// setting says what was measured where.
func (res *results) setting() string {
	var kernel, node string
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		kernel = ", " + strings.TrimSpace(string(out))
	}
	if out, err := exec.Command("node", "--version").Output(); err == nil {
		node = ", Node " + strings.TrimSpace(string(out))
	}
	return fmt.Sprintf(`%s, %d processors (%s)%s, %s%s; rounds: %d, of %s a load.

Every contender is a process of its own, on loopback, started again for every measure; in each round
each of them does each measure once. Figures are medians over the rounds, and "±" is how far the
round that is farthest away was off. The load generator is the same for all and checks every byte.
"1×1" is one session with one call in flight, and so are the lines that do not say otherwise; CPU
and memory are those of the process between the client and the server, without the server. The
client opens no GET stream, so that a notification is lost that does not come on the stream of the
call that it belongs to.
`, time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), processor(), kernel, strings.Replace(runtime.Version(), "go", "Go ", 1), node,
		res.scale.rounds, res.scale.load)
}

// processor is the model of the first one.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // elsewhere the architecture must do
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// holdTable holds our handler against what the design says.
func (res *results) holdTable(b *strings.Builder) {
	var reasons []string            // of what is missed, in order
	missed := map[string][]string{} // what, by the reason
	b.WriteString("## Numbers to hold\n\n| figure | hold | ours | | peers |\n|---|---|---|---|---|\n")
	for _, h := range holds() {
		v, ok := h.value(res, ours)
		if !ok {
			fmt.Fprintf(b, "| %s | %s | – | not measured | %s |\n", h.title, h.bound(), h.peers(res))
			continue
		}
		mark := "✓"
		if !h.met(v) {
			mark = "**missed**"
			if h.why != "" && missed[h.why] == nil {
				reasons = append(reasons, h.why)
			}
			missed[h.why] = append(missed[h.why], h.title)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", h.title, h.bound(), h.form(v), mark, h.peers(res))
	}
	b.WriteString("\n")
	if len(reasons) > 0 {
		b.WriteString("What is missed, and what it goes into:\n\n")
		for _, why := range reasons {
			fmt.Fprintf(b, "- %s: %s.\n", strings.Join(missed[why], "; "), why)
		}
		b.WriteString("\n")
	}
}

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
	for _, load := range []string{"1×1", "8×4", "64×1"} {
		all = append(all,
			line{"echo " + load + ", calls/s", figure("echo " + load + " calls/s"), "%.0f", floor, false},
			line{"echo " + load + ", p50 µs", figure("echo " + load + " p50 µs"), "%.0f", floor, true},
			line{"echo " + load + ", p99 µs", figure("echo " + load + " p99 µs"), "%.0f", "", false},
			line{"echo " + load + ", CPU µs a call", figure("echo " + load + " CPU µs"), "%.1f", floor, true})
	}
	for _, what := range []string{"owner's CPU µs", "Redis CPU µs", "Redis bytes"} {
		all = append(all, line{"passed on, echo 8×4: " + what + " a call", figure("echo 8×4 " + what), "%.0f", "", false})
	}
	for _, load := range []string{"answers 64 KiB", "answers 1 MiB", "answers 1 MiB, JSON in a string", "answers 1 MiB, text in lines", "answers 1 MiB 4×1", "answers 16 MiB", "requests 64 KiB", "requests 1 MiB", "requests 16 MiB"} {
		all = append(all, line{load + ", MB/s", figure(load + " MB/s"), "%.0f", raw, false})
		if strings.Contains(load, "16 MiB") {
			all = append(all, line{load + ", peak MiB", figure(load + " peak MiB"), "%.0f", "", false})
		}
	}
	all = append(all,
		line{"progress, notifications/s", "progress a second", "%.0f", raw, false},
		line{"progress, part that was lost", "progress lost", "%.2f", "", false},
		line{"progress, out of order", "progress out of order", "%.0f", "", false},
		line{"churn, sessions/s", "churn sessions/s", "%.1f", raw, false},
		line{"churn, four at a time, sessions/s", "churn 4× sessions/s", "%.1f", raw, false},
		line{"initialize → tools/list, ms", "churn to tools/list ms", "%.1f", raw, true},
		line{"list-only sessions: initialize → tools/list, p50 µs", lists + " p50 µs", "%.0f", floor, true},
		line{"list-only sessions: CPU per session, from initialize to DELETE, µs", lists + " CPU µs", "%.0f", floor, true},
		line{"the same after a pause, ms", arrivals + " to tools/list ms", "%.1f", raw, true},
		line{"the same, server starts in " + slowStart.String() + ", ms", arrivalsSlow + " to tools/list ms", "%.1f", raw, true})
	for _, n := range s.idle {
		all = append(all, line{fmt.Sprintf("%d idle sessions, KiB each", n), figure(fmt.Sprintf("idle %d KiB", n)), "%.0f", "", false},
			line{fmt.Sprintf("%d idle sessions, KiB each with their server (PSS)", n), figure(fmt.Sprintf("idle %d PSS KiB", n)), "%.0f", "", false})
	}
	for _, n := range []int{few, crowd} {
		all = append(all,
			line{inCrowdName(n) + ": CPU µs a call", figure(inCrowdName(n) + " CPU µs"), "%.1f", "", false},
			line{inCrowdName(n) + ": KiB each", figure(inCrowdName(n) + " KiB"), "%.1f", "", false})
	}
	all = append(all,
		line{"beside 5,000 slow connections: echo 1×1, p50 µs", slowConnections + " p50 µs", "%.0f", floor, true},
		line{"the same: KiB each", slowConnections + " KiB", "%.1f", floor, true})
	return append(all, line{"exec to first answer, ms", "start ms", "%.1f", "", false},
		line{"program, MB", "start MB", "%.1f", "", false})
}

// allTable shows every figure of every contender, with its share of the reference and its spread.
func (res *results) allTable(b *strings.Builder) {
	b.WriteString("## All figures\n\nIn brackets: of raw pipes for large messages, progress and sessions, of the floor for echo. ")
	b.WriteString("A dash is a figure that there was not, for a reason that is below.\n\n| |")
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

func (res *results) contenderList(b *strings.Builder) {
	b.WriteString("## Contenders\n\n")
	for _, c := range res.contenders {
		fmt.Fprintf(b, "- **%s**: %s.", c.name, c.about)
		if c.absent != "" {
			fmt.Fprintf(b, " Not measured: %s.", strings.TrimSuffix(c.absent, "."))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (res *results) complaintList(b *strings.Builder) {
	b.WriteString("## Errors\n\n")
	if len(res.complaints) == 0 {
		b.WriteString("None: every answer was right and every notification came, in order.\n")
		return
	}
	b.WriteString("What failed counts in no rate. A measure that gave nothing at all is not tried again.\n\n| contender | measure | rounds | what |\n|---|---|---|---|\n")
	escape := strings.NewReplacer("|", `\|`, "<", "&lt;")
	for _, c := range res.complaints {
		fmt.Fprintf(b, "| %s | %s | %d | %s |\n", c.contender, c.measure, c.rounds, escape.Replace(c.text))
	}
}
