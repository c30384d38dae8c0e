package backplane

import "context"

// doubt makes tell ask about all that this instance owns: Redis may have lost it, or may name another owner by now.
func (i *Instance) doubt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.claims {
		c.told = false
	}
}

// tell records in Redis what this instance owns, as far as Redis may not know it, and releases what it does not own any
// more. It calls lost for each session that another instance owns by now.
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

// heard records the owner that Redis names for a claim. If that is another instance, it returns the functions to call.
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

// giveBack releases in Redis what this instance does not own any more. If that fails, it expires.
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
