package hostemu

import (
	"fmt"
	"strings"
	"testing"
)

// statusOf is the status of a raw answer, without its "HTTP/1.1".
func statusOf(answer string) string {
	_, rest, _ := strings.Cut(answer, " ")
	return rest[:min(3, len(rest))]
}

func TestRequestsThatTheHostsServerRefuses(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	get := func(target, header string) string {
		return "GET " + target + " HTTP/1.1\r\nConnection: close\r\n" + header + "\r\n"
	}
	line := func(n int) string { return "/" + strings.Repeat("a", n-len("GET / HTTP/1.1\r\n")) }
	var many strings.Builder
	for i := range 98 {
		fmt.Fprintf(&many, "A%d: b\r\n", i)
	}
	size := func(n int) string {
		const rest = "Connection: close\r\nHost: x\r\nA: \r\n\r\n"
		return "Host: x\r\nA: " + strings.Repeat("a", n-len(rest)) + "\r\n"
	}
	for name, test := range map[string]struct{ request, want string }{
		"a line of 8 KiB":          {get(line(8192), "Host: x\r\n"), "200"},
		"a longer line":            {get(line(8193), "Host: x\r\n"), "414"},
		"headers of 32 KiB":        {get("/", size(32770)), "200"},
		"larger headers":           {get("/", size(32771)), "431"},
		"100 headers":              {get("/", "Host: x\r\n"+many.String()), "200"},
		"101 headers":              {get("/", "Host: x\r\nB: b\r\n"+many.String()), "431"},
		"a zero byte":              {get("/a%00", "Host: x\r\n"), "400"},
		"a zero byte in the query": {get("/?%00", "Host: x\r\n"), "200"},
		"no ASCII":                 {get("/ä", "Host: x\r\n"), "400"},
		"no escape":                {get("/a%zz%4%", "Host: x\r\n"), "200"},
		"a blank in the host":      {get("/", "Host: a b\r\n"), "400"},
		"a comma in the host":      {get("/", "Host: a,b\r\n"), "400"},
		"an invalid port":          {get("/", "Host: x:abc\r\n"), "400"},
		"no host":                  {get("/", ""), "400"},
		"an empty host":            {get("/", "Host: \r\n"), "500"},
		"an empty label":           {get("/", "Host: a..b\r\n"), "500"},
		"a port too high":          {get("/", "Host: x:99999\r\n"), "500"},
		"an address":               {get("/", "Host: [::1]:80\r\n"), "200"},
		"an old version":           {"GET / HTTP/1.0\r\n\r\n", "500"},
		"a newer version":          {"GET / HTTP/1.2\r\nHost: x\r\n\r\n", "505"},
		"with scheme and host":     {get("http://x/y?z", "Host: x\r\n"), "200"},
		"all of the host":          {"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200"},
		"all, by GET":              {get("*", "Host: x\r\n"), "405"},
		"a tunnel":                 {"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n", "500"},
	} {
		if got := statusOf(raw(t, b.URL(), test.request)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestTargetsAreMendedOnEveryRequestOfAConnection(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	const request = "POST /a%%/b%%4?c%%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n%s\r\nGET /%%x "
	answers := rawEach(t, b.URL(), fmt.Sprintf(request, ""), fmt.Sprintf(request, "Connection: close\r\n"))
	for i, answer := range answers {
		_, body, _ := strings.Cut(answer, "\r\n\r\n")
		if got := decode[seen](t, body); got.URI != "/a%25/b%254?c%25zz" || got.Body != "GET /%x " {
			t.Errorf("request %d reached the handler as %s %q", i, got.URI, got.Body)
		}
	}
	if len(answers) != 2 {
		t.Errorf("%d answers", len(answers))
	}
}
