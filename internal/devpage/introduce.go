package devpage

import (
	"encoding/json"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// introduceBytes bounds an introduction that is read: instructions in it may be long.
const introduceBytes = 256 << 10

// introduce notes who the two say they are: in initialize, or in every request's _meta and the
// answer to server/discover from 2026-07-28 on. The lock is held.
func (t *track) introduce(told *watch.Message, m *message.Message) {
	known := told.From == watch.FromClient && t.about.Client != "" || told.From == watch.FromServer && t.about.Program != ""
	modern := told.From == watch.FromClient && m.Envelope().Modern()
	if known || told.Method != "initialize" && told.Method != "server/discover" && !modern || m.Len() > introduceBytes {
		return
	}
	type name struct{ Name, Version string }
	var said struct {
		Params struct {
			ClientInfo name `json:"clientInfo"`
			Meta       struct {
				ClientInfo name `json:"io.modelcontextprotocol/clientInfo"`
			} `json:"_meta"`
		} `json:"params"`
		Result struct {
			ProtocolVersion   string   `json:"protocolVersion"`
			SupportedVersions []string `json:"supportedVersions"`
			ServerInfo        name     `json:"serverInfo"`
		} `json:"result"`
	}
	if json.Unmarshal(m.Bytes(), &said) != nil {
		return // it is JSON, but not of this form
	}
	text := func(n name) string {
		if n.Version != "" {
			n.Name += " " + n.Version
		}
		return watch.Clean(t.of.secrets, n.Name)
	}
	if told.From == watch.FromServer {
		t.about.Program = text(said.Result.ServerInfo)
		t.about.Protocol = watch.Clean(t.of.secrets, said.Result.ProtocolVersion)
		if v := said.Result.SupportedVersions; t.about.Protocol == "" && len(v) > 0 {
			t.about.Protocol = watch.Clean(t.of.secrets, v[0])
		}
		return
	}
	if t.about.Client = text(said.Params.ClientInfo); t.about.Client == "" {
		t.about.Client = text(said.Params.Meta.ClientInfo)
	}
}
