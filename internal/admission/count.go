package admission

// counts are how many tenants there are that count for limits. There may be many, of which most do nothing, so
// that they are not gone through whenever another comes. Its owner's lock guards it.
type counts struct {
	all     int
	servers map[string]int
	callers map[caller]int
}

// A caller is one of a server.
type caller struct{ server, principal string }

func newCounts() counts { return counts{servers: map[string]int{}, callers: map[caller]int{}} }

// add counts n more tenants of key.
func (c *counts) add(key Key, n int) {
	c.all += n
	add(c.servers, key.Server, n)
	add(c.callers, caller{key.Server, key.Principal}, n)
}

func add[K comparable](counts map[K]int, key K, n int) {
	if counts[key] += n; counts[key] == 0 {
		delete(counts, key)
	}
}
