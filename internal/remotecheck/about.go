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

// look asks any instance. A nil about without an error was refused or is not an about.
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
	const name, hint = "instance", `pass a key of the app with --header "x-functions-key: …", or in $MCPFUNC_KEY`
	app, a, err := c.look()
	switch {
	case err != nil:
		c.fail(name, "", "%s: %v", aboutPath, err)
		return
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		c.missing(name, hint, "%s answers %d: it describes the machine only to callers with a key", aboutPath, a.status)
		return
	case app == nil:
		c.missing(name, "run mcpfunc generate, then publish", "%s answers %d and does not describe the machine: the app runs a different version", aboutPath, a.status)
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
	c.ok("programs", "%s, stack %s: present: %s; absent: %s; PATH is %s", app.Platform, cmp.Or(app.Stack, "unknown"),
		cmp.Or(strings.Join(there, ", "), "none"), cmp.Or(strings.Join(not, ", "), "any others"), app.Path)
	for _, s := range app.Servers {
		if s.Error != "" {
			c.fail("servers", cmp.Or(s.Hint, "run mcpfunc pack to include what a server needs"), "%s cannot start there: %s", s.Name, s.Error)
		} else {
			c.ok("servers", "%s starts as %s", s.Name, s.File)
		}
		if len(s.Drifted) > 0 {
			c.warn("tools", "run mcpfunc pack to review and accept the changes", "%s has tools that have changed since they were packed: %s", s.Name, quotedList(s.Drifted))
		}
	}
	c.ok("memory", "%d sessions, of which %d have not needed a process; %d processes use %d MiB, shared memory counted once",
		app.Sessions, app.Idle, app.Processes, app.Memory>>20)
	if app.Limitation != "" {
		c.warn("isolation", app.LimitationHint, "%s; %s", app.Isolation, app.Limitation)
	} else {
		c.ok("isolation", "%s", app.Isolation)
	}
	if app.Sandbox != "" {
		c.ok("sandbox", "the instance enforces %s", app.Sandbox)
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
		c.ok(name, "none: every route has a function.json; the flag EnableMcpCustomHandlerPreview has no effect")
	case app.Profile == "":
		c.ok(name, "none: every route has a function.json")
	case app.PreviewFlag:
		c.ok(name, "%s is honored, with the flag EnableMcpCustomHandlerPreview set", app.Profile)
	default:
		c.warn(name, "set AzureWebJobsFeatureFlags=EnableMcpCustomHandlerPreview: it is documented as required, and another version of the host may need it",
			"%s is honored without the flag EnableMcpCustomHandlerPreview, which this host does not need", app.Profile)
	}
}

// instances counts who answers.
func (c *check) instances() {
	const name = "instances"
	if c.app == nil {
		c.missing(name, "pass a key to see them", "the app does not say which instance answers")
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
		c.ok(name, "one instance answered %d requests; others can take over its sessions; the newest handler has run for %s", looks+1, age)
	case n == 1:
		c.warn(name, "set the app setting MCPFUNC_SESSION_KEY (mcpfunc publish does): a burst of requests adds instances", "one instance answered %d requests, and its sessions are bound to it", looks+1)
	case !c.app.SessionKey:
		c.fail(name, "set the app setting MCPFUNC_SESSION_KEY (mcpfunc publish does)", "%d instances answered %d requests, and none can serve the sessions of another", n, looks+1)
	case !c.app.Redis:
		c.warn(name, `set MCPFUNC_REDIS_URL, so that each instance reaches every session, or "on_lost" for servers whose processes keep state`,
			"%d instances answered %d requests: another instance takes over a session with a new process", n, looks+1)
	default:
		c.ok(name, "%d instances answered %d requests, and each reaches every session; the newest handler has run for %s", n, looks+1, age)
	}
}
