package backplane

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The commands for owners and mailboxes. Each is about one key, as a Redis Cluster requires, and part of Redis 5.

const (
	ownerPrefix = "mcpfunc:owner:" // and the name of a session; the value is the owner
	statePrefix = "mcpfunc:state:" // and the name of a requestState; the value is the instance that issued it
	alivePrefix = "mcpfunc:alive:" // and the name of an instance that is alive; the value is empty
	boxPrefix   = "mcpfunc:box:"   // and the name of an instance; the value is a stream of what others write for it
	upKey       = "mcpfunc:up"     // since when Redis has been used without a break, and when it last was: Unix milliseconds; no expiry

	boxLife  = time.Minute     // of a mailbox whose instance has ended
	blocking = 2 * time.Second // for which one read of a mailbox waits
	mostMail = 64              // entries that are read at a time
)

// key returns the key in Redis for a name. The name is a digest of what may be guessed, such as an id that a client chose.
// Because the app's secret key is part of the digest here, a reader of Redis cannot test guesses.
func (s *Store) key(prefix, name string) string { return prefix + s.keys.Name(prefix+name) }

const (
	claimScript = `local have = redis.call('GET', KEYS[1])
if have and have ~= ARGV[1] and have ~= ARGV[3] then return have end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`
	releaseScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`
	upScript = `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local since, last = string.match(redis.call('GET', KEYS[1]) or '', '(%d+) (%d+)')
if not since or now - last > tonumber(ARGV[1]) or now < tonumber(since) then since = now end
redis.call('SET', KEYS[1], string.format('%d %d', since, now))
return now - since`
)

// sayAlive reports that an instance is alive. It returns whether Redis knew that, and how long Redis has been up.
func (s *Store) sayAlive(ctx context.Context, name string) (was bool, up time.Duration, err error) {
	p := s.client.Pipeline()
	since := p.Eval(ctx, upScript, []string{upKey}, outage.Milliseconds())
	known := p.Exists(ctx, alivePrefix+name)
	p.Set(ctx, alivePrefix+name, "", SignOfLife)
	p.PExpire(ctx, boxPrefix+name, boxLife)
	_, err = p.Exec(ctx)
	if err != nil {
		return false, 0, fmt.Errorf("tell Redis that this instance is alive: %w", explain(err))
	}
	ms, err := since.Int64()
	return known.Val() > 0, time.Duration(ms) * time.Millisecond, err
}

// up returns how long all instances that are alive have been able to report that, and Redis has had its data.
func (s *Store) up(ctx context.Context) (time.Duration, error) {
	ms, err := s.client.Eval(ctx, upScript, []string{upKey}, outage.Milliseconds()).Int64()
	return time.Duration(ms) * time.Millisecond, err
}

// warnOfEviction logs that Redis may drop keys when its memory is full: an owner that is dropped is unknown until it is
// recorded again.
func (s *Store) warnOfEviction(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout) // reports that the instance is alive wait for it
	defer cancel()
	info, err := s.client.Info(ctx, "memory").Result() // not every Redis allows or knows it
	_, policy, known := strings.Cut(info, "maxmemory_policy:")
	policy, _, _ = strings.Cut(policy, "\r\n")
	if err == nil && known && policy != "noeviction" && !strings.Contains(info, "maxmemory:0\r\n") {
		s.log.Warn("Redis evicts keys when its memory is full, and sessions are lost with them", "policy", policy, "hint", "set maxmemory-policy to noeviction")
	}
}

// bury reports that an instance has ended.
func (s *Store) bury(ctx context.Context, name string) error {
	p := s.client.Pipeline()
	p.Del(ctx, alivePrefix+name)
	p.Del(ctx, boxPrefix+name)
	_, err := p.Exec(ctx)
	return err
}

func (s *Store) alive(ctx context.Context, name string) (bool, error) {
	n, err := s.client.Exists(ctx, alivePrefix+name).Result()
	return n > 0, err
}

// claim sets the owner of a session to value, unless it has an owner other than replace, and returns the owner then.
// An empty replace replaces none.
func (s *Store) claim(ctx context.Context, name, value, replace string) (string, error) {
	return s.client.Eval(ctx, claimScript, []string{s.key(ownerPrefix, name)}, value, claimLife.Milliseconds(), replace).Text()
}

// renew is claim for several sessions, without a replacement.
func (s *Store) renew(ctx context.Context, all []ownership) (have []string, err error) {
	p := s.client.Pipeline()
	for _, o := range all {
		p.Eval(ctx, claimScript, []string{s.key(ownerPrefix, o.name)}, o.value, claimLife.Milliseconds(), "")
	}
	answers, err := p.Exec(ctx)
	if err != nil {
		return nil, err
	}
	for _, answer := range answers {
		value, _ := answer.(*redis.Cmd).Text() // Pipelined returns its error
		have = append(have, value)
	}
	return have, nil
}

func (s *Store) release(ctx context.Context, all []ownership) error {
	p := s.client.Pipeline()
	for _, o := range all {
		p.Eval(ctx, releaseScript, []string{s.key(ownerPrefix, o.name)}, o.value)
	}
	_, err := p.Exec(ctx)
	return err
}

// owners returns the owners of a session, each with its key in Redis. There may be several while the keys of the app are
// being replaced: each instance derives the key in Redis from its own first key.
func (s *Store) owners(ctx context.Context, name string) ([]ownership, error) {
	return s.find(ctx, ownerPrefix, name)
}

func (s *Store) find(ctx context.Context, prefix, name string) (found []ownership, err error) {
	names := s.keys.Names(prefix + name)
	answers := make([]*redis.StringCmd, len(names))
	p := s.client.Pipeline()
	for i, name := range names {
		answers[i] = p.Get(ctx, prefix+name)
	}
	_, err = p.Exec(ctx)
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

// post writes mails into mailboxes, in their order. If it fails, any of them may have been written.
func (s *Store) post(ctx context.Context, mails []mail) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	p := s.client.Pipeline()
	boxes := map[string]bool{}
	for _, m := range mails {
		p.XAdd(ctx, &redis.XAddArgs{Stream: boxPrefix + m.to, Values: []any{m.field, m.value}})
		boxes[m.to] = true
	}
	for box := range boxes { // its instance may have ended
		p.PExpire(ctx, boxPrefix+box, boxLife)
	}
	_, err := p.Exec(ctx)
	return err
}

// A mailbox reads what others write for one instance. It waits for more on a connection of its own.
type mailbox struct {
	client client
	key    string
	taken  []string // IDs of entries to delete with the next read
}

// mailbox returns the mailbox of an instance. connected is called whenever it is connected.
func (s *Store) mailbox(name string, connected func()) *mailbox {
	client := s.connect(func(o *redis.Options) {
		o.PoolSize, o.ReadTimeout, o.ReadBufferSize = 1, blocking+tellTimeout, 32<<10
		o.OnConnect = func(context.Context, *redis.Conn) error {
			connected()
			return nil
		}
	})
	return &mailbox{client: client, key: boxPrefix + name}
}

// receive returns the next entries, or none if nothing arrives for 2 s. It deletes those that it returned before.
func (b *mailbox) receive(ctx context.Context) (mails []mail, err error) {
	p := b.client.Pipeline()
	if len(b.taken) > 0 {
		p.XDel(ctx, b.key, b.taken...)
	}
	found := p.XRead(ctx, &redis.XReadArgs{Streams: []string{b.key, "0"}, Count: mostMail, Block: blocking})
	_, err = p.Exec(ctx)
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
