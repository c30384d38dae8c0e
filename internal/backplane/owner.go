package backplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/pace"
)

// claimLife is how long Redis keeps the owner of a session, unless the owner renews it. The key of a session is its
// name, a digest. The value is the owner: the name of an instance, and a number for this ownership, so that a request
// that was meant for an earlier owner or ownership is refused. An owner counts only while its instance is alive, which
// Redis learns with one key per instance rather than per session.
const claimLife = 90 * time.Second

// A claim is a session that this instance owns.
type claim struct {
	ownership
	told    bool // Redis knew when it was last asked
	holders map[*func()]struct{}
}

type ownership struct{ name, value string }

// peerOf returns the name of the instance in the value of an owner.
func peerOf(value string) string {
	peer, _, _ := strings.Cut(value, "/")
	return peer
}

// Claim makes this instance the owner of the session with this name, unless another instance that is alive owns it;
// elsewhere is then the owner. Otherwise, release must be called once. If another instance becomes the owner while this
// one is cut off from Redis, lost is called, in a goroutine of the Instance. Redis answers each question within 1 s, or
// Claim fails. Just after Redis has lost its data, Claim first waits for up to 3 s.
func (i *Instance) Claim(ctx context.Context, name string, lost func()) (release func(), elsewhere string, err error) {
	for { // one claim per name at a time, so that this instance and Redis record the same value
		release, other := i.hold(name, lost)
		if release != nil {
			return release, "", nil
		}
		if other == nil {
			break
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, "", context.Cause(ctx)
		}
	}
	defer i.claimed(name)
	<-i.said // before that, other instances would consider this one dead
	if err := i.settle(ctx); err != nil {
		return nil, "", err
	}
	value, replace := i.newLife(), ""
	if elsewhere, _, err := i.ownedOtherwise(ctx, name); elsewhere != "" || err != nil {
		return nil, elsewhere, err
	}
	for range 3 {
		have, err := ask(ctx, func(ctx context.Context) (string, error) { return i.store.claim(ctx, name, value, replace) })
		if err != nil {
			return nil, "", err
		}
		if have == value {
			elsewhere, err := i.contend(ctx, name)
			if elsewhere != "" || err != nil {
				_, _ = ask(ctx, func(ctx context.Context) (struct{}, error) {
					return struct{}{}, i.store.release(ctx, []ownership{{name, value}})
				}) // if that fails, it expires
				return nil, elsewhere, err
			}
			return i.add(name, value, true, lost), "", nil
		}
		alive := false
		if peer := peerOf(have); peer != i.name { // otherwise, this instance is about to release it
			if alive, err = i.lives(ctx, peer); err != nil {
				return nil, "", err
			}
		}
		if alive {
			i.remember(name, have)
			return nil, have, nil
		}
		replace = have
	}
	return nil, "", errors.New("claim a session in Redis: other instances keep claiming it and ending")
}

// ownedOtherwise returns the owner of the session if that instance is alive and derives another key for the name,
// because the keys of the app are being replaced and another one is first there; called is that key.
func (i *Instance) ownedOtherwise(ctx context.Context, name string) (elsewhere, called string, err error) {
	if !i.store.keys.Several() {
		return "", "", nil
	}
	found, err := ask(ctx, func(ctx context.Context) ([]ownership, error) { return i.store.owners(ctx, name) })
	if err != nil {
		return "", "", err
	}
	own := i.store.key(ownerPrefix, name)
	o, err := i.living(ctx, slices.DeleteFunc(found, func(o ownership) bool { return o.name == own }))
	return o.value, o.name, err
}

// contend returns the instance that keeps the session that this instance has just claimed, if one has claimed it at the
// same time under another key. Of two, the one with the lower key keeps it, unless the other one claimed it earlier.
func (i *Instance) contend(ctx context.Context, name string) (elsewhere string, err error) {
	const tries, pause = 20, 25 * time.Millisecond
	for n := range tries {
		other, called, err := i.ownedOtherwise(ctx, name)
		if other == "" || err != nil || called < i.store.key(ownerPrefix, name) || n == tries-1 {
			return other, err
		}
		if err := pace.Wait(ctx, pause); err != nil { // the other one gives way, unless it came first
			return "", err
		}
	}
	return "", nil
}

// Declare is Claim for a name that no other instance can know yet. It does not fail: if Redis does not answer, it is
// told later.
func (i *Instance) Declare(ctx context.Context, name string, lost func()) (release func()) {
	release, other := i.hold(name, lost)
	if release != nil {
		return release
	}
	if other == nil {
		defer i.claimed(name)
	}
	<-i.said
	value := i.newLife()
	have, err := ask(ctx, func(ctx context.Context) (string, error) { return i.store.claim(ctx, name, value, "") })
	if err != nil {
		i.log.Debug("cannot tell other instances about a session yet", "error", err)
	}
	return i.add(name, value, err == nil && have == value, lost)
}

func (i *Instance) newLife() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.epoch++
	return i.name + "/" + strconv.Itoa(i.epoch)
}

// hold is Claim for a session that this instance owns already. Otherwise, other is closed at the end of a claim that
// another goroutine makes, or nil without one: the caller must then make the claim, and call claimed.
func (i *Instance) hold(name string, lost func()) (release func(), other <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c := i.claims[name]; c != nil {
		return i.holderLocked(c, lost), nil
	}
	if ch := i.claiming[name]; ch != nil {
		return nil, ch
	}
	i.claiming[name] = make(chan struct{})
	return nil, nil
}

// claimed ends a claim that hold has begun.
func (i *Instance) claimed(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.claiming[name])
	delete(i.claiming, name)
}

func (i *Instance) add(name, value string, told bool, lost func()) (release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.claims[name]
	if c == nil {
		c = &claim{ownership: ownership{name, value}, told: told, holders: map[*func()]struct{}{}}
		i.claims[name] = c
		i.owners.Delete(name)
	}
	return i.holderLocked(c, lost)
}

func (i *Instance) holderLocked(c *claim, lost func()) (release func()) {
	c.holders[&lost] = struct{}{}
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if delete(c.holders, &lost); len(c.holders) > 0 || i.claims[c.name] != c {
			return
		}
		delete(i.claims, c.name)
		if len(i.releases) < maxReleases { // Redis may be away for long; the others expire after claimLife
			i.releases = append(i.releases, c.ownership)
		}
		rouse(i.chore)
	}
}

// owns reports whether a call is for this instance, and for the ownership that the caller means.
func (i *Instance) owns(h *requestHead) bool {
	if h.session == "" {
		return peerOf(h.owner) == i.name
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.claims[h.session]
	return c != nil && c.value == h.owner
}

// Owner returns the other instance that owns the session with this name, or "" if none that is alive does. Redis answers
// each question within 1 s, or Owner fails. Just after Redis has lost its data, Owner waits for up to 3 s for an owner.
func (i *Instance) Owner(ctx context.Context, name string) (string, error) {
	if i.down.Load() {
		return "", errDown
	}
	value := i.remembered(name)
	for value == "" {
		known, err := i.isSettled(ctx) // before the owners, which may be recorded in between
		if err != nil {
			return "", err
		}
		found, err := ask(ctx, func(ctx context.Context) ([]ownership, error) { return i.store.owners(ctx, name) })
		if err != nil {
			return "", err
		}
		owner, err := i.living(ctx, found)
		if err != nil {
			return "", err
		}
		if value = owner.value; value != "" || len(found) > 0 || known {
			break
		}
		if err := pace.Wait(ctx, settlePause); err != nil {
			return "", err
		}
	}
	if value == "" || peerOf(value) == i.name {
		return "", nil
	}
	alive, err := i.lives(ctx, peerOf(value))
	if err != nil {
		return "", err
	}
	if !alive {
		i.Forget(name)
		return "", nil
	}
	i.remember(name, value)
	return value, nil
}

// living returns the first of these owners that is another instance and alive.
func (i *Instance) living(ctx context.Context, found []ownership) (ownership, error) {
	for _, o := range found {
		if peer := peerOf(o.value); peer != i.name {
			if alive, err := i.lives(ctx, peer); alive || err != nil {
				return o, err
			}
		}
	}
	return ownership{}, nil
}

// ask asks Redis one question, and waits for at most askTimeout.
func ask[T any](ctx context.Context, f func(context.Context) (T, error)) (answer T, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err = f(ctx)
	if err != nil {
		return answer, fmt.Errorf("ask Redis for the owner of a session: %w", explain(err))
	}
	return answer, nil
}
