package doctor

import (
	"bytes"
	"slices"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// sessionKey finds out where the app gets the key from by which a session outlasts the process that
// opened it. What the app on Azure has, only Azure knows: mcpfunc publish asks there.
func (p *Project) sessionKey() []Finding {
	const name, setting = "session key", generator.SessionKeySetting
	if p.plain {
		return nil
	}
	key, found := p.lookup(setting)
	if !found {
		if p.azdMakesKey() {
			return []Finding{okay(name, "azd up creates one for the app")}
		}
		return []Finding{warning(name, "mcpfunc generate adds one to "+settingsName+"; mcpfunc publish creates one for an app",
			"%s is not set: a session stays on the instance that opened it, and ends with it", setting)}
	}
	if _, err := ticket.ParseKeys(key); err != nil { // which says nothing of the key
		return []Finding{failure(name, "run mcpfunc key to print a new one", "the app cannot start: %s: %v", setting, err)}
	}
	return []Finding{okay(name, "set for this machine; mcpfunc publish or azd up creates one for an app")}
}

// redisSetting is by what instances reach each other's sessions.
const redisSetting = "MCPFUNC_REDIS_URL"

// hasRedis reports whether the app gets one, here or by infra/.
func (p *Project) hasRedis() bool {
	if url, found := p.lookup(redisSetting); found && url != "" {
		return true
	}
	data, err := readFile(p.path("infra/app.bicep"))
	return err == nil && bytes.Contains(data, []byte(redisSetting))
}

// azdMakesKey reports whether azure.yaml has a hook that makes a key, ours or the user's own, and infra/ takes it
// from there.
func (p *Project) azdMakesKey() bool {
	contains := func(name string, words ...string) bool {
		data, err := readFile(p.path(name))
		return err == nil && slices.ContainsFunc(words, func(word string) bool { return bytes.Contains(data, []byte(word)) })
	}
	return contains("azure.yaml", "azd-preprovision", generator.SessionKeySetting) && contains("infra/main.parameters.json", generator.SessionKeySetting)
}
