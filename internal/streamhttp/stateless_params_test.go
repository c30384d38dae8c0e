package streamhttp

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pool"
)

// many are headers of as many arguments, half of them deep.
func many(n int) (headers []pool.ParamHeader) {
	for i := range n {
		path := []string{fmt.Sprint("a", i)}
		for range i % 2 * 15 {
			path = append(path, "in")
		}
		headers = append(headers, pool.ParamHeader{Name: fmt.Sprint("H", i), Path: path})
	}
	return headers
}

func call(t *testing.T, arguments string) *message.Message {
	t.Helper()
	m, err := message.Parse([]byte(`{"method":"tools/call","params":{"name":"x","arguments":` + arguments + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Free)
	return m
}

// A request of 100 KiB once took 3.5 s of processor time: it was parsed again for every header and every level.
func TestT52ArgumentsOfHeadersAreReadOnce(t *testing.T) {
	for name, m := range map[string]*message.Message{
		"wide": call(t, `{"x":[`+strings.Repeat("0,", 512<<10)+`0],`+strings.Repeat(`"k":{"a0":1},`, 10_000)+`"a1":true}`),
		"deep": call(t, `{"x":`+strings.Repeat(`{"in":`, 5000)+`1`+strings.Repeat(`}`, 5000)+`,"a1":`+strings.Repeat(`{"in":`, 5000)+`1`+strings.Repeat(`}`, 5000)+`}`),
		"text": call(t, `{"x":"`+strings.Repeat("x", 1<<20)+`"}`),
	} {
		cost := func(headers []pool.ParamHeader) uint64 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := headerArguments(t.Context(), m, headers); err != nil {
				t.Fatal(name, err)
			}
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		if one, all := cost(many(1)), cost(many(64)); all > 2*one+256<<10 || one > uint64(8*m.Len()+256<<10) {
			t.Errorf("%s, of %d bytes: %d bytes were allocated for one header, %d for 64", name, m.Len(), one, all)
		}
	}
}

func TestT52NothingIsReadForAClientThatHasLeft(t *testing.T) {
	m := call(t, `{"x":[`+strings.Repeat("0,", 512<<10)+`0]}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := headerArguments(ctx, m, many(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestArgumentsOfHeadersAreThoseOfTheirPath(t *testing.T) {
	headers := []pool.ParamHeader{{Name: "A", Path: []string{"a"}}, {Name: "B", Path: []string{"in", "b"}}, {Name: "C", Path: []string{"in", "deep", "c"}}}
	for arguments, want := range map[string]string{
		`{"a":"x","in":{"b":2,"deep":{"c":true}}}`:                 `["x" 2 true]`,
		`{"in":{"deep":{"x":[{"c":1}],"c":3},"B":7},"A":1}`:        `[  3]`,
		`{"a":null,"in":null}`:                                     `[  ]`,
		`{"a":{"b":1},"in":[{"b":1},[2],3]}`:                       `[{"b":1}  ]`,
		`{"in":5,"x":{"a":1}}`:                                     `[  ]`,
		`[1,{"a":2}]`:                                              `[  ]`,
		`{"a":1,"a":2}`:                                            errTwice.Error(),
		`{"in":{"b":1},"in":{}}`:                                   errTwice.Error(),
		`{"x":1,"x":2,"a":"\u00e9","in":{"deep":{"c":[[[]],{}]}}}`: `["\u00e9"  [[[]],{}]]`,
	} {
		got, err := headerArguments(t.Context(), call(t, arguments), headers)
		text := fmt.Sprintf("%s", got)
		if err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%s: %s, want %s", arguments, text, want)
		}
	}
}

func TestErrorsShowNoMoreThanTheBeginningOfAValue(t *testing.T) {
	if got := shown(strings.Repeat("é", 1<<20)); len(got) > 2*maxShown {
		t.Errorf("%d bytes", len(got))
	}
}
