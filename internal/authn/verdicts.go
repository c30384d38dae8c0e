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
)

var errTooMany = errors.New("too many tokens to check")

// verdicts ask an identity provider about opaque tokens and remember what it said. One token is
// asked about once at a time. Tokens are remembered by their SHA-256 only. It may be used from many
// goroutines at once.
type verdicts struct {
	// ask returns who holds a token. Its error is an *Error with a RetryAfter, which is not remembered, or
	// says what is wrong with the token.
	ask func(ctx context.Context, token string) (*Caller, error)
	now func() time.Time

	asking *asking

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
	known  bool // it was good when it was asked about before
}

func newVerdicts(now func() time.Time, ask func(context.Context, string) (*Caller, error)) *verdicts {
	return &verdicts{
		ask:     ask,
		now:     now,
		asking:  newAsking(now),
		byToken: make(map[[sha256.Size]byte]*list.Element),
		recent:  list.New(),
	}
}

// of returns who holds a token that came from source.
func (v *verdicts) of(ctx context.Context, source, token string) (*Caller, error) {
	d, mine := v.claim(sha256.Sum256([]byte(token)))
	if mine {
		v.settle(ctx, d, source, token)
	}
	select {
	case <-d.done:
		return d.caller, d.err
	case <-ctx.Done():
		return nil, unavailable(time.Second, ctx.Err())
	}
}

// claim returns the verdict on a token and whether the caller is the one to settle it.
func (v *verdicts) claim(id [sha256.Size]byte) (d *verdict, mine bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known := false
	if e, ok := v.byToken[id]; ok {
		d := e.Value.(*verdict)
		select {
		case <-d.done:
			if v.now().Before(d.until) {
				v.recent.MoveToFront(e)
				return d, false
			}
			known = d.err == nil
			v.dropLocked(e)
		default:
			return d, false
		}
	}
	d = &verdict{token: id, done: make(chan struct{}), known: known}
	v.byToken[id] = v.recent.PushFront(d)
	if v.recent.Len() > maxVerdicts {
		v.dropLocked(v.recent.Back()) // a caller that waits for it holds it
	}
	return d, true
}

// dropLocked forgets a verdict.
func (v *verdicts) dropLocked(e *list.Element) {
	delete(v.byToken, e.Value.(*verdict).token)
	v.recent.Remove(e)
}

// settle asks. Others wait for the answer, so the end of ctx does not end the asking: time does.
func (v *verdicts) settle(ctx context.Context, d *verdict, source, token string) {
	d.err = unavailable(time.Second, errors.New("the check panicked"))
	defer func() { // even so, as others wait
		now := v.now()
		d.until = now.Add(standing(d, now))
		if d.err == nil {
			d.caller.Token, d.caller.Again = token, d.until
		} else if !now.Before(d.until) {
			v.forget(d)
		}
		close(d.done)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	done, err := v.asking.begin(ctx, source, d.known)
	if err != nil {
		d.err = err
		return
	}
	refused := false
	defer func() { done(refused) }()
	d.caller, d.err = v.ask(ctx, token)
	refused = d.err != nil && !passes(d.err)
}

// forget removes a verdict that is not kept, so that strangers' tokens do not evict those of callers.
func (v *verdicts) forget(d *verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e := v.byToken[d.token]; e != nil && e.Value == d && !d.known {
		v.dropLocked(e)
	}
}

// standing returns how long a verdict is valid from now on.
func standing(d *verdict, now time.Time) time.Duration {
	switch {
	case passes(d.err):
		return 0
	case d.err != nil:
		return badVerdict
	case d.caller.Expires.IsZero():
		return goodVerdict
	}
	return min(goodVerdict, d.caller.Expires.Add(leeway).Sub(now))
}
