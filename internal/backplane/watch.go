package backplane

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/pace"
)

const (
	silence  = 30 * time.Second // after which a PING tests the connection
	minPause = 250 * time.Millisecond
	maxPause = 15 * time.Second
	batch    = 256 // IDs per question
)

// Watch calls end with each ID among those held that another instance revokes, until ctx is done. Only one goroutine may
// call it. It subscribes, and subscribes again when the connection is lost. Because messages in between are lost, it then
// asks about all IDs that are held.
func (s *Store) Watch(ctx context.Context, held func() []string, end func(id string)) {
	pause, down := minPause, false
	for {
		err := s.listen(ctx, held, end, func() {
			if down {
				s.log.Info("Redis is reachable again: sessions that other instances ended have ended here")
			}
			pause, down = minPause, false
		})
		if ctx.Err() != nil {
			return
		}
		if !down {
			s.log.Warn("cannot reach Redis: a session that another instance ends continues here", "error", explain(err))
		}
		down = true
		if pace.Wait(ctx, jitter(pause)) != nil {
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// listen subscribes, catches up, calls heard, and then ends what is revoked. It returns when the connection is lost or ctx
// is done.
func (s *Store) listen(ctx context.Context, held func() []string, end func(id string), heard func()) error {
	sub := s.client.Subscribe(ctx, channel)
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { sub.Close() }) // a read ends with its connection, not with ctx
	defer stop()
	if _, err := sub.ReceiveTimeout(ctx, tellTimeout); err != nil { // the confirmation
		return err
	}
	if err := s.catchUp(ctx, held, end); err != nil {
		return err
	}
	heard()
	for asked := false; ; {
		m, err := sub.ReceiveTimeout(ctx, silence)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && !asked {
			asked = true
			if err := sub.Ping(ctx); err != nil {
				return err
			}
		} else if err != nil {
			return err
		} else {
			asked = false
		}
		switch m := m.(type) {
		case *redis.Message:
			for _, id := range held() {
				if string(digestOf(id)) == m.Payload {
					end(id)
				}
			}
		case *redis.Subscription: // the client has reconnected
			if err := s.catchUp(ctx, held, end); err != nil {
				return err
			}
		}
		if err := s.tellUntold(ctx); err != nil {
			return err
		}
	}
}

// catchUp tells Redis what it was not told yet, and ends what was revoked in the meantime.
func (s *Store) catchUp(ctx context.Context, held func() []string, end func(id string)) error {
	if err := s.tellUntold(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	for ids := range slices.Chunk(held(), batch) {
		p := s.client.Pipeline()
		for _, id := range ids {
			p.Exists(ctx, keyPrefix+string(digestOf(id)))
		}
		answers, err := p.Exec(ctx)
		if err != nil {
			return err
		}
		for i, answer := range answers {
			if answer.(*redis.IntCmd).Val() > 0 {
				end(ids[i])
			}
		}
	}
	return nil
}

// tellUntold tells Redis about the revocations that it was not told yet.
func (s *Store) tellUntold(ctx context.Context) error {
	s.mu.Lock()
	untold := s.untold
	s.untold = nil
	s.mu.Unlock()
	if len(untold) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	err := s.publish(ctx, untold...)
	if err != nil {
		for _, r := range untold {
			s.keep(r)
		}
	}
	return err
}
