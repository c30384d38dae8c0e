package image

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

const (
	configType   = "application/vnd.oci.image.config.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
)

// A shelf is a registry with images.
type shelf struct {
	t    *testing.T
	url  string
	host string
}

func newShelf(t *testing.T, serve func(http.Handler) *httptest.Server, around func(http.Handler) http.Handler) *shelf {
	t.Helper()
	server := serve(around(registry.New(registry.Logger(log.New(io.Discard, "", 0)))))
	t.Cleanup(server.Close)
	_, host, _ := strings.Cut(server.URL, "://")
	return &shelf{t, server.URL, host}
}

func plain(h http.Handler) http.Handler { return h }

// put stores a body and returns its digest.
func (s *shelf) put(client *http.Client, method, path, mediaType string, body []byte) string {
	s.t.Helper()
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(body))
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+strings.ReplaceAll(path, "DIGEST", digest), strings.NewReader(string(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		s.t.Fatalf("%s %s: %s", method, path, res.Status)
	}
	return digest
}

// image stores an image of one platform and returns its digest, and what an index says of it.
func (s *shelf) image(client *http.Client, repository, tag, architecture string) (digest string, descriptor map[string]any) {
	s.t.Helper()
	config := marshal(s.t, map[string]any{"os": "linux", "architecture": architecture, "rootfs": map[string]any{"type": "layers", "diff_ids": []string{}}})
	configDigest := s.put(client, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest=DIGEST", "application/octet-stream", config)
	manifest := marshal(s.t, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "layers": []any{},
		"config": map[string]any{"mediaType": configType, "digest": configDigest, "size": len(config)},
	})
	digest = s.put(client, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, manifestType, manifest)
	return digest, map[string]any{
		"mediaType": manifestType, "digest": digest, "size": len(manifest),
		"platform": map[string]any{"os": "linux", "architecture": architecture},
	}
}

// index stores an image of several platforms and returns its digest.
func (s *shelf) index(client *http.Client, repository, tag string, architectures ...string) string {
	s.t.Helper()
	var manifests []any
	for _, architecture := range architectures {
		_, descriptor := s.image(client, repository, architecture, architecture)
		manifests = append(manifests, descriptor)
	}
	body := marshal(s.t, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests})
	return s.put(client, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, indexType, body)
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPin(t *testing.T) {
	t.Parallel()
	s := newShelf(t, httptest.NewServer, plain)
	several := s.index(http.DefaultClient, "team/several", "1.0", "arm64", "amd64")
	single, _ := s.image(http.DefaultClient, "single", "2.0", "amd64")
	latest, _ := s.image(http.DefaultClient, "single", "latest", "amd64")
	s.index(http.DefaultClient, "foreign", "1", "arm64", "s390x")
	s.image(http.DefaultClient, "other", "1", "arm64")

	old := "@sha256:" + strings.Repeat("0", 64)
	text := strings.NewReplacer("HOST", s.host, "OLD", old).Replace(`ARG TWO=HOST/single:2.0
FROM HOST/team/several:1.0 AS build
FROM ${TWO}OLD
FROM ${TWO}
FROM HOST/single
FROM HOST/team/several:1.0OLD
FROM HOST/single OLD
FROM HOST/singleOLD
FROM HOST/foreign:1
FROM HOST/other:1
FROM HOST/team/several:3
FROM HOST/:wrong
COPY --from=build /a /a
`)
	want := strings.NewReplacer(
		"ARG TWO="+s.host+"/single:2.0", "ARG TWO="+s.host+"/single:2.0@"+single,
		"several:1.0"+old, "several:1.0@"+several, "several:1.0 ", "several:1.0@"+several+" ",
		"/single\n", "/single:latest@"+latest+"\n", "/single "+old, "/single:latest@"+latest+" "+old,
	).Replace(text)
	got, err := Pin(t.Context(), nil, []byte(text))
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	wantErr := strings.ReplaceAll(`HOST/foreign:1: it is not for linux/amd64
HOST/other:1: it is not for linux/amd64
HOST/team/several:3: its registry does not have it
HOST/:wrong: invalid reference format`, "HOST", s.host)
	if err == nil || err.Error() != wantErr {
		t.Errorf("error is\n%v\nwant\n%s", err, wantErr)
	}
}

// Docker Hub wants a token, which everybody gets.
func TestPinWithAnonymousToken(t *testing.T) {
	t.Parallel()
	var self string
	s := newShelf(t, httptest.NewServer, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/token" && r.URL.Query().Get("scope") == "repository:tool:pull" && r.Header.Get("Authorization") == "":
				fmt.Fprint(w, `{"token": "everybody"}`)
			case (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Authorization") != "Bearer everybody":
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+self+`/token",service="test",scope="repository:tool:pull"`)
				w.WriteHeader(http.StatusUnauthorized)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	self = s.host
	digest, _ := s.image(http.DefaultClient, "tool", "1", "amd64")
	got, err := Pin(t.Context(), nil, []byte("FROM "+s.host+"/tool:1"))
	if want := "FROM " + s.host + "/tool:1@" + digest; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestPinFails(t *testing.T) {
	t.Parallel()
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://token:secret@example.invalid")
			w.WriteHeader(status)
		}
	}
	liar := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", indexType)
		w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("1", 64))
		fmt.Fprint(w, `{"schemaVersion":2,"manifests":[]}`)
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		registry http.HandlerFunc
		want     string
	}{
		"private":    {answer(http.StatusUnauthorized), "it does not exist, or is not public"},
		"forbidden":  {answer(http.StatusForbidden), "it does not exist, or is not public"},
		"rate limit": {answer(http.StatusTooManyRequests), "its registry accepts no more requests from this address now"},
		"broken":     {answer(http.StatusBadGateway), "its registry answers 502"},
		"liar":       {liar, "mismatch"},
		"silent":     {silent, "its registry does not answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.registry)
			defer server.Close()
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if name == "silent" { // the others answer, however long that takes
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
			}
			defer cancel()
			text := "FROM " + strings.TrimPrefix(server.URL, "http://") + "/x:1"
			got, err := Pin(ctx, nil, []byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") || string(got) != text {
				t.Errorf("got %s, %v, want %q", got, err, c.want)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(nil)
		server.Close()
		const want = "its registry cannot be reached: "
		if _, err := Pin(t.Context(), nil, []byte("FROM "+strings.TrimPrefix(server.URL, "http://")+"/x:1")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	})
}

// through is a transport that connects to one server, whatever the address.
type through struct {
	server *httptest.Server
	client http.RoundTripper
}

func (th through) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is asked over %s", r.URL.Host, r.URL.Scheme)
	}
	if r.URL.Host != "registry-1.docker.io" && r.URL.Host != "mcr.microsoft.com" {
		return nil, fmt.Errorf("unknown host %s", r.URL.Host)
	}
	_, r.URL.Host, _ = strings.Cut(th.server.URL, "://")
	return th.client.RoundTrip(r)
}

// Registries elsewhere are asked over TLS, with a certificate that is valid, and short names are those of Docker Hub.
func TestPinOverTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	s := &shelf{t, server.URL, ""}
	hub, _ := s.image(server.Client(), "library/golang", "1.26", "amd64")
	mcr := s.index(server.Client(), "azure-functions/python", "4", "amd64", "arm64")
	const text = "FROM golang:1.26\nFROM mcr.microsoft.com/azure-functions/python:4\n"
	got, err := Pin(t.Context(), through{server, server.Client().Transport}, []byte(text))
	if want := "FROM golang:1.26@" + hub + "\nFROM mcr.microsoft.com/azure-functions/python:4@" + mcr + "\n"; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if _, err := Pin(t.Context(), through{server, http.DefaultTransport}, []byte(text)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate is answered with %v", err)
	}
}
