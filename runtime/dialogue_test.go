package mcpfunc

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/dialogue")

// TestDialogue plays the conversations in testdata/dialogue: clients on one side, a server process
// on the other, and every byte between them. The sections of a file are steps, in order:
//
//	a: POST /api/mcp        client a sends this; header lines, a blank line, the body
//	a: hang up              client a closes its connection
//	a: answer               a's whole answer: status, the header lines that matter, the body
//	a: head                 the status and header lines of a's answer, which goes on
//	a: event                the next server-sent event or comment of a
//	a: end                  a's answer ends here
//	a: silent               nothing comes for a now
//	child reads             lines that the server process gets
//	child writes            what it says, as it stands
//	child dies              it ends, with an error of this text
//	child starts            a process is started, now or before
//	child is idle           it has got nothing
//	wait 20s                time passes
//
// Session ids that we minted read as S1, S2, … in the order in which they appear. Event ids read
// without what tells the lives of a session apart.
func TestDialogue(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/dialogue/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			script, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { play(t, script) })
			if *update && !t.Failed() {
				os.WriteFile(file, txtar.Format(script), 0o644)
			}
		})
	}
}

type player struct {
	t        *testing.T
	app      *App
	http     *http.Client
	clients  map[string]*dialogueClient
	children chan *dialogueChild
	child    *dialogueChild
	ids      []string          // minted session ids
	events   map[string]string // event ids, by the part that dialogues show
}

type dialogueClient struct {
	cancel context.CancelFunc
	answer chan *http.Response
	resp   *http.Response
	lines  chan string // of an event stream
}

type dialogueChild struct {
	*mcptest.Process
	lines chan string
}

func play(t *testing.T, script *txtar.Archive) {
	p := &player{t: t, events: map[string]string{}, clients: map[string]*dialogueClient{}, children: make(chan *dialogueChild, 100)}
	server := Server{Name: "fake", Command: "fake"}
	cfg := &Config{AllowedOrigins: []string{"https://good.example"}, AllowedHosts: []string{"mcp.test"}}
	for line := range strings.Lines(string(script.Comment)) {
		if option, ok := strings.CutPrefix(strings.TrimSpace(line), "option: "); ok {
			dialogueOption(t, option, cfg, &server)
		}
	}
	cfg.Servers = []Server{server}
	var err error
	p.app, err = New(cfg, &Options{Logger: slog.New(slog.DiscardHandler), Launcher: LauncherFunc(p.launch)})
	if err != nil {
		t.Fatal(err)
	}
	var stop func()
	p.http, stop = mcptest.Serve(p.app)
	t.Cleanup(func() { p.end(stop) })
	for i := range script.Files {
		step := &script.Files[i]
		got := p.step(step.Name, p.expand(string(step.Data)))
		synctest.Wait()
		if want := string(step.Data); got != want && got != "" {
			if *update {
				step.Data = []byte(got)
				continue
			}
			t.Errorf("step %d, %q: got\n%s\nwant\n%s", i+1, step.Name, got, want)
			break
		}
	}
}

// end ends everything, and sees that nothing is left.
func (p *player) end(stop func()) {
	for _, c := range p.clients {
		c.cancel()
	}
	go func() { // a goroutine that is left alone ends
		for c := range p.children {
			c.Exit(nil)
		}
	}()
	if p.child != nil {
		p.child.Exit(nil)
	}
	p.app.Close()
	close(p.children)
	stop()
	if s := p.app.table.Stats(); s.Sessions != 0 || s.Processes != 0 {
		p.t.Errorf("left over: %+v", s)
	}
}

func dialogueOption(t *testing.T, option string, cfg *Config, s *Server) {
	switch option {
	case "no restart":
		s.MaxRestarts = -1
	case "no anonymous":
		s.RequireSession = true
	case "no client ids":
		s.RejectClientIDs = true
	case "small":
		cfg.MaxRequestBytes, cfg.MaxResponseBytes = 200, 200
	case "call timeout":
		s.RequestTimeout = 5 * time.Second
	case "legacy", "modern", "both":
		s.Era = option
	case "stateless":
		s.Stateless = true
	case "npx":
		s.Command, s.Args = "npx", []string{"-y", "fake"}
	case "404":
		s.OnLost = "404"
	case "two sessions":
		cfg.MaxSessions = 2
	default:
		t.Fatalf("no such option: %s", option)
	}
}

func (p *player) launch(context.Context, Server, []string) (Process, error) {
	c := &dialogueChild{mcptest.NewProcess(), make(chan string, 1000)}
	go func() {
		in := bufio.NewReader(c.In)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				c.Exit(nil) // stdin is closed: a good server ends
				return
			}
			c.lines <- line
		}
	}()
	p.children <- c
	return c.Process, nil
}

// expand puts real session ids in place of S1, S2, ….
func (p *player) expand(text string) string {
	for i, id := range p.ids {
		text = strings.ReplaceAll(text, fmt.Sprintf("S%d", i+1), id)
	}
	return text
}

var minted = regexp.MustCompile(`mcpf-([A-Z2-7]{26}|a[A-Za-z0-9_-]+)`)

var eventID = regexp.MustCompile(`(?m)^id: (\d+-\d+)-[A-Z2-7]{6}\S*$`)

// hide does the opposite.
func (p *player) hide(text string) string {
	text = eventID.ReplaceAllStringFunc(text, func(line string) string {
		short := eventID.FindStringSubmatch(line)[1]
		p.events[short] = strings.TrimPrefix(line, "id: ")
		return "id: " + short
	})
	return minted.ReplaceAllStringFunc(text, func(id string) string {
		i := slices.Index(p.ids, id)
		if i < 0 {
			i = len(p.ids)
			p.ids = append(p.ids, id)
		}
		return fmt.Sprintf("S%d", i+1)
	})
}

// step does one step, and returns what it saw if there is something to see.
func (p *player) step(name, data string) string {
	who, what, _ := strings.Cut(name, ": ")
	switch {
	case strings.HasPrefix(name, "wait "):
		d, err := time.ParseDuration(name[5:])
		if err != nil {
			p.t.Fatal(err)
		}
		time.Sleep(d)
		return ""
	case name == "child starts":
		synctest.Wait()
		select {
		case p.child = <-p.children:
		default:
			p.t.Fatal("no process was started")
		}
		return ""
	case name == "child reads":
		var got strings.Builder
		for range max(1, strings.Count(data, "\n")) {
			synctest.Wait()
			select {
			case line := <-p.child.lines:
				got.WriteString(line)
			default:
				return got.String() + "(nothing)\n"
			}
		}
		return p.hide(got.String())
	case name == "child writes":
		if _, err := io.WriteString(p.child.Out, data); err != nil {
			p.t.Fatal(err)
		}
		return ""
	case name == "child dies":
		p.child.Exit(fmt.Errorf("%s", strings.TrimSpace(data)))
		return ""
	case name == "child is idle":
		synctest.Wait()
		select {
		case line := <-p.child.lines:
			return line
		default:
			return ""
		}
	case strings.Contains(what, " /"):
		p.send(who, what, data)
		return ""
	}
	c := p.clients[who]
	if c == nil {
		p.t.Fatalf("no such step: %s", name)
	}
	synctest.Wait()
	switch what {
	case "hang up":
		c.cancel()
		return ""
	case "head":
		return p.hide(p.head(c))
	case "answer":
		head := p.head(c)
		if c.resp == nil {
			return head
		}
		var body strings.Builder
		for line := range c.lines {
			body.WriteString(line)
		}
		return p.hide(head + "\n" + body.String() + "\n")
	case "event":
		var got strings.Builder
		for {
			synctest.Wait()
			select {
			case line, ok := <-c.lines:
				if !ok {
					return got.String() + "(end)\n"
				}
				if line == "\n" {
					return p.hide(got.String())
				}
				got.WriteString(line)
			default:
				return got.String() + "(nothing)\n"
			}
		}
	case "silent", "end":
		select {
		case line, ok := <-c.lines:
			if ok {
				return "got " + line
			}
			if what == "silent" {
				return "(end)\n"
			}
		default:
			if what == "end" {
				return "(it goes on)\n"
			}
		}
		return ""
	}
	p.t.Fatalf("no such step: %s", name)
	return ""
}

func (p *player) send(who, what, data string) {
	method, path, _ := strings.Cut(what, " ")
	head, body, _ := strings.Cut("\n"+data, "\n\n")
	ctx, cancel := context.WithCancel(p.t.Context())
	r, err := http.NewRequestWithContext(ctx, method, "http://mcp.test"+p.expand(path), strings.NewReader(strings.TrimSuffix(body, "\n")))
	if err != nil {
		p.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	said := map[string]bool{}
	for line := range strings.Lines(head) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			if full := p.events[value]; full != "" {
				value = full
			}
			if !said[name] {
				r.Header.Del(name) // the default
			}
			said[name] = true
			if r.Header.Add(name, value); name == "Host" {
				r.Host = value
			}
		} else if name, ok := strings.CutSuffix(strings.TrimSpace(line), ":"); ok {
			r.Header.Del(name)
		}
	}
	c := &dialogueClient{cancel: cancel, answer: make(chan *http.Response, 1), lines: make(chan string, 10000)}
	p.clients[who] = c
	go func() {
		resp, err := p.http.Do(r)
		if err != nil {
			close(c.answer)
			close(c.lines)
			return
		}
		c.answer <- resp
		body := bufio.NewReader(resp.Body)
		for {
			line, err := body.ReadString('\n')
			if line != "" {
				c.lines <- line
			}
			if err != nil {
				close(c.lines)
				resp.Body.Close()
				return
			}
		}
	}()
}

// shown are the header fields that dialogues show.
var shown = []string{
	"Content-Type", "Mcp-Session-Id", "Allow", "Accept-Encoding", "Retry-After", "X-Accel-Buffering", "WWW-Authenticate",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Expose-Headers",
}

func (p *player) head(c *dialogueClient) string {
	select {
	case resp, ok := <-c.answer:
		if !ok {
			return "(no answer)\n"
		}
		c.resp = resp
	default:
		return "(nothing)\n"
	}
	head := fmt.Sprintf("%d\n", c.resp.StatusCode)
	for _, name := range shown {
		if v := c.resp.Header.Get(name); v != "" {
			head += name + ": " + v + "\n"
		}
	}
	return head
}
