package authn

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

func TestT06TokenIsGoodFromNbfToExpAndAMinute(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	now := l.clock.now().Unix()
	const minute, hour = 60, 3600
	for _, test := range []struct {
		what   string
		change []func(*fakeentra.Token)
		want   bool
	}{
		{"as issued", nil, true},
		{"exp just within the leeway", []func(*fakeentra.Token){claim("exp", now-minute+1)}, true},
		{"exp at the leeway", []func(*fakeentra.Token){claim("exp", now-minute)}, false},
		{"exp past the leeway", []func(*fakeentra.Token){claim("exp", now-minute-1)}, false},
		{"exp long past", []func(*fakeentra.Token){claim("exp", now-hour)}, false},
		{"exp with a fraction", []func(*fakeentra.Token){claim("exp", float64(now)+0.5)}, true},
		{"exp zero", []func(*fakeentra.Token){claim("exp", 0)}, false},
		{"exp negative", []func(*fakeentra.Token){claim("exp", -1)}, false},
		{"exp 1e300", []func(*fakeentra.Token){claim("exp", json.Number("1e300"))}, false},
		{"exp 1e999", []func(*fakeentra.Token){claim("exp", json.Number("1e999"))}, false},
		{"exp 1e18", []func(*fakeentra.Token){claim("exp", json.Number("1000000000000000000"))}, false},
		{"exp a string", []func(*fakeentra.Token){claim("exp", fmt.Sprint(now+hour))}, false},
		{"exp a list", []func(*fakeentra.Token){claim("exp", []int64{now + hour})}, false},
		{"exp true", []func(*fakeentra.Token){claim("exp", true)}, false},
		{"exp missing", []func(*fakeentra.Token){claim("exp", nil)}, false},
		{"nbf at the leeway", []func(*fakeentra.Token){claim("nbf", now+minute)}, true},
		{"nbf past the leeway", []func(*fakeentra.Token){claim("nbf", now+minute+1)}, false},
		{"nbf a string", []func(*fakeentra.Token){claim("nbf", "0")}, false},
		{"nbf missing", []func(*fakeentra.Token){claim("nbf", nil)}, true},
		{"iat at the leeway", []func(*fakeentra.Token){claim("iat", now+minute)}, true},
		{"iat past the leeway", []func(*fakeentra.Token){claim("iat", now+minute+1)}, false},
		{"iat 1e300", []func(*fakeentra.Token){claim("iat", json.Number("1e300"))}, false},
	} {
		caller, err := check(l.guard, l.token(test.change...))
		if !test.want {
			wantRefusal(t, test.what, err, http.StatusUnauthorized)
		} else if err != nil {
			t.Errorf("%s: %v", test.what, err)
		} else if caller.Expires.IsZero() {
			t.Errorf("%s: no expiry", test.what)
		}
	}
	// null is a value, not an absence.
	header, payload := parts(t, l.token())
	payload["exp"] = nil
	_, err := check(l.guard, forge(text(header), text(payload), rs256))
	wantRefusal(t, "exp null", err, http.StatusUnauthorized)

	token := l.token()
	l.clock.advance(75*time.Minute + leeway - time.Second)
	if _, err := check(l.guard, token); err != nil {
		t.Errorf("a second before the end: %v", err)
	}
	l.clock.advance(time.Second)
	_, err = check(l.guard, token)
	wantRefusal(t, "at the end", err, http.StatusUnauthorized)
}

func TestT07TokenCannotBeReadInTwoWays(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	header, payload := parts(t, l.token())
	h, p := text(header), text(payload)
	more := func(members string) string { return strings.TrimSuffix(p, "}") + "," + members + "}" }
	if _, err := check(l.guard, forge(h, more(`"harmless":1`), rs256)); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"exp twice":             forge(h, more(`"exp":99999999999`), rs256),
		"exp twice, escaped":    forge(h, more(`"\u0065xp":99999999999`), rs256),
		"aud twice":             forge(h, more(`"aud":"`+clientID+`"`), rs256),
		"twice further down":    forge(h, more(`"x":{"a":1,"a":2}`), rs256),
		"twice in a list":       forge(h, more(`"x":[[{"a":1,"a":2}]]`), rs256),
		"Exp":                   forge(h, more(`"Exp":99999999999`), rs256),
		"AUD":                   forge(h, more(`"AUD":"x"`), rs256),
		"oID":                   forge(h, more(`"oID":"x"`), rs256),
		"iſſ":                   forge(h, more(`"iſſ":"x"`), rs256),
		"header twice":          forge(strings.TrimSuffix(h, "}")+`,"alg":"RS256"}`, p, rs256),
		"header KID":            forge(strings.TrimSuffix(h, "}")+`,"KID":"x"}`, p, rs256),
		"two objects":           forge(h, p+p, rs256),
		"comment":               forge(h, p+"//", rs256),
		"comma at the end":      forge(h, strings.TrimSuffix(p, "}")+",}", rs256),
		"list":                  forge(h, "["+p+"]", rs256),
		"null":                  forge(h, "null", rs256),
		"empty":                 forge(h, "", rs256),
		"invalid UTF-8":         forge(h, more("\"x\":\"\xff\""), rs256),
		"UTF-16":                forge(h, "\xff\xfe{\x00", rs256),
		"BOM":                   forge(h, "\ufeff"+p, rs256),
		"control char in oid":   l.token(claim("oid", "a\x00b")),
		"line break in oid":     l.token(claim("oid", "a\nb")),
		"lone surrogate in oid": forge(h, strings.Replace(p, alice, `\ud800`, 1), rs256),
		"oid a number":          l.token(claim("oid", 7)),
		"sub a list":            l.token(claim("sub", []string{"a"})),
	} {
		_, err := check(l.guard, token)
		wantRefusal(t, name, err, http.StatusUnauthorized)
	}
}

func TestDecodeObjectAcceptsNoMoreThanJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`{}`, `{"a":[1,2,{"b":null}],"c":"\u00e9"}`, ` { "a" : -1.5e3 } `, `{"":0}`,
		`{a:1}`, `{'a':1}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":NaN}`, `{"a":1}}`, `{"a" 1}`, `{"a":1 "b":2}`, `{,}`,
		`{"a":"` + "\t" + `"}`, `{"a":"\x"}`, `{"a":tru}`, `[`, `{"a":[1,]}`, `{"a":[,1]}`, `{1:2}`,
	} {
		_, err := decodeObject([]byte(s))
		if got, want := err == nil, json.Valid([]byte(s)); got != want {
			t.Errorf("%s: accepted %v, want %v (%v)", s, got, want, err)
		}
	}
	if _, err := decodeObject([]byte(strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth))); err != nil {
		t.Errorf("nested to the limit: %v", err)
	}
	if _, err := decodeObject([]byte(strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1))); err == nil {
		t.Error("nested beyond the limit: accepted")
	}
}
