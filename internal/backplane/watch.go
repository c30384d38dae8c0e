package backplane

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	silence  = 30 * time.Second // after which the connection is tried
	minPause = 250 * time.Millisecond
	maxPause = 15 * time.Second
	batch    = 256 // ids that are asked about at a time
)

// Watch calls end with each id among those held that another instance revokes, until ctx is done. It
// is to run in one goroutine. It listens, and listens again when the connection is lost; what was
// said in between is lost as well, so each time it asks about all ids that are held.
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
		if wait(ctx, jitter(pause)) != nil {
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// listen subscribes, catches up, calls heard, and then ends what is revoked. It returns when the
// connection is lost or ctx is done.
func (s *Store) listen(ctx context.Context, held func() []string, end func(id string), heard func()) error {
	sub := s.client.Subscribe(ctx, channel)
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { sub.Close() }) // reading does not look at ctx
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
		case *redis.Subscription: // the client has reconnected by itself
			if err := s.catchUp(ctx, held, end); err != nil {
				return err
			}
		}
		if err := s.tellUntold(ctx); err != nil {
			return err
		}
	}
}

// catchUp tells Redis what it was not told, and ends what was revoked unheard.
func (s *Store) catchUp(ctx context.Context, held func() []string, end func(id string)) error {
	if err := s.tellUntold(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	for ids := range slices.Chunk(held(), batch) {
		answers, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range ids {
				p.Exists(ctx, keyPrefix+string(digestOf(id)))
			}
			return nil
		})
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

// tellUntold tells Redis what it did not take when it was revoked.
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
