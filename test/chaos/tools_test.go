//go:build chaos

package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// identity is what a server tells of its process.
type identity struct {
	PID, Parent int
	Mark        string // that the handler gave it, and that its descendants inherit
}

// call answers, or does not answer, one tools/call.
func (s *server) call(r request) {
	a := r.Params.Arguments
	switch r.Params.Name {
	case "echo":
		if a.Delay > 0 {
			go func() {
				<-time.After(a.Delay)
				s.text(r, s.echo(a.Canary))
			}()
			return
		}
		s.text(r, s.echo(a.Canary))
	case "secret": // which nobody but its user may hear
		fmt.Fprintf(os.Stderr, "I was given %s\n", os.Getenv(secretVariable))
		s.text(r, os.Getenv(secretVariable))
	case "story": // with progress on the way
		for i := range a.N {
			s.message(map[string]any{"method": "notifications/progress", "params": map[string]any{
				"progressToken": r.Params.Meta.ProgressToken, "progress": i + 1, "message": s.echo(a.Canary),
			}})
		}
		s.text(r, s.echo(a.Canary))
	case "gossip": // what belongs to no call
		for range a.N {
			s.message(map[string]any{"method": "notifications/resources/updated", "params": map[string]any{"uri": s.echo(a.Canary)}})
		}
		s.text(r, s.echo(a.Canary))
	case "who":
		who, _ := json.Marshal(identity{os.Getpid(), os.Getppid(), os.Getenv(markName)})
		s.text(r, string(who))
	case "beget":
		for range a.N {
			if err := beget(a.Kin); err != nil {
				s.message(map[string]any{"id": r.ID, "error": map[string]any{"code": -32000, "message": err.Error()}})
				return
			}
		}
		s.text(r, "ready")
	case "hang":
		s.hung++
	case "hung":
		s.text(r, fmt.Sprint(s.hung))
	default:
		s.die(r)
	}
}

// echo says a canary, and the first one that this process was given.
func (s *server) echo(canary string) string {
	if s.home == "" {
		s.home, _, _ = strings.Cut(canary, "/")
	}
	return s.home + " " + canary
}

// die is how a server ends, or becomes one that would better have ended.
func (s *server) die(r request) {
	a := r.Params.Arguments
	switch r.Params.Name {
	case "exit":
		os.Exit(a.N)
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "half": // of an answer
		s.write(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"te`, r.ID))
		os.Exit(1)
	case "eat": // memory, until somebody kills it
		hoard(a.N)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "close stdin":
		s.in.Close() // before the answer: the next message must not get into the pipe
		s.text(r, "closed")
	case "close stdout":
		s.out.Close()
	case "ignore": // all that asks it to end
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		s.text(r, "ignored")
		for {
			if _, err := s.read.ReadBytes('\n'); err != nil {
				break
			}
		}
		os.Exit(outlive())
	default:
		s.misbehave(r)
	}
}

// misbehave is what a server does to its neighbours, for as long as it is let.
func (s *server) misbehave(r request) {
	a := r.Params.Arguments
	until := time.Now().Add(lifetime)
	switch r.Params.Name {
	case "flood": // of messages
		line := []byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"` + strings.Repeat("x", 200) + `"}}` + "\n")
		lines := bytes.Repeat(line, 100)
		for time.Now().Before(until) && s.write(lines) == nil {
		}
	case "ask": // more than anybody can answer
		for i := 0; time.Now().Before(until); i++ {
			if s.message(map[string]any{"id": i, "method": "sampling/createMessage", "params": map[string]any{}}) != nil {
				break
			}
		}
	case "noise": // on both pipes
		lines := bytes.Repeat([]byte("DEBUG: this is no message\n"), 100)
		go func() {
			for time.Now().Before(until) && s.write(lines) == nil {
			}
		}()
		for time.Now().Before(until) {
			if _, err := os.Stderr.Write(lines); err != nil {
				break
			}
		}
	case "large": // an answer of a.N bytes
		s.text(r, strings.Repeat("x", a.N))
		return
	case "endless": // a line that never ends
		s.write(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":{"content":"`, r.ID))
		chunk := bytes.Repeat([]byte("x"), 64<<10)
		for time.Now().Before(until) && s.write(chunk) == nil {
		}
	case "deaf":
		s.text(r, "deaf")
		outlive()
	case "hungry": // for a.N megabytes, which it keeps
		keep := hoard(a.N)
		s.text(r, fmt.Sprint(len(keep)))
		return
	default:
		s.attack(r)
		return
	}
	os.Exit(1)
}

// hoard takes megabytes of memory, and touches every page so that they are really there.
func hoard(megabytes int) [][]byte {
	var all [][]byte
	for range megabytes {
		mb := make([]byte, 1<<20)
		for i := 0; i < len(mb); i += 4096 {
			mb[i] = 1
		}
		all = append(all, mb)
	}
	return all
}
