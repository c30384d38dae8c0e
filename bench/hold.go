package main

import (
	"fmt"
	"slices"
)

// A hold is a goal for one figure of our handler.
type hold struct {
	title string
	limit float64
	least bool // the limit is a minimum; otherwise a maximum
	form  func(float64) string
	value func(res *results, contender string) (float64, bool)
	ours  bool   // peers have no such figure
	why   reason // that the page gives when the hold is missed
}

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }
func times(v float64) string   { return fmt.Sprintf("%.2f ×", v) }

func unit(format string) func(float64) string {
	return func(v float64) string { return fmt.Sprintf(format, v) }
}

// absolute is a figure as it was measured.
func absolute(f figure) func(*results, string) (float64, bool) {
	return func(res *results, contender string) (float64, bool) { return res.median(contender, f) }
}

// ratio is a figure as a part of a reference's.
func ratio(f figure, reference string) func(*results, string) (float64, bool) {
	return func(res *results, contender string) (float64, bool) {
		a, ok1 := res.median(contender, f)
		b, ok2 := res.median(reference, f)
		return a / b, ok1 && ok2 && b > 0
	}
}

// above is a figure less a reference's.
func above(f figure, reference string) func(*results, string) (float64, bool) {
	return func(res *results, contender string) (float64, bool) {
		a, ok1 := res.median(contender, f)
		b, ok2 := res.median(reference, f)
		return a - b, ok1 && ok2
	}
}

// crowded is a figure of many sessions as a part of that of few.
func crowded(what string) func(*results, string) (float64, bool) {
	return func(res *results, _ string) (float64, bool) {
		many, ok1 := res.median(known, figure(inCrowdName(crowd)+" "+what))
		one, ok2 := res.median(known, figure(inCrowdName(few)+" "+what))
		return many / one, ok1 && ok2 && one > 0
	}
}

// holds are the numbers to hold, in the order of the page.
func holds() []hold {
	return []hold{
		{title: "echo 200 B, 1 session × 1: p50 over the floor's", limit: 2.0, form: times, value: ratio("echo 1×1 p50 µs", floor), why: whyOneCall},
		{title: "echo, 8 sessions × 4 in flight: calls/s of the floor's", limit: 0.70, least: true, form: percent, value: ratio("echo 8×4 calls/s", floor), why: whyCalls},
		{title: "echo, 64 × 1: calls/s of the floor's", limit: 0.60, least: true, form: percent, value: ratio("echo 64×1 calls/s", floor), why: whyMany},
		{title: "64 KiB answers: MB/s of raw", limit: 0.55, least: true, form: percent, value: ratio("answers 64 KiB MB/s", raw), why: whyLarge},
		{title: "1 MiB answers: MB/s of raw", limit: 0.85, least: true, form: percent, value: ratio("answers 1 MiB MB/s", raw), why: whyLarge},
		{title: "1 MiB answers of JSON in a string: MB/s of raw", limit: 0.60, least: true, form: percent, value: ratio("answers 1 MiB, JSON in a string MB/s", raw), why: whyLarge},
		{title: "16 MiB answers: MB/s of raw", limit: 0.90, least: true, form: percent, value: ratio("answers 16 MiB MB/s", raw), why: whyLarge},
		{title: "16 MiB answers: peak memory above idle", limit: 24, form: unit("%.0f MiB"), value: absolute("answers 16 MiB peak MiB")},
		{title: "100 progress notifications per call: notifications/s of raw", limit: 0.45, least: true, form: percent, value: ratio("progress a second", raw), why: whyProgress},
		{title: "progress notifications lost", limit: 0, form: percent, value: absolute("progress lost")},
		{title: "progress notifications out of order", limit: 0, form: unit("%.0f"), value: absolute("progress out of order")},
		{title: "session churn, one at a time, cold: sessions/s of raw", limit: 0.65, least: true, form: percent, value: ratio("churn sessions/s", raw), why: whyChurn},
		{title: "session churn, four at a time, cold: sessions/s of raw", limit: 0.55, least: true, form: percent, value: ratio("churn 4× sessions/s", raw), why: whyChurn},
		{title: "list-only sessions from the manifest: `initialize` → `tools/list`, p50 over the floor's", limit: 1.3, form: times, ours: true, why: whyManifest,
			value: func(res *results, _ string) (float64, bool) { return ratio(lists+" p50 µs", floor)(res, known) }},
		{title: "list-only sessions from the manifest: processes", limit: 0, form: unit("%.0f"), ours: true,
			value: func(res *results, _ string) (float64, bool) { return res.median(known, lists+" processes") }},
		{title: "prewarmed: `initialize` → `tools/list`, with a server that answers in microseconds", limit: 1.5, form: unit("%.1f ms"), ours: true, why: whyPrewarmed,
			value: func(res *results, contender string) (float64, bool) {
				return res.median(prewarmed, arrivals+" to tools/list ms")
			}},
		{title: "memory per session at 200 idle sessions", limit: 32, form: unit("%.0f KiB"), value: absolute("idle 200 KiB"), why: whyIdle},
		{title: "5,000 sessions without a process, against 50: CPU per call", limit: 1.15, form: times, ours: true, value: crowded("CPU µs")},
		{title: "5,000 sessions without a process, against 50: memory per session", limit: 1.15, form: times, ours: true, value: crowded("KiB")},
		{title: "CPU per call at 8 × 4", limit: 22, form: unit("%.0f µs"), value: absolute("echo 8×4 CPU µs"), why: whyCalls},
		{title: "a call forwarded to another instance (Redis on loopback): p50 above that of a local call", limit: 1000, form: unit("%.0f µs"), ours: true,
			value: func(res *results, _ string) (float64, bool) { return above("echo 1×1 p50 µs", ours)(res, elsewhere) }},
		{title: "with Redis, echo, 8 × 4, sessions on this instance: calls/s of those without Redis", limit: 0.97, least: true, form: percent, ours: true, why: whyRedis,
			value: func(res *results, _ string) (float64, bool) { return ratio("echo 8×4 calls/s", ours)(res, shared) }},
		{title: "sandboxed, echo, 8 × 4: calls/s of those without a sandbox", limit: 0.97, least: true, form: percent, ours: true, why: whySandbox,
			value: func(res *results, _ string) (float64, bool) { return ratio("echo 8×4 calls/s", ours)(res, sandboxed) }},
		{title: "sandboxed: `initialize` → `tools/list`, cold, above that without a sandbox", limit: 1, form: unit("%.2f ms"), ours: true, why: whySandbox,
			value: func(res *results, _ string) (float64, bool) {
				return above("churn to tools/list ms", ours)(res, sandboxed)
			}},
		{title: "envelope scan of 200 B", limit: 0.25, form: unit("%.2f µs"), value: absolute(scanTime), ours: true, why: whyScan},
		{title: "its allocations", limit: 0, form: unit("%.0f"), value: absolute(scanAllocs), ours: true},
		{title: "scan of JSON in a string", limit: 1.5, least: true, form: unit("%.1f GB/s"), value: absolute(scanRate), ours: true, why: whyScanRate},
		{title: "start to first HTTP answer", limit: 15, form: unit("%.0f ms"), value: absolute("start ms")},
		{title: "size of the handler", limit: 12, form: unit("%.1f MB"), value: absolute("start MB"), ours: true},
	}
}

// met reports whether a value is within the limit.
func (h hold) met(v float64) bool {
	if h.least {
		return v >= h.limit
	}
	return v <= h.limit
}

// bound is the limit as text.
func (h hold) bound() string {
	switch {
	case h.least:
		return "≥ " + h.form(h.limit)
	case h.limit == 0:
		return h.form(0)
	default:
		return "≤ " + h.form(h.limit)
	}
}

// peers is the range of the peers' figures, the best first.
func (h hold) peers(res *results) string {
	var values []float64
	for _, c := range res.contenders {
		if v, ok := h.value(res, c.name); ok && c.peer && !h.ours {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return "–"
	}
	slices.Sort(values)
	if h.least {
		slices.Reverse(values)
	}
	best, worst := h.form(values[0]), h.form(values[len(values)-1])
	if best == worst {
		return best
	}
	return best + " to " + worst
}
