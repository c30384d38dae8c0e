package authn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	fetchTimeout  = 5 * time.Second
	maxDocument   = 1 << 20 // a key set or a discovery document
	maxReply      = 64 << 10
	maxRedirects  = 3
	azureWireHost = "168.63.129.16" // the platform's own channel, reachable from every VM
)

// A fetcher makes the guard's own requests: to URLs that an operator wrote into the configuration,
// or that a document names which was fetched from one of those. Neither the time nor the bytes that
// an answer takes are the other side's choice.
type fetcher struct {
	client      *http.Client
	development bool
}

func newFetcher(env Env) fetcher {
	return fetcher{
		client: &http.Client{
			Transport:     env.Transport,
			Timeout:       fetchTimeout,
			CheckRedirect: checkRedirect,
		},
		development: env.Development,
	}
}

// checkRedirect permits a GET to move within its own origin. Another host has not been configured
// by anyone, and a POST carries a token.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Method != http.MethodGet:
		return errors.New("redirected")
	case len(via) > maxRedirects:
		return errors.New("too many redirects")
	case next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host:
		return fmt.Errorf("redirected to another host, %s", printable(next.URL.Host))
	}
	return nil
}

// A reply is a whole answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// get fetches a document and returns it only if the status is 200.
func (f fetcher) get(ctx context.Context, rawURL string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	r, err := f.do(req, maxDocument)
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusOK {
		return nil, &statusError{rawURL, r.status}
	}
	return r.body, nil
}

// A statusError is an answer with an unexpected status.
type statusError struct {
	url    string
	status int
}

func (e *statusError) Error() string { return fmt.Sprintf("%s: status %d", e.url, e.status) }

// do sends req and reads at most limit bytes of the answer; more is an error.
func (f fetcher) do(req *http.Request, limit int64) (*reply, error) {
	if err := checkURL(req.URL.String(), f.development); err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "mcpfunc")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req.URL, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%s: the answer has more than %d bytes", req.URL, limit)
	}
	return &reply{resp.StatusCode, resp.Header, body}, nil
}

// checkURL says what is wrong with the URL of an identity provider. https is required; http is good
// enough for loopback in development.
func checkURL(raw string, development bool) error {
	u, err := url.Parse(raw)
	if err != nil {
		return err
	}
	switch {
	case u.Host == "" || u.Opaque != "":
		return fmt.Errorf("%s is not an absolute URL", printable(raw))
	case u.User != nil:
		return errors.New("the URL contains a user")
	case u.Fragment != "":
		return fmt.Errorf("%s has a fragment", printable(raw))
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && development && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s is not https", printable(raw))
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// NewTransport returns a transport that connects to public addresses only. The check is made on
// the address of each connection, after any name has been resolved, so that no spelling of an
// address and no answer of a name server gets around it. There is no proxy: its address would be
// the only one checked. Development permits loopback addresses, private those of private networks. Guards may
// share it; its creator closes its idle connections.
func NewTransport(development, private bool) *http.Transport {
	dialer := &net.Dialer{
		Timeout: fetchTimeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			return checkAddress(address, development, private)
		},
	}
	return &http.Transport{
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          8,
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   fetchTimeout,
		ResponseHeaderTimeout: fetchTimeout,
	}
}

// checkAddress refuses to connect to where a server-side request must not go: link-local (instance
// metadata), the platform's own channel, multicast and the rest of the special-purpose registries
// (RFC 6890), always; loopback except in development; private networks unless allowed.
func checkAddress(address string, development, private bool) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	addr := embedded(ap.Addr().Unmap().WithZone(""))
	ok := addr.IsGlobalUnicast() && !isSpecial(addr)
	switch {
	case addr.IsLoopback():
		ok = development
	case addr.IsPrivate():
		ok = private || development
	}
	if !ok {
		return fmt.Errorf("address %s is not allowed for an identity provider", ap.Addr())
	}
	return nil
}

// embedded returns the IPv4 address that a NAT64 address (RFC 6052) leads to, else addr.
func embedded(addr netip.Addr) netip.Addr {
	if netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		b := addr.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return addr
}

func isSpecial(addr netip.Addr) bool {
	for _, prefix := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", azureWireHost + "/32",
		"::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16", "fec0::/10",
	} {
		if netip.MustParsePrefix(prefix).Contains(addr) {
			return true
		}
	}
	return false
}
