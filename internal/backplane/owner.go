package backplane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Who owns what. A session is known by a name that says nothing. The value under it says which instance has the
// session, and in which life of its own, so that what was meant for one life does nothing to the next. It counts
// while the instance lives, however long it is kept: to be alive is one key for an instance, not one for each
// session.
const (
	claimLife = 90 * time.Second // of a value, which its owner renews
	settle    = 3 * time.Second  // after which a Redis that has lost all knows again who owns what
)

// A claim is what this instance owns.
type claim struct {
	ownership
	told    bool // Redis knows, as far as we do
	holders map[*func()]struct{}
}

type ownership struct{ name, value string }

type known struct {
	value string
	until time.Time
}

// peerOf is the instance in what Redis holds of an owner.
func peerOf(value string) string {
	peer, _, _ := strings.Cut(value, "/")
	return peer
}

// Claim makes this instance the owner of what is called name, if no other that lives is. Then release must be
// called, once. If another one is, elsewhere says which. lost is called, in a goroutine of the Instance, if
// another one turns out to have become it since, when this one could not be reached. It takes 250 ms, but just
// after Redis has lost all that it knew, 3 s, at most.
func (i *Instance) Claim(ctx context.Context, name string, lost func()) (release func(), elsewhere string, err error) {
	for { // one at a time: of two, Redis and we might not hold the same
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
	<-i.said // or others would take it for dead
	if err := i.settle(ctx); err != nil {
		return nil, "", err
	}
	value, replace := i.newLife(), ""
	if elsewhere, _, err := i.ownedOtherwise(ctx, name); elsewhere != "" || err != nil {
		return nil, elsewhere, err
	}
	for range 3 {
		have, err := i.ask(ctx, func(ctx context.Context) (string, error) { return i.store.claim(ctx, name, value, replace) })
		if err != nil {
			return nil, "", err
		}
		if have == value {
			elsewhere, err := i.contend(ctx, name)
			if elsewhere != "" || err != nil {
				_, _ = i.ask(ctx, func(ctx context.Context) (string, error) {
					return "", i.store.release(ctx, []ownership{{name, value}})
				}) // else it ends by itself
				return nil, elsewhere, err
			}
			return i.add(name, value, true, lost), "", nil
		}
		alive := false
		if peer := peerOf(have); peer != i.name { // else it is being given back
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

// ownedOtherwise returns which instance that lives has what is called name, if it calls that otherwise, because
// another key comes first there, and what it calls it.
func (i *Instance) ownedOtherwise(ctx context.Context, name string) (elsewhere, called string, err error) {
	if !i.store.keys.Several() {
		return "", "", nil
	}
	var found []ownership
	_, err = i.ask(ctx, func(ctx context.Context) (_ string, err error) {
		found, err = i.store.owners(ctx, name)
		return "", err
	})
	for _, o := range found {
		if o.name == i.store.key(ownerPrefix, name) || peerOf(o.value) == i.name {
			continue
		}
		if alive, err := i.lives(ctx, peerOf(o.value)); alive || err != nil {
			return o.value, o.name, err
		}
	}
	return "", "", err
}

// contend returns which other instance keeps what this one has just claimed, if one has claimed it at the same time
// under the other name: of two the one whose name is less, unless the other one was there before.
func (i *Instance) contend(ctx context.Context, name string) (elsewhere string, err error) {
	const tries, pause = 20, 25 * time.Millisecond
	for n := range tries {
		other, called, err := i.ownedOtherwise(ctx, name)
		if other == "" || err != nil || called < i.store.key(ownerPrefix, name) || n == tries-1 {
			return other, err
		}
		if err := wait(ctx, pause); err != nil { // it gives way, if it came no earlier
			return "", err
		}
	}
	return "", nil
}

// Declare is Claim for a name that no other instance can have. It does not fail: what Redis does not learn at once it
// learns later.
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
	have, err := i.ask(ctx, func(ctx context.Context) (string, error) { return i.store.claim(ctx, name, value, "") })
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

// hold is Claim for what this instance owns already. If it does not, other is closed when someone else has
// claimed it, or nil: then claimed must be called.
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

// claimed says that the claim is over.
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
		delete(i.owners, name)
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
		i.releases = append(i.releases, c.ownership)
		rouse(i.chore)
	}
}

// owns reports whether a call is for what this instance owns, in the life that the caller means.
func (i *Instance) owns(h *requestHead) bool {
	if h.session == "" {
		return peerOf(h.owner) == i.name
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.claims[h.session]
	return c != nil && c.value == h.owner
}

// Owner returns which other instance owns what is called name; "" if none does that lives. It takes 250 ms, but
// just after Redis has lost all that it knew, 3 s, at most.
func (i *Instance) Owner(ctx context.Context, name string) (string, error) {
	if i.down.Load() {
		return "", errDown
	}
	value := i.remembered(name)
	for value == "" {
		known, err := i.isSettled(ctx) // before the question
		if err != nil {
			return "", err
		}
		var found []ownership
		_, err = i.ask(ctx, func(ctx context.Context) (_ string, err error) {
			found, err = i.store.owners(ctx, name)
			return "", err
		})
		if err != nil {
			return "", err
		}
		if value, err = i.living(ctx, found); err != nil {
			return "", err
		}
		if value != "" || len(found) > 0 || known {
			break
		}
		if err := wait(ctx, settlePause); err != nil {
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

// living returns the first of these owners that lives and is another instance; "" for none.
func (i *Instance) living(ctx context.Context, found []ownership) (string, error) {
	for _, o := range found {
		peer := peerOf(o.value)
		if peer == i.name {
			continue
		}
		if alive, err := i.lives(ctx, peer); alive || err != nil {
			return o.value, err
		}
	}
	return "", nil
}

// ask bounds the time of one question.
func (i *Instance) ask(ctx context.Context, f func(context.Context) (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	value, err := f(ctx)
	if err != nil {
		return "", fmt.Errorf("ask Redis who owns a session: %w", err)
	}
	return value, nil
}

// settle returns when a session that Redis does not know has no owner: not before all that live could tell one that has
// lost all.
func (i *Instance) settle(ctx context.Context) error {
	for {
		if settled, err := i.isSettled(ctx); settled || err != nil {
			return err
		}
		if err := wait(ctx, settlePause); err != nil {
			return err
		}
	}
}

func (i *Instance) isSettled(ctx context.Context) (bool, error) {
	if i.settled.Load() {
		return true, nil
	}
	var age time.Duration
	_, err := i.ask(ctx, func(ctx context.Context) (_ string, err error) {
		age, err = i.store.age(ctx)
		return "", err
	})
	return age >= settle, err // and live notes it
}

// settlePause is between questions to a Redis that has lost all.
const settlePause = 250 * time.Millisecond

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (i *Instance) remembered(name string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	k, ok := i.owners[name]
	if !ok || i.shaky.Load() || time.Now().After(k.until) {
		return ""
	}
	return k.value
}

func (i *Instance) remember(name, value string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.owners) >= maxOwners {
		clear(i.owners)
	}
	if k := i.owners[name]; k.value != value || time.Now().After(k.until) {
		i.owners[name] = known{value, time.Now().Add(ownerKnown)}
	}
}

// Forget makes Owner ask again who owns what is called name.
func (i *Instance) Forget(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.owners, name)
}

// lives reports whether an instance lives, as far as that was known a moment ago.
func (i *Instance) lives(ctx context.Context, peer string) (bool, error) {
	i.mu.Lock()
	until := i.peers[peer]
	i.mu.Unlock()
	if time.Now().Before(until) && !i.shaky.Load() {
		return true, nil
	}
	alive := false
	_, err := i.ask(ctx, func(ctx context.Context) (_ string, err error) {
		alive, err = i.store.alive(ctx, peer)
		return "", err
	})
	i.mu.Lock()
	defer i.mu.Unlock()
	if delete(i.peers, peer); alive {
		if len(i.peers) >= maxOwners {
			clear(i.peers)
		}
		i.peers[peer] = time.Now().Add(peerKnown)
	}
	return alive, err
}

func (i *Instance) forgetPeer(peer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.peers, peer)
	for name, k := range i.owners {
		if peerOf(k.value) == peer {
			delete(i.owners, name)
		}
	}
}

// doubt says that Redis may not know what this instance owns, or that another one owns it.
func (i *Instance) doubt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.claims {
		c.told = false
	}
}

// tell tells Redis what is owned and it may not know, and gives back what is not any more. A session that has lost
// something to another instance is told.
func (i *Instance) tell() {
	const batch = 256
	for i.ctx.Err() == nil {
		i.giveBack(i.ctx)
		untold := i.untold(batch)
		if len(untold) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(i.ctx, tellTimeout)
		have, err := i.store.renew(ctx, untold)
		cancel()
		if err != nil {
			i.log.Debug("cannot tell other instances yet what this one owns", "error", err)
			return
		}
		for n, o := range untold {
			for _, lost := range i.heard(o, have[n]) {
				lost()
			}
		}
	}
}

func (i *Instance) untold(most int) (list []ownership) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.claims {
		if !c.told && len(list) < most {
			list = append(list, c.ownership)
		}
	}
	return list
}

// heard notes what Redis holds of a claim, and returns whom to tell that it is lost.
func (i *Instance) heard(o ownership, have string) (lost []func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := i.claims[o.name]
	switch {
	case c == nil || c.value != o.value:
		return nil
	case have == o.value:
		c.told = true
		return nil
	}
	delete(i.claims, o.name)
	for f := range c.holders {
		lost = append(lost, *f)
	}
	return lost
}

// giveBack tells Redis what is not owned any more. What it does not take it forgets by itself in time.
func (i *Instance) giveBack(ctx context.Context) {
	i.mu.Lock()
	releases := i.releases
	i.releases = nil
	i.mu.Unlock()
	if len(releases) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	if err := i.store.release(ctx, releases); err != nil {
		i.log.Debug("sessions not released", "sessions", len(releases), "error", err)
	}
}

// Minted lets other instances know, for as long as life, that what is called name is to come back here.
func (i *Instance) Minted(ctx context.Context, name string, life time.Duration) error {
	<-i.said
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := i.store.mint(ctx, name, i.name, life); err != nil {
		return fmt.Errorf("tell Redis who issued a requestState: %w", err)
	}
	return nil
}

// Minter returns which other instance that lives has minted what is called name; "" for none, or this one. gone
// says that it was one that has ended.
func (i *Instance) Minter(ctx context.Context, name string) (owner string, gone bool, err error) {
	if i.down.Load() {
		return "", false, errDown
	}
	peer, err := i.ask(ctx, func(ctx context.Context) (string, error) { return i.store.minter(ctx, name) })
	if err != nil || peer == "" || peer == i.name {
		return "", false, err
	}
	alive, err := i.lives(ctx, peer)
	if err != nil || !alive {
		return "", err == nil, err
	}
	return peer, false, nil
}
