package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
)

// NewKeySetting is an app setting, in the form in which az reads some: a new session key.
func NewKeySetting() map[string]string {
	return map[string]string{generator.SessionKeySetting: generator.NewSessionKey()}
}

// giveKey ensures that the app has a session key: a new one, of the app alone, unless it has one.
// What is there is left alone, as to replace it would end all sessions.
func (p *Publisher) giveKey(ctx context.Context) error {
	if p.az == "" {
		return errors.New("az is not on PATH")
	}
	group, err := p.group(ctx)
	if err != nil {
		return err
	}
	names, err := p.ask(ctx, "looking for the app's session key", nil, p.hasKeyArgs(group))
	if err != nil || strings.TrimSpace(names) != "" {
		return err
	}
	setting, err := json.Marshal(NewKeySetting())
	if err != nil {
		return err
	}
	if _, err := p.ask(ctx, "giving the app a session key", bytes.NewReader(setting), p.setKeyArgs(group)); err != nil {
		return err
	}
	p.console.KeySet(p.target())
	return nil
}
