package watch

import "time"

// What follows is called with hub.mu held.

func (r *Recorder) event(text string) {
	r.put(Message{At: time.Now(), From: fromApp, Kind: "event", Body: text})
}

func (r *Recorder) put(m Message) {
	r.lastMessage++
	m.Number = r.lastMessage
	r.messages = append(r.messages, m)
	r.charge(m.weight())
	if len(r.messages) > maxMessages {
		r.dropMessage()
	}
}

func (m *Message) weight() int { return len(m.Body) + len(m.Method) + len(m.ID) }

func (r *Recorder) charge(n int) {
	r.bytes += n
	r.hub.bytes += n
}

func (r *Recorder) dropMessage() {
	r.charge(-r.messages[0].weight())
	r.messages[0] = Message{} // the slice lives on, its text must not
	r.messages = r.messages[1:]
}

func (r *Recorder) dropLine() {
	r.charge(-len(r.lines[0].Text))
	r.lines[0] = Line{}
	r.lines = r.lines[1:]
}

// oldest is when the oldest of what is kept was said. It reports false if nothing is.
func (r *Recorder) oldest() (at time.Time, ok bool) {
	switch {
	case r == nil || len(r.messages)+len(r.lines) == 0:
		return time.Time{}, false
	case len(r.lines) == 0 || len(r.messages) > 0 && r.messages[0].At.Before(r.lines[0].At):
		return r.messages[0].At, true
	}
	return r.lines[0].At, true
}

func (r *Recorder) dropOldest() {
	if len(r.lines) == 0 || len(r.messages) > 0 && r.messages[0].At.Before(r.lines[0].At) {
		r.dropMessage()
	} else {
		r.dropLine()
	}
}

// waiting is how many requests of the client have no answer yet.
func (r *Recorder) waiting() (n int) {
	for k := range r.pending {
		if k.from == fromClient {
			n++
		}
	}
	return n
}
