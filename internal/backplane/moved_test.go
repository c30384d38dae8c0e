//go:build e2e

package backplane

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// startCluster starts a Redis Cluster of three servers, each with a third of the slots.
func startCluster(t *testing.T) server {
	t.Helper()
	var addresses []string
	for range 3 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := listener.Addr().String()
		listener.Close()
		_, port, _ := net.SplitHostPort(addr)
		cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes")
		cmd.Dir = t.TempDir()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		addresses = append(addresses, addr)
	}
	nodes := make([]*redis.Client, len(addresses))
	for n, addr := range addresses {
		nodes[n] = redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
		t.Cleanup(func() { nodes[n].Close() })
		eventually(t, addr+" listens", func() bool { return nodes[n].Ping(t.Context()).Err() == nil })
		if err := nodes[n].ClusterAddSlotsRange(t.Context(), n*5462, min((n+1)*5462-1, 16383)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, addr := range addresses[1:] {
		host, port, _ := net.SplitHostPort(addr)
		if err := nodes[0].ClusterMeet(t.Context(), host, port).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range nodes {
		eventually(t, "the cluster is there", func() bool {
			info := node.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	s := startRedis(t) // for its type; it is not used
	s.URL = "redis://" + addresses[0]
	return s
}

// A cluster that was taken for a single server is named as such, with the remedy.
func TestUndeclaredClusterIsNamed(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t)
	i := cluster.instance(t)
	eventually(t, "a key is on another server", func() bool {
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			if _, err := i.Revoked(t.Context(), id); err != nil && strings.Contains(err.Error(), "cluster=true") {
				return true
			}
		}
		return false
	})
}
