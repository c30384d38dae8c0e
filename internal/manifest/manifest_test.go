package manifest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

const (
	begun     = `{"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}}},  "jsonrpc":"2.0","id":"mcpfunc-manifest"}`
	tools     = `{"jsonrpc":"2.0","id":"mcpfunc-manifest","result":{"tools":[{"name":"é\u00e9","n":1.0}],"nextCursor":"c2"}}`
	more      = `{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}`
	empty     = `{"jsonrpc":"2.0","id":"","result":{}}`
	discover  = `{"jsonrpc":"2.0","id":0,"result":{"supportedVersions":["2026-07-28"]}}`
	indexText = `{"format":1,"servers":{"s":{"start":"START","era":"both","conversations":[` +
		`{"version":"2025-06-18","answers":[{"method":"initialize","line":2},{"method":"tools/list","line":3},{"method":"tools/list","cursor":"c2","line":4},{"method":"ping","line":5},{"method":"logging/setLevel","line":5}]},` +
		`{"version":"2025-11-25","capabilities":{"sampling":{}},"answers":[{"method":"initialize","line":2}]},` +
		`{"version":"2026-07-28","answers":[{"method":"server/discover","line":6},{"method":"tools/list","line":3}]}]}}}`
)

var source = Source{Command: "server", Args: []string{"--key", "${KEY}"}, Values: map[string]string{"KEY": "secret"}}

func parse(t *testing.T, from Source) *File {
	t.Helper()
	f, err := Parse([]byte(strings.Join([]string{strings.Replace(indexText, "START", from.Identity("").Start, 1), begun, tools, more, empty, discover, ""}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Servers["s"]
	s.Identity = from.Identity("the key")
	f.Servers["s"] = s
	return f
}

func known(t *testing.T) *Known {
	t.Helper()
	k := parse(t, source).Known("s", source, []string{"older", "the key"}, false, slog.New(slog.DiscardHandler), nil)
	if k == nil {
		t.Fatal("nothing is known")
	}
	return k
}

func read(t *testing.T, text string) *message.Message {
	t.Helper()
	m, err := message.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// client is who initializes.
const client = `"clientInfo":{"name":"t","version":"1"}`

// Every byte of an answer is the server's except for the id, which is the client's.
func TestAnswersAreTheServersBytes(t *testing.T) {
	t.Parallel()
	talk := known(t).Talk(read(t, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}},`+client+`}}`))
	if talk == nil || !talk.Serves() {
		t.Fatal("the conversation is not known")
	}
	for _, tt := range []struct{ ask, want string }{
		{`{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list"}`, strings.Replace(tools, `"mcpfunc-manifest"`, "9007199254740993", 1)},
		{`{"jsonrpc":"2.0","id":"\u0061","method":"tools/list","params":{"_meta":{"progressToken":1}}}`, strings.Replace(tools, `"mcpfunc-manifest"`, `"\u0061"`, 1)},
		{`{"jsonrpc":"2.0","id":"x","method":"tools/list","params":{"cursor":"c2"}}`, strings.Replace(more, "7", `"x"`, 1)},
		{`{"jsonrpc":"2.0","id":"abc","method":"ping"}`, strings.Replace(empty, `""`, `"abc"`, 1)},
		{`{"jsonrpc":"2.0","id":5,"method":"logging/setLevel","params":{"level":"error"}}`, strings.Replace(empty, `""`, "5", 1)},
		{`{"jsonrpc":"2.0","id":6,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},` + client + `}}`, strings.Replace(begun, `"mcpfunc-manifest"`, "6", 1)},

		{`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"c3"}}`, ""},
		{`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"c2","filter":"x"}}`, ""},
		{`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"task":{}}}`, ""},
		{`{"jsonrpc":"2.0","id":1,"ID":2,"method":"tools/list"}`, ""},
		{`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"loud"}}`, ""},
		{`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{}}`, ""},
		{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}`, ""},
		{`{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`, ""},
		{`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},` + client + `}}`, ""},
	} {
		m := read(t, tt.ask)
		answer := talk.Answer(m, "u")
		switch {
		case talk.Knows(m) != (tt.want != ""):
			t.Errorf("%s: known is %v", tt.ask, talk.Knows(m))
		case answer == nil && tt.want != "", answer != nil && string(answer.Bytes()) != tt.want:
			t.Errorf("%s:\n%v, want\n%s", tt.ask, answer, tt.want)
		case answer != nil && string(answer.Envelope().ID()) != string(m.Envelope().ID()):
			t.Errorf("%s: the answer is to %s", tt.ask, answer.Envelope().ID())
		}
	}
}

func TestBeginningsAreTakenExactly(t *testing.T) {
	t.Parallel()
	k := known(t)
	for capabilities, want := range map[string]bool{
		`{"sampling":{}}`: true, `{"sampling":{},"experimental":{}}`: true, `{"sampling":null}`: false,
		`{}`: false, `{"sampling":{"tools":{}}}`: false, `{"sampling":{},"roots":{}}`: false, `[]`: false, `null`: false, `{"sampling":true}`: false,
	} {
		m := read(t, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":`+capabilities+`,`+client+`}}`)
		if got := k.Talk(m) != nil; got != want {
			t.Errorf("with %s: %v, want %v", capabilities, got, want)
		}
	}
}

// A server may refuse a client that leaves out what the specification wants.
func TestIncompleteBeginningsAreForTheServer(t *testing.T) {
	t.Parallel()
	k := known(t)
	const version, capabilities = `"protocolVersion":"2025-06-18"`, `"capabilities":{}`
	for params, want := range map[string]bool{
		version + "," + capabilities + "," + client: true, version + "," + capabilities: false, version + "," + client: false, capabilities + "," + client: false,
		version + "," + capabilities + `,"clientInfo":{"name":"x"}`: false, version + "," + capabilities + `,"clientInfo":{"name":"x","version":1}`: false,
	} {
		if got := k.Talk(read(t, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{`+params+`}}`)) != nil; got != want {
			t.Errorf("initialize with %s is known: %v, want %v", params, got, want)
		}
	}
	const stateless = `"io.modelcontextprotocol/protocolVersion":"2026-07-28"`
	const able, info = `,"io.modelcontextprotocol/clientCapabilities":{}`, `,"io.modelcontextprotocol/clientInfo":`
	for meta, want := range map[string]bool{
		stateless + able: true, stateless: false, able[1:]: false, stateless + `,"io.modelcontextprotocol/clientCapabilities":null`: false,
		stateless + able + info + `{"name":"x","version":"1"}`: true, stateless + able + info + `{"name":"x"}`: false,
	} {
		if got := k.Answer(read(t, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{`+meta+`}}}`), "u") != nil; got != want {
			t.Errorf("tools/list with %s is known: %v, want %v", meta, got, want)
		}
	}
}

func TestStatelessAnswersNeedNoProcess(t *testing.T) {
	t.Parallel()
	k := known(t)
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`
	for text, want := range map[string]string{
		`{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{` + meta + `}}}`:                                    strings.Replace(discover, "0,", `"d",`, 1),
		`{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{` + meta + `}}}`:                                           strings.Replace(tools, `"mcpfunc-manifest"`, "2", 1),
		`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`:                                                                    "",
		`{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{` + meta + `,"io.modelcontextprotocol/logLevel":"info"}}}`: "",
	} {
		want = strings.Replace(want, `"2.0","id"`, `"2.0","id"`, 1)
		answer := k.Answer(read(t, text), "u")
		if answer == nil && want != "" || answer != nil && string(answer.Bytes()) != want {
			t.Errorf("%s: %v, want %s", text, answer, want)
		}
	}
	if k.Era() != "both" {
		t.Errorf("the era is %q", k.Era())
	}
}

// answering says what a process answers to lists.
func answering(t *testing.T, answers map[string]string) func(*message.Message) (*message.Message, error) {
	return func(m *message.Message) (*message.Message, error) {
		var r struct {
			ID     json.RawMessage
			Method string
			Params struct{ Cursor string }
		}
		if err := json.Unmarshal(m.Bytes(), &r); err != nil {
			t.Error(err)
		}
		m.Free()
		text, ok := answers[r.Method+r.Params.Cursor]
		if !ok {
			return nil, errors.New("the process has ended")
		}
		return read(t, text), nil
	}
}

// What a process answers decides whether the manifest is used, and a process that is gone decides nothing.
func TestManifestRestsUntilItFits(t *testing.T) {
	t.Parallel()
	k := known(t)
	talk := k.find(beginning{version: "2025-06-18"}, false)
	fits := map[string]string{"tools/list": tools, "tools/listc2": strings.Replace(more, "7", `"mcpfunc-manifest"`, 1)}
	other := map[string]string{"tools/list": more, "tools/listc2": more}
	for i, tt := range []struct {
		begun   string
		answers map[string]string
		serves  bool
		changed string
	}{
		{begun, fits, true, ""},
		{begun, nil, true, ""},
		{begun, other, false, "notifications/tools/list_changed"},
		{begun, nil, false, ""},
		{strings.Replace(begun, "06", "07", 1), fits, false, ""},
		{begun, fits, true, ""},
	} {
		changed, err := talk.Check(read(t, tt.begun), answering(t, tt.answers))
		if (err != nil) != (tt.answers == nil) || strings.Join(changed, " ") != tt.changed || talk.Serves() != tt.serves || (k.Era() != "") != tt.serves {
			t.Errorf("%d: %q, %v; it serves: %v, want %q, %v", i, changed, err, talk.Serves(), tt.changed, tt.serves)
		}
	}
}

func TestManifestIsOfOneServer(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	f := parse(t, source)
	for name, tt := range map[string]struct {
		change        func(*Source)
		keys          []string
		doubt         bool
		known, serves bool
	}{
		"the same":         {func(*Source) {}, []string{"the key"}, false, true, true},
		"without a key":    {func(*Source) {}, nil, false, true, false},
		"other key":        {func(*Source) {}, []string{"other"}, false, true, false},
		"doubted":          {func(*Source) {}, []string{"the key"}, true, true, false},
		"other value":      {func(s *Source) { s.Values = map[string]string{"KEY": "other"} }, []string{"the key"}, false, true, false},
		"other command":    {func(s *Source) { s.Command = "other" }, []string{"the key"}, false, false, false},
		"other arguments":  {func(s *Source) { s.Args = nil }, []string{"the key"}, false, false, false},
		"other lock":       {func(s *Source) { s.Lock = "a" }, []string{"the key"}, false, false, false},
		"another variable": {func(s *Source) { s.Values = map[string]string{"KEY": "secret", "B": ""} }, []string{"the key"}, false, false, false},
	} {
		from := source
		tt.change(&from)
		k := f.Known("s", from, tt.keys, tt.doubt, log, nil)
		if (k != nil) != tt.known || k != nil && k.serves() != tt.serves {
			t.Errorf("%s: known %v, serves %v", name, k != nil, k != nil && k.serves())
		}
	}
	if f.Known("t", source, nil, false, log, nil) != nil {
		t.Error("another server is known")
	}
	data, err := json.Marshal(source.Identity("the key"))
	if err != nil || strings.Contains(string(data), "secret") {
		t.Errorf("an identity is written as %s, %v", data, err)
	}
}

func TestSourceHoldsWhatProcessesSee(t *testing.T) {
	t.Parallel()
	file, err := config.Parse("mcp_config.json", []byte(`{"mcpServers":{"s":{"command":"x","args":["${A}"],"env":{"B":"${B:-b}"}},"t":{"command":"y","args":["${C}"]}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := SourceOf(file.Servers[0], file.Variables, func(name string) string { return "value of " + name })
	if s.Args[0] != "${A}" || len(s.Values) != 2 || s.Values["A"] != "value of A" || s.Values["B"] != "value of B" {
		t.Errorf("the source is %+v", s)
	}
}

func TestBrokenFilesAreErrors(t *testing.T) {
	t.Parallel()
	lines := []string{strings.Replace(indexText, "START", "x", 1), begun, tools, more, empty, discover}
	with := func(i int, text string) string {
		changed := append([]string(nil), lines...)
		changed[i] = text
		return strings.Join(changed, "\n")
	}
	for text, want := range map[string]string{
		"":                            "line 1",
		"{}":                          "format 0",
		"{nope":                       "line 1",
		strings.Join(lines[:5], "\n"): "line 6 does not exist",
		with(2, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`): "line 3: is not an answer",
		with(2, `{"jsonrpc":"2.0","id":1,"ID":2,"result":{}}`):    "line 3: is not an answer",
		with(2, `{"jsonrpc":`): "line 3",
		with(0, strings.Replace(lines[0], "initialize", "x", 2)):      "does not have a beginning",
		with(0, strings.Replace(lines[0], `"line":2`, `"line":1`, 1)): "line 1 does not exist",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	f, err := os.Create(filepath.Join(dir, Name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(MaxBytes + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "larger than 32 MiB") {
		t.Errorf("a large file: %v", err)
	}
}
