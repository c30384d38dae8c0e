package pool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// A ParamHeader is an argument of a tool that clients repeat in an HTTP header, because the tool's
// schema says so (2026-07-28, transports, "Custom Headers from Tool Parameters").
type ParamHeader struct {
	Name string   // what follows Mcp-Param-
	Path []string // of properties, from the arguments on
}

// Bounds of such headers, which the server chooses and every call pays for.
const (
	maxParamTools = 1024 // of a pool
	maxParams     = 64   // of a tool; a request has 64 KiB for all of its headers
	maxParamDepth = 16   // of properties within properties
)

// ErrTooManyParams says that a tool's schema names more headers than are compared.
var ErrTooManyParams = fmt.Errorf("the tool's schema names more than %d headers, or nests one more than %d properties deep", maxParams, maxParamDepth)

// ParamHeaders returns the headers that belong to a call of a tool, as far as the caller has listed
// the tools here: a server on stdio tells its schemas in no other way. It fails with ErrTooManyParams.
func (w *Worker) ParamHeaders(tool string) ([]ParamHeader, error) {
	w.pools.mu.Lock()
	defer w.pools.mu.Unlock()
	headers := w.pool.tools[tool]
	if len(headers) > maxParams {
		return nil, ErrTooManyParams
	}
	return headers, nil
}

func (w *Worker) knowsHeaders() bool {
	w.pools.mu.Lock()
	defer w.pools.mu.Unlock()
	return len(w.pool.tools) > 0
}

// property is what counts of a JSON schema.
type property struct {
	Type       string              `json:"type"`
	Header     json.RawMessage     `json:"x-mcp-header"`
	Properties map[string]property `json:"properties"`
}

// learn takes the headers of tools out of an answer to tools/list.
func (w *Worker) learn(answer []byte) {
	if !w.knowsHeaders() && !bytes.Contains(answer, []byte(`"x-mcp-header"`)) {
		return
	}
	var listed struct {
		Result struct {
			Tools []struct {
				Name        string   `json:"name"`
				InputSchema property `json:"inputSchema"`
			} `json:"tools"`
		} `json:"result"`
	}
	if json.Unmarshal(answer, &listed) != nil {
		return
	}
	w.pools.mu.Lock()
	defer w.pools.mu.Unlock()
	for _, tool := range listed.Result.Tools {
		headers, ok := tool.InputSchema.headers(nil, map[string]bool{})
		if !ok || len(headers) == 0 { // clients leave a tool out whose headers are not allowed
			delete(w.pool.tools, tool.Name)
			continue
		}
		if w.pool.tools == nil {
			w.pool.tools = map[string][]ParamHeader{}
		}
		if len(w.pool.tools) < maxParamTools {
			w.pool.tools[tool.Name] = headers
		}
	}
}

// headers lists the headers of the properties of p, which is at path. It reports false if one
// is not allowed. taken are the names so far, in lower case.
func (p property) headers(path []string, taken map[string]bool) (found []ParamHeader, ok bool) {
	for name, inner := range p.Properties {
		here := path
		if len(here) <= maxParamDepth { // deeper it does not matter where
			here = append(path[:len(path):len(path)], name)
		}
		if inner.Header != nil {
			var header string
			if json.Unmarshal(inner.Header, &header) != nil || !token(header) || taken[strings.ToLower(header)] {
				return nil, false
			}
			if inner.Type != "string" && inner.Type != "integer" && inner.Type != "boolean" {
				return nil, false
			}
			taken[strings.ToLower(header)] = true
			found = append(found, ParamHeader{header, here})
			if len(here) > maxParamDepth {
				return make([]ParamHeader, maxParams+1), true
			}
		}
		deeper, ok := inner.headers(here, taken)
		if !ok {
			return nil, false
		}
		if found = append(found, deeper...); len(found) > maxParams {
			return found[:maxParams+1], true
		}
	}
	return found, true
}

// token reports whether text is a token of HTTP (RFC 9110, section 5.6.2).
func token(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
}
