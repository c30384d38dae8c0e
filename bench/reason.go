package main

import (
	"fmt"
	"slices"
	"strings"
)

// A reason explains where the time or memory of a missed hold goes. It has no figures of its own: those are from the
// profile of the run.
type reason struct {
	text    string
	measure string // whose profile shows it; empty for none
}

var (
	whyOneCall = reason{"a call through a bridge wakes the server and reads its answer, which the floor does not", "echo 1×1"}
	whyCalls   = reason{"a call through a bridge wakes the server and reads its answer, which the floor does not; the system calls to the client and net/http are the floor's, too", "echo 8×4"}
	whyMany    = reason{"each session's process must be woken, and with one call in flight per session few reads find more than one message", "echo 64×1"}
	whyLarge   = reason{"an answer is sent when it is complete and its JSON is checked, so reading it from the pipe and writing it to the client do not overlap. Raw pipes do not write it a second time. " +
		"[RATIONALE.md](../RATIONALE.md) says why an answer is not sent earlier", "answers 1 MiB"}
	whyProgress = reason{"each notification is checked, routed, numbered, kept for a client that reconnects, and written once more", "progress"}
	whyIdle     = reason{"a session has two goroutines that read stdout and stderr, and a thread in which its process was started: a process dies with the thread that started it, which is how it dies with the handler. " +
		"[RATIONALE.md](../RATIONALE.md) has the figures, and says why the thread stays", ""}
	whyChurn     = reason{"the kernel makes a thread for each process, confines it, and starts it; raw pipes only start it. Starts take turns, because a process inherits its mark from the handler", ""}
	whyManifest  = reason{"a session is admitted, gets an identifier that is sealed, and is logged, which the floor does not do", ""}
	whyPrewarmed = reason{"both requests come after a pause, when nothing of the handler, the server, and the client is in the processors' caches, and a process for the next session is started beside them", ""}
	whySandbox   = reason{"each system call of a sandboxed server passes the filters; entering the sandbox makes two folders and a rule of Landlock per folder and port before the server starts", ""}
	whyRedis     = reason{"a call of a session on this instance sends no command to Redis, and makes the same objects as without Redis. What differs is within the scatter of the rounds (±)", ""}
	whyScanRate  = reason{"scanning is computation alone, so its rate is that of the processor", ""}
	whyScan      = reason{"the scan also checks that the whole message is JSON, so that nothing else reaches a server or a client", ""}
)

// holdTable compares our handler with its holds.
func (res *results) holdTable(b *strings.Builder) {
	var reasons []reason            // of missed holds, in order
	missed := map[reason][]string{} // titles
	b.WriteString("## Goals\n\nThe goals are for one machine with two processors. `raw` is the same load over the server's pipes, and `floor` is a bare `net/http` server\n" +
		"that answers without a server behind it. Ratios compare figures of this run.\n\n| figure | goal | mcpfunc | | peers |\n|---|---|---|---|---|\n")
	for _, h := range holds() {
		v, ok := h.value(res, ours)
		if !ok {
			fmt.Fprintf(b, "| %s | %s | – | not measured | %s |\n", h.title, h.bound(), h.peers(res))
			continue
		}
		mark := "✓"
		if !h.met(v) {
			mark = "**missed**"
			if h.why.text != "" && missed[h.why] == nil {
				reasons = append(reasons, h.why)
			}
			missed[h.why] = append(missed[h.why], h.title)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", h.title, h.bound(), h.form(v), mark, h.peers(res))
	}
	b.WriteString("\n")
	if len(reasons) == 0 {
		return
	}
	b.WriteString("Why goals are missed:\n\n")
	for _, why := range reasons {
		fmt.Fprintf(b, "- %s: %s.%s\n", strings.Join(missed[why], "; "), why.text, res.shares(why.measure))
	}
	b.WriteString("\n")
}

// shares says what the processor time of a measure went into in this run, largest first.
func (res *results) shares(measure string) string {
	at := slices.IndexFunc(res.profiles, func(p breakdown) bool { return p.measure == measure })
	if at < 0 {
		return ""
	}
	found := res.profiles[at].causes
	ordered := slices.Clone(causes)
	slices.SortStableFunc(ordered, func(a, b cause) int { return int(1e6 * (found[b] - found[a])) })
	var parts []string
	for _, c := range ordered[:4] {
		parts = append(parts, fmt.Sprintf("%s %s", percent(found[c]), c))
	}
	return fmt.Sprintf(" In the profile of %s: %s.", measure, strings.Join(parts, ", "))
}
