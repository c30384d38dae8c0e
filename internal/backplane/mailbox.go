package backplane

import (
	"context"
	"errors"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// post queues an entry. It does not wait.
func (i *Instance) post(to string, e *entry) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.queue = append(i.queue, outgoing{to, e})
	i.queued += e.size()
	rouse(i.outgo)
}

func (e *entry) size() int { return len(e.head) + len(e.data) + ticket.Overhead }

// queueRoom returns what is closed when there is room for more, or nil if there is.
func (i *Instance) queueRoom() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.queued < maxQueued {
		return nil
	}
	return i.drained
}

// takeQueue takes what waits, up to a bound, in its order.
func (i *Instance) takeQueue() (batch []outgoing) {
	const most = 1 << 20
	i.mu.Lock()
	defer i.mu.Unlock()
	n, size := 0, 0
	for n < len(i.queue) && (n == 0 || size+i.queue[n].e.size() <= most) {
		size += i.queue[n].e.size()
		n++
	}
	batch = append(batch, i.queue[:n]...)
	clear(i.queue[:n])
	if i.queue = i.queue[n:]; len(i.queue) == 0 {
		i.queue = nil
	}
	i.queued -= size
	close(i.drained)
	i.drained = make(chan struct{})
	return batch
}

// dropQueue forgets what waits, after Redis was away for too long: the callers that wait for it have been told.
func (i *Instance) dropQueue() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.queue, i.queued = nil, 0
	close(i.drained)
	i.drained = make(chan struct{})
}

// send writes what is queued into the mailboxes of others.
func (i *Instance) send() {
	seal := &sealer{keys: i.store.keys, from: i.name}
	for {
		batch := i.takeQueue()
		if len(batch) == 0 {
			select {
			case <-i.outgo:
			case <-i.ctx.Done():
				return
			}
			continue
		}
		mails := make([]mail, len(batch))
		for n, out := range batch {
			mails[n].to = out.to
			mails[n].field, mails[n].value = seal.next(out.to, out.e)
		}
		i.deliver(mails)
	}
}

// deliver writes mails, again if it is not known whether they were written: a reader takes none twice. It gives
// up when Redis is lost.
func (i *Instance) deliver(mails []mail) {
	for since := time.Now(); ; {
		err := i.store.post(i.ctx, mails)
		if err == nil || i.ctx.Err() != nil {
			return
		}
		if i.down.Load() || time.Since(since) >= patience {
			i.lose(err)
			return
		}
		select {
		case <-time.After(minPause):
		case <-i.ctx.Done():
			return
		}
	}
}

// receive takes what others have written into our mailbox.
func (i *Instance) receive() {
	open := &opener{keys: i.store.keys, to: i.name, last: map[string]uint64{}}
	box := i.store.mailbox(i.name)
	stop := context.AfterFunc(i.ctx, box.close) // reading does not look at the context
	defer stop()
	var said time.Time
	for i.ctx.Err() == nil {
		mails, err := box.receive(i.ctx)
		i.shaky.Store(err != nil)
		if err != nil {
			select {
			case <-time.After(minPause):
			case <-i.ctx.Done():
			}
			continue
		}
		for _, m := range mails {
			from, e, err := open.open(m.field, m.value)
			switch {
			case err == nil:
				i.take(from, e)
			case errors.Is(err, errReplayed): // its first reading was not answered, or someone plays
			case time.Since(said) >= time.Minute: // anyone who can write to Redis can make many
				said = time.Now()
				i.log.Warn("mailbox entry ignored: no other instance wrote it", "error", err)
			}
		}
	}
}

// take gives an entry to whom it is for. It does not block.
func (i *Instance) take(from string, e *entry) {
	switch e.kind {
	case kindRequest:
		i.takeRequest(from, e)
	case kindBody, kindCancel, kindCredit:
		i.mu.Lock()
		s := i.served[servedKey{from, e.call}]
		i.mu.Unlock()
		if s != nil {
			s.take(e)
		}
	case kindHead, kindData, kindRefusal, kindReceived:
		i.mu.Lock()
		c := i.calls[e.call]
		i.mu.Unlock()
		switch {
		case c != nil && c.to == from && e.kind == kindReceived:
			c.body.open(e.more)
		case c != nil && c.to == from:
			i.deposit(c.answer, e)
		case c == nil && (e.kind == kindHead || e.kind == kindData) && !e.end:
			i.post(from, &entry{kind: kindCancel, call: e.call}) // no request waits for it any more
		}
	}
}

// deposit puts what has come into an inlet, unless too much waits to be read. It fails if the call is over by that.
func (i *Instance) deposit(in *inlet, e *entry) error {
	n := len(e.data)
	err := errUnread
	if i.count(n) {
		err = in.add(e)
	}
	if err != nil {
		i.count(-n)
		in.fail(err)
	}
	return err
}

// count counts bytes that wait to be read, or are read, and reports whether there are not too many.
func (i *Instance) count(n int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.unread += n
	return i.unread <= maxUnread
}
