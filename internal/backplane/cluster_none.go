//go:build !mcpfunc_redis_cluster

package backplane

import "github.com/redis/go-redis/v9"

// A client is the client of one server. An interface would keep more of the library in a handler.
type client = *redis.Client

const clustered = false

func newClient(o *redis.Options, _ bool) client { return redis.NewClient(o) }
