//go:build mcpfunc_redis_cluster

package backplane

import "github.com/redis/go-redis/v9"

// A client is the client of one server or of a cluster. Support for clusters adds half a megabyte to a handler, so only
// builds with the tag mcpfunc_redis_cluster have it.
type client = redis.UniversalClient

const clustered = true

func newClient(o *redis.Options, cluster bool) client {
	if !cluster {
		return redis.NewClient(o)
	}
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{o.Addr}, Username: o.Username, Password: o.Password, CredentialsProviderContext: o.CredentialsProviderContext,
		Protocol: o.Protocol, DisableIdentity: o.DisableIdentity, ContextTimeoutEnabled: o.ContextTimeoutEnabled,
		DialTimeout: o.DialTimeout, DialerRetries: o.DialerRetries, MaxRetries: o.MaxRetries, ReadTimeout: o.ReadTimeout,
		PoolSize: o.PoolSize, ConnMaxLifetime: o.ConnMaxLifetime, ReadBufferSize: o.ReadBufferSize, WriteBufferSize: o.WriteBufferSize,
		TLSConfig: o.TLSConfig, OnConnect: o.OnConnect, MaintNotificationsConfig: o.MaintNotificationsConfig,
	})
}
