package cli

import (
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/hostemu"
)

// withPage returns env for a handler that is to offer its page to callers with the key. The key is
// handed on in the environment, where no other user of the machine sees it.
func withPage(env *Env, key string) *Env {
	with := *env
	with.Environ = append(slices.Clip(env.Environ), "MCPFUNC_DEV="+key)
	return &with
}

// pageURL is the address that opens the page. The key is in the fragment, which a browser keeps to
// itself.
func pageURL(host *hostemu.Host, key string) string { return host.URL() + "/#key=" + key }
