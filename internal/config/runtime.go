package config

import (
	"net/url"
	"strings"
	"time"
)

// sessions reads "sessions" over its defaults.
func (p *parser) sessions(n node, s *Sessions) error {
	return n.each(p.warn, fields{
		"idle_seconds":      to(&s.Idle, seconds(1, 30*day)),
		"hibernate_seconds": to(&s.Hibernate, seconds(0, 30*day)),
		"max_age_seconds":   to(&s.MaxAge, seconds(0, 365*day)),
		"on_lost":           to(&s.OnLost, onLost),
		"max":               to(&s.Max, whole(0, 100_000)),
		"max_per_principal": to(&s.MaxPerPrincipal, whole(1, 100_000)),
		"prewarm":           to(&s.Prewarm, whole(0, 1000)),
		"client_ids":        to(&s.RejectClientIDs, rejected),
		"anonymous_session": to(&s.Anonymous, node.flag),
	})
}

// rejected reads whether something is accepted or rejected.
func rejected(n node) (bool, error) {
	word, err := choice("accept", "reject")(n)
	return word == "reject", err
}

// onLost reads one of three words, of which one looks like a number and may be written as one.
func onLost(n node) (OnLost, error) {
	if n.val.Value.Kind() == '0' && n.written() == string(OnLostNotFound) {
		return OnLostNotFound, nil
	}
	return choice(OnLostResurrect, OnLostNotify, OnLostNotFound)(n)
}

// A message must have room for an initialize, and a length that 32 bits can count.
const (
	leastMessageBytes = 4 << 10
	mostMessageBytes  = 1 << 30
)

// runtime reads the top-level "runtime". The servers have been read.
func (p *parser) runtime() error {
	r := &p.file.Runtime
	*r = Runtime{MaxRequestBytes: 32 << 20, MaxResponseBytes: 64 << 20, Keepalive: 20 * time.Second, LogLevel: "info"}
	top, ok := find(p.outline.top, "runtime")
	if !ok {
		return nil
	}
	top.vars = p.on
	return top.each(p.warn, fields{
		"default_server":    to(&r.DefaultServer, p.defaultServer),
		"public_url":        to(&r.PublicURL, node.publicURL),
		"allowed_origins":   to(&r.AllowedOrigins, node.origins),
		"allowed_hosts":     to(&r.AllowedHosts, node.hosts),
		"max_sessions":      to(&r.MaxSessions, whole(0, 100_000)),
		"max_message_bytes": p.messageBytes,
		"keepalive_seconds": to(&r.Keepalive, seconds(0, 3600)),
		"log_level":         to(&r.LogLevel, choice("debug", "info", "warn", "error")),
		"audit":             to(&r.Audit, choice(AuditOff, AuditCalls)),
	})
}

// defaultServer reads the name of a server that is switched on.
func (p *parser) defaultServer(n node) (string, error) {
	name, err := n.filled()
	if err != nil || n.pending(name) {
		return name, err
	}
	var on []string
	for _, s := range p.file.Servers {
		switch {
		case s.Name == name && s.Enabled:
			return name, nil
		case s.Name == name:
			return "", n.fail("names the server %q, which is disabled", name)
		case s.Enabled:
			on = append(on, s.Name)
		}
	}
	e := n.fail("names the server %q, which does not exist", name)
	if s := Nearest(name, on); s != "" {
		e.hint("did you mean %q?", s)
	}
	return "", e
}

// messageBytes reads one number for both directions, or {"up": n, "down": n}.
func (p *parser) messageBytes(m member) (err error) {
	r := &p.file.Runtime
	size := whole[int64](leastMessageBytes, mostMessageBytes)
	if m.val.Value.Kind() == '{' {
		return m.each(p.warn, fields{"up": to(&r.MaxRequestBytes, size), "down": to(&r.MaxResponseBytes, size)})
	}
	r.MaxRequestBytes, err = size(m.node)
	r.MaxResponseBytes = r.MaxRequestBytes
	return err
}

// publicURL reads the address that clients see, without what a path can be joined to no more.
func (n node) publicURL() (string, error) {
	s, err := n.filled()
	if err != nil || n.pending(s) {
		return s, err
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(s, "?#") {
		return "", n.fail("must be an http or https URL without user, query and fragment")
	}
	return strings.TrimRight(s, "/"), nil
}

// origins reads a list of origins as browsers send them (RFC 6454, section 6.2), or "*".
func (n node) origins() ([]string, error) {
	list, err := n.words()
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if n.pending(s) || s == "*" {
			continue
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || s != u.Scheme+"://"+u.Host {
			return nil, n.fail("must be a list of origins such as https://example.com, not %q", s)
		}
	}
	return list, nil
}

// hosts reads a list of host names with or without a port.
func (n node) hosts() ([]string, error) {
	list, err := n.words()
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if !n.pending(s) && strings.ContainsAny(s, "/@?#") {
			return nil, n.fail("must be a list of host names such as example.com or localhost:7071, not %q", s)
		}
	}
	return list, nil
}
