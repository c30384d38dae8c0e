package remotecheck

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// aboutPath is the page on which a handler tells of its machine, behind a key.
const aboutPath = "/api/session_metrics"

// An about is what one instance tells of itself.
type about struct {
	Instance       string            `json:"instance"`
	Uptime         float64           `json:"uptime_seconds"`
	Profile        string            `json:"profile"`
	PreviewFlag    bool              `json:"preview_flag"`
	Stack          string            `json:"stack"`
	Platform       string            `json:"platform"`
	Isolation      string            `json:"isolation"`
	Sandbox        string            `json:"sandbox"`
	Limitation     string            `json:"limitation"`
	LimitationHint string            `json:"limitation_hint"`
	Path           string            `json:"path"`
	Programs       map[string]string `json:"programs"`
	Servers        []struct {
		Name, Command, File, Error, Hint string

		Drifted []string `json:"drifted_tools"`
	} `json:"servers"`
	SessionKey bool `json:"session_key"`
	Redis      bool `json:"redis"`

	load // of the page
}

// A load is what the processes of servers take up, as one instance counts it.
type load struct {
	Sessions  int   `json:"active_sessions"`
	Idle      int   `json:"without_process"`
	Processes int   `json:"total_processes"`
	Memory    int64 `json:"process_memory_bytes"`
}

// look asks any instance. A nil about without an error was refused or is none.
func (c *check) look() (*about, *answer, error) {
	a, err := c.ask(http.MethodGet, aboutPath, nil, true)
	if err != nil {
		return nil, nil, err
	}
	var page struct {
		App *about
		load
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &page) != nil || page.App == nil {
		return nil, a, nil
	}
	page.App.load = page.load
	return page.App, a, nil
}

// about asks what the app has: profile, programs, isolation.
func (c *check) about() {
	const name, hint = "instance", `give a key of the app by --header "x-functions-key: …", or in $MCPFUNC_KEY`
	app, a, err := c.look()
	switch {
	case err != nil:
		c.fail(name, "", "%s: %v", aboutPath, err)
		return
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		c.missing(name, hint, "%s answers %d: what the machine has is told for a key alone", aboutPath, a.status)
		return
	case app == nil:
		c.missing(name, "mcpfunc generate, then publish", "%s answers %d and does not tell of the machine: the app carries another version", aboutPath, a.status)
		return
	}
	c.app = app
	c.profile()
	var there, not []string
	for _, p := range slices.Sorted(maps.Keys(app.Programs)) {
		if file := app.Programs[p]; file != "" {
			there = append(there, p+" ("+file+")")
		} else {
			not = append(not, p)
		}
	}
	c.ok("programs", "%s, stack %s: there are %s; there are not %s; PATH is %s", app.Platform, cmp.Or(app.Stack, "unknown"),
		cmp.Or(strings.Join(there, ", "), "none"), cmp.Or(strings.Join(not, ", "), "any others"), app.Path)
	for _, s := range app.Servers {
		if s.Error != "" {
			c.fail("servers", cmp.Or(s.Hint, "mcpfunc pack takes along what a server needs"), "%s cannot start there: %s", s.Name, s.Error)
		} else {
			c.ok("servers", "%s starts as %s", s.Name, s.File)
		}
		if len(s.Drifted) > 0 {
			c.warn("tools", "mcpfunc pack shows what changed, and asks", "%s has tools that are not as they were packed: %s", s.Name, quotedList(s.Drifted))
		}
	}
	c.ok("memory", "%d sessions, of which %d have needed no process; %d processes use %d MiB, what they share counted once",
		app.Sessions, app.Idle, app.Processes, app.Memory>>20)
	if app.Limitation != "" {
		c.warn("isolation", app.LimitationHint, "%s; %s", app.Isolation, app.Limitation)
	} else {
		c.ok("isolation", "%s", app.Isolation)
	}
	if app.Sandbox != "" {
		c.ok("sandbox", "the instance keeps up %s", app.Sandbox)
	}
}

// quotedList names tools so that none looks like another on a terminal.
func quotedList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ", ")
}

// profile says whether the profile of host.json counts. That we were answered says that it does.
func (c *check) profile() {
	const name = "profile"
	switch app := c.app; {
	case app.Profile == "" && app.PreviewFlag:
		c.ok(name, "none: there is a function.json for every route; the flag EnableMcpCustomHandlerPreview does nothing")
	case app.Profile == "":
		c.ok(name, "none: there is a function.json for every route")
	case app.PreviewFlag:
		c.ok(name, "%s is honored, with the flag EnableMcpCustomHandlerPreview set", app.Profile)
	default:
		c.warn(name, "set AzureWebJobsFeatureFlags=EnableMcpCustomHandlerPreview: it is documented as required, and another version of the host may ask for it",
			"%s is honored without the flag EnableMcpCustomHandlerPreview, which this host does not need", app.Profile)
	}
}

// instances counts who answers.
func (c *check) instances() {
	const name = "instances"
	if c.app == nil {
		c.missing(name, "a key shows them", "nobody tells which instance answers")
		return
	}
	var mu sync.Mutex
	seen := map[string]bool{c.app.Instance: true}
	youngest := c.app.Uptime
	var all sync.WaitGroup
	for range looks {
		all.Go(func() {
			if app, _, err := c.look(); err == nil && app != nil {
				mu.Lock()
				defer mu.Unlock()
				seen[app.Instance] = true
				youngest = min(youngest, app.Uptime)
			}
		})
	}
	all.Wait()
	age := round(time.Duration(youngest * float64(time.Second)))
	switch n := len(seen); {
	case n == 1 && c.app.SessionKey:
		c.ok(name, "one answered %d requests; others can take sessions over; the youngest handler runs for %s", looks+1, age)
	case n == 1:
		c.warn(name, "set the app setting MCPFUNC_SESSION_KEY (mcpfunc publish does): in a burst there are more", "one answered %d requests, and sessions are bound to it", looks+1)
	case !c.app.SessionKey:
		c.fail(name, "set the app setting MCPFUNC_SESSION_KEY (mcpfunc publish does)", "%d answered %d requests, and none can serve the sessions of another", n, looks+1)
	case !c.app.Redis:
		c.warn(name, `set MCPFUNC_REDIS_URL, by which each reaches every session, or "on_lost" for servers whose processes remember something`,
			"%d answered %d requests: a session that reaches another is taken over, by a new process", n, looks+1)
	default:
		c.ok(name, "%d answered %d requests, and each reaches every session; the youngest handler runs for %s", n, looks+1, age)
	}
}
