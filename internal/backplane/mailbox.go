package backplane

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// post queues an entry for another instance. It does not wait; writers of bodies call awaitRoom first.
func (i *Instance) post(to string, e *entry) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.queue = append(i.queue, outgoing{to, e})
	i.queued += e.size()
	rouse(i.outgo)
}

func (e *entry) size() int { return len(e.head) + len(e.data) + ticket.Overhead }

// queueRoom returns nil if there is room for more, or else a channel that is closed when there may be.
func (i *Instance) queueRoom() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.queued < maxQueued {
		return nil
	}
	return i.drained
}

// takeQueue takes the first entries of the queue, up to 1 MiB.
func (i *Instance) takeQueue() (batch []outgoing) {
	const most = 1 << 20
	i.mu.Lock()
	defer i.mu.Unlock()
	n, size := 0, 0
	for n < len(i.queue) && (n == 0 || size+i.queue[n].e.size() <= most) {
		size += i.queue[n].e.size()
		n++
	}
	batch = slices.Clone(i.queue[:n])
	i.queue = slices.Delete(i.queue, 0, n)
	i.queued -= size
	close(i.drained)
	i.drained = make(chan struct{})
	return batch
}

// dropQueue drops what waits when Redis has been away for too long. The calls that it belongs to fail. That they have
// ended is not dropped: nobody else tells the other instance.
func (i *Instance) dropQueue() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.queue = slices.DeleteFunc(i.queue, func(out outgoing) bool { return !out.e.ends() })
	i.queued = 0
	for _, out := range i.queue {
		i.queued += out.e.size()
	}
	close(i.drained)
	i.drained = make(chan struct{})
}

// ends reports whether e says that a call has ended before its answer was complete.
func (e *entry) ends() bool { return e.kind == kindRefusal || e.kind == kindCancel }

// send writes what is queued to the mailboxes of others, until the context ends.
func (i *Instance) send() {
	seal := &sealer{keys: i.store.keys, from: i.name, sent: map[string]uint64{}}
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
		if !i.deliver(mails) {
			clear(seal.sent)
			for _, out := range batch {
				if out.e.ends() {
					i.post(out.to, out.e)
				}
			}
			if pace.Wait(i.ctx, jitter(minPause)) != nil {
				return
			}
		}
	}
}

// deliver writes mails, and writes them again if the first attempt may have failed: a reader takes no entry twice. It
// reports false if Redis is lost, and with it all calls.
func (i *Instance) deliver(mails []mail) bool {
	for since := time.Now(); ; {
		err := i.store.post(i.ctx, mails)
		switch {
		case err == nil:
			return true
		case i.down.Load() || time.Since(since) >= patience:
			i.lose(err)
			return false
		case pace.Wait(i.ctx, jitter(minPause)) != nil:
			return false
		}
	}
}

// receive takes what others have written to the mailbox of this instance, until the context ends. After a time in which
// others considered it dead, it answers none of the requests that wait: their callers were told that they are lost.
func (i *Instance) receive() {
	open := &opener{keys: i.store.keys, to: i.name, last: map[string]uint64{}, seen: map[string]uint64{}}
	box := i.store.mailbox(i.name, i.unsettle)
	stop := context.AfterFunc(i.ctx, func() { box.client.Close() }) // a read ends with its connection, not with the context
	defer stop()
	var said time.Time
	pause, heard, late := minPause, time.Now(), false
	for i.ctx.Err() == nil {
		mails, err := box.receive(i.ctx)
		i.shaky.Store(err != nil)
		if err != nil {
			_ = pace.Wait(i.ctx, jitter(pause)) // the loop looks at the context
			pause = min(2*pause, beat)
			continue
		}
		late = late || time.Since(heard) >= SignOfLife-beat
		pause, heard = minPause, time.Now()
		for _, m := range mails {
			from, e, err := open.open(m.field, m.value)
			if err == nil && open.missed(from, e) {
				i.log.Warn("Redis has lost messages of another instance: the calls in flight to it and from it end", "instance", from)
				i.endCalls(errMissed, from, true)
				i.post(from, &entry{kind: kindMissed})
			}
			switch {
			case err == nil && late && e.kind == kindRequest:
				i.refuse(from, e)
			case err == nil:
				i.take(from, e)
			case errors.Is(err, errReplayed): // its sender repeated it after an error, or an attacker did
			case time.Since(said) >= time.Minute: // anyone with write access to Redis can cause many
				said = time.Now()
				i.log.Warn("mailbox entry ignored: no other instance wrote it", "error", err)
			}
		}
		late = late && len(mails) == mostMail // there may be more
	}
}

// take gives an entry to its call. It does not block.
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
			i.post(from, &entry{kind: kindCancel, call: e.call}) // the caller has gone
		}
	case kindPing:
		i.post(from, &entry{kind: kindPong})
	case kindMissed:
		i.endCalls(errMissed, from, true)
	}
}

// deposit adds an entry to an inlet. If too much waits to be read, it fails, and so does the inlet, which ends the call.
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

// count adds n, which may be negative, to the bytes that wait to be read, and reports whether they are within maxUnread.
func (i *Instance) count(n int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.unread += n
	return i.unread <= maxUnread
}
