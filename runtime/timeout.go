package mcpfunc

import (
	"strconv"
	"strings"
	"time"
)

// functionTimeout is after how long the Functions host ends a request, and the handler with it; zero if it never does.
// Where neither host.json nor an app setting says, it goes by the plan: 5 minutes on Consumption, else 30.
func functionTimeout(root string, env environment) time.Duration {
	if d, ok := parseTimeSpan(hostSettingsOf(root, env)["functiontimeout"]); ok {
		return max(0, d) // -1 means no limit
	}
	if strings.EqualFold(env.get("WEBSITE_SKU"), "Dynamic") {
		return 5 * time.Minute
	}
	return 30 * time.Minute
}

// parseTimeSpan reads what .NET writes a duration as: days, or [-][days.]hours:minutes[:seconds[.fraction]].
func parseTimeSpan(text string) (d time.Duration, ok bool) {
	text, negative := strings.CutPrefix(strings.TrimSpace(text), "-")
	days, clock, found := strings.Cut(text, ".")
	switch {
	case strings.Contains(days, ":"): // the dot was that of a fraction
		days, clock = "0", text
	case !found && days != "":
		clock = "0:0"
	}
	parts := strings.Split(clock, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	for i, part := range append([]string{days}, parts...) {
		unit := []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}[i]
		n, err := strconv.ParseFloat(part, 64)
		if err != nil || n < 0 || n > 1e5 || i < 3 && n != float64(int64(n)) {
			return 0, false
		}
		d += time.Duration(n * float64(unit))
	}
	if negative {
		d = -d
	}
	return d, true
}
