package pool

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

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
var ErrLegacy = errors.New("the server speaks no protocol version without sessions")

const (
	probeTimeout  = 10 * time.Second // for a server of unknown era to answer
	legacyVerdict = time.Hour        // after which a server may have been replaced by one that speaks both
)

// A verdict is what is known of a server's era. Its fields but decided are guarded by Pools.mu.
type verdict struct {
	decided chan struct{} // closed when there is one, or when nobody could find out
	modern  bool
	until   time.Time // when it must be found out anew; zero for never
}

// proven returns nil if the server is known to speak the modern era, ErrLegacy if it is not, and an
// open verdict if the caller has to find out and then call decide. Only one does so at a time.
//
// Who waits for another's finding longer than it should take gets ErrLegacy, which is not
// remembered: every client that speaks both eras goes on from there.
func (ps *Pools) proven(ctx context.Context, server *Server) (*verdict, error) {
	switch server.Era {
	case LegacyEra:
		return nil, ErrLegacy
	case ModernEra, BothEras:
		return nil, nil
	}
	late := time.NewTimer(probeTimeout)
	defer late.Stop()
	for {
		v, first := ps.verdictOf(server)
		if first {
			return v, nil
		}
		select {
		case <-v.decided:
		case <-late.C:
			return nil, ErrLegacy
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch modern, known := ps.read(v); {
		case modern:
			return nil, nil
		case known:
			return nil, ErrLegacy
		}
	}
}

// read returns what v is; it is not known if who was to find out gave up.
func (ps *Pools) read(v *verdict) (modern, known bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return v.modern, v.modern || !v.until.IsZero()
}

// verdictOf returns what is known of a server. first says that nothing is, and that the caller is the
// one to find out.
func (ps *Pools) verdictOf(server *Server) (v *verdict, first bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	v = ps.eras[server.ID()]
	if v != nil && (v.until.IsZero() || time.Now().Before(v.until)) {
		return v, false
	}
	v = &verdict{decided: make(chan struct{})}
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

// undecided gives v up: whoever comes next tries again.
func (ps *Pools) undecided(server *Server, v *verdict) {
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
const discover = `{"jsonrpc":"2.0","id":0,"method":"server/discover","params":{"_meta":{` +
	`"io.modelcontextprotocol/protocolVersion":"` + Stateless + `",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"mcpfunc","version":"1"},` +
	`"io.modelcontextprotocol/clientCapabilities":{}}}}`

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
