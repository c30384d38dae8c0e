package importer

import (
	"strings"
	"testing"
	"testing/fstest"
)

// fuzzed reads anything that begins like a file of one notation, and holds it to what every import
// promises.
func fuzzed(f *testing.F, of func(text []byte) bool) {
	f.Helper()
	seeds := 0
	for _, story := range stories(f) {
		if data := story.Files[0].Data; of(data) {
			f.Add(data)
			seeds++
		}
	}
	if seeds == 0 {
		f.Fatal("no story has this notation")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, opts := range []Options{{Dir: "/"}, {Dir: "/", Only: "acme", As: map[string]string{"": "other"}}} {
			result, err := Read("file", data, opts)
			checkResult(t, data, result, err)
			if err != nil {
				_ = told(nil, err)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzzed(f, func(text []byte) bool { return format(text) == formatJSON })
}

func FuzzTOML(f *testing.F) {
	fuzzed(f, func(text []byte) bool { return format(text) == formatTOML })
}

func FuzzYAML(f *testing.F) {
	fuzzed(f, func(text []byte) bool { return format(text) == formatYAML })
}

func FuzzRegistry(f *testing.F) {
	fuzzed(f, func(text []byte) bool {
		src, err := open("file", text, Options{Only: "two"})
		return err == nil && src.format == registryFormat
	})
}

// FuzzBundle reads a manifest as it is, and as one in a zip beside other files.
func FuzzBundle(f *testing.F) {
	for _, story := range stories(f) {
		f.Add(story.Files[0].Data, "bin/acme")
	}
	f.Add([]byte("{}"), "../x")
	f.Fuzz(func(t *testing.T, manifest []byte, name string) {
		if strings.HasSuffix(name, "/") {
			t.Skip("is a folder")
		}
		data := zipped(t, map[string]string{manifestName: string(manifest), name: "x"})
		result, err := Read("file.mcpb", data, Options{})
		checkResult(t, data, result, err)
		result, err = Read("manifest.json", manifest, Options{Near: fstest.MapFS{name: {Data: []byte("x")}}})
		checkResult(t, manifest, result, err)
		// And anything that only claims to be a zip.
		result, err = Read("file.mcpb", append([]byte("PK\x03\x04"), manifest...), Options{})
		checkResult(t, manifest, result, err)
	})
}

func FuzzVariables(f *testing.F) {
	for _, s := range []string{"$A", "${A:-b}", "a${input:b}c", "{env:X}", "${workspaceFolder}/a", "%APPDATA%", "${{ secrets.X }}", "{{X}}", "$${A}"} {
		f.Add(s, "env.A")
	}
	f.Fuzz(func(t *testing.T, s, key string) {
		for _, d := range []dialect{{}, {braces: true, anywhere: true}, {substitutes: true, users: true, folder: "bundles/x"}} {
			c := &conversion{object: &object{}, src: &source{dialect: d}}
			once, note := c.variables(key, s)
			if note != nil {
				continue
			}
			if twice, note := c.variables(key, once); note == nil && !d.anywhere && twice != once {
				t.Errorf("%q becomes %q, and that %q", s, once, twice)
			}
			_ = c.argument("--x", s)
		}
	})
}
