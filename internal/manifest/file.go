// Package manifest is what servers were found to answer when their app was built, so that the app can answer
// without a process: the beginning of a conversation, and the lists. `mcpfunc pack` and `mcpfunc manifest`
// write it; this package reads it, and knows when it may be believed.
//
// The file is JSON Lines. The first line is an Index; each of the others is an answer as the server gave it,
// byte for byte.
package manifest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Name is the file's, beside the configuration.
const Name = "mcp_manifest.jsonl"

// Format is the version of the file that this package reads. Another one is an error.
const Format = 1

// MaxBytes bounds the file.
const MaxBytes = 32 << 20

// An Index says whose answers the other lines are, and to what.
type Index struct {
	Format  int               `json:"format"`
	Servers map[string]Server `json:"servers"` // by the name in the configuration
}

// A Server is what is known of one server.
type Server struct {
	Identity
	// Era says which protocol versions the server speaks: "legacy" those with sessions, "modern" those
	// without, or "both"; empty if that was not found out.
	Era           string         `json:"era,omitempty"`
	Conversations []Conversation `json:"conversations"`
}

// An Identity tells a server from what it was, and from any other. No value of a variable is in it.
type Identity struct {
	Start     string   `json:"start"`               // digest of how the configuration, as it is written, starts it
	Lock      string   `json:"lock,omitempty"`      // digest of the lock that it was packed from; empty if it is not packed
	Tree      string   `json:"tree,omitempty"`      // digest of what was packed
	Variables []string `json:"variables,omitempty"` // names of those whose values the configuration does not hold, in order
	Values    string   `json:"values,omitempty"`    // an HMAC of those values; empty where there was no key for one
}

// Same reports whether i and j are of the same server, whatever the values of its variables are.
func (i Identity) Same(j Identity) bool {
	return i.Start == j.Start && i.Lock == j.Lock && i.Tree == j.Tree && slices.Equal(i.Variables, j.Variables)
}

// A Source is what an Identity is made of: how a server is started, with ${NAME} as it stands.
type Source struct {
	Command               string
	Args                  []string
	Env                   map[string]string
	Inherit               []string // names or globs of what passes from the app's environment
	Dir, EnvFile, Framing string
	Lock, Tree            string            // of what was packed; empty where the server starts as written
	Values                map[string]string // of what Env, Args and the others refer to, by name
}

// SourceOf returns the Source of a server that is not packed. variables are those of its file.
func SourceOf(written config.Server, variables []config.Variable, getenv func(name string) string) Source {
	s := Source{
		Command: written.Command, Args: written.Args, Env: written.Env, Inherit: written.InheritEnv,
		Dir: written.Dir, EnvFile: written.EnvFile, Framing: string(written.Framing), Values: map[string]string{},
	}
	for _, v := range variables {
		if v.Server == written.Name && !strings.HasPrefix(v.Key, "auth") { // which its processes do not see
			s.Values[v.Name] = getenv(v.Name)
		}
	}
	if written.EnvFile != "" {
		vars, _ := config.LoadEnvFile(written.EnvFile) // who starts the server says what is wrong with it
		for name, value := range vars {
			s.Values[name] = value
		}
	}
	return s
}

// Identity returns the Identity. Values are told apart where there is a key.
func (s Source) Identity(key string) Identity {
	start, err := json.Marshal([]any{s.Command, s.Args, s.Env, s.Inherit, s.Dir, s.EnvFile, s.Framing})
	if err != nil {
		panic("manifest: " + err.Error()) // of texts
	}
	sum := sha256.Sum256(start)
	i := Identity{
		Start: hex.EncodeToString(sum[:]), Lock: s.Lock, Tree: s.Tree,
		Variables: slices.Sorted(maps.Keys(s.Values)),
	}
	if len(s.Values) > 0 && key != "" {
		i.Values = digest([]byte(key), s.Values)
	}
	return i
}

// proven reports whether i is of s with the values that its variables have, as one of the keys shows. What
// is inherited besides them is unknown.
func (s Source) proven(i Identity, keys []string) bool {
	return len(s.Inherit) == 0 && (len(s.Values) == 0 || slices.ContainsFunc(keys, func(key string) bool {
		return key != "" && hmac.Equal([]byte(i.Values), []byte(s.Identity(key).Values))
	}))
}

// digest identifies values, by name, without revealing them to readers who do not have the key.
func digest(key []byte, values map[string]string) string {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, "mcpfunc manifest 1\n")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(mac, "%d %s=%d %s\n", len(name), name, len(values[name]), values[name])
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// A Conversation is what a server answers to a client that begins in one way.
type Conversation struct {
	Version string `json:"version"` // that the client asks for
	// Capabilities are those that the client declares, exactly. Without them it may declare any of
	// Tried, which was found to change nothing.
	Capabilities json.RawMessage `json:"capabilities,omitempty"`
	Answers      []Answer        `json:"answers"`
}

// An Answer is one answer of a server.
type Answer struct {
	Method string `json:"method"`
	Cursor string `json:"cursor,omitempty"` // of a page but the first
	Line   int    `json:"line"`             // of the file, from 1
}

// Methods that are not lists, and may have answers.
const (
	methodInitialize = "initialize"
	methodDiscover   = "server/discover"
	methodPing       = "ping"
	methodSetLevel   = "logging/setLevel"
)

// Lists are the methods whose answers are lists, with the notification that says that one has changed.
var Lists = map[string]string{
	"tools/list":               "notifications/tools/list_changed",
	"prompts/list":             "notifications/prompts/list_changed",
	"resources/list":           "notifications/resources/list_changed",
	"resources/templates/list": "notifications/resources/list_changed",
}

// A File is the file, with each answer known to be one.
type File struct {
	Servers map[string]Server
	answers map[int]said // by line
}

// said is an answer as it was given, and where its id stands.
type said struct {
	text     []byte
	from, to int
}

// Load reads the file of the project in dir. If the file does not exist, the error is fs.ErrNotExist.
func Load(dir string) (*File, error) {
	f, err := os.Open(filepath.Join(dir, Name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err == nil && len(data) > MaxBytes {
		err = fmt.Errorf("is larger than %d MiB", MaxBytes>>20)
	}
	var file *File
	if err == nil {
		file, err = Parse(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return file, nil
}

// Parse reads the contents of a file and checks them: an answer that is missing or invalid is an error.
func Parse(data []byte) (*File, error) {
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	var index Index
	if err := json.Unmarshal(lines[0], &index); err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	if index.Format != Format {
		return nil, fmt.Errorf("has format %d, but this mcpfunc reads format %d", index.Format, Format)
	}
	f := &File{Servers: index.Servers, answers: map[int]said{}}
	for name, s := range index.Servers {
		for _, c := range s.Conversations {
			if err := f.read(c, lines); err != nil {
				return nil, fmt.Errorf("server %q: %w", name, err)
			}
		}
	}
	return f, nil
}

func (f *File) read(c Conversation, lines [][]byte) error {
	begins := false
	for _, a := range c.Answers {
		begins = begins || a.Method == methodInitialize || a.Method == methodDiscover
		if _, ok := f.answers[a.Line]; ok {
			continue
		}
		if a.Line < 2 || a.Line > len(lines) {
			return fmt.Errorf("line %d does not exist", a.Line)
		}
		answer, err := readAnswer(lines[a.Line-1])
		if err != nil {
			return fmt.Errorf("line %d: %w", a.Line, err)
		}
		f.answers[a.Line] = answer
	}
	if !begins {
		return errors.New("a conversation does not have a beginning")
	}
	return nil
}

// readAnswer reads a line.
func readAnswer(text []byte) (said, error) {
	m, err := message.Parse(text)
	if err != nil {
		return said{}, err
	}
	defer m.Free()
	if m.Kind() != message.Response || m.Envelope().Ambiguous() {
		return said{}, errors.New("is not an answer")
	}
	id := m.Place(message.PartID)
	return said{text, id.From, id.To}, nil
}
