package message

import (
	"slices"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id   string
		keys []string
		want string // empty for none
	}{
		{`7`, []string{`"7"`, `"8"`}, `"7"`},
		{`"7"`, []string{`7`, `8`}, `7`},
		{`7.0`, []string{`7`}, `7`},
		{`7.0`, []string{`"7"`}, `"7"`},
		{`7.0`, []string{`7`, `"7"`}, `7`},
		{`"07"`, []string{`7`, `"7"`}, `"7"`},
		{`9.007199254740992e15`, []string{`9007199254740992`, `9007199254740993`}, ``}, // two are as near
		{`7`, []string{`"7"`, `"7.0"`}, ``},
		{`7`, []string{`8`}, ``},
		{`"a"`, []string{`"b"`, `1`}, ``},
		{`"NaN"`, []string{`"nan"`}, ``},
		{`""`, []string{`0`}, ``},
		{`"`, []string{`0`}, ``},
		{``, []string{`0`}, ``},
	} {
		if got, ok := Nearest([]byte(tt.id), slices.Values(tt.keys)); got != tt.want || ok != (tt.want != "") {
			t.Errorf("Nearest(%s, %v) = %q, %v; want %q", tt.id, tt.keys, got, ok, tt.want)
		}
	}
}
