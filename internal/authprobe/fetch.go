package authprobe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A answer is an HTTP answer, as much of it as matters.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// answerLimit bounds what is read of an answer, in bytes.
const answerLimit = 1 << 20

// call sends the first message of a session, and ends the session that it may have opened.
func (d *discovery) call(token string) (*answer, error) {
	const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},` +
		`"clientInfo":{"name":"mcpfunc-doctor","version":"1"}}}`
	header := d.header.Clone()
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	a, err := d.send(http.MethodPost, d.endpoint.String(), initialize, header)
	if err == nil && a.header.Get("Mcp-Session-Id") != "" {
		header.Set("Mcp-Session-Id", a.header.Get("Mcp-Session-Id"))
		_, _ = d.send(http.MethodDelete, d.endpoint.String(), "", header) // it idles out otherwise
	}
	return a, err
}

// document gets a JSON document.
func (d *discovery) document(address string, into any) error {
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("invalid URL %q: want an http or https URL", address)
	}
	a, err := d.send(http.MethodGet, address, "", http.Header{"Accept": {"application/json"}})
	switch {
	case err != nil:
		return err
	case a.status != http.StatusOK:
		return fmt.Errorf("%s: status %d", address, a.status)
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

func (d *discovery) send(method, address, body string, header http.Header) (*answer, error) {
	ctx, cancel := context.WithTimeout(d.ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = header.Clone()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			return nil, fmt.Errorf("%s: %w", address, failed.Err)
		}
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return &answer{resp.StatusCode, resp.Header, data}, nil
}

// reason returns the message of the body of a refusal: {"error":{"message":...}} is the form of JSON-RPC
// and of the auth errors alike.
func reason(body []byte) string {
	var doc struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return ""
	}
	return doc.Error.Message
}
