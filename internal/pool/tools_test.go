package pool

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A server chooses which headers its calls have, and every call pays for them.
func TestT52HeadersOfAToolAreBounded(t *testing.T) {
	wide := func(n int) string {
		var properties []string
		for i := range n {
			properties = append(properties, fmt.Sprintf(`"p%d":{"type":"string","x-mcp-header":"H%d"}`, i, i))
		}
		return `{` + strings.Join(properties, ",") + `}`
	}
	deep := func(n int) string {
		return strings.Repeat(`{"p":{"properties":`, n-1) + `{"p":{"type":"string","x-mcp-header":"H"}}` + strings.Repeat(`}}`, n-1)
	}
	for name, test := range map[string]struct {
		properties string
		want       int // -1: too many
	}{
		"some": {wide(3), 3}, "as many as may be": {wide(maxParams), maxParams}, "one more": {wide(maxParams + 1), -1}, "thousands": {wide(5000), -1},
		"deep": {deep(maxParamDepth), 1}, "deeper": {deep(maxParamDepth + 1), -1}, "far deeper": {deep(4000), -1},
	} {
		w := &Worker{pools: &Pools{}, pool: &pool{}}
		answer := `{"result":{"tools":[{"name":"t","inputSchema":{"properties":` + test.properties + `}}]}}`
		if !json.Valid([]byte(answer)) {
			t.Fatal(name)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w.learn([]byte(answer))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(300*len(answer)+1<<20) {
			t.Errorf("%s: %d bytes for a schema of %d", name, used, len(answer))
		}
		headers, err := w.ParamHeaders("t")
		if test.want < 0 && !errors.Is(err, ErrTooManyParams) || test.want >= 0 && (err != nil || len(headers) != test.want) {
			t.Errorf("%s: %d headers, %v; want %d", name, len(headers), err, test.want)
		}
		if len(w.pool.tools["t"]) > maxParams+1 {
			t.Errorf("%s: %d headers are kept", name, len(w.pool.tools["t"]))
		}
	}
}
