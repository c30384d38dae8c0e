package streamhttp

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// A Token is what a caller has brought, and can be judged again while its request is answered.
type Token interface {
	// Recheck judges the token of r once more. It returns what to answer if it is not good any more. Otherwise it
	// returns when to ask again, and whether the answer is certain: it is not while the issuer is away.
	Recheck(r *http.Request) (refusal http.Handler, again time.Time, certain bool)
}

// A revokedError ends a request whose token is not good any more.
type revokedError struct{ answer http.Handler }

func (*revokedError) Error() string { return "the token is no longer valid" }

// Is makes it what the end of any request is.
func (*revokedError) Is(target error) bool { return target == context.Canceled } //nolint:errorlint // by identity

// doubtTime is how long a request goes on whose token cannot be judged, since its issuer is away.
const doubtTime = 2 * time.Minute

// recheck judges the token of q again whenever it is time, and ends the context of q.r when it is not good any
// more.
func (q *request) recheck() {
	token, again := q.caller.Token, q.caller.Again
	if token == nil || again.IsZero() {
		return
	}
	ctx, cancel := context.WithCancelCause(q.r.Context())
	r := q.r.WithContext(ctx)
	q.r = r
	sure := time.Now()
	done := make(chan struct{})
	timer := time.AfterFunc(time.Until(again), func() { // most requests are answered before
		defer close(done)
		for ctx.Err() == nil {
			refusal, again, certain := token.Recheck(r)
			now := time.Now()
			switch {
			case ctx.Err() != nil:
				return
			case certain:
				sure = now
			case now.Sub(sure) < doubtTime:
				refusal = nil
			}
			if refusal != nil {
				cancel(&revokedError{refusal})
				return
			}
			wait := time.NewTimer(max(time.Until(again), time.Second))
			select {
			case <-ctx.Done():
			case <-wait.C:
			}
			wait.Stop()
		}
	})
	q.settle = func() {
		cancel(nil)
		if !timer.Stop() {
			<-done
		}
	}
}

// over is called where the context of the request has ended before there was an answer: if the token is not good
// any more the client is still there, and is told.
func (q *request) over() {
	if revoked, ok := errors.AsType[*revokedError](context.Cause(q.r.Context())); ok && !q.begun {
		revoked.answer.ServeHTTP(q.w, q.r)
	}
}

// expired answers a request whose token has ended while nothing of the answer was there, and reports whether it has.
func (q *request) expired() bool {
	if q.caller.Token == nil || q.caller.Expires.IsZero() || time.Now().Before(q.caller.Expires.Add(expiryLeeway)) {
		return false
	}
	refusal, _, _ := q.caller.Token.Recheck(q.r)
	if refusal != nil {
		refusal.ServeHTTP(q.w, q.r)
	}
	return refusal != nil
}

// patience is how long to wait in silence: until there is a sign of life to give, or the token ends.
func (q *request) patience() time.Duration {
	if q.caller.Expires.IsZero() {
		return q.Keepalive
	}
	return min(q.Keepalive, max(time.Until(q.caller.Expires)+expiryLeeway, time.Second))
}
