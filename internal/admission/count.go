package admission

// counts are how many tenants there are that count for limits, by whose limit it is: Key{} is the app, one with a
// Server alone that server, and one with a Principal, too, a caller of it. There may be many tenants, of which most do
// nothing, so that they are not gone through whenever another comes. Its owner's lock guards it.
type counts map[Key]int

// add counts n more tenants of key.
func (c counts) add(key Key, n int) {
	whose := []Key{{}, {Server: key.Server}}
	if key.Principal != "" {
		whose = append(whose, Key{Server: key.Server, Principal: key.Principal})
	}
	for _, k := range whose {
		if c[k] += n; c[k] == 0 {
			delete(c, k)
		}
	}
}

// has reports whether other is among those whose limit that of k is.
func (k Key) has(other Key) bool {
	return (k.Server == "" || k.Server == other.Server) && (k.Principal == "" || k.Principal == other.Principal)
}
