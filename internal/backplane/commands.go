package backplane

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The commands of owners and mailboxes. Each is about one key, so that a cluster takes them, and they are those
// of Redis 5.

const (
	ownerPrefix = "mcpfunc:owner:" // and the name of a session; the value is its owner
	statePrefix = "mcpfunc:state:" // and the name of a requestState; the value is the instance that minted it
	alivePrefix = "mcpfunc:alive:" // and the name of an instance, while it lives; the value says nothing
	boxPrefix   = "mcpfunc:box:"   // and the name of an instance: a stream of what others write for it
	bornKey     = "mcpfunc:born"   // when this Redis, as far as it knows, was first used: Unix milliseconds

	boxLife  = time.Minute // of a mailbox whose instance does not live any more
	blocking = 2 * time.Second
	mostMail = 64 // entries that are read at a time
)

// key is where Redis has something by this name. The name is a digest of what may be guessed, such as a short secret of
// the caller under an id that a client chose; without the app's key, guessing is impossible.
func (s *Store) key(prefix, name string) string { return prefix + s.keys.Name(prefix+name) }

const (
	claimScript = `local have = redis.call('GET', KEYS[1])
if have and have ~= ARGV[1] and have ~= ARGV[3] then return have end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`
	releaseScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`
	bornScript = `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local born = redis.call('GET', KEYS[1])
if born then return now - tonumber(born) end
redis.call('SET', KEYS[1], string.format('%d', now))
return 0`
)

// sayAlive says that an instance lives, and reports whether that was known, and for how long Redis has been used.
func (s *Store) sayAlive(ctx context.Context, name string) (was bool, age time.Duration, err error) {
	var known *redis.IntCmd
	var born *redis.Cmd
	_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		born = p.Eval(ctx, bornScript, []string{bornKey})
		known = p.Exists(ctx, alivePrefix+name)
		p.Set(ctx, alivePrefix+name, "", SignOfLife)
		p.PExpire(ctx, boxPrefix+name, boxLife)
		return nil
	})
	if err != nil {
		return false, 0, fmt.Errorf("tell Redis that this instance is alive: %w", err)
	}
	ms, err := born.Int64()
	return known.Val() > 0, time.Duration(ms) * time.Millisecond, err
}

func (s *Store) age(ctx context.Context) (time.Duration, error) {
	ms, err := s.client.Eval(ctx, bornScript, []string{bornKey}).Int64()
	return time.Duration(ms) * time.Millisecond, err
}

// bury says that an instance lives no more.
func (s *Store) bury(ctx context.Context, name string) error {
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, alivePrefix+name)
		p.Del(ctx, boxPrefix+name)
		return nil
	})
	return err
}

func (s *Store) alive(ctx context.Context, name string) (bool, error) {
	n, err := s.client.Exists(ctx, alivePrefix+name).Result()
	return n > 0, err
}

// claim writes value under name if it has no value, or if that is replace, which may be empty, and returns what is
// there then.
func (s *Store) claim(ctx context.Context, name, value, replace string) (string, error) {
	return s.client.Eval(ctx, claimScript, []string{s.key(ownerPrefix, name)}, value, claimLife.Milliseconds(), replace).Text()
}

// renew is claim for many, without replacing any.
func (s *Store) renew(ctx context.Context, all []ownership) (have []string, err error) {
	answers, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, o := range all {
			p.Eval(ctx, claimScript, []string{s.key(ownerPrefix, o.name)}, o.value, claimLife.Milliseconds(), "")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, answer := range answers {
		value, err := answer.(*redis.Cmd).Text()
		if err != nil {
			return nil, err
		}
		have = append(have, value)
	}
	return have, nil
}

func (s *Store) release(ctx context.Context, all []ownership) error {
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, o := range all {
			p.Eval(ctx, releaseScript, []string{s.key(ownerPrefix, o.name)}, o.value)
		}
		return nil
	})
	return err
}

// owners returns what is written under name, by an instance with any of our keys in the first place: while a key is replaced
// there are instances that call it otherwise. Of each it says what it was called.
func (s *Store) owners(ctx context.Context, name string) ([]ownership, error) {
	return s.find(ctx, ownerPrefix, name)
}

func (s *Store) find(ctx context.Context, prefix, name string) (found []ownership, err error) {
	names := s.keys.Names(prefix + name)
	answers := make([]*redis.StringCmd, len(names))
	_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range names {
			answers[i] = p.Get(ctx, prefix+name)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	for i, answer := range answers {
		switch value, err := answer.Result(); {
		case err == nil:
			found = append(found, ownership{prefix + names[i], value})
		case !errors.Is(err, redis.Nil):
			return nil, err
		}
	}
	return found, nil
}

func (s *Store) mint(ctx context.Context, name, instance string, life time.Duration) error {
	return s.client.Set(ctx, s.key(statePrefix, name), instance, life).Err()
}

func (s *Store) minter(ctx context.Context, name string) (string, error) {
	found, err := s.find(ctx, statePrefix, name)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].value, nil
}

// A mail is a sealed entry on its way.
type mail struct {
	to, field string
	value     []byte
}

// post writes mails into mailboxes, in their order. When it fails any of them may be written.
func (s *Store) post(ctx context.Context, mails []mail) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		boxes := map[string]bool{}
		for _, m := range mails {
			p.XAdd(ctx, &redis.XAddArgs{Stream: boxPrefix + m.to, Values: []any{m.field, m.value}})
			boxes[m.to] = true
		}
		for box := range boxes { // which may be of an instance that has ended
			p.PExpire(ctx, boxPrefix+box, boxLife)
		}
		return nil
	})
	return err
}

// A mailbox reads what others write for one instance, over a connection of its own, on which it waits for more.
type mailbox struct {
	client client
	key    string
	taken  []string // entries that are to be deleted
}

func (s *Store) mailbox(name string) *mailbox {
	client := s.connect(func(o *redis.Options) {
		o.PoolSize, o.ReadTimeout, o.ReadBufferSize = 1, blocking+tellTimeout, 32<<10
	})
	return &mailbox{client: client, key: boxPrefix + name}
}

// receive returns the next entries, none if nothing arrives for 2 s, and deletes those that it has returned before.
func (b *mailbox) receive(ctx context.Context) (mails []mail, err error) {
	var found *redis.XStreamSliceCmd
	_, err = b.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		if len(b.taken) > 0 {
			p.XDel(ctx, b.key, b.taken...)
		}
		found = p.XRead(ctx, &redis.XReadArgs{Streams: []string{b.key, "0"}, Count: mostMail, Block: blocking})
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	b.taken = b.taken[:0]
	for _, stream := range found.Val() {
		for _, m := range stream.Messages {
			b.taken = append(b.taken, m.ID)
			for field, value := range m.Values {
				if text, ok := value.(string); ok && strings.Contains(field, "-") {
					mails = append(mails, mail{field: field, value: []byte(text)})
				}
			}
		}
	}
	return mails, nil
}

func (b *mailbox) close() { b.client.Close() }
