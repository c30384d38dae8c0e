package backplane

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	identity := func(_ context.Context, resource, clientID string) (string, error) {
		return resource + "|" + clientID, nil
	}
	for _, tt := range []struct{ url, want string }{
		{"redis://localhost:6379", ""},
		{"rediss://:secret@host:6380/0?dial_timeout=3", ""},
		{"rediss://object@host:10000?entra=true", "object https://redis.azure.com|"},
		{"rediss://object@host:10000?entra=client", "object https://redis.azure.com|client"},
		{"rediss://object@host:10000?entra=false", ""},
	} {
		a, err := parseAddress(tt.url, identity)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		got := ""
		c := a.connect(func(o *redis.Options) {
			if o.CredentialsProviderContext != nil {
				user, password, err := o.CredentialsProviderContext(t.Context())
				if err != nil || o.ConnMaxLifetime == 0 {
					t.Errorf("%s: %v, connections live %v", tt.url, err, o.ConnMaxLifetime)
				}
				got = user + " " + password
			}
		})
		c.Close()
		if got != tt.want {
			t.Errorf("%s: credentials %q, want %q", tt.url, got, tt.want)
		}
	}
	for url, want := range map[string]string{
		"rediss://object:secret@host?entra=true": "without a password",
		"rediss://host?entra=true":               "object id",
		"redis://object@host?entra=true":         "must not be sent in the clear",
		"http://:secret@host":                    "want a redis://",
		"redis://:sec%ret@host":                  "want a redis://",
		"redis://:secret@host?unknown=1":         "want a redis://",
	} {
		if _, err := parseAddress(url, identity); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if _, err := parseAddress("rediss://object@host?entra=true", nil); err == nil {
		t.Error("there is no identity, and that is no error")
	}
	if _, err := parseAddress("redis://host?cluster=true", nil); (err == nil) != clustered {
		t.Errorf("a cluster, where builds have clusters is %t: %v", clustered, err)
	}
	failing := func(context.Context, string, string) (string, error) { return "", errors.New("no token") }
	a, err := parseAddress("rediss://object@127.0.0.1:1?entra=true", failing)
	if err != nil {
		t.Fatal(err)
	}
	c := a.connect(func(*redis.Options) {})
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("connected without a token")
	}
}
