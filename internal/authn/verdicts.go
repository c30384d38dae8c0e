package authn

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// How long an answer about an opaque token stands: a good one bounds for how long a revoked token
// still works, a bad one how often a wrong token makes us ask.
const (
	goodVerdict = time.Minute
	badVerdict  = 10 * time.Second
	maxVerdicts = 10_000
	maxAsking   = 32 // requests under way to the provider
)

// verdicts ask an identity provider about opaque tokens and remember what it said. One token is
// asked about once at a time. Tokens are remembered by their SHA-256 only. It may be used from many
// goroutines at once.
type verdicts struct {
	// ask returns who holds a token. Its error is an *unavailableError, which is not remembered, or
	// says what is wrong with the token.
	ask func(ctx context.Context, token string) (*Caller, error)
	now func() time.Time

	asking chan struct{} // holds maxAsking

	mu      sync.Mutex
	byToken map[[sha256.Size]byte]*list.Element // of *verdict
	recent  *list.List                          // front: used last
}

type verdict struct {
	token  [sha256.Size]byte
	done   chan struct{} // closed when the rest is set
	caller *Caller
	err    error
	until  time.Time
}

func newVerdicts(now func() time.Time, ask func(context.Context, string) (*Caller, error)) *verdicts {
	return &verdicts{
		ask:     ask,
		now:     now,
		asking:  make(chan struct{}, maxAsking),
		byToken: make(map[[sha256.Size]byte]*list.Element),
		recent:  list.New(),
	}
}

// of returns who holds a token.
func (v *verdicts) of(ctx context.Context, token string) (*Caller, error) {
	d, mine := v.claim(sha256.Sum256([]byte(token)))
	if mine {
		v.settle(ctx, d, token)
	}
	select {
	case <-d.done:
		return d.caller, d.err
	case <-ctx.Done():
		return nil, &unavailableError{time.Second, ctx.Err()}
	}
}

// claim returns the verdict on a token and whether the caller is the one to settle it.
func (v *verdicts) claim(id [sha256.Size]byte) (d *verdict, mine bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e, ok := v.byToken[id]; ok {
		d := e.Value.(*verdict)
		select {
		case <-d.done:
			if v.now().Before(d.until) {
				v.recent.MoveToFront(e)
				return d, false
			}
			v.dropLocked(e)
		default:
			return d, false
		}
	}
	d = &verdict{token: id, done: make(chan struct{})}
	v.byToken[id] = v.recent.PushFront(d)
	if v.recent.Len() > maxVerdicts {
		v.dropLocked(v.recent.Back()) // whoever waits for it has it in hand
	}
	return d, true
}

// dropLocked forgets a verdict.
func (v *verdicts) dropLocked(e *list.Element) {
	delete(v.byToken, e.Value.(*verdict).token)
	v.recent.Remove(e)
}

// settle asks. Others wait for the answer, so the end of ctx does not end the asking: time does.
func (v *verdicts) settle(ctx context.Context, d *verdict, token string) {
	d.err = &unavailableError{time.Second, errors.New("asking panicked")}
	defer func() { // even so, as others wait
		now := v.now()
		d.until = now.Add(standing(d, now))
		if d.err == nil {
			d.caller.Again = d.until
		}
		close(d.done)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	select {
	case v.asking <- struct{}{}:
		defer func() { <-v.asking }()
		d.caller, d.err = v.ask(ctx, token)
	case <-ctx.Done():
		d.err = &unavailableError{time.Second, errors.New("too many tokens to ask about")}
	}
}

// standing returns for how long a verdict stands from now on.
func standing(d *verdict, now time.Time) time.Duration {
	var outage *unavailableError
	switch {
	case errors.As(d.err, &outage):
		return 0
	case d.err != nil:
		return badVerdict
	case d.caller.Expires.IsZero():
		return goodVerdict
	}
	return min(goodVerdict, d.caller.Expires.Add(leeway).Sub(now))
}
