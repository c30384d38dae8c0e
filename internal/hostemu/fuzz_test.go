package hostemu

import (
	"strings"
	"testing"
)

// Whatever a function.json says and a client asks for, the router answers.
func FuzzTemplate(f *testing.F) {
	for _, template := range []string{"a/{x}.{y?}", "{*x:maxlength(1)}", "{x:regex(^a{{2}}$)=b}", "{{a}}{b}", "~/a", "{x:length(1,2):int}", "{=x}"} {
		f.Add(template, "/a/b.c")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		parsed, err := parseTemplate(text)
		if err != nil {
			return
		}
		values, ok := parsed.match(path)
		for name := range values {
			if !ok || !strings.Contains(text, name) {
				t.Errorf("%q on %q: value of %q, match %v", text, path, name, ok)
			}
		}
	})
}

// What reaches the handler is a target that HTTP allows, and is the same path when it is decoded.
func FuzzTarget(f *testing.F) {
	for _, target := range []string{"/a%2Fb?%41%c3%a4", "/%E4/../%zz?%", "/./%2e", "/\\?\\", "//?"} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return // which is refused before
		}
		escaped, query, hasQuery := strings.Cut(target, "?")
		path, ok := decodePath("/" + escaped)
		if !ok {
			return
		}
		got := encodeTarget(path, query, hasQuery)
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || !strings.HasPrefix(got, "/") {
			t.Errorf("%q becomes %q", target, got)
		}
		again, _, _ := strings.Cut(got, "?")
		if strings.Contains(path, "%") || strings.Contains(path, "/.") {
			return // an escape that stays is escaped again, and dots are looked for once
		}
		if back, _ := decodePath(again); back != path {
			t.Errorf("%q becomes %q, which is %q", path, got, back)
		}
	})
}
