package generator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"strings"
	"text/template"

	"github.com/mcpfunc/mcpfunc/templates"
)

// render fills in one template; what it makes of a .go file is gofmt-ed.
func render(name string, model any) ([]byte, error) {
	left, right := "{{", "}}"
	if strings.HasSuffix(name, ".yml.tmpl") {
		left, right = "[[", "]]" // GitHub has a meaning of its own for the usual ones
	}
	t, err := template.New(name).
		Delims(left, right).
		Option("missingkey=error").
		Funcs(template.FuncMap{"json": quote}).
		ParseFS(templates.Files, name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, model); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(name, ".go.tmpl") {
		return out.Bytes(), nil
	}
	src, err := format.Source(out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	return src, nil
}

// quote writes s as a JSON string, with "<" and "&" as they are.
func quote(s any) (string, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
