package hostemu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// forward sends the request itself, and the response when all of it is there, so that a stream never
// arrives (DefaultHttpWorkerService.cs: ProcessHttpInAndOutInvocationRequest). A body in chunks fails:
// the header that says so is copied, and the body is not.
func (h *Host) forward(w http.ResponseWriter, r *http.Request, in invocation) error {
	if r.ContentLength < 0 {
		return errors.New("a body without a Content-Length cannot be forwarded")
	}
	header := r.Header.Clone()
	for _, name := range []string{"Connection", "Transfer-Encoding"} { // the client library's own
		header.Del(name)
	}
	in.sign(header)
	out := (&http.Request{
		Method: r.Method,
		URL: &url.URL{
			Scheme: "http", Host: in.target(), Path: in.path, RawPath: encodeTarget(in.path, "", false),
			RawQuery: rebuilt(r.URL.Query()),
		},
		Host:   in.host,
		Header: header,
		Body:   http.NoBody,
	}).WithContext(r.Context())
	if r.ContentLength > 0 {
		out.Body, out.ContentLength = r.Body, r.ContentLength
	}
	resp, err := h.transport.RoundTrip(out)
	if err != nil {
		return causeOr(r.Context(), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return causeOr(r.Context(), err)
	}
	copyHead(w, resp)
	_, _ = w.Write(body) // a client that is gone needs no error
	return nil
}

// rebuilt is a query as the host puts it together again: one value a name, commas between several.
func rebuilt(query url.Values) string {
	joined := url.Values{}
	for name, values := range query {
		joined.Set(name, strings.Join(values, ","))
	}
	return strings.ReplaceAll(joined.Encode(), "+", "%20")
}

// sign adds the headers of the two buffered modes.
func (in invocation) sign(header http.Header) {
	header.Set("X-Azure-Functions-Hostversion", HostVersion)
	header.Set("X-Azure-Functions-Invocationid", in.id)
	agent := "Azure-Functions-Host/" + HostVersion
	if given := header.Get("User-Agent"); given != "" {
		agent = given + " " + agent
	}
	header.Set("User-Agent", agent)
}

// A result is what the handler answers to an envelope.
type result struct {
	Outputs     map[string]json.RawMessage
	Logs        []string
	ReturnValue json.RawMessage
}

// serveEnvelope calls an HTTP function by envelope and answers with its http output.
func (h *Host) serveEnvelope(w http.ResponseWriter, r *http.Request, in invocation) error {
	data, metadata, err := in.httpData(r)
	if err != nil {
		return err
	}
	res, err := h.envelope(r.Context(), in, data, metadata)
	if err != nil {
		return err
	}
	switch in.function.output {
	case "":
		w.WriteHeader(http.StatusOK)
		return nil
	case "$return":
		return writeOutput(w, res.ReturnValue)
	}
	return writeOutput(w, res.Outputs[in.function.output])
}

// envelope posts JSON to /FunctionName and reads the JSON that comes back. A status other than 2xx
// fails the invocation. An empty body or null never completes it: it hangs until functionTimeout, and
// the handler is restarted then.
// metadata are the values that bindings of the function may name, to which "sys" is added.
func (h *Host) envelope(ctx context.Context, in invocation, data any, metadata map[string]any) (*result, error) {
	metadata["sys"] = map[string]any{
		"MethodName": in.function.Name,
		"UtcNow":     time.Now().UTC(),
		"RandGuid":   newGUID(),
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{
		"Data":     map[string]any{in.function.input: data},
		"Metadata": metadata,
	}); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+in.target()+"/"+in.function.Name, &body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	in.sign(r.Header)
	resp, err := (&http.Client{Transport: h.transport}).Do(r)
	if err != nil {
		return nil, causeOr(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, causeOr(ctx, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, fmt.Errorf("the handler answered %s", resp.Status)
	}
	if text := bytes.TrimSpace(answer); len(text) == 0 || string(text) == "null" {
		h.opts.Logf("%s: the handler answered with an empty body, so that the invocation never completes", in.function.Name)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "application/json" && media != "text/json" {
		return nil, fmt.Errorf("the handler's answer has the content type %q, not application/json", resp.Header.Get("Content-Type"))
	}
	var res result
	if err := json.Unmarshal(answer, &res); err != nil {
		return nil, fmt.Errorf("the handler's answer: %w", err)
	}
	for _, line := range res.Logs {
		h.opts.Logf("%s: %s", in.function.Name, line)
	}
	return &res, nil
}

// httpData is an HTTP request inside an envelope, and the values in it that bindings may name.
func (in invocation) httpData(r *http.Request) (data any, metadata map[string]any, err error) {
	query := map[string]string{}
	for name, values := range r.URL.Query() {
		query[name] = strings.Join(values, ",")
	}
	headers := map[string][]string(r.Header.Clone())
	headers["Host"] = []string{in.host}
	request := map[string]any{
		"Url":        in.url(r),
		"Method":     r.Method,
		"Query":      query,
		"Headers":    headers,
		"Params":     in.params,
		"Identities": []any{anonymous()},
	}
	metadata = map[string]any{}
	add := func(name string, value any) { // the first one counts
		for given := range metadata {
			if strings.EqualFold(given, name) {
				return
			}
		}
		metadata[name] = value
	}
	if r.ContentLength > 0 {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, nil, err
		}
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if media == "application/octet-stream" || strings.HasPrefix(media, "multipart/") {
			request["Body"] = body // base64
		} else {
			request["Body"] = string(body)
		}
		for name, value := range members(media, body) {
			add(name, value)
		}
	}
	for name, value := range query {
		add(name, value)
	}
	for name, value := range in.params {
		add(name, value)
	}
	flat := map[string]string{}
	for name, values := range headers {
		flat[name] = strings.Join(values, ",")
	}
	add("Query", query)
	add("Headers", flat)
	return request, metadata, nil
}

// members are the members of a JSON object, of which bindings may name each.
func members(media string, body []byte) map[string]any {
	var object map[string]any
	if media != "application/json" || json.Unmarshal(body, &object) != nil {
		return nil
	}
	return object
}

// anonymous is the identity that the host always finds, without Easy Auth.
func anonymous() any {
	return map[string]any{
		"AuthenticationType": nil, "IsAuthenticated": false, "Actor": nil, "BootstrapContext": nil,
		"Claims": []any{}, "Label": nil, "Name": nil,
		"NameClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
		"RoleClaimType": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
	}
}

// timerData is a timer's state inside an envelope. Nothing is stored, so it never ran before.
func timerData() any {
	return map[string]any{
		"Schedule":       map[string]any{"AdjustForDST": true},
		"ScheduleStatus": nil,
		"IsPastDue":      false,
	}
}

// writeOutput turns an http output into a response: an object with statusCode (or status), headers
// and body, or a bare value, which is the body of a 200. Text goes as text, anything else as JSON.
func writeOutput(w http.ResponseWriter, output json.RawMessage) error {
	var res struct {
		StatusCode, Status json.RawMessage
		Headers            map[string]any
		Body               json.RawMessage
	}
	if len(output) == 0 || output[0] != '{' {
		res.Body = output
	} else if err := json.Unmarshal(output, &res); err != nil {
		return fmt.Errorf("the http output: %w", err)
	}
	status, err := outputStatus(res.StatusCode, res.Status)
	if err != nil {
		return err
	}
	body, media := []byte(res.Body), "application/json; charset=utf-8"
	var text string
	switch {
	case len(body) == 0 || string(body) == "null":
		body = nil
	case json.Unmarshal(body, &text) == nil:
		body, media = []byte(text), "text/plain; charset=utf-8"
	}
	if body != nil {
		w.Header().Set("Content-Type", media)
	}
	for name, value := range res.Headers {
		w.Header().Set(name, fmt.Sprint(value))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no error
	return nil
}

// outputStatus reads the first status there is, a number or a string of one.
func outputStatus(candidates ...json.RawMessage) (int, error) {
	for _, c := range candidates {
		text := strings.Trim(string(c), `"`)
		if text == "" || text == "null" {
			continue
		}
		status, err := strconv.Atoi(text)
		if err != nil || status < 100 || status > 999 {
			return 0, errors.New("invalid status of the http output: " + text)
		}
		return status, nil
	}
	return http.StatusOK, nil
}
