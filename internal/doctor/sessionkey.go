package doctor

import (
	"bytes"

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
			return []Finding{okay(name, "azd up makes one for the app")}
		}
		return []Finding{warning(name, "mcpfunc generate adds one to "+settingsName+"; an app gets its own from mcpfunc publish",
			"nothing sets %s: a session lives on the instance that opened it, and no longer than it", setting)}
	}
	if _, err := ticket.ParseKeys(key); err != nil { // which says nothing of the key
		return []Finding{failure(name, "mcpfunc key prints a new one", "the app does not start: %s: %v", setting, err)}
	}
	return []Finding{okay(name, "there is one for this machine; an app gets its own from mcpfunc publish or azd up")}
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

// azdMakesKey reports whether azure.yaml has a hook that makes a key, and infra/ takes it from there.
func (p *Project) azdMakesKey() bool {
	for _, name := range []string{"azure.yaml", "infra/main.parameters.json"} {
		data, err := readFile(p.path(name))
		if err != nil || !bytes.Contains(data, []byte(generator.SessionKeySetting)) {
			return false
		}
	}
	return true
}
