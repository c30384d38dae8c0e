package config

import (
	"net/url"
	"strings"
	"time"
)

var sessionKeys = []string{"idle_seconds", "hibernate_seconds", "max_age_seconds", "on_lost", "max", "max_per_principal", "prewarm", "client_ids", "anonymous_session"}

// sessions reads "sessions" over its defaults.
func (p *parser) sessions(n node, s Sessions) (Sessions, error) {
	err := n.each(sessionKeys, p.warn, func(m member) (err error) {
		switch m.name {
		case "idle_seconds":
			s.Idle, err = m.seconds(1, 30*day)
		case "hibernate_seconds":
			s.Hibernate, err = m.seconds(0, 30*day)
		case "max_age_seconds":
			s.MaxAge, err = m.seconds(0, 365*day)
		case "on_lost":
			s.OnLost, err = m.onLost()
		case "max":
			s.Max, err = m.count(0, 100_000)
		case "max_per_principal":
			s.MaxPerPrincipal, err = m.count(1, 100_000)
		case "prewarm":
			s.Prewarm, err = m.count(0, 1000)
		case "client_ids":
			var word string
			word, err = choice(m.node, "accept", "reject")
			s.RejectClientIDs = word == "reject"
		case "anonymous_session":
			s.Anonymous, err = m.flag()
		}
		return err
	})
	return s, err
}

// onLost reads one of three words, of which one looks like a number and may be written as one.
func (n node) onLost() (OnLost, error) {
	if n.val.Value.Kind() == '0' && n.written() == string(OnLostNotFound) {
		return OnLostNotFound, nil
	}
	return choice(n, OnLostResurrect, OnLostNotify, OnLostNotFound)
}

var runtimeKeys = []string{
	"default_server", "public_url", "allowed_origins", "allowed_hosts", "max_sessions", "max_message_bytes",
	"keepalive_seconds", "log_level", "audit",
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
	return top.each(runtimeKeys, p.warn, func(m member) (err error) {
		switch m.name {
		case "default_server":
			r.DefaultServer, err = p.defaultServer(m)
		case "public_url":
			r.PublicURL, err = m.publicURL()
		case "allowed_origins":
			r.AllowedOrigins, err = m.origins()
		case "allowed_hosts":
			r.AllowedHosts, err = m.hosts()
		case "max_sessions":
			r.MaxSessions, err = m.count(0, 100_000)
		case "max_message_bytes":
			err = p.messageBytes(m)
		case "keepalive_seconds":
			r.Keepalive, err = m.seconds(0, 3600)
		case "log_level":
			r.LogLevel, err = choice(m.node, "debug", "info", "warn", "error")
		case "audit":
			r.Audit, err = choice(m.node, AuditOff, AuditCalls)
		}
		return err
	})
}

// defaultServer reads the name of a server that is switched on.
func (p *parser) defaultServer(m member) (string, error) {
	name, err := m.filled()
	if err != nil || m.pending(name) {
		return name, err
	}
	var on []string
	for _, s := range p.file.Servers {
		switch {
		case s.Name == name && s.Enabled:
			return name, nil
		case s.Name == name:
			return "", m.fail("names the server %q, which is disabled", name)
		case s.Enabled:
			on = append(on, s.Name)
		}
	}
	e := m.fail("names the server %q, which does not exist", name)
	if s := Nearest(name, on); s != "" {
		e.hint("did you mean %q?", s)
	}
	return "", e
}

// messageBytes reads one number for both directions, or {"up": n, "down": n}.
func (p *parser) messageBytes(m member) (err error) {
	r := &p.file.Runtime
	if m.val.Value.Kind() != '{' {
		r.MaxRequestBytes, err = m.whole(leastMessageBytes, mostMessageBytes)
		r.MaxResponseBytes = r.MaxRequestBytes
		return err
	}
	return m.each([]string{"up", "down"}, p.warn, func(way member) (err error) {
		limit := map[string]*int64{"up": &r.MaxRequestBytes, "down": &r.MaxResponseBytes}[way.name]
		*limit, err = way.whole(leastMessageBytes, mostMessageBytes)
		return err
	})
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
