package watch

import (
	"encoding/json"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// introduceBytes bounds an introduction that is read: instructions in it may be long.
const introduceBytes = 256 << 10

// introduce notes who the two say they are: in initialize, or in every request's _meta and the
// answer to server/discover from 2026-07-28 on. hub.mu is held.
func (r *Recorder) introduce(rec *Message, e *message.Envelope, m *message.Message) {
	known := rec.From == fromClient && r.about.Client != "" || rec.From == fromServer && r.about.Program != ""
	modern := rec.From == fromClient && e.Modern()
	if known || rec.Method != "initialize" && rec.Method != "server/discover" && !modern || m.Len() > introduceBytes {
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
		return r.clean(n.Name, nameBytes)
	}
	if rec.From == fromServer {
		r.about.Program = text(said.Result.ServerInfo)
		r.about.Protocol = r.clean(said.Result.ProtocolVersion, nameBytes)
		if v := said.Result.SupportedVersions; r.about.Protocol == "" && len(v) > 0 {
			r.about.Protocol = r.clean(v[0], nameBytes)
		}
		return
	}
	if r.about.Client = text(said.Params.ClientInfo); r.about.Client == "" {
		r.about.Client = text(said.Params.Meta.ClientInfo)
	}
}
