package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The key is made up: it is of no curve.
const pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZZZZZZZZZZZZZZZZ\nYYYYYYYYYYYYYYYYYYYYYYYYYYYYYYYYhRANCAAQXXXXXXXXXXXXXXXXXXXXXXXXX\nWWWWWWWWWWWWWWWWWWWWWWWW\n-----END PRIVATE KEY-----\n"

func TestKeyOfSeveralLinesIsTakenOutWholeAndInPieces(t *testing.T) {
	t.Parallel()
	var v Values
	v.Read(pem)
	r := v.Redactor()
	quoted, _ := json.Marshal(pem)
	twice, _ := json.Marshal(string(quoted))
	for name, text := range map[string]string{
		"whole": "got " + pem, "as JSON": string(quoted), "as JSON in JSON": string(twice), "in a query": "?key=" + url.QueryEscape(pem),
		"with CR": strings.ReplaceAll(pem, "\n", "\r\n"), "indented": "  " + strings.ReplaceAll(pem, "\n", "\n    "),
		"in one word": strings.ReplaceAll(pem, "\n", ""),
	} {
		got := r.Redact(text)
		for line := range strings.Lines(pem) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-") && strings.Contains(got, line) {
				t.Errorf("%s: %q is in %s", name, line, got)
			}
		}
	}
	for line := range strings.Lines(pem) {
		if got := r.Redact("line: " + line); !strings.HasPrefix(line, "-") && strings.Contains(got, strings.TrimSpace(line)) {
			t.Errorf("a line by itself: %s", got)
		}
	}
}

func TestSecretThatIsJSONIsTakenOutByItsMembers(t *testing.T) {
	t.Parallel()
	doc, _ := json.Marshal(map[string]any{"type": "service_account", "private_key": pem, "nested": []any{map[string]any{"client_secret": "hunter2-hunter2"}}})
	r := New(string(doc))
	got := r.Redact("service_account " + pem + " hunter2-hunter2 ")
	if strings.Contains(got, "ZZZZ") || strings.Contains(got, "hunter2") || !strings.Contains(got, "service_account") {
		t.Error(got)
	}
}

func TestSpellingsOfASecret(t *testing.T) {
	t.Parallel()
	const value = `pa"ss/wörd<1>&+ %`
	r := New(value)
	least, _ := json.Marshal(value)
	lower := strings.ToLower(url.QueryEscape(value)) // all of its letters are small
	for _, text := range []string{
		value, string(least), `pa\"ss/wörd<1>&+ %`, `pa\"ss\/wörd<1>&+ %`, `pa\"ss/w\u00f6rd<1>&+ %`, url.QueryEscape(value), url.PathEscape(value),
		strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), lower,
	} {
		if got := r.Redact("a " + text + " b"); strings.Contains(strings.ToLower(got), "rd") || !strings.HasPrefix(got, "a ") || !strings.HasSuffix(got, " b") {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestCredentialsInURLsAreSecrets(t *testing.T) {
	t.Parallel()
	var v Values
	v.Environ([]string{"PIP_INDEX_URL=https://me:p%40ss-word@pypi.example/simple", "HTTPS_PROXY=http://proxy-user:hunter2@proxy:8080", "PATH=/bin:/usr/bin", "UV_INDEX_URL=https://a-token-of-it@uv.example/simple"})
	v.Setting("DATABASE_URL", "postgres://app:database-pass@db/app")
	v.Setting("OTHER", "Server=tcp:db;User ID=u;Password=connection-pass;")
	v.Setting("PORT", "8080")
	r := v.Redactor()
	for _, text := range []string{"p%40ss-word", "p@ss-word", "hunter2", "proxy-user:hunter2", "a-token-of-it", "database-pass", "connection-pass"} {
		if got := r.Redact("said " + text); strings.Contains(got, text) {
			t.Errorf("%s: %s", text, got)
		}
	}
	const harmless = "GET /simple from pypi.example by proxy:8080, /usr/bin db 8080"
	if got := r.Redact(harmless); got != harmless {
		t.Error(got)
	}
}

func TestShortAndPlainValuesDoNotRedactEverything(t *testing.T) {
	t.Parallel()
	var v Values
	v.Read("1", "true", "false", "", "  ", "4096", "100000000", "default", "eu")
	v.Know("abc")
	const text = "true is not false, 1 of 100000000 by default, 4096 in eu, abc"
	if got := v.Redactor().Redact(text); got != text {
		t.Error(got)
	}
}

func TestCutThroughASecret(t *testing.T) {
	t.Parallel()
	values := []string{"correct horse battery staple", pem, `{"key": "of several words"}`}
	r := New(values...)
	for _, value := range append(values, "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl", "https://user:password-of-it@host/x", strings.Repeat("aB3", 28)+"+ASt"+"abcd==") {
		whole := "the beginning: " + value
		for n := len("the beginning: ") + minBytes; n < len(whole); n++ {
			got := r.RedactCut(whole[:n])
			if rest := strings.ReplaceAll(strings.TrimPrefix(got, "the beginning:"), Redacted, ""); len(strings.TrimSpace(rest)) >= minBytes &&
				!strings.Contains(rest, "-----BEGIN") && !strings.Contains(rest, "-----END") {
				t.Fatalf("cut at %d: %q", n, got)
			}
		}
	}
	if got := r.RedactCut("nothing to hide here at a"); !strings.HasPrefix(got, "nothing to hide here") {
		t.Error(got)
	}
	long := strings.Repeat("E", 4096)
	if got := r.RedactCut(long); got != long {
		t.Error("a long line that is no secret was taken out")
	}
}

func TestNobodysSecretsAreTakenOutByNobody(t *testing.T) {
	t.Parallel()
	var none *Redactor
	if got := none.Redact("password=hunter2") + none.RedactCut("x"); got != "password=hunter2x" {
		t.Error(got)
	}
}

func TestTokensAreKnownByTheirForm(t *testing.T) {
	t.Parallel()
	r := New()
	for text, want := range map[string]string{
		"Authorization: Bearer abcdefgh12345678 ok":            "Authorization: [redacted] ok",
		`{"password": "hunter2-hunter2", "a": 1}`:              `{"password": "[redacted]", "a": 1}`,
		`"{\"api_key\": \"hunter2-hunter2\"}"`:                 `"{\"api_key\": \"[redacted]\"}"`,
		"cannot reach postgres://app:hunter2@db/app":           "cannot reach postgres://app:[redacted]@db/app",
		"AccountName=a;AccountKey=hunter2hunter2;x":            "AccountName=a;AccountKey=[redacted];x",
		"AKIA" + "ABCDEFGHIJKLMNOP" + " is it":                 "[redacted] is it",
		"basic authentication is off, token: unexpected":       "basic authentication is off, token: unexpected",
		"key=" + strings.Repeat("aB3", 28) + "+ASt" + "abcd==": "key=[redacted]",
	} {
		if got := r.Redact(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestRecordsAreRedacted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(Handler(slog.NewJSONHandler(&out, nil), New("hunter2-hunter2")))
	const it = "hunter2-hunter2"
	log = log.With("with", it).WithGroup("group").With(slog.Group("inner", "a", it))
	log.Info("said "+it, "text", it, "error", fmt.Errorf("outer: %w", errors.New(it)), "list", []string{it}, "url", &url.URL{Path: it}, "n", 7, "raw", slog.AnyValue(it))
	if text := out.String(); strings.Contains(text, it) || strings.Count(text, Redacted) != 8 || !strings.Contains(text, `"n":7`) {
		t.Error(text)
	}
	if !log.Enabled(t.Context(), slog.LevelInfo) || log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("levels are others")
	}
}

func TestAllOfManySecretsAreKnown(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 300 {
		all = append(all, fmt.Sprintf("value-%d-%s", i, strings.Repeat("x", i%40)))
	}
	r := New(all...)
	if got := r.Redact(strings.Join(all, " ")); slices.ContainsFunc(strings.Fields(got), func(w string) bool { return w != Redacted }) {
		t.Error(got)
	}
}

// BenchmarkRedact is a line of stderr of 8 KiB, with 50 secrets known.
func BenchmarkRedact(b *testing.B) {
	var all []string
	for i := range 50 {
		all = append(all, fmt.Sprintf("%s-%d", strings.Repeat("aB3", 12), i))
	}
	r := New(all...)
	line := strings.Repeat("2026-11-30 INFO request finished in 3 ms\t", 200)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		r.Redact(line)
	}
}

func TestSecretsOfACallerComeOnTop(t *testing.T) {
	t.Parallel()
	both := New("of-the-app").And(New("of-the-caller"))
	if got := both.Redact("of-the-app of-the-caller") + both.RedactCut(" said of-the-cal"); got != "[redacted] [redacted] said " {
		t.Error(got)
	}
	var none *Redactor
	if none.And(nil) != nil || none.And(both) != both || both.And(nil) != both {
		t.Error("secrets of no caller are those of one")
	}
}
