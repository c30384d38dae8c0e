package policy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// An Inventory is what is known of the tools of one process: which of them are the pinned ones. Where pins are
// enforced, a call waits until the process has listed its tools, since it may have others than it lists to
// someone else. A nil *Inventory is of a process without a policy.
type Inventory struct {
	listing chan struct{} // holds one value while someone compares

	mu       sync.Mutex
	complete bool            // all tools have been listed since they last changed
	changes  int             // of the list, that the process has told
	same     map[string]bool // by name: false as soon as one that is not the pinned one was seen
}

// NewInventory returns the Inventory of a process, or nil where p, which may be nil, does not enforce pins.
func (p *Policy) NewInventory() *Inventory {
	if p == nil || p.pin != PinEnforce {
		return nil
	}
	return &Inventory{listing: make(chan struct{}, 1), same: map[string]bool{}}
}

// note takes in that the process has listed a tool.
func (v *Inventory) note(name string, same bool) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if before, known := v.same[name]; known || len(v.same) < maxTools {
		v.same[name] = same && (before || !known)
	} else {
		v.complete = false
	}
}

// Heard takes in a notification of the process: after one that its tools have changed, nothing is known of them.
func (v *Inventory) Heard(m *message.Message) {
	if v == nil || m.Kind() != message.Notification || m.Envelope().Method() != "notifications/tools/list_changed" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.complete = false
	v.changes++
	clear(v.same)
}

// state returns whether everything is known, and after how many changes.
func (v *Inventory) state() (complete bool, changes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.complete, v.changes
}

// Limits of what a process lists to us.
const (
	maxTools    = 10_000
	maxPages    = 1000
	maxAttempts = 3 // while its tools change
)

// Admit says why a call of a client must not reach the process, or nil: its tool is the pinned one there. ask
// sends tools/list to the process, after the cursor if that is not nil, and returns the answer when it went
// through Sift, as every answer does; Admit frees it. Of any other message than a call, Admit knows nothing and
// sends no request.
func (v *Inventory) Admit(ctx context.Context, m *message.Message, ask func(ctx context.Context, cursor []byte) (*message.Message, error)) *Refusal {
	if v == nil || m.Envelope().Method() != "tools/call" {
		return nil
	}
	if err := v.compare(ctx, ask); err != nil {
		return Failed(err)
	}
	name, _ := m.Name()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.complete || !v.same[name] {
		return notThere(tools, name, false)
	}
	return nil
}

// compare asks for all tools, unless they are known. One caller asks, and others wait for it.
func (v *Inventory) compare(ctx context.Context, ask func(context.Context, []byte) (*message.Message, error)) error {
	if complete, _ := v.state(); complete {
		return nil
	}
	select {
	case v.listing <- struct{}{}:
		defer func() { <-v.listing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for range maxAttempts {
		complete, changes := v.state()
		if complete {
			return nil
		}
		if err := listAll(ctx, ask); err != nil {
			return err
		}
		v.mu.Lock()
		v.complete = v.changes == changes && len(v.same) < maxTools
		v.mu.Unlock()
	}
	if complete, _ := v.state(); !complete {
		return errors.New("they keep changing, or there are too many")
	}
	return nil
}

// listAll asks for every page of the list.
func listAll(ctx context.Context, ask func(context.Context, []byte) (*message.Message, error)) error {
	var cursor []byte
	visited := map[string]bool{}
	for range maxPages {
		answer, err := ask(ctx, cursor)
		if err != nil {
			return err
		}
		failed := answer.Envelope().IsError()
		if !failed {
			cursor = nextCursor(answer)
		}
		answer.Free()
		switch {
		case failed:
			return errors.New("the server answered tools/list with an error")
		case cursor == nil:
			return nil
		case visited[string(cursor)]:
			return errors.New("the pages of the list form a loop")
		}
		visited[string(cursor)] = true
	}
	return fmt.Errorf("the list has more than %d pages", maxPages)
}

// nextCursor returns the cursor of the page behind this one, as JSON; nil for none.
func nextCursor(answer *message.Message) []byte {
	text := answer.Bytes()
	var cursor []byte
	for key, result := range message.Members(text, message.Whole(text)) {
		if key != "result" {
			continue
		}
		for key, at := range message.Members(text, result) {
			if key == "nextCursor" {
				cursor = text[at.From:at.To]
			}
		}
	}
	if string(cursor) == "null" {
		return nil
	}
	return cursor
}
