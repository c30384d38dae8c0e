package pool

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// An Era says how a server is spoken to: with sessions, which initialize opens, or without any, as
// from 2026-07-28 on (basic/versioning). It is of the server, and a process speaks one of the two.
type Era string

// The eras. AnyEra, which the empty one means, finds out.
const (
	AnyEra    Era = "auto"
	LegacyEra Era = "legacy" // sessions alone
	ModernEra Era = "modern" // requests without a session alone
	BothEras  Era = "both"
)

// Stateless is the protocol version of the modern era that is spoken here.
const Stateless = "2026-07-28"

// ErrLegacy says that a server was not found to speak the modern era.
var ErrLegacy = errors.New("the server does not speak a protocol version without sessions")

const (
	legacyVerdict  = time.Hour        // after which a server may have been replaced by one that speaks both
	firstPause     = time.Second      // before a server whose era was not found out is asked again
	longestPause   = 10 * time.Second // to which the pause is doubled
	laterPatience  = 5 * time.Second  // of a request that comes after a probe has taken too long
	killedPatience = time.Second      // until a process that is ended for its silence says so
)

// An UndecidedError says that it is not known yet whether a server speaks the modern era, and why: its
// process said nothing in time, or died. It will be asked again within seconds.
type UndecidedError struct{ Why *child.Failure }

func (e *UndecidedError) Error() string {
	return "the server's protocol versions are not known yet: " + e.Why.Text
}

func (e *UndecidedError) Unwrap() error { return e.Why }

// A verdict is what is known of a server's era. Its fields but the first two are guarded by Pools.mu.
type verdict struct {
	decided chan struct{} // closed when the era is known, or could not be found
	began   time.Time     // the probe, or the first of those in a row that took too long
	modern  bool
	until   time.Time      // when it must be found out again; zero for never
	why     *child.Failure // it was not found out; nil if it was
	tries   int            // that found out nothing, in a row
}

// proven returns nil if the server is known to speak the modern era, ErrLegacy if it is not, an
// *UndecidedError if that is not known and is not to be asked right now, and an open verdict if the caller
// has to find out. Only one does so at a time.
func (ps *Pools) proven(ctx context.Context, server *Server) (*verdict, error) {
	era := server.Era
	if server.Known != nil && (era == AnyEra || era == "") {
		era = Era(server.Known.Era()) // which the process that is started is asked all the same
	}
	switch era {
	case LegacyEra:
		return nil, ErrLegacy
	case ModernEra, BothEras:
		return nil, nil
	}
	for {
		v, first := ps.verdictOf(server)
		if first {
			return v, nil
		}
		if err := ps.hear(ctx, server, v); err != nil {
			return nil, err
		}
		if known, err := ps.read(v); known {
			return nil, err
		}
	}
}

// hear waits until v is decided.
func (ps *Pools) hear(ctx context.Context, server *Server, v *verdict) error {
	patience := ps.patience(server, v)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-v.decided:
		return nil
	case <-late.C:
		return &UndecidedError{child.StillStarting(patience)}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// patience is how long a request waits for v: as long as a start may take, and not that long again for a
// server that has been silent for all that time before.
func (ps *Pools) patience(server *Server, v *verdict) time.Duration {
	left := server.StartTimeout - time.Since(v.began)
	if ps.starter.Patience(server.Spec) == 0 {
		left += killedPatience
	}
	return max(left, min(laterPatience, server.StartTimeout))
}

// read returns what v is, as proven does; it is not known if who was to find out gave up.
func (ps *Pools) read(v *verdict) (known bool, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	switch {
	case v.modern:
		return true, nil
	case v.why != nil:
		return true, &UndecidedError{v.why}
	case !v.until.IsZero():
		return true, ErrLegacy
	}
	return false, nil
}

// verdictOf returns what is known of a server. first says that nothing is, and that the caller is the
// one to find out.
func (ps *Pools) verdictOf(server *Server) (v *verdict, first bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	now := time.Now()
	before := ps.eras[server.ID()]
	if before != nil && (before.until.IsZero() || now.Before(before.until)) {
		return before, false
	}
	v = &verdict{decided: make(chan struct{}), began: now}
	if before != nil && before.why != nil {
		v.tries = before.tries
		if before.why.Reason == child.ReasonTimeout {
			v.began = before.began
		}
	}
	ps.eras[server.ID()] = v
	return v, true
}

// decide settles v, once.
func (ps *Pools) decide(v *verdict, modern bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if v.modern = modern; !modern {
		v.until = time.Now().Add(legacyVerdict)
	}
	close(v.decided)
}

// undecided settles v for the seconds until the server may be asked again, which it returns. Others are told
// why, but not what a process printed that was started for one caller.
func (ps *Pools) undecided(v *verdict, why *child.Failure) (pause time.Duration) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	told := *why
	told.Stderr, told.Head = nil, ""
	pause = min(firstPause<<min(v.tries, 10), longestPause)
	v.tries++
	v.why, v.until = &told, time.Now().Add(pause)
	close(v.decided)
	return pause
}

// abandon gives v up without having asked: the next caller does.
func (ps *Pools) abandon(server *Server, v *verdict) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.eras[server.ID()] == v {
		delete(ps.eras, server.ID())
	}
	close(v.decided)
}

// overturn is called when a server of the modern era turns out not to be any more.
func (ps *Pools) overturn(server *Server) {
	v := &verdict{decided: make(chan struct{})}
	ps.mu.Lock()
	ps.eras[server.ID()] = v
	ps.mu.Unlock()
	ps.decide(v, false)
}

// discover is the first thing that a process of a pool is told. It is harmless to whatever reads it,
// and its answer says which era that is (2026-07-28, basic/transports/stdio, "Backward
// Compatibility").
const discover = `{"jsonrpc":"2.0","id":0,"method":"server/discover","params":{` + ownMeta + `}}`

// ownMeta is what a request of ours says of us.
const ownMeta = `"_meta":{` +
	`"io.modelcontextprotocol/protocolVersion":"` + Stateless + `",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"mcpfunc","version":"1"},` +
	`"io.modelcontextprotocol/clientCapabilities":{}}`

// Errors that only a server of the modern era makes (2026-07-28, basic, "Error codes").
const (
	codeHeaderMismatch     = -32020
	codeMissingCapability  = -32021
	codeUnsupportedVersion = -32022
)

// modern reports whether answer, to discover, is that of a server that speaks 2026-07-28. A result
// alone does not say so: there are servers that answer whatever they are asked.
func modern(answer *message.Message) bool {
	var a struct {
		Result struct {
			SupportedVersions []string `json:"supportedVersions"`
		} `json:"result"`
		Error struct {
			Code int `json:"code"`
			Data struct {
				Supported []string `json:"supported"`
			} `json:"data"`
		} `json:"error"`
	}
	if json.Unmarshal(answer.Bytes(), &a) != nil {
		return false
	}
	switch a.Error.Code {
	case codeHeaderMismatch, codeMissingCapability:
		return true
	case codeUnsupportedVersion:
		return slices.ContainsFunc(a.Error.Data.Supported, Modern)
	}
	return slices.ContainsFunc(a.Result.SupportedVersions, Modern)
}

// Modern reports whether a protocol version is of the modern era. Versions are dates.
func Modern(version string) bool {
	if version < Stateless {
		return false // as nearly always, or no version at all
	}
	_, err := time.Parse(time.DateOnly, version)
	return err == nil
}
